"""Growth: what a change of one statement, and a look-up of one name, costs where there is much, against where there is little."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from statistics import median

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.meshes import Meshes, split_groups
from benchmarks.sizes import Size
from benchmarks.timing import measure_time
from meshline.errors import NotFound
from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    JOB_OUTPUT,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Statement,
    build_column_key,
    build_dataset_key,
    build_job_key,
)
from meshline.graph.naming import Naming
from meshline.graph.queries.resolve import resolve_name
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
What should cost as much as it changes or finds, however much there is. A run states one more output of its job, and the latest one is
withdrawn, so that another is the latest: of a job with many outputs, against one with few. A table of ten columns is described and renamed:
one with many past names, each with the columns of then, against one with few. A column is resolved by its name in capitals,
and a name that nothing has: in a large graph, against a small one. A name of 4,000 characters against one of 400, in the large graph. In
the time of the processor, the median of several."""

OUTPUTS = {Size.TINY: (200, 400), Size.QUICK: (1_000, 20_000), Size.FULL: (1_000, 100_000)}
RENAMES = {Size.TINY: (20, 80), Size.QUICK: (100, 1_000), Size.FULL: (100, 4_000)}
DATASETS = {Size.TINY: (20, 40), Size.QUICK: (300, 3_000), Size.FULL: (300, 30_000)}
COLUMNS = 10  # of a dataset
TIMES = {Size.TINY: 3, Size.QUICK: 50, Size.FULL: 100}
GROUP = 10_000  # statements that are committed together
SOURCE, NAMESPACE = "openlineage/growth", "db"


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    del meshes
    compile_kernels()
    goal = None if size is Size.TINY else build_maximum(1.5)
    few, many = OUTPUTS[size]
    small, large = (_measure_outputs(outputs, TIMES[size]) for outputs in (few, many))
    for case, ours in large.items():
        yield Figure(
            case=f"{case}, of {many:,}", unit="ms of processor", ours=ours, reference=small[case], against=f"of {few:,}", goal=goal
        )
    few, many = RENAMES[size]
    yield Figure(
        case=f"a table is renamed, of {many:,} past names",
        unit="ms of processor",
        ours=_measure_renames(many, TIMES[size]),
        reference=_measure_renames(few, TIMES[size]),
        against=f"of {few:,}",
        goal=goal,
    )
    few, many = DATASETS[size]
    small, large = (_measure_names(datasets, TIMES[size]) for datasets in (few, many))
    for case in ("a column in capitals", "a name that nothing has"):
        yield Figure(
            case=f"{case}, of {many * COLUMNS:,} columns",
            unit="ms of processor",
            ours=large[case],
            reference=small[case],
            against=f"of {few * COLUMNS:,}",
            goal=goal,
        )
    yield Figure(
        case="a name of 4,000 characters",
        unit="ms of processor",
        ours=large["4000"],
        reference=large["400"],
        against="of 400",
        goal=None if goal is None else build_maximum(10),
    )


def _measure(action: Callable[[int], object], times: int) -> float:
    """Milliseconds of processor; the first time does not count."""
    return median([measure_time(partial(action, at)).cpu for at in range(times + 1)][1:]) * 1000


def _fill(statements: Iterable[Statement]) -> LiveGraph:
    live = LiveGraph.open(SqliteStore())
    for group in split_groups(statements, GROUP):
        _commit(live, *group)
    return live


def _commit(live: LiveGraph, *statements: Statement) -> None:
    live.commit(lambda _: Batch(statements=statements))


def _measure_outputs(outputs: int, times: int) -> dict[str, float]:
    live = _fill(_state_output(n, 0) for n in range(outputs))
    found = {
        "a run states an output": _measure(lambda at: _commit(live, _state_output(at, 1 + at)), times),
        "the latest output is withdrawn": _measure(
            lambda at: _commit(live, _state_output(times - at, outputs + at)._replace(content=EMPTY)), times
        ),
    }
    live.store.close()
    return found


def _state_output(number: int, at: int) -> Statement:
    output = build_dataset_key(NAMESPACE, f"out{number}")
    flow = Flow(
        build_dataset_key(NAMESPACE, "source"),
        output,
        FlowType.DIRECT,
        "",
        masking=False,
        covered=False,
        job=build_job_key(NAMESPACE, "job"),
    )
    return Statement(SOURCE, (JOB_OUTPUT, NAMESPACE, "job", *output.parts), at, encode_facts(Facts(flows=(flow,))), "run")


def _measure_renames(names: int, times: int) -> float:
    live = _fill(statement for at in range(names) for statement in _state_rename(at))
    found = _measure(lambda at: _commit(live, *_state_rename(names + at)), times)
    live.store.close()
    return found


def _state_rename(number: int) -> tuple[Statement, Statement]:
    """The columns of a table, and its next name."""
    before, after = (build_dataset_key(NAMESPACE, f"raw.Table{at}") for at in (number, number + 1))
    edges = (EdgeFact(EdgeType.RENAMED_TO, before, after),)
    renamed = Statement(SOURCE, ("dataset-renamed", *after.parts, *before.parts), 2 * number + 1, encode_facts(Facts(edges=edges)))
    return _state_columns(before, "", 2 * number), renamed


def _measure_names(datasets: int, times: int) -> dict[str, float]:
    names = {length: ".".join(f"part{n:03}" for n in range(int(length) // 8)) for length in ("400", "4000")}
    live = _fill(_state_schema(name) for name in (*(f"raw.Table{n}" for n in range(datasets)), *names.values()))
    naming = Naming()

    def resolve(name: str, at: int) -> None:
        with suppress(NotFound):
            resolve_name(live.index, live.store, naming, name.format(at))

    texts = {"a column in capitals": "TABLE{0}.ID3_{0}", "a name that nothing has": "view{0}.nothing"}
    texts |= {length: f"{NAMESPACE}/{name}" for length, name in names.items()}
    found = {case: _measure(partial(resolve, text), times) for case, text in texts.items()}
    live.store.close()
    return found


def _state_schema(name: str) -> Statement:
    return _state_columns(build_dataset_key(NAMESPACE, name), f"_{name.removeprefix('raw.Table')}", 1)


def _state_columns(dataset: AssetKey, suffix: str, at: int) -> Statement:
    columns = [build_column_key(dataset, f"Id{n}{suffix}"[:50]) for n in range(COLUMNS)]
    edges = tuple(EdgeFact(EdgeType.HAS_COLUMN, dataset, column, {"position": place}) for place, column in enumerate(columns, 1))
    return Statement(SOURCE, ("dataset", *dataset.parts, "schema"), at, encode_facts(Facts(edges=edges)))


BENCHMARK = Benchmark("growth", ABOUT, run)

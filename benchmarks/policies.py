"""Policies over a mesh: all of it, and after one event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from unittest import mock

from benchmarks import ingest
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import START, Mesh
from benchmarks.increments import build_increments
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import measure_time
from meshline.app.policy_service import load_policies
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.governance.policies.policy import Expression, Policy
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph, collect_seldom
from meshline.graph.model import AssetFact, AssetKind, EdgeFact, EdgeType, Facts, Statement
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
The policies that come with the product, over the largest mesh, of which one in 500 of the columns that no job writes is tagged as personal
data (names are not guessed at: in a generated mesh every twelfth column is called email). In the time of the processor. First all of it
(`governance.policies.monitor.evaluate_all`), against what the evaluations of CEL may cost, 25 µs each, and half a second. Then what one
event of 20 columns opens and closes (`PolicyMonitor.collect_differences`), the median of many, against all of it. Then who may read
personal data (`pii-readers`), with five rights to each dataset, of 200 roles of which 160 are allowed: all of it, and one event."""

TAGGED = 500  # one column in so many
EVENTS = {Size.TINY: 5, Size.QUICK: 50, Size.FULL: 100}
EVALUATION, REST = 25e-6, 0.5  # seconds
# Of all of it. In a small mesh, where all of it is 0.2 s of processor, following the graph alone, without a policy, takes 0.01 of that.
AN_EVENT = {Size.TINY: 0.1, Size.QUICK: 0.1, Size.FULL: 0.01}
ROLES, READERS, ALLOWED = 200, 5, 160  # roles, rights of each dataset, roles that may read personal data
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    shape = SHAPES[size][-1]
    mesh = build_mesh(shape)
    store = SqliteStore(str(meshes.copy(shape, "policies.db")))
    live = LiveGraph.open(store)
    live.commit(lambda _: Batch(statements=build_tags(mesh)))
    collect_seldom()
    policies = drop_guesses()
    evaluations = count_evaluations(live, policies)
    watch = PolicyMonitor(live, policies, NOW)
    everything = min(measure_time(lambda: PolicyMonitor(live, policies, NOW)).cpu for _ in range(2))
    yield Figure(
        case=f"all of {mesh.columns:,} columns",
        unit="s of processor",
        ours=everything,
        reference=evaluations * EVALUATION + REST,
        against="25 µs for each evaluation, and 0.5 s",
        goal=build_maximum(1),
        more={"evaluations": evaluations, "violations": len(watch.list_violations())},
    )
    last = max(head.scope_id for heads in store.iterate_heads() for head in heads)
    events = ingest.build_mesh(EVENTS[size])
    costs = _measure_events(live, watch, last, events)
    yield Figure(
        case=f"one event into {mesh.columns:,} columns",
        unit="ms of processor",
        ours=median(costs) * 1000,
        reference=everything * 1000,
        against="all of it",
        goal=build_maximum(AN_EVENT[size]),
        more={"events": EVENTS[size], "most, ms": round(max(costs) * 1000, 1)},
    )
    yield from _measure_readers(live, mesh, last, EVENTS[size])
    store.close()


def _measure_events(live: LiveGraph, watch: PolicyMonitor, last: int, mesh: Mesh) -> list[float]:
    """What the policies cost after each event of a mesh: seconds of processor. `last`: the last scope of the graph."""
    costs: list[float] = []
    for changes, _ in build_increments(live.index, last, mesh):
        live.index.changes.apply(changes)
        costs.append(measure_time(watch.collect_differences).cpu)
    return costs


def _measure_readers(live: LiveGraph, mesh: Mesh, last: int, events: int) -> Iterator[Figure]:
    live.reload()  # without the events that only the index has
    live.commit(lambda _: Batch(statements=build_rights(mesh)))
    policies = tuple(
        one._replace(parameters={**one.parameters, "readers": [f"role-{number}" for number in range(ALLOWED)]})
        for one in drop_guesses()
        if one.id == "pii-readers"
    )
    evaluations = count_evaluations(live, policies)
    watch = PolicyMonitor(live, policies, NOW)
    everything = min(measure_time(lambda: PolicyMonitor(live, policies, NOW)).cpu for _ in range(2))
    datasets = len(live.index.assets.list_of_kind(AssetKind.DATASET))
    yield Figure(
        case=f"who may read personal data, of {mesh.columns:,} columns",
        unit="s of processor",
        ours=everything,
        reference=evaluations * EVALUATION + REST,
        against="25 µs for each evaluation, and 0.5 s",
        goal=build_maximum(1),
        more={"rights": datasets * READERS, "evaluations": evaluations, "violations": len(watch.list_violations())},
    )
    costs = _measure_events(live, watch, max(last, _find_last_scope(live)), ingest.build_mesh(events))
    yield Figure(
        case=f"who may read personal data, one event into {mesh.columns:,} columns",
        unit="ms of processor",
        ours=median(costs) * 1000,
        reference=everything * 1000,
        against="all of it",
        goal=build_maximum(0.1),  # all of it is less than a second
        more={"events": events, "most, ms": round(max(costs) * 1000, 1)},
    )


def _find_last_scope(live: LiveGraph) -> int:
    return max(head.scope_id for heads in live.store.iterate_heads() for head in heads)


def build_rights(mesh: Mesh) -> list[Statement]:
    """Who may read each dataset, as a database's grants would state it; one role of five sees masked values of its first column."""
    at = model.to_micros(START)
    found: list[Statement] = []
    for dataset in range(mesh.datasets):
        key = model.build_dataset_key(mesh.namespace, mesh.build_dataset_name(dataset))
        roles = [f"role-{(dataset * 7 + number * 41) % ROLES}" for number in range(READERS)]
        edges = [EdgeFact(EdgeType.MAY_READ, model.build_owner_key(role), key, {"grant": "readers"}) for role in roles]
        column = mesh.build_column(int(mesh.first[dataset]))[1]
        masked = EdgeFact(EdgeType.MAY_READ, model.build_owner_key(roles[0]), model.build_column_key(key, column), {"masked": True})
        found.append(Statement("ranger/generated", ("may-read", *key.parts), at, encode_facts(Facts(edges=(*edges, masked)))))
    return found


def build_tags(mesh: Mesh) -> list[Statement]:
    """Tags of personal data, as a mesh file would state them."""
    at = model.to_micros(START)
    found: list[Statement] = []
    for number in range(0, int(mesh.first[mesh.written]), TAGGED):
        dataset, name = mesh.build_column(number)
        column = model.build_column_key(model.build_dataset_key(mesh.namespace, mesh.build_dataset_name(dataset)), name)
        facts = Facts(assets=(AssetFact(column, {"tags": ["pii"]}),))
        found.append(Statement("mesh/generated", ("mesh", "note", str(number)), at, encode_facts(facts)))
    return found


def drop_guesses() -> tuple[Policy, ...]:
    return tuple(one._replace(parameters={**one.parameters, "words": []}) for one in load_policies())


def count_evaluations(live: LiveGraph, policies: tuple[Policy, ...]) -> int:
    """How often an expression is evaluated in a full pass."""
    with mock.patch.object(Expression, "is_true", autospec=True, side_effect=Expression.is_true) as counted:
        PolicyMonitor(live, policies, NOW)
    return int(counted.call_count)


BENCHMARK = Benchmark("policies", ABOUT, run)

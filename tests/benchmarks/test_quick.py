"""The benchmarks run, and yield figures of the right shape. No time is asserted."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from benchmarks.catalog import BENCHMARKS
from benchmarks.closures import PlainGraph, find_node, key_of
from benchmarks.figures import Figure, Goal, Record, build_maximum, build_minimum, read_figures, write_figures
from benchmarks.generate import Mesh, Shape
from benchmarks.machine import describe_machine
from benchmarks.measuring import measure_apart
from benchmarks.meshes import Meshes, build_mesh, compute_code_digest
from benchmarks.page import build_page
from benchmarks.sizes import Size
from benchmarks.table import HEADINGS, format_row
from meshline.graph.index import Direction
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind
from meshline.graph.store.sqlite import SqliteStore
from tests.servers import Neo4jServer
from tests.sizes import ALL

MESH = Shape(1_000)
LONG = (
    "as-of",
    "capacity",
    "concurrency",
    "explorer",
    "fan-in",
    "history",
    "iceberg",
    "memory",
    "neo4j-history",
    "neo4j-serving",
    "startup",
)


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory, running_neo4j: Neo4jServer) -> Meshes:
    """One for all, so that each mesh is made once."""
    return Meshes(tmp_path_factory.mktemp("bench"), compute_code_digest(), running_neo4j.url)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_runs(name: str, meshes: Meshes) -> None:
    if name in LONG and not ALL:
        pytest.skip("only with --all: it measures processes and servers of its own")
    if name == "explorer" and not os.environ.get("CI") and not all(map(shutil.which, ("npm", "chromium"))):
        pytest.skip("needs Node with npm, and Chromium")
    record = measure_apart(name, Size.TINY, meshes)
    assert record.benchmark == name
    assert record.figures
    assert len({(figure.case, figure.against) for figure in record.figures}) == len(record.figures), "two figures of one case"
    for figure in record.figures:
        assert math.isfinite(figure.ratio), figure
        assert figure.reference > 0, figure
        assert len(format_row(figure)) == len(HEADINGS)
    assert f"## {name}" in build_page([record])
    file = meshes.folder / "records.json"
    write_figures(file, [record])
    assert read_figures(file) == [record]


@pytest.fixture(scope="module")
def graph(meshes: Meshes) -> Iterator[LiveGraph]:
    store = SqliteStore(str(meshes.store(MESH)))
    yield LiveGraph.open(store)
    store.close()


@pytest.mark.parametrize("start", [0, 3, 12, 40, 160])
def test_index_and_reference_reach_the_same_columns(graph: LiveGraph, start: int) -> None:
    mesh, index = build_mesh(MESH), graph.index
    found = index.lineage.traverse([find_node(index, mesh, start)], Direction.DOWNSTREAM).nodes.tolist()
    ours = {index.assets.get_key(node) for node in found if index.assets.get_kind(node) is AssetKind.COLUMN}
    assert ours == {key_of(mesh, column) for column in PlainGraph(mesh).find_reached(start).tolist()}


def test_mesh_is_the_same_every_time() -> None:
    first, second = Mesh(MESH), Mesh(MESH)
    assert np.array_equal(first.start, second.start)
    assert list(first.build_events()) == list(second.build_events())


def test_mesh_has_the_shape_asked_for() -> None:
    mesh = Mesh(Shape(20_000, widths=(20, 20), inputs=(1, 1), edges_per_column=0, coarse=0))
    assert mesh.columns == 20_000
    assert mesh.edges == 20 * len(mesh.jobs)
    sizes = [len(event) for event in mesh.build_events()]
    assert 4_500 < sum(sizes) / len(sizes) < 6_500
    readers = np.sort(np.bincount(mesh.inputs, minlength=mesh.datasets))[::-1]
    assert readers[: mesh.datasets // 10].sum() > readers.sum() / 3, "some are read much more than others"


@pytest.mark.parametrize(
    ("goal", "reached"), [(None, None), (build_minimum(0.25), True), (build_minimum(0.3), False), (build_maximum(0.2), False)]
)
def test_goals(goal: Goal | None, *, reached: bool | None) -> None:
    assert Figure(case="", unit="s", ours=1, reference=4, against="", goal=goal).reached is reached


def test_page_states_that_the_machine_was_busy() -> None:
    busy = msgspec.structs.replace(describe_machine(), load=3.5)
    record = Record(benchmark="ingest", size=Size.FULL, date="2025-01-01", seconds=1, machine=busy, figures=[])
    assert "load average 3.5" in build_page([record])

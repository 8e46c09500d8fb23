"""Recorded events of real producers (scripts/record-airflow and others), the graph that they make, and their shapes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, build_column_key
from meshline.graph.naming import Naming
from meshline.graph.store.factory import open_store
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received
from tests.api.conftest import AskGraph
from tests.ingest.lineage_events import CLOCK, Event
from tests.sizes import ALL

FOLDER = Path(__file__).parent
ROOT = Path(__file__).resolve().parents[3]
DATABASE = "postgres://db.internal:5432"
KAFKA = "kafka://kafka.internal:9092"

REAL = pytest.param(
    "real", marks=[pytest.mark.server, pytest.mark.skipif(not ALL, reason="only with --all; the recorded one is in every run")]
)
BOTH = ("recorded", REAL)  # for tests that read a recording in every run, and the real producer with --all

IMPACT = """query($of: [ID!]!) { impact(of: $of) {
    assets(first: 500) { nodes { reach masked node { __typename name ... on Column { dataset { name } } } } }
    completeness { possibleOnly silentOnFilters staleEdges provisional } } }"""


def import_script(name: str) -> ModuleType:
    """A module of scripts/servers."""
    folder = str(ROOT / "scripts" / "servers")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return import_module(name)


def read_recording(name: str) -> list[Event]:
    return parse_lines((FOLDER / f"{name}.ndjson").read_text(encoding="utf-8"))


def record_again(name: str, folder: Path) -> list[Event]:
    """What the real producer sends now, by scripts/record-NAME; a missing requirement is a failure, not a skip."""
    file = folder / f"{name}.ndjson"
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"record-{name}"), str(file)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(done.stderr.strip(), pytrace=False)
    return parse_lines(file.read_text(encoding="utf-8"))


def read_events(name: str, how: str, folder: Path) -> list[Event]:
    return read_recording(name) if how == "recorded" else record_again(name, folder)


def parse_lines(text: str) -> list[Event]:
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def open_graph(events: Iterable[Event]) -> Iterator[LiveGraph]:
    """A graph into which events were ingested one by one."""
    live = LiveGraph.open(open_store("sqlite://"))
    ingest_events(live, events)
    yield live
    live.store.close()


def ingest_events(live: LiveGraph, events: Iterable[Event]) -> None:
    builder = BatchBuilder(Naming())
    for event in events:
        body = json.dumps(event).encode()
        received = Received(DEFAULT_SOURCE, builder.parser.parse(body, CLOCK), CLOCK, body)
        live.commit(lambda runs, received=received: builder.build_batch([received], runs))  # type: ignore[misc]


def build_key(namespace: str, name: str, column: str = "") -> AssetKey:
    dataset = Naming().normalise_dataset(namespace, name)
    return build_column_key(dataset, column) if column else dataset


@lru_cache(maxsize=1)
def ask_graph(live: LiveGraph) -> AskGraph:
    """GraphQL over a graph, whose schema is made once."""
    return AskGraph(live)


def find_affected(live: LiveGraph, of: AssetKey) -> dict[str, str]:
    """The columns that an asset affects, `table.column`, with their reach; `masked` behind it if they are."""
    nodes = ask_graph(live)(IMPACT, of=[of.id])["impact"]["assets"]["nodes"]
    return {
        f"{one['node']['dataset']['name']}.{one['node']['name']}": f"{one['reach']}{' masked' * one['masked']}"
        for one in nodes
        if one["node"]["__typename"] == "Column"
    }


def list_columns(live: LiveGraph, of: AssetKey) -> list[str]:
    with live.lock:
        assets = live.index.assets
        node = assets.find_by_key(of)
        assert node is not None, f"{of} is not known"
        return [assets.get_column_name(column) for column in assets.list_columns(node)]


def list_datasets(live: LiveGraph) -> set[str]:
    with live.lock:
        assets = live.index.assets
        return {assets.get_key(node).qualified_name for node in assets.list_of_kind(AssetKind.DATASET)}


def describe_shapes(events: Iterable[Event]) -> set[str]:
    """What the events of each job consist of: `type job: path`, with the type of what is there, whatever its value."""
    shapes: set[str] = set()
    for event in events:
        name = event["job"]["name"] if "job" in event else event["dataset"]["name"]
        shapes |= {f"{event.get('eventType')} {name}: {path}" for path in _walk(event, "$")}
    return shapes


def _walk(value: object, path: str) -> Iterator[str]:
    match value:
        case dict():
            for name, part in value.items():
                yield from _walk(part, f"{path}.{name}")
        case list():
            for part in value:
                yield from _walk(part, f"{path}[]")
        case None:
            yield f"{path} null"
        case _:
            yield f"{path} {type(value).__name__}"

"""What a store and a server must answer: the graph made in this process, in one go, from the same events."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from importlib.resources import files
from typing import Any

import httpx

from meshline.api.graphql import Executor
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.naming import Naming
from meshline.graph.store.base import RunRole, Store, StoredEvent
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received
from tests.acceptance.oracle import Oracle
from tests.acceptance.service import Service, find_differences
from tests.faults.served import Server
from tests.stores.statements import list_heads, summarize_heads

LINEAGE = (files("meshline.cli") / "queries" / "lineage.graphql").read_text("utf-8")
IMPACT = (files("meshline.cli") / "queries" / "impact.graphql").read_text("utf-8")
CLOCK = time.time_ns() // 1000
ALL = 10_000_000  # events, runs
BOUND = 2**61  # microseconds: no time is beyond it


class Truth:
    """Grows by events; how they came means nothing."""

    def __init__(self) -> None:
        self.live = LiveGraph.open(SqliteStore())
        self.events: list[bytes] = []
        self._builder = BatchBuilder(Naming())
        self._graphql = Executor(self.live, Naming())

    def add_bodies(self, bodies: Iterable[bytes]) -> None:
        """Take usable events, as one batch."""
        bodies = list(bodies)
        self.events += bodies
        received = [Received(DEFAULT_SOURCE, self._builder.parser.parse(body, CLOCK), CLOCK, body) for body in bodies]
        self.live.commit(lambda runs: self._builder.build_batch(received, runs))

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        body = self._graphql.execute(query, variables).body
        assert "errors" not in body, body["errors"]
        data = body["data"]
        assert isinstance(data, dict)
        return data

    def list_datasets(self) -> list[str]:
        """The ids of all."""
        return [asset.shown.id for asset in self.live.index.dump().assets if asset.shown.kind is AssetKind.DATASET]

    def close(self) -> None:
        self.live.store.close()


def list_raw_events(store: Store, after: int = 0) -> list[StoredEvent]:
    """All events that a store keeps, from a position on, in the order of their arrival."""
    result: list[StoredEvent] = []
    while found := store.read_raw_events(after, 1000):
        result += found
        after = found[-1].position
    return result


def list_bodies(store: Store) -> list[bytes]:
    return [bytes(kept.event.body) for kept in list_raw_events(store)]


def check_store(store: Store, truth: Truth) -> None:
    """The store gives the same answers as the truth: current and past heads, their graph, and the lists of runs and events."""
    kept, expected = (Counter(body.strip() for body in found) for found in (list_bodies(store), truth.events))
    assert (kept - expected, expected - kept) == ({}, {}), (len(kept), len(expected), len(kept - expected), len(expected - kept))
    assert summarize_heads(list_heads(store)) == summarize_heads(list_heads(truth.live.store))
    for at in list_times(truth):
        assert summarize_heads(list_heads(store, at)) == summarize_heads(list_heads(truth.live.store, at)), at
    loaded = LineageIndex.load(store.iterate_heads(), store.read_revision())
    assert loaded.dump() == truth.live.index.dump()
    assets = [asset.shown for asset in loaded.dump().assets if asset.shown.kind in {AssetKind.JOB, AssetKind.DATASET}]
    some = assets[:: max(1, len(assets) // 30)]
    kept_lists, lists = read_lists(store, some), read_lists(truth.live.store, some)
    differing = [place for place in lists if kept_lists[place] != lists[place]]
    assert not differing, [(place, kept_lists[place], lists[place]) for place in differing[:3]]


def read_lists(store: Store, assets: Iterable[AssetKey]) -> dict[object, object]:
    """What lists of runs and events contain, and the counts of events.

    Without the order of what has the same time, and the space around bodies."""
    runs: dict[object, object] = {
        (asset, role): sorted(stored.run for stored in store.list_runs([asset], role, limit=ALL)) for asset in assets for role in RunRole
    }
    events = sorted(
        (stored.event.at, stored.event.type, bytes(stored.event.body).strip()) for stored in store.list_events(-BOUND, BOUND, limit=ALL)
    )
    return {**runs, "events": events, "counts": store.read_event_counts(-BOUND, BOUND)}


def list_times(truth: Truth) -> list[int]:
    """Some times at which something changed."""
    times = sorted({head.observed_at for head in list_heads(truth.live.store)})
    return times[:: max(1, len(times) // 4)]


def check_answers(server: Server, truth: Truth, of: Sequence[str]) -> None:
    """The server answers as the truth does, about these assets."""
    for asset in of:
        for query, variables in (
            (IMPACT, {"of": [asset], "reach": "POSSIBLE", "limit": 500}),
            (LINEAGE, {"of": [asset], "direction": "UPSTREAM", "granularity": "COLUMN", "reach": "POSSIBLE", "limit": 500}),
        ):
            assert remove_revision(server.ask(query, **variables)) == remove_revision(truth.ask(query, **variables)), asset


def remove_revision(value: Any) -> Any:
    """Revisions differ with the batching."""
    if isinstance(value, dict):
        return {key: remove_revision(part) for key, part in value.items() if key != "revision"}
    return [remove_revision(part) for part in value] if isinstance(value, list) else value


def sample_datasets(chance: random.Random, truth: Truth, number: int) -> list[str]:
    """A few datasets."""
    found = truth.list_datasets()
    return chance.sample(found, min(number, len(found)))


def check_oracle(server: Server, bodies: Iterable[bytes]) -> None:
    """The server answers about every column as an oracle does that shares no code with it."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        assert find_differences(Service(client), Oracle([json.loads(body) for body in bodies])) == []


def check_file(path: str, truth: Truth) -> None:
    """`check_store` on a file."""
    with closing(SqliteStore(path)) as store:
        check_store(store, truth)

"""A source that states the items of a test, and a graph that loads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.index.dump import Dump
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, Content, EdgeFact, EdgeType, Facts
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.base import Context, Entry, Item, Reading, Source
from meshline.ingest.sources.reading_loader import Loading, load_reading

T = 1_709_294_400_000_000
NAME = "iceberg/lake"
BAD = InvalidInput("broken", "x.yaml:1")


def build_table(name: str, *columns: str, namespace: str = "lake", location: str = "") -> Content:
    """A table with columns, and its location if there is one."""
    key = model.build_dataset_key(namespace, name)
    attributes = {"location": location} if location else {"dataset_type": "TABLE"}
    edges = [
        EdgeFact(EdgeType.HAS_COLUMN, key, model.build_column_key(key, column), {"position": i}) for i, column in enumerate(columns, 1)
    ]
    return encode_facts(Facts(assets=(AssetFact(key, attributes),), edges=tuple(edges)))


def build_entry(name: str, *columns: str, time: int | None = None, past: Sequence[tuple[int, Content]] = ()) -> Entry:
    """The statement of a catalog about one table."""
    content = build_table(name, *columns) if columns else EMPTY
    return Entry(("table", name), content, time, tuple(past))


class FakeSource(Source):
    """Reads the items that a test put into `FOUND` under its name; it is not in the table of kinds."""

    kind: ClassVar[str] = "iceberg"
    complete: bool = True
    whole: bool = True

    def read(self, context: Context) -> Reading:
        return Reading(self.source, iter(FOUND[self.name]), complete=self.complete, atomic=self.whole, remember=lambda: {**context.memory})


FOUND: dict[str, Iterable[Item]] = {}


@contextmanager
def open_graph() -> Iterator[LiveGraph]:
    store = open_store(":memory:")
    yield LiveGraph.open(store)
    store.close()


def load_items(
    live: LiveGraph,
    found: Iterable[Item],
    time: int = T,
    *,
    complete: bool = True,
    whole: bool = True,
    source: str = NAME,
    strict: bool = False,
) -> Loading:
    return load_reading(live, Reading(source, found, complete=complete, atomic=whole), time, strict=strict)


def read_tables(live: LiveGraph, as_of: int | None = None) -> dict[str, list[str]]:
    """The tables that the graph shows, with their columns."""
    index = live.get_index(as_of)
    return {
        index.assets.get_key(node).qualified_name: [index.assets.get_key(column).name for column in index.assets.list_columns(node)]
        for node in index.assets.list_of_kind(model.AssetKind.DATASET)
    }


def remove_times(dump: Dump) -> Dump:
    """A dump without the times of statements."""
    return dump._replace(scopes=[(named, 0, 0, 0, provisional, stale) for named, _, _, _, provisional, stale in dump.scopes])


def list_keys(live: LiveGraph, dataset: AssetKey) -> list[AssetKey]:
    """All names of the class of a dataset."""
    node = live.index.assets.find_by_key(dataset)
    return [] if node is None else live.index.assets.list_names(node, former=True)


def count_outcomes(loading: Loading) -> Mapping[str, int]:
    """The counts that are not zero."""
    names = ("read", "unchanged", "new", "changed", "retracted", "kept")
    found = {name: getattr(loading, name) for name in names} | {"refused": len(loading.refused)}
    return {name: count for name, count in found.items() if count}

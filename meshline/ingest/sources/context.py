"""What a source may know of the graph that it is loaded into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from meshline.graph.live import LiveGraph
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.naming import Naming
from meshline.ingest.sources.loading import remembered
from meshline.ingest.sources.shape import ColumnOf, Context


def context_of(graph: LiveGraph, naming: Naming, folder: Path, source: str, aliases: Mapping[str, str] | None = None) -> Context:
    """The context of one reading of a source."""
    return Context(naming, folder, aliases or {}, remembered(graph.store, source), _Columns(graph), people(graph))


def people(graph: LiveGraph) -> dict[str, str]:
    """The names of owners by their e-mail addresses, in lower case."""
    with graph.lock:
        owners = graph.index.of_kind(AssetKind.OWNER)
        rows = graph.facts(graph.index, owners)
        found = {owner: row.value for owner in owners for row in rows[owner] if row.attribute == "email" and row.chosen}
        return {str(email).strip().lower(): graph.index.key(owner).name for owner, email in found.items()}


class _Columns:
    """The columns of datasets as the graph knows them."""

    def __init__(self, graph: LiveGraph) -> None:
        self._graph = graph

    def __call__(self, dataset: AssetKey) -> list[ColumnOf]:
        graph = self._graph
        with graph.lock:
            index = graph.index
            node = index.node(dataset)
            if node is None or not index.described(node):
                return []
            columns = [column for column in index.columns(node) if not index.inferred(column)]
            rows = graph.facts(index, columns)
        types = {column: row.value for column in columns for row in rows[column] if row.attribute == "type" and row.chosen}
        return [ColumnOf(index.key(column).name, str(types.get(column, ""))) for column in columns]

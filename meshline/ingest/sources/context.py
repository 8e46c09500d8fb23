"""The context of a reading: what a source may look up in the graph that it is loaded into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from meshline.graph.content import decode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, EdgeType, build_contract_key
from meshline.graph.naming import Naming, normalise_namespace
from meshline.ingest.sources.base import Context, KnownColumn
from meshline.ingest.sources.reading_loader import read_memory


def build_context(graph: LiveGraph, naming: Naming, folder: Path, source: str | None, aliases: Mapping[str, str] | None = None) -> Context:
    """The context of one reading of a source; None: what is read has no source, and so no memory."""
    return Context(
        naming,
        folder,
        aliases or {},
        {} if source is None else read_memory(graph.store, source),
        columns_of=_Columns(graph),
        people=LazyPeople(lambda: collect_people(graph)),
        datasets_ending_with=_DatasetsByEnding(graph),
        datasets_in=_DatasetsByNamespace(graph),
        datasets_governed_by=_GovernedDatasets(graph),
    )


def collect_people(graph: LiveGraph) -> dict[str, str]:
    """The names of owners by their e-mail addresses, in lower case."""
    with graph.lock:
        owners = graph.index.assets.list_of_kind(AssetKind.OWNER)
        rows = graph.read_facts(graph.index, owners)
        found = {owner: row.value for owner in owners for row in rows[owner] if row.attribute == "email" and row.chosen}
        return {str(email).strip().lower(): graph.index.assets.get_key(owner).name for owner, email in found.items()}


class LazyPeople(Mapping[str, str]):
    """The names of owners by their e-mail addresses in lower case, read when the first is needed: most sources name no person."""

    def __init__(self, look_up: Callable[[], Mapping[str, str]]) -> None:
        self._look_up = look_up

    @cached_property
    def _found(self) -> Mapping[str, str]:
        return self._look_up()

    def __getitem__(self, address: str) -> str:
        return self._found[address]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class _Columns:
    """The columns of datasets as the graph knows them."""

    def __init__(self, graph: LiveGraph) -> None:
        self._graph = graph

    def __call__(self, dataset: AssetKey) -> list[KnownColumn]:
        graph = self._graph
        with graph.lock:
            index = graph.index
            node = index.assets.find_by_key(dataset)
            if node is None or not index.assets.is_described(node):
                return []
            columns = [column for column in index.assets.list_columns(node) if not index.assets.is_inferred(column)]
            rows = graph.read_facts(index, columns)
        types = {column: row.value for column in columns for row in rows[column] if row.attribute == "type" and row.chosen}
        return [KnownColumn(index.assets.get_key(column).name, str(types.get(column, ""))) for column in columns]


class _DatasetsByEnding:
    """The datasets with a name that ends with a text at the boundary of a part, in any case; one dataset of each class of names."""

    def __init__(self, graph: LiveGraph) -> None:
        self._graph = graph

    def __call__(self, text: str) -> list[AssetKey]:
        wanted = text.casefold()
        with self._graph.lock:
            index = self._graph.index
            classes = (
                index.assets.list_names(node, former=True)
                for node in index.assets.find_ending(AssetKind.DATASET, wanted)
                if not index.assets.is_inferred(node)
            )
            named = ([key for key in names if _ends_with(key, wanted)] for names in classes)
            return sorted(min(keys) for keys in named if keys)


class _GovernedDatasets:
    """The datasets that a contract governs, under the contract's names for them; only those in production if it marks any."""

    def __init__(self, graph: LiveGraph) -> None:
        self._graph = graph

    def __call__(self, identifier: str) -> list[AssetKey]:
        key = build_contract_key(identifier)
        with self._graph.lock:
            node = self._graph.index.assets.find_by_key(key)
            edges = self._graph.index.ownership.list_edges(node, EdgeType.GOVERNS) if node is not None else ()
            heads = self._graph.store.read_heads(sorted({edge.scope_id for edge in edges}))
        stated = [edge for head in heads if head.content for edge in decode_facts(head.content.blob).edges]
        governed = [edge for edge in stated if edge.type is EdgeType.GOVERNS and edge.start == key]
        production = [edge for edge in governed if edge.attributes.get("production") is True]
        return sorted({edge.end for edge in production or governed})


def _ends_with(key: AssetKey, wanted: str) -> bool:
    name = key.qualified_name.casefold()
    return bool(wanted) and name.endswith(wanted) and name[: len(name) - len(wanted)][-1:] in ("", *"./:")


class _DatasetsByNamespace:
    """The datasets of a namespace, under their own names. All namespaces are read once, when the first is asked for."""

    def __init__(self, graph: LiveGraph) -> None:
        self._graph = graph
        self._found: dict[str, list[AssetKey]] | None = None

    def __call__(self, namespace: str) -> list[AssetKey]:
        if self._found is None:
            self._found = self._collect_datasets()
        return self._found.get(normalise_namespace(namespace)[1], [])

    def _collect_datasets(self) -> dict[str, list[AssetKey]]:
        found: dict[str, list[AssetKey]] = {}
        with self._graph.lock:
            index = self._graph.index
            for node in index.assets.list_of_kind(AssetKind.DATASET):
                for key in index.assets.list_names(node, former=True):
                    found.setdefault(key.parts[0], []).append(key)
        return found

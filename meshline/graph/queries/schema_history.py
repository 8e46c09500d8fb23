"""The columns that a dataset had over time, as each source listed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from meshline.graph.content import decode_facts
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Content, EdgeType, Json, is_partial_schema
from meshline.graph.queries.pages import SortKey


class ListedColumn(NamedTuple):
    """A column as a source listed it. `position`, `type`, `nullable`: None if the source did not state it."""

    name: str
    position: int | None
    type: str | None
    nullable: bool | None


class Schema(NamedTuple):
    """The columns that a source listed from `since` to `until` (microseconds; None: up to now). Empty if it listed none any more."""

    source: str
    scope_id: int
    since: int
    until: int | None
    columns: tuple[ListedColumn, ...]


def read_schemas(live: LiveGraph, index: LineageIndex, dataset: int) -> list[Schema]:
    """The schemas of a dataset under all its names: newest first. Consecutive intervals with the same columns are merged."""
    names = {key.parts for key in index.assets.list_names(dataset)}
    listed = {edge.scope_id for edge in index.ownership.list_edges(dataset, EdgeType.HAS_COLUMN)}
    whole = {scope_id for scope_id in listed if not is_partial_schema(index.changes.get_scope(scope_id).scope)}
    scopes = sorted(whole or listed)  # partial lists, of the columns that a job reads, count only where no source lists all
    found: list[Schema] = []
    for scope_id, intervals in live.store.read_history(scopes).items():
        source = index.changes.get_scope(scope_id).source
        of_source: list[Schema] = []
        for interval, content in intervals:
            if index.as_of is not None and interval.valid_from > index.as_of:
                break
            schema = Schema(source, scope_id, interval.valid_from, interval.valid_to, tuple(_parse_columns(content, names, index.may_name)))
            if of_source and of_source[-1].columns == schema.columns and of_source[-1].until == schema.since:
                schema = schema._replace(since=of_source.pop().since)
            if schema.columns or of_source:
                of_source.append(schema)
        found += of_source
    return sorted(found, key=build_schema_key)


def build_schema_key(schema: Schema) -> SortKey:
    """The position in a history: the newest first, then by source."""
    return SortKey((-schema.since,), (schema.source, f"{schema.scope_id:020}"))


def _parse_columns(content: Content, names: set[tuple[str, ...]], may_name: Callable[[AssetKey], bool]) -> Iterator[ListedColumn]:
    """The listed columns by position, then name; those without a position last. `names`: (namespace, name) of the dataset.
    `may_name`: whether the viewer may see a column.
    """
    facts = decode_facts(content.blob)
    stated = {fact.key: fact.attributes for fact in facts.assets if fact.key.kind is AssetKind.COLUMN}
    listed = [
        (edge.attributes.get("position"), edge.end)
        for edge in facts.edges
        if edge.type is EdgeType.HAS_COLUMN and edge.start.parts in names and may_name(edge.end)
    ]
    yield from sorted(
        (_build_column(key, position, stated.get(key, {})) for position, key in listed),
        key=lambda c: (c.position is None, c.position or 0, c.name),
    )


def _build_column(key: AssetKey, position: Json, stated: object) -> ListedColumn:
    attributes = stated if isinstance(stated, dict) else {}
    type_, nullable = attributes.get("type"), attributes.get("nullable")
    return ListedColumn(
        key.name,
        position if isinstance(position, int) else None,
        type_ if isinstance(type_, str) else None,
        nullable if isinstance(nullable, bool) else None,
    )

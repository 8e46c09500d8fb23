"""Attributes of assets, merged by precedence, with the source and time of each value; and the other names of datasets."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from meshline.graph.content import decode_facts
from meshline.graph.index import Edge, LineageIndex
from meshline.graph.live_graph import FactRow, LiveGraph
from meshline.graph.model import AssetKind, EdgeType, Json
from meshline.graph.naming import find_email
from meshline.graph.store.base import Head

_OF_BROWSED = frozenset({"title", "description", "tags"})  # attributes of assets of which the viewer may read nothing else
_OF_PARTLY_HIDDEN = frozenset({"job_type", "processing_type", "integration"})  # attributes of jobs that name nothing else


SQL = "sql"


class AccessLevel(enum.StrEnum):
    """How much of a visible asset a viewer sees. Each level includes those before."""

    BROWSE = "BROWSE"  # its names, texts, tags and owners, what it belongs to, and its place in the lineage of datasets
    READ = "READ"  # all but SQL
    READ_SQL = "READ_SQL"


def find_level(index: LineageIndex, node: int) -> AccessLevel:
    """How much of an asset the viewer of an index sees."""
    if not index.may_read(node):
        return AccessLevel.BROWSE
    return AccessLevel.READ if index.is_partly_hidden(node, sql=True) else AccessLevel.READ_SQL


class Tag(NamedTuple):
    """A tag of an asset: `key`, or `key=value`. `source`: the first source that states it."""

    key: str
    value: str | None
    source: str


class Attributes(NamedTuple):
    """What all sources state about one asset, the strongest statement of each attribute first, and the merged view of it."""

    rows: tuple[FactRow, ...]

    def find_value(self, attribute: str) -> Json:
        """The shown value of an attribute, which is that of the strongest source; None if no source states the attribute."""
        return next((row.value for row in self.rows if row.chosen and row.attribute == attribute), None)

    def find_text(self, attribute: str) -> str | None:
        """The shown value if it is text; None for any other value, too."""
        value = self.find_value(attribute)
        return value if isinstance(value, str) else None

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags of all sources, sorted by key and value: tags are united, not chosen by the strength of their sources."""
        found: dict[tuple[str, str | None], Tag] = {}
        for row in self.rows:
            if row.attribute == "tags" and isinstance(row.value, list):
                for value in row.value:
                    tag = _parse_tag(value, row.source)
                    if tag is not None:
                        found.setdefault(tag[:2], tag)
        return tuple(sorted(found.values(), key=lambda tag: (tag.key, tag.value or "")))


def find_contact(known: Attributes, name: str) -> str | None:
    """The contact of an owner or consumer: the stated `contact` or `email`, else the address in `name`; None if there is none."""
    return known.find_text("contact") or known.find_text("email") or find_email(name) or None


def _parse_tag(stated: Json, source: str) -> Tag | None:
    """A tag as text `key=value`, or as an object (OpenLineage's tags facet)."""
    if isinstance(stated, str):
        key, equals, value = stated.partition("=")
        return Tag(key, value if equals else None, source)
    if isinstance(stated, dict) and isinstance(stated.get("key"), str):
        value_ = stated.get("value")
        return Tag(str(stated["key"]), None if value_ is None else str(value_), source)
    return None


def read_attributes(live: LiveGraph, index: LineageIndex, nodes: Sequence[int]) -> list[Attributes]:
    """The attributes of each asset, in the order of `nodes`, with one read of the store."""
    found = live.read_facts(index, nodes)
    return [Attributes(tuple(_filter_rows(index, node, found.get(node, ())))) for node in nodes]


def _filter_rows(index: LineageIndex, node: int, rows: Sequence[FactRow]) -> Sequence[FactRow]:
    """Without the texts of a job that reads or writes what the viewer may not read, and the SQL of what is made of it."""
    if not index.may_read(node):
        return [row for row in rows if row.attribute in _OF_BROWSED]
    shown = select_attributes(index, node, {row.attribute for row in rows})
    return [row for row in rows if row.attribute in shown]


def select_attributes(index: LineageIndex, node: int, names: Collection[str]) -> Collection[str]:
    """Those of these attributes of a readable asset that the caller may see: not those that may name what he may not."""
    if index.assets.get_kind(node) is AssetKind.JOB and index.is_partly_hidden(node):
        return {name for name in names if name in _OF_PARTLY_HIDDEN}
    if SQL in names and index.is_partly_hidden(node, sql=True):
        return {name for name in names if name != SQL}
    return names


def find_last_observed(index: LineageIndex, node: int) -> int | None:
    """When a source last made a statement that is active now and mentions the asset (microseconds); None if there is none."""
    return max((index.changes.get_scope(scope).last_observed for scope in index.changes.list_scopes(node, shown=True)), default=None)


class Alias(NamedTuple):
    """Another name of a dataset. `why`, `source` and `scope_id` are those of the statement that gives the name.

    `since`: from when on this statement is in effect (microseconds).
    """

    namespace: str
    name: str
    why: str
    source: str
    since: int
    scope_id: int


def read_aliases(live: LiveGraph, index: LineageIndex, datasets: Sequence[int], known: Sequence[Attributes]) -> list[list[Alias]]:
    """All names of each dataset except the shown one: by SAME_AS, by renames, and spellings that sources used; with one read of the store.

    `known`: the attributes of each dataset, in the order of `datasets`.
    """
    naming = [[edge.scope_id for edge in _list_naming_edges(index, dataset)] for dataset in datasets]
    scope_ids = sorted({scope_id for of_one in naming for scope_id in of_one})
    heads = {head.scope_id: head for head in live.read_heads(index, scope_ids)}
    return [
        sorted({*_list_spellings(rows), *_parse_aliases(index, dataset, [heads[scope_id] for scope_id in of_one if scope_id in heads])})
        for dataset, of_one, rows in zip(datasets, naming, known, strict=True)
    ]


def _list_naming_edges(index: LineageIndex, dataset: int) -> Iterator[Edge]:
    for type_ in _WHY:
        yield from index.ownership.list_edges(dataset, type_)
        yield from index.ownership.list_edges(dataset, type_, incoming=True)


def _parse_aliases(index: LineageIndex, dataset: int, heads: Iterable[Head]) -> Iterator[Alias]:
    """The names in edges as the sources stated them: the index has the edges of the whole class, not of the member that each begins at."""
    members = set(index.assets.list_names(dataset, former=True))
    shown = index.assets.get_key(dataset)
    for head in heads:
        for edge in decode_facts(head.content.blob).edges if head.content else ():
            ends = {edge.start, edge.end}
            if (edge.type is EdgeType.SAME_AS and ends <= members) or (edge.type is EdgeType.RENAMED_TO and ends & members):
                why = str(edge.attributes.get("why") or _WHY[edge.type])
                for key in ends - {shown}:
                    yield Alias(key.parts[0], key.parts[1], why, head.source, head.valid_from, head.scope_id)


def _list_spellings(known: Attributes) -> Iterator[Alias]:
    """Names that are not keys of the graph: other spellings, and names that were valid only in a session of a producer."""
    for row in known.rows:
        if row.attribute == "session_names" and isinstance(row.value, list):
            for name in row.value:
                if isinstance(name, list) and len(name) == 2:
                    yield Alias(str(name[0]), str(name[1]), "name in a session", row.source, row.valid_from, row.scope_id)
        if row.attribute == "spelling" and isinstance(row.value, list) and len(row.value) == 2:
            namespace, name = (str(part) for part in row.value)
            yield Alias(namespace, name, "spelling", row.source, row.valid_from, row.scope_id)


# Edge types that give a dataset another name, each with the reason to show where the edge states none.
_WHY = {EdgeType.SAME_AS: "same as", EdgeType.RENAMED_TO: "rename"}

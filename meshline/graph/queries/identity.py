"""The names of datasets: why several names are one dataset, and what keeps datasets apart."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from meshline.graph.content import decode_facts
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import CATALOG_KINDS, AssetKey, AssetKind, EdgeFact, EdgeType, Json, parse_source_kind
from meshline.graph.store.base import Head


class NameRank(enum.StrEnum):
    """Why a name is preferred as the one that is shown, strongest first; of equal ranks the first by name is shown."""

    OUTPUT_PORT = "OUTPUT_PORT"
    CATALOG = "CATALOG"
    TABLE_SYMLINK = "TABLE_SYMLINK"
    NAME = "NAME"


class Member(NamedTuple):
    """A name of the dataset. `source`: the source of its rank, if any. `past`: the dataset had this name until it was renamed."""

    key: AssetKey
    rank: NameRank
    source: str | None
    past: bool = False


class Reason(NamedTuple):
    """A statement that two names mean one dataset, or two. `type`: SAME_AS, RENAMED_TO or DIFFERENT_FROM.

    `rule`: the text of the naming rule. `since`: from when on the statement is in effect (microseconds).
    `overruled`: a SAME_AS without effect, because it would join datasets that are stated to be different. `until`: when a DIFFERENT_FROM
    ends, as it is written.
    """

    start: AssetKey
    end: AssetKey
    type: EdgeType
    why: str
    rule: str | None
    source: str
    since: int
    scope_id: int
    overruled: bool = False
    until: str | None = None


class Spelling(NamedTuple):
    """One spelling of a column's name, and the members whose column has it."""

    name: str
    datasets: tuple[AssetKey, ...]


class Identity(NamedTuple):
    """A dataset with all its names. `reasons`: why they are one dataset. `partings`: what keeps other datasets apart from it.

    `columns`: the node of each column that has several spellings, and these spellings.
    """

    shown: AssetKey
    members: tuple[Member, ...]
    reasons: tuple[Reason, ...]
    partings: tuple[Reason, ...]
    columns: tuple[tuple[int, tuple[Spelling, ...]], ...]


_NAMING = (EdgeType.SAME_AS, EdgeType.RENAMED_TO, EdgeType.DIFFERENT_FROM)
_ORDER = {rank: place for place, rank in enumerate(NameRank)}


def read_identity(live: LiveGraph, index: LineageIndex, dataset: int) -> Identity:
    """The identity of a dataset, with one read of the store. Members are in the order of preference as the shown name, past names last."""
    keys = list(dict.fromkeys(index.assets.list_names(dataset, former=True)))
    current = set(index.assets.list_names(dataset))
    heads = live.read_heads(index, sorted(_list_scopes(index, dataset)))
    ranks = _rank_names(keys, heads)
    members = [Member(key, *ranks[key], key not in current) for key in keys]
    members.sort(key=lambda member: (member.past, _ORDER[member.rank], member.key))
    reasons = _list_reasons(index, dataset, heads)
    partings = [reason for reason in reasons if reason.type is EdgeType.DIFFERENT_FROM]
    joining = [reason for reason in reasons if reason.type is not EdgeType.DIFFERENT_FROM]
    return Identity(index.assets.get_key(dataset), tuple(members), tuple(joining), tuple(partings), tuple(_list_spellings(index, dataset)))


def _list_scopes(index: LineageIndex, dataset: int) -> Iterator[int]:
    """The scopes that may state that members are the same or different, or that may give a member its rank."""
    yield from index.changes.list_fact_names(dataset)
    for type_, incoming in ((EdgeType.HAS_COLUMN, False), (EdgeType.PORT, True), *((t, i) for t in _NAMING for i in (False, True))):
        yield from (edge.scope_id for edge in index.ownership.list_edges(dataset, type_, incoming=incoming))


def _rank_names(keys: Iterable[AssetKey], heads: Iterable[Head]) -> Mapping[AssetKey, tuple[NameRank, str | None]]:
    """The strongest rank of each name, with the first source by name that gives it."""
    found: dict[AssetKey, tuple[NameRank, str | None]] = dict.fromkeys(keys, (NameRank.NAME, None))

    def take(key: AssetKey, rank: NameRank, source: str) -> None:
        if key in found:
            known, by = found[key]
            if (_ORDER[rank], source) < (_ORDER[known], by or ""):
                found[key] = rank, source

    for head in heads:
        facts = decode_facts(head.content.blob) if head.content is not None else None
        if facts is None:
            continue
        if parse_source_kind(head.source) in CATALOG_KINDS:
            for fact in facts.assets:
                take(fact.key, NameRank.CATALOG, head.source)
        for edge in facts.edges:
            rank = _parse_rank(edge, head.source)
            if rank is not None:
                take(edge.start if rank is NameRank.CATALOG else edge.end, rank, head.source)
    return found


def _parse_rank(edge: EdgeFact, source: str) -> NameRank | None:
    """The rank that an edge gives to one of its ends; None if it gives none."""
    if edge.type is EdgeType.PORT and str(edge.attributes.get("direction")).lower() == "output":
        return NameRank.OUTPUT_PORT
    if edge.type is EdgeType.HAS_COLUMN and parse_source_kind(source) in CATALOG_KINDS:
        return NameRank.CATALOG
    if edge.type is EdgeType.SAME_AS and str(edge.attributes.get("type", "")).upper() == "TABLE":
        return NameRank.TABLE_SYMLINK
    return None


def _list_reasons(index: LineageIndex, dataset: int, heads: Iterable[Head]) -> list[Reason]:
    keys = set(index.assets.list_names(dataset, former=True))
    found = [
        _build_reason(edge, head, overruled=edge.type is EdgeType.SAME_AS and _is_overruled(index, dataset, edge))
        for head in heads
        for edge in (decode_facts(head.content.blob).edges if head.content is not None else ())
        if edge.type in _NAMING and edge.start.kind is AssetKind.DATASET and (edge.start in keys or edge.end in keys)
    ]
    return sorted(found, key=lambda reason: (reason.start, reason.end, reason.since, reason.scope_id))


def _is_overruled(index: LineageIndex, dataset: int, edge: EdgeFact) -> bool:
    """Whether an end of the edge is another dataset all the same."""
    of = index.assets.get_representative(dataset)
    return any(
        node is not None and index.assets.get_representative(node) != of for node in map(index.assets.find_by_key, (edge.start, edge.end))
    )


def _build_reason(edge: EdgeFact, head: Head, *, overruled: bool) -> Reason:
    why, rule = _find_text(edge.attributes, "why") or _WHY[edge.type], _find_text(edge.attributes, "rule")
    until = _find_text(edge.attributes, "until")
    return Reason(edge.start, edge.end, edge.type, why, rule, head.source, head.valid_from, head.scope_id, overruled, until)


def _list_spellings(index: LineageIndex, dataset: int) -> Iterator[tuple[int, tuple[Spelling, ...]]]:
    for column in index.assets.list_columns(dataset):
        by_name: dict[str, list[AssetKey]] = {}
        for key in index.assets.list_names(column, former=True):
            by_name.setdefault(key.name, []).append(AssetKey(AssetKind.DATASET, key.parts[:2]))
        if len(by_name) > 1:
            yield column, tuple(Spelling(name, tuple(sorted(of))) for name, of in sorted(by_name.items()))


def _find_text(attributes: Mapping[str, Json], name: str) -> str | None:
    value = attributes.get(name)
    return value if isinstance(value, str) else None


_WHY = {EdgeType.SAME_AS: "same as", EdgeType.RENAMED_TO: "rename", EdgeType.DIFFERENT_FROM: "not the same"}

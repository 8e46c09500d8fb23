"""The projection for people: nodes and relationships for all active statements, and the changes to them that a commit writes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.content import build_keys, decode_layout
from meshline.graph.model import EDGE_TYPES, KINDS, AssetFact, AssetKey, AssetKind, FlowType, Json, Precedence
from meshline.graph.store.neo4j.connection import ROWS, Transaction, WriteQueue, read_rows, run_in_chunks, run_query, split_into_parts
from meshline.graph.store.neo4j.cypher import get_cypher, get_cypher_of_edge, get_cypher_of_kind
from meshline.graph.store.neo4j.search_names import RESERVED, build_name_row, compute_id, join_words
from meshline.graph.store.search_words import list_text_words

Value: TypeAlias = str | int | float | bool | list[str]
Properties: TypeAlias = Mapping[str, Value]

# Only such attributes become properties: Neo4j never removes the name of a property, so there must be few names.
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,60}")
_SNAKE = re.compile(r"_([a-z])")
_INT64 = range(-(2**63), 2**63)

# Between datasets a flow's type has no meaning.
DATASET_FLOW = "DATASET"

_encoder = msgspec.json.Encoder(order="deterministic")


class StatedProperties(NamedTuple):
    """The properties of a SAYS relationship: the simple attributes, and the words of the prose for search."""  # codespell:ignore says

    attributes: Properties
    words: str | None


class FlowEdge(NamedTuple):
    """The identity of a FLOWS_TO relationship: two scopes that state it share one relationship."""

    start: str
    end: str
    type: str
    subtype: str
    masking: bool
    covered: bool
    jobId: str  # noqa: N815 - a property's name


class OtherEdge(NamedTuple):
    """The identity of any other relationship. `attributes`: as JSON."""

    type: str
    start: str
    end: str
    attributes: str


class Assertions(NamedTuple):
    """All facts of one content: of assets by id, of relationships by their identity."""

    mentions: Mapping[str, AssetKey]  # all assets that the content refers to, with those in `stated`
    stated: Mapping[str, StatedProperties]  # assets for which attributes are stated (perhaps none)
    flows: Mapping[FlowEdge, str]  # the job's name
    edges: Mapping[OtherEdge, Properties]


NOTHING = Assertions({}, {}, {}, {})


_REMEMBERED = 4 * 2**20  # total bytes of contents whose assertions are cached; these take about thirty times as much
_remembered: BoundedCache[bytes, Assertions] = BoundedCache(_REMEMBERED)


def decode_assertions(blob: bytes) -> Assertions:
    known = _remembered.get(blob)
    return _remembered.keep(blob, _build_assertions(blob), len(blob)) if known is None else known


def _build_assertions(blob: bytes) -> Assertions:
    layout = decode_layout(blob)
    keys = build_keys(layout)
    ids = [compute_id(key) for key in keys]
    kinds = [
        (str(FlowType.INDIRECT if indirect else FlowType.DIRECT), subtype, bool(masking), bool(covered), job)
        for indirect, subtype, masking, covered, job in layout.flow_kinds
    ]
    flows: dict[FlowEdge, str] = {}
    flat = iter(layout.flows)
    for a, b, kind in zip(flat, flat, flat, strict=True):
        type_, subtype, masking, covered, job = kinds[kind]
        if keys[a].kind is AssetKind.DATASET:
            type_, subtype, masking = DATASET_FLOW, "", False
        flows[FlowEdge(ids[a], ids[b], type_, subtype, masking, covered, ids[job] if job >= 0 else "")] = (
            keys[job].qualified_name if job >= 0 else ""
        )
    return Assertions(
        mentions=dict(zip(ids, keys, strict=True)),
        stated={ids[k]: build_stated_properties(AssetFact(keys[k], attributes)) for k, attributes in layout.assets},
        flows=flows,
        edges={
            OtherEdge(str(EDGE_TYPES[t]), ids[a], ids[b], _encoder.encode(attributes).decode()): select_properties(attributes)
            for t, a, b, attributes in layout.edges
        },
    )


def build_stated_properties(fact: AssetFact) -> StatedProperties:
    words = list_text_words(fact)
    return StatedProperties(select_properties(fact.attributes), join_words(words) if words else None)


def select_properties(attributes: Mapping[str, Json]) -> dict[str, Value]:
    """Attributes that can be properties, snake_case in camelCase: texts, numbers, flags, lists of texts."""
    found: dict[str, Value] = {}
    for name, value in attributes.items():
        if _ATTRIBUTE.fullmatch(name):
            name = _SNAKE.sub(lambda match: match[1].upper(), name)
            kept = _convert_value(value)
            if name == "tags" and isinstance(kept, list):
                kept = sorted(set(kept))  # like the union where several scopes state tags
            if kept is not None and name not in RESERVED and name not in {"said", "scopes"}:
                found[name] = kept
    return found


def _convert_value(value: Json) -> Value | None:
    if isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else None
    if isinstance(value, list) and value:
        texts = [text for text in value if isinstance(text, str)]
        return texts if len(texts) == len(value) else None
    return None


class SourceProperties(NamedTuple):
    """The properties that one scope states for an asset. `observed` in microseconds."""

    source: str
    observed: int
    attributes: Properties


def merge_properties(stated: Iterable[SourceProperties], precedence: Precedence) -> dict[str, Value]:
    """The properties to show: of the strongest source, then the newest statement, then the greater source; of tags, the union."""
    shown: dict[str, tuple[tuple[int, int, str, bytes], Value]] = {}
    tags: set[str] = set()
    for given in stated:
        for name, value in given.attributes.items():
            strength = (-precedence.rank(given.source, name), given.observed, given.source, _encoder.encode(value))
            if name not in shown or strength > shown[name][0]:
                shown[name] = (strength, value)
            if name == "tags" and isinstance(value, list):
                tags.update(value)
    found = {name: value for name, (_, value) in shown.items()}
    return {**found, "tags": sorted(tags)} if tags else found


def compare_properties(now: Properties, wanted: Properties) -> dict[str, Value | None]:
    """The properties to set (None: to remove) to turn `now` into `wanted`."""
    changed: dict[str, Value | None] = {name: value for name, value in wanted.items() if name not in now or not _is_same(now[name], value)}
    changed.update({name: None for name in now if name not in wanted})
    return changed


def _is_same(a: Value, b: Value) -> bool:
    return type(a) is type(b) and a == b


def _differs(one: StatedProperties, other: StatedProperties) -> bool:
    """True if they differ, also where 1 became true, which are equal in Python."""
    return one != other or bool(compare_properties(one.attributes, other.attributes))


class ScopeChange(NamedTuple):
    """A scope whose content changes, or only its time (then `before` and `after` are equal)."""

    scope: int
    before: Assertions
    after: Assertions


E = TypeVar("E", FlowEdge, OtherEdge)
PRECEDENCE = Precedence()

Group: TypeAlias = tuple[int, Sequence[object]]  # the id of a scope, and the rows to write for it


class FlowRow(NamedTuple):
    shared: FlowEdge
    scopes: tuple[int, ...]
    pairs: list[tuple[str, str]]  # start and end


def write_projection(tx: Transaction, changes: Sequence[ScopeChange], new_keys: Iterable[AssetKey]) -> None:
    """Update the projection to the contents of the changed scopes.

    `new_keys`: the keys in contents that are new to the store, whether these are active or not. The
    scopes themselves are drawn already, since attributes are merged by their times.
    """
    new = _add_names(tx, changes, new_keys)
    contested = _add_assertions(tx, changes, new)
    _remove_assertions(tx, changes)
    _hide(tx, changes)
    _set_attributes(tx, changes, contested)


def _add_names(tx: Transaction, moves: Sequence[ScopeChange], new_keys: Iterable[AssetKey]) -> set[str]:
    """Add and show nodes; returns the ids of those that did not exist."""
    shown = {key for move in moves for id_, key in move.after.mentions.items() if id_ not in move.before.mentions}
    only_named = [key for key in new_keys if key not in shown]
    ids = [compute_id(key) for key in (*shown, *only_named)]
    known = {id_ for at in range(0, len(ids), ROWS) for id_ in run_query(tx, get_cypher("known_names"), ids=ids[at : at + ROWS])[0]}
    queue = WriteQueue()
    for kind in KINDS:
        rows = [build_name_row(key) for key in shown if key.kind is kind]
        queue.add(get_cypher_of_kind("add_assets", kind), [row for row in rows if row[0] not in known])
        queue.add(get_cypher_of_kind("show_assets", kind), [row for row in rows if row[0] in known])
        rows = [build_name_row(key)[:4] for key in only_named if key.kind is kind]
        queue.add(get_cypher_of_kind("add_names", kind), [row for row in rows if row[0] not in known])
    queue.flush(tx)
    return set(ids) - known


def _add_assertions(tx: Transaction, moves: Sequence[ScopeChange], new_names: Collection[str]) -> set[str]:
    """Add relationships; returns the ids of assets for which a scope newly states attributes and another scope does, too.

    `new_names`: assets without relationships from before.
    """
    mentions: list[Group] = []
    new: list[Group] = []
    changed: list[Group] = []
    for scope, before, after in moves:
        if ids := [id_ for id_ in after.mentions if id_ not in after.stated and (id_ not in before.mentions or id_ in before.stated)]:
            mentions.append((scope, ids))
        if added := [[id_, *given] for id_, given in after.stated.items() if id_ not in before.stated]:
            new.append((scope, added))
        if others := [
            [id_, *given, compare_properties(before.stated[id_].attributes, given.attributes)]
            for id_, given in after.stated.items()
            if id_ in before.stated and _differs(before.stated[id_], given)
        ]:
            changed.append((scope, others))
    _run_groups(tx, get_cypher("add_mentions"), mentions)
    contested: set[str] = {
        id_ for part in split_into_parts(new, _count_items, ROWS) for id_ in run_query(tx, get_cypher("add_stated"), rows=part)[0]
    }
    _run_groups(tx, get_cypher("change_stated"), changed)
    jobs = {edge.jobId: job for move in moves for edge, job in move.after.flows.items()}
    flows = _group_scopes((move.scope, edge) for move in moves for edge in move.after.flows if edge not in move.before.flows)
    created, merged = _part_edges(flows, new_names)
    _run_flows(tx, get_cypher("create_flows"), _group_flows(created), jobs)
    _run_flows(tx, get_cypher("add_flows"), _group_flows(merged), jobs)
    properties: dict[OtherEdge, Properties] = {edge: found for move in moves for edge, found in move.after.edges.items()}
    edges = _group_scopes((move.scope, edge) for move in moves for edge in move.after.edges if edge not in move.before.edges)
    queue = WriteQueue()
    for name, some in zip(("create_edges", "add_edges"), _part_edges(edges, new_names), strict=True):
        for edge_type, of_type in _group_edges(some, properties).items():
            queue.add(get_cypher_of_edge(name, edge_type), of_type)
    queue.flush(tx)
    return contested


def _part_edges(edges: Mapping[E, list[int]], new_names: Collection[str]) -> tuple[dict[E, list[int]], dict[E, list[int]]]:
    """The edges with a new asset at one of their ends, and the others."""
    created = {edge: scopes for edge, scopes in edges.items() if edge.start in new_names or edge.end in new_names}
    return created, {edge: scopes for edge, scopes in edges.items() if edge not in created}


def _remove_assertions(tx: Transaction, moves: Sequence[ScopeChange]) -> None:
    flows = _group_scopes((move.scope, edge) for move in moves for edge in move.before.flows if edge not in move.after.flows)
    jobs = {edge.jobId: job for move in moves for edge, job in move.before.flows.items()}
    _run_flows(tx, get_cypher("remove_flows"), _group_flows(flows), jobs)
    edges = _group_scopes((move.scope, edge) for move in moves for edge in move.before.edges if edge not in move.after.edges)
    for edge_type, of_type in _group_edges(edges, {}).items():
        run_in_chunks(tx, get_cypher_of_edge("remove_edges", edge_type), of_type)
    mentions: list[Group] = []
    stated: list[Group] = []
    for scope, before, after in moves:
        if ids := [id_ for id_ in before.stated if id_ not in after.stated]:
            stated.append((scope, ids))
        if ids := [id_ for id_ in before.mentions if id_ not in before.stated and (id_ not in after.mentions or id_ in after.stated)]:
            mentions.append((scope, ids))
    _run_groups(tx, get_cypher("remove_stated"), stated)
    _run_groups(tx, get_cypher("remove_mentions"), mentions)


def _hide(tx: Transaction, moves: Sequence[ScopeChange]) -> None:
    gone = list({id_ for move in moves for id_ in move.before.mentions if id_ not in move.after.mentions})
    for at in range(0, len(gone), ROWS):
        tx.run(get_cypher("hide_unstated"), {"ids": gone[at : at + ROWS]}).consume()


def _set_attributes(tx: Transaction, moves: Sequence[ScopeChange], contested: set[str]) -> None:
    """Merge attributes again where several scopes state some, or where a scope does not state any more.

    This includes statements whose time alone changed: of two equally strong sources, the newer statement is shown.
    `contested`: as of `_add_assertions`.
    """
    withdrawn = {id_ for move in moves for id_ in move.before.stated if id_ not in move.after.stated}
    kept = {id_ for move in moves for id_ in move.after.stated if id_ in move.before.stated}
    given = (kept | contested) - withdrawn
    changed = []
    for name, ids in (("list_stated", list(withdrawn)), ("contested_stated", list(given))):
        for at in range(0, len(ids), ROWS):
            for id_, properties, statements in read_rows(tx, get_cypher(name), ids=ids[at : at + ROWS]):
                wanted = merge_properties(
                    (SourceProperties(source, observed, _drop_reserved(found)) for source, observed, found in statements), PRECEDENCE
                )
                if to_set := compare_properties(_drop_reserved(properties), wanted):
                    changed.append({"id": id_, "properties": to_set})
    run_in_chunks(tx, get_cypher("set_attributes"), changed)


def _drop_reserved(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in RESERVED}


def _group_scopes(edges: Iterable[tuple[int, E]]) -> dict[E, list[int]]:
    """The scope ids of each edge."""
    found: defaultdict[E, list[int]] = defaultdict(list)
    for scope, edge in edges:
        found[edge].append(scope)
    return found


def _group_flows(flows: Mapping[FlowEdge, list[int]]) -> list[FlowRow]:
    """Group flows that differ only in their ends."""
    groups: defaultdict[tuple[FlowEdge, tuple[int, ...]], list[tuple[str, str]]] = defaultdict(list)
    for edge, scopes in flows.items():
        groups[edge._replace(start="", end=""), tuple(scopes)].append((edge.start, edge.end))
    return [FlowRow(shared, scopes, pairs) for (shared, scopes), pairs in groups.items()]


def _run_flows(tx: Transaction, text: str, flows: Iterable[FlowRow], jobs: Mapping[str, str]) -> None:
    for part in split_into_parts(flows, lambda row: len(row.pairs), ROWS):
        shared = [{**row.shared._asdict(), "job": jobs[row.shared.jobId], "scopes": row.scopes, "pairs": row.pairs} for row in part]
        tx.run(text, {"rows": shared}).consume()


def _run_groups(tx: Transaction, text: str, groups: Iterable[Group]) -> None:
    for part in split_into_parts(groups, _count_items, ROWS):
        tx.run(text, {"rows": part}).consume()


def _count_items(group: Group) -> int:
    return len(group[1])


def _group_edges(edges: Mapping[OtherEdge, list[int]], properties: Mapping[OtherEdge, Properties]) -> dict[str, list[list[object]]]:
    """Rows of edges by edge type."""
    found: defaultdict[str, list[list[object]]] = defaultdict(list)
    for edge, scopes in edges.items():
        found[edge.type].append([edge.start, edge.end, edge.attributes, properties.get(edge), scopes])
    return found

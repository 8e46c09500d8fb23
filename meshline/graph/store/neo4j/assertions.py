"""What a content states, as the graph for people shows it: nodes by id, relationships by kind, and properties."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.content import build_keys, decode_layout
from meshline.graph.model import EDGE_TYPES, AssetFact, AssetKey, AssetKind, EdgeType, FlowType, Json, Precedence
from meshline.graph.store.neo4j.search_names import RESERVED, compute_id, join_words
from meshline.graph.store.search_words import TEXT_ATTRIBUTES, list_text_words

Value: TypeAlias = str | int | float | bool | list[str]
Properties: TypeAlias = Mapping[str, Value]
Ends: TypeAlias = tuple[str, str]  # the ids of the start and the end of a relationship

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


class LinkKind(NamedTuple):
    """What relationships have in common that differ in their ends: two scopes that state the same share one relationship."""

    edge: str
    identity: tuple[tuple[str, str | bool], ...]  # the properties by which one is found


class Assertions(NamedTuple):
    """All facts of one content: of assets by id, of relationships by kind."""

    mentions: Mapping[str, AssetKey]  # all assets that the content refers to, with those in `stated`
    stated: Mapping[str, StatedProperties]  # assets for which attributes are stated (perhaps none)
    links: Mapping[LinkKind, set[Ends]]
    properties: Mapping[LinkKind, Properties]  # with those of the identity
    shown: Mapping[str, StatedProperties]  # of `stated` those with a SAYS relationship  # codespell:ignore says
    unlinked: frozenset[str]  # of `mentions` those with a MENTIONS relationship: the end of no other


NOTHING = Assertions({}, {}, {}, {}, {}, frozenset())


_REMEMBERED = 4 * 2**20  # total bytes of contents whose assertions are cached; these take about thirty times as much
_remembered: BoundedCache[bytes, Assertions] = BoundedCache(_REMEMBERED)


def decode_assertions(blob: bytes) -> Assertions:
    known = _remembered.get(blob)
    return _remembered.keep(blob, _build_assertions(blob), len(blob)) if known is None else known


def _build_assertions(blob: bytes) -> Assertions:
    layout = decode_layout(blob)
    keys = build_keys(layout)
    ids = [compute_id(key) for key in keys]
    links: defaultdict[LinkKind, set[Ends]] = defaultdict(set)
    properties: dict[LinkKind, Properties] = {}
    for t, a, b, attributes in layout.edges:
        kind = LinkKind(str(EDGE_TYPES[t]), (("said", _encoder.encode(attributes).decode()),))
        if kind not in properties:
            properties[kind] = {**select_properties(attributes), **dict(kind.identity)}
        links[kind].add((ids[a], ids[b]))
    of_columns, of_datasets = [], []
    for indirect, subtype, masking, covered, job in layout.flow_kinds:
        rest = (("covered", bool(covered)), ("job", keys[job].qualified_name if job >= 0 else ""))
        of_columns.append(_build_flow_kind(FlowType.INDIRECT if indirect else FlowType.DIRECT, subtype, masking, rest))
        of_datasets.append(_build_flow_kind(DATASET_FLOW, "", masking=False, rest=rest))
    flat = iter(layout.flows)
    for a, b, number in zip(flat, flat, flat, strict=True):
        kinds = of_datasets if keys[a].kind is AssetKind.DATASET else of_columns
        links[kinds[number]].add((ids[a], ids[b]))
    properties.update({kind: dict(kind.identity) for kind in links if kind not in properties})
    stated = {ids[k]: build_stated_properties(AssetFact(keys[k], attributes)) for k, attributes in layout.assets}
    ends = {id_ for pairs in links.values() for pair in pairs for id_ in pair}
    listed = {b for kind, pairs in links.items() if kind.edge == EdgeType.HAS_COLUMN for _, b in pairs}
    shown = {id_: given for id_, given in stated.items() if not _is_implied(given, is_end=id_ in ends, is_listed=id_ in listed)}
    return Assertions(
        mentions=dict(zip(ids, keys, strict=True)),
        stated=stated,
        links=links,
        properties=properties,
        shown=shown,
        unlinked=frozenset(ids).difference(ends, shown),
    )


def _is_implied(given: StatedProperties, *, is_end: bool, is_listed: bool) -> bool:
    """True if an edge of the same scope replaces the SAYS relationship: that costs as much as the edge, and a table has many
    columns. What a listing states of its columns is then read from its content, which the `scopes` of HAS_COLUMN lead to.
    """  # codespell:ignore says
    return given.words is None and (is_listed or (is_end and not given.attributes))


def _build_flow_kind(type_: str, subtype: str, masking: int, rest: tuple[tuple[str, str | bool], ...]) -> LinkKind:
    return LinkKind(str(EdgeType.FLOWS_TO), (("type", str(type_)), ("subtype", subtype), ("masking", bool(masking)), *rest))


def build_stated_properties(fact: AssetFact) -> StatedProperties:
    words = None if fact.attributes.keys().isdisjoint(TEXT_ATTRIBUTES) else list_text_words(fact)
    return StatedProperties(select_properties(fact.attributes), join_words(words) if words else None)


def select_properties(attributes: Mapping[str, Json]) -> dict[str, Value]:
    """Attributes that can be properties, snake_case in camelCase: texts, numbers, flags, lists of texts."""
    found: dict[str, Value] = {}
    for name, value in attributes.items():
        if shown := _find_property(name):
            kept = _convert_value(value)
            if shown == "tags" and isinstance(kept, list):
                kept = sorted(set(kept))  # like the union where several scopes state tags
            if kept is not None:
                found[shown] = kept
    return found


@lru_cache(maxsize=1_000)
def _find_property(attribute: str) -> str | None:
    """The name of the property for an attribute, if it has one."""
    if not _ATTRIBUTE.fullmatch(attribute):
        return None
    name = _SNAKE.sub(lambda match: match[1].upper(), attribute)
    return None if name in RESERVED or name in {"said", "scopes"} else name


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


def merge_properties(stated: Sequence[SourceProperties], precedence: Precedence) -> Properties:
    """The properties to show: of the strongest source, then the newest statement, then the greater source; of tags, the union."""
    if len(stated) == 1:
        return stated[0].attributes
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


def is_same_statement(one: StatedProperties, other: StatedProperties) -> bool:
    """True if they are equal, also where 1 became true, which are equal in Python."""
    return one == other and all(type(value) is type(other.attributes[name]) for name, value in one.attributes.items())


def build_statement_properties(stated: StatedProperties) -> Properties:
    """The properties of a SAYS relationship."""  # codespell:ignore says
    return stated.attributes if stated.words is None else {**stated.attributes, "words": stated.words}

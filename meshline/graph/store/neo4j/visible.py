"""What a content says, as nodes and relationships for people: pure, and the difference of two such."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.graph.content import columns, keys_of
from meshline.graph.memory import Memory
from meshline.graph.model import EDGE_TYPES, AssetFact, AssetKey, AssetKind, FlowType, Json, Precedence
from meshline.graph.store.documents import text_words
from meshline.graph.store.neo4j.names import RESERVED, id_of, joined

Value: TypeAlias = str | int | float | bool | list[str]
Properties: TypeAlias = Mapping[str, Value]

# Only such attributes become properties: Neo4j never forgets a property's name, so names must be few.
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,60}")
_SNAKE = re.compile(r"_([a-z])")
_INT64 = range(-(2**63), 2**63)

# Between datasets a flow's type has no meaning.
DATASET_FLOW = "DATASET"

_encoder = msgspec.json.Encoder(order="deterministic")


class Said(NamedTuple):
    """The properties of a SAYS relationship: the simple attributes, and the words of the prose for search."""

    attributes: Properties
    words: str | None


class FlowEdge(NamedTuple):
    """What makes a FLOWS_TO relationship the same: said by two scopes, it is one relationship."""

    start: str
    end: str
    type: str
    subtype: str
    masking: bool
    covered: bool
    jobId: str  # noqa: N815 - a property's name


class OtherEdge(NamedTuple):
    """What makes any other relationship the same: `said` is its attributes as JSON."""

    type: str
    start: str
    end: str
    said: str


class Assertions(NamedTuple):
    """All that one content says: by id, or by what makes a relationship the same."""

    mentions: Mapping[str, AssetKey]  # all assets, also those below
    sayings: Mapping[str, Said]  # of assets of which attributes are said (perhaps none)
    flows: Mapping[FlowEdge, str]  # the job's name
    edges: Mapping[OtherEdge, Properties]


NOTHING = Assertions({}, {}, {}, {})


_REMEMBERED = 4 * 2**20  # bytes of contents of which the assertions are remembered, which are some thirty times as large
_remembered: Memory[bytes, Assertions] = Memory(_REMEMBERED)


def assertions(blob: bytes) -> Assertions:
    known = _remembered.get(blob)
    return _remembered.keep(blob, _assertions(blob), len(blob)) if known is None else known


def _assertions(blob: bytes) -> Assertions:
    layout = columns(blob)
    keys = keys_of(layout)
    ids = [id_of(key) for key in keys]
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
        sayings={ids[k]: said_of(AssetFact(keys[k], attributes)) for k, attributes in layout.assets},
        flows=flows,
        edges={
            OtherEdge(str(EDGE_TYPES[t]), ids[a], ids[b], _encoder.encode(attributes).decode()): simple(attributes)
            for t, a, b, attributes in layout.edges
        },
    )


def said_of(fact: AssetFact) -> Said:
    words = text_words(fact)
    return Said(simple(fact.attributes), joined(words) if words else None)


def simple(attributes: Mapping[str, Json]) -> dict[str, Value]:
    """Attributes that can be properties, snake_case in camelCase: texts, numbers, flags, lists of texts."""
    found: dict[str, Value] = {}
    for name, value in attributes.items():
        if _ATTRIBUTE.fullmatch(name):
            name = _SNAKE.sub(lambda match: match[1].upper(), name)
            kept = _simple(value)
            if name == "tags" and isinstance(kept, list):
                kept = sorted(set(kept))  # as they are united where several scopes name some
            if kept is not None and name not in RESERVED and name not in {"said", "scopes"}:
                found[name] = kept
    return found


def _simple(value: Json) -> Value | None:
    if isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else None
    if isinstance(value, list) and value:
        texts = [text for text in value if isinstance(text, str)]
        return texts if len(texts) == len(value) else None
    return None


class Saying(NamedTuple):
    """What one scope says of an asset."""

    source: str
    observed: int
    attributes: Properties


def merged(sayings: Iterable[Saying], precedence: Precedence) -> dict[str, Value]:
    """The attributes that are shown: of the strongest source, then the newest statement, then the greater source; tags are united."""
    shown: dict[str, tuple[tuple[int, int, str, bytes], Value]] = {}
    tags: set[str] = set()
    for said in sayings:
        for name, value in said.attributes.items():
            strength = (-precedence.rank(said.source, name), said.observed, said.source, _encoder.encode(value))
            if name not in shown or strength > shown[name][0]:
                shown[name] = (strength, value)
            if name == "tags" and isinstance(value, list):
                tags.update(value)
    found = {name: value for name, (_, value) in shown.items()}
    return {**found, "tags": sorted(tags)} if tags else found


def difference(now: Properties, wanted: Properties) -> dict[str, Value | None]:
    """What to set (None: remove) so that properties are as wanted."""
    changed: dict[str, Value | None] = {name: value for name, value in wanted.items() if name not in now or not _same(now[name], value)}
    changed.update({name: None for name in now if name not in wanted})
    return changed


def _same(a: Value, b: Value) -> bool:
    return type(a) is type(b) and a == b


class Move(NamedTuple):
    """A scope that says something else, or the same at another time (then both are the same)."""

    scope: int
    before: Assertions
    after: Assertions

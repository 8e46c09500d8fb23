"""A reading as JSON, sent from the process that reads a source to a server, which checks all of it before it is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

from meshline.errors import InvalidInput, StoreCorrupt
from meshline.graph.content import decode_facts, decode_layout, encode_facts
from meshline.graph.model import AssetKey, AssetKind, Content, EdgeFact, EdgeType, Facts, get_current_micros
from meshline.ingest.file_times import AHEAD
from meshline.ingest.openlineage.event_limits import EventLimits
from meshline.ingest.sources.base import Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.sync_status import Status

MAX_KEYS = 2 * EventLimits().columns  # assets of one entry: a content with more would block the writer for seconds
MAX_FLOWS = EventLimits().flows

Part: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]
Parts: TypeAlias = Annotated[tuple[Part, ...], msgspec.Meta(max_length=16)]
Memory: TypeAlias = Annotated[str, msgspec.Meta(max_length=2**24)]  # of one key: what the history of a database had is one text
Time: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class EncodedEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An `Entry`: `content` as `meshline.graph.content` encodes it, in base64; times in microseconds since the epoch."""

    scope: Annotated[tuple[Part, ...], msgspec.Meta(min_length=1, max_length=16)]
    content: bytes
    time: Time | None = None
    past: tuple[tuple[Time, bytes], ...] = ()


class SentReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A reading of a source, or a part of one.

    `entries`, `unchanged`: the items of the reading. `refused`: of each refusal, the beginning of the scopes that it may have
    stated. `complete`: whether all other scopes of the source are retracted. A large reading is sent in parts: each but the
    last has some entries and is not complete, the last repeats the scopes of the others as unchanged. When all parts are
    loaded, one more part has the `memory` for the next reading, and the `status`.
    """

    entries: tuple[EncodedEntry, ...] = ()
    unchanged: tuple[Parts, ...] = ()
    refused: tuple[Parts, ...] = ()
    complete: bool = False
    memory: dict[Part, Memory] | None = None
    status: Status | None = None

    @property
    def has_items(self) -> bool:
        """Whether the part is about scopes, rather than memory and status alone."""
        return bool(self.entries or self.unchanged or self.refused or self.complete)


class LoadingCounts(msgspec.Struct, frozen=True):
    """What loading a part changed, in scopes: see `Loading`."""

    source: str
    revision: int
    read: int
    unchanged: int
    new: int
    changed: int
    retracted: int
    kept: int


class SourceContext(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `Context` of a source that is read in another process. `trimmers`: the naming rules, in order.

    `datasets`: namespace and name of each dataset of a look-up; the answer to a look-up has nothing else.
    """

    source: str
    memory: dict[str, str] = {}
    people: dict[str, str] = {}
    trimmers: list[tuple[str, str]] = []
    status: Status | None = None
    datasets: list[tuple[str, ...]] = []


def encode_entry(entry: Entry) -> EncodedEntry:
    """An entry, encoded to be sent."""
    return EncodedEntry(entry.scope, entry.content.blob, entry.time, tuple((time, content.blob) for time, content in entry.past))


def decode_items(sent: SentReading) -> Iterator[Item]:
    """The items of a part, checked. Raises InvalidInput with the JSON path."""
    latest = get_current_micros() + AHEAD
    for i, one in enumerate(sent.entries):
        where = f"entries[{i}]"
        for time in (one.time or 0, *(time for time, _ in one.past)):
            if time > latest:
                raise InvalidInput(f"the time {time} lies more than a day ahead", where)
        past = tuple((time, _decode_content(blob, where)) for time, blob in one.past)
        yield Entry(one.scope, _decode_content(one.content, where), one.time, past)
    yield from (Unchanged(scope) for scope in sent.unchanged)
    yield from (Refusal(InvalidInput("refused where it was read"), about) for about in sent.refused)


def _decode_content(blob: bytes, where: str) -> Content:
    """Content from outside: decoded, checked, and encoded again from facts that are allowed."""
    try:
        layout = decode_layout(blob)
        for found, most, what in ((len(layout.keys), MAX_KEYS, "assets"), (len(layout.flows) // 3, MAX_FLOWS, "flows")):
            if found > most:
                raise InvalidInput(f"{found} {what} in one content; at most {most} are accepted", f"{where}.content")
        facts = decode_facts(blob)
    except (StoreCorrupt, LookupError, ValueError, TypeError, AssertionError, RecursionError) as error:
        raise InvalidInput("this is no content as meshline encodes it", f"{where}.content") from error
    for problem in _find_problems(facts):
        raise InvalidInput(problem, f"{where}.content")
    return encode_facts(facts)


def _find_problems(facts: Facts) -> Iterator[str]:
    for fact in facts.assets:
        yield from _find_key_problems(fact.key)
        if not _is_json(fact.attributes):
            yield f"an attribute of {fact.key.qualified_name} is not JSON"
    for edge in facts.edges:
        yield from _find_edge_problems(edge)
    for flow in facts.flows:
        yield from _find_key_problems(flow.start, flow.end, *(() if flow.job is None else (flow.job,)))
        if (flow.start.kind, flow.end.kind) not in FLOWS or (flow.job is not None and flow.job.kind is not AssetKind.JOB):
            yield f"nothing flows from a {flow.start.kind} to a {flow.end.kind}"


def _find_edge_problems(edge: EdgeFact) -> Iterator[str]:
    yield from _find_key_problems(edge.start, edge.end)
    starts, ends = ENDS[edge.type]
    if edge.start.kind not in starts or edge.end.kind not in ends:
        yield f"no {edge.type} leads from a {edge.start.kind} to a {edge.end.kind}"
    if edge.type is EdgeType.RENAMED_TO and edge.end.kind is not edge.start.kind:
        yield f"a {edge.start.kind} is not renamed to a {edge.end.kind}"
    if edge.type is EdgeType.HAS_COLUMN and edge.end.parts[:2] != edge.start.parts:
        yield f"{edge.end.qualified_name} is no column of {edge.start.qualified_name}"
    if not _is_json(edge.attributes):
        yield f"an attribute of an edge of {edge.start.qualified_name} is not JSON"


def _find_key_problems(*keys: AssetKey) -> Iterator[str]:
    for key in keys:
        if len(key.parts) != PARTS[key.kind] or not all(key.parts):
            yield f"a {key.kind} has a name of {PARTS[key.kind]} parts, none empty"
        if max(map(len, key.parts), default=0) > EventLimits().name:
            yield f"{len(max(key.parts, key=len))} characters in a name; at most {EventLimits().name} are accepted"


def _is_json(value: Any) -> bool:
    match value:
        case None | bool() | int() | str():
            return True
        case float():
            return math.isfinite(value)
        case list():
            return all(map(_is_json, value))
        case Mapping():
            return all(isinstance(key, str) and _is_json(inner) for key, inner in value.items())
        case _:
            return False


_D, _C = AssetKind.DATASET, AssetKind.COLUMN
_ALL = frozenset(AssetKind)

PARTS = {kind: 3 if kind is _C else 2 if kind in (_D, AssetKind.JOB) else 1 for kind in AssetKind}
FLOWS = frozenset({(_C, _C), (_C, _D), (_D, _D)})
ENDS: Mapping[EdgeType, tuple[frozenset[AssetKind], frozenset[AssetKind]]] = {
    EdgeType.HAS_COLUMN: (frozenset({_D}), frozenset({_C})),
    EdgeType.READS: (frozenset({AssetKind.JOB}), frozenset({_D})),
    EdgeType.WRITES: (frozenset({AssetKind.JOB}), frozenset({_D})),
    EdgeType.FLOWS_TO: (frozenset(), frozenset()),  # these are flows
    EdgeType.PART_OF: (_ALL, _ALL),
    EdgeType.PORT: (frozenset({AssetKind.DATA_PRODUCT}), frozenset({_D})),
    EdgeType.OWNS: (frozenset({AssetKind.OWNER}), _ALL),
    EdgeType.CONSUMES: (frozenset({AssetKind.CONSUMER}), frozenset({_C, _D, AssetKind.DATA_PRODUCT})),
    EdgeType.GOVERNS: (frozenset({AssetKind.CONTRACT}), frozenset({_D, _C, AssetKind.DATA_PRODUCT})),
    EdgeType.SAME_AS: (frozenset({_D}), frozenset({_D})),
    EdgeType.RENAMED_TO: (frozenset({_D, _C}), frozenset({_D, _C})),
    EdgeType.DIFFERENT_FROM: (frozenset({_D}), frozenset({_D})),
    EdgeType.MAY_READ: (frozenset({AssetKind.OWNER}), frozenset({_C, _D})),
}

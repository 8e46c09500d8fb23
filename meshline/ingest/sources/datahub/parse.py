"""Exported metadata of DataHub (MCE and MCP as JSON) -> entities with their aspects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from meshline.errors import InvalidInput
from meshline.ingest.documents import build_json_error
from meshline.ingest.sources.datahub.aspects import ASPECTS, Aspect
from meshline.ingest.sources.datahub.urns import MAX_URN, shorten_urn

T = TypeVar("T", bound=Aspect)

MAX_BYTES = 500 * 2**20
ACCEPTED = "accepted are records of DataHub's file sink: with entityUrn, aspectName and aspect, or with proposedSnapshot"
_AVRO = frozenset({"string", "boolean", "int", "long", "float", "double", "array", "map"})  # how Avro's JSON marks an optional value
MAX_REFUSED = 1_000  # records of a file that cannot be read; then the rest of it is not read
_SHOWN = 300  # characters of what is wrong with a record


class _Snapshot(Struct):
    urn: str
    aspects: list[dict[str, msgspec.Raw]] = []


class _SystemMetadata(Struct, rename="camel"):
    last_observed: int | None = None


class _MetadataRecord(Struct, rename="camel"):
    """An event (MCE) with all aspects of an entity, or a proposal (MCP) with one."""

    proposed_snapshot: dict[str, _Snapshot] | None = None
    entity_urn: str | None = None
    aspect_name: str | None = None
    aspect: msgspec.Raw = msgspec.Raw(b"null")
    change_type: Any = None
    system_metadata: _SystemMetadata | None = None


class _Payload(Struct):
    """An aspect of a proposal: as JSON in the file sink, as a text with JSON as it is sent to a server."""

    json: msgspec.Raw = msgspec.Raw(b"")
    value: str | None = None


class _AnsweredAspect(Struct):
    value: msgspec.Raw = msgspec.Raw(b"{}")


class _Change(NamedTuple):
    """What a record states of an aspect. None: it was deleted."""

    urn: str
    name: str
    aspect: Aspect | None


_decode_one = msgspec.json.Decoder(msgspec.Raw)
_decode_array = msgspec.json.Decoder(list[msgspec.Raw])
_decode_record = msgspec.json.Decoder(_MetadataRecord)
_decode_answered = msgspec.json.Decoder(_AnsweredAspect)
_decode_payload = msgspec.json.Decoder(_Payload | None)


class Entities:
    """The entities of all files. Of two records about one aspect the one that was observed later counts, else the one that is read later.

    `broken`: the entities with an aspect that could not be read. `patches`: the number of records that change a part of an aspect.
    `unread`: the number of aspects that are not read, by their names.
    """

    def __init__(self) -> None:
        self._aspects: dict[str, dict[str, tuple[int, Aspect | None]]] = {}
        self.broken: set[str] = set()
        self.patches = 0
        self.unread: Counter[str] = Counter()

    def add_file(self, data: bytes, file: str) -> Iterator[tuple[InvalidInput, str]]:
        """Add the records of a file. Yields what is refused, with the URN of its entity, '' if that is unknown.

        Raises InvalidInput if the file has no records, or too many that cannot be read.
        """
        refused = 0
        for place, record in _split_records(data, file):
            urns: list[str] = []
            try:
                self._add_record(record, urns)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidInput) as error:
                self.broken.update(urns)
                refused += 1
                if refused > MAX_REFUSED:
                    raise InvalidInput(
                        f"more than {MAX_REFUSED} records cannot be read; the rest of the file is not read", place
                    ) from error
                what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
                urn = urns[0] if urns else ""
                about = f"{shorten_urn(urn)}: " if urn else ""
                yield InvalidInput(f"{about}this record cannot be read: {what[:_SHOWN]}; {ACCEPTED}", place), urn

    def add_entity(self, urn: str, aspects: Mapping[str, msgspec.Raw]) -> None:
        """Add an entity as a server answers: its aspects by their names. Raises InvalidInput; the entity is then broken."""
        urns: list[str] = []
        try:
            _check_urn(urn, urns)
            for name, data in aspects.items():
                if name in ASPECTS:
                    self._put(urn, name, 0, self._convert_aspect(name, bytes(_decode_answered.decode(data).value)))
                else:
                    self._put(urn, name, 0, Aspect())
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.broken.update(urns)
            what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise InvalidInput(f"this entity cannot be read: {what[:_SHOWN]}", shorten_urn(urn)) from error

    def find(self, urn: str, name: str, shape: type[T]) -> T | None:
        """An aspect of an entity; None if there is none."""
        found = self._aspects.get(urn, {}).get(name)
        return found[1] if found is not None and isinstance(found[1], shape) else None

    def list_urns(self, beginning: str) -> list[str]:
        """The entities of a type that are not removed and have an aspect, sorted."""
        return sorted(urn for urn, aspects in self._aspects.items() if urn.startswith(beginning) and _is_present(aspects))

    def _add_record(self, data: bytes, urns: list[str]) -> None:
        """`urns`: gets the URN of the record's entity as soon as it is known."""
        record = _decode_record.decode(data)
        observed = (record.system_metadata.last_observed if record.system_metadata is not None else None) or 0
        for change in self._read_changes(record, urns):
            if not change.name:
                for name in self._aspects.get(change.urn, {}):
                    self._put(change.urn, name, observed, None)
            else:
                self._put(change.urn, change.name, observed, change.aspect)

    def _put(self, urn: str, name: str, observed: int, aspect: Aspect | None) -> None:
        aspects = self._aspects.setdefault(urn, {})
        if name not in aspects or aspects[name][0] <= observed:
            aspects[name] = (observed, aspect)

    def _read_changes(self, record: _MetadataRecord, urns: list[str]) -> Iterator[_Change]:
        if record.proposed_snapshot is not None:
            for snapshot in record.proposed_snapshot.values():
                _check_urn(snapshot.urn, urns)
                for aspects in snapshot.aspects:
                    for kind, value in aspects.items():
                        short = kind.rpartition(".")[2]
                        name = short[:1].lower() + short[1:]
                        yield _Change(snapshot.urn, name, self._convert_aspect(name, bytes(value)))
            return
        urn = _check_urn(record.entity_urn or "", urns)
        kind = str(record.change_type or "UPSERT").upper()
        name = record.aspect_name or ""
        if kind == "DELETE":
            yield _Change(urn, "" if name.endswith("Key") else name, None)
        elif kind == "PATCH":
            self.patches += name in ASPECTS
        elif not name:
            raise InvalidInput("it names no aspect", "aspectName")
        else:
            yield _Change(urn, name, self._convert_aspect(name, _read_payload(record.aspect) if name in ASPECTS else b""))

    def _convert_aspect(self, name: str, data: bytes) -> Aspect:
        """Of an aspect that is not read, that there is one."""
        shape = ASPECTS.get(name)
        if shape is None:
            self.unread[name] += 1
            return Aspect()
        return msgspec.convert(_strip_unions(msgspec.json.decode(data)), shape)


def _is_present(aspects: Mapping[str, tuple[int, Aspect | None]]) -> bool:
    """Whether an entity has aspects and is not marked as removed."""
    status = getattr(aspects.get("status", (0, None))[1], "removed", False)
    return not status and any(aspect is not None for _, aspect in aspects.values())


def _check_urn(urn: str, urns: list[str]) -> str:
    if not urn.startswith("urn:li:") or len(urn) > MAX_URN or not urn.isprintable():
        raise InvalidInput(f"{shorten_urn(urn)!r} is no URN of at most {MAX_URN} printable characters", "entityUrn")
    urns.append(urn)
    return urn


def _read_payload(aspect: msgspec.Raw) -> bytes:
    payload = _decode_payload.decode(aspect) or _Payload()
    if data := bytes(payload.json):
        return data
    if payload.value is not None:
        return payload.value.encode()
    raise InvalidInput("it has neither json nor value", "aspect")


def _strip_unions(value: Any) -> Any:
    """Values without the marks of Avro's JSON: `{"string": "x"}` and `{"com.linkedin....GlobalTags": {...}}`."""
    if isinstance(value, list):
        return [_strip_unions(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, inner), *_ = value.items()
        if key in _AVRO or key.startswith("com.linkedin."):
            return _strip_unions(inner)
    return {key: _strip_custom(one) if key == "customProperties" else _strip_unions(one) for key, one in value.items()}


def _strip_custom(value: Any) -> Any:
    """Custom properties: their own keys may be called as a mark is."""
    return value["map"] if isinstance(value, dict) and list(value) == ["map"] and isinstance(value["map"], dict) else value


def _split_records(data: bytes, file: str) -> Iterator[tuple[str, bytes]]:
    """The records of an array, of lines, or a single one, with their places. Raises InvalidInput."""
    start = data.lstrip()
    if not start:
        raise InvalidInput(f"the file is empty; {ACCEPTED}", file)
    try:
        if start[:1] == b"[":
            found = _decode_array.decode(data)
            yield from ((f"{file}: record {number}", bytes(one)) for number, one in enumerate(found, start=1))
            return
        lines = [(number, line) for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
        if lines[0][1].strip() == b"{":  # one record over several lines
            yield file, bytes(_decode_one.decode(data))
            return
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise build_json_error(error, data, file) from error
    yield from ((f"{file}:{number}", line) for number, line in lines)

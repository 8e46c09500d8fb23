"""Limits of one event, so that no event costs the writer more than a few seconds: a larger one is refused before the work.

A limit of bytes is not enough: a few kilobytes of names make a million pairs of inputs and outputs. Measured with processor time
on one core, an event at any one of these limits costs the writer at most two seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.openlineage import facet_types

MAX_DIGITS = 400  # of one number; the largest float has 309
MAX_DEPTH = 250  # levels of nested fields
SHORT = 4_096  # bytes of a facet that needs no check of its strings: it is no longer than a name may be
MAX_PATHS = 4 * 2**20  # characters of the dotted paths of all columns of a schema

_DIGITS = bytes(ord("0") if chr(code) in "123456789" else code for code in range(256))
_MANY_DIGITS = b"0" * (MAX_DIGITS + 1)
_SAMPLE = MAX_DIGITS // 5  # bytes from one sample to the next: so many digits in a row are five samples in a row
_DIGITS_IN_SAMPLES = b"0" * 5
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_UNREAD = "unread"  # the fields of `facet_schemas` that are only checked
_TEXTS = frozenset({"type", "description", "value", "query", "dialect", "expected", "actual", "params", "transformation_type"})


class EventLimits(NamedTuple):
    """Maximum counts per event.

    `datasets`: inputs and outputs together; `pairs`: inputs times outputs; both also apply to all events of a run together.
    `facets`: facets of the event, its run, its job and its datasets. `columns`: columns in its schemas, and separately columns in its
    lineage. `flows`: input fields of its lineage, each counted once per transformation. `entries`: entries of one list in a facet
    (tags, owners, ...). `name` and `text`: characters of a name, and of a description or a query. `facet_bytes`: bytes of a facet of
    a job or dataset, except schemas and lineage.
    """

    datasets: int = 10_000
    pairs: int = 100_000
    facets: int = 20_000
    columns: int = 50_000
    flows: int = 200_000
    entries: int = 20_000
    name: int = 4_096
    text: int = 2**20
    facet_bytes: int = 4 * 2**20


NO_LIMITS = EventLimits(*[2**62] * len(EventLimits._fields))  # for events that were accepted before


class Extent(NamedTuple):
    """The size of a facet."""

    columns: int = 0  # listed by a schema
    named: int = 0  # columns in a lineage
    flows: int = 0


class Excess(NamedTuple):
    """Why any event with a facet is refused, and its path in the facet."""

    problem: str
    where: str


SMALL = Extent()

# The fewest bytes of one facet (`"a":1,`), of a column in a schema or a lineage (`"a":{},`), and of a transformation (`{},`).
_FACET_BYTES, _COLUMN_BYTES, _FLOW_BYTES = 6, 6, 3


def find_uncounted_bytes(limits: EventLimits) -> int:
    """The bytes of an event up to which it cannot exceed a limit of facets, columns or flows, so that these need not be counted."""
    return min(limits.facets * _FACET_BYTES, limits.columns * _COLUMN_BYTES, limits.flows * _FLOW_BYTES)


class Counts:
    """The counts of one event, added up facet by facet. Raises InvalidInput with the path of the facet that exceeds a limit."""

    def __init__(self, limits: EventLimits) -> None:
        self.limits = limits
        self._facets = 0
        self._columns = 0
        self._named = 0
        self._flows = 0

    def add_facets(self, number: int, where: str) -> None:
        """Count facets at a path. Raises InvalidInput."""
        self._facets += number
        _check_limit(self._facets, self.limits.facets, "facets in one event", where)

    def add(self, extent: Extent, where: str) -> None:
        """Count the columns and flows of one facet at a path. Raises InvalidInput."""
        self._columns += extent.columns
        self._named += extent.named
        self._flows += extent.flows
        _check_limit(self._columns, self.limits.columns, "columns in the schemas of one event", where)
        _check_limit(self._named, self.limits.columns, "columns in the lineage of one event", where)
        _check_limit(self._flows, self.limits.flows, "input fields in the lineage of one event", where)


def check_numbers(body: bytes) -> None:
    """Raises InvalidInput for a number of more than MAX_DIGITS digits: the cost of parsing it grows with their square."""
    if _DIGITS_IN_SAMPLES not in body[::_SAMPLE].translate(_DIGITS):
        return
    if _MANY_DIGITS in body.translate(_DIGITS) and _MANY_DIGITS in _STRING.sub(b"", body).translate(_DIGITS):
        raise InvalidInput(f"a number of more than {MAX_DIGITS} digits; at most {MAX_DIGITS} are accepted", "$")


def check_name(name: str, where: str, limits: EventLimits) -> None:
    """Check the length of a name. Raises InvalidInput with the path `where`."""
    _check_limit(len(name), limits.name, "characters in a name", where)


def check_datasets(inputs: int, outputs: int, where: str, limits: EventLimits) -> None:
    """Check the datasets of one event, or of a run. Every input may flow into every output, so their product counts.

    Raises InvalidInput.
    """
    _check_limit(inputs + outputs, limits.datasets, "inputs and outputs", where)
    if inputs * outputs > limits.pairs:
        raise InvalidInput(
            f"{inputs} inputs and {outputs} outputs make {inputs * outputs} pairs; at most {limits.pairs} are accepted:"
            " send an event (with a run of its own) for each part of the work",
            where,
        )


def _check_limit(found: int, accepted: int, what: str, where: str) -> None:
    if found > accepted:
        raise InvalidInput(f"{found} {what}; at most {accepted} are accepted", where)


# -- facets


def find_excess(value: facet_types.AnyFacet, raw: bytes, limits: EventLimits) -> Excess | None:
    """What in a parsed facet exceeds a limit of one name, text, list or path; None if nothing does."""
    if len(raw) <= SHORT:
        return None
    try:
        if isinstance(value, facet_types.Schema) and not _is_flat(raw):
            _check_paths(value)
        if not _has_short_parts(raw, limits):
            _check_strings(value, "", limits)
    except InvalidInput as error:
        return Excess(str(error).removeprefix(f"{error.where}: "), error.where)
    return None


def _is_flat(raw: bytes) -> bool:
    """Whether the text of a schema shows that none of its fields has fields, and that their names are not too long together."""
    return raw.count(b'"fields"') <= 1 and b"\\" not in raw and len(raw) <= MAX_PATHS


def _has_short_parts(raw: bytes, limits: EventLimits) -> bool:
    """Whether the text of a facet shows that none of its strings and lists is too long: much faster than a look at each of them.

    Without escapes, a string reaches from one quote to the next. So a string that is too long leaves a part of the text without a quote.
    """
    if b"\\" in raw or raw.count(b",") >= limits.entries:
        return False
    most, end = min(limits.name, limits.text), 0
    while end + most < len(raw):
        quote = raw.rfind(b'"', end, end + most + 1)
        if quote < 0:
            return False
        end = quote + 1
    return True


def check_bytes(raw: bytes, where: str, limits: EventLimits) -> None:
    """Check the size of a facet. Raises InvalidInput with the path `where`."""
    _check_limit(len(raw), limits.facet_bytes, "bytes in a facet", where)


def count_facet(value: facet_types.AnyFacet | None) -> Extent:
    """The size of a parsed facet; None: it cannot be parsed."""
    match value:
        case facet_types.Schema():
            return Extent(columns=sum(1 for _ in _walk_paths(value)))
        case facet_types.ColumnLineage():
            return _count_lineage([(value.fields or {}, value.dataset or ())], "input_fields")
        case facet_types.DatasetLineage():
            return _count_lineage([(value.fields or {}, value.inputs or ())], "inputs")
        case facet_types.JobLineage():
            return _count_lineage([(entry.fields or {}, entry.inputs or ()) for entry in value.entries or ()], "inputs")
        case _:
            return SMALL


def _count_lineage(parts: Iterable[tuple[Mapping[str, Any], Iterable[Any]]], inputs: str) -> Extent:
    names: set[tuple[str | None, str | None, str | None]] = set()
    fields = flows = 0
    for of_fields, of_whole in parts:
        fields += len(of_fields)
        for sources in (of_whole, *(getattr(field, inputs) or () for field in of_fields.values() if field is not None)):
            for source in sources:
                flows += max(1, len(source.transformations or ()))
                names.add((source.namespace, source.name, source.field))
    return Extent(named=fields + len(names), flows=flows)


def _walk_paths(schema: facet_types.Schema) -> Iterator[tuple[int, int]]:
    """(depth, characters of the dotted path) of every field."""
    waiting = [(1, -1, field) for field in schema.fields or ()]
    while waiting:
        depth, before, field = waiting.pop()
        length = before + 1 + len(field.name)
        yield depth, length
        waiting += [(depth + 1, length, inner) for inner in field.fields or ()]


def _check_paths(schema: facet_types.Schema) -> None:
    characters = 0
    for depth, length in _walk_paths(schema):
        _check_limit(depth, MAX_DEPTH, "levels of fields in fields", ".fields")
        characters += length
        _check_limit(characters, MAX_PATHS, "characters in the paths of nested columns", ".fields")


def _check_strings(value: object, where: str, limits: EventLimits, name: str = "") -> None:
    """Check the length of every list and string that is interpreted. Raises InvalidInput."""
    if isinstance(value, str):
        most, what = (limits.text, "characters in a text") if name in _TEXTS else (limits.name, "characters in a name")
        _check_limit(len(value), most, what, where)
    elif isinstance(value, msgspec.Struct):
        for field, written in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            inner = getattr(value, field)
            if inner is not None and field != _UNREAD:
                _check_strings(inner, f"{where}.{written}", limits, field)
    elif isinstance(value, tuple):
        if value and not isinstance(value[0], _COUNTED):
            _check_limit(len(value), limits.entries, "entries in a list", where)
        for position, inner in enumerate(value):
            _check_strings(inner, f"{where}[{position}]", limits, name)
    elif isinstance(value, dict) and name not in _TEXTS:
        for key, inner in value.items():
            check_name(key, where, limits)
            _check_strings(inner, f"{where}.{key}", limits, name)


_COUNTED = (
    facet_types.SchemaField,
    facet_types.InputField,
    facet_types.LineageInput,
    facet_types.LineageEntry,
)  # columns and flows, which have limits of their own

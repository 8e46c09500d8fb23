"""Errors of pydantic as messages: the place, what was found, what is accepted.

`build_refusals` is for one entry of a mesh file. `validate_document` is for a whole contract or product: it accepts numbers and
booleans in place of texts (`version: 1.1`), and warns of unknown keys.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path, to_text
from meshline.words import suggest_closest


def build_refusals(doc: Document, path: Path, error: ValidationError, keys: Iterable[str] = ()) -> list[InvalidInput]:
    """An error for each problem at a path. `keys`: the accepted ones, for errors that do not list them."""
    return [_build_refusal(doc, path, details, tuple(keys)) for details in error.errors(include_url=False)]


def format_value(value: object) -> str:
    """A value in the short form for messages."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"a mapping with the keys {', '.join(map(str, list(value)[:5]))}" if value else "an empty mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _build_refusal(doc: Document, path: Path, details: ErrorDetails, keys: Sequence[str]) -> InvalidInput:
    inner = _find_inner_path(doc, path, details)
    name = ".".join(part for part in inner if isinstance(part, str))
    message = _format_message(details, keys)
    return InvalidInput(f"{name}: {message}" if name else message, doc.format_place((*path, *inner)))


def _find_inner_path(doc: Document, path: Path, details: ErrorDetails) -> Path:
    """The place of an error inside an entry, without the names that pydantic gives to the alternatives of a union."""
    inner: list[str | int] = []
    for part in details["loc"]:
        if (*path, *inner, part) in doc.lines:
            inner.append(part)
    if details["type"] == "unknown_key":
        inner.append(details["ctx"]["key"])
    return tuple(inner)


def _format_message(details: ErrorDetails, keys: Sequence[str]) -> str:
    """What was found, and what is accepted."""
    kind, found = details["type"], format_value(details["input"])
    if kind == "unknown_key":
        return str(details["msg"])
    if kind == "extra_forbidden":
        key = str(details["loc"][-1])
        return f"unknown key {key!r}{suggest_closest(key, keys)}; accepted: {', '.join(keys)}"
    if kind == "missing":
        return f"the key {details['loc'][-1]!r} is missing"
    if kind == "literal_error":
        expected = str(details["ctx"]["expected"])
        near = suggest_closest(str(details["input"]), re.findall(r"'([^']*)'", expected))
        return f"found {found}{near}; accepted is {expected}"
    if kind == "string_type" and isinstance(details["input"], int | float):
        return f"found {found}, which is not a text; write it in quotes"
    accepted = f"a text that matches {details['ctx']['pattern']}" if kind == "string_pattern_mismatch" else _ACCEPTED.get(kind)
    return f"found {found}; accepted is {accepted}" if accepted else f"found {found}; {details['msg']}"


_ACCEPTED = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "tuple_type": "a list, also for one value: [value]",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


MAX_REFUSED = 1_000  # maximum number of messages about one file
_ROUNDS = 3  # numbers in one alternative of a union may show only after those of another are text


class ValidationResult(NamedTuple):
    """The document's value, with texts where the model needs texts. It is valid if `refused` is empty."""

    value: Json
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]


def validate_document(model: type[BaseModel], document: Document) -> ValidationResult:
    """Validate a document against a model, and collect all of its problems."""
    value = document.value
    errors = _find_errors(model, value)
    for _ in range(_ROUNDS):
        numbers = [error for error in errors if error["type"] == "string_type" and isinstance(error["input"], bool | int | float)]
        if not numbers:
            break
        value = copy.deepcopy(value)
        for error in numbers:
            _make_text(value, _find_place(value, error))
        errors = _find_errors(model, value)
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    placed = [(_find_place(value, error), error) for error in errors if error["type"] not in ("extra_forbidden", "int_from_float")]
    return ValidationResult(
        value,
        tuple(_build_document_refusals(document, placed)),
        tuple(
            f"{document.format_place(place)}: {_format_path(place)}: this key is unknown and ignored"
            for place in _find_places(value, unknown)
        ),
    )


def _find_errors(model: type[BaseModel], value: Json) -> list[ErrorDetails]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _find_place(value: Json, error: ErrorDetails) -> Path:
    """The place of an error, without the names that pydantic gives to the alternatives of a union."""
    here: Any = value
    place: list[str | int] = []
    for part in error["loc"]:
        inside = here if isinstance(here, dict) else dict(enumerate(here)) if isinstance(here, list) else {}
        if part in inside:
            here = inside[part]
            place.append(part)
    return tuple(place)


def _find_places(value: Json, errors: Sequence[ErrorDetails]) -> list[Path]:
    return list(dict.fromkeys(_find_place(value, error) for error in errors))


def _make_text(value: Json, place: Path) -> None:
    here: Any = value
    for part in place[:-1]:
        here = here[part]
    if place and isinstance(here[place[-1]], bool | int | float):
        here[place[-1]] = to_text(here[place[-1]])


def _build_document_refusals(document: Document, placed: Sequence[tuple[Path, ErrorDetails]]) -> Iterator[InvalidInput]:
    """An error for each place. For a union, the alternative that matches furthest is assumed."""
    found: dict[Path, list[str]] = {}
    missing: dict[Path, None] = {}
    around: set[Path] = set()  # places that contain another error
    for place, error in placed:
        if error["type"] == "missing":
            missing[*place, error["loc"][-1]] = None
        else:
            found.setdefault(place, []).append(_describe_accepted(error))
            around.update(place[:length] for length in range(len(place)))
    for number, (place, accepted) in enumerate(found.items()):
        if number >= MAX_REFUSED:
            yield InvalidInput(f"and {len(found) - number} more problems like these", document.format_place(place))
            break
        if place not in around:
            value = _get_value(document.value, place)
            message = f"found {format_value(value)}; accepted is {' or '.join(dict.fromkeys(accepted))}"
            yield InvalidInput(f"{_format_path(place)}: {message}" if place else message, document.format_place(place))
    for place in list(missing)[:MAX_REFUSED]:
        yield InvalidInput(f"{_format_path(place)} is missing", document.format_place(place[:-1]))


def _get_value(value: Json, place: Path) -> object:
    here: Any = value
    for part in place:
        here = here[part]
    return here


def _format_path(place: Path) -> str:
    """`models.orders.fields.id`, `schema.0.name`."""
    return ".".join(map(str, place))


def _describe_accepted(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "literal_error":
        expected = str(error["ctx"]["expected"])
        return expected + suggest_closest(str(error["input"]), re.findall("'([^']*)'", expected))
    return _ACCEPTED_TYPES.get(kind) or str(error["msg"])


_ACCEPTED_TYPES = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

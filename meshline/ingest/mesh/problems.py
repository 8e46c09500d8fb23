"""What is wrong with a part of a mesh file, in words: the place, what was found, what is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from meshline.errors import InvalidInput
from meshline.ingest.documents import Document, Path
from meshline.words import closest


def refusals(doc: Document, path: Path, error: ValidationError, keys: Iterable[str] = ()) -> list[InvalidInput]:
    """One refusal for each thing that is wrong at a path. `keys`: those that are accepted there, where the error does not say."""
    return [_refusal(doc, path, details, tuple(keys)) for details in error.errors(include_url=False)]


def shown(value: object) -> str:
    """A value as a message shows it: short."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"a mapping with the keys {', '.join(map(str, list(value)[:5]))}" if value else "an empty mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _refusal(doc: Document, path: Path, details: ErrorDetails, keys: Sequence[str]) -> InvalidInput:
    inner = _inner(doc, path, details)
    name = ".".join(part for part in inner if isinstance(part, str))
    message = _message(details, keys)
    return InvalidInput(f"{name}: {message}" if name else message, doc.where((*path, *inner)))


def _inner(doc: Document, path: Path, details: ErrorDetails) -> Path:
    """The place of an error inside an entry: without the names that pydantic gives to the forms of a value."""
    inner: list[str | int] = []
    for part in details["loc"]:
        if (*path, *inner, part) in doc.lines:
            inner.append(part)
    if details["type"] == "unknown_key":
        inner.append(details["ctx"]["key"])
    return tuple(inner)


def _message(details: ErrorDetails, keys: Sequence[str]) -> str:
    """What was found, and what is accepted."""
    kind, found = details["type"], shown(details["input"])
    if kind == "unknown_key":
        return str(details["msg"])
    if kind == "extra_forbidden":
        key = str(details["loc"][-1])
        return f"unknown key {key!r}{closest(key, keys)}; accepted: {', '.join(keys)}"
    if kind == "missing":
        return f"the key {details['loc'][-1]!r} is missing"
    if kind == "literal_error":
        expected = str(details["ctx"]["expected"])
        near = closest(str(details["input"]), re.findall(r"'([^']*)'", expected))
        return f"found {found}{near}; accepted is {expected}"
    if kind == "string_type" and isinstance(details["input"], int | float):
        return f"found {found}, which is no text; write it in quotes"
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

"""The slow way to read an event: what may be mended is mended and noted, the rest is refused with its exact path.

Only events that the typed decoder refuses come here.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput

_ROLES = ("facets", "inputFacets", "outputFacets")
_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}


class Note(NamedTuple):
    """Something in a good event that was not taken as it came. `where`: a JSON path."""

    where: str
    what: str


def repaired(body: bytes, notes: list[Note]) -> bytes:
    """JSON that the typed decoder takes. Raises InvalidInput where an event cannot be used at all."""
    event = _object(decoded(body, notes), "$", "an event")
    _string(event, "eventTime", "$", "an ISO 8601 time")
    if "eventType" in event and not isinstance(event["eventType"], str | None):
        raise _wrong("$.eventType", event["eventType"], "a string, one of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER")
    if event.get("job") is None and event.get("dataset") is None:
        raise InvalidInput("neither a job nor a dataset; a run or job event has `job`, a dataset event has `dataset`", "$")
    _part(event, "run", ("runId",), notes)
    _part(event, "job", ("namespace", "name"), notes)
    _part(event, "dataset", ("namespace", "name"), notes)
    for role in ("inputs", "outputs"):
        _datasets(event, role, notes)
    try:
        return msgspec.json.encode(event)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"cannot be kept ({error})", "$") from error


def decoded(body: bytes, notes: list[Note]) -> Any:
    """JSON as producers write it. Raises InvalidInput."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"byte {error.start} is not UTF-8; JSON in UTF-8 is accepted", "$") from error
    try:
        return msgspec.json.decode(text)
    except RecursionError as error:
        raise InvalidInput("nested too deeply", "$") from error
    except msgspec.MsgspecError as error:
        if "NaN" not in text and "Infinity" not in text and "out of range" not in str(error):
            raise InvalidInput(f"not JSON ({error}); one OpenLineage event, a JSON object, is accepted", "$") from error
    return _json_with_constants(text, notes)


def _json_with_constants(text: str, notes: list[Note]) -> Any:
    """Python's producers write NaN and Infinity, which are not JSON."""

    def constant(name: str) -> None:
        notes.append(Note("$", f"{name} is not JSON; read as null"))

    def number(text: str) -> float | None:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            constant(text[:20])
            return None
        return value

    try:
        return json.loads(text, parse_constant=constant, parse_float=number)
    except RecursionError as error:
        raise InvalidInput("nested too deeply", "$") from error
    except ValueError as error:
        raise InvalidInput(f"not JSON ({error}); one OpenLineage event, a JSON object, is accepted", "$") from error


def _part(parent: dict[str, Any], key: str, names: tuple[str, ...], notes: list[Note]) -> None:
    value = parent.get(key)
    if value is None:
        return
    where = f"$.{key}"
    part = _object(value, where, f"an object with {' and '.join(names)}")
    for name in names:
        _string(part, name, where, "a string")
    for name in names:
        if name != "namespace" and not part[name]:
            raise InvalidInput("an empty string; a name is needed", f"{where}.{name}")
    _facets(part, where, notes)


def _datasets(event: dict[str, Any], role: str, notes: list[Note]) -> None:
    datasets = event.get(role)
    if datasets is None:
        return
    if not isinstance(datasets, list):
        raise _wrong(f"$.{role}", datasets, "an array of datasets")
    kept = []
    for position, value in enumerate(datasets):
        where = f"$.{role}[{position}]"
        dataset = _object(value, where, "a dataset: an object with namespace and name")
        for name in ("namespace", "name"):
            _string(dataset, name, where, "a string")
        _facets(dataset, where, notes)
        if dataset["name"]:
            kept.append(dataset)
        else:
            notes.append(Note(where, "a dataset without a name; left out"))
    event[role] = kept


def _facets(part: dict[str, Any], where: str, notes: list[Note]) -> None:
    for key in _ROLES:
        facets = part.get(key)
        if facets is not None and not isinstance(facets, dict):
            notes.append(Note(f"{where}.{key}", f"{_kind(facets)} where an object of facets is accepted; left out"))
            del part[key]


def _object(value: Any, where: str, accepted: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, value, accepted)
    return value


def _string(part: dict[str, Any], name: str, where: str, accepted: str) -> None:
    if name not in part:
        raise InvalidInput(f"missing; {accepted} is needed", f"{where}.{name}")
    if not isinstance(part[name], str):
        raise _wrong(f"{where}.{name}", part[name], accepted)


def _wrong(where: str, value: Any, accepted: str) -> InvalidInput:
    return InvalidInput(f"{_kind(value)} was found; {accepted} is accepted", where)


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)

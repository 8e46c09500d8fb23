"""The slow way to parse an event: small errors are repaired and noted, others are refused with their exact path.

Only events that the typed decoder refuses are parsed here.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput

_ROLES = ("facets", "inputFacets", "outputFacets")
_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}


class Note(NamedTuple):
    """A warning about an accepted event: a part that was changed or not interpreted. `where`: its JSON path."""

    where: str
    what: str


def repair_event(body: bytes, notes: list[Note]) -> bytes:
    """The event as JSON that the typed decoder accepts. Appends the repairs to `notes`.

    Raises InvalidInput for an event that cannot be used.
    """
    event = _check_object(decode_json(body, notes), "$", "an event")
    _check_string(event, "eventTime", "$", "an ISO 8601 time")
    if "eventType" in event and not isinstance(event["eventType"], str | None):
        raise _build_error("$.eventType", event["eventType"], "a string, one of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER")
    if event.get("job") is None and event.get("dataset") is None:
        raise InvalidInput("neither a job nor a dataset; a run or job event has `job`, a dataset event has `dataset`", "$")
    _check_part(event, "run", ("runId",), notes)
    _check_part(event, "job", ("namespace", "name"), notes)
    _check_part(event, "dataset", ("namespace", "name"), notes)
    for role in ("inputs", "outputs"):
        _repair_datasets(event, role, notes)
    try:
        return msgspec.json.encode(event)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"the event cannot be stored ({error})", "$") from error


def decode_json(body: bytes, notes: list[Note]) -> Any:
    """The value of a JSON text, in which NaN and Infinity are read as null and noted. Raises InvalidInput."""
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
    return _parse_lenient_json(text, notes)


def _parse_lenient_json(text: str, notes: list[Note]) -> Any:
    """Python's producers write NaN and Infinity, which are not JSON."""

    def note_constant(name: str) -> None:
        notes.append(Note("$", f"{name} is not JSON; read as null"))

    def parse_number(text: str) -> float | None:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            note_constant(text[:20])
            return None
        return value

    try:
        return json.loads(text, parse_constant=note_constant, parse_float=parse_number)
    except RecursionError as error:
        raise InvalidInput("nested too deeply", "$") from error
    except ValueError as error:
        raise InvalidInput(f"not JSON ({error}); one OpenLineage event, a JSON object, is accepted", "$") from error


def _check_part(parent: dict[str, Any], key: str, names: tuple[str, ...], notes: list[Note]) -> None:
    value = parent.get(key)
    if value is None:
        return
    where = f"$.{key}"
    part = _check_object(value, where, f"an object with {' and '.join(names)}")
    for name in names:
        _check_string(part, name, where, "a string")
    for name in names:
        if name != "namespace" and not part[name]:
            raise InvalidInput("an empty string; a name is needed", f"{where}.{name}")
    _repair_facets(part, where, notes)


def _repair_datasets(event: dict[str, Any], role: str, notes: list[Note]) -> None:
    datasets = event.get(role)
    if datasets is None:
        return
    if not isinstance(datasets, list):
        raise _build_error(f"$.{role}", datasets, "an array of datasets")
    kept = []
    for position, value in enumerate(datasets):
        where = f"$.{role}[{position}]"
        dataset = _check_object(value, where, "a dataset: an object with namespace and name")
        for name in ("namespace", "name"):
            _check_string(dataset, name, where, "a string")
        _repair_facets(dataset, where, notes)
        if dataset["name"]:
            kept.append(dataset)
        else:
            notes.append(Note(where, "a dataset without a name; left out"))
    event[role] = kept


def _repair_facets(part: dict[str, Any], where: str, notes: list[Note]) -> None:
    for key in _ROLES:
        facets = part.get(key)
        if facets is not None and not isinstance(facets, dict):
            notes.append(Note(f"{where}.{key}", f"{_name_kind(facets)} where an object of facets is accepted; left out"))
            del part[key]


def _check_object(value: Any, where: str, accepted: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _build_error(where, value, accepted)
    return value


def _check_string(part: dict[str, Any], name: str, where: str, accepted: str) -> None:
    if name not in part:
        raise InvalidInput(f"missing; {accepted} is needed", f"{where}.{name}")
    if not isinstance(part[name], str):
        raise _build_error(f"{where}.{name}", part[name], accepted)


def _build_error(where: str, value: Any, accepted: str) -> InvalidInput:
    return InvalidInput(f"{_name_kind(value)} was found; {accepted} is accepted", where)


def _name_kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)

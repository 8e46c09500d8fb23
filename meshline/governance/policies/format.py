"""Policies as files give them -> values that can be evaluated. Files are parsed elsewhere; here their plain values arrive with
a look-up of lines.

A policy of the user's with the id of one of the pack changes that one: what it does not say stays, `parameters` are merged
name by name, and `off: a reason` switches it off.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from meshline.errors import InvalidInput
from meshline.governance.policies.cel import MAX_LENGTH, Expression
from meshline.governance.policies.message import Message
from meshline.governance.policies.subjects import SUBJECTS
from meshline.governance.policies.subjects.shape import COMMON
from meshline.governance.rules import Verdict
from meshline.graph.model import Json

MAX_POLICIES = 500
MAX_PARAMETERS = 50
MAX_VALUES = 2_000  # of one parameter

Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
Source: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LENGTH)]
Identifier: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")]
Scalar: TypeAlias = Annotated[str, StringConstraints(max_length=1_000)] | int | float | bool
Parameter: TypeAlias = Scalar | Annotated[list[Scalar], Field(max_length=MAX_VALUES)] | dict[str, Scalar]


class Severity(enum.StrEnum):
    """How bad it is that a policy does not hold."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def verdict(self) -> Verdict:
        """What it means in a check."""
        return _VERDICTS[self]

    def lowered(self, steps: int) -> Severity:
        """That of what is not sure, for so many reasons."""
        return _ORDER[max(0, _ORDER.index(self) - steps)]


_ORDER = tuple(Severity)
_VERDICTS = {Severity.INFO: Verdict.COMPATIBLE, Severity.WARNING: Verdict.CONDITIONAL, Severity.ERROR: Verdict.BREAKING}


class Written(BaseModel):
    """What may stand in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Identifier
    title: Text | None = None
    kind: Literal[tuple(sorted(SUBJECTS))] | None = None  # type: ignore[valid-type]
    when: Source | None = None
    require: Source | None = None
    doubtful: Source | None = None
    severity: Severity | None = None
    message: Text | None = None
    documentation: Text | None = None
    parameters: Annotated[dict[Identifier | str, Parameter], Field(max_length=MAX_PARAMETERS)] = {}
    off: Text | None = None


class Given(NamedTuple):
    """A file's value; `where` gives `file:line` of a part."""

    value: Json
    where: Callable[[tuple[str | int, ...]], str]


class Policy(NamedTuple):
    """A policy. `when`: which candidates of its kind it is about; `require`: what must be true of them; `doubtful`: where what is
    wrong is not sure, so that its severity is one lower. `off`: why it is switched off; empty: it is on. `own`: whether a user's file
    makes or changes it.
    """

    id: str
    title: str
    kind: str
    when: Expression | None
    require: Expression
    doubtful: Expression | None
    severity: Severity
    message: Message
    documentation: str
    parameters: Mapping[str, Any]
    off: str = ""
    own: bool = False


def policies(pack: Iterable[Given], own: Iterable[Given] = ()) -> tuple[Policy, ...]:
    """All policies by id. Raises InvalidInput with the place of what cannot be used."""
    found: dict[str, tuple[dict[str, Any], frozenset[str], Given, tuple[str | int, ...]]] = {}
    changed: set[str] = set()
    for given in pack:
        for path, written in _written(given):
            found[written.id] = (_said(written), frozenset(written.parameters), given, path)
    for given in own:
        for path, written in _written(given):
            if written.id in changed:
                raise InvalidInput(f"the policy {written.id!r} is here twice", given.where((*path, "id")))
            changed.add(written.id)
            before = found[written.id][0] if written.id in found else {}
            found[written.id] = (_merged(before, _said(written)), frozenset(written.parameters), given, path)
    if len(found) > MAX_POLICIES:
        raise InvalidInput(f"{len(found)} policies are too many; there may be {MAX_POLICIES}")
    return tuple(_policy(*found[id_], own=id_ in changed) for id_ in sorted(found))


def _written(given: Given) -> Iterable[tuple[tuple[str | int, ...], Written]]:
    """The policies of a file: one, or those under the key `policies`."""
    value = given.value
    if isinstance(value, dict) and "policies" in value:
        listed = value["policies"]
        if len(value) > 1 or not isinstance(listed, list):
            raise InvalidInput("a file holds one policy, or the key `policies` with a list of them and no other key", given.where(()))
        places: Sequence[tuple[tuple[str | int, ...], Json]] = [(("policies", i), one) for i, one in enumerate(listed)]
    else:
        places = [((), value)]
    for path, one in places:
        try:
            yield path, Written.model_validate(one)
        except ValidationError as error:
            raise _refusal(error, given, path) from error


def _refusal(error: ValidationError, given: Given, path: tuple[str | int, ...]) -> InvalidInput:
    first = error.errors(include_url=False)[0]
    place = tuple(part for part in first["loc"] if not isinstance(part, str) or part in Written.model_fields)
    name = str(first["loc"][0]) if first["loc"] else ""
    accepted = ", ".join(Written.model_fields)
    message = f"unknown key; accepted: {accepted}" if first["type"] == "extra_forbidden" else first["msg"]
    return InvalidInput(f"{name}: {message}" if name else message, given.where((*path, *place)))


def _said(written: Written) -> dict[str, Any]:
    return {name: getattr(written, name) for name in written.model_fields_set}


def _merged(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    known, given = before.get("parameters", {}), said.get("parameters", {})
    return {**before, **said, "parameters": {**known, **given}}


def _policy(said: Mapping[str, Any], written: frozenset[str], given: Given, path: tuple[str | int, ...], *, own: bool) -> Policy:
    """`written`: the parameters that the file gives, without those of a policy that it changes."""
    id_ = said["id"]
    for key in ("kind", "require", "severity", "message"):
        if said.get(key) is None:
            raise InvalidInput(f"{key} is missing; the policy {id_!r} is none of the pack, so it needs one", given.where(path))
    subject = SUBJECTS[said["kind"]]
    fields = (*COMMON, *subject.fields)
    unknown = [name for name in said.get("parameters", {}) if not str(name).isidentifier()]
    if unknown:
        raise InvalidInput(f"parameters: {unknown[0]!r} is no name; accepted are letters, digits and _", given.where((*path, "parameters")))

    parameters = {**subject.parameters, **said.get("parameters", {})}

    def expression(key: str) -> Expression | None:
        source = said.get(key)
        if source is None:
            return None
        found = Expression(source, fields, f"{id_}: {key}", given.where((*path, key)))
        for name in found.parameters:
            if name not in parameters:
                raise InvalidInput(f"{id_}: {key}: there is no parameter {name!r}", given.where((*path, key)))
        return found

    require, when, doubtful = expression("require"), expression("when"), expression("doubtful")
    assert require is not None
    expressions = [one for one in (require, when, doubtful) if one is not None]
    used = {*subject.parameters, *(name for one in expressions for name in one.parameters)}
    unused = [] if any(one.may_read_any_parameter for one in expressions) else sorted(written - used)
    if unused:
        accepted = f"accepted: {', '.join(sorted(used))}" if used else "it has none"
        raise InvalidInput(
            f"{id_}: nothing in the policy reads the parameter {unused[0]!r}; {accepted}", given.where((*path, "parameters", unused[0]))
        )
    return Policy(
        id=id_,
        title=said.get("title") or id_,
        kind=said["kind"],
        when=when,
        require=require,
        doubtful=doubtful,
        severity=said["severity"],
        message=Message(said["message"], (*fields, *subject.late), f"{id_}: message", given.where((*path, "message"))),
        documentation=said.get("documentation") or "",
        parameters=parameters,
        off=said.get("off") or "",
        own=own,
    )

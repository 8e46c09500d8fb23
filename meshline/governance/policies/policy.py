"""Builds policies that can be evaluated from the plain values of files. Files are parsed elsewhere; a value comes with a look-up of lines.

A user's policy with the id of one of the pack changes that one: keys that it does not state stay, `parameters` are merged name by
name, and `off: a reason` switches it off.

Expressions are CEL (https://cel.dev), compiled once and evaluated for each candidate. They read only their fields: no clock,
no functions beyond those of the language. Regular expressions take linear time (they are Rust's), and comprehensions are few, so that
an expression is fast on a candidate's short lists. Messages are sentences with `{fields}` filled in.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from meshline.errors import InvalidInput, MeshlineError
from meshline.governance.policies import consumption_subject, reading_subject
from meshline.governance.policies import personal_data_exposure as exposure
from meshline.governance.policies.commitment_subjects import CHANGE, CONTRACT, PRODUCT, PROMISE
from meshline.governance.policies.dataset_subjects import CATALOG_BYPASS, COPY, DATASET_SUBJECT
from meshline.governance.policies.subject import COMMON, Subject
from meshline.governance.rules import Verdict
from meshline.graph.model import Json

# What policies can be about, by kind.
SUBJECTS: Mapping[str, Subject] = {
    one.kind: one
    for one in (
        PRODUCT,
        CONTRACT,
        PROMISE,
        consumption_subject.SUBJECT,
        exposure.SUBJECT,
        exposure.COLUMN,
        reading_subject.SUBJECT,
        DATASET_SUBJECT,
        COPY,
        CATALOG_BYPASS,
        CHANGE,
    )
}

_PARAMETERS = re.compile(r"\bparameters\b")
_PARAMETER = re.compile(r"\bparameters\.([A-Za-z_]\w*)")

MAX_LENGTH = 2_000  # characters
MAX_COMPREHENSIONS = 3
_COMPREHENSION = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)?")


class Expression:
    """A condition over named fields. `what`: its place, for messages (`pii-unmasked: require`)."""

    def __init__(self, source: str, fields: Collection[str], what: str, where: str = "") -> None:
        """Raises InvalidInput if the source is not CEL, is too long, or names an unknown field."""
        import cel  # noqa: PLC0415 - the import takes half a second, which only policies need

        self._what, self._where = what, where
        bound = _COMPREHENSION.findall(source)
        if len(source) > MAX_LENGTH:
            raise self._build_error(f"{len(source)} characters are too many; an expression may have {MAX_LENGTH}")
        if len(bound) > MAX_COMPREHENSIONS:
            raise self._build_error(f"{len(bound)} comprehensions are too many; an expression may have {MAX_COMPREHENSIONS}")
        try:
            self._program = cel.compile(source)
        except Exception as error:
            raise self._build_error(f"this is not CEL: {_get_first_line(error)}") from error
        self.fields: tuple[str, ...] = tuple(name for name in self._program.variables() if name in fields)
        named = _PARAMETER.findall(source)
        self.parameters: tuple[str, ...] = tuple(named)
        # If all are named, only these are passed: each costs time at every evaluation.
        self._parameters = frozenset(named) if named and len(named) == len(_PARAMETERS.findall(source)) else None
        self.may_read_any_parameter = self._parameters is None and _PARAMETERS.search(source) is not None  # `parameters[name]`
        unknown = [name for name in self._program.variables() if name not in fields and name not in bound]
        if unknown:
            raise self._build_error(f"{unknown[0]} is no field here; accepted are {', '.join(sorted(fields))}")

    def is_true(self, fields: Mapping[str, Any]) -> bool:
        """Raises InvalidInput if it cannot be evaluated, or is neither true nor false; and what reading the fields raises."""
        try:
            given = {name: fields[name] for name in self.fields}
            if self._parameters is not None:
                given["parameters"] = {name: value for name, value in fields["parameters"].items() if name in self._parameters}
            found = self._program.execute(given)
        except MeshlineError:  # fields are read on demand, and the store may fail
            raise
        except Exception as error:
            raise self._build_error(
                f"it cannot be evaluated for {fields.get('name', 'a candidate')!r}: {_get_first_line(error)}"
            ) from error
        if not isinstance(found, bool):
            raise self._build_error(f"it gives {found!r}; accepted is true or false")
        return found

    def _build_error(self, message: str) -> InvalidInput:
        return InvalidInput(f"{self._what}: {message}", self._where)


def _get_first_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r}"
    return str(error).split("\n", 1)[0][:300]


_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.([A-Za-z0-9_]+))?\}")
_NOTHING = "unknown"


class Message:
    """A sentence with `{fields}`. Late fields keep a mark until `fill_late_fields`."""

    def __init__(self, text: str, fields: Collection[str], what: str, where: str = "") -> None:
        """Raises InvalidInput for an unknown field."""
        self.text = text
        for name, _ in _FIELD.findall(text):
            if name not in fields:
                raise InvalidInput(f"{what}: {{{name}}} is no field here; accepted are {', '.join(sorted(fields))}", where)

    def fill(self, fields: Mapping[str, Any], late: Collection[str] = ()) -> str:
        """The sentence, with marks in place of late fields."""
        return _FIELD.sub(lambda match: f"\0{match[1]}\0" if match[1] in late else _format_field(match, fields), self.text)


def fill_late_fields(text: str, later: Mapping[str, str]) -> str:
    """Replace the marks of late fields."""
    for name, value in later.items():
        text = text.replace(f"\0{name}\0", value)
    return text


def _format_field(match: re.Match[str], fields: Mapping[str, Any]) -> str:
    value = fields[match[1]]
    if match[2]:
        value = value.get(match[2]) if isinstance(value, Mapping) else None
    return format_value(value)


def format_value(value: object) -> str:
    """A value in a sentence."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return str(value["text"]) if "text" in value else ", ".join(f"{name} {format_value(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(format_value(one) for one in value) or "none"
    return str(value).replace("\0", "")


MAX_POLICIES = 500
MAX_PARAMETERS = 50
MAX_VALUES = 2_000  # of one parameter

Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
Source: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LENGTH)]
Identifier: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")]
Scalar: TypeAlias = Annotated[str, StringConstraints(max_length=1_000)] | int | float | bool
Parameter: TypeAlias = Scalar | Annotated[list[Scalar], Field(max_length=MAX_VALUES)] | dict[str, Scalar]


class Severity(enum.StrEnum):
    """How severe a violation of a policy is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def verdict(self) -> Verdict:
        """The verdict of a violation in a check."""
        return _VERDICTS[self]

    def lower_by(self, steps: int) -> Severity:
        """The severity of an uncertain violation: one step lower for each reason."""
        return _ORDER[max(0, _ORDER.index(self) - steps)]


_ORDER = tuple(Severity)
_VERDICTS = {Severity.INFO: Verdict.COMPATIBLE, Severity.WARNING: Verdict.CONDITIONAL, Severity.ERROR: Verdict.BREAKING}


class PolicyEntry(BaseModel):
    """The keys of a policy in a file."""

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


class PolicyFile(NamedTuple):
    """The value of a file; `where` gives `file:line` of a part."""

    value: Json
    where: Callable[[tuple[str | int, ...]], str]


class Policy(NamedTuple):
    """A policy. `when`: to which candidates of its kind it applies; `require`: what must be true of them; `doubtful`: when a violation is
    uncertain, so that its severity is one step lower. `off`: why it is switched off; empty: it is on. `own`: whether a user's file
    defines or changes it.
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


def parse_policies(pack: Iterable[PolicyFile], own: Iterable[PolicyFile] = ()) -> tuple[Policy, ...]:
    """All policies, sorted by id. Raises InvalidInput with the place of a part that cannot be used."""
    found: dict[str, tuple[dict[str, Any], frozenset[str], PolicyFile, tuple[str | int, ...]]] = {}
    changed: set[str] = set()
    for given in pack:
        for path, written in _parse_file(given):
            found[written.id] = (_get_stated(written), frozenset(written.parameters), given, path)
    for given in own:
        for path, written in _parse_file(given):
            if written.id in changed:
                raise InvalidInput(f"the policy {written.id!r} is defined twice", given.where((*path, "id")))
            changed.add(written.id)
            before = found[written.id][0] if written.id in found else {}
            found[written.id] = (_merge_policies(before, _get_stated(written)), frozenset(written.parameters), given, path)
    if len(found) > MAX_POLICIES:
        raise InvalidInput(f"{len(found)} policies are too many; there may be {MAX_POLICIES}")
    return tuple(_build_policy(*found[id_], own=id_ in changed) for id_ in sorted(found))


def _parse_file(given: PolicyFile) -> Iterable[tuple[tuple[str | int, ...], PolicyEntry]]:
    """The policies of a file: one, or those under the key `policies`."""
    value = given.value
    if isinstance(value, dict) and "policies" in value:
        listed = value["policies"]
        if len(value) > 1 or not isinstance(listed, list):
            raise InvalidInput("a file contains one policy, or the key `policies` with a list of them and no other key", given.where(()))
        places: Sequence[tuple[tuple[str | int, ...], Json]] = [(("policies", i), one) for i, one in enumerate(listed)]
    else:
        places = [((), value)]
    for path, one in places:
        try:
            yield path, PolicyEntry.model_validate(one)
        except ValidationError as error:
            raise _build_error(error, given, path) from error


def _build_error(error: ValidationError, given: PolicyFile, path: tuple[str | int, ...]) -> InvalidInput:
    first = error.errors(include_url=False)[0]
    place = tuple(part for part in first["loc"] if not isinstance(part, str) or part in PolicyEntry.model_fields)
    name = str(first["loc"][0]) if first["loc"] else ""
    accepted = ", ".join(PolicyEntry.model_fields)
    message = f"unknown key; accepted: {accepted}" if first["type"] == "extra_forbidden" else first["msg"]
    return InvalidInput(f"{name}: {message}" if name else message, given.where((*path, *place)))


def _get_stated(written: PolicyEntry) -> dict[str, Any]:
    return {name: getattr(written, name) for name in written.model_fields_set}


def _merge_policies(before: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    known, given = before.get("parameters", {}), stated.get("parameters", {})
    return {**before, **stated, "parameters": {**known, **given}}


def _build_policy(
    stated: Mapping[str, Any], written: frozenset[str], given: PolicyFile, path: tuple[str | int, ...], *, own: bool
) -> Policy:
    """`written`: the names of the parameters in the file itself, without those of the policy that it changes."""
    id_ = stated["id"]
    for key in ("kind", "require", "severity", "message"):
        if stated.get(key) is None:
            raise InvalidInput(f"{key} is missing; the policy {id_!r} is none of the pack, so it needs one", given.where(path))
    subject = SUBJECTS[stated["kind"]]
    fields = (*COMMON, *subject.fields)
    unknown = [name for name in stated.get("parameters", {}) if not str(name).isidentifier()]
    if unknown:
        raise InvalidInput(f"parameters: {unknown[0]!r} is no name; accepted are letters, digits and _", given.where((*path, "parameters")))

    parameters = {**subject.parameters, **stated.get("parameters", {})}

    def compile_expression(key: str) -> Expression | None:
        source = stated.get(key)
        if source is None:
            return None
        found = Expression(source, fields, f"{id_}: {key}", given.where((*path, key)))
        for name in found.parameters:
            if name not in parameters:
                raise InvalidInput(f"{id_}: {key}: there is no parameter {name!r}", given.where((*path, key)))
        return found

    require, when, doubtful = compile_expression("require"), compile_expression("when"), compile_expression("doubtful")
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
        title=stated.get("title") or id_,
        kind=stated["kind"],
        when=when,
        require=require,
        doubtful=doubtful,
        severity=stated["severity"],
        message=Message(stated["message"], (*fields, *subject.late), f"{id_}: message", given.where((*path, "message"))),
        documentation=stated.get("documentation") or "",
        parameters=parameters,
        off=stated.get("off") or "",
        own=own,
    )

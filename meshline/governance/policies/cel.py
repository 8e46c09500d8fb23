"""Expressions of policies in CEL (https://cel.dev): compiled once, evaluated for each candidate.

Nothing is there but the fields that are given: no clock, no functions beyond those of the language. Regular expressions take
linear time (they are Rust's), and comprehensions are few, so that an expression ends soon on a candidate's short lists.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from meshline.errors import InvalidInput, MeshlineError

_PARAMETERS = re.compile(r"\bparameters\b")
_PARAMETER = re.compile(r"\bparameters\.([A-Za-z_]\w*)")

MAX_LENGTH = 2_000  # characters
MAX_COMPREHENSIONS = 3
_COMPREHENSION = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)?")


class Expression:
    """A condition over named fields. `what`: where it stands, in messages (`pii-unmasked: require`)."""

    def __init__(self, source: str, fields: Collection[str], what: str, where: str = "") -> None:
        """Raises InvalidInput for what is no CEL, is too long, or names what is no field."""
        import cel  # noqa: PLC0415 - half a second, for who has policies

        self._what, self._where = what, where
        bound = _COMPREHENSION.findall(source)
        if len(source) > MAX_LENGTH:
            raise self._refusal(f"{len(source)} characters are too many; an expression may have {MAX_LENGTH}")
        if len(bound) > MAX_COMPREHENSIONS:
            raise self._refusal(f"{len(bound)} comprehensions are too many; an expression may have {MAX_COMPREHENSIONS}")
        try:
            self._program = cel.compile(source)
        except Exception as error:
            raise self._refusal(f"this is no CEL: {_first_line(error)}") from error
        self.fields: tuple[str, ...] = tuple(name for name in self._program.variables() if name in fields)
        named = _PARAMETER.findall(source)
        self.parameters: tuple[str, ...] = tuple(named)
        # Where all of them are named, only these are given: each costs something at every evaluation.
        self._parameters = frozenset(named) if named and len(named) == len(_PARAMETERS.findall(source)) else None
        self.may_read_any_parameter = self._parameters is None and _PARAMETERS.search(source) is not None  # `parameters[name]`
        unknown = [name for name in self._program.variables() if name not in fields and name not in bound]
        if unknown:
            raise self._refusal(f"{unknown[0]} is no field here; accepted are {', '.join(sorted(fields))}")

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """Raises InvalidInput if it cannot be evaluated, or is neither true nor false; and what reading the fields raises."""
        try:
            given = {name: fields[name] for name in self.fields}
            if self._parameters is not None:
                given["parameters"] = {name: value for name, value in fields["parameters"].items() if name in self._parameters}
            found = self._program.execute(given)
        except MeshlineError:  # fields are read as they are asked for, and the store may not answer
            raise
        except Exception as error:
            raise self._refusal(f"it cannot be evaluated for {fields.get('name', 'a candidate')!r}: {_first_line(error)}") from error
        if not isinstance(found, bool):
            raise self._refusal(f"it gives {found!r}; accepted is true or false")
        return found

    def _refusal(self, message: str) -> InvalidInput:
        return InvalidInput(f"{self._what}: {message}", self._where)


def _first_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r}"
    return str(error).split("\n", 1)[0][:300]

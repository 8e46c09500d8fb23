"""Secrets of sources: `${NAME}` in what a mesh file or a command gives is the value of the variable NAME. Reads no environment itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from meshline.errors import InvalidInput

Variables: TypeAlias = Callable[[str], str | None]  # the value of a variable of the environment by its name; None if it is not set

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def expanded(text: str, where: str, variables: Variables) -> str:
    """The text with its variables' values. Raises InvalidInput that names the variable, never a value."""

    def value(match: re.Match[str]) -> str:
        found = variables(match[1])
        if found is None:
            raise InvalidInput(f"the environment has no {match[1]}", where)
        return found

    return _VARIABLE.sub(value, text)

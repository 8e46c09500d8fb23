"""Secrets of sources: `${NAME}` in what a mesh file or a command gives is the environment's NAME. Nothing else here reads it."""

from __future__ import annotations

import os
import re

from meshline.errors import InvalidInput

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def expanded(text: str, where: str) -> str:
    """The text with its variables' values. Raises InvalidInput that names the variable, never a value."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise InvalidInput(f"the environment has no {match[1]}", where)
        return found

    return _VARIABLE.sub(value, text)

"""Secrets of sources: `${NAME}` is replaced by the value of a variable, and secret values are kept out of messages.

No function here reads the environment: callers hand the variables in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, Union
from urllib.parse import urlsplit

from meshline.errors import InvalidInput

Variables: TypeAlias = Callable[[str], str | None]  # the value of a variable of the environment by its name; None if it is not set

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def expand_variables(text: str, where: str, variables: Variables) -> str:
    """The text with every `${NAME}` replaced. Raises InvalidInput that names the variable, never a value."""

    def get_value(match: re.Match[str]) -> str:
        found = variables(match[1])
        if found is None:
            raise InvalidInput(f"the environment variable {match[1]} is not set", where)
        return found

    return _VARIABLE.sub(get_value, text)


def expand_keys(written: Mapping[str, str], variables: Variables) -> tuple[dict[str, str], Redaction]:
    """The values of a source's keys with every `${NAME}` replaced, and what keeps the secret ones out of messages.

    Raises InvalidInput that names a variable that is not set.
    """
    values = {key: expand_variables(text, key, variables) for key, text in written.items()}
    return values, Redaction(written, values)


Properties: TypeAlias = dict[str, Union[str, int, float, bool, "Properties"]]

MAX_MESSAGE = 300  # characters of a server's message that are shown

_SECRET = re.compile(r"secret|password|token|credential|access-key|session|private|authorization|api-?key", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@\s]+@")


def expand_properties(properties: Properties, variables: Variables, where: str = "properties") -> Properties:
    """The properties with every `${NAME}` replaced. Raises InvalidInput that names a variable that is not set."""
    return {name: _expand_value(value, variables, f"{where}.{name}") for name, value in properties.items()}


def expand_options(options: Mapping[str, str], variables: Variables, where: str) -> dict[str, str]:
    """The options with every `${NAME}` replaced. `where`: their key. Raises InvalidInput that names a variable that is not set."""
    return {name: expand_variables(text, f"{where}.{name}", variables) for name, text in options.items()}


def _expand_value(
    value: str | float | bool | Properties,  # noqa: FBT001
    variables: Variables,
    where: str,
) -> str | int | float | bool | Properties:
    if isinstance(value, dict):
        return expand_properties(value, variables, where)
    return expand_variables(value, where, variables) if isinstance(value, str) else value


class Redaction:
    """Replaces secrets in texts by `***`: values that came from the environment, or whose names mark them as secret."""

    def __init__(self, written: Mapping[str, object], properties: Mapping[str, object]) -> None:
        """`written`: the properties before `${NAME}` was replaced."""
        self._secrets = sorted({text for text in _collect_secrets(written, properties) if len(text) >= 4}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(_USER.sub("***@", text).split())
        return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"


def _collect_secrets(written: Mapping[str, object], properties: Mapping[str, object]) -> Iterator[str]:
    for name, value in properties.items():
        before = written.get(name)
        if isinstance(value, Mapping):
            yield from _collect_secrets(before if isinstance(before, Mapping) else {}, value)
        elif isinstance(value, str):
            if value != before or _SECRET.search(name):
                yield value
            if name == "credential":  # client:secret
                yield value.partition(":")[2]
            if (password := _find_password(value)) is not None:
                yield password


def _find_password(text: str) -> str | None:
    try:
        return urlsplit(text).password
    except ValueError:
        return None

"""Messages of policies: sentences with `{fields}` filled in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from meshline.errors import InvalidInput

_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)(?:\.([A-Za-z0-9_]+))?\}")
_NOTHING = "unknown"


class Message:
    """A sentence. Fields that are known only later stay as they are written until they are (`finished`)."""

    def __init__(self, text: str, fields: Collection[str], what: str, where: str = "") -> None:
        """Raises InvalidInput for a field that there is not."""
        self.text = text
        for name, _ in _FIELD.findall(text):
            if name not in fields:
                raise InvalidInput(f"{what}: {{{name}}} is no field here; accepted are {', '.join(sorted(fields))}", where)

    def filled(self, fields: Mapping[str, Any], late: Collection[str] = ()) -> str:
        """The sentence, with marks in place of the fields that come later."""
        return _FIELD.sub(lambda match: f"\0{match[1]}\0" if match[1] in late else _value(match, fields), self.text)


def finished(text: str, later: Mapping[str, str]) -> str:
    """A filled text with what is known only later."""
    for name, value in later.items():
        text = text.replace(f"\0{name}\0", value)
    return text


def _value(match: re.Match[str], fields: Mapping[str, Any]) -> str:
    value = fields[match[1]]
    if match[2]:
        value = value.get(match[2]) if isinstance(value, Mapping) else None
    return spoken(value)


def spoken(value: object) -> str:
    """A value as people read it."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return str(value["text"]) if "text" in value else ", ".join(f"{name} {spoken(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(spoken(one) for one in value) or "none"
    return str(value).replace("\0", "")

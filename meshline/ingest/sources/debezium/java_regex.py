"""Regular expressions from connector configs: Java's, matched within bounds of time.

An expression of a stranger may take for ever. Refused is what can: a group that is repeated, and more
than a few repetitions; names are bounded, and so is the time for all of a reading.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from meshline.errors import InvalidInput

MAX_LENGTH = 1_000  # characters of an expression
MAX_REPEATS = 4  # of `*`, `+`, `{n,}`: the time grows with this power of a name's length
MAX_OPTIONS = 16  # of `?`, `{n}`
MAX_NAME = 250  # characters; Kafka's topics have at most 249
MAX_SECONDS = 10.0  # for all matching of a reading

_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\\])*?\]|\(\?|.", re.DOTALL)
_COUNT = re.compile(r"\{[0-9]+(,[0-9]*)?\}")
_JAVA_GROUP = re.compile(r"\(\?<(?=[A-Za-z])")
_JAVA_REFERENCE = re.compile(r"\\(.)|\$([0-9]+)|\$\{([A-Za-z][A-Za-z0-9]*)\}", re.DOTALL)


class Matcher:
    """Matches whole names, whatever the case; and counts the time that this took."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._seconds = self._left = seconds

    def matches(self, pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
        """Raises InvalidInput if matching took too long altogether."""
        if len(name) > MAX_NAME:
            return None
        if self._left <= 0:
            raise InvalidInput(f"its regular expressions take more than {self._seconds:g} seconds to match; make them simpler")
        begun = time.perf_counter()
        found = pattern.fullmatch(name)
        self._left -= time.perf_counter() - begun
        return found


def compile_regex(text: str, where: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """Raises InvalidInput at `where`."""
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"a regular expression of {len(text)} characters; accepted are {MAX_LENGTH}", where)
    _check_repeats(text, where)
    try:
        return re.compile(_JAVA_GROUP.sub("(?P<", text), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(f"'{text}' is no regular expression that is understood here ({error})", where) from error


def _check_repeats(text: str, where: str) -> None:
    repeats = options = 0
    before, at = "", 0
    while at < len(text):
        counted = _COUNT.match(text, at)
        sign = counted[0] if counted else _TOKEN.match(text, at)[0]  # type: ignore[index]  # `.` matches any
        is_repeat = sign in ("*", "+") or bool(counted and counted[0].endswith(",}"))
        is_option = sign == "?" or (counted is not None and not is_repeat)
        if (is_repeat or counted) and before == ")":
            raise InvalidInput(f"'{text}' repeats a group, which may take for ever; accepted are repeated characters such as [a-z]*", where)
        repeats, options = repeats + is_repeat, options + (is_option and before not in ("*", "+", "?"))
        before, at = sign, at + len(sign)
    if repeats > MAX_REPEATS or options > MAX_OPTIONS:
        raise InvalidInput(f"'{text}' has more than {MAX_REPEATS} repetitions or {MAX_OPTIONS} options", where)


def expand_replacement(match: re.Match[str], replacement: str, where: str) -> str:
    """What Java makes of a replacement with `$1`, `${name}`. Raises InvalidInput at `where`."""

    def expand_reference(reference: re.Match[str]) -> str:
        escaped, number, name = reference.groups()
        return str(escaped) if escaped is not None else match[int(number) if number is not None else str(name)] or ""

    try:
        return _JAVA_REFERENCE.sub(expand_reference, replacement)
    except IndexError as error:
        raise InvalidInput(f"{replacement!r} names a group that the expression does not have", where) from error


def split_list(text: str) -> Iterator[str]:
    """The parts of a comma-separated list; `\\,` is a comma within a part, as is one in braces (`{1,3}`)."""
    part, depth, escaped = "", 0, False
    for character in text:
        depth += 0 if escaped else (character == "{") - (character == "}")
        if character == "," and not escaped and depth <= 0:
            yield from _strip_part(part)
            part, depth = "", 0
        else:
            part = part[:-1] + "," if character == "," and escaped else part + character
        escaped = character == "\\" and not escaped
    yield from _strip_part(part)


def _strip_part(part: str) -> Iterator[str]:
    if stripped := part.strip():
        yield stripped


_PLAIN = re.compile(r"(?:[^\\.\[\]{}()*+?^$|]|\.|\\[^A-Za-z0-9])+")


def parse_plain_name(text: str) -> str | None:
    """The one name that an expression means, if it is written as a name (`public.orders`, `public\\.orders`)."""
    return re.sub(r"\\(.)", r"\1", text) if _PLAIN.fullmatch(text) else None

"""Regular expressions from connector configs: Java's, matched within bounds of time.

An expression from outside may take for ever to match. Expressions that can are refused: those with a repeated group, or with
more than a few repetitions. The length of names and the time of a whole reading are limited too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from meshline.errors import InvalidInput

MAX_LENGTH = 1_000  # characters of an expression
MAX_REPEATS = 4  # of `*`, `+`, `{n,}`; the time grows with the length of a name to this power
MAX_OPTIONS = 16  # of `?`, `{n}`
MAX_NAME = 250  # characters; Kafka's topics have at most 249
MAX_SECONDS = 10.0  # for all matching of a reading

_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\\])*?\]|\(\?|.", re.DOTALL)
_COUNT = re.compile(r"\{[0-9]+(,[0-9]*)?\}")
_JAVA_GROUP = re.compile(r"\(\?<(?=[A-Za-z])")
_JAVA_REFERENCE = re.compile(r"\\(.)|\$([0-9]+)|\$\{([A-Za-z][A-Za-z0-9]*)\}", re.DOTALL)


class Matcher:
    """Matches whole names, and limits the time that all matching takes together."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._seconds = self._left = seconds

    def matches(self, pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
        """The match of a whole name, or None. Raises InvalidInput if all matching together took too long."""
        if len(name) > MAX_NAME:
            return None
        if self._left <= 0:
            raise InvalidInput(f"its regular expressions take more than {self._seconds:g} seconds to match; make them simpler")
        begun = time.perf_counter()
        found = pattern.fullmatch(name)
        self._left -= time.perf_counter() - begun
        return found


def compile_regex(text: str, where: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """Compile an expression. Raises InvalidInput at `where`."""
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"the regular expression has {len(text)} characters; at most {MAX_LENGTH} are accepted", where)
    _check_repeats(text, where)
    try:
        return re.compile(_JAVA_GROUP.sub("(?P<", text), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(f"'{text}' is not a regular expression that can be compiled ({error})", where) from error


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
    """A replacement with its `$1` and `${name}` expanded as in Java. Raises InvalidInput at `where`."""

    def expand_reference(reference: re.Match[str]) -> str:
        escaped, number, name = reference.groups()
        return str(escaped) if escaped is not None else match[int(number) if number is not None else str(name)] or ""

    try:
        return _JAVA_REFERENCE.sub(expand_reference, replacement)
    except IndexError as error:
        raise InvalidInput(f"{replacement!r} names a group that the expression does not have", where) from error


def split_list(text: str) -> Iterator[str]:
    """The parts of a comma-separated list. A comma after a backslash or in braces (`{1,3}`) belongs to a part."""
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
    """The only name that an expression matches, if it is written as a name (`public.orders`, `public\\.orders`); else None."""
    return re.sub(r"\\(.)", r"\1", text) if _PLAIN.fullmatch(text) else None

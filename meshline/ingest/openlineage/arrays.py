"""A JSON array of events, taken apart without reading the events: what is wrong in one is no matter of the others."""

from __future__ import annotations

import re

import msgspec

from meshline.errors import InvalidInput

_whole = msgspec.json.Decoder(list[msgspec.Raw])
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{},]', re.DOTALL)


def events_of(array: bytes) -> list[bytes]:
    """The text of each element. Raises InvalidInput if it cannot be told where they begin and end."""
    try:
        return [bytes(event) for event in _whole.decode(array)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        found = _parted(array.removeprefix(_BYTE_ORDER_MARK).strip())
        if found is None:
            raise InvalidInput(f"no JSON array of events: {error}", "$") from error
        return found


def _parted(array: bytes) -> list[bytes] | None:
    """By commas and brackets outside of strings: Python's producers write NaN, and a text cut short may hold half a character."""
    if not array.startswith(b"["):
        return None
    result: list[bytes] = []
    depth, begin = 0, 1
    for token in _TOKEN.finditer(array):
        sign = token[0]
        if sign in (b"[", b"{"):
            depth += 1
        elif sign in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                last = array[begin : token.start()].strip()
                whole = sign == b"]" and token.end() == len(array)
                return [*result, *([last] if last or result else [])] if whole else None
        elif sign == b"," and depth == 1:
            result.append(array[begin : token.start()].strip())
            begin = token.end()
    return None

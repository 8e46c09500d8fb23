"""Inner functions of kernels: MessagePack, as far as contents use it.

`buffer`: uint8, one-dimensional; `at`: the position of a value in it. Strings and whole values must end at or before the end of the
content (`end`), or are Malformed. Numbers and lengths of arrays and maps are read without this check: a caller that reads several of
them begins before `end`, and `decode.PADDING` is longer than they can be together.
"""

from __future__ import annotations

from meshline.graph.index.arrays import NONE, U8
from meshline.graph.index.kernels.jit import register_inner


class Malformed(Exception):
    """Bytes that are no content."""


@register_inner
def read_big_endian(buffer: U8, at: int, size: int) -> int:
    """The unsigned big-endian integer of `size` bytes."""
    value = 0
    for i in range(size):
        value = (value << 8) | int(buffer[at + i])
    return value


@register_inner
def read_integer(buffer: U8, at: int) -> tuple[int, int]:
    """(value, position after it). Negative integers are read as NONE, the only one that contents use."""
    head = int(buffer[at])
    if head < 0x80:
        return head, at + 1
    if head >= 0xE0:
        return NONE, at + 1
    if 0xCC <= head <= 0xCF:
        size = 1 << (head - 0xCC)
        return read_big_endian(buffer, at + 1, size), at + 1 + size
    if 0xD0 <= head <= 0xD3:
        return NONE, at + 1 + (1 << (head - 0xD0))
    raise Malformed


@register_inner
def read_length(buffer: U8, at: int, fixed: int, most: int, wide: int) -> tuple[int, int]:
    """(length of an array or map, position after it). `fixed`, `most`: its short heads; `wide`: the head for 16 bits, `wide` + 1 for 32."""
    head = int(buffer[at])
    if fixed <= head < fixed + most:
        return head - fixed, at + 1
    if head == wide:
        return read_big_endian(buffer, at + 1, 2), at + 3
    if head == wide + 1:
        return read_big_endian(buffer, at + 1, 4), at + 5
    raise Malformed


@register_inner
def read_array_length(buffer: U8, at: int) -> tuple[int, int]:
    """(length of an array, position of its first item)."""
    return read_length(buffer, at, 0x90, 16, 0xDC)


@register_inner
def read_map_length(buffer: U8, at: int) -> tuple[int, int]:
    """(number of entries of a map, position of its first key)."""
    return read_length(buffer, at, 0x80, 16, 0xDE)


@register_inner
def read_text(buffer: U8, at: int, end: int) -> tuple[int, int]:
    """(begin, end) of the bytes of a string; the next value begins at `end`."""
    head = int(buffer[at])
    if 0xA0 <= head < 0xC0:
        begin, size = at + 1, head - 0xA0
    elif 0xD9 <= head <= 0xDB:
        width = 1 << (head - 0xD9)
        begin, size = at + 1 + width, read_big_endian(buffer, at + 1, width)
    else:
        raise Malformed
    if begin + size > end:
        raise Malformed
    return begin, begin + size


@register_inner
def check_end(at: int, end: int) -> int:
    """The position `at`; Malformed if it is after `end`."""
    if at > end:
        raise Malformed
    return at


@register_inner
def skip_value(buffer: U8, at: int, end: int) -> int:
    """The position after the value at `at`."""
    left = 1
    while left > 0:
        if at >= end:
            raise Malformed
        left -= 1
        head = int(buffer[at])
        if head < 0x80 or head >= 0xE0 or 0xC0 <= head <= 0xC3:
            at += 1
        elif head < 0x90 or head in (0xDE, 0xDF):
            size, at = read_map_length(buffer, at)
            left += 2 * size
        elif head < 0xA0 or head in (0xDC, 0xDD):
            size, at = read_array_length(buffer, at)
            left += size
        elif head < 0xC0 or 0xD9 <= head <= 0xDB:
            at = read_text(buffer, at, end)[1]
        elif 0xC4 <= head <= 0xC6:
            width = 1 << (head - 0xC4)
            at += 1 + width + read_big_endian(buffer, at + 1, width)
        elif head in (0xCA, 0xCB):
            at += 1 + (4 << (head - 0xCA))
        elif 0xCC <= head <= 0xD3:
            at += 1 + (1 << ((head - 0xCC) & 3))
        else:
            raise Malformed
    return check_end(at, end)

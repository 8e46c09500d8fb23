"""What is wrong with a text that is no JSON, and where."""

from __future__ import annotations

import re

import msgspec

from meshline.errors import InvalidInput

_AT = re.compile(r"\s*\(byte (\d+)\)")


def not_json(error: Exception, data: bytes, file: str) -> InvalidInput:
    """An error of msgspec in the words of a reader, with `file:line:column`."""
    if isinstance(error, RecursionError):
        return InvalidInput("this is no JSON that can be read: it is nested too deeply", file)
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput(f"this is no JSON: byte 0x{data[error.start]:02x} is no UTF-8", _place(data, error.start, file))
    message = str(error)
    found = _AT.search(message)
    if found is not None:
        return InvalidInput(
            f"this is no JSON: {_AT.sub('', message).removeprefix('JSON is malformed: ')}", _place(data, int(found[1]), file)
        )
    if isinstance(error, msgspec.DecodeError) and "truncated" in message:
        ends = "ends in the middle of a value" if data.strip() else "is empty"
        return InvalidInput(f"this is no JSON: the file {ends}", _place(data, len(data.rstrip()), file))
    return InvalidInput(f"this is no JSON: {message}", file)


def _place(data: bytes, at: int, file: str) -> str:
    before = data[:at]
    newline = b"\n"
    return f"{file}:{before.count(newline) + 1}:{len(before) - before.rfind(newline)}"

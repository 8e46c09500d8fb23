"""Makes msgspec's types ready for threads.

msgspec looks a Struct's fields up when the type is first decoded, and shows the unfinished result to other threads: if two of them meet a
type for the first time together, the process ends with a segmentation fault (msgspec 0.22). A type that was met before is safe.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import msgspec

_turn = threading.Lock()


def prepare_struct_types() -> None:
    """Meet every Struct that is imported, so that any thread may decode it. To be called before threads begin; takes ten milliseconds."""
    with _turn:
        for type_ in _iterate_subclasses(msgspec.Struct):
            with suppress(TypeError, NameError):  # of another library, which cannot decode it either
                msgspec.json.Decoder(type_)


def _iterate_subclasses(type_: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for below in type_.__subclasses__():
        yield below
        yield from _iterate_subclasses(below)

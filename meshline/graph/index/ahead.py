"""Batches made one ahead, in a thread of their own."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(batches: Iterable[T]) -> Generator[T, None, None]:
    """The same: while one is worked on, the next is made.

    What stores do (waiting for the disk or the server, inflating) and what compiled kernels do needs no interpreter.
    """
    with ThreadPoolExecutor(1, "read ahead") as other:
        source = _each(batches)
        try:
            coming = other.submit(next, source, None)
            while (batch := coming.result()) is not None:
                coming = other.submit(next, source, None)
                yield batch
        finally:
            # Where it ran: a lock that it holds is this thread's.
            other.submit(source.close).result()


def _each(batches: Iterable[T]) -> Generator[T, None, None]:
    yield from batches

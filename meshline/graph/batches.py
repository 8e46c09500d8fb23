"""Batches of what a store reads: one ahead of the caller, and closed where they were read."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetch_batches(batches: Iterable[T]) -> Generator[T, None, None]:
    """The same batches: while the caller works on one, the next is read in another thread.

    Stores (which wait for a disk or server and inflate) and compiled kernels do most of their work without the interpreter lock.
    """
    with ThreadPoolExecutor(1, "read ahead") as other:
        source = yield_batches(batches)
        try:
            coming = other.submit(next, source, None)
            while (batch := coming.result()) is not None:
                coming = other.submit(next, source, None)
                yield batch
        finally:
            # In the thread in which it ran: a lock that it has acquired belongs to that thread.
            other.submit(source.close).result()


def yield_batches(batches: Iterable[T]) -> Generator[T, None, None]:
    """The same batches. Closing it closes their source, too, if that is a generator."""
    yield from batches

"""Work of a reading that is done several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from meshline.struct_types import prepare_struct_types

T = TypeVar("T")
R = TypeVar("R")

BATCH_SIZE = 16  # items that a thread does, one after the other


def run_in_parallel(items: Iterable[T], do: Callable[[T], R], threads: int) -> Generator[R, None, None]:
    """The results of `do` for each item, in the order of the items. Each thread does BATCH_SIZE items at a time, and only a few
    results are kept ahead of the caller.
    """
    left = iter(items)
    prepare_struct_types()
    with ThreadPoolExecutor(threads, thread_name_prefix="source") as pool:
        waiting: deque[Future[list[R]]] = deque()
        try:
            while some := list(islice(left, BATCH_SIZE)):
                waiting.append(pool.submit(lambda some: [do(item) for item in some], some))
                if len(waiting) >= 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

"""Threads for requests and tasks, with a limit of concurrent and of waiting requests of each kind."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

from meshline.errors import MeshlineError, QueueFull

T = TypeVar("T")

log = logging.getLogger("meshline.api")

SWITCH_SECONDS = 0.001


def switch_threads_often() -> None:
    """Let a thread that computes give way after SWITCH_SECONDS, instead of Python's 5 milliseconds: the event loop waits so long for each
    of its steps while events are written or a question is answered. It costs the computing thread up to a tenth while both have work.
    """
    sys.setswitchinterval(SWITCH_SECONDS)


async def run_in_thread(work: Callable[[], T], *, grace: float = 0, on_end: Callable[[], None] | None = None) -> T:
    """Run in a new daemon thread, which does not prevent the process from ending.

    A caller that is cancelled waits `grace` seconds more, and then abandons the thread. `on_end` is called on the event loop when
    the thread ends, even if the caller no longer waits.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if on_end is not None:
            on_end()
        if not answer.done():
            answer.set_exception(error) if error is not None else answer.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result, error = context.run(work), None
        except BaseException as raised:  # noqa: BLE001 - raised again in the caller
            result, error = None, raised
        with suppress(RuntimeError):  # the loop is closed: the caller no longer waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="meshline-work", daemon=True).start()
    try:
        return await (asyncio.shield(answer) if grace else answer)
    except asyncio.CancelledError:
        if grace:
            with suppress(asyncio.TimeoutError, MeshlineError):
                await asyncio.wait_for(asyncio.shield(answer), grace)
        raise


async def repeat_in_thread(work: Callable[[], object], seconds: float, failure: str, *, grace: float = 0, at_once: bool = False) -> None:
    """Run in a thread again and again, with a pause of some seconds after each time, until the caller is cancelled.

    What fails is tried again; the first of several failures in a row is logged, as the sentence `failure` and why. `at_once`: the first
    time is not after a pause. `grace`: as of `run_in_thread`.
    """
    failing = False
    await asyncio.sleep(0 if at_once else seconds)
    while True:
        try:
            await run_in_thread(work, grace=grace)
            failing = False
        except MeshlineError as error:
            if not failing:
                log.warning("%s, and this is tried again: %s", failure, error)
            failing = True
        except Exception:
            if not failing:
                log.exception("%s, and this is tried again", failure)
            failing = True
        await asyncio.sleep(seconds)


class Lane:
    """A queue of requests of one kind: `threads` run at once, `waiting` more may wait, each for `seconds` at most."""

    def __init__(self, kind: str, threads: int, waiting: int, seconds: float) -> None:
        """`kind`: a plural for messages."""
        self._kind = kind
        self._turns = asyncio.Semaphore(threads)
        self._limit = waiting
        self._seconds = seconds
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work`. Raises QueueFull if too many requests wait, or no thread becomes free in time."""
        if self._waiting >= self._limit and self._turns.locked():
            raise self._build_error()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise self._build_error() from None
        finally:
            self._waiting -= 1
        return await run_in_thread(work, on_end=self._turns.release)

    def _build_error(self) -> QueueFull:
        return QueueFull(f"too many {self._kind} are waiting: try again", retry_after=2)

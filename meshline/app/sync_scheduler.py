"""The scheduler that syncs the sources of the mesh file, each at the interval of its entry."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec

from meshline.app.logs import DETAILS
from meshline.app.settings import read_variable
from meshline.app.threads import run_in_thread
from meshline.errors import MeshlineError
from meshline.graph.model import get_current_micros
from meshline.ingest.mesh.mesh_file import Configured
from meshline.ingest.sources.base import SourceConfig
from meshline.ingest.sources.sync import SyncOutcome, SyncStopped, sync_source
from meshline.ingest.sources.sync_status import SECOND, Status, compute_due_time
from meshline.ingest.sources.target import Target

log = logging.getLogger("meshline.api")

P = ParamSpec("P")
T = TypeVar("T")

GRACE_SECONDS = 10.0  # for the source that is being read when the scheduler is stopped
TRY_AGAIN_SECONDS = 5.0  # if the store does not answer


class Plan(NamedTuple):
    """The sources to sync. `folder`: the base of relative paths. `at_once`: how many sources are synced at the same time."""

    sources: Sequence[Configured]
    folder: Path
    aliases: Mapping[str, str]
    at_once: int


class Scheduler:
    """Reads each source in its own thread; the event loop only waits."""

    def __init__(self, target: Target, plan: Plan, observe: Callable[[str, Status, SyncOutcome | None], None]) -> None:
        """`observe` receives the result of each source's last sync: once at the start (with the status only), then after each sync."""
        self._target = target
        self._plan = plan
        self._observe = observe
        self._room = asyncio.Semaphore(plan.at_once)
        self._stop = threading.Event()
        self._observed: set[str] = set()

    async def run(self) -> None:
        """Run until cancelled; then threads that are reading stop, or are abandoned after `GRACE_SECONDS`."""
        tasks = [asyncio.create_task(self._keep(one.source, one.every)) for one in self._plan.sources if one.every is not None]
        try:
            await asyncio.wait(tasks)
        finally:
            self._stop.set()  # before the tasks end: they wait for what is being read
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, source: SourceConfig, every: int) -> None:
        """Sync a source repeatedly."""
        while True:
            try:
                await self._turn(source, every)
            except MeshlineError as error:
                log.warning("%s is not synced: %s", source.source, error)
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            except Exception:
                log.exception("%s is not synced", source.source)
                await asyncio.sleep(TRY_AGAIN_SECONDS)

    async def _turn(self, source: SourceConfig, every: int) -> None:
        """Wait until a source is due, and sync it unless another process synced it first."""
        name = source.source
        status = await _run_in_thread(self._target.read_status, name)
        at = compute_due_time(status, every, get_current_micros(), random.random())  # noqa: S311 - the number needs no secrecy
        if status is not None:
            if name not in self._observed:
                self._report(name, status, None)
            await _run_in_thread(self._target.save_status, name, msgspec.structs.replace(status, next=at))
        await asyncio.sleep(max(0, at - get_current_micros()) / SECOND)
        async with self._room:
            latest = await _run_in_thread(self._target.read_status, name)
            if _get_time(latest) == _get_time(status):
                await self._sync(source)

    async def _sync(self, source: SourceConfig) -> None:
        done = await _run_in_thread(
            partial(sync_source, self._target, source, self._plan.folder, self._plan.aliases, variables=read_variable, stop=self._stop)
        )
        if isinstance(done.error, SyncStopped):
            return
        _log_result(done)
        status = await _run_in_thread(self._target.read_status, source.source)
        if status is not None:
            self._report(source.source, status, done)

    def _report(self, name: str, status: Status, done: SyncOutcome | None) -> None:
        self._observed.add(name)
        self._observe(name, status, done)


def _get_time(status: Status | None) -> int | None:
    return None if status is None else status.at


def _log_result(done: SyncOutcome) -> None:
    if done.loading is None:
        log.warning("%s could not be read: %s", done.source, done.error)
        return
    for message in (*map(str, done.loading.refused), *done.loading.warnings):
        log.warning("%s: %s", done.source, message)
    counts = {name: getattr(done.loading, name) for name in ("read", "unchanged", "new", "changed", "retracted")}
    log.info("synced", extra={DETAILS: {"source": done.source, **counts, "refused": len(done.loading.refused)}})


async def _run_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await run_in_thread(partial(work, *args, **kwargs), grace=GRACE_SECONDS)

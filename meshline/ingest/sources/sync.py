"""One sync of one source: read it, load what it states, record the outcome."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from meshline.errors import InvalidInput, MeshlineError, StoreUnavailable
from meshline.graph.model import get_current_micros
from meshline.ingest.sources.base import Source, SourceConfig
from meshline.ingest.sources.openlineage_files import OpenLineageFiles, ingest_files
from meshline.ingest.sources.reading_loader import Loading, collect_items
from meshline.ingest.sources.secrets import Variables
from meshline.ingest.sources.sync_status import LONGEST, Status
from meshline.ingest.sources.target import Target

T = TypeVar("T")

log = logging.getLogger("meshline.ingest")


class SourceFault(MeshlineError):
    """A fault of meshline or of a library while a source was read."""


class SyncStopped(MeshlineError):
    """The process is stopping; the source is read the next time."""


class SyncOutcome(NamedTuple):
    """The outcome of one sync: what was loaded, or the error that ended the reading early."""

    source: str
    loading: Loading | None
    error: MeshlineError | None

    @property
    def refused(self) -> bool:
        """Whether anything of the source was not ingested."""
        return self.loading is None or bool(self.loading.refused)


def sync_source(
    target: Target,
    source: SourceConfig,
    folder: Path,
    aliases: Mapping[str, str] | None = None,
    *,
    variables: Variables,
    strict: bool = False,
    stop: threading.Event | None = None,
    configured: bool = True,
) -> SyncOutcome:
    """Load what a source states now. Never raises an error of the source: it is the `error` of the outcome.

    `folder`: the folder that the source's relative paths begin at. `variables`: the values of its `${NAME}`.
    `strict`: the first refusal is the error, and nothing is written.
    `stop`: once it is set, the reading ends with the error SyncStopped, and nothing is recorded.
    `configured`: whether the mesh file names the source; see `record_sync`.
    """
    stopped = stop or threading.Event()

    def load() -> Loading:
        if isinstance(source, OpenLineageFiles):
            return ingest_files(target, source, folder, strict=strict, guard=lambda events: _iterate_until(stopped, events))
        if source.kind == "marquez":
            from meshline.ingest.sources.marquez.source import Marquez, ingest_marquez  # noqa: PLC0415 - other sources do not wait for HTTP

            assert isinstance(source, Marquez)
            return ingest_marquez(target, source, folder, variables=variables, strict=strict, check_stop=lambda: _check_stop(stopped))
        assert isinstance(source, Source), f"{source.kind} cannot be read"
        context = target.build_context(source.source, folder, aliases or {})
        reading = source.read(context._replace(variables=variables))
        reading = reading._replace(items=_iterate_until(stopped, reading.items))
        return target.load(reading._replace(items=collect_items(reading)) if strict else reading)

    return record_sync(target, source.source, load, configured=configured)


def record_sync(target: Target, source: str, load: Callable[[], Loading], *, configured: bool = True) -> SyncOutcome:
    """Run one loading of a source, and save its status.

    If a source that is not configured and was never read fails, the failure is not saved: it is a mistake on the command line,
    and nothing would ever remove it from the list of sources.
    """
    at, begun = get_current_micros(), time.monotonic()
    done = _run_guarded(source, load)
    seconds = round(time.monotonic() - begun, 3)
    if isinstance(done.error, SyncStopped):
        return done
    try:
        before = target.read_status(source)
        if done.loading is not None or configured or before is not None:
            target.save_status(source, _build_status(done, at, seconds, before))
    except MeshlineError as error:  # the target cannot be reached
        return done if done.error is not None else SyncOutcome(source, None, error)
    return done


def sync_or_raise(target: Target, source: str, load: Callable[[], Loading]) -> Loading:
    """As `record_sync`, but raises the error of the outcome (MeshlineError)."""
    done = record_sync(target, source, load)
    if done.loading is None:
        raise done.error or StoreUnavailable(f"{source} could not be loaded")
    return done.loading


def _run_guarded(source: str, load: Callable[[], Loading]) -> SyncOutcome:
    try:
        return SyncOutcome(source, load(), None)
    except MeshlineError as error:
        return SyncOutcome(source, None, error)
    except Exception as error:  # may come from a library: it must not stop the other sources, and its text may contain a secret
        log.exception("reading %s failed", source)
        return SyncOutcome(
            source, None, SourceFault(f"an unexpected error while the source was read ({type(error).__name__}); the log has the details")
        )


def _iterate_until(stop: threading.Event, found: Iterable[T]) -> Iterator[T]:
    for one in found:
        _check_stop(stop)
        yield one


def _check_stop(stop: threading.Event) -> None:
    if stop.is_set():
        raise SyncStopped("the process is stopping; the source will be read at the next sync")


def _build_status(done: SyncOutcome, at: int, seconds: float, before: Status | None) -> Status:
    last, rights = (before.succeeded, before.rights) if before is not None else (None, None)
    if done.loading is None:
        failures = before.failures + 1 if before is not None else 1
        refused = int(isinstance(done.error, InvalidInput))
        return Status(at, seconds, refused=refused, error=str(done.error)[:LONGEST], succeeded=last, failures=failures, rights=rights)
    counts = done.loading
    return Status(
        at,
        seconds,
        read=counts.read,
        unchanged=counts.unchanged,
        new=counts.new,
        changed=counts.changed,
        retracted=counts.retracted,
        refused=len(counts.refused),
        succeeded=at,
        rights=at if counts.has_rights else rights,
    )

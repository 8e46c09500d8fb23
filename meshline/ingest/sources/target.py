"""The target of a sync: a graph in this process, or (in `meshline.cli`) a running meshline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from meshline.errors import MeshlineError
from meshline.graph.model import get_current_micros
from meshline.graph.naming import Naming
from meshline.ingest.openlineage.event_files import Found
from meshline.ingest.sources import reading_loader
from meshline.ingest.sources.base import Context, Reading
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.reading_loader import Loading
from meshline.ingest.sources.sync_status import Status, read_status, save_status

if TYPE_CHECKING:
    from meshline.graph.live_graph import LiveGraph
    from meshline.ingest.pipeline import Pipeline


EVENT_PAGE = 500  # raw events read at once


class EventOutcome(NamedTuple):
    """The outcome of one event. `error`: None if it was ingested. `warnings`: what was not ingested as it was written.

    `more_warnings`: the number of warnings that the target did not list, about this event or others.
    """

    error: MeshlineError | None
    warnings: Sequence[str] = ()
    more_warnings: int = 0


class Target(Protocol):
    """Ingests what sources state, and keeps their memory and status."""

    def build_context(self, source: str, folder: Path, aliases: Mapping[str, str]) -> Context:
        """The context for one reading of a source."""
        ...

    def load(self, reading: Reading) -> Loading:
        """Load a reading into the graph. Raises InvalidInput, StoreUnavailable."""
        ...

    def ingest_events(self, source: str, events: Iterable[Found]) -> Iterator[EventOutcome]:
        """Ingest OpenLineage events, and yield the outcome of each."""
        ...

    def read_events(self, source: str, since: int, until: int) -> Iterator[bytes]:
        """The raw events of a source that have a time in [since, until), in microseconds."""
        ...

    def save_memory(self, source: str, memory: Mapping[str, str]) -> None:
        """Save the memory of a source of events; `load` saves that of a reading."""
        ...

    def read_status(self, source: str) -> Status | None:
        """The status of a source's last sync; None if there was none."""
        ...

    def save_status(self, source: str, status: Status) -> None:
        """Save the status of a source's sync."""
        ...


class LocalTarget:
    """A graph in this process."""

    def __init__(self, graph: LiveGraph, naming: Naming, pipeline: Callable[[], AbstractContextManager[Pipeline]] | None = None) -> None:
        """`pipeline`: opens the pipeline that all events of a server pass; by default one is made when it is needed."""
        self._graph = graph
        self._naming = naming
        self._pipeline = pipeline or self._open_pipeline

    def build_context(self, source: str, folder: Path, aliases: Mapping[str, str]) -> Context:
        return build_context(self._graph, self._naming, folder, source, aliases)

    def load(self, reading: Reading) -> Loading:
        return reading_loader.load_reading(self._graph, reading, get_current_micros())

    def ingest_events(self, source: str, events: Iterable[Found]) -> Iterator[EventOutcome]:
        from meshline.ingest.pipeline import ingest_all  # noqa: PLC0415 - a source without events does not wait for this import

        with self._pipeline() as pipeline:
            for outcome in ingest_all(pipeline, events, source):
                yield EventOutcome(outcome.error, outcome.warnings)

    def read_events(self, source: str, since: int, until: int) -> Iterator[bytes]:
        before: tuple[int, int] | None = None
        while page := self._graph.store.list_events(since, until, before, EVENT_PAGE):
            yield from (stored.event.body for stored in page if stored.event.source == source)
            last = page[-1]
            assert last.event.at is not None, "events without a time are not listed by time"
            before = (last.event.at, last.position)

    def save_memory(self, source: str, memory: Mapping[str, str]) -> None:
        reading_loader.save_memory(self._graph.store, source, memory)

    def read_status(self, source: str) -> Status | None:
        return read_status(self._graph.store, source)

    def save_status(self, source: str, status: Status) -> None:
        save_status(self._graph.store, source, status)

    @contextmanager
    def _open_pipeline(self) -> Iterator[Pipeline]:
        from meshline.ingest.openlineage.builder import BatchBuilder  # noqa: PLC0415
        from meshline.ingest.openlineage.run_index import index_stored_runs  # noqa: PLC0415
        from meshline.ingest.pipeline import Pipeline  # noqa: PLC0415

        index_stored_runs(self._graph.store, self._naming)
        pipeline = Pipeline(self._graph, BatchBuilder(self._naming))
        try:
            yield pipeline
        finally:
            pipeline.close()

"""Where what sources say goes to: a graph in this process, or (in `meshline.cli`) a running meshline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from meshline.errors import MeshlineError
from meshline.graph.naming import Naming
from meshline.ingest.openlineage.files import Found
from meshline.ingest.sources import loading
from meshline.ingest.sources.context import context_of
from meshline.ingest.sources.loading import Loading
from meshline.ingest.sources.shape import Context, Reading
from meshline.ingest.sources.status import Status, note, status_of
from meshline.ingest.times import now

if TYPE_CHECKING:
    from meshline.graph.live import LiveGraph
    from meshline.ingest.pipeline import Pipeline


class Target(Protocol):
    """Takes what sources say."""

    def context(self, source: str, folder: Path, aliases: Mapping[str, str]) -> Context:
        """What a source may know of the graph."""
        ...

    def load(self, reading: Reading) -> Loading:
        """Take a reading. Raises InvalidInput, StoreUnavailable."""
        ...

    def events(self, source: str, events: Iterable[Found]) -> Iterator[MeshlineError | None]:
        """Take OpenLineage events: of each why it was refused, or None."""
        ...

    def remember(self, source: str, memory: Mapping[str, str]) -> None:
        """Keep what a source of events wants to know the next time; `load` keeps that of a reading."""
        ...

    def status(self, source: str) -> Status | None:
        """How the last sync of a source went."""
        ...

    def note(self, source: str, status: Status) -> None:
        """Keep how a sync of a source went."""
        ...


class Local:
    """A graph in this process."""

    def __init__(self, graph: LiveGraph, naming: Naming, pipeline: Callable[[], AbstractContextManager[Pipeline]] | None = None) -> None:
        """`pipeline`: that of a server, through which all its events go; else one is made where it is needed."""
        self._graph = graph
        self._naming = naming
        self._pipeline = pipeline or self._own_pipeline

    def context(self, source: str, folder: Path, aliases: Mapping[str, str]) -> Context:
        return context_of(self._graph, self._naming, folder, source, aliases)

    def load(self, reading: Reading) -> Loading:
        return loading.load(self._graph, reading, now())

    def events(self, source: str, events: Iterable[Found]) -> Iterator[MeshlineError | None]:
        from meshline.ingest.pipeline import ingest_all  # noqa: PLC0415 - who has no events does not wait for what takes them

        with self._pipeline() as pipeline:
            for outcome in ingest_all(pipeline, events, source):
                yield outcome.error

    def remember(self, source: str, memory: Mapping[str, str]) -> None:
        loading.remember(self._graph.store, source, memory)

    def status(self, source: str) -> Status | None:
        return status_of(self._graph.store, source)

    def note(self, source: str, status: Status) -> None:
        note(self._graph.store, source, status)

    @contextmanager
    def _own_pipeline(self) -> Iterator[Pipeline]:
        from meshline.ingest.openlineage.builder import BatchBuilder  # noqa: PLC0415
        from meshline.ingest.pipeline import Pipeline  # noqa: PLC0415

        pipeline = Pipeline(self._graph, BatchBuilder(self._naming))
        try:
            yield pipeline
        finally:
            pipeline.close()

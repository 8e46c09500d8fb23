"""The vectors of names that searches use, as the settings choose them: opened, and made in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from meshline.app.kept_files import find_kept_file
from meshline.app.settings import Settings, read_variable
from meshline.errors import MeshlineError
from meshline.graph.index.name_vectors import ModelChoice, NameVectors, open_vectors
from meshline.graph.live_graph import LiveGraph
from meshline.ingest.sources.secrets import expand_variables

log = logging.getLogger("meshline.vectors")

_PAUSE_SECONDS = 1.0  # between two looks for names that have no vector
_END_SECONDS = 5.0  # for what is under way when a process ends


def open_search_vectors(settings: Settings, store: str, model: str | None = None) -> NameVectors | None:
    """The vectors for the searches of a store, empty at first; None if they are off. `model`: in place of the setting's.

    Raises InvalidInput, MissingExtra.
    """
    token = settings.search_vectors_token
    return open_vectors(
        ModelChoice(
            settings.search_vectors if model is None else model,
            settings.search_vectors_file or find_kept_file(store, "vectors"),
            settings.search_vectors_most,
            settings.search_vectors_model,
            None if token is None else expand_variables(token.get_secret_value(), "search_vectors_token", read_variable),
        )
    )


class VectorUpkeep:
    """Makes the vectors that are missing. A failure is logged when it begins, and whenever it becomes another one."""

    def __init__(self, live: LiveGraph) -> None:
        self._live = live
        self._problem = ""

    def prepare(self) -> None:
        problem = ""
        try:
            self._live.prepare_vectors()
        except MeshlineError as error:
            problem = str(error)
            if problem != self._problem:
                log.warning("searches use words alone: %s", problem)
        except Exception:
            problem = "a fault"
            if problem != self._problem:
                log.exception("the vectors of names were not made")
        if self._problem and not problem:
            log.info("searches use vectors again")
        self._problem = problem


@contextmanager
def keep_vectors(live: LiveGraph) -> Iterator[None]:
    """Make the vectors that are missing in a thread, if the graph has any, and keep them at the end."""
    vectors = live.vectors
    if vectors is None:
        yield
        return
    upkeep, ended = VectorUpkeep(live), threading.Event()

    def run() -> None:
        upkeep.prepare()
        while not ended.wait(_PAUSE_SECONDS):
            upkeep.prepare()

    thread = threading.Thread(target=run, name="vectors", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_END_SECONDS)
        vectors.close()

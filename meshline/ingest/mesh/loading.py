"""A mesh file into the graph: what it says replaces what the same source said before."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from meshline.errors import InvalidInput
from meshline.graph.naming import Naming
from meshline.ingest.identity.rules import remember
from meshline.ingest.mesh.facts import statements
from meshline.ingest.mesh.reading import Mesh
from meshline.ingest.sources.base import Entry, Reading, Refused
from meshline.ingest.sources.scope_loader import Loading
from meshline.ingest.sources.scope_loader import load as load_reading

if TYPE_CHECKING:  # who only parses a file, or ingests events, does not wait for the index to be imported
    from meshline.graph.live import LiveGraph

_turn = Lock()  # of what a file says of catalogs, and the rest of it: not the graph's, for which questions would wait while it is written


def load(graph: LiveGraph, mesh: Mesh, naming: Naming, time: int) -> Loading:
    """Commit what a mesh file says. `time`: the file's, in microseconds (`meshline.ingest.times`).

    Loading what the graph already holds changes nothing. What differs takes effect whatever the
    file's time. A file with refused entries retracts nothing: an entry that cannot be read is not an
    entry that is gone. Raises InvalidInput if the file's naming rules are not those of `naming`.
    """
    _same_rules(mesh, naming)
    entries = [Entry(statement.scope, statement.content) for statement in statements(mesh, naming, time)]
    refused = [Refused(error) for error in mesh.refused]
    with _turn:
        remember(graph.store, mesh.source, mesh.catalogs)
        return load_reading(graph, Reading(mesh.source, [*entries, *refused], complete=True, warnings=mesh.warnings), time)


def _same_rules(mesh: Mesh, naming: Naming) -> None:
    if mesh.naming is not None and mesh.naming.naming().digest != naming.digest:
        raise InvalidInput(
            f"the naming rules of {mesh.source} are not those that the store was written with: make a store that follows them with"
            " `meshline replay --mesh FILE --to NEW_STORE`"
        )

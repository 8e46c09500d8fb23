"""The mesh file: what people know and no event states. This module reads, parses and loads it, and configures a store by it.

The rules of a mesh file for the whole graph (how names become keys, and the precedence of sources) are needed before the
graph is opened, and every process that opens a store must use the same rules, so the store keeps them.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from meshline.errors import InvalidInput, StoreCorrupt
from meshline.graph.model import Precedence
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, RunReader, Store
from meshline.graph.store.synonyms import write_synonyms
from meshline.ingest.catalog_aliases import write_rules
from meshline.ingest.file_times import read_file_time
from meshline.ingest.mesh.facts import build_statements
from meshline.ingest.mesh.format import build_json_schema
from meshline.ingest.mesh.mesh_file import Mesh, parse_mesh_file, read_mesh_file
from meshline.ingest.sources.base import Entry, Reading, Refusal
from meshline.ingest.sources.reading_loader import Loading
from meshline.ingest.sources.reading_loader import load_reading as load_reading

if TYPE_CHECKING:
    from meshline.graph.live_graph import LiveGraph

__all__ = [
    "Loading",
    "Mesh",
    "build_configuration",
    "build_json_schema",
    "build_statements",
    "configure_store",
    "load_mesh",
    "parse_mesh_file",
    "read_file_time",
    "read_mesh_file",
    "read_stored_rules",
]

# Keeps the rules and the entries of one file together. It is not the graph's lock, for which questions would wait during the write.
_load_lock = Lock()


def load_mesh(graph: LiveGraph, mesh: Mesh, naming: Naming, time: int) -> Loading:
    """Commit what a mesh file states. `time`: the file's, in microseconds (`meshline.ingest.file_times`).

    Loading what the graph already contains changes nothing. A difference takes effect regardless of the
    file's time. A file with refused entries retracts nothing: an entry that cannot be parsed may still be
    meant. Raises InvalidInput if the file's naming rules differ from `naming`.
    """
    _check_naming_rules(mesh, naming)
    entries = [Entry(statement.scope, statement.content) for statement in build_statements(mesh, naming, time)]
    refused = [Refusal(error) for error in mesh.refused]
    with _load_lock:
        write_rules(graph.store, mesh.source, mesh.catalogs)
        write_synonyms(graph.store, mesh.source, mesh.synonyms, learn=mesh.learn_synonyms, refused=mesh.not_synonyms)
        return load_reading(graph, Reading(mesh.source, [*entries, *refused], complete=True, warnings=mesh.warnings), time)


def _check_naming_rules(mesh: Mesh, naming: Naming) -> None:
    if mesh.naming is not None and mesh.naming.build_naming().digest != naming.digest:
        raise InvalidInput(
            f"the naming rules of {mesh.source} are not those that the store was written with: make a store that follows them with"
            " `meshline replay --mesh FILE --to NEW_STORE`"
        )


NAMING = "naming"  # the digest of the naming rules with which the store was written
NAMING_RULES = "naming.rules"  # the rules themselves: JSON list of [pattern, replacement]
PRECEDENCE = "precedence"  # JSON


def build_configuration(mesh: Mesh) -> tuple[Naming | None, Precedence | None]:
    """The naming and the precedence of a mesh file; None for what it does not state."""
    return (
        mesh.naming.build_naming() if mesh.naming is not None else None,
        mesh.precedence.build_precedence() if mesh.precedence is not None else None,
    )


def read_stored_rules(store: Store) -> tuple[Naming, Precedence]:
    """The naming and the precedence that a store keeps; the defaults for a new store. Raises StoreCorrupt, StoreUnavailable."""
    rules, precedence = store.read_setting(NAMING_RULES), store.read_setting(PRECEDENCE)
    try:
        naming = Naming(msgspec.json.decode(rules, type=list[tuple[str, str]])) if rules is not None else Naming()
        return naming, msgspec.json.decode(precedence, type=Precedence) if precedence is not None else Precedence()
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the store's settings cannot be read ({error}): restore the store from a backup") from error


def configure_store(store: Store, naming: Naming | None = None, precedence: Precedence | None = None) -> tuple[Naming, Precedence]:
    """Write the rules to a store (None: keep the present ones), and return the rules in effect from now on.

    Raises InvalidInput if the store was written with other naming rules: its present keys would not be found
    under the new ones. What is written is decided within the commit, so that no key is written by other rules meanwhile.
    """
    settings, rules = _decide_rules(store, naming, precedence)
    if settings:

        def build(_reader: RunReader) -> Batch:
            nonlocal rules
            settings, rules = _decide_rules(store, naming, precedence)
            return Batch(settings=settings)

        store.commit(build)
    return rules


def _decide_rules(store: Store, naming: Naming | None, precedence: Precedence | None) -> tuple[dict[str, str], tuple[Naming, Precedence]]:
    """The settings to write, and the rules in effect with them. Raises InvalidInput."""
    old_naming, old_precedence = read_stored_rules(store)
    if naming is not None and naming.digest != old_naming.digest and store.read_revision() > 0:
        raise InvalidInput(
            "the naming rules are not those that the store was written with: make a store that follows them with"
            " `meshline replay --mesh FILE --to NEW_STORE`"
        )
    naming, precedence = naming or old_naming, precedence or old_precedence
    settings: dict[str, str] = {}
    if store.read_setting(NAMING) != naming.digest:
        settings[NAMING_RULES] = msgspec.json.encode([(t.pattern.pattern, t.replacement) for t in naming.trimmers]).decode()
        settings[NAMING] = naming.digest
    if precedence != old_precedence:
        settings[PRECEDENCE] = msgspec.json.encode(precedence).decode()
    return settings, (naming, precedence)

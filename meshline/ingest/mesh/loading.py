"""A mesh file into the graph: what it says replaces what the same source said before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.content import EMPTY
from meshline.graph.model import AssetKind, Scope, Statement
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Head, Store
from meshline.ingest.mesh.facts import statements
from meshline.ingest.mesh.reading import Mesh

if TYPE_CHECKING:  # who only parses a file, or ingests events, does not wait for the index to be imported
    from meshline.graph.live import LiveGraph

# Kinds of assets of which at least one is mentioned in every scope of a mesh file.
_MENTIONED = (
    AssetKind.DOMAIN,
    AssetKind.DATA_PRODUCT,
    AssetKind.DATASET,
    AssetKind.CONSUMER,
    AssetKind.OWNER,
    AssetKind.CONTRACT,
)


class Loading(NamedTuple):
    """What loading a mesh file did, in entries. `kept`: entries that are no longer in the file and were not
    retracted, because the file has refused entries and may have meant them.
    """

    source: str
    revision: int
    changed: int
    unchanged: int
    retracted: int
    kept: int
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]


def load(graph: LiveGraph, mesh: Mesh, naming: Naming, time: int) -> Loading:
    """Commit what a mesh file says. `time`: the file's, in microseconds (`meshline.ingest.mesh.times`).

    Loading what the graph already holds changes nothing. What differs takes effect whatever the
    file's time: the store remembers, per source, the newest time that a loading used. Raises
    InvalidInput if the file's naming rules are not those of `naming`.
    """
    _same_rules(mesh, naming)
    said = statements(mesh, naming, time)
    with graph.lock:
        known = heads(graph, mesh.source)
        new = batch(mesh, said, known, _after(graph, mesh.source, time))
        gone = known.keys() - {statement.scope for statement in said}
        revision = graph.index.revision
        if new.statements:
            remember(graph.store, mesh.source, new.statements[0].observed_at)
            revision = graph.commit(lambda _: new).revision
    retracted = sum(statement.content.digest == EMPTY.digest for statement in new.statements)
    changed = len(new.statements) - retracted
    return Loading(mesh.source, revision, changed, len(said) - changed, retracted, len(gone) - retracted, mesh.refused, mesh.warnings)


def batch(mesh: Mesh, said: Sequence[Statement], known: Mapping[Scope, Head], time: int) -> Batch:
    """What differs from the known heads of the source, at a time, and tombstones for what is gone.

    A file with refused entries retracts nothing: an entry that cannot be read is not an entry that is gone.
    """
    digests = {scope: head.content.digest for scope, head in known.items() if head.content is not None}
    new = [s._replace(observed_at=time) for s in said if digests.get(s.scope) != s.content.digest]
    if not mesh.refused:
        stated = {statement.scope for statement in said}
        new += [Statement(mesh.source, scope, time, EMPTY) for scope in sorted(known) if scope not in stated]
    return Batch(statements=new)


def heads(graph: LiveGraph, source: str) -> dict[Scope, Head]:
    """What a mesh source says now. The caller holds the graph's lock."""
    index = graph.index
    nodes = (node for kind in _MENTIONED for node in index.of_kind(kind))
    ids = {scope_id for node in nodes for scope_id in index.scopes(node)}
    own = [scope_id for scope_id in ids if index.scope(scope_id).source == source]
    return {head.scope: head for head in graph.store.statements(own)}


def _after(graph: LiveGraph, source: str, time: int) -> int:
    """The file's time, or just after the last loading of the source if that was not earlier."""
    last = graph.store.setting(_clock(source))
    return max(time, int(last) + 1) if last is not None else time


def remember(store: Store, source: str, time: int) -> None:
    """Keep the newest time that a loading of a source used, so that the next can be later."""
    store.setting(_clock(source), str(time))


def _clock(source: str) -> str:
    return f"newest:{source}"


def _same_rules(mesh: Mesh, naming: Naming) -> None:
    if mesh.naming is not None and mesh.naming.naming().digest != naming.digest:
        raise InvalidInput(
            f"the naming rules of {mesh.source} are not those that the store was written with: make a store that follows them with"
            " `meshline replay --mesh FILE --to NEW_STORE`"
        )

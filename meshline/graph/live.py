"""A store and the index of its graph, kept in step."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from meshline.errors import MeshlineError, StoreCorrupt
from meshline.graph.content import decode
from meshline.graph.index.compiled import compile_kernels_soon
from meshline.graph.index.lineage import LineageIndex
from meshline.graph.model import AssetKey, Json, Precedence
from meshline.graph.store.base import Batch, Changes, Head, RunReader, Store

PAST_INDEXES = 4  # as-of indexes that are kept


class FactRow(NamedTuple):
    """One attribute of an asset as one scope says it. `chosen`: shown, of all that are said of the attribute."""

    scope_id: int
    source: str
    attribute: str
    value: Json
    observed_at: int
    valid_from: int
    last_observed: int
    chosen: bool


_Said: TypeAlias = dict[AssetKey, Mapping[str, Json]]


class LiveGraph:
    """What every surface holds. Use `index` and `facts` while holding `lock`. `precedence`: which source is believed."""

    def __init__(self, store: Store, index: LineageIndex, precedence: Precedence) -> None:
        self.store = store
        self.index = index
        self.lock = threading.RLock()
        self.precedence = precedence
        self._past: OrderedDict[int, LineageIndex] = OrderedDict()

    @classmethod
    def open(cls, store: Store, precedence: Precedence | None = None, *, compiled: bool = False) -> LiveGraph:
        """Load the index of everything that the store holds.

        `compiled`: begin to compile the index's kernels, as who stays up should; else once there is much to do.
        """
        if compiled:
            compile_kernels_soon()
        precedence = precedence or Precedence()
        return cls(store, _loaded(store, None, precedence), precedence)

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        """Commit to the store, and show it in the index before returning."""
        changes = self.store.commit(build)
        with self.lock:
            if changes.revision == self.index.revision + 1:
                self.index.apply(changes)
            elif changes.revision > self.index.revision:
                self._follow()
        return changes

    def refresh(self) -> int:
        """Follow what others committed; the index's revision afterwards."""
        with self.lock:
            if self.store.revision() > self.index.revision:
                self._follow()
            return self.index.revision

    def reload(self) -> None:
        """Read the index anew."""
        with self.lock:
            self.index = _loaded(self.store, None, self.precedence)

    def at(self, as_of: int | None) -> LineageIndex:
        """The index now (None), or as of a time in microseconds.

        A late statement may change any past, so an index of the past is good for one revision.
        """
        if as_of is None:
            return self.index
        with self.lock:
            known = self._past.get(as_of)
            if known is None or known.revision != self.index.revision:
                known = self._past[as_of] = _loaded(self.store, as_of, self.precedence)
                known.revision = self.index.revision
            self._past.move_to_end(as_of)
            while len(self._past) > PAST_INDEXES:
                self._past.popitem(last=False)
            return known

    def facts(self, index: LineageIndex, nodes: Sequence[int]) -> dict[int, list[FactRow]]:
        """What is said of these assets, by asset: every attribute that any scope says of any member.

        Rows are sorted by attribute, the chosen one first, then by strength.
        """
        wanted = {node: index.fact_names(node) for node in nodes}
        scope_ids = sorted({scope_id for of_node in wanted.values() for scope_id in of_node})
        heads = {head.scope_id: head for head in self.store.statements(scope_ids, index.as_of)}
        said = {scope_id: _said(head) for scope_id, head in heads.items()}
        return {
            node: self._rows((heads[id_], said[id_], names) for id_, names in sorted(of_node.items()) if id_ in heads)
            for node, of_node in wanted.items()
        }

    def _rows(self, found: Iterable[tuple[Head, _Said, set[AssetKey]]]) -> list[FactRow]:
        """`found`: heads, what they say, and the names under which they mean the asset."""
        rows = [
            FactRow(head.scope_id, head.source, attribute, value, head.observed_at, head.valid_from, head.last_observed, chosen=False)
            for head, said, names in found
            for key in sorted(names & said.keys())
            for attribute, value in said[key].items()
        ]
        rows.sort(key=lambda row: (row.source, row.scope_id), reverse=True)
        rows.sort(key=self._strength)
        chosen: set[str] = set()
        for i, row in enumerate(rows):
            if row.attribute not in chosen:
                chosen.add(row.attribute)
                rows[i] = row._replace(chosen=True)
        return rows

    def _strength(self, row: FactRow) -> tuple[str, int, int]:
        """As `Precedence` says; of equals the greater source comes first already."""
        return (row.attribute, self.precedence.rank(row.source, row.attribute), -row.observed_at)

    def _follow(self) -> None:
        self.index.apply(self.store.changes(self.index.revision))


def _loaded(store: Store, as_of: int | None, precedence: Precedence) -> LineageIndex:
    # The revision is read first: what is committed meanwhile is applied (again) later.
    revision = store.revision()
    try:
        return LineageIndex.load(store.heads(as_of), revision, as_of, precedence)
    except MeshlineError:
        raise
    except Exception as error:
        raise StoreCorrupt(
            f"what the store holds cannot be read ({type(error).__name__}: {error}): `meshline store check` says more, a backup mends it"
        ) from error


def _said(head: Head) -> _Said:
    return {} if head.content is None else {fact.key: fact.attributes for fact in decode(head.content.blob).assets}

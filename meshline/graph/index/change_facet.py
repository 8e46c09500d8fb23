"""What is asked about statements: what sources state now, what changed; and how the index follows the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from meshline.graph.index.arrays import N_NODES, NONE
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.mentions import Trail, find_first_mentions, list_fact_names, list_names_stated, list_scopes
from meshline.graph.index.results import ScopeInfo, StatedScope, View
from meshline.graph.index.statistics import Size, measure_size
from meshline.graph.model import AssetKey, Scope
from meshline.graph.store.base import Changes, Head


class ChangeFacet:
    """Scopes, their heads, and changes of these. Part of `LineageIndex`, which defines nodes."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, view: View) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._shown = shown
        self._view = view

    def apply(self, changes: Changes) -> None:
        """Follow the store: replace these heads. Changes that are not newer than the revision of the index are ignored."""
        if changes.revision > self._view.revision:
            self._loader.apply(changes.heads)
            self._view.revision = changes.revision

    def suppose(self, heads: Iterable[Head]) -> None:
        """Replace heads temporarily, at the same revision. The caller restores the former heads (`meshline.graph.what_if`)."""
        self._loader.apply([*heads])

    def open_trail(self) -> Trail:
        """What changes from now on, for a caller that caches findings about the graph."""
        return Trail(self._tables)

    def get_scope(self, scope_id: int) -> ScopeInfo:
        """Raises KeyError for a scope without a head."""
        head = self._tables.heads.find_current(scope_id)
        if head == NONE:
            raise KeyError(scope_id)
        return self._tables.heads.get_info(head)

    def list_scopes(self, node: int) -> list[int]:
        """The ids of the scopes whose heads mention any member, ascending."""
        return list_scopes(self._tables, node)

    def list_fact_names(self, node: int) -> dict[int, set[AssetKey]]:
        """By id of each scope whose head states attributes of a member: the names under which it means this asset.

        A name may mean another asset in a head of another time, so facts are to be read under these names.
        """
        return list_fact_names(self._tables, node)

    def list_statements(self, source: str) -> dict[Scope, StatedScope]:
        """What a source states now, by scope: with it a load writes only what differs."""
        return self._tables.heads.list_statements(source)

    def find_newest_time(self, kind: str) -> int:
        """The time of the newest visible statement of the sources of a kind (`person`), in microseconds; 0 if there is none."""
        return self._tables.heads.find_newest_time(kind)

    def find_unused_scope_id(self) -> int:
        """A number that is not the id of a scope with a head."""
        return self._tables.heads.find_unused_scope_id()

    def list_scopes_of(self, kinds: Collection[str]) -> list[Scope]:
        """The scopes of these kinds (the first part of a scope) about which a source states something now."""
        return self._tables.heads.list_scopes(kinds)

    def list_names_stated(self, namespaces: Collection[str], but: str) -> dict[str, dict[str, int]]:
        """By namespace the names of datasets that sources other than `but` mention now, each with its own node."""
        return list_names_stated(self._tables, namespaces, but)

    def find_first_mentions(self, keys: Collection[AssetKey], but: str) -> dict[AssetKey, int]:
        """Since when, at the latest, sources other than `but` mention these datasets: the earliest `valid_from` (microseconds) of a
        current statement on each. Datasets that no other source mentions are left out.
        """
        return find_first_mentions(self._tables, keys, but)

    def list_former_names(self, column: int) -> list[tuple[str, int]]:
        """The earlier names of a column according to catalogs, each with the time (microseconds) until which it had it; oldest first."""
        return self._shown.list_former_names(column)

    def count_bytes(self) -> int:
        """The memory of the tables in bytes, without Python objects."""
        return self._tables.bytes

    def count_nodes(self) -> int:
        """How many nodes there are, whether any head mentions them or not: the length of arrays that are indexed by node."""
        return int(self._tables.counts[N_NODES])

    def count_unused(self) -> int:
        """How many nodes no head mentions any more. Looks at each."""
        return self._tables.unused

    def measure_size(self) -> Size:
        """How many assets and flows there are. Looks at every node and flow: some milliseconds per million."""
        return measure_size(self._tables)

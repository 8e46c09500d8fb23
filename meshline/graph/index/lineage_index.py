"""The lineage index: the visible graph, now or as of one time, in four facets.

`assets` answers what a single asset is: which asset an id or a name means, how it is shown, its kind, names, columns, tags.
`ownership` answers who is responsible for it and who relies on it: owners, products, domains, and the stated edges (ports,
contracts, consumers, jobs) from which these follow.

`lineage` answers where data comes from and where it goes: traversals, paths, flows and the spread of values, and what the arrays
of nodes in these answers mean. `changes` answers what sources state now, in which scopes and since when, and what changed since an
earlier look; by it the index follows the store. No facet hands out the tables: they are reached in this package only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshline.graph.index.asset_facet import AssetFacet
from meshline.graph.index.change_facet import ChangeFacet
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.dump import Dump, dump_graph
from meshline.graph.index.lineage_facet import LineageFacet
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.lookup import AssetLookup
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.ownership_facet import OwnershipFacet
from meshline.graph.index.results import KnownLater, View
from meshline.graph.model import Precedence
from meshline.graph.store.base import Head


class LineageIndex:
    """The statements of all visible heads, interned and traversable.

    Nodes are small integers. Every method accepts the node of any member of an identity class and
    answers with representatives of classes. Nodes mean nothing beyond the life of the index: outside
    of a request, keep ids. Not safe for use by several threads: its owner keeps a lock.
    """

    def __init__(self, revision: int, as_of: int | None = None, precedence: Precedence | None = None) -> None:
        """An empty index; see `load`."""
        precedence = precedence or Precedence()
        self._view = View(revision, as_of)
        self._loader = HeadLoader(precedence)
        self._tables = self._loader.tables
        self._shown = DisplayNames(self._loader, precedence)
        self._ownership = OwnershipCache(self._loader, self._shown, precedence)
        self._lookup = AssetLookup(self._loader, self._shown)
        self.assets = AssetFacet(self._loader, self._shown, self._lookup)
        self.ownership = OwnershipFacet(self._loader, self._ownership)
        self.lineage = LineageFacet(self._loader, self._ownership, self._view)
        self.changes = ChangeFacet(self._loader, self._shown, self._view)

    @classmethod
    def load(
        cls,
        heads: Iterable[Sequence[Head]],
        revision: int,
        as_of: int | None = None,
        precedence: Precedence | None = None,
    ) -> LineageIndex:
        """An index of these heads (`Store.heads`), which are the store's at `revision`."""
        index = cls(revision, as_of, precedence)
        index._loader.load(heads)
        return index

    @property
    def revision(self) -> int:
        """The revision of the store up to which the index follows it."""
        return self._view.revision

    @property
    def as_of(self) -> int | None:
        """The time that the index shows, in microseconds; None: now."""
        return self._view.as_of

    @property
    def known_later(self) -> tuple[KnownLater, ...]:
        """Of an index of the past: the relations that no source stated then and one states now (`meshline.graph.live_graph`)."""
        return self._view.known_later

    @known_later.setter
    def known_later(self, known: tuple[KnownLater, ...]) -> None:
        self._view.known_later = known

    def prepare_ids(self) -> None:
        """Make the first `assets.find` as fast as later ones. Takes about a second for a million columns; a server does it at its start."""
        self._lookup.prepare_ids()

    def dump(self) -> Dump:
        """For tests: the whole visible graph by names, independent of the order of the statements (law 7)."""
        return dump_graph(self._loader, self._shown, self._ownership)

"""The graph as a caller may see it: by the access rules of the installation."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from meshline.app.access_rules import AccessRules
from meshline.app.tokens import Actor
from meshline.graph.index import LineageIndex
from meshline.graph.index.restricted_index import RestrictedIndex
from meshline.graph.index.results import Flags
from meshline.graph.live_graph import LiveGraph
from meshline.graph.queries.visibility import Rights, SelectorKind, compute_visible, find_selected

log = logging.getLogger("meshline.access")

MOST_VIEWS = 64  # restricted indexes that are cached: for as many different rights, times the times that they ask for


class _Known(NamedTuple):
    """A restricted index, and the state of the index that it is made of: it is valid as long as that is the same."""

    of: LineageIndex
    state: tuple[int, ...]
    restricted: RestrictedIndex
    visible: Flags


class Access:
    """Gives each caller the graph that he may see. Use the graphs under their lock; callers with equal rights share one."""

    def __init__(self, live: LiveGraph, rules: AccessRules | None) -> None:
        """`rules`: None: all callers see everything."""
        self._live = live
        self._rules = rules
        self._views: OrderedDict[tuple[Rights, int | None], _Known] = OrderedDict()

    def find_graph(self, actor: Actor) -> LiveGraph:
        """The graph for a caller: the whole one, or a `RestrictedGraph`."""
        rights = None if self._rules is None else self._rules.find_rights(actor)
        return self._live if rights is None else RestrictedGraph(self._live, self, rights)

    def restrict_index(self, index: LineageIndex, rights: Rights) -> RestrictedIndex:
        """An index for a viewer with these rights."""
        return self._find_view(index, rights).restricted

    def warn_of_idle_selectors(self) -> None:
        """Log a warning for each selector of the rules that chooses nothing: a misspelt restriction hides nothing."""
        with self._live.lock:
            for sentence in self.list_idle_selectors():
                log.warning("%s", sentence)

    def list_idle_selectors(self) -> Iterator[str]:
        """A sentence for each selector of the rules that chooses nothing in the graph."""
        if self._rules is not None:
            for selector, place in self._rules.iterate_selectors():
                if selector.kind is not SelectorKind.EVERYTHING and not find_selected(self._live.index, selector):
                    yield f"{place}: {':'.join(part for part in selector if part)} chooses nothing in the graph"

    def _find_view(self, index: LineageIndex, rights: Rights) -> _Known:
        key, state = (rights, index.as_of), (index.revision, self._live.index.revision, index.changes.count_nodes())
        known = self._views.get(key)
        if known is None or known.of is not index or known.state != state:
            now = None
            if index.as_of is not None:
                today = self._find_view(self._live.index, rights)
                now = (today.of, today.visible)
            visible = compute_visible(index, rights, now)
            known = self._views[key] = _Known(index, state, RestrictedIndex(index, visible), visible)
        self._views.move_to_end(key)
        while len(self._views) > MOST_VIEWS:
            self._views.popitem(last=False)
        return known


class RestrictedGraph(LiveGraph):
    """A live graph of which a viewer sees a part. It reads the same store, shares the lock, and changes nothing."""

    def __init__(self, live: LiveGraph, access: Access, rights: Rights) -> None:
        self.store = live.store
        self.lock = live.lock
        self.precedence = live.precedence
        self._whole = live
        self._access = access
        self._rights = rights

    @property
    def index(self) -> LineageIndex:
        return self._access.restrict_index(self._whole.index, self._rights)

    @property
    def revision(self) -> int:
        return self._whole.revision

    def get_index(self, as_of: int | None, *, revision: int | None = None, deadline: float | None = None) -> LineageIndex:
        found = self._whole.get_index(as_of, revision=revision, deadline=deadline)
        with self.lock:
            return self._access.restrict_index(found, self._rights)

    def has_index(self, as_of: int, revision: int) -> bool:
        return self._whole.has_index(as_of, revision)

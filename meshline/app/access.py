"""The graph as a caller may see it: by the access rules of the installation."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from meshline.app.access_rules import AccessRules, Action, list_own_names
from meshline.app.ingest_rights import IngestRights
from meshline.app.tokens import AccessScope, Actor
from meshline.errors import NotPermitted
from meshline.graph.index import LineageIndex
from meshline.graph.index.restricted_index import RestrictedIndex
from meshline.graph.index.results import Flags
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, build_owner_key, get_current_micros
from meshline.graph.queries.selection import SelectorKind, find_selected
from meshline.graph.queries.visibility import Levels, Masks, Rights, compute_masks, compute_permitted
from meshline.graph.what_if import SupposedStatement, suppose_statements

log = logging.getLogger("meshline.access")

MOST_VIEWS = 64  # restricted indexes that are cached: for as many different rights, times the times that they ask for


class _Known(NamedTuple):
    """A restricted index, and the state of the index that it is made of: it is valid as long as that is the same."""

    of: LineageIndex
    state: tuple[int, ...]
    restricted: RestrictedIndex
    masks: Masks


class Access:
    """Gives each caller the graph that he may see. Use the graphs under their lock; callers with equal rights share one."""

    def __init__(self, live: LiveGraph, find_rules: Callable[[], AccessRules | None]) -> None:
        """`find_rules`: those in effect; None: all callers see everything."""
        self._live = live
        self._find_rules = find_rules
        self._permitted: OrderedDict[Rights, tuple[LineageIndex, tuple[int, ...], Flags]] = OrderedDict()
        self._views: OrderedDict[tuple[Levels, int | None], _Known] = OrderedDict()

    @property
    def rules(self) -> AccessRules | None:
        """The rules in effect: ask once for a decision, they may be others the next time."""
        return self._find_rules()

    @property
    def live(self) -> LiveGraph:
        """The whole graph."""
        return self._live

    def find_graph(self, actor: Actor) -> LiveGraph:
        """The graph for a caller: the whole one, or a `RestrictedGraph`."""
        rules = self.rules
        levels = None if rules is None else rules.find_levels(actor)
        return self._live if levels is None else RestrictedGraph(self._live, self, levels)

    def restrict_index(self, index: LineageIndex, levels: Levels) -> RestrictedIndex:
        """An index for a viewer with these rights."""
        return self._find_view(index, levels).restricted

    def check_statement(self, actor: Actor, statement: SupposedStatement, about: Sequence[AssetKey]) -> None:
        """Raises NotPermitted unless a caller may make a statement about these assets: as they are, and as they would be afterwards."""
        rules = self.rules
        rights = None if rules is None else rules.find_rights(actor, Action.STATE)
        if rights is None:
            return
        with suppose_statements(self._live, [statement], get_current_micros()) as would:
            after = self._list_forbidden(would.index, compute_permitted(would.index, rights), about)
        with self._live.lock:
            before = self._list_forbidden(self._live.index, self.find_permitted(self._live.index, rights), about)
        for forbidden, when in ((before, ""), (after, " as it would be after this")):
            if forbidden:
                raise NotPermitted(f"{actor.name!r} may make no statements about {forbidden[0].qualified_name!r}{when} (access rules)")

    def may_tie(self, actor: Actor, index: LineageIndex, key: AssetKey) -> bool:
        """Whether a caller may state of an owner that it owns something, or of a consumer that it uses something. Under the graph's lock.

        One that he sees (`index`: his), himself, or a group of his; who sees all of them, also one that is new. Of what such a
        statement ties to a visible asset the names and texts are shown: else it would show whether a guessed name is that of a hidden one.
        """
        rules = self.rules
        seeing = Action.BROWSE if key.kind is AssetKind.OWNER else Action.READ
        if rules is None or rules.may_everywhere(actor, seeing):
            return True
        return index.assets.find_by_key(key) is not None or key.name in list_own_names(actor)

    def find_ingest(self, actor: Actor) -> IngestRights | None:
        """What a caller with the role writer may send events about; None: everything. Not to be used under the graph's lock.

        Who may see some assets and not all states only owners that he may tie to them. Who sees none learns nothing by it.
        """
        rules = self.rules
        rights = None if rules is None else rules.find_ingest(actor)
        if rules is None or rights is None:
            return rights
        sees = actor.may(AccessScope.READ) and rules.may_somewhere(actor, Action.BROWSE)
        return rights._replace(may_name=partial(self._may_name_owner, actor)) if sees else rights

    def _may_name_owner(self, actor: Actor, name: str) -> bool:
        live = self.find_graph(actor)
        with live.lock:
            return self.may_tie(actor, live.index, build_owner_key(name))

    @staticmethod
    def _list_forbidden(index: LineageIndex, permitted: Flags, about: Iterable[AssetKey]) -> list[AssetKey]:
        """Those of the assets that are known and not permitted."""
        nodes = ((key, index.assets.find_by_key(key)) for key in about)
        return [key for key, node in nodes if node is not None and not permitted[node]]

    def find_permitted(self, index: LineageIndex, rights: Rights) -> Flags:
        """With which nodes something may be done (bool, by node)."""
        state = (index.revision, index.changes.count_nodes())
        known = self._permitted.get(rights)
        if known is None or known[0] is not index or known[1] != state:
            known = self._permitted[rights] = (index, state, compute_permitted(index, rights))
        self._permitted.move_to_end(rights)
        while len(self._permitted) > MOST_VIEWS:
            self._permitted.popitem(last=False)
        return known[2]

    def warn_of_idle_selectors(self) -> None:
        """Log a warning for each selector of the rules that chooses nothing: a misspelt restriction hides nothing."""
        with self._live.lock:
            for sentence in self.list_idle_selectors():
                log.warning("%s", sentence)

    def list_idle_selectors(self) -> Iterator[str]:
        """A sentence for each selector of the rules that chooses nothing in the graph."""
        rules = self.rules
        if rules is not None:
            for selector, place in rules.iterate_selectors():
                if selector.kind is not SelectorKind.EVERYTHING and not find_selected(self._live.index, selector):
                    yield f"{place}: {':'.join(part for part in selector if part)} chooses nothing in the graph"

    def _find_view(self, index: LineageIndex, levels: Levels) -> _Known:
        key, state = (levels, index.as_of), (index.revision, self._live.index.revision, index.changes.count_nodes())
        known = self._views.get(key)
        if known is None or known.of is not index or known.state != state:
            now = None
            if index.as_of is not None:
                today = self._find_view(self._live.index, levels)
                now = (today.of, today.masks)
            masks = compute_masks(index, levels, now)
            known = self._views[key] = _Known(index, state, RestrictedIndex(index, *masks), masks)
        self._views.move_to_end(key)
        while len(self._views) > MOST_VIEWS:
            self._views.popitem(last=False)
        return known


class RestrictedGraph(LiveGraph):
    """A live graph of which a viewer sees a part. It reads the same store, shares the lock, and changes nothing."""

    def __init__(self, live: LiveGraph, access: Access, levels: Levels) -> None:
        self.store = live.store
        self.lock = live.lock
        self.precedence = live.precedence
        self.vectors = live.vectors
        self.titles = live.titles
        self._whole = live
        self._access = access
        self._levels = levels

    @property
    def index(self) -> LineageIndex:
        return self._access.restrict_index(self._whole.index, self._levels)

    @property
    def whole(self) -> LiveGraph:
        return self._whole

    @property
    def revision(self) -> int:
        return self._whole.revision

    def get_index(self, as_of: int | None, *, revision: int | None = None, deadline: float | None = None) -> LineageIndex:
        found = self._whole.get_index(as_of, revision=revision, deadline=deadline)
        with self.lock:
            return self._access.restrict_index(found, self._levels)

    def has_index(self, as_of: int, revision: int) -> bool:
        return self._whole.has_index(as_of, revision)

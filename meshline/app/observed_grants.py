"""Grants of data that syncs see: what sources state about who may read (`MAY_READ`) grants approved requests, and revokes granted ones.

A grant is seen if a reading of its source that began after the approval found that the principal may read all that was asked for. It is
gone if no source states it any more, and the source by which it was seen has since been read to its end, with all rights, and still
describes the dataset. So a source that cannot be read, or reads no grants, decides nothing; and a right that its last reading left out,
because it was of some tables only, proves no grant.

What is asked for of a domain or a product are the datasets in it that the asker and the principal see: they see the state of the request,
which must not depend on a dataset that is hidden from them.

Who is the principal of a grant follows from the names of owners alone, as what a caller owns does (`default: own` of access rules): that
of the principal, those of its groups, and teams of which sources name it as one of their people. Nothing else is guessed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.app.access import Access
from meshline.app.access_notices import format_time
from meshline.app.access_requests import AccessKind, Request, RequestState, SeenRights, StepKind
from meshline.app.grant_effects import list_viewers
from meshline.graph.index import Edge, LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Scope, get_current_micros
from meshline.graph.naming import PERSON, TEAM, parse_owner
from meshline.graph.queries.assets import Attributes, read_attributes
from meshline.graph.queries.selection import SelectorKind, find_selections, list_owners, parse_selector
from meshline.ingest.sources.base import FOR_MEMBERS, RIGHTS
from meshline.ingest.sources.reading_loader import read_left_out
from meshline.ingest.sources.sync_status import Status, read_status

MOST_DATASETS = 500  # of a request that syncs can grant: each step names them
PAUSE = 10  # before the graph is looked at again, in multiples of the last duration
READ = "read"  # the action that any right to read fulfils; another one names the role that is to be granted
_ACTIVE = (RequestState.APPROVED, RequestState.GRANTED)
_KINDS = {"user": PERSON, "group": TEAM}  # of owners, by kind of principal; a service or a token may be either
_PREFIXES = {"user": PERSON, "person": PERSON, "group": TEAM, "team": TEAM}  # of the names of owners


class Observation(NamedTuple):
    """What syncs have shown about a request. `seen`: the rights by which its principal may read; empty: they are gone."""

    request: Request
    seen: tuple[SeenRights, ...]
    reason: str


class GrantObserver:
    """Compares requests for data with the graph. Not to be called under the graph's lock."""

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._access = access
        self._live = access.live
        self._clock = clock
        self._state: tuple[object, ...] | None = None
        self._next = 0.0
        self._watched: Mapping[str, frozenset[str]] = {}

    def list_observations(self, requests: Iterable[Request]) -> list[Observation]:
        """What is new about these requests. Raises StoreUnavailable."""
        now = get_current_micros()
        active = {one.id: one for one in requests if one.wish.kind is AccessKind.DATA and one.compute_state(now) in _ACTIVE}
        if not active or not self._find_watched(active):
            return []
        statuses = {name: read_status(self._live.store, name) for name in frozenset[str]().union(*self._watched.values())}
        due = [active[id_] for id_ in self._watched if id_ in active and _is_due(active[id_], self._watched[id_], statuses)]
        if not due:
            return []
        left_out = {source: read_left_out(self._live.store, source) for source in statuses}  # after the statuses: not older than they are
        self._live.refresh()  # the graph is then as new as the statuses: a right that is gone by them is gone from it
        viewers = self._list_viewers(due)
        with self._live.lock:
            found = _Look(self._live, self._live.index, viewers, left_out)
            return [one for request in due if (one := found.find_news(request, statuses)) is not None]

    def _find_watched(self, active: Mapping[str, Request]) -> bool:
        """Whether a sync of some sources can decide any of the requests. The graph is only looked at when it, or a request, has changed."""
        requests = tuple((one.id, len(one.steps)) for one in active.values())
        state = (self._live.index, self._live.index.revision, requests, self._access.rules)
        if state != self._state and self._clock() >= self._next:
            begun = self._clock()
            viewers = self._list_viewers(active.values())
            with self._live.lock:
                look = _Look(self._live, self._live.index, viewers, {})
                self._watched = {id_: sources for id_, request in active.items() if (sources := look.list_sources(request))}
            self._state = state
            self._next = self._clock() + PAUSE * (self._clock() - begun)
        return bool(self._watched)

    def _list_viewers(self, requests: Iterable[Request]) -> dict[str, list[LiveGraph]]:
        """By request for more than one dataset: the graph as those see it who see its state."""
        several = (one for one in requests if parse_selector(one.wish.selector).kind is not SelectorKind.DATASET)
        return {one.id: list_viewers(self._access, one.wish) for one in several}


class _Readers(NamedTuple):
    """The owners that are the principal of a request, or a group of it. `name`: that of the principal; empty if it is a group."""

    owners: frozenset[int]
    name: str


class _Look:
    """One look at a state of the graph. Under its lock.

    `viewers`: by request for more than one dataset, see `GrantObserver`; `left_out`: by source, the scopes of rights that its last reading
    left out.
    """

    def __init__(
        self, live: LiveGraph, index: LineageIndex, viewers: Mapping[str, Sequence[LiveGraph]], left_out: Mapping[str, Collection[Scope]]
    ) -> None:
        self._live = live
        self._index = index
        self._viewers = viewers
        self._left_out = left_out
        self._attributes: dict[int, Attributes] = {}

    def list_sources(self, request: Request) -> frozenset[str]:
        """The sources of which a further reading can decide a request: those that state its rights, or by which a lost one was seen."""
        if request.seen:
            return frozenset(one.source for one, lost in self._iterate_lost(request) if lost)
        found = self._find_rights(request)
        return frozenset[str]().union(*found.values()) if found else frozenset()

    def find_news(self, request: Request, statuses: Mapping[str, Status | None]) -> Observation | None:
        """What the graph shows now, as far as the sources have been read since; None: nothing new."""
        if request.seen:
            return self._find_missing(request, statuses)
        found = self._find_rights(request)
        if not found:
            return None
        by_source: dict[str, list[str]] = {}
        for dataset, sources in found.items():
            read = sorted(source for source in sources if _get_rights_time(statuses.get(source)) >= request.approved_at)
            if not read:
                return None
            by_source.setdefault(read[0], []).append(self._index.assets.get_key(dataset).id)
        seen = tuple(
            SeenRights(source, _get_rights_time(statuses[source]), tuple(datasets)) for source, datasets in sorted(by_source.items())
        )
        return Observation(request, seen, f"seen in {_format_sources(seen)}")

    def _find_missing(self, request: Request, statuses: Mapping[str, Status | None]) -> Observation | None:
        gone = [
            SeenRights(one.source, _get_rights_time(statuses.get(one.source)), tuple(lost))
            for one, lost in self._iterate_lost(request)
            if lost and _get_rights_time(statuses.get(one.source)) > one.at and self._is_described_by(one.source, lost)
        ]
        return Observation(request, (), f"no longer in {_format_sources(gone)}") if gone else None

    def _iterate_lost(self, request: Request) -> Iterator[tuple[SeenRights, list[str]]]:
        """Of each source by which rights were seen: the datasets that the principal may not read any more, whichever source is asked.

        A dataset that is not among those asked for any more (it left the product, or the graph) is not counted, and no right that one of
        others, who are not listed, may have replaced (`for_members`).
        """
        asked = set(self._list_datasets(request))
        readers = self._list_readers(request)
        for one in request.seen:
            nodes = {dataset: self._index.assets.find(dataset) for dataset in one.datasets}
            yield (
                one,
                [
                    dataset
                    for dataset, node in nodes.items()
                    if node is not None
                    and node in asked
                    and not self._list_stating(node, request, readers, {})
                    and not self._is_open(node, one.source)
                ],
            )

    def _is_described_by(self, source: str, datasets: Iterable[str]) -> bool:
        """Whether a source still states something, and about one of these datasets, if it describes datasets at all: one that is not read
        any more (another selection, a dropped table) is no revoked right.
        """
        stated = self._index.changes.list_statements(source)
        if not stated:
            return False
        if all(scope[0] == RIGHTS for scope in stated):
            return True
        nodes = [node for dataset in datasets if (node := self._index.assets.find(dataset)) is not None]
        scopes = (self._index.changes.get_scope(scope) for node in nodes for scope in self._index.changes.list_scopes(node))
        return any(scope.source == source for scope in scopes)

    def _find_rights(self, request: Request) -> Mapping[int, frozenset[str]]:
        """The sources that state a right of the principal, by dataset; empty unless it may read all that was asked for."""
        datasets, readers = self._list_datasets(request), self._list_readers(request)
        if not 0 < len(datasets) <= MOST_DATASETS:
            return {}
        found: dict[int, frozenset[str]] = {}
        for dataset in datasets:
            stating = self._list_stating(dataset, request, readers, self._left_out)
            if not stating:
                return {}
            found[dataset] = stating
        return found

    def _list_datasets(self, request: Request) -> list[int]:
        index, wish = self._index, request.wish
        node = index.assets.find(wish.asset)
        if node is not None and index.assets.get_kind(node) is AssetKind.DATASET:
            return [node]
        selections = find_selections(index)
        places = selections.places
        chosen = selections.select(parse_selector(wish.selector))[places.datasets]
        views = [viewer.index for viewer in self._viewers.get(request.id, ())]
        found: list[int] = places.nodes[places.datasets[chosen]].tolist()
        return [dataset for dataset in found if all(view.assets.is_visible(dataset) for view in views)]

    def _list_readers(self, request: Request) -> _Readers:
        """The owners that are the principal of a request, or a group of it."""
        kind, _, name = request.wish.principal.partition(":")
        named = [(name, _KINDS.get(kind, "")), *((group, TEAM) for group in request.wish.groups)]
        nodes = frozenset(
            node
            for one, form in named
            for node in list_owners(self._index, [one, *(f"{prefix}:{one}" for prefix in _PREFIXES if form in ("", _PREFIXES[prefix]))])
            if self._is_of_kind(node, form)
        )
        return _Readers(nodes, "" if kind == "group" else parse_owner(name).name)

    def _list_stating(self, dataset: int, request: Request, readers: _Readers, left_out: Mapping[str, Collection[Scope]]) -> frozenset[str]:
        """The sources that state that one of the readers, or a team with one of them, may read all of a dataset, but in scopes that are
        left out.
        """

        def keep(asset: int) -> list[Edge]:
            return [edge for edge in self._keep_fitting(asset, request, readers) if not self._is_left_out(edge, left_out)]

        whole = keep(dataset)
        if whole:
            return frozenset(map(self._get_source, whole))
        columns = self._index.assets.list_columns(dataset)
        by_source: dict[str, int] = {}
        for column in columns:
            stating = {self._get_source(edge) for edge in keep(column)}
            if not stating:
                return frozenset()  # and the other columns need no look
            for source in stating:
                by_source[source] = by_source.get(source, 0) + 1
        return frozenset(source for source, count in by_source.items() if count == len(columns))

    def _keep_fitting(self, asset: int, request: Request, readers: _Readers) -> list[Edge]:
        edges = self._index.ownership.list_edges(asset, EdgeType.MAY_READ, incoming=True)
        wanted = [edge for edge in edges if request.wish.action in (READ, edge.attributes.get("grant"))]
        others = [edge.start for edge in wanted if edge.start not in readers.owners]
        self._prefetch(others)
        return [edge for edge in wanted if edge.start in readers.owners or self._has_member(edge.start, readers)]

    def _has_member(self, team: int, readers: _Readers) -> bool:
        """Whether a source names one of the readers as one of the people of a team."""
        people = self._attributes[team].find_value("people")
        names = [name for name in people if isinstance(name, str)] if isinstance(people, list) else []
        if readers.name and readers.name in {parse_owner(name).name for name in names}:
            return True
        nodes = (self._index.assets.find_by_key(AssetKey(AssetKind.OWNER, (name,))) for name in names)
        return any(node in readers.owners for node in nodes)

    def _is_open(self, dataset: int, source: str) -> bool:
        """Whether a source states a right by which others than those that it lists may read a dataset."""
        edges = self._index.ownership.list_edges(dataset, EdgeType.MAY_READ, incoming=True)
        return any(edge.attributes.get(FOR_MEMBERS) is True and self._get_source(edge) == source for edge in edges)

    def _is_of_kind(self, owner: int, kind: str) -> bool:
        """Whether an owner can be a person (or a team): a user is not the group of the same name."""
        if not kind:
            return True
        self._prefetch([owner])
        kinds = {parse_owner(key.name).kind for key in self._index.assets.list_names(owner)} - {""}
        stated = self._attributes[owner].find_text("owner_type") or ""
        return stated in ("", kind) and (not kinds or kind in kinds)

    def _prefetch(self, owners: Sequence[int]) -> None:
        wanted = sorted({node for node in owners if node not in self._attributes})
        if wanted:
            self._attributes.update(zip(wanted, read_attributes(self._live, self._index, wanted), strict=True))

    def _is_left_out(self, edge: Edge, left_out: Mapping[str, Collection[Scope]]) -> bool:
        stated = self._index.changes.get_scope(edge.scope_id)
        return stated.scope in left_out.get(stated.source, ())

    def _get_source(self, edge: Edge) -> str:
        return self._index.changes.get_scope(edge.scope_id).source


def _is_due(request: Request, sources: Iterable[str], statuses: Mapping[str, Status | None]) -> bool:
    """Whether one of the sources has been read since the approval, or since the rights were seen."""
    since = {one.source: one.at + 1 for one in request.seen}
    return any(_get_rights_time(statuses.get(source)) >= since.get(source, request.approved_at) for source in sources)


def _get_rights_time(status: Status | None) -> int:
    """When a source was last read with all rights (microseconds); -1: never."""
    return -1 if status is None or status.rights is None else status.rights


def _format_sources(seen: Iterable[SeenRights]) -> str:
    return ", ".join(f"{one.source} at {format_time(one.at)}" for one in seen)


STEPS: Mapping[bool, tuple[StepKind, RequestState]] = {  # of an observation, by whether rights were seen
    True: (StepKind.OBSERVE, RequestState.GRANTED),
    False: (StepKind.MISS, RequestState.REVOKED),
}

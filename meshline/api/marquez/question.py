"""One request to Marquez's API: the graph that it asks, its parameters, and its answer or error as JSON."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import numpy.typing as npt
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.errors import JSON
from meshline.api.etags import ETags, build_headers, build_unchanged, has_answer
from meshline.api.graphql.http import PURPOSE, GraphQLEndpoint
from meshline.api.marquez.registrations import Registered, RegisteredEntry, find_registry
from meshline.api.permissions import get_actor
from meshline.app.service import Service
from meshline.errors import InvalidInput, NotFound
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, to_micros
from meshline.graph.naming import Naming, normalise_namespace
from meshline.graph.queries.asset_lists import list_tags
from meshline.graph.queries.pages import Limits
from meshline.graph.queries.resolve import find_dataset
from meshline.graph.store.base import Run

MOST = 10_000  # entries of a page
LONGEST = 4096  # characters of a name
NAMED = (AssetKind.DATASET, AssetKind.JOB)  # what is in namespaces
DEFAULT = "default"  # the namespace of a graph without datasets and jobs: Marquez's page needs one

T = TypeVar("T")


Times: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
_times: WeakKeyDictionary[LineageIndex, tuple[int, Times]] = WeakKeyDictionary()  # of each index at its newest revision


class Writer(NamedTuple):
    """A completed run that wrote a dataset. `ended`: in microseconds."""

    run: Run
    ended: int

    @property
    def run_id(self) -> str:
        return self.run.key.run_id


class Found(NamedTuple):
    """An answer as JSON. `lasting`, `headers`: as in `Question`. `assets`: the ids of those that it shows."""

    body: bytes
    lasting: bool
    headers: Mapping[str, str]
    assets: frozenset[str]


HIDDEN_HEADER = "Meshline-Hidden"  # of graphs and of what else follows lineage: how many nodes an administrator would be shown besides


class Question:
    """What one request asks of the graph. Used by one thread, under the graph's lock."""

    def __init__(
        self,
        live: LiveGraph,
        index: LineageIndex,
        naming: Naming,
        limits: Limits,
        path: Mapping[str, str],
        query: QueryParams,
    ) -> None:
        """`path`: the decoded parameters of the address.

        `lasting`: set to false by what reads more than the index and what is registered, or may end early.
        `headers`: of the answer. Shapes are Marquez's, and its client for Java refuses members that it does not know.
        `shown`: the datasets and columns that the answer shows, for the audit log.
        """
        self.live = live
        self.index = index
        self.naming = naming
        self.limits = limits
        self.path = path
        self.query = query
        self.lasting = True
        self.headers: dict[str, str] = {}
        self.shown: set[int] = set()
        self.writers: dict[tuple[int, int | None], Writer | None] = {}  # see `runs.read_last_writers`

    def count_left_out(self, left_out: Collection[object]) -> None:
        """State in a header how many nodes the answer leaves out since the caller may not see them."""
        if left_out:
            self.headers[HIDDEN_HEADER] = str(len(left_out))

    def copy_whole(self) -> Question:
        """The same question, as an administrator asks it."""
        return Question(self.live.whole, self.index.whole, self.naming, self.limits, self.path, self.query)

    def read_page(self, default: int = 100) -> tuple[int, int]:
        """(limit, offset). Raises InvalidInput."""
        return self.read_number("limit", default, MOST), self.read_number("offset", 0)

    def cut_page(self, found: Sequence[T], default: int = 100) -> Sequence[T]:
        """The part of a whole list that the request asks for. Raises InvalidInput."""
        limit, offset = self.read_page(default)
        return found[offset : offset + limit]

    def read_number(self, name: str, default: int, most: int = 2**31 - 1) -> int:
        """A parameter of the query that is a number from 0 on. Raises InvalidInput."""
        text = self.query.get(name)
        if text is None or text == "":
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
            raise InvalidInput(f"give a whole number from 0 to {most}, not {text[:40]!r}", name)
        return int(text)

    def read_flag(self, name: str) -> bool:
        """A parameter of the query that is true or false, false by default. Raises InvalidInput."""
        text = self.query.get(name, "false").lower()
        if text not in ("true", "false"):
            raise InvalidInput(f"give true or false, not {text[:40]!r}", name)
        return text == "true"

    def read_choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """A parameter of the query that is one of a few words, in any case. Raises InvalidInput."""
        text = self.query.get(name, default).upper()
        if text not in (*choices, default):
            raise InvalidInput(f"give {' or '.join(choices)}, not {text[:40]!r}", name)
        return text

    def find_dataset(self, namespace: str, name: str) -> int | None:
        """The dataset that has this name, as it is shown or another one."""
        return find_dataset(self.index, self.naming, namespace, name) if len(namespace) + len(name) <= LONGEST else None

    def find_job(self, namespace: str, name: str) -> int | None:
        node = self.index.assets.find_by_key(AssetKey(AssetKind.JOB, (namespace, name))) if len(namespace) + len(name) <= LONGEST else None
        return node if node is not None and self.index.assets.is_visible(node) else None

    def get_dataset(self) -> int:
        """The dataset of the address. Raises NotFound."""
        node = self.find_dataset(self.path["namespace"], self.path["dataset"])
        if node is None:
            raise build_not_found("Dataset", self.path["dataset"])
        return node

    def get_job(self) -> int:
        """The job of the address. Raises NotFound."""
        node = self.find_job(self.path["namespace"], self.path["job"])
        if node is None:
            raise build_not_found("Job", self.path["job"])
        return node

    def check_namespace(self) -> None:
        """Raises NotFound if the namespace of the address has neither datasets nor jobs, and is not registered."""
        name = self.path["namespace"]
        empty = all(begin == end for begin, end in map(self.find_namespace_of, NAMED))
        if empty and name != DEFAULT and self.find_entry(Registered.NAMESPACE, name) is None:
            raise build_not_found("Namespace", name)

    @cached_property
    def registered(self) -> Mapping[tuple[Registered, tuple[str, ...]], RegisteredEntry]:
        """What Marquez's clients have registered, by kind and name: of names that the caller may see."""
        found = find_registry(self.live).read(self.index.as_of)
        if not self.index.is_restricted:
            return found
        return {key: one for key, one in found.items() if self._may_show(*key)}

    def _may_show(self, kind: Registered, name: tuple[str, ...]) -> bool:
        """Whether something that the caller may see has a name: others may be those of hidden assets."""
        if kind in (Registered.DATASET, Registered.JOB):
            return (self.find_dataset(*name) if kind is Registered.DATASET else self.find_job(*name)) is not None
        if kind is Registered.TAG:
            return name[0] in self.tags
        kinds = NAMED if kind is Registered.NAMESPACE else (AssetKind.DATASET,)
        return any(self.list_of_namespace(of_kind, name[0]) for of_kind in kinds)

    @cached_property
    def tags(self) -> frozenset[str]:
        """The tags of datasets, columns and jobs: `key` or `key=value`."""
        return frozenset(tag.key if tag.value is None else f"{tag.key}={tag.value}" for tag in list_tags(self.index))

    def find_entry(self, kind: Registered, *name: str) -> RegisteredEntry | None:
        """What is registered under a name."""
        return self.registered.get((kind, name))

    @cached_property
    def hidden(self) -> frozenset[int]:
        """The datasets and jobs that lists and searches leave out: those that were hidden, and that no later event names."""
        found: list[tuple[int, int]] = []
        for (kind, name), one in self.registered.items():
            if one.entry.hidden and kind is Registered.NAMESPACE:
                found += [(node, one.at) for of_kind in NAMED for node in self.list_of_namespace(of_kind, name[0])]
            elif one.entry.hidden:
                node = self.find_dataset(*name) if kind is Registered.DATASET else self.find_job(*name)
                found += [] if node is None else [(node, one.at)]
        if not found:
            return frozenset()
        last = self.times[1]
        return frozenset(node for node, at in found if last[node] <= at)

    @cached_property
    def times(self) -> Times:
        """By node: since when a current statement mentions it, and when one last did, in microseconds."""
        known = _times.get(self.index)
        if known is None or known[0] != self.index.revision:
            found = (self.index.changes.compute_first_stated(), self.index.changes.compute_last_observed())
            known = _times[self.index] = (self.index.revision, found)
        return known[1]

    def leave_out_hidden(self, nodes: Sequence[int]) -> Sequence[int]:
        """Those of these datasets or jobs that lists show."""
        return [node for node in nodes if node not in self.hidden] if self.hidden else nodes

    def has_source(self, name: str) -> bool:
        """Whether a data source is registered, or a namespace of datasets."""
        names = (name, normalise_namespace(name)[1])
        return self.find_entry(Registered.SOURCE, name) is not None or any(self.list_of_namespace(AssetKind.DATASET, one) for one in names)

    def list_of_namespace(self, kind: AssetKind, namespace: str | None = None) -> Sequence[int]:
        """The datasets or jobs of a namespace, by name; None: of that of the address."""
        begin, end = self.find_namespace_of(kind) if namespace is None else find_namespace(self.index, kind, namespace)
        return self.index.assets.list_of_kind(kind)[begin:end]

    def find_namespace_of(self, kind: AssetKind) -> tuple[int, int]:
        """The positions, among all assets of a kind in the order of their names, at which those of the namespace begin and end."""
        namespace = self.path["namespace"]
        for name in (namespace, normalise_namespace(namespace)[1]):
            found = find_namespace(self.index, kind, name)
            if found[0] < found[1]:
                return found
        return 0, 0


def find_namespace(index: LineageIndex, kind: AssetKind, namespace: str) -> tuple[int, int]:
    """The positions, in `list_of_kind`, at which the datasets or jobs of a namespace begin and end."""
    nodes = index.assets.list_of_kind(kind)

    def find_first(wanted: Callable[[str], bool]) -> int:
        low, high = 0, len(nodes)
        while low < high:
            middle = (low + high) // 2
            if wanted(index.assets.get_key(nodes[middle]).parts[0]):
                high = middle
            else:
                low = middle + 1
        return low

    return find_first(lambda name: name >= namespace), find_first(lambda name: name > namespace)


def build_not_found(kind: str, name: str) -> NotFound:
    """The error for a name that is not known, in Marquez's words."""
    return NotFound(f"{kind} '{name[:LONGEST]}' not found.")


Build: TypeAlias = Callable[[Question], msgspec.Struct | Sequence[msgspec.Struct]]


def build_endpoint(build: Build, *, lasting: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that answers each request with what `build` returns for its question.

    `lasting`: its answers are the same while the revision of the graph and what is registered are; they have an ETag.
    """

    async def answer(request: Request) -> Response:
        return await _answer_question(request, build, lasting=lasting)

    answer.__doc__ = build.__doc__
    answer.__name__ = f"answer_{build.__name__}"
    return answer


async def _answer_question(request: Request, build: Build, *, lasting: bool) -> Response:
    service: Service = request.app.state.service
    endpoint: GraphQLEndpoint = request.app.state.endpoint
    naming, actor = service.resources.naming, get_actor(request)
    assert actor is not None, "the address needs a role"
    as_of = parse_time(request.query_params["asOf"], "asOf") if request.query_params.get("asOf") else None
    limits = build_limits(endpoint)
    find_graph, counted = partial(endpoint.find_graph, actor), endpoint.is_counted(actor)
    ask = partial(_ask_graph, find_graph, naming, as_of, limits, request.path_params, request.query_params, build, counted=counted)
    etag = ""
    if lasting:
        etag, found = await endpoint.lane.run(partial(_ask_unless_known, request, service.resources.live, ask))
    else:
        found = await endpoint.lane.run(ask)
    if found is None:
        return build_unchanged(etag)
    endpoint.count_reads(actor, request.headers.get(PURPOSE, ""), found.assets)
    return Response(found.body, 200, {**found.headers, **(build_headers(etag) if etag and found.lasting else {})}, JSON)


def _ask_unless_known(request: Request, live: LiveGraph, ask: Callable[[], Found]) -> tuple[str, Found | None]:
    """The ETag of an answer, and the answer, unless the caller has it. Asks the store what is registered, so not in the event loop."""
    etags: ETags = request.app.state.etags
    endpoint: GraphQLEndpoint = request.app.state.endpoint
    state = (*endpoint.list_revisions(), find_registry(live).read_position())  # of now: the answer may be a newer one
    etag = etags.build(request, JSON, *state)
    return etag, None if has_answer(request, etag) else ask()


def build_limits(endpoint: GraphQLEndpoint) -> Limits:
    """What one question may cost, from now on."""
    return Limits(endpoint.bounds.nodes, time.monotonic() + endpoint.bounds.seconds)


def _ask_graph(
    find_graph: Callable[[], LiveGraph],
    naming: Naming,
    as_of: int | None,
    limits: Limits,
    path: Mapping[str, Any],
    query: QueryParams,
    build: Build,
    *,
    counted: bool,
) -> Found:
    """The answer to a question. `find_graph`: finds the graph as the caller sees it. `as_of`: microseconds; None: now. `counted`: whether
    what it shows is counted.
    """
    live = find_graph()
    revision = live.index.revision
    if as_of is not None:  # it may have to be built, and is not waited for under the lock
        live.get_index(as_of, revision=revision, deadline=limits.deadline)
    with live.lock.set_deadline(limits.deadline), live.lock:
        index = live.get_index(as_of, revision=revision, deadline=limits.deadline)
        question = Question(live, index, naming, limits, path, query)
        answer = build(question)
        shown = frozenset(index.assets.get_key(node).id for node in question.shown) if counted else frozenset()
    return Found(msgspec.json.encode(answer), question.lasting, question.headers, shown)


def parse_time(text: str, where: str) -> int:
    """A time in ISO 8601, without a zone in UTC, as microseconds. Raises InvalidInput."""
    try:
        time = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that was not escaped is a space
        return to_micros(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InvalidInput(f"give a time such as 2026-03-08T09:30:00Z, not {text[:40]!r}", where) from None

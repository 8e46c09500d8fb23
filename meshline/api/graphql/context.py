"""The context of one GraphQL request: the graph as of the times that it asks for, its limits, and what is measured about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, Self, TypeAlias, TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationType,
    SelectionSetNode,
    get_operation_ast,
)
from strawberry.dataloader import DataLoader
from strawberry.extensions import SchemaExtension

from meshline.api.permissions import check_access, check_all_scopes, check_role
from meshline.app.access import Access, RestrictedGraph
from meshline.app.access_decisions import AccessDesk
from meshline.app.access_journal import AccessJournal
from meshline.app.access_requests import RequestRegister
from meshline.app.access_rules import check_audit, may_state
from meshline.app.policy_service import PolicyService
from meshline.app.tokens import NO_AUTHENTICATION, AccessScope, Actor, Role
from meshline.errors import InvalidInput, LimitExceeded, NotPermitted, StoreUnavailable
from meshline.graph.index import Direction, LineageIndex, Truncated
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.queries import assets, quality, resolve
from meshline.graph.queries import product_health as health
from meshline.graph.queries.pages import Limits
from meshline.graph.store.base import Run
from meshline.ingest.openlineage.run_statements import find_stating_run

REFUSED = "refused"  # before it ran: it cannot be parsed, or breaks the schema or the limits
INTROSPECTION = "introspection"
SEVERAL = "several"
# The root fields whose answers are made of the index that a caller may see. Others read more than it: events, statements.
RESTRICTED_FIELDS = frozenset(
    {
        *("node", "nodes", "dataset", "resolve", "search", "suggest", "about", "coverage", "tags", "namespaces"),
        *("domains", "products", "datasets", "jobs", "consumers", "contracts", "owners", "ownedBy", "orphans", "consumersOf"),
        *("lineage", "compactLineage", "impact", "provenance", "paths", "qualityFailures", "knownLater", "lineageDiff", "run"),
        *("blastRadius", "productImpact", "policies", "policyViolations", "runsById", "accessRequests"),
        *("changes", "identityConflicts"),
    }
)
REQUEST_FIELDS = frozenset({"requestAccess", "decideAccess", "withdrawAccess", "confirmAccess"})  # mutations that need another scope
AUDIT_FIELDS = frozenset({"audit", "denials"})  # have a right of their own
DENIAL_FIELDS = frozenset({"addDenial", "removeDenial"})  # mutations that state nothing about the mesh, for administrators alone
MATCHES = "MATCHES"  # the limit of a search: the number of assets that it examines


class RequestRecord(NamedTuple):
    """What metrics record about one request. `operation` is a root field of the schema, or a constant above: never a client's own text.

    `outcome` is ok, or the code of the first error; `truncated` lists the limits that cut its answers short.
    """

    operation: str
    seconds: float
    outcome: str
    truncated: Sequence[str]


Observer: TypeAlias = Callable[[RequestRecord], None]


class OperationExtension(SchemaExtension):
    """Sets `RequestContext.operation` once the request is known to fit the schema."""

    def on_execute(self) -> Iterator[None]:
        context = self.execution_context
        if context.graphql_document is not None and context.context is not None:
            context.context.operation = find_root_field(context.graphql_document, context.operation_name)
            context.context.document = context.graphql_document
            fields = list_root_fields(context.graphql_document, context.operation_name)
            operation = get_operation_ast(context.graphql_document, context.operation_name)
            if operation is not None and operation.operation is OperationType.MUTATION:
                context.context.check_mutations(fields)
            else:
                context.context.check_fields(fields)
        yield


def list_root_fields(document: DocumentNode, name: str | None) -> set[str]:
    """The root fields of a valid request; none if it has no such operation."""
    operation = get_operation_ast(document, name)
    if operation is None:
        return set()
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    return set(_collect_root_fields(operation.selection_set, fragments, set()))


def find_root_field(document: DocumentNode, name: str | None) -> str:
    """The root field of a valid request, or INTROSPECTION, SEVERAL or REFUSED."""
    fields = list_root_fields(document, name)
    if not fields:
        return REFUSED
    names = {INTROSPECTION if field.startswith("__") else field for field in fields}
    return names.pop() if len(names) == 1 else SEVERAL


def _collect_root_fields(selected: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], seen: set[str]) -> Iterator[str]:
    """The root fields of a selection, including those of fragments; each fragment once."""
    for node in selected.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, FragmentSpreadNode):
            if node.name.value not in seen and node.name.value in fragments:
                seen.add(node.name.value)
                yield from _collect_root_fields(fragments[node.name.value].selection_set, fragments, seen)
        else:
            yield from _collect_root_fields(node.selection_set, fragments, seen)  # type: ignore[attr-defined]  # an inline fragment


T = TypeVar("T")


class Bounds(NamedTuple):
    """The limits of one request (see `meshline.app.settings`); `page` is the number of entries."""

    seconds: float = 10.0
    nodes: int = 2_000_000
    objects: int = 50_000
    page: int = 1_000
    depth: int = 20
    aliases: int = 100
    tokens: int = 4_000


class AssetObject(Protocol):
    """An asset as an object of the schema: what `GraphView` makes of a node. The classes are those of `execution`."""

    kind: AssetKind

    @property
    def id(self) -> str: ...

    @classmethod
    def from_node(cls, view: GraphView, node: int, key: AssetKey) -> Self: ...


class RequestContext:
    """The context of one request. Used by one thread; has the graph's lock from its first look at the graph on."""

    def __init__(
        self,
        live: LiveGraph,
        naming: Naming,
        bounds: Bounds,
        types: Mapping[AssetKind, type[AssetObject]],
        governing: PolicyService,
        actor: Actor = NO_AUTHENTICATION,
        *,
        apart: bool = False,
        access: Access | None = None,
        desk: AccessDesk | None = None,
        journal: AccessJournal | None = None,
    ) -> None:
        """`apart`: texts of changes are parsed in separate processes. `access`: what the caller may do; None: everything.
        `desk`: receives requests for access; if not given, one of this request. `journal`: of denials; None: there is no identity provider.
        """
        self.live = live
        self.access = access or Access(live, lambda: None)
        self.desk = desk or AccessDesk(RequestRegister(live.store), self.access)
        self.journal = journal
        self.apart = apart
        self.governing = governing
        self.naming = naming
        self.bounds = bounds
        self.types = types
        self.deadline = time.monotonic() + bounds.seconds
        self.asked_at = get_current_micros()
        self.spent = 0
        self.caller = actor
        self.actor = actor.name  # empty if the server has no tokens
        self.role = actor.role
        self.operation = REFUSED  # until the request is known to fit the schema
        self.document: DocumentNode | None = None  # set with `operation`
        self.truncated: list[str] = []  # the limits that cut answers short
        self.revision = live.revision  # commits from before the request are part of the answer
        self.is_mutation = False  # set with `operation`
        self.committed = False  # by a mutation: the request cannot be run again
        self.missing: set[int] = set()  # times without an index, needed when the graph was already locked
        self._views: dict[int | None, GraphView] = {}
        self._locked = False
        self.read_assets: set[str] = set()  # the ids of those in the answer, when it is finished

    # -- the lock: acquired at the first look at the graph, released at the end

    def _acquire_lock(self) -> None:
        if self._locked:
            return
        if not self.live.lock.acquire(timeout=max(0.0, self.deadline - time.monotonic())):
            raise StoreUnavailable("the graph is busy: try again")
        self._locked = True

    def finish(self, *, record: bool) -> None:
        """Let writers continue. `record`: keep which assets were read."""
        for view in self._views.values() if record else ():
            self.read_assets |= view.list_ids()
        self.release_lock()

    def release_lock(self) -> None:
        """Let writers continue. Views from before are not valid any more."""
        for view in self._views.values():
            view.release_assets()
        self._views.clear()
        if self._locked:
            self._locked = False
            self.live.lock.release()

    def check_fields(self, names: Iterable[str]) -> None:
        """Raises NotPermitted for root fields that only callers who see everything may ask for, or who may audit."""
        names = set(names)
        for name in sorted(names & AUDIT_FIELDS):
            check_audit(self.access.rules, self.caller, f"`{name}` is answered to")
        if isinstance(self.live, RestrictedGraph):
            refused = sorted(name for name in names if name not in RESTRICTED_FIELDS | AUDIT_FIELDS and not name.startswith("__"))
            if refused:
                raise NotPermitted(f"`{refused[0]}` is answered only to callers who may see every asset (access rules)")

    def check_mutations(self, names: Iterable[str]) -> None:
        """Raises Forbidden for mutations that the caller may not send; about which assets is judged by each (`Access.check_statement`)."""
        self.is_mutation, fields = True, set(names)
        if fields - REQUEST_FIELDS - DENIAL_FIELDS and not may_state(self.access.rules, self.caller):
            check_role(self.caller, Role.ADMIN)
            check_access(self.caller, (AccessScope.STATE,))
        if fields & REQUEST_FIELDS:
            check_access(self.caller, (AccessScope.REQUEST,))
        if fields & DENIAL_FIELDS:
            check_role(self.caller, Role.ADMIN)
            check_all_scopes(self.caller)

    def prepare_question(self, text: str) -> None:
        """Make the vector of a search, if a server makes it, before the graph is locked: no other request waits for that server."""
        if self.live.vectors is not None and not self._locked:
            self.live.vectors.prepare_questions([text])

    # -- limits

    @property
    def limits(self) -> Limits:
        return Limits(self.bounds.nodes, self.deadline)

    def record_truncation(self, limit: str) -> None:
        """Record the limit that cut an answer short, unless it is NONE."""
        if limit != Truncated.NONE:
            self.truncated.append(limit)

    def spend(self, objects: int = 1) -> None:
        """Count objects of the answer and check the deadline. Raises LimitExceeded."""
        self.spent += objects
        if self.spent > self.bounds.objects:
            raise LimitExceeded(f"the answer would have more than {self.bounds.objects} objects: ask for smaller pages")
        if time.monotonic() > self.deadline:
            raise LimitExceeded(f"the answer took longer than {self.bounds.seconds:g} seconds: ask for less at once")

    def check_page_size(self, first: int | None, default: int = 25) -> int:
        """The number of entries of a page. Raises InvalidInput, LimitExceeded."""
        size = default if first is None else first
        if size < 0:
            raise InvalidInput("a page cannot have fewer than 0 entries", "first")
        if size > self.bounds.page:
            raise LimitExceeded(f"a page has at most {self.bounds.page} entries, not {size}: follow endCursor")
        return size

    # -- the graph

    @property
    def now(self) -> GraphView:
        return self.get_view(None)

    def get_view(self, as_of: int | None) -> GraphView:
        view = self._views.get(as_of)
        if view is None:
            view = self._views[as_of] = GraphView(self, self.get_index(as_of))
        self._acquire_lock()
        return view

    def get_index(self, as_of: int | None) -> LineageIndex:
        """The index now, or as of a time in microseconds; afterwards the graph is locked.

        If it was locked before, and the request has not changed anything, an index that must still be built is not waited for, since
        writers would wait as well: `missing` records its time, and the request is run again when the index exists (`prepare_indexes`).
        """
        if as_of is not None:
            if self._locked and not self.committed and not self.live.has_index(as_of, self.revision):
                self.missing.add(as_of)
                raise StoreUnavailable("the graph as of that time is not loaded yet")
            self.live.get_index(as_of, revision=self.revision, deadline=self.deadline)
        self._acquire_lock()
        return self.live.get_index(as_of, revision=self.revision, deadline=self.deadline)

    def prepare_indexes(self, *times: int) -> None:
        """Build the indexes as of these times (microseconds) before the graph is locked. Raises StoreUnavailable at the deadline."""
        if not self._locked:
            for as_of in times:
                self.live.get_index(as_of, revision=self.revision, deadline=self.deadline)

    def copy_unread(self) -> RequestContext:
        """A context for running the same request again, with the same deadline."""
        request = RequestContext(
            self.live,
            self.naming,
            self.bounds,
            self.types,
            self.governing,
            self.caller,
            apart=self.apart,
            access=self.access,
            desk=self.desk,
            journal=self.journal,
        )
        request.deadline, request.revision, request.asked_at = self.deadline, self.revision, self.asked_at
        return request


class GraphView:
    """The graph as of one time, and its assets in the answer. Each asset is one object."""

    def __init__(self, request: RequestContext, index: LineageIndex) -> None:
        self.request = request
        self.index = index
        self._assets: dict[int, AssetObject] = {}
        self.listed: list[AssetKey] = []  # assets that the answer has in columns, not as objects
        # Functions, not methods of this view: else it would refer to itself, and be freed only when garbage is collected.
        known = self._attributes = DataLoader[int, assets.Attributes](partial(_load_attributes, request, index))
        self._aliases = DataLoader[int, list[assets.Alias]](partial(_load_aliases, request, index, known))
        self._checks = DataLoader[int, list[quality.Result]](partial(_load_checks, request, index))
        self._known_health = _KnownHealth(request, index)
        self._health = DataLoader[int, health.Health](self._known_health.load)
        self._stating_runs = DataLoader[int, Run | None](partial(_load_stating_runs, request, index))

    def release_assets(self) -> None:
        """Forget the assets, which refer to the view."""
        self._assets.clear()

    def list_ids(self) -> set[str]:
        """The ids of the assets in the answer."""
        return {*(asset.id for asset in self._assets.values()), *(key.id for key in self.listed)}

    def find_asset(self, node: int | None, type_: type[T]) -> T | None:
        return None if node is None else self.get_asset(node, type_)

    def get_asset(self, node: int, type_: type[T]) -> T:
        asset = self._assets.get(node)
        if asset is None:
            self.request.spend()
            key = self.index.assets.get_key(node)
            asset = self._assets[node] = self.request.types[key.kind].from_node(self, node, key)
        assert isinstance(asset, type_), f"{asset.kind} is no {type_.__name__}"
        return asset

    def list_assets(self, nodes: Sequence[int], type_: type[T]) -> list[T]:
        return [self.get_asset(node, type_) for node in nodes]

    def get_node(self, asset_id: str) -> int:
        return resolve.find_as_of(self.request.live, self.index, lambda index: resolve.get_node(index, asset_id))

    def list_starts(self, asset_ids: Sequence[str], direction: Direction) -> list[int]:
        """The nodes that a traversal starts from. Raises InvalidInput, NotFound."""
        if not asset_ids:
            raise InvalidInput("name at least one asset", "of")
        nodes = [self.get_node(asset_id) for asset_id in asset_ids]
        resolve.check_starts(self.index, nodes, direction)
        return nodes

    async def read_attributes(self, node: int) -> assets.Attributes:
        """The attributes of an asset. Those of all assets on one level of an answer are read together."""
        return await self._attributes.load(node)

    async def read_aliases(self, dataset: int) -> list[assets.Alias]:
        """The other names of a dataset, read like `read_attributes`."""
        return await self._aliases.load(dataset)

    async def read_checks(self, dataset: int) -> list[quality.Result]:
        """The checks of a dataset and its columns, read like `read_attributes`."""
        return await self._checks.load(dataset)

    async def read_product_health(self, product: int) -> health.Health:
        """The health of a product, now or at the time of the view; read like `read_attributes`."""
        return await self._health.load(product)

    @property
    def time(self) -> int:
        """The time at which ages are computed, in microseconds: one for the whole answer, and that of the view if it is of a past time."""
        return self._known_health.time

    def compute_health(self, products: Sequence[int], now: int) -> list[health.Health]:
        """The health of each product at a time, in the order of `products`."""
        return self._known_health.compute(products, now)

    async def read_stating_run(self, scope_id: int) -> Run | None:
        """The run that made the current statement of a scope, read like `read_attributes`; None if no run did."""
        return await self._stating_runs.load(scope_id)


async def _load_attributes(request: RequestContext, index: LineageIndex, nodes: list[int]) -> Sequence[assets.Attributes]:
    request.spend(0)
    return assets.read_attributes(request.live, index, nodes)


async def _load_aliases(
    request: RequestContext, index: LineageIndex, attributes: DataLoader[int, assets.Attributes], datasets: list[int]
) -> Sequence[list[assets.Alias]]:
    known = await attributes.load_many(datasets)
    return assets.read_aliases(request.live, index, datasets, known)


async def _load_checks(request: RequestContext, index: LineageIndex, datasets: list[int]) -> Sequence[list[quality.Result]]:
    request.spend(0)
    return quality.read_latest(request.live, index, datasets)


class _KnownHealth:
    """The health of products, computed once for all lists and fields of an answer. `time`: see `GraphView`."""

    def __init__(self, request: RequestContext, index: LineageIndex) -> None:
        self._request, self._index = request, index
        self.time = request.asked_at if index.as_of is None else index.as_of
        self._found: dict[tuple[int, int], health.Health] = {}  # by time and product

    def compute(self, products: Sequence[int], now: int) -> list[health.Health]:
        self._request.spend(0)
        missing = [product for product in dict.fromkeys(products) if (now, product) not in self._found]
        for product, found in zip(missing, health.compute_health(self._request.live, self._index, missing, now), strict=True):
            self._found[now, product] = found
        return [self._found[now, product] for product in products]

    async def load(self, products: list[int]) -> Sequence[health.Health]:
        return self.compute(products, self.time)


async def _load_stating_runs(request: RequestContext, index: LineageIndex, scope_ids: list[int]) -> Sequence[Run | None]:
    request.spend(0)
    store, changes = request.live.store, index.changes
    keys = {
        head.scope_id: find_stating_run(head.source, head.scope, head.version)
        for head in store.read_heads(scope_ids, index.as_of)
        if head.last_observed == changes.get_scope(head.scope_id).last_observed  # else it is newer than the index
    }
    known = store.read_runs([key for key in keys.values() if key is not None])
    return [None if (key := keys.get(scope_id)) is None else known.get(key) for scope_id in scope_ids]

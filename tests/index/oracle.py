"""Law 8: what the index must answer, worked out by networkx from decoded facts and the definitions.

Nodes of the graph of class k: ("column", dataset class, name), ("whole", dataset class): the dataset
as a whole, and ("some", dataset class): met in any way, by a column or as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import networkx as nx

from meshline.graph.content import decode_facts
from meshline.graph.index import Direction
from meshline.graph.model import JOB_OUTPUT, AssetKey, AssetKind, EdgeFact, EdgeType, Flow, FlowType, Precedence, build_owner_key
from meshline.graph.store.base import Head

# Kinds of sources that state identity, strongest first (semantics: precedence of what people state).
PEOPLE = ("person", "mesh", "contract", "product", "iceberg", "delta", "hive", "dbt", "openlineage")

Node: TypeAlias = tuple[str, AssetKey] | tuple[str, AssetKey, str]


class Reached(NamedTuple):
    reach: int
    distance: int
    masked: bool


class StatedFlow(NamedTuple):
    """One flow of one head, with its ends as they are now."""

    flow: Flow
    start: AssetKey
    end: AssetKey
    class_: int
    head: Head


class Oracle:
    def __init__(self, batches: Iterable[Sequence[Head]]) -> None:
        self.heads = [head for heads in batches for head in heads]
        self.facts = {head.scope_id: decode_facts(head.content.blob) for head in self.heads if head.content is not None}
        self.steps: dict[AssetKey, list[tuple[int, bool, AssetKey | None]]] = defaultdict(list)
        self._find_steps()
        self._join()
        self.mentioned: set[AssetKey] = set()
        self.edges: list[tuple[EdgeFact, Head]] = []
        self.flows: list[StatedFlow] = []
        for head in self.heads:
            self._ingest_head(head)
        self._collect_classes()

    # -- renamed, dropped

    def _find_steps(self) -> None:
        for head in self.heads:
            for fact in self.facts[head.scope_id].assets:
                if fact.attributes.get("dropped") is True and fact.key.kind is AssetKind.DATASET:
                    self.steps[fact.key].append((head.observed_at, True, None))
            for edge in self.facts[head.scope_id].edges:
                if edge.type is EdgeType.RENAMED_TO and edge.start.kind is AssetKind.DATASET and edge.start != edge.end:
                    self.steps[edge.start].append((head.observed_at, False, edge.end))

    def resolve_name(self, key: AssetKey, time: int) -> AssetKey | None:
        """The current key of the subject of a fact that had this name at a time; None: there is none. Keys of other kinds stay."""
        if key.kind is not AssetKind.DATASET:
            return key
        later = [step for step in self.steps.get(key, ()) if (step[0] >= time if step[1] else step[0] > time)]
        return self._resolve_step(key, later)

    def _resolve_step(self, key: AssetKey, later: list[tuple[int, bool, AssetKey | None]]) -> AssetKey | None:
        if not later:
            return key
        # Of what ends the name at one moment: a drop first, else the first new name. A drop at t ends what was up to t.
        at, dropped, to = min(later, key=lambda s: (s[0] + s[1], not s[1], () if s[2] is None else s[2].parts))
        if dropped or to is None:
            return None
        return self._resolve_step(to, [step for step in self.steps.get(to, ()) if step[0] > at])

    # -- identity of datasets, and columns renamed or dropped in them

    def _join(self) -> None:
        """Classes of datasets, the column names in them that differ in case only, and the steps of their columns."""
        links: set[tuple[int, AssetKey, AssetKey]] = set()  # rank of the source, the two names in order
        different: set[frozenset[AssetKey]] = set()
        listed: dict[tuple[int, AssetKey, str], set[str]] = defaultdict(set)
        for head in self.heads:
            for edge in self.facts[head.scope_id].edges:
                if edge.type in (EdgeType.SAME_AS, EdgeType.DIFFERENT_FROM):
                    start, end = self.resolve_dataset(head, edge.start), self.resolve_dataset(head, edge.end)
                    if start is not None and end is not None and start != end:
                        if edge.type is EdgeType.SAME_AS:
                            links.add((PEOPLE.index(head.source.partition("/")[0]), min(start, end), max(start, end)))
                        else:
                            different.add(frozenset((start, end)))
                if edge.type is EdgeType.HAS_COLUMN and (of := self.resolve_dataset(head, edge.start)) is not None:
                    listed[head.scope_id, of, edge.end.name.casefold()].add(edge.end.name)
        joined = self._join_links(sorted(links), different)
        self.of_joined: dict[AssetKey, AssetKey] = {key: min(group) for group in nx.connected_components(joined) for key in group}
        self.exact = {(self.get_class(of), fold) for (_, of, fold), names in listed.items() if len(names) > 1}
        # (class, name as it counts) -> (time, not dropped, new name)
        self.column_steps: dict[tuple[AssetKey, str], set[tuple[int, bool, str]]] = defaultdict(set)
        for head in self.heads:
            for old, names in self.collect_ended_columns(head).items():
                of = self.resolve_name(get_dataset(old), head.observed_at)
                if of is not None:
                    steps = {(head.observed_at, name is not None, name or "") for name in names}
                    self.column_steps[self.get_class(of), self.normalise_name(of, old.name)] |= steps

    def _join_links(self, links: list[tuple[int, AssetKey, AssetKey]], different: set[frozenset[AssetKey]]) -> nx.Graph[AssetKey]:
        """The links, strongest first, but those that connect what is different."""
        joined: nx.Graph[AssetKey] = nx.Graph()
        joined.add_nodes_from(key for pair in different for key in pair)
        for _, start, end in links:
            added = not joined.has_edge(start, end)
            joined.add_edge(start, end)
            if added and any(nx.has_path(joined, *pair) for pair in different):
                joined.remove_edge(start, end)
        return joined

    def collect_ended_columns(self, head: Head) -> dict[AssetKey, set[str | None]]:
        """The columns whose name ended by a head's statement, with the new names; None: dropped."""
        found: dict[AssetKey, set[str | None]] = defaultdict(set)
        for fact in self.facts[head.scope_id].assets:
            if fact.key.kind is AssetKind.COLUMN and fact.attributes.get("dropped") is True:
                found[fact.key].add(None)
        for edge in self.facts[head.scope_id].edges:
            if edge.type is EdgeType.RENAMED_TO and edge.start.kind is AssetKind.COLUMN and edge.start != edge.end:
                assert get_dataset(edge.start) == get_dataset(edge.end)
                found[edge.start].add(edge.end.name)
        return found

    def resolve_dataset(self, head: Head, key: AssetKey) -> AssetKey | None:
        """The dataset that a head means by a key of a dataset or column. A head that renames a dataset refers to it as it was before."""
        of = get_dataset(key)
        renamed = {edge.start for edge in self.facts[head.scope_id].edges if edge.type is EdgeType.RENAMED_TO and edge.start != edge.end}
        return self.resolve_name(of, head.observed_at - 1 if of in renamed else head.observed_at)

    def get_class(self, dataset: AssetKey) -> AssetKey:
        return self.of_joined.get(dataset, dataset)

    def normalise_name(self, dataset: AssetKey, name: str) -> str:
        """Equal for names of one column at one time."""
        fold = name.casefold()
        return name if (self.get_class(dataset), fold) in self.exact else fold

    def find_column_name(self, dataset: AssetKey, name: str, time: int) -> str | None:
        """The current name of the column that had a name at a time; None: it was removed."""
        later = [
            step for step in self.column_steps.get((self.get_class(dataset), self.normalise_name(dataset, name)), ()) if step[0] > time
        ]
        if not later:
            return name
        at, renamed, new = min(later)
        return self.find_column_name(dataset, new, at) if renamed else None

    def resolve_key(self, head: Head, key: AssetKey) -> AssetKey | None:
        """The current name of the asset that a head refers to by a name; None: it was removed."""
        if key.kind is AssetKind.DATASET:
            return self.resolve_dataset(head, key)
        if key.kind is not AssetKind.COLUMN:
            return key
        of = self.resolve_dataset(head, key)
        if of is None:
            return None
        name = self.find_column_name(of, key.name, head.observed_at - 1 if key in self.collect_ended_columns(head) else head.observed_at)
        return None if name is None else AssetKey(AssetKind.COLUMN, (*of.parts, name))

    # -- facts as they are now

    def _ingest_head(self, head: Head) -> None:
        facts = self.facts[head.scope_id]
        for asset in facts.assets:
            self._add_mention(self.resolve_key(head, asset.key))
        for edge in facts.edges:
            start, end = self.resolve_key(head, edge.start), self.resolve_key(head, edge.end)
            if start is not None and end is not None:
                self.edges.append((edge._replace(start=start, end=end), head))
                self._add_mention(start)
                self._add_mention(end)
        for flow in facts.flows:
            start, end = self.resolve_key(head, flow.start), self.resolve_key(head, flow.end)
            if start is not None and end is not None:
                self._add_mention(start)
                self._add_mention(end)
                if not self.is_replaced(head):
                    self.flows.append(StatedFlow(flow, start, end, classify_flow(flow), head))
            self._add_mention(flow.job)

    def is_replaced(self, head: Head) -> bool:
        """Whether the head is of a query whose output was replaced later."""
        if head.scope[0] != JOB_OUTPUT or head.scope[5:] != ("query",):
            return False
        times = [h.observed_at for h in self.heads if h.scope == ("dataset-replaced", *head.scope[3:5])]
        return any(time > head.observed_at for time in times)

    def _add_mention(self, key: AssetKey | None) -> None:
        if key is not None:
            self.mentioned.add(key)
            if key.kind is AssetKind.COLUMN:
                self.mentioned.add(get_dataset(key))

    # -- identity

    def _collect_classes(self) -> None:
        self.of_dataset = {key: self.get_class(key) for key in self.mentioned if key.kind is AssetKind.DATASET}
        self.described = {self.of_dataset[edge.start] for edge, _ in self.edges if edge.type is EdgeType.HAS_COLUMN}
        self.columns: dict[AssetKey, set[str]] = defaultdict(set)
        for key in self.mentioned:
            if key.kind is AssetKind.COLUMN:
                node = self.get_node(key)
                self.columns[node[1]].add(node[2])  # type: ignore[misc]

    def get_node(self, key: AssetKey) -> Node:
        """The node of a column, or of a dataset as a whole."""
        if key.kind is AssetKind.DATASET:
            return ("whole", self.of_dataset[key])
        of = get_dataset(key)
        return ("column", self.of_dataset[of], self.normalise_name(of, key.name))

    def is_stale(self, head: Head) -> bool:
        if head.scope[0] != JOB_OUTPUT:
            return False
        of_job = [h for h in self.heads if h.scope[0] == JOB_OUTPUT and h.scope[1:3] == head.scope[1:3]]
        newest = max(h.last_observed for h in of_job)
        latest = {h.version.split("#")[-1] for h in of_job if h.last_observed == newest}
        return head.last_observed < newest and head.version.split("#")[-1] not in latest

    # -- ownership

    def list_direct_owners(self, key: AssetKey) -> set[tuple[AssetKey, str, AssetKind]]:
        """(owner, type, kind of what is owned) of an asset by itself: its own owners, else those of its contracts in force."""
        own = self._list_stated_owners(key)
        if own:
            return {(owner, type_, key.kind) for owner, type_ in own}
        governing = {
            edge.start
            for edge, _ in self.edges
            if edge.type is EdgeType.GOVERNS and self.is_same(edge.end, key) and edge.attributes.get("status") not in {"draft", "retired"}
        }
        return {(owner, type_, AssetKind.CONTRACT) for one in governing for owner, type_ in self._list_stated_owners(one)}

    def _list_stated_owners(self, key: AssetKey) -> set[tuple[AssetKey, str]]:
        stated = [
            (Precedence().rank(head.source, "owners"), edge.start, str(edge.attributes.get("type", "technical")))
            for edge, head in self.edges
            if edge.type is EdgeType.OWNS and self.is_same(edge.end, key)
        ]
        return {(self.find_owner(owner), type_) for rank, owner, type_ in stated if rank == min(stated)[0]}

    def find_owner(self, key: AssetKey) -> AssetKey:
        """The shown name of the owner that is meant: of those in use that mean the same."""
        meant = self.owners_meant[key.name]
        same = [name for name, other in self.owners_meant.items() if other == meant]
        return build_owner_key(meant if meant in same else min(same))

    @cached_property
    def owners_meant(self) -> dict[str, str]:
        return {name: self._resolve_owner(name) for name in self.owners_in_use}

    @cached_property
    def owners_in_use(self) -> set[str]:
        return {key.name for key in self.mentioned if key.kind is AssetKind.OWNER}

    def _resolve_owner(self, written: str) -> str:
        kind, colon, rest = written.partition(":")
        if colon and kind in {"team", "group", "user", "person"}:
            of_kind = "team" if kind in {"team", "group"} else "person"
            stated = {type_ for name, _, type_, _ in self._owner_facts if name == rest and type_}
            rivals = {"user", "person"} if of_kind == "team" else {"team", "group"}
            rival = any(f"{other}:{rest}" in self.owners_in_use for other in rivals)
            if "@" in rest or (of_kind in stated if stated else not rival):
                return self._resolve_owner(rest)
        if "@" in written:
            owner = self._find_address_owner(written.lower())
            return owner[1] if owner else written.lower()
        facts = [(rank, email) for name, email, _, rank in self._owner_facts if self._strip_prefix(name) == written]
        with_address = [(rank, email) for rank, email in facts if email]
        if with_address:
            owner = self._find_address_owner(min(with_address)[1])
            if owner and owner[0] < min(rank for rank, _ in facts):
                return owner[1]
        return written

    def _strip_prefix(self, name: str) -> str:
        """The name whose facts these are: of a form with a prefix, that without it, if it means that."""
        kind, colon, rest = name.partition(":")
        stated = {type_ for other, _, type_, _ in self._owner_facts if other == rest and type_}
        if not colon or kind not in {"team", "group", "user", "person"} or "@" in rest:
            return name
        of_kind, rivals = ("team", ("user", "person")) if kind in {"team", "group"} else ("person", ("team", "group"))
        rival = any(f"{other}:{rest}" in self.owners_in_use for other in rivals)
        return name if (of_kind not in stated if stated else rival) else rest

    def _find_address_owner(self, email: str) -> tuple[int, str] | None:
        """(rank of who states it, whose address it is), if the strongest who states it states it of one."""
        strongest: dict[str, tuple[int, str]] = {}
        for name, stated, _, rank in self._owner_facts:
            if stated and "@" not in name:
                bare = self._strip_prefix(name)
                strongest[bare] = min(strongest.get(bare, (rank, stated)), (rank, stated))
        owners = sorted((rank, name) for name, (rank, stated) in strongest.items() if stated == email)
        return owners[0] if len(owners) == 1 or (owners and owners[0][0] < owners[1][0]) else None

    @cached_property
    def _owner_facts(self) -> list[tuple[str, str, str, int]]:
        """(name, address, type, rank of the source) as sources describe owners."""
        return [
            (
                fact.key.name,
                str(fact.attributes.get("email", "")),
                str(fact.attributes.get("owner_type", "")),
                Precedence().rank(head.source, "owners"),
            )
            for head in self.heads
            for fact in self.facts[head.scope_id].assets
            if fact.key.kind is AssetKind.OWNER and fact.attributes.keys() & {"email", "owner_type"}
        ]

    def collect_starts(self, key: AssetKey) -> set[AssetKey]:
        """The starts of a traversal from a contract or an owner: the assets that it governs or owns; of containers their contents."""
        found: set[AssetKey] = set()
        for edge, _ in self.edges:
            if not self.is_same(edge.start, key):
                continue
            type_ = str(edge.attributes.get("type", "technical"))
            owned = edge.type is EdgeType.OWNS and (self.find_owner(edge.start), type_) in self._list_stated_owners(edge.end)
            if owned or edge.type is EdgeType.GOVERNS:
                found |= {edge.end} if edge.end.kind in {AssetKind.DATASET, AssetKind.COLUMN} else self.collect_starts(edge.end)
        for edge, _ in self.edges:
            if key.kind is AssetKind.DOMAIN and edge.type is EdgeType.PART_OF and edge.end == key:
                found |= self.collect_starts(edge.start)
            if edge.type is EdgeType.PORT and edge.start == key and edge.attributes["direction"] == "output":
                found.add(edge.end)
        return found

    def is_same(self, one: AssetKey, other: AssetKey) -> bool:
        """Whether two names mean one asset."""
        if one == other or one.kind is not other.kind:
            return one == other
        if one.kind is AssetKind.OWNER:
            return self.find_owner(one) == self.find_owner(other)
        return one.kind in {AssetKind.DATASET, AssetKind.COLUMN} and self.get_node(one) == self.get_node(other)

    # -- traversal

    def build_graph(self, k: int, direction: Direction, *, masked: bool = True, seen_since: int | None = None) -> nx.DiGraph[Node]:
        """`G_k`, in the direction of the walk."""
        graph: nx.DiGraph[Node] = nx.DiGraph()
        for dataset in set(self.of_dataset.values()):
            graph.add_edge(("whole", dataset), ("some", dataset), weight=0)
            for name in self.columns[dataset]:
                graph.add_edge(("whole", dataset), ("column", dataset, name), weight=0)
                graph.add_edge(("column", dataset, name), ("some", dataset), weight=0)
        for stated in self.list_followed(k, seen_since):
            if masked or not is_masking(stated):
                start, end = self.get_node(stated.start), self.get_node(stated.end)
                down = direction is Direction.DOWNSTREAM
                origin, target = (start, end) if down else (end, start)
                if origin[0] == "whole":
                    origin = ("some", origin[1])
                graph.add_edge(origin, target, weight=1)
        return graph

    def list_followed(self, k: int, seen_since: int | None) -> list[StatedFlow]:
        return [
            stated
            for stated in self.flows
            if stated.class_ <= k and not self.is_covered(stated) and (seen_since is None or stated.head.last_observed >= seen_since)
        ]

    def is_covered(self, stated: StatedFlow) -> bool:
        """Whether the head states the pair covered, or is of a run of a job that builds a dbt node of which the columns are known."""
        job = stated.flow.job
        if stated.flow.covered or stated.class_ != 2 or job is None or stated.head.scope[:3] != (JOB_OUTPUT, *job.parts):
            return stated.flow.covered
        return (self.get_node(stated.start), self.get_node(stated.end)) in self.collect_dbt_pairs(job)

    def collect_dbt_pairs(self, job: AssetKey) -> set[tuple[Node, Node]]:
        """The pairs that dbt projects state of what the job builds, and always with columns."""
        node_ids = [asset.attributes.get("dbt_id") for head in self.heads for asset in self.facts[head.scope_id].assets if asset.key == job]
        ids = {id_ for id_ in node_ids if id_}
        pairs = [
            (self.get_node(flow.start), self.get_node(flow.end), flow.flow.covered)
            for flow in self.flows
            if flow.class_ == 2 and flow.head.source.startswith("dbt/") and flow.head.scope in {("dbt", id_, "lineage") for id_ in ids}
        ]
        unknown = {pair[:2] for pair in pairs if not pair[2]}
        return {pair[:2] for pair in pairs} - unknown if len(ids) == 1 else set()

    def compute_distances(self, starts: Sequence[AssetKey], graph: nx.DiGraph[Node], depth: int | None) -> dict[Node, int]:
        sources = {self.get_node(start) for start in starts}
        graph.add_nodes_from(sources)
        found: dict[Node, int] = nx.multi_source_dijkstra_path_length(graph, sources, cutoff=depth)
        return found

    def traverse(
        self, starts: Sequence[AssetKey], direction: Direction, *, reach: int = 2, depth: int | None = None, seen_since: int | None = None
    ) -> dict[Node, Reached]:
        result: dict[Node, Reached] = {}
        begun = self.collect_start_nodes(starts)
        for k in range(reach + 1):
            unmasked = self.compute_distances(starts, self.build_graph(k, direction, masked=False, seen_since=seen_since), depth)
            for node, distance in self.compute_distances(starts, self.build_graph(k, direction, seen_since=seen_since), depth).items():
                if node[0] != "some" and node not in begun and node not in result:
                    result[node] = Reached(k, distance, node not in unmasked)
        return result

    def collect_start_nodes(self, starts: Sequence[AssetKey]) -> set[Node]:
        """The starts, with the columns of datasets among them."""
        nodes = {self.get_node(start) for start in starts}
        return nodes | {("column", node[1], name) for node in nodes if node[0] == "whole" for name in self.columns[node[1]]}

    def compute_completeness(
        self, starts: Sequence[AssetKey], direction: Direction, *, reach: int = 2, depth: int | None = None, seen_since: int | None = None
    ) -> tuple[int, int, int, int]:
        """Completeness: pairs of datasets passed, datasets undescribed, flows followed of stale and of provisional heads."""
        distances = self.compute_distances(starts, self.build_graph(reach, direction, seen_since=seen_since), depth)
        passed: list[StatedFlow] = []
        for stated in self.list_followed(reach, seen_since):
            origin = self.get_node(stated.start if direction is Direction.DOWNSTREAM else stated.end)
            if origin[0] == "whole":
                origin = ("some", origin[1])
            if origin in distances and (depth is None or distances[origin] < depth):
                passed.append(stated)
        pairs = {(self.get_node(stated.start), self.get_node(stated.end)) for stated in passed if stated.class_ == 2}
        undescribed = {node[1] for node in distances if node[1] not in self.described}
        return len(pairs), len(undescribed), sum(self.is_stale(s.head) for s in passed), sum(s.head.provisional for s in passed)

    def collect_silent_jobs(
        self, starts: Sequence[AssetKey], direction: Direction, *, reach: int = 2, depth: int | None = None, seen_since: int | None = None
    ) -> set[AssetKey]:
        """The jobs that only copy values of a dataset that is asked about or reached, as far as their producer ever states anything."""
        if reach == 0:
            return set()
        reached = self.traverse(starts, direction, reach=reach, depth=depth, seen_since=seen_since)
        datasets = {node[1] for node in {*self.collect_start_nodes(starts), *reached}}
        copied: set[tuple[AssetKey | None, AssetKey, AssetKey]] = set()
        more: set[tuple[AssetKey | None, AssetKey, AssetKey]] = set()
        for stated in self.flows:
            start, end = self.get_node(stated.start)[1], self.get_node(stated.end)[1]
            near = start if direction is Direction.DOWNSTREAM else end
            if near not in datasets or stated.class_ > reach or (seen_since is not None and stated.head.last_observed < seen_since):
                continue
            if stated.class_ == 0 and not stated.flow.subtype:
                copied.add((stated.flow.job, start, end))
            elif not stated.flow.covered:
                more.add((stated.flow.job, start, end))
        return {job for job, *pair in copied if job is not None and self.producers[job] and not {(job, *pair), (None, *pair)} & more}

    @cached_property
    def producers(self) -> dict[AssetKey, set[str]]:
        """The producers that state no filters, by job."""
        found: dict[AssetKey, set[str]] = defaultdict(set)
        for facts in self.facts.values():
            for fact in facts.assets:
                if fact.key.kind is AssetKind.JOB and str(fact.attributes.get("integration")).upper() in {"AIRFLOW", "DBT"}:
                    found[fact.key].add(str(fact.attributes["integration"]).upper())
        return found


def get_dataset(key: AssetKey) -> AssetKey:
    """A column's dataset; others are themselves."""
    return AssetKey(AssetKind.DATASET, key.parts[:2]) if key.kind is AssetKind.COLUMN else key


def classify_flow(flow: Flow) -> int:
    if flow.end.kind is AssetKind.COLUMN:
        return 0 if flow.type is FlowType.DIRECT else 1
    return 1 if flow.start.kind is AssetKind.COLUMN else 2


def is_masking(stated: StatedFlow) -> bool:
    return stated.flow.masking and stated.class_ < 2

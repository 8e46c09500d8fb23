"""Access rules: what a restricted view costs, against the same question of a caller who sees everything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.closures import PlainGraph, find_node, key_of
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.impact import QUERY
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import find_best, measure_time
from benchmarks.traversal import CLOSURES
from meshline.api.graphql import Bounds, Executor
from meshline.app.access import Access
from meshline.app.access_rules import AccessRules, Rule
from meshline.app.cedar_policies import CedarPolicies
from meshline.app.tokens import NO_AUTHENTICATION, Actor, Role
from meshline.graph.index import LineageIndex
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.index.results import Flags
from meshline.graph.live_graph import LiveGraph, collect_seldom
from meshline.graph.model import AssetKind, build_dataset_key
from meshline.graph.naming import Naming
from meshline.graph.queries.places import Places
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.graph.queries.visibility import compute_visible
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
The request of the benchmark `impact`, of a caller who may not see every tenth domain, against the same of a caller who sees everything.
`the view` is what is computed once for all callers with the same rights after each commit: which assets they may see. Its goal is 5 ms
for a million columns, shown as a ratio. What the views of all callers have in common is computed before the first of them. `the view by
policies` is of as many restrictions as policies in Cedar with a condition on tags: what Cedar decides about a caller, which happens
once, and the view that follows from it, against the same of the list. A look-up of the id of a dataset that the caller may not see
should take as long as one of an id that nothing has, so that it does not show which names there are."""

READER = Actor("reader", Role.READER)
ALLOWED = 1.15
LOOKUPS = 100  # at a time
ROUNDS_OF_LOOKUPS = 10  # for each round of the others: what is compared is small
ALLOWED_POLICIES = 1.5
_CONTAINERS = {SelectorKind.DOMAIN: "Domain", SelectorKind.DATASET: "Dataset"}
ALLOWED_MS = 5  # for a million columns
ALLOWED_LOOK_UPS = 1.05  # what the steps are is the same: the rest is noise


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    shape = SHAPES[size][-1]
    sizes, rounds = CLOSURES[size]
    mesh = build_mesh(shape)
    store = SqliteStore(str(meshes.store(shape)))
    live = LiveGraph.open(store)
    index = live.index
    found = PlainGraph(mesh).find_closures(sizes)
    starts = [find_node(index, mesh, closure.start) for closures in found.values() for closure in closures]
    begun = {index.ownership.find_domain(start) for start in starts}
    domains = [node for node in index.assets.list_of_kind(AssetKind.DOMAIN) if node not in begun]
    hidden = tuple(Selector(SelectorKind.DOMAIN, index.assets.get_key(node).name) for node in domains[::10])
    if not hidden:  # a mesh with few domains: of a dataset, the view costs as much
        of_starts = set(index.lineage.get_datasets(np.array(starts, np.int32)).tolist())
        other = next(node for node in index.assets.list_of_kind(AssetKind.DATASET) if node not in of_starts)
        hidden = (Selector(SelectorKind.DATASET, index.assets.get_key(other).id),)
    rules = AccessRules({}, (), (Rule(frozenset(), hidden, ""),))
    graphql = Executor(live, Naming(), Bounds(seconds=600, nodes=10_000_000), access=Access(live, lambda: rules))
    collect_seldom()
    for wanted, closures in found.items():
        pairs = [
            find_best(
                [partial(ask_impact, graphql, key_of(mesh, closure.start).id, actor) for actor in (READER, NO_AUTHENTICATION)], rounds
            )
            for closure in closures
        ]
        ours, reference = (sum(times.wall for times in column) / len(pairs) * 1000 for column in zip(*pairs, strict=True))
        yield Figure(
            case=f"impact, {wanted:,} columns of {mesh.columns:,}",
            unit="ms",
            ours=ours,
            reference=reference,
            against="a caller who sees everything",
            goal=build_maximum(ALLOWED),
        )
    rights = rules.find_rights(READER)
    assert rights is not None
    best, numbering = find_best([partial(compute_visible, index, rights), partial(number_places, index)], rounds)
    yield Figure(
        case=f"the view, {mesh.columns:,} columns",
        unit="ms",
        ours=best.wall * 1000,
        reference=ALLOWED_MS * mesh.columns / 1_000_000,
        against="the goal",
        goal=build_maximum(1),
        more={"domains": len(domains), "hidden": len(hidden), "once for all callers, ms": round(numbering.wall * 1000)},
    )
    yield _compare_policies(index, hidden, rounds)
    yield _compare_look_ups(graphql, index, compute_visible(index, rights), rounds)
    store.close()


def number_places(index: LineageIndex) -> None:
    """Compute what all views of a state of the index have in common."""
    assert Places(index).bonds


def _compare_policies(index: LineageIndex, hidden: Sequence[Selector], rounds: int) -> Figure:
    """The view of a caller by policies that forbid what the list restricts, if it has a tag or not: each asks two questions."""
    named = [f"{_CONTAINERS[selector.kind]}::{json.dumps(selector.name)}" for selector in hidden]
    text = "\n".join(
        f'forbid(principal, action, resource in {one}) when {{ resource.tags.contains("pii") || principal is Token }};' for one in named
    )
    policies = CedarPolicies({"benchmark.cedar": text})
    by_policies, listed = AccessRules({}, (), (), policies=policies), AccessRules({}, (), (Rule(frozenset(), tuple(hidden), ""),))
    judged = measure_time(partial(by_policies.find_rights, READER)).wall * 1000
    rights = [rules.find_rights(READER) for rules in (by_policies, listed)]
    ours, reference = find_best([partial(compute_visible, index, one) for one in rights if one is not None], rounds)
    return Figure(
        case=f"the view by {len(named):,} policies",
        unit="ms",
        ours=ours.wall * 1000,
        reference=reference.wall * 1000,
        against="by the list",
        goal=build_maximum(ALLOWED_POLICIES),
        more={"decided once in, ms": round(judged, 1)},
    )


def _compare_look_ups(graphql: Executor, index: LineageIndex, visible: Flags, rounds: int) -> Figure:
    datasets = np.asarray(index.assets.list_of_kind(AssetKind.DATASET))
    hidden = datasets[~visible[datasets]]
    ids = [index.assets.get_key(int(hidden[0])).id, build_dataset_key("nowhere", "none").id]
    ours, reference = find_best([partial(ask_nodes, graphql, id_) for id_ in ids], ROUNDS_OF_LOOKUPS * rounds)
    return Figure(
        case=f"{LOOKUPS} look-ups of a hidden id",
        unit="ms of processor",
        ours=ours.cpu * 1000,
        reference=reference.cpu * 1000,
        against="of an id that nothing has",
        goal=build_maximum(ALLOWED_LOOK_UPS),
        more={"hidden datasets": len(hidden)},
    )


def ask_nodes(graphql: Executor, id_: str) -> None:
    for _ in range(LOOKUPS):
        assert "errors" not in graphql.execute("query($id: ID!) { node(id: $id) { id } }", {"id": id_}, actor=READER).body


def ask_impact(graphql: Executor, asset_id: str, actor: Actor) -> None:
    answer = graphql.execute(QUERY, {"of": [asset_id]}, actor=actor)
    assert "errors" not in answer.body, answer.body["errors"]


BENCHMARK = Benchmark("access", ABOUT, run)

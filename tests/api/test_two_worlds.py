"""Access rules on every field of GraphQL: two meshes that differ only in what a caller may not see answer him alike, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.api.graphql import Bounds
from meshline.api.graphql.context import RESTRICTED_FIELDS
from meshline.api.graphql.execution import Executor
from meshline.app.access import Access
from meshline.app.access_rules import AccessRules, Default, Rule
from meshline.app.tokens import NO_AUTHENTICATION, Actor, Role
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Statement,
    build_column_key,
    build_contract_key,
    build_dataset_key,
    build_job_key,
)
from meshline.graph.naming import Naming
from meshline.graph.queries.visibility import Selector, SelectorKind
from tests.api import test_etag
from tests.api.test_etag import SCHEMA, build_query
from tests.queries import mesh
from tests.sizes import choose_size, count_examples

READER = Actor("reader", Role.READER, groups=("open-team",))
RULES = AccessRules(Default.NOTHING, (Rule(frozenset({"group:open-team"}), (Selector(SelectorKind.DOMAIN, "open"),), "rules:1"),), ())
BOUNDS = Bounds(aliases=1_000, tokens=20_000, depth=100)
SEVERAL = 3  # datasets of each part
COLUMNS = ("a", "b", "c")


class Shape(NamedTuple):
    """What two worlds have in common: the flows between columns (numbers of datasets, first the open ones), and what is used and owned."""

    flows: list[tuple[int, int, int, int, str]]
    used: list[tuple[int, int]]  # (consumer, dataset)
    owned: list[tuple[int, int]]  # (owner, dataset)
    governed: list[tuple[int, int]]  # (contract, dataset)


def draw_shapes() -> st.SearchStrategy[Shape]:
    dataset = st.integers(0, 2 * SEVERAL - 1)
    column = st.integers(0, len(COLUMNS) - 1)
    pairs = st.lists(st.tuples(st.integers(0, 1), dataset), max_size=6, unique=True)
    flow = st.tuples(dataset, column, dataset, column, st.sampled_from(["IDENTITY", "FILTER"]))
    return st.builds(Shape, st.lists(flow, min_size=3, max_size=14, unique=True), pairs, pairs, pairs)


class World:
    """A mesh with the domains `open` and a secret one. `secret`: what all names in that begin with.

    `more`: a secret dataset is made of each open one, with an owner and a consumer of its own.
    """

    def __init__(self, shape: Shape, secret: str, *, more: bool = False) -> None:
        self.shape = shape
        self.secret = secret
        self.more = more
        self.datasets = [build_dataset_key("wh", f"{part}.{n}") for part in ("open", secret) for n in range(SEVERAL)]
        self.hidden = frozenset(self.datasets[SEVERAL:])

    def name(self, word: str, datasets: Sequence[int]) -> str:
        """The name of what belongs to these datasets: of what the caller may not see if all of these are secret."""
        return word if not datasets or any(number < SEVERAL for number in datasets) else f"{self.secret}_{word}"

    def list_statements(self) -> Iterator[Statement]:
        for part in ("open", self.secret):
            domain, product = AssetKey(AssetKind.DOMAIN, (part,)), AssetKey(AssetKind.DATA_PRODUCT, (f"{part}-product",))
            yield mesh.build_asset_statement(domain, title=f"All of {part}", members=[f"wh/{part}.*"])
            yield mesh.build_asset_statement(product, title=f"The product of {part}", tags=[part])
            yield mesh.build_edge_statement(EdgeType.PART_OF, product, domain)
        for number, dataset in enumerate(self.datasets):
            part = dataset.name.partition(".")[0]
            columns = [build_column_key(dataset, name) for name in COLUMNS]
            edges = tuple(EdgeFact(EdgeType.HAS_COLUMN, dataset, column, {"position": at}) for at, column in enumerate(columns, 1))
            facts = (
                AssetFact(dataset, {"description": f"Made for {part}", "tags": [part]}),
                *(AssetFact(c, {"type": part}) for c in columns),
            )
            yield mesh.build_statement(mesh.LINEAGE, ("dataset", *dataset.parts), Facts(edges=edges, assets=facts))
            sources = sorted({self.datasets[flow[0]].name for flow in self.shape.flows if flow[2] == number})
            if sources:
                yield mesh.build_asset_statement(dataset, sql=f"SELECT * FROM {', '.join(sources)}")
            if number % SEVERAL == 0:
                product = AssetKey(AssetKind.DATA_PRODUCT, (f"{part}-product",))
                yield mesh.build_edge_statement(EdgeType.PORT, product, dataset, direction="output", name="out")
        yield from self._list_jobs()
        yield from self._list_users()
        yield from self._list_more()

    def _list_jobs(self) -> Iterator[Statement]:
        for end in range(len(self.datasets)):
            flows = [flow for flow in self.shape.flows if flow[2] == end and flow[0] != end]
            if flows:
                job = build_job_key("air", self.name(f"load_{end}", [end]))
                inputs = sorted({self.datasets[flow[0]] for flow in flows})
                steps = [
                    mesh.build_flow(
                        build_column_key(self.datasets[start], COLUMNS[one]), build_column_key(self.datasets[end], COLUMNS[other]), subtype
                    )
                    for start, one, _, other, subtype in flows
                ]
                yield mesh.build_run_statement(job, inputs, self.datasets[end], *steps)
                yield mesh.build_asset_statement(job, sql=f"SELECT * FROM {', '.join(one.name for one in inputs)}", integration="DBT")

    def _list_more(self) -> Iterator[Statement]:
        for number in range(SEVERAL) if self.more else ():
            dataset, source = build_dataset_key("wh", f"{self.secret}.more{number}"), self.datasets[number]
            yield mesh.build_schema_statement(dataset, *COLUMNS)
            steps = [mesh.build_flow(build_column_key(source, name), build_column_key(dataset, name)) for name in COLUMNS]
            yield mesh.build_run_statement(build_job_key("air", f"{self.secret}_more{number}"), [source], dataset, *steps)
            yield mesh.build_edge_statement(EdgeType.OWNS, AssetKey(AssetKind.OWNER, (f"{self.secret}-owner",)), dataset)
            yield mesh.build_edge_statement(EdgeType.CONSUMES, AssetKey(AssetKind.CONSUMER, (f"{self.secret}-more",)), dataset)

    def _list_users(self) -> Iterator[Statement]:
        for kind, type_, word, pairs in (
            (AssetKind.CONSUMER, EdgeType.CONSUMES, "app", self.shape.used),
            (AssetKind.OWNER, EdgeType.OWNS, "team", self.shape.owned),
        ):
            for number in (0, 1):
                of = [dataset for one, dataset in pairs if one == number]
                key = AssetKey(kind, (self.name(f"{word}-{number}", of),))
                for dataset in of:
                    yield mesh.build_edge_statement(type_, key, self.datasets[dataset])
        for number in (0, 1):
            of = [dataset for one, dataset in self.shape.governed if one == number]
            secret = any(dataset >= SEVERAL for dataset in of)  # one of two that it governs is enough
            contract = build_contract_key(f"{self.secret if secret else 'open'}-{number}")
            for dataset in of:
                yield mesh.build_edge_statement(EdgeType.GOVERNS, contract, self.datasets[dataset], status="active")


def list_variables(world: World) -> dict[str, str]:
    first, last = world.datasets[0], world.datasets[SEVERAL - 1]
    return {
        "email": build_column_key(first, "a").id,
        "hash": build_column_key(last, "b").id,
        "orders": first.id,
        "report": last.id,
        "team": AssetKey(AssetKind.OWNER, ("team-0",)).id,
        "product": AssetKey(AssetKind.DATA_PRODUCT, ("open-product",)).id,
    }


WITHOUT = {"edges", "ageSeconds"}  # what nodes have, too; and what depends on the clock
FIELDS = {name for kind in SCHEMA.type_map.values() if hasattr(kind, "fields") for name in kind.fields if name not in WITHOUT}
ROOTS = sorted(RESTRICTED_FIELDS)


def list_questions(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    """Each root field with all fields below it; and questions by the names and ids of what is secret in one of the worlds."""
    variables = list_variables(world)
    for root in ROOTS:
        yield build_query(root, FIELDS - {"version"} | RESTRICTED_FIELDS)[0], variables
    for word in ("sesame", "arcane"):
        hidden = build_dataset_key("wh", f"{word}.0")
        for id_ in (
            hidden.id,
            build_column_key(hidden, "a").id,
            AssetKey(AssetKind.DOMAIN, (word,)).id,
            build_job_key("air", f"{word}_load_3").id,
        ):
            yield "query($id: ID!) { node(id: $id) { id } }", {"id": id_}
            yield "query($id: ID!) { impact(of: [$id]) { total } }", {"id": id_}
        for text in (word, f"{word}.0", f"wh/{word}.0", f"{word}.0.a", f"{word}-product", f"{word}.O"):
            yield "query($text: String!) { resolve(name: $text) { id } }", {"text": text}
            yield "query($text: String!) { search(text: $text) { totalCount nodes { id } } }", {"text": text}
            yield "query($text: String!) { suggest(text: $text) { id } }", {"text": text}
    for filter_ in ('text: "s"', 'namespace: "wh"', "described: true"):
        for root in ("datasets", "jobs", "consumers"):
            yield f"{{ {root}(filter: {{{filter_}}}, first: 2) {{ totalCount nodes {{ name }} pageInfo {{ hasNextPage }} }} }}", {}


@pytest.fixture(autouse=True)
def _arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the questions of `test_etag`, those whose arguments are names of its mesh."""
    monkeypatch.setitem(test_etag.ARGUMENTS, "lineageDiff", 'from: "2023-11-13T00:00:00Z", to: "2025-01-01T00:00:00Z"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "run", 'id: "run_W10"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "dataset", 'namespace: "wh", name: "open.0"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "resolve", 'name: "open.0"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "search", 'text: "open"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "suggest", 'text: "o"')


@contextmanager
def open_world(world: World) -> Iterator[Executor]:
    graph = mesh.build_graph(*world.list_statements())
    try:
        yield Executor(graph, Naming(), BOUNDS, access=Access(graph, RULES))
    finally:
        graph.store.close()


def ask(executor: Executor, query: str, variables: dict[str, str], actor: Actor = READER) -> dict[str, Any]:
    return executor.execute(query, variables, actor=actor, request_id="r").body


def leave_out_counts(value: Any) -> Any:
    """An answer without the numbers of what it lacks, which count hidden assets, too."""
    if isinstance(value, dict):
        return {name: leave_out_counts(one) for name, one in value.items() if name.removeprefix("Completeness_") not in COUNTS}
    return [leave_out_counts(one) for one in value] if isinstance(value, list) else value


COUNTS = {"hidden", "possibleOnly", "undescribed", "staleEdges", "provisional", "silentOnFilters", "silentProducers", "revision"}


@settings(max_examples=choose_size(2, 1000), deadline=None)
@given(shape=draw_shapes())
def test_two_worlds(shape: Shape) -> None:
    with ExitStack() as opened:
        worlds = (World(shape, "sesame"), World(shape, "arcane"), World(shape, "sesame", more=True))
        one, renamed, larger = (opened.enter_context(open_world(world)) for world in worlds)
        for query, variables in list_questions(worlds[0]):
            answer = ask(one, query, variables)
            assert msgspec.json.encode(ask(renamed, query, variables)) == msgspec.json.encode(answer), query
            assert leave_out_counts(ask(larger, query, variables)) == leave_out_counts(answer), query
            assert '"INTERNAL"' not in str(answer)
            assert "sesame" not in str(answer) or "sesame" in str(variables)


@settings(max_examples=count_examples(20), deadline=None)
@given(shape=draw_shapes(), start=st.integers(0, SEVERAL - 1), upstream=st.booleans())
def test_visible_rows_and_hidden_counts_are_all_rows(shape: Shape, start: int, *, upstream: bool) -> None:
    world = World(shape, "sesame")
    root = "provenance" if upstream else "impact"
    fields = "{ total assets(first: 1000) { nodes { node { qualifiedName } } } completeness { hidden { count } } }"
    query = f"query($id: ID!) {{ {root}(of: [$id]) {fields} }}"
    variables = {"id": world.datasets[start].id}
    with open_world(world) as executor:
        every, some = (ask(executor, query, variables, actor)["data"][root] for actor in (NO_AUTHENTICATION, READER))
    assert every["completeness"]["hidden"] == []
    assert some["total"] + sum(one["count"] for one in some["completeness"]["hidden"]) == every["total"]
    shown = [node["node"]["qualifiedName"] for node in some["assets"]["nodes"]]
    names = [node["node"]["qualifiedName"] for node in every["assets"]["nodes"]]
    assert shown == [name for name in names if "sesame" not in name]


def test_other_fields_are_refused() -> None:
    assert SCHEMA.query_type is not None
    others = sorted(set(SCHEMA.query_type.fields) - RESTRICTED_FIELDS)
    assert len(others) > 10
    with open_world(World(Shape([], [], [], []), "sesame")) as executor:
        for root in others:
            query = "{ " + REFUSED.get(root, f"{root} {{ __typename }}") + " }"
            (error,) = ask(executor, query, {})["errors"]
            assert (error["extensions"]["code"], root in error["message"]) == ("FORBIDDEN", True)
            errors = ask(executor, query, {}, NO_AUTHENTICATION).get("errors", ())
            assert not [one for one in errors if one["extensions"]["code"] == "FORBIDDEN"]


REFUSED = {
    "changes": 'changes(from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z") { __typename }',
    "blastRadius": 'blastRadius(change: {words: ["drop x"]}) { __typename }',
    "runsById": 'runsById(runId: "x") { __typename }',
    "eventCounts": 'eventCounts(from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z") { __typename }',
}

"""Access rules on every field of GraphQL: two meshes that differ only in what a caller may not see answer him alike, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import networkx as nx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshline.api.graphql import Bounds
from meshline.api.graphql.context import RESTRICTED_FIELDS
from meshline.api.graphql.execution import Executor
from meshline.app.access import Access
from meshline.app.access_rules import AccessRules, Action, Default, Rule
from meshline.app.tokens import NO_AUTHENTICATION, Actor, Role
from meshline.graph import index_file, past_index
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.text_model import WORDLLAMA, TextModel, read_model
from meshline.graph.index_file import Snapshots
from meshline.graph.model import AssetKey, AssetKind, Statement, build_column_key, build_dataset_key, build_job_key, from_micros
from meshline.graph.naming import Naming
from meshline.graph.queries.selection import Selector, SelectorKind
from tests.api import test_etag
from tests.api.test_etag import SCHEMA, build_query
from tests.api.worlds import (
    MARKS,
    PLAIN,
    SEVERAL,
    STRANGE,
    USUAL,
    Secret,
    Shape,
    World,
    draw_secret,
    draw_shapes,
    list_variables,
)
from tests.queries import mesh
from tests.sizes import choose_size, count_examples

READER = Actor("reader", Role.READER, groups=("open-team",))
RULES = AccessRules(
    {Action.READ: Default.NOTHING}, (Rule(frozenset({"group:open-team"}), (Selector(SelectorKind.DOMAIN, "open"),), "rules:1"),), ()
)
DAY = 86_400.0  # no question ends before its time, also if the process was stopped for a while: a shorter answer would differ
MANY = 300  # examples in a run with `--all`: some ten seconds each, of the two hours that a test may take there
BOUNDS = Bounds(seconds=DAY, aliases=1_000, tokens=20_000, depth=100)
WITHOUT = {"edges", "ageSeconds"}  # what nodes have, too; and what depends on the clock
FIELDS = {name for kind in SCHEMA.type_map.values() if hasattr(kind, "fields") for name in kind.fields if name not in WITHOUT}
ROOTS = sorted(RESTRICTED_FIELDS)


def list_questions(worlds: Sequence[World]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each root field with all fields below it; and questions by the names and ids of what is secret in one of the worlds."""
    variables = list_variables(worlds[0])
    for root in ROOTS:
        yield build_query(root, FIELDS - {"version"} | RESTRICTED_FIELDS)[0], variables
    for word in [world.secret.word for world in worlds]:
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
    monkeypatch.setitem(test_etag.ARGUMENTS, "changes", 'from: "2023-11-13T00:00:00Z", to: "2023-12-01T00:00:00Z"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "run", 'id: "run_W10"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "dataset", 'namespace: "wh", name: "open.0"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "resolve", 'name: "open.0"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "search", 'text: "open"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "suggest", 'text: "o"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "productImpact", "of: $product")
    monkeypatch.setitem(test_etag.ARGUMENTS, "runsById", 'runId: "x"')
    monkeypatch.setitem(test_etag.ARGUMENTS, "blastRadius", 'change: {words: ["drop open.0.a", "drop wh/open.1"]}')


@cache
def read_shared_model() -> TextModel:
    found = read_model(WORDLLAMA)
    assert found is not None
    return found


@contextmanager
def open_world(world: World, rules: AccessRules = RULES) -> Iterator[Executor]:
    graph = mesh.build_graph(*world.list_statements())
    graph.vectors = NameVectors(read_shared_model())
    try:
        yield Executor(graph, Naming(), BOUNDS, access=Access(graph, lambda: rules))
    finally:
        graph.store.close()


def ask(executor: Executor, query: str, variables: Mapping[str, Any], actor: Actor = READER) -> dict[str, Any]:
    return executor.execute(query, dict(variables), actor=actor, request_id="r").body


def leave_out_counts(value: Any) -> Any:
    """An answer without the numbers of what it lacks, which count hidden assets, too, and without the verdicts that these decide."""
    if isinstance(value, dict):
        left = (name for name in value if name.removeprefix("Completeness_") not in COUNTS and name not in EFFECTS)
        return {name: leave_out_counts(value[name]) for name in left}
    return [leave_out_counts(one) for one in value] if isinstance(value, list) else value


COUNTS = {"hidden", "possibleOnly", "undescribed", "staleEdges", "provisional", "silentOnFilters", "silentProducers", "revision"}
EFFECTS = {
    *("BlastRadius_verdict", "BlastRadius_markdown", "BlastRadius_notify", "Hit_verdict", "Hit_why"),
    *("Finding_verdict", "Finding_reason", "Finding_safe", "Finding_hiddenHits", "Finding_gaps"),
}


@settings(max_examples=choose_size(1, MANY), deadline=None)
@example(USUAL, PLAIN, STRANGE)
@given(shape=draw_shapes(), secret=draw_secret(MARKS[0]), other=draw_secret(MARKS[1]))
def test_two_worlds(shape: Shape, secret: Secret, other: Secret) -> None:
    with ExitStack() as opened:
        worlds = (World(shape, secret), World(shape, other, later=3600), World(shape, secret, more=True))
        one, renamed, larger = (opened.enter_context(open_world(world)) for world in worlds)
        for query, variables in list_questions(worlds[:2]):
            answer = ask(one, query, variables)
            assert msgspec.json.encode(ask(renamed, query, variables)) == msgspec.json.encode(answer), query
            assert leave_out_counts(ask(larger, query, variables)) == leave_out_counts(answer), query
            assert "'INTERNAL'" not in str(answer)
            assert MARKS[0] not in str(answer) or MARKS[0] in str(variables)


class TitledWorld(World):
    """A world in which the titles of the secret part teach a synonym for a word of an open name: what the names of secrets begin with."""

    def list_statements(self) -> Iterator[Statement]:
        yield from super().list_statements()
        yield mesh.build_schema_statement(build_dataset_key("wh", "open.t"), "kd_x")
        for number in range(SEVERAL):
            dataset = build_dataset_key("wh", f"{self.secret.word}.t{number}")
            yield mesh.build_schema_statement(dataset, "kd_nr")
            yield mesh.build_asset_statement(build_column_key(dataset, "kd_nr"), title=f"{self.secret.word} number")
            yield mesh.build_asset_statement(dataset, title="Known number" if number else "Number")


def test_what_hidden_titles_teach_is_not_used() -> None:
    query = "query($text: String!) { search(text: $text) { totalCount edges { node { qualifiedName } why { word found meaning place } } } }"
    with ExitStack() as opened:
        worlds = [TitledWorld(USUAL, Secret(mark, mark)) for mark in MARKS]
        one, other = (opened.enter_context(open_world(world)) for world in worlds)
        for text in (*MARKS, *(f"{mark} number x" for mark in MARKS), "kd", "kd x"):
            answer = ask(one, query, {"text": text})
            assert msgspec.json.encode(ask(other, query, {"text": text})) == msgspec.json.encode(answer), text
            assert "LEARNED" not in str(answer)
        every = ask(one, query, {"text": MARKS[0]}, NO_AUTHENTICATION)["data"]["search"]["edges"]
        learned = {"word": MARKS[0], "found": "kd", "meaning": "LEARNED", "place": "NAME"}
        assert learned in [why for edge in every if edge["node"]["qualifiedName"] == "wh/open.t.kd_x" for why in edge["why"]]


BROWSING = RULES._replace(defaults={Action.BROWSE: Default.EVERYTHING, Action.READ: Default.NOTHING})
BROWSED = Secret("browsed", "browsed")


@settings(max_examples=choose_size(1, MANY), deadline=None)
@example(USUAL, PLAIN, STRANGE)
@given(shape=draw_shapes(), unread=draw_secret(MARKS[0]), other=draw_secret(MARKS[1]))
def test_two_worlds_of_which_a_part_may_be_browsed(shape: Shape, unread: Secret, other: Secret) -> None:
    """They differ in what may not be read of it: byte for byte the same answers."""
    with ExitStack() as opened:
        worlds = (World(shape, BROWSED, unread=unread), World(shape, BROWSED, unread=other, later=3600))
        one, differing = (opened.enter_context(open_world(world, BROWSING)) for world in worlds)
        known = ask(one, '{ dataset(namespace: "wh", name: "browsed.0") { access name description columns { totalCount } } }', {})
        assert known["data"]["dataset"] == {
            "access": "BROWSE",
            "name": "browsed.0",
            "description": "Made for browsed",
            "columns": {"totalCount": 0},
        }
        for query, variables in (*list_questions(worlds), *list_browsed_questions(worlds[0])):
            answer = ask(one, query, variables)
            assert msgspec.json.encode(ask(differing, query, variables)) == msgspec.json.encode(answer), query
            assert '"INTERNAL"' not in str(answer)
            assert MARKS[0] not in str(answer) or MARKS[0] in str(variables)


def list_browsed_questions(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    """About what may be browsed, with all fields; and by the names of what is in it and may not be read."""
    first = world.datasets[SEVERAL]
    fields = FIELDS - {"version"} | RESTRICTED_FIELDS
    for id_ in (
        first.id,
        AssetKey(AssetKind.DATA_PRODUCT, (f"{BROWSED.word}-product",)).id,
        AssetKey(AssetKind.DOMAIN, (BROWSED.word,)).id,
    ):
        for root in ("node", "lineage", "compactLineage", "impact", "provenance"):
            yield build_query(root, fields)[0], dict.fromkeys(list_variables(world), id_)
    for name in world.columns[SEVERAL]:
        id_ = build_column_key(first, name).id
        yield "query($id: ID!) { node(id: $id) { id } }", {"id": id_}
        yield "query($text: String!) { search(text: $text) { totalCount nodes { id } } }", {"text": name}


def test_no_sql_for_those_who_may_not_read_it() -> None:
    rules = AccessRules({Action.READ: Default.EVERYTHING, Action.READ_SQL: Default.NOTHING}, (), ())
    shape = Shape([(0, 0, 1, 0, "IDENTITY"), (1, 0, 4, 1, "IDENTITY")], [(0, 0)], [(0, 0)], [(0, 0)])
    world = World(shape, PLAIN)
    with open_world(world, rules) as executor:
        for query, variables in list_questions([world]):
            assert "SELECT" not in str(ask(executor, query, variables)), query
        jobs = "{ jobs { nodes { sql access integration } } }"
        assert ask(executor, jobs, {})["data"]["jobs"]["nodes"][0] == {"sql": None, "access": "READ", "integration": "DBT"}
        assert ask(executor, jobs, {}, NO_AUTHENTICATION)["data"]["jobs"]["nodes"][0]["access"] == "READ_SQL"


@settings(max_examples=count_examples(20), deadline=None)
@given(shape=draw_shapes(), start=st.integers(0, SEVERAL - 1), depth=st.sampled_from([1, 2, None]), upstream=st.booleans())
def test_visible_rows_and_hidden_counts_are_all_rows(shape: Shape, start: int, depth: int | None, *, upstream: bool) -> None:
    """Also of an answer with a depth, which counts hidden assets as others: it is as deep for all."""
    world = World(shape, PLAIN)
    root = "provenance" if upstream else "impact"
    fields = "{ total assets(first: 1000) { nodes { node { qualifiedName } } } completeness { hidden { count } } }"
    query = f"query($id: ID!) {{ {root}(of: [$id]{'' if depth is None else f', depth: {depth}'}) {fields} }}"
    variables = {"id": world.datasets[start].id}
    with open_world(world) as executor:
        every, some = (ask(executor, query, variables, actor)["data"][root] for actor in (NO_AUTHENTICATION, READER))
    assert every["completeness"]["hidden"] == []
    assert some["total"] + sum(one["count"] for one in some["completeness"]["hidden"]) == every["total"]
    shown = [node["node"]["qualifiedName"] for node in some["assets"]["nodes"]]
    names = [node["node"]["qualifiedName"] for node in every["assets"]["nodes"]]
    assert shown == [name for name in names if MARKS[0] not in name]


@settings(max_examples=count_examples(20), deadline=None)
@given(shape=draw_shapes(), start=st.integers(0, SEVERAL - 1), direction=st.sampled_from(["DOWNSTREAM", "UPSTREAM"]))
def test_a_drawing_connects_what_is_connected_through_hidden_assets(shape: Shape, start: int, direction: str) -> None:
    """It has the visible nodes of an administrator's, and an edge wherever that has one, or a way through hidden nodes alone."""
    world = World(shape, PLAIN)
    dataset = world.datasets[start]
    for granularity, key in (("COLUMN", build_column_key(dataset, "a")), ("DATASET", dataset)):
        nodes, edges = draw(world, RULES, NO_AUTHENTICATION, key.id, direction, granularity)
        some, shown = draw(world, RULES, READER, key.id, direction, granularity)
        assert some == {node for node in nodes if MARKS[0] not in node}
        assert not any(hidden for _, _, hidden in edges)
        ways = nx.DiGraph([(one, other) for one, other, _ in edges])
        for one, other in product(some, repeat=2):
            found = {hidden for start_, end, hidden in shown if (start_, end) == (one, other)}
            if (one, other) in ways.edges:
                assert found == {0}
            elif one != other:
                through = ways.subgraph({node for node in ways if MARKS[0] in node} | {one, other})
                connected = one in through and other in through and nx.has_path(through, one, other)
                assert (found != set()) == connected
                assert not connected or min(found) >= nx.shortest_path_length(through, one, other) - 1


def test_a_drawing_of_columns_begins_at_those_from_which_hidden_ways_lead() -> None:
    """Of a dataset among the starts."""
    flows = [(0, 0, SEVERAL, 1, "IDENTITY"), (SEVERAL, 1, 1, 2, "IDENTITY"), (0, 1, SEVERAL, 2, "IDENTITY")]
    world = World(Shape(flows, [], [], []), PLAIN)
    nodes, edges = draw(world, RULES, READER, world.datasets[0].id, "DOWNSTREAM", "COLUMN")
    assert (nodes, edges) == ({"wh/open.0", "wh/open.0.a", "wh/open.1.c"}, {("wh/open.0.a", "wh/open.1.c", 1)})


@settings(max_examples=count_examples(10), deadline=None)
@given(shape=draw_shapes(), start=st.integers(0, 2 * SEVERAL - 1))
def test_a_drawing_has_what_may_be_browsed(shape: Shape, start: int) -> None:
    """At the grain of datasets it is that of an administrator."""
    world = World(shape, PLAIN)
    of = world.datasets[start].id
    every, some = (draw(world, BROWSING, actor, of, "DOWNSTREAM", "DATASET") for actor in (NO_AUTHENTICATION, READER))
    assert some == every
    hops = "upstream { direct shown } downstream { direct shown }"
    query = f'{{ lineage(of: ["{of}"], granularity: DATASET) {{ nodes {{ asset {{ name }} {hops} }} }} }}'
    with open_world(world, BROWSING) as executor:
        assert ask(executor, query, {}) == ask(executor, query, {}, NO_AUTHENTICATION)


def draw(
    world: World, rules: AccessRules, actor: Actor, of: str, direction: str, granularity: str
) -> tuple[set[str], set[tuple[str, str, int]]]:
    """(the names of the nodes, the edges with what they hide), which `lineage` and `compactLineage` have alike."""
    arguments = f'(of: ["{of}"], direction: {direction}, granularity: {granularity}, limit: 500)'
    query = f"""{{ lineage{arguments} {{ nodes {{ asset {{ qualifiedName }} }}
        edges {{ from {{ qualifiedName }} to {{ qualifiedName }} hidden stale }} }}
        compactLineage{arguments} {{ qualifiedNames edges {{ from to hidden }} }} }}"""
    with open_world(world, rules) as executor:
        data = ask(executor, query, {}, actor)["data"]
    found, names, columns = data["lineage"], data["compactLineage"]["qualifiedNames"], data["compactLineage"]["edges"]
    edges = {(edge["from"]["qualifiedName"], edge["to"]["qualifiedName"], edge["hidden"]) for edge in found["edges"]}
    assert not any(edge["stale"] for edge in found["edges"])
    assert names == [node["asset"]["qualifiedName"] for node in found["nodes"]]
    assert edges == {(names[one], names[other], hidden) for one, other, hidden in zip(*columns.values(), strict=True)}
    return set(names), edges


PAST = """{ past: datasets(asOf: "%s") { totalCount nodes { name description owners { owner { name } } columns { nodes { name } } } }
    domains(asOf: "%s") { nodes { name } } jobs(asOf: "%s") { nodes { name } }
    impact(of: ["%s"], asOf: "%s") { total assets { nodes { node { name } } } completeness { hidden { count } } } }"""


def test_a_past_time_that_is_made_of_the_kept_index_hides_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is visible now, and was secret then."""
    monkeypatch.setattr(index_file, "LEAST_HEADS", 0)
    monkeypatch.setattr(past_index, "DIFFERENT_SHARE", 0)
    world, at = World(USUAL, PLAIN, later=3600), from_micros(mesh.START + 60 * mesh.SECOND).isoformat()
    of = world.datasets[0].id
    with open_world(world) as loaded, open_world(world) as mapped:
        domain = AssetKey(AssetKind.DOMAIN, ("open",))
        wider = mesh.build_asset_statement(domain, title="All of open", members=["wh/*"], at=mesh.START + 7200 * mesh.SECOND)
        for executor in (loaded, mapped):
            mesh.commit_statements(executor.live, wider)
        mapped.live.snapshots = Snapshots(tmp_path / "index")
        assert mapped.live.keep_index()
        for actor in (READER, NO_AUTHENTICATION):
            answer = ask(loaded, PAST % (at, at, at, of, at), {}, actor)
            assert ask(mapped, PAST % (at, at, at, of, at), {}, actor) == answer
            names = {node["name"] for node in answer["data"]["past"]["nodes"]}
            assert (f"{MARKS[0]}.0" in names) == (actor is NO_AUTHENTICATION)


def test_other_fields_are_refused() -> None:
    assert SCHEMA.query_type is not None
    others = sorted(set(SCHEMA.query_type.fields) - RESTRICTED_FIELDS)
    assert len(others) > 3
    with open_world(World(Shape([], [], [], []), PLAIN)) as executor:
        for root in others:
            query = "{ " + REFUSED.get(root, f"{root} {{ __typename }}") + " }"
            (error,) = ask(executor, query, {})["errors"]
            assert (error["extensions"]["code"], root in error["message"]) == ("FORBIDDEN", True)
            errors = ask(executor, query, {}, NO_AUTHENTICATION).get("errors", ())
            assert not [one for one in errors if one["extensions"]["code"] == "FORBIDDEN"]


REFUSED = {
    "eventCounts": 'eventCounts(from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z") { __typename }',
}

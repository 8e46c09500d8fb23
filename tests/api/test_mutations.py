"""Statements that a person makes by hand are statements like any other, and can be retracted."""

from __future__ import annotations

from typing import Any

import pytest

from meshline.app import manual_statements
from meshline.graph.model import AssetFact, EdgeType, Facts, build_column_key, build_dataset_key
from tests.api.conftest import AskGraph
from tests.queries import mesh

RETRACT = "mutation($s: ID!) { retract(statement: $s) { statement asset { name } } }"
REPORT = mesh.REPORT.id


def test_an_owner(ask: AskGraph) -> None:
    added = ask(
        """mutation($id: ID!) { addOwner(asset: $id, owner: " team:finance ", by: "eve", type: "business") {
        statement asset { id owners { type source statement owner { name } inheritedFrom { name } } } } }""",
        id=REPORT,
    )["addOwner"]
    assert added["asset"]["id"] == REPORT
    assert added["asset"]["owners"] == [
        {
            "type": "business",
            "source": "person/eve",
            "statement": added["statement"],
            "owner": {"name": "team:finance"},
            "inheritedFrom": None,
        }
    ]
    assert ask(RETRACT, s=added["statement"])["retract"] == {"statement": None, "asset": {"name": "fin.report"}}
    assert ask("query($id: ID!) { node(id: $id) { owners { type } } }", id=REPORT)["node"] == {"owners": []}


def test_a_person_outweighs_files_and_producers(ask: AskGraph) -> None:
    query = 'mutation($id: ID!) { addOwner(asset: $id, owner: "ann", by: "eve") { asset { owners { owner { name } } } } }'
    assert ask(query, id=mesh.COMMERCE.id)["addOwner"]["asset"]["owners"] == [{"owner": {"name": "ann"}}]


def test_tags_are_added(ask: AskGraph) -> None:
    query = 'mutation($id: ID!, $t: String!) { addTag(asset: $id, tag: $t, by: "eve") { statement asset { tags { key value source } } } }'
    first = ask(query, id=REPORT, t="certified")["addTag"]
    both = ask(query, id=REPORT, t="tier=1")["addTag"]
    assert both["asset"]["tags"] == [
        {"key": "certified", "value": None, "source": "person/eve"},
        {"key": "tier", "value": "1", "source": "person/eve"},
    ]
    ask(RETRACT, s=first["statement"])
    assert ask("query($id: ID!) { node(id: $id) { tags { key } } }", id=REPORT)["node"] == {"tags": [{"key": "tier"}]}


def test_a_description_replaces_the_same_persons(ask: AskGraph) -> None:
    query = 'mutation($t: String!, $id: ID!) { setDescription(asset: $id, description: $t, by: "eve") { statement asset { description } } }'
    first = ask(query, id=mesh.EMAIL.id, t="one")["setDescription"]
    second = ask(query, id=mesh.EMAIL.id, t="two")["setDescription"]
    assert (second["asset"]["description"], second["statement"]) == ("two", first["statement"])
    ask(RETRACT, s=first["statement"])
    node = ask('query($id: ID!) { node(id: $id) { description facts(attribute: "description") { value } } }', id=mesh.EMAIL.id)["node"]
    assert node == {
        "description": "Where the customer is written to",
        "facts": [{"value": "Where the customer is written to"}, {"value": "from a producer"}],
    }


def test_a_consumer(ask: AskGraph) -> None:
    added = ask(
        """mutation($id: ID!) { addConsumer(asset: $id, consumer: "forecast", purpose: "plans", by: "eve") {
        asset { ... on Column { consumers { purpose source consumer { name } } } } } }""",
        id=build_column_key(mesh.REVENUE, "total").id,
    )["addConsumer"]
    assert added["asset"]["consumers"] == [{"purpose": "plans", "source": "person/eve", "consumer": {"name": "forecast"}}]
    notices = ask("query($id: ID!) { impact(of: [$id]) { notify { recipient { name } } } }", id=mesh.EMAIL.id)["impact"]["notify"]
    assert {"recipient": {"name": "forecast"}} in notices


def test_same_as_and_back(ask: AskGraph) -> None:
    query = 'mutation($a: ID!, $b: ID!) { sameAs(dataset: $a, other: $b, by: "eve", why: "renamed") { statement asset { id name } } }'
    impact = "query($id: ID!) { impact(of: [$id]) { assets(kinds: [COLUMN]) { nodes { node { qualifiedName } } } } }"
    before = ask(impact, id=mesh.REPORT.id)
    added = ask(query, a=mesh.REPORT.id, b=mesh.CUSTOMERS.id)["sameAs"]
    assert ask("query($id: ID!) { node(id: $id) { id } }", id=mesh.REPORT.id) == ask(
        "query($id: ID!) { node(id: $id) { id } }", id=mesh.CUSTOMERS.id
    )
    assert len(ask(impact, id=mesh.REPORT.id)["impact"]["assets"]["nodes"]) > 0
    assert ask.get_error_code(query, a=mesh.REPORT.id, b=mesh.CUSTOMERS.id) == "INVALID_INPUT"
    ask(RETRACT, s=added["statement"])
    assert ask(impact, id=mesh.REPORT.id) == before
    assert ask("query($id: ID!) { node(id: $id) { name } }", id=mesh.REPORT.id)["node"] == {"name": "fin.report"}


def test_a_merge_of_a_machine_is_parted_and_joined_again(ask: AskGraph) -> None:
    path = build_dataset_key("s3://lake", "orders")
    mesh.commit_statements(ask.graph, mesh.build_edge_statement(EdgeType.SAME_AS, path, mesh.ORDERS, why="symlink", source="openlineage/x"))
    names = "query($id: ID!) { node(id: $id) { id ... on Dataset { identity { members { name { id name } } } } } }"
    members = [one["name"]["id"] for one in ask(names, id=path.id)["node"]["identity"]["members"]]
    assert sorted(members) == sorted((path.id, mesh.ORDERS.id))
    assert ask.graph.index.assets.find(path.id) == ask.graph.index.assets.find(mesh.ORDERS.id)
    query = """mutation($a: ID!, $b: ID!) { notSameAs(dataset: $a, other: $b, why: "two feeds", by: "eve") { statement asset {
        ... on Dataset { identity { partings { why source type } } } } } }"""
    assert ask.get_error_code(query, a=path.id, b=path.id) == "INVALID_INPUT"
    added = ask(query, a=members[0], b=members[1])["notSameAs"]
    assert added["asset"]["identity"]["partings"] == [{"why": "two feeds", "source": "person/eve", "type": "DIFFERENT_FROM"}]
    assert ask.graph.index.assets.find(path.id) != ask.graph.index.assets.find(mesh.ORDERS.id)
    ask(RETRACT, s=added["statement"])
    assert ask.graph.index.assets.find(path.id) == ask.graph.index.assets.find(mesh.ORDERS.id)


def test_two_in_one_request(ask: AskGraph) -> None:
    added = ask(
        """mutation($id: ID!) { a: addTag(asset: $id, tag: "a", by: "eve") { asset { tags { key } } }
        b: addTag(asset: $id, tag: "b", by: "eve") { asset { tags { key } } } }""",
        id=REPORT,
    )
    assert added["a"]["asset"]["tags"] == [{"key": "a"}]
    assert added["b"]["asset"]["tags"] == [{"key": "a"}, {"key": "b"}]


@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        ('addOwner(asset: "ds_0", owner: "x", by: "eve")', "NOT_FOUND"),
        ('addOwner(asset: $id, owner: " ", by: "eve")', "INVALID_INPUT"),
        ('addOwner(asset: $id, owner: "x", by: "")', "INVALID_INPUT"),
        ('addOwner(asset: $id, owner: "a\\nb", by: "eve")', "INVALID_INPUT"),
        ('addTag(asset: $id, tag: "", by: "eve")', "INVALID_INPUT"),
        ('setDescription(asset: $id, description: "  ", by: "eve")', "INVALID_INPUT"),
        (f'addConsumer(asset: "{mesh.COMMERCE.id}", consumer: "x", by: "eve")', "INVALID_INPUT"),
        (f'sameAs(dataset: $id, other: "{mesh.EMAIL.id}", by: "eve")', "INVALID_INPUT"),
        ('sameAs(dataset: $id, other: $id, by: "eve")', "INVALID_INPUT"),
        (f'notSameAs(dataset: $id, other: "{mesh.EMAIL.id}", why: "x", by: "eve")', "INVALID_INPUT"),
        (f'notSameAs(dataset: $id, other: "{mesh.ORDERS.id}", why: " ", by: "eve")', "INVALID_INPUT"),
        ('retract(statement: "st_99999")', "NOT_FOUND"),
        ('retract(statement: "st_")', "NOT_FOUND"),
        ('retract(statement: "st_9999999999999999999999")', "NOT_FOUND"),
    ],
)
def test_refused(ask: AskGraph, mutation: str, code: str) -> None:
    revision = ask.graph.index.revision
    call = mutation.replace("$id", f'"{REPORT}"')
    assert ask.get_error_code(f"mutation {{ {call} {{ statement }} }}") == code
    assert ask.graph.index.revision == revision


def test_the_refused_dataset_is_named(ask: AskGraph) -> None:
    query = 'mutation($a: ID!, $b: ID!) { sameAs(dataset: $a, other: $b, by: "eve") { statement } }'
    for one, other, path in ((mesh.EMAIL, mesh.ORDERS, "dataset"), (mesh.ORDERS, mesh.EMAIL, "other")):
        (error,) = ask.list_errors(query, a=one.id, b=other.id)
        assert error["extensions"] == {"code": "INVALID_INPUT", "path": path}


def test_the_reasons_of_an_identity_have_the_statements_that_can_be_retracted(ask: AskGraph) -> None:
    """Also a reason that another overrules, and the one that overrules it."""
    query = 'mutation($a: ID!, $b: ID!) { done: %s(dataset: $a, other: $b, why: "feeds", by: "eve") { statement } }'
    made = [ask(query % name, a=mesh.REPORT.id, b=mesh.CUSTOMERS.id)["done"]["statement"] for name in ("sameAs", "notSameAs")]
    names = "query($id: ID!) { node(id: $id) { ... on Dataset { identity { %s { statement overruled } } } } }"
    for key in (mesh.REPORT, mesh.CUSTOMERS):
        found = ask(names % "reasons { statement overruled } partings", id=key.id)["node"]["identity"]
        assert found == {
            "reasons": [{"statement": made[0], "overruled": True}],
            "partings": [{"statement": made[1], "overruled": False}],
        }
    ask(RETRACT, s=made[1])
    found = ask(names % "reasons", id=mesh.REPORT.id)["node"]["identity"]
    assert found == {"reasons": [{"statement": made[0], "overruled": False}]}
    ask(RETRACT, s=made[0])
    assert ask(names % "reasons", id=mesh.REPORT.id)["node"]["identity"] == {"reasons": []}


def test_only_statements_of_a_person_can_be_retracted(ask: AskGraph) -> None:
    node = ask("query($id: ID!) { node(id: $id) { facts { statement source } } }", id=mesh.EMAIL.id)["node"]
    assert ask.get_error_code(RETRACT, s=node["facts"][0]["statement"]) == "INVALID_INPUT"
    tagged = 'mutation($id: ID!) { addTag(asset: $id, tag: "a", by: "eve") { statement } }'
    statement = ask(tagged, id=REPORT)["addTag"]["statement"]
    ask(RETRACT, s=statement)
    assert ask.get_error_code(RETRACT, s=statement) == "NOT_FOUND"
    assert ask(tagged, id=REPORT)["addTag"]["statement"] == statement


DESCRIBE = """mutation($t: String!, $id: ID!, $by: String!) {
    setDescription(asset: $id, description: $t, by: $by) { statement asset { description } } }"""
DAY = 86_400_000_000


def test_what_is_stated_later_wins_also_after_a_clock_that_was_ahead(ask: AskGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the same person, over another, and over a retraction; whichever process states it."""
    clock = [mesh.START + 400 * DAY]
    monkeypatch.setattr(manual_statements, "get_current_micros", lambda: clock[0])

    def describe(text: str, by: str) -> dict[str, str]:
        answer: dict[str, Any] = ask(DESCRIBE, id=mesh.EMAIL.id, t=text, by=by)["setDescription"]
        assert answer["asset"]["description"] == text
        return {"statement": answer["statement"]}

    describe("ahead", "eve")
    clock[0] -= 300 * DAY
    describe("right again", "eve")
    added = describe("of another", "ann")
    ask(RETRACT, s=added["statement"])
    describe("of another again", "ann")
    clock[0] += 1
    describe("and later", "eve")


def test_a_clock_that_was_ahead_before_its_time_was_recorded(ask: AskGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a store of an older version the newest statement is looked for."""
    ahead = mesh.START + 400 * DAY
    scope = ("person", "description", mesh.EMAIL.id)
    mesh.commit_statements(
        ask.graph, mesh.build_statement("person/eve", scope, Facts(assets=(AssetFact(mesh.EMAIL, {"description": "ahead"}),)), ahead)
    )
    monkeypatch.setattr(manual_statements, "get_current_micros", lambda: ahead - 300 * DAY)
    answer = ask(DESCRIBE, id=mesh.EMAIL.id, t="right again", by="ann")["setDescription"]
    assert answer["asset"]["description"] == "right again"

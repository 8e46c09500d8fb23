"""Checks by callers who may not see every asset: what is shown is of their part of the graph, and the verdict is that of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.api.graphql.execution import Executor
from meshline.app.access import Access
from meshline.app.access_rules import AccessRules, Rule
from meshline.app.check import NEW_UNCHECKED, OWN_UNCHECKED, run_check
from meshline.app.check_texts import CheckInput, CheckRequest, File
from meshline.app.tokens import NO_AUTHENTICATION, Actor
from meshline.graph.model import AssetKey, AssetKind, EdgeType, build_column_key, build_dataset_key, build_job_key
from meshline.graph.naming import Naming
from meshline.graph.queries.selection import Selector, SelectorKind
from tests.api.test_two_worlds import BOUNDS, READER, ask, open_world
from tests.api.worlds import MARKS, PLAIN, Secret, Shape, World, draw_secret, draw_shapes
from tests.queries import mesh
from tests.sizes import choose_size, count_examples

CHECK = """query($change: ChangeInput!, $mode: CheckMode!) { blastRadius(change: $change, mode: $mode) { verdict checked policiesChecked
    warnings markdown findings { rule verdict text reason safe hits { name verdict reach path { name hidden masking job { name } }
    owners { name } why } hiddenHits products { name } contracts { name } owners { name } affected { kind count } unknown gaps }
    violations { policy name text path { name hidden } } hiddenViolations { policy verdict count }
    notify { name why total assets { name } } completeness { hidden { count domain { name } } unbound } } }"""


def check(executor: Executor, change: dict[str, Any], *, actor: Actor = READER, mode: str = "STRICT") -> dict[str, Any]:
    return ask(executor, CHECK, {"change": change, "mode": mode}, actor)


PRODUCTS = """query($change: ChangeInput!) { productImpact(change: $change) { products { product { name } verdict reach distance masked
    freshness { standing text } } lostPromises { product { name } now { text } then { text } } completeness { hidden { count } } } }"""


def list_changes(word: str) -> Iterator[dict[str, Any]]:
    """Changes of what the caller may see, and of what it may not: by name, and in statements and files."""
    for part in ("open", word):
        for sentence in (f"drop {part}.0.a", f"drop wh/{part}.1", f"rename {part}.0.b to z", f"retype {part}.1.c to bigint"):
            yield {"words": [sentence]}
        yield {"ddl": {"text": f"ALTER TABLE {part}.`0` DROP COLUMN a; DROP TABLE {part}.`2`", "dialect": "spark"}}
        yield {"contract": {"after": CONTRACT.format(part=part)}}
        yield {"product": {"after": PRODUCT.format(part=part)}}
        schema = '{"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}]}'
        yield {"schema": {"dataset": f"wh/{part}.0", "format": "avro", "after": schema}}


CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {part}-0
version: 2.0.0
status: active
schema:
  - {{name: "{part}.0", physicalName: "{part}.0", properties: [{{name: a, logicalType: string}}]}}
"""
PRODUCT = """
apiVersion: v1.0.0
kind: DataProduct
id: {part}-product
name: {part}-product
status: active
"""


@settings(max_examples=choose_size(1, 300), deadline=None)
@given(shape=draw_shapes(), secret=draw_secret(MARKS[0]), other=draw_secret(MARKS[1]), usage=st.booleans())
def test_two_worlds(shape: Shape, secret: Secret, other: Secret, *, usage: bool) -> None:
    """Reports differ by nothing but counts, and by what is counted: a verdict, and why."""
    mode = "USAGE" if usage else "STRICT"
    with ExitStack() as opened:
        worlds = (World(shape, secret), World(shape, other), World(shape, secret, more=True))
        one, renamed, larger = (opened.enter_context(open_world(world)) for world in worlds)
        for word in (secret.word, other.word):
            for change in list_changes(word):
                answer = check(one, change, mode=mode)
                assert msgspec.json.encode(check(renamed, change, mode=mode)) == msgspec.json.encode(answer), change
                assert leave_out_effect(check(larger, change, mode=mode)) == leave_out_effect(answer), change
                products = [ask(world, PRODUCTS, {"change": change}) for world in (one, renamed, larger)]
                assert msgspec.json.encode(products[0]) == msgspec.json.encode(products[1])
                assert leave_out_effect(products[0]) == leave_out_effect(products[2])
                assert "'INTERNAL'" not in str((answer, products))
                assert MARKS[0] not in str(products) or MARKS[0] in str(change)
                assert MARKS[0] not in str(answer) or MARKS[0] in str(change)


def leave_out_effect(value: Any) -> Any:
    """An answer without what hidden consumers and hidden gaps decide: verdicts, what follows from these, and texts about them."""
    if isinstance(value, dict):
        return {name: leave_out_effect(one) for name, one in value.items() if name not in EFFECTS}
    if isinstance(value, list):
        kept = (one for one in value if not (isinstance(one, dict) and DECIDED.intersection((one.get("rule"), one.get("policy")))))
        return sorted(map(leave_out_effect, kept), key=str)  # findings are sorted by their verdicts
    return value


DECIDED = {"major-version-missing", "major-version"}  # the rule and the policy that look at verdicts
EFFECTS = {"verdict", "why", "reason", "safe", "hiddenHits", "hiddenViolations", "gaps", "markdown", "completeness", "notify"}


@settings(max_examples=count_examples(6), deadline=None)
@given(shape=draw_shapes(), place=st.integers(0, 2), usage=st.booleans())
def test_the_verdict_is_that_of_the_whole_graph(shape: Shape, place: int, *, usage: bool) -> None:
    """Also: consumers that are shown and those that are counted are together those that an administrator sees."""
    mode = "USAGE" if usage else "STRICT"
    with open_world(World(shape, PLAIN)) as executor:
        for sentence in (f"drop open.{place}.a", f"drop wh/open.{place}", f"retype open.{place}.b to bigint"):
            change = {"words": [sentence]}
            some, every = (check(executor, change, actor=actor, mode=mode)["data"]["blastRadius"] for actor in (READER, NO_AUTHENTICATION))
            (shown,), (whole,) = some["findings"], every["findings"]
            assert shown["verdict"] == whole["verdict"]
            assert some["verdict"] == every["verdict"]
            assert len(some["violations"]) + sum(one["count"] for one in some["hiddenViolations"]) == len(every["violations"])
            assert every["hiddenViolations"] == []
            assert len(shown["hits"]) + shown["hiddenHits"] == len(whole["hits"])
            assert {hit["name"] for hit in shown["hits"]} <= {hit["name"] for hit in whole["hits"]}
            hidden = sum(one["count"] for one in some["completeness"]["hidden"])
            missing = sum(one["count"] for one in whole["affected"]) - sum(one["count"] for one in shown["affected"])
            assert 0 <= missing <= hidden, "which counts domains, too"
            assert (hidden == 0) <= (shown["gaps"] == whole["gaps"])


@pytest.fixture(scope="module")
def world() -> Iterator[Executor]:
    """The secret table is made of an open one, and only a secret consumer uses it."""
    with open_world(World(Shape([(0, 0, 3, 0, "IDENTITY")], [(0, 3)], [], []), PLAIN)) as executor:
        yield executor


def test_breakage_that_is_hidden_counts(world: Executor) -> None:
    found = check(world, {"words": ["drop open.0.a"]})["data"]["blastRadius"]
    (finding,) = found["findings"]
    assert (found["verdict"], finding["hits"], finding["hiddenHits"]) == ("BREAKING", [], 1)
    assert "1 further consumer that you may not see is affected" in finding["gaps"]
    assert found["completeness"]["hidden"][0]["count"] >= 3
    first = found["markdown"].partition("\n")[0]
    assert "further consumers that you may not see are hit" in found["markdown"], first
    assert "no consumer" not in found["markdown"]
    assert "sesame" not in str(found)


def open_people() -> Executor:
    """Personal data of open people goes into a secret table, and by it into an open copy; an open and a secret program use these."""
    secret, copy = (build_dataset_key("wh", name) for name in ("secret.people", "open.copy"))
    people = build_dataset_key("postgres://db", "wh.open.people")
    columns = [build_column_key(one, "code") for one in (people, secret, copy)]
    graph = mesh.build_graph(
        *(mesh.build_schema_statement(one, "id", "code") for one in (people, secret, copy)),
        *(
            mesh.build_run_statement(build_job_key("air", f"load {end.name}"), [start], end, mesh.build_flow(of, to))
            for start, end, of, to in ((people, secret, *columns[:2]), (secret, copy, *columns[1:]))
        ),
        mesh.build_edge_statement(EdgeType.CONSUMES, AssetKey(AssetKind.CONSUMER, ("app",)), columns[2]),
        mesh.build_edge_statement(EdgeType.CONSUMES, AssetKey(AssetKind.CONSUMER, ("secret-app",)), columns[1]),
        mesh.build_asset_statement(secret, tags=["secret"]),
    )
    rules = AccessRules({}, (), (Rule(frozenset(), (Selector(SelectorKind.TAG, "secret"),), "rules:1"),))
    return Executor(graph, Naming(), BOUNDS, access=Access(graph, lambda: rules))


TAGGED = """
apiVersion: v3.1.0
kind: DataContract
id: people
version: 1.0.0
status: active
servers: [{server: s, type: postgres, host: db, port: 5432, database: wh, schema: open}]
schema:
  - {name: people, properties: [{name: code, logicalType: string, classification: pii, tags: [pii]}]}
"""


def test_violations_of_assets_that_are_seen_are_listed_and_others_counted() -> None:
    """A contract tags a column as personal data, which is shown unmasked to two programs, of which the caller sees one."""
    executor = open_people()
    some, every = (
        check(executor, {"contract": {"after": TAGGED}}, actor=actor)["data"]["blastRadius"] for actor in (READER, NO_AUTHENTICATION)
    )
    assert (some["policiesChecked"], some["verdict"]) == (True, every["verdict"])
    (shown,) = (one for one in some["violations"] if one["policy"] == "pii-unmasked")
    assert shown["text"].endswith(": app and wh/open.copy.code")
    assert [(step["name"], step["hidden"]) for step in shown["path"]] == [
        ("postgres://db/wh.open.people.code", 0),
        ("wh/open.copy.code", 1),
        ("app", 0),
    ]
    assert "secret" not in str(some)
    assert "secret-app" in str(every["violations"])
    hidden = {one["policy"]: one["count"] for one in some["hiddenViolations"]}
    assert hidden["pii-unmasked"] == 1
    of_contract = [one for one in every["violations"] if "gives people personal data" in one["text"]]  # which is new
    assert len(every["violations"]) - len(of_contract) == len(some["violations"]) + sum(hidden.values())
    assert NEW_UNCHECKED in some["warnings"]
    assert "1 breaking violation of pii-unmasked is of assets that you may not see and not listed" in some["markdown"]
    executor.live.store.close()


NEW_PRODUCT = """
apiVersion: v1.0.0
kind: DataProduct
id: {name}
name: {name}
status: active
"""


def test_what_is_new_is_not_evaluated_and_the_report_states_it() -> None:
    """A product without an owner: there may be a hidden one of this name, which would have other violations."""
    executor = open_people()
    change = {"product": {"after": NEW_PRODUCT.format(name="new")}}
    some, every = (check(executor, change, actor=actor)["data"]["blastRadius"] for actor in (READER, NO_AUTHENTICATION))
    assert [one["name"] for one in every["violations"]] == ["new"]
    assert (some["violations"], some["hiddenViolations"], some["warnings"][-1]) == ([], [], NEW_UNCHECKED)
    executor.live.store.close()


OWN_POLICY = """
id: asks-for-names
kind: product
require: "false"
severity: error
message: "{name}"
"""


def test_policies_of_the_request_are_not_evaluated_and_the_report_states_it() -> None:
    """They could ask whether there is a hidden asset with some name."""
    executor = open_people()
    policy = File("own.yaml", OWN_POLICY)
    product = CheckInput("product", after=File("product.yaml", NEW_PRODUCT.format(name="new")))
    request = CheckRequest((product,), policies=(policy,))
    reports = [
        run_check(executor.access.find_graph(actor), Naming(), request, policies=executor.governing)
        for actor in (READER, NO_AUTHENTICATION)
    ]
    some, every = reports
    assert (some.policies_checked, every.policies_checked) == (False, True)
    assert "asks-for-names" in {one.policy for one in every.violations}
    assert "asks-for-names" not in str(some)
    assert OWN_UNCHECKED in some.warnings
    executor.live.store.close()


def test_a_hidden_asset_is_as_unknown_as_a_missing_one(world: Executor) -> None:
    for template in ("drop {}.0.a", "drop wh/{}.0", "rename {}.1.b to z"):
        hidden, missing = (check(world, {"words": [template.format(name)]}) for name in ("sesame", "samsee"))
        assert str(hidden).replace("sesame", "samsee") == str(missing)


def test_hidden_columns_of_a_table_are_not_compared_and_counted() -> None:
    """A schema without them may drop them."""
    table = build_dataset_key("wh", "open.people")
    graph = mesh.build_graph(
        mesh.build_schema_statement(table, "id", "ssn"), mesh.build_asset_statement(build_column_key(table, "ssn"), tags=["pii"])
    )
    rules = AccessRules({}, (), (Rule(frozenset(), (Selector(SelectorKind.TAG, "pii"),), "rules:1"),))
    executor = Executor(graph, Naming(), BOUNDS, access=Access(graph, lambda: rules))
    schema = '{"type": "record", "name": "r", "fields": [{"name": "id", "type": "string"}]}'
    change = {"schema": {"dataset": "wh/open.people", "format": "avro", "after": schema}}
    found = check(executor, change)["data"]["blastRadius"]
    assert "1 column of wh/open.people that you may not see is not compared" in found["warnings"]
    assert "ssn" not in str(found)
    whole = check(executor, change, actor=NO_AUTHENTICATION)["data"]["blastRadius"]
    assert "ssn" in str(whole)
    graph.store.close()


VIOLATIONS = """{ policyViolations { totalCount nodes { policy text name asset { name } path { name hidden job { name } } } }
    policies { id violations } }"""


def test_violations_of_which_both_ends_are_seen_are_listed_without_what_is_hidden() -> None:
    """Personal data goes through a secret table: the path has one step instead, and the text names nothing else."""
    source, secret, copy = (build_dataset_key("wh", name) for name in ("open.people", "secret.people", "open.copy"))
    app = AssetKey(AssetKind.CONSUMER, ("app",))
    hidden_app = AssetKey(AssetKind.CONSUMER, ("secret-app",))
    statements = [
        *(mesh.build_schema_statement(one, "ssn") for one in (source, secret, copy)),
        mesh.build_asset_statement(build_column_key(source, "ssn"), tags=["pii"]),
        *(
            mesh.build_run_statement(
                build_job_key("air", f"load {end.name}"),
                [start],
                end,
                mesh.build_flow(build_column_key(start, "ssn"), build_column_key(end, "ssn")),
            )
            for start, end in ((source, secret), (secret, copy))
        ),
        mesh.build_edge_statement(EdgeType.CONSUMES, app, build_column_key(copy, "ssn")),
        mesh.build_edge_statement(EdgeType.CONSUMES, hidden_app, build_column_key(secret, "ssn")),
    ]
    graph = mesh.build_graph(*statements)
    rules = AccessRules({}, (), (Rule(frozenset(), (Selector(SelectorKind.TAG, "secret"),), "rules:1"),))
    mesh.commit_statements(graph, mesh.build_asset_statement(secret, tags=["secret"]))
    executor = Executor(graph, Naming(), BOUNDS, access=Access(graph, lambda: rules))
    some, every = (ask(executor, VIOLATIONS, {}, actor)["data"] for actor in (READER, NO_AUTHENTICATION))
    assert "secret" not in str(some)
    assert "secret-app" in str(every)
    assert some["policyViolations"]["totalCount"] < every["policyViolations"]["totalCount"]
    counts = {one["id"]: one["violations"] for one in some["policies"]}
    assert sum(counts.values()) == some["policyViolations"]["totalCount"]
    (exposed,) = (one for one in some["policyViolations"]["nodes"] if one["policy"] == "pii-unmasked")
    assert exposed["text"].endswith(": app and wh/open.copy.ssn")
    assert [(step["name"], step["hidden"]) for step in exposed["path"]] == [
        ("wh/open.people.ssn", 0),
        ("wh/open.copy.ssn", 1),
        ("app", 0),
    ]
    graph.store.close()

"""What callers get who may see only some assets of reports that compare the whole mesh: changes over time, and conflicts of identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from meshline.api.graphql.execution import Executor
from meshline.app.access import Access
from meshline.app.access_rules import AccessRules, Action, Default, Rule
from meshline.app.tokens import NO_AUTHENTICATION
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Statement, build_column_key, build_dataset_key, build_job_key
from meshline.graph.naming import Naming
from meshline.graph.queries.selection import Selector, SelectorKind
from tests.api.test_two_worlds import BOUNDS, READER, ask
from tests.queries import mesh

DAY = 86_400 * mesh.SECOND
OPEN = (Rule(frozenset({"group:open-team"}), (Selector(SelectorKind.DOMAIN, "open"),), "rules:1"),)
HIDING = AccessRules({Action.READ: Default.NOTHING}, OPEN, ())
BROWSING = AccessRules({Action.BROWSE: Default.EVERYTHING, Action.READ: Default.NOTHING}, OPEN, ())
CHANGES = '{ changes(from: "2023-11-13T00:00:00Z", to: "2023-11-20T00:00:00Z", bucket: DAY) { at added removed moved times } }'
CONFLICTS = """{ identityConflicts { totalCount pageInfo { endCursor } nodes { kind similarity sources names { namespace name }
    datasets { name } sessionName { name } } } }"""


@contextmanager
def open_mesh(statements: Sequence[Statement], rules: AccessRules = HIDING) -> Iterator[Executor]:
    graph = mesh.build_graph(*statements)
    try:
        yield Executor(graph, Naming(), BOUNDS, access=Access(graph, lambda: rules))
    finally:
        graph.store.close()


def build_domain(*members: str) -> Statement:
    return mesh.build_asset_statement(AssetKey(AssetKind.DOMAIN, ("open",)), title="Open", members=list(members))


def load(job: str, start: AssetKey, end: AssetKey, at: int, *columns: str) -> Statement:
    flows = (mesh.build_flow(build_column_key(start, name), build_column_key(end, name)) for name in columns)
    return mesh.build_run_statement(build_job_key("air", job), [start], end, *flows, at=at, covered=bool(columns))


# -- changes


def build_history(word: str, *, more: bool = False) -> list[Statement]:
    """On the first day a flow between open datasets, on the second flows to and from a secret one, on the third all end."""
    raw, orders, secret = (build_dataset_key("wh", name) for name in ("open.raw", "open.orders", f"{word}.pay"))
    first, second, third = mesh.START, mesh.START + DAY, mesh.START + 2 * DAY
    flow = load("load", raw, orders, first, "a", "b")
    found = [build_domain("wh/open.*"), *(mesh.build_schema_statement(one, "a", "b", at=first) for one in (raw, orders)), flow]
    found += [load(f"{word}-in", orders, secret, second, "a"), load("out", secret, orders, second, "b")]
    found += [mesh.build_edge_statement(EdgeType.RENAMED_TO, secret, build_dataset_key("wh", f"{word}.pay2"), at=second)]
    if more:
        found += [load(f"{word}-more", secret, build_dataset_key("wh", f"{word}.more"), second, "a", "b")]
    return [*found, mesh.build_retraction(mesh.LINEAGE, flow.scope, third)]


def count(executor: Executor, actor: Any = READER) -> list[tuple[int, int, int, int]]:
    spans = ask(executor, CHANGES, {}, actor)["data"]["changes"]
    return [(one["added"], one["removed"], one["moved"], len(one["times"])) for one in spans if one["times"]]


def test_changes_are_those_between_visible_assets() -> None:
    with open_mesh(build_history("secret")) as executor:
        assert count(executor) == [(2, 0, 0, 1), (0, 2, 0, 1)]
        assert count(executor, NO_AUTHENTICATION)[1][0] > 0
    answers = []
    for word, more in (("secret", False), ("arcane", False), ("secret", True)):
        with open_mesh(build_history(word, more=more)) as executor:
            hidden = build_dataset_key("wh", f"{word}.pay").id
            around = CHANGES.replace("bucket: DAY", f'bucket: DAY, of: ["{hidden}"]')
            assert {one["added"] + one["removed"] + one["moved"] for one in ask(executor, around, {})["data"]["changes"]} == {0}
            answers.append(msgspec.json.encode(ask(executor, CHANGES, {})))
    assert len(set(answers)) == 1


def test_hidden_jobs_do_not_distinguish_changes() -> None:
    """Of assets that may be browsed: how many jobs connect them is not shown."""
    start, end = (build_dataset_key("wh", name) for name in ("secret.a", "secret.b"))
    diff = '{ lineageDiff(from: "2023-11-13T00:00:00Z", to: "2023-11-20T00:00:00Z") { totalAdded added { from { name } } } }'
    answers = []
    for jobs in (("one",), ("one", "two")):
        statements = [build_domain("wh/open.*"), *(load(job, start, end, mesh.START + 60 * mesh.SECOND) for job in jobs)]
        with open_mesh(statements, BROWSING) as executor:
            answers.append((count(executor), ask(executor, diff, {})))
            assert count(executor, NO_AUTHENTICATION)[0][0] == len(jobs)
    assert answers[0] == answers[1]
    assert answers[0][0] == [(1, 0, 0, 1)]


# -- conflicts


def build_tables(*names: tuple[str, str], columns: str = "id total day") -> list[Statement]:
    return [mesh.build_schema_statement(build_dataset_key(*name), *columns.split(), source="iceberg/lake") for name in names]


def list_conflicts(executor: Executor, actor: Any = READER) -> list[list[str]]:
    found = ask(executor, CONFLICTS, {}, actor)["data"]["identityConflicts"]
    assert found["totalCount"] == len(found["nodes"])
    return [[f"{name['namespace']}/{name['name']}" for name in one["names"]] for one in found["nodes"]]


def test_conflicts_are_between_visible_datasets() -> None:
    """Two open tables look like one, and so does a secret one."""
    statements = [build_domain("a/*", "b/*"), *build_tables(("a", "orders"), ("b", "orders"), ("c", "orders"))]
    with open_mesh(statements) as executor:
        assert list_conflicts(executor) == [["a/orders", "b/orders"]]
        assert len(list_conflicts(executor, NO_AUTHENTICATION)) == 3
    with open_mesh(statements, BROWSING) as executor:
        assert list_conflicts(executor) == [["a/orders", "b/orders"]], "columns of what may be browsed are hidden"


def test_what_is_hidden_decides_about_no_conflict() -> None:
    """Neither a crowd of hidden tables of the same name, which would not be compared each with each, nor hidden columns and flows."""
    tables = build_tables(("a", "orders"), ("b", "orders"), ("b", "days")) + build_tables(("c", "days"), columns="id total day hour")
    statements = [build_domain("a/*", "b/*", "c/*"), *tables]
    crowd = build_tables(*((f"s{number:02}", "orders") for number in range(20)), columns="secret id total day")
    flow = load("copy", build_dataset_key("a", "orders"), build_dataset_key("s01", "orders"), mesh.START, "id")
    answers = []
    for more in ([], [*crowd, flow]):
        with open_mesh([*more, *statements]) as executor:
            answers.append(msgspec.json.encode(ask(executor, CONFLICTS, {})))
            assert list_conflicts(executor) == [["a/orders", "b/orders"], ["b/days", "c/days"]]
    assert answers[0] == answers[1]


def test_hidden_columns_count_for_no_conflict() -> None:
    """Two tables differ in columns that the caller may not see: they are as alike as he sees them."""
    rules = HIDING._replace(restrictions=(Rule(frozenset(), (Selector(SelectorKind.TAG, "pii"),), "rules:2"),))
    tables = [*build_tables(("a", "orders"), columns="id total ssn"), *build_tables(("b", "orders"), columns="id total mail")]
    tagged = [
        mesh.build_asset_statement(build_column_key(build_dataset_key(*name), column), tags=["pii"])
        for name, column in ((("a", "orders"), "ssn"), (("b", "orders"), "mail"))
    ]
    with open_mesh([build_domain("a/*", "b/*"), *tables, *tagged], rules) as executor:
        assert list_conflicts(executor) == [["a/orders", "b/orders"]]
        assert list_conflicts(executor, NO_AUTHENTICATION) == []

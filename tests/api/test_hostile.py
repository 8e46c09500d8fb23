"""Requests that mean no good, or no sense."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from graphql import get_introspection_query

from meshline.api.graphql import Bounds, Executor
from meshline.graph.naming import Naming
from tests.api.conftest import AskGraph
from tests.queries import mesh

ID = mesh.EMAIL.id


def build_nested_query(levels: int) -> str:
    return f'{{ node(id: "{ID}") ' + "{ domain " * levels + "{ id }" + "}" * levels + "}"


def test_introspection_is_allowed(ask: AskGraph) -> None:
    types = ask(get_introspection_query(specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True))["__schema"][
        "types"
    ]
    assert {"Dataset", "Impact"} <= {type_["name"] for type_ in types}


@pytest.mark.parametrize(
    "query",
    [
        build_nested_query(30),
        build_nested_query(3000),
        "{" + " ".join(f"a{n}: about {{ version }}" for n in range(101)) + "}",
        "{ about { version } }" + " " * 10 + "# " + "x" * 10 + "\n" + "{ about { version } } " * 1000,
        "{ datasets(first: 1001) { nodes { id } } }",
        "{ datasets(first: 2147483647) { nodes { id } } }",
        '{ lineage(of: ["x"], limit: 100000) { nodes { distance } } }',
        "{ nodes(ids: [" + ",".join('"x"' for _ in range(1001)) + "]) { id } }",
    ],
)
def test_too_much(ask: AskGraph, query: str) -> None:
    codes = {error["extensions"]["code"] for error in ask.list_errors(query)}
    assert codes <= {"LIMIT_EXCEEDED", "GRAPHQL_INVALID", "NOT_FOUND"}
    assert codes != {"INTERNAL"}


def test_limits_have_their_code(ask: AskGraph) -> None:
    assert ask.get_error_code(build_nested_query(30)) == "LIMIT_EXCEEDED"
    assert ask.get_error_code("{ datasets(first: 1001) { nodes { id } } }") == "LIMIT_EXCEEDED"
    assert ask.get_error_code("{" + " ".join(f"a{n}: about {{ version }}" for n in range(101)) + "}") == "LIMIT_EXCEEDED"
    assert ask("{ datasets(first: 1000) { nodes { id } } }")


def test_tokens(ask: AskGraph) -> None:
    (error,) = ask.list_errors("{ about { " + "version " * 5000 + "} }")
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"


def test_fragments_of_fragments(ask: AskGraph) -> None:
    fragments = " ".join(f"fragment f{n} on Asset {{ a: domain {{ ...f{n + 1} }} b: domain {{ ...f{n + 1} }} }}" for n in range(50))
    began = time.process_time()
    errors = ask.list_errors(f'{{ node(id: "{ID}") {{ ...f0 }} }} {fragments} fragment f50 on Asset {{ id }}')
    assert {error["extensions"]["code"] for error in errors} <= {"LIMIT_EXCEEDED", "GRAPHQL_INVALID"}
    assert time.process_time() - began < 5


@pytest.mark.parametrize("cursor", ["", "x", "W10", "bm90IGpzb24", "W1tdLFtdLCIiXQ", "💥", "A" * 100_000, "W1sxXSxbMV0sImRzIl0="])
def test_bad_cursors(ask: AskGraph, cursor: str) -> None:
    (error,) = ask.list_errors("query($a: String) { datasets(after: $a) { nodes { id } } }", a=cursor)
    assert error["extensions"] == {"code": "INVALID_INPUT", "path": "after"}


@pytest.mark.parametrize("first", [-1, -(2**31)])
def test_bad_pages(ask: AskGraph, first: int) -> None:
    assert ask.get_error_code(f"{{ datasets(first: {first}) {{ nodes {{ id }} }} }}") == "INVALID_INPUT"


@pytest.mark.parametrize("asset", ["", "x", "ds_zz", "'; DROP TABLE heads; --", "ds_" + "0" * 32, "\x00", "../../etc/passwd", "x" * 50_000])
def test_bad_ids(ask: AskGraph, asset: str) -> None:
    assert ask("query($i: ID!) { node(id: $i) { id } }", i=asset) == {"node": None}
    for question in ("impact(of: [$i]) { total }", "lineage(of: [$i]) { ungrouped }", "ownedBy(owner: $i) { totalCount }"):
        assert ask.get_error_code(f"query($i: ID!) {{ {question} }}", i=asset) == "NOT_FOUND"


@pytest.mark.parametrize("text", ["' OR 1=1 --", '" OR *', "*", "%_%", "{}", "$id", "NEAR(", "\\", "\x00", "a" * 100_000, "💥 é ß"])
def test_texts_are_only_texts(ask: AskGraph, text: str) -> None:
    found = ask("query($t: String!) { search(text: $t) { totalCount } datasets(filter: {text: $t}) { totalCount } }", t=text)
    assert found["datasets"] == {"totalCount": 0}
    assert ask("query($t: String!) { dataset(namespace: $t, name: $t) { id } }", t=text) == {"dataset": None}
    assert len(ask("{ datasets { nodes { id } } }")["datasets"]["nodes"]) == 4


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("", {}),
        ("{", {}),
        ("{ nothing }", {}),
        ("query($a: DateTime) { impact(of: [], asOf: $a) { total } }", {"a": "yesterday"}),
        ('{ impact(of: [], asOf: "yesterday") { total } }', {}),
        ("query($k: AssetKind) { orphans(kinds: [$k]) { totalCount } }", {"k": "TABLE"}),
        ("query($n: Int) { orphans(first: $n) { totalCount } }", {"n": "many"}),
        ("subscription { about { version } }", {}),
        ("{ impact(of: []) { total } }", {}),
        (f'{{ impact(of: ["{ID}"], depth: -1) {{ total }} }}', {}),
    ],
)
def test_no_sense(ask: AskGraph, query: str, variables: dict[str, object]) -> None:
    for error in ask.list_errors(query, **variables):
        assert error["extensions"]["code"] in {"GRAPHQL_INVALID", "INVALID_INPUT"}, error
        assert "Traceback" not in error["message"]


def test_an_answer_has_a_size_and_a_time() -> None:
    graph = mesh.build_graph(*mesh.build_mesh())
    few = AskGraph(graph, Bounds(objects=5))
    assert few.get_error_code("{ datasets { nodes { columns { nodes { id } } } } }") == "LIMIT_EXCEEDED"
    assert few("{ domains { nodes { id } } }")
    hasty = AskGraph(graph, Bounds(seconds=0))
    assert hasty.get_error_code("{ datasets { nodes { id } } }") in {"LIMIT_EXCEEDED", "STORE_UNAVAILABLE"}
    graph.store.close()


def test_internal_errors_are_not_shown(ask: AskGraph, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def raise_error(*_: object) -> Any:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(ask.graph, "read_facts", raise_error)
    body = ask.graphql.execute(f'{{ node(id: "{ID}") {{ name description }} }}', request_id="r1").body
    assert body["data"] == {"node": {"name": "email", "description": None}}
    assert body["errors"][0]["extensions"] == {"code": "INTERNAL", "requestId": "r1"}
    assert "secret" not in str(body)
    assert "secret of the inside" in caplog.text


def test_the_past_is_read_before_the_graph_is_locked(ask: AskGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    open_past, locked = ask.graph.store.open_past, []

    def read(as_of: int) -> Any:
        if threading.current_thread().name == "meshline-past":
            free = ask.graph.lock.acquire(timeout=60)
            locked.append(not free)
            if free:
                ask.graph.lock.release()
        return open_past(as_of)

    monkeypatch.setattr(ask.graph.store, "open_past", read)
    times = ["2023-11-14T22:13:20Z", "2024-01-01T00:00:00Z"]
    past = " ".join(f'at{n}: impact(of: ["{ID}"], asOf: "{time}") {{ total }}' for n, time in enumerate(times))
    found = ask(
        f'{{ impact(of: ["{ID}"]) {{ total }} {past} lineageDiff(from: "{times[0]}", to: "2024-02-01T00:00:00Z") {{ totalAdded }} }}'
    )
    assert found["at1"] == found["impact"]
    assert locked == [False] * 3


def test_the_lock_is_free_afterwards(ask: AskGraph) -> None:
    ask.list_errors("{ impact(of: []) { total } }")
    ask("{ about { revision } }")
    graphql = Executor(ask.graph, Naming())
    assert graphql.execute("{ about { revision } }").executed
    assert ask.graph.lock.acquire(blocking=False)
    ask.graph.lock.release()

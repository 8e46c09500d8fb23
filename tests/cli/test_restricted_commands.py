"""The commands that ask a server answer a caller who may see only some assets, with what he may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.app.tokens import Role, Token, generate_token, hash_token
from tests.api.conftest import serve_application
from tests.cli.command import run_command

RULES = 'version: 1\ndefault: own\ngrants: [{who: "group:orders-engineering", on: "product:customer-profiles"}]\n'
QUESTIONS = [
    ("list",),
    ("list", "datasets"),
    ("list", "products", "--format", "csv"),
    ("list", "tags"),
    ("list", "namespaces"),
    ("show", "orders.customer_orders", "--facts"),
    ("coverage",),
    ("products",),
    ("products", "customer-orders"),
    ("products", "--affected-by", "orders.customer_orders"),
    ("consumers",),
    ("consumers", "customer-orders"),
    ("provenance", "orders.customer_orders"),
    ("lineage", "orders.customer_orders", "--format", "svg"),
    ("impact", "orders.customer_orders", "--group-by", "owner"),
    ("diff", "2026-03-01", "2026-03-09", "--limit", "1000"),
    ("diff", "2026-03-01", "2026-03-09", "--of", "orders.customer_orders"),
    ("runs", "orders.customer_orders"),
    ("quality", "--outcome", "passed"),
    ("schemas", "orders.customer_orders"),
]


@pytest.fixture(scope="module")
def server(example: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server with access rules, and the token of a caller of a team."""
    rules = tmp_path_factory.mktemp("rules") / "rules.yaml"
    rules.write_text(RULES)
    text = generate_token()
    token = Token(name="olga", role=Role.READER, hash=hash_token(text), groups=("orders-engineering",))
    with serve_application(lambda _url: {"store": example, "tokens": [token], "access": Path(rules)}) as url:
        yield url, text


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_an_answer_names_nothing_that_is_hidden(
    server: tuple[str, str], monkeypatch: pytest.MonkeyPatch, question: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MESHLINE_TOKEN", server[1])
    ran = run_command(*question, "--server", server[0])
    assert ran.code == 0, ran.err
    assert ran.out
    for hidden in ("customers.customers", "payments.receipts", "marketing.campaign_audience", "fraud-scoring"):
        assert hidden not in ran.out


def test_an_export_has_what_may_be_seen(server: tuple[str, str], monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    monkeypatch.setenv("MESHLINE_TOKEN", server[1])
    whole = run_command("export", "networkx", "--store", example).json
    part = run_command("export", "networkx", "--server", server[0])
    assert part.code == 0, part
    assert isinstance(whole["nodes"], list)
    assert isinstance(part.json["nodes"], list)
    assert isinstance(part.json["edges"], list)
    known: dict[Any, Any] = {node["id"]: node["attributes"] for node in whole["nodes"] if isinstance(node, dict)}
    shown: dict[Any, Any] = {node["id"]: node["attributes"] for node in part.json["nodes"] if isinstance(node, dict)}
    assert set(shown) < set(known)
    for id_, attributes in shown.items():  # without the texts that may name what is hidden
        assert {name: known[id_][name] for name in attributes} == attributes
    names = [node["qualified_name"] for node in part.json["nodes"] if isinstance(node, dict)]
    assert any("orders.customer_orders" in str(name) for name in names)
    ids = {node["id"] for node in part.json["nodes"] if isinstance(node, dict)}
    for edge in part.json["edges"]:
        assert isinstance(edge, dict)
        assert {edge["source"], edge["target"], edge.get("job", edge["source"])} <= ids
    for hidden in ("payments.receipts", "fraud-scoring"):
        assert hidden not in part.out
    refused = run_command("export", "openlineage", "--server", server[0])
    assert (refused.code, refused.out, "access rules" in refused.err) == (2, "", True)


def test_what_is_hidden_is_not_found_and_events_are_refused(server: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_TOKEN", server[1])
    for question in (
        ("show", "payments.receipts"),
        ("paths", "payments.receipts", "orders.customer_orders"),
        ("runs", "payments.receipts"),
    ):
        ran = run_command(*question, "--server", server[0])
        assert (ran.code, ran.out) == (2, "")
        assert "no asset is called" in ran.err
    refused = run_command("events", "--server", server[0])
    assert (refused.code, "access rules" in refused.err) == (2, True)

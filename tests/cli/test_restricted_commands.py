"""The commands that ask a server answer a caller who may see only some assets, with what he may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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

"""Contracts in two versions, or beside the graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.graph.content import EMPTY, decode_facts
from meshline.graph.contracts import Contract, Part, Version
from meshline.graph.model import build_dataset_key
from meshline.ingest.changes import GraphState, Proposal
from tests.ingest.changes.conftest import EXAMPLE, Ask

SPECIFIED = Path("contracts/customer_orders_v2.yaml")
STANDARD = Path("contracts/campaign_audience.odcs.yaml")
SHARED = build_dataset_key("trino://trino.internal", "delta.orders.customer_orders")

FULL = """\
dataContractSpecification: 1.1.0
id: full
info:
  title: T
  version: "1.0"
  status: active
  owner: o
servers:
  production: {type: trino, host: h, catalog: c, schema: s, roles: [{name: reader}]}
models:
  orders:
    fields:
      id: {type: string}
      address:
        type: record
        fields:
          zip: {type: string, quality: [{type: sql, description: zips are five digits}]}
      tags: {type: array, items: {type: string}}
    quality:
      - {type: sql, name: enough, query: "SELECT 1"}
servicelevels:
  freshness: {threshold: 1h}
  support:
    time: 9am
    responseTime: 1h
terms:
  usage: U
"""


def get_contract_versions(found: Proposal) -> tuple[Version[Contract] | None, Version[Contract] | None]:
    (pair,) = found.pairs
    assert all(one is None or isinstance(one.value, Contract) for one in pair)
    return pair  # type: ignore[return-value]


@pytest.mark.parametrize("path", [SPECIFIED, STANDARD])
def test_a_contract_beside_the_graph_is_no_change(ask: Ask, path: Path) -> None:
    before, after = get_contract_versions(ask("contract", path))
    assert before is not None
    assert after is not None
    assert before.value.models == after.value.models
    assert before.value.sla == after.value.sla
    assert before.value.owners == after.value.owners
    for model in after.value.models:
        assert before.datasets[model.name] == after.datasets[model.name]


def test_the_proposal_has_the_statements_of_the_source(ask: Ask) -> None:
    text = (EXAMPLE / SPECIFIED).read_text()
    ((source, entry),) = ask("contract", text.replace("      currency: { type: string, enum: [USD, EUR, GBP] }\n", "")).entries
    assert (source, entry.scope) == ("contract/mesh", ("contract", "customer-orders-contract-v2", "2.1.0"))
    assert "currency" not in str(decode_facts(entry.content.blob))
    ((source, entry),) = ask("contract", text.replace("version: 2.1.0", "version: 3.0.0")).entries
    assert (source, entry.scope) == ("contract/mesh", ("contract", "customer-orders-contract-v2", "3.0.0"))
    ((source, entry),) = ask("contract", FULL).entries
    assert source == "contract/check"
    ((source, entry),) = ask("contract", None, before=SPECIFIED).entries
    assert (source, entry.content) == ("contract/mesh", EMPTY)


def test_a_contract_that_is_new_or_gone(ask: Ask) -> None:
    before, after = get_contract_versions(ask("contract", FULL))
    assert before is None
    assert after is not None
    assert after.datasets == {"orders": (build_dataset_key("trino://h", "c.s.orders"),)}
    before, after = get_contract_versions(ask("contract", None, before=SPECIFIED))
    assert before is not None
    assert before.datasets["customer_orders"] == (SHARED,)
    assert after is None


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ((), 1),
        (("version",), 5),
        (("status",), 6),
        (("owner",), 7),
        (("server", "production"), 9),
        (("role", "reader"), 9),
        (("model", "orders"), 11),
        (("model", "orders", "field", "id"), 13),
        (("model", "orders", "field", "address"), 14),
        (("model", "orders", "field", "address.zip"), 17),
        (("model", "orders", "field", "tags.element"), 18),
        (("model", "orders", "field", "none"), 11),
        (("rule", "orders", "enough"), 20),
        (("slo", "freshness"), 22),
        (("slo", "support"), 24),
        (("slo", "support_response_time"), 25),
        (("terms",), 26),
        (("terms", "usage"), 26),
    ],
)
def test_parts_have_the_lines_of_the_document(ask: Ask, part: Part, line: int) -> None:
    _, after = get_contract_versions(ask("contract", FULL))
    assert after is not None
    assert after.find_line(part) == line


def test_lines_of_the_standard(ask: Ask) -> None:
    _, after = get_contract_versions(ask("contract", STANDARD))
    assert after is not None
    lines = (EXAMPLE / STANDARD).read_text().splitlines()
    parts: dict[Part, str] = {
        ("model", "campaign_audience", "field", "email"): "name: email",
        ("model", "campaign_audience"): "name: campaign_audience",
        ("slo", "retention", "campaign_audience.email"): "property: retention",
        ("role", "campaign_mailer"): "role: campaign_mailer",
        ("server", "lake"): "server: lake",
        ("owner",): "team:",
        ("version",): "version: 1.0.0",
    }
    for part, text in parts.items():
        assert text in lines[after.find_line(part) - 1], part


def test_all_errors_are_reported_at_once(ask: Ask) -> None:
    bad = FULL.replace("type: record", "type: [1]").replace('version: "1.0"', "").replace("id: full", "id:")
    with pytest.raises(InvalidInput) as raised:
        ask("contract", bad, file="c.yaml")
    assert len(str(raised.value).splitlines()) >= 2
    assert all(line.startswith("c.yaml:") for line in str(raised.value).splitlines())


def test_two_ids_are_two_versions_with_a_warning(ask: Ask) -> None:
    found = ask("contract", FULL.replace("id: full", "id: full-v2"), before=FULL)
    assert "the ids differ (full, full-v2)" in found.warnings[-1]
    assert len(found.pairs) == 1


def test_a_model_that_is_bound_to_no_dataset_is_reported(ask: Ask) -> None:
    without = FULL[: FULL.index("servers:")] + FULL[FULL.index("models:") :]
    assert "new: the contract has no servers, so it is bound to no dataset" in ask("contract", without).warnings


def test_the_graph_knows_versions_by_their_ids(known: GraphState) -> None:
    assert known.find_contract("none") is None
    found = known.find_contract("customer-orders-contract-v2")
    assert found is not None
    assert (found.value.version, found.file) == ("2.1.0", "")

"""The mesh file in two versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.graph.content import EMPTY
from meshline.graph.contracts import Contract, Product
from meshline.graph.model import build_dataset_key
from tests.ingest.changes.conftest import Ask
from tests.ingest.changes.proposals import CUSTOMERS, LAKE

MESH = """\
version: 1
source: small
namespaces: {lake: "http://iceberg-rest.internal:8181"}
domains:
  - {name: shop}
teams:
  - {name: sellers, email: sellers@example.org}
products:
  - name: clients
    domain: shop
    owner: sellers@example.org
    slo: {freshness: 1h}
    output_ports:
      - {dataset: lake/customers.customers, type: table}
      - {dataset: lake/customers.customer_profiles, type: table}
contracts:
  - {id: clients-v1, owner: sellers, dataset: lake/customers.customers, version: 1.0.0}
"""


def test_the_same_again_is_nothing(ask: Ask) -> None:
    found = ask("mesh", f"# a remark\n{MESH}", before=MESH)
    assert (found.pairs, found.entries) == ((), ())
    assert ask("mesh", Path("mesh.yaml"), before=Path("mesh.yaml")).pairs == ()


def test_a_port_that_is_gone(ask: Ask) -> None:
    found = ask("mesh", MESH.replace("      - {dataset: lake/customers.customers, type: table}\n", ""), before=MESH, file="mesh.yaml")
    ((before, after),) = found.pairs
    assert before is not None
    assert after is not None
    assert isinstance(after.value, Product)
    assert before.datasets[f"output/{LAKE}/customers.customers"] == (CUSTOMERS,)
    assert after.datasets == {f"output/{LAKE}/customers.customer_profiles": (build_dataset_key(LAKE, "customers.customer_profiles"),)}
    assert [party.name for party in after.value.owners] == ["sellers"]
    assert after.find_line(("port", "output", "x")) == 9
    assert [(source, entry.scope) for source, entry in found.entries] == [("mesh/small", ("mesh", "product", "clients"))]


def test_a_contract_that_changes_and_one_that_goes(ask: Ask) -> None:
    ((before, after),) = ask("mesh", MESH.replace("1.0.0", "2.0.0"), before=MESH).pairs
    assert before is not None
    assert after is not None
    assert isinstance(after.value, Contract)
    assert (after.value.version, after.datasets) == ("2.0.0", {"": (CUSTOMERS,)})
    found = ask("mesh", MESH[: MESH.index("contracts:")], before=MESH)
    ((before, after),) = found.pairs
    assert after is None
    assert found.entries[0][1].content == EMPTY


def test_checks_of_a_file_remain_when_their_entry_is_removed(ask: Ask) -> None:
    entry = "  - {id: customer-orders-contract-v2, dataset: lake/orders.customer_orders}\n"
    found = ask("mesh", MESH, before=MESH + entry)
    assert found.pairs == ()
    assert len(found.entries) == 1


def test_a_person_that_is_gone_is_for_policies(ask: Ask) -> None:
    found = ask("mesh", MESH.replace("teams:\n  - {name: sellers, email: sellers@example.org}\n", ""), before=MESH)
    assert ("mesh", "team", "sellers") in [entry.scope for _, entry in found.entries]


def test_all_errors_are_reported(ask: Ask) -> None:
    with pytest.raises(InvalidInput) as raised:
        ask("mesh", MESH.replace("name: shop", "nam: shop").replace("id: clients-v1", "idd: x"), file="mesh.yaml")
    assert "mesh.yaml:5" in str(raised.value)
    assert "mesh.yaml:17" in str(raised.value)

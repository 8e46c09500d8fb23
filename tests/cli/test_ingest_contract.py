"""`meshline ingest contract` and `meshline ingest product` as a person runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.command import run_command

CORPUS = os.environ.get("MESHLINE_CORPUS")

MESH = """\
version: 1
teams:
  - {name: finance-analytics, email: finance-analytics@company.com}
  - {name: orders-engineering, email: orders-engineering@company.com}
catalogs:
  - {names: trino://trino.internal/delta, also: [trino://data-platform.internal]}
"""


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: the seeds' files cannot be read")
def test_the_seeds_files_state_which_consumers_a_change_affects(tmp_path: Path) -> None:
    assert CORPUS
    seeds, store = Path(CORPUS) / "seeds", f"sqlite:///{tmp_path}/mesh.db"
    (tmp_path / "mesh.yaml").write_text(MESH, encoding="utf-8")
    assert run_command("ingest", "mesh", tmp_path / "mesh.yaml", "--store", store).code == 0
    contract = run_command("ingest", "contract", seeds / "customer_orders_contract_v2.yaml", "--store", store)
    assert (contract.code, contract.err) == (
        0,
        "contract/default: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 0 refused\n",
    )
    product = run_command("ingest", "product", seeds / "data-product-spec.yaml", "--store", store)
    assert product.code == 0
    assert product.err.count("the port is bound to no known dataset") == 2
    assert product.err.endswith("product/default: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 0 refused\n")

    impact = run_command("impact", "customer_orders.total_amount", "--store", store).out
    assert "consumer of finance-analytics" in impact
    assert "customer-orders-contract-v2" in impact
    (row,) = [line for line in impact.splitlines() if line.strip().startswith("orders-engineering ")]
    assert row.split()[1:] == ["direct", "orders-engineering@company.com", "customer-orders,", "customer-orders-contract-v2"]

    again = run_command("ingest", "contract", seeds / "customer_orders_contract_v2.yaml", "--store", store)
    assert again.err == "contract/default: 1 of 1 statements read, 1 unchanged, 0 new, 0 changed, 0 retracted, 0 refused\n"


@pytest.mark.parametrize(
    ("kind", "good"), [("contract", "dataContractSpecification: 1.2.0\nid: a\ninfo: {version: 1.0.0}\n"), ("product", "name: p\nslo: {}\n")]
)
def test_bad_files_are_refused_one_by_one(tmp_path: Path, kind: str, good: str) -> None:
    store = f"sqlite:///{tmp_path}/mesh.db"
    (tmp_path / "good.yaml").write_text(good, encoding="utf-8")
    (tmp_path / "bad.yaml").write_text("x: [\n", encoding="utf-8")
    strict = run_command("ingest", kind, f"{tmp_path}/*.yaml", "--strict", "--store", store)
    assert (strict.code, strict.err.count("bad.yaml:2: this is not YAML")) == (1, 1)
    done = run_command("ingest", kind, f"{tmp_path}/*.yaml", "--store", store)
    assert done.code == 1
    assert done.err.count("bad.yaml:2: this is not YAML") == 1
    assert done.err.endswith(f"{kind}/default: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 1 refused\n")


def test_files_named_one_after_the_other_stay_side_by_side_unless_they_are_all(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mesh.db"
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\nslo: {{}}\n", encoding="utf-8")
        assert run_command("ingest", "product", tmp_path / f"{name}.yaml", "--store", store).code == 0
    done = run_command("ingest", "product", tmp_path / "b.yaml", "--complete", "--store", store)
    assert done.err == "product/default: 1 of 1 statements read, 1 unchanged, 0 new, 0 changed, 1 retracted, 0 refused\n"

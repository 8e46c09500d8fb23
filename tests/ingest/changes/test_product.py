"""Product specifications as they are proposed."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.governance.diff.product_diff import compare_products
from meshline.graph.content import EMPTY, decode_facts
from meshline.graph.contracts import Pair, Product, build_port_names
from meshline.graph.model import EdgeType, build_data_product_key, build_dataset_key
from meshline.ingest.changes import Proposal
from tests.ingest.changes.conftest import EXAMPLE, Ask

FILE = Path("products/customer-orders.yaml")
SPEC = (EXAMPLE / FILE).read_text()


def get_pair(found: Proposal) -> Pair[Product]:
    (pair,) = found.pairs
    assert all(one is None or isinstance(one.value, Product) for one in pair)
    return pair  # type: ignore[return-value]


def list_rules(found: Proposal) -> list[tuple[str, object, object]]:
    return [(change.rule, change.before, change.after) for change in compare_products(get_pair(found))]


def test_one_version_is_compared_with_what_the_graph_knows(ask: Ask) -> None:
    assert list_rules(ask("product", FILE)) == []
    assert "freshness: 1h" in SPEC
    assert list_rules(ask("product", SPEC.replace("freshness: 1h", "freshness: 30min"))) == [("slo-tightened", "1h", "30min")]


def test_ports_are_datasets_and_have_lines(ask: Ask) -> None:
    before, after = get_pair(ask("product", FILE, before=FILE))
    assert before is not None
    assert after is not None
    assert before.datasets == after.datasets
    names = zip(after.value.ports, build_port_names(after.value.ports), strict=True)
    assert list(after.datasets) == [f"{port.direction}/{name}" for port, name in names]
    assert after.datasets["output/kafka://kafka.internal/shop.cdc.orders"] == (
        build_dataset_key("kafka://kafka.internal", "shop.cdc.orders"),
    )
    lines = SPEC.splitlines()
    assert "freshness" in lines[after.find_line(("slo", "freshness")) - 1]
    assert "output_ports" in lines[after.find_line(("port", *next(iter(after.datasets)).split("/", 1))) - 2]
    assert lines[after.find_line(("owner",)) - 1].startswith("owner")


def test_the_proposal_has_the_statements_of_the_source(ask: Ask) -> None:
    """The source that states it now, so that the proposal replaces its statement."""
    [(source, entry)] = ask("product", SPEC.replace("domain: orders", "domain: sales")).entries
    assert (source, entry.scope) == ("product/mesh", ("product", "customer-orders"))
    edges = decode_facts(entry.content.blob).edges
    assert {edge.end.name for edge in edges if edge.type is EdgeType.PART_OF} == {"sales"}
    [(source, entry)] = ask("product", None, before=FILE).entries
    assert (source, entry.content) == ("product/mesh", EMPTY)


def test_a_new_product_is_stated_by_the_check(ask: Ask) -> None:
    found = ask("product", "name: fresh\nslo: {freshness: 1h}\n")
    assert get_pair(found).before is None
    assert [(source, entry.scope) for source, entry in found.entries] == [("product/check", ("product", "fresh"))]


def test_another_name_is_another_product(ask: Ask) -> None:
    found = ask("product", SPEC.replace("name: customer-orders", "name: orders-of-customers"), before=FILE)
    names = [[one.value.name if one is not None and isinstance(one.value, Product) else None for one in pair] for pair in found.pairs]
    assert names == [["customer-orders", None], [None, "orders-of-customers"]]
    assert [entry.scope[1] for _, entry in found.entries] == ["orders-of-customers", "customer-orders"]


def test_all_errors_are_reported_at_once(ask: Ask) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask("product", "name: [1]\nslo: 3\noutput_ports: x\n", before="name: 7\nslo: {freshness: [1]}\n")
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == ["old:2", "new:1", "new:2", "new:3"]


def test_a_port_that_is_bound_to_no_dataset_is_reported(ask: Ask) -> None:
    found = ask("product", "name: fresh\noutput_ports:\n  - endpoint: nowhere.at.all\n")
    [warning] = found.warnings
    assert warning.startswith("new:3: the port is bound to no known dataset")
    [change] = compare_products(get_pair(found))
    assert (change.rule, change.assets[0]) == ("product-added", build_data_product_key("fresh"))

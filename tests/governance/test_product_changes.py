"""Ports of a product: which is which, whatever their order."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from meshline.governance.changes import Change
from meshline.governance.diff.product_diff import compare_products
from meshline.graph.contracts import Pair, PortSpec, Product, Version, build_port_names
from meshline.graph.model import build_column_key, build_data_product_key, build_dataset_key

KEPT = (
    PortSpec("output", type="sql", endpoint="trino://t/orders/daily"),
    PortSpec("output", type="sql", endpoint="trino://t/orders/hourly"),
    PortSpec("output", name="events", type="stream", contract="orders-v2", version="1.0"),
    PortSpec("output", name="events", type="stream", contract="orders-v3", version="2.0"),
    PortSpec("input", endpoint="db.public.orders"),
)


def build_version(*ports: PortSpec, pii: tuple[str, ...] = ()) -> Version[Product]:
    product = Product("orders", version="1.0", ports=ports, pii_columns=pii)
    names = (f"{port.direction}/{name}" for port, name in zip(ports, build_port_names(ports), strict=True))
    datasets = {name: (build_dataset_key("wh", port.endpoint or port.contract),) for name, port in zip(names, ports, strict=True)}
    return Version(product, datasets)


def compare_ports(before: tuple[PortSpec, ...], after: tuple[PortSpec, ...]) -> list[Change]:
    return compare_products(Pair(build_version(*before), build_version(*after)))


def move_port(port: PortSpec, endpoint: str) -> PortSpec:
    return PortSpec(port.direction, type=port.type, endpoint=endpoint)


@given(st.permutations(KEPT), st.permutations(KEPT))
def test_their_order_does_not_matter(before: list[PortSpec], after: list[PortSpec]) -> None:
    assert compare_ports(tuple(before), tuple(after)) == []
    assert sorted(build_port_names(before)) == sorted(build_port_names(after))


@given(st.randoms(use_true_random=False))
def test_an_edited_endpoint_is_one_change_with_one_fingerprint(random: Random) -> None:
    after = [move_port(KEPT[0], "trino://t/orders/daily_v2"), *KEPT[1:]]
    before = list(KEPT)
    random.shuffle(before)
    random.shuffle(after)
    [change] = compare_ports(tuple(before), tuple(after))
    assert (change.rule, change.before, change.after) == ("output-port-changed", "trino://t/orders/daily", "trino://t/orders/daily_v2")
    assert change.assets == (build_dataset_key("wh", "trino://t/orders/daily"),)
    [alone] = compare_ports(KEPT[:1], (move_port(KEPT[0], "trino://t/orders/daily_v2"),))
    assert alone.fingerprint == change.fingerprint


def test_two_ports_of_a_type_are_distinguished_by_their_attributes() -> None:
    after = (move_port(KEPT[1], "trino://t/sales/hourly"), move_port(KEPT[0], "trino://t/sales/daily"))
    found = {(change.before, change.after) for change in compare_ports(KEPT[:2], after)}
    assert found == {("trino://t/orders/daily", "trino://t/sales/daily"), ("trino://t/orders/hourly", "trino://t/sales/hourly")}


def test_another_type_is_another_port() -> None:
    after = (PortSpec("output", type="api", endpoint="https://orders"), *KEPT[1:])
    assert [change.rule for change in compare_ports(KEPT, after)] == ["output-port-removed", "output-port-added"]


def test_other_words_for_the_same_dataset_are_no_change() -> None:
    port = PortSpec("output", name="daily", type="sql", endpoint="trino://t/orders/daily")
    other = PortSpec("output", name="daily", type="sql", endpoint="warehouse/orders.daily")
    same = {"output/daily": (build_dataset_key("wh", "orders.daily"),)}
    before, after = (Version(Product("orders", ports=(one,)), same) for one in (port, other))
    assert compare_products(Pair(before, after)) == []
    elsewhere = after._replace(datasets={"output/daily": (build_dataset_key("wh", "sales.daily"),)})
    assert [change.rule for change in compare_products(Pair(before, elsewhere))] == ["output-port-changed"]


def test_an_input_port_changes_the_product_and_names_what_it_reads() -> None:
    [change] = compare_ports(KEPT, (*KEPT, PortSpec("input", endpoint="db.public.parcels")))
    assert (change.rule, change.assets) == ("input-port-added", (build_data_product_key("orders"),))
    assert change.details["datasets"] == ["wh/db.public.parcels"]


def test_personal_columns_are_those_of_the_output_ports() -> None:
    [change] = compare_products(Pair(build_version(*KEPT[:2], KEPT[4]), build_version(*KEPT[:2], KEPT[4], pii=("email",))))
    of = [build_dataset_key("wh", port.endpoint) for port in KEPT[:2]]
    assert (change.rule, change.assets) == ("classification-raised", tuple(build_column_key(one, "email") for one in of))


def test_a_removed_product_affects_the_datasets_of_its_ports() -> None:
    [change] = compare_products(Pair(build_version(*KEPT[:1]), None))
    assert (change.rule, change.assets) == (
        "product-removed",
        (build_data_product_key("orders"), build_dataset_key("wh", "trino://t/orders/daily")),
    )

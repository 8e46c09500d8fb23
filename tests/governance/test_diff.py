"""A change besides its rule: the assets that it changes, the consumers that it binds, its place in the file; which parts are the same."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from meshline.governance.changes import Change
from meshline.governance.diff import compare_versions
from meshline.graph.contracts import Contract, Definition, Field, Level, Model, Pair, Party, Role, Rule, Server, Version, build_level
from meshline.graph.model import AssetKey, AssetKind, build_column_key, build_consumer_key, build_contract_key, build_dataset_key

ORDERS, LINES, LAKE = build_dataset_key("pg", "shop.orders"), build_dataset_key("pg", "shop.lines"), build_dataset_key("lake", "orders")
ADDRESS = (Field("address", type="struct"), Field("address.city", type="string"), Field("address.zip", type="string"))
BASE = Contract(
    "orders",
    version="1.0",
    models=(
        Model("orders", fields=(Field("id", id="1", type="int"), Field("mail", physical_name="email_address", type="string"), *ADDRESS)),
        Model("lines", fields=(Field("id", type="int"),)),
    ),
    sla=(
        build_level("freshness", "1h", element="orders.id"),
        build_level("retention", "P1Y", element="orders, lines"),
        build_level("availability", "99%"),
    ),
    roles=(Role("reader", access="read", server="prod"),),
    servers=(Server("prod", "postgres", settings={"host": "db"}),),
    owners=(Party("ann"),),
    consumers=("finance",),
)
KEYS = {"orders": (ORDERS, LAKE), "lines": (LINES,)}
WHOLE = {(): 1, ("model", "orders"): 10, ("model", "orders", "field", "mail"): 12, ("slo", "freshness"): 30}


def compare_contracts(after: Contract, before: Contract = BASE) -> list[Change]:
    return compare_versions(Pair(Version(before, KEYS, "old.yaml", WHOLE), Version(after, KEYS, "new.yaml", WHOLE)))


def build_contract(*fields: Field) -> Contract:
    return replace(BASE, models=(replace(BASE.models[0], fields=fields), BASE.models[1]))


def get_only(found: list[Change]) -> Change:
    (one,) = found
    return one


def test_a_field_is_its_column_in_each_dataset() -> None:
    fields = list(BASE.models[0].fields)
    fields[1] = replace(fields[1], type="int")
    found = get_only(compare_contracts(build_contract(*fields)))
    assert (found.rule, found.before, found.after) == ("type-changed", "string", "int")
    assert found.assets == (build_column_key(ORDERS, "email_address"), build_column_key(LAKE, "email_address"))
    assert found.consumers == (build_consumer_key("finance"),)
    assert found.details["field"] == "orders.email_address"
    assert (found.file, found.line) == ("new.yaml", 12)


def test_a_removed_field_is_placed_at_the_model_that_contained_it() -> None:
    found = get_only(compare_contracts(build_contract(*BASE.models[0].fields[1:])))
    assert (found.rule, found.file, found.line) == ("column-removed", "new.yaml", 10)


def test_a_struct_goes_with_what_is_in_it() -> None:
    found = get_only(compare_contracts(build_contract(*BASE.models[0].fields[:2])))
    assert found.subject.part == ("model", "orders", "field", "address")
    assert {key.name for key in found.assets} == {"address", "address.city", "address.zip"}


def test_a_renamed_struct_is_one_change() -> None:
    """By its id; what is in it goes with it, and is compared under the new name."""
    named = {"address": "place", "address.city": "place.town", "address.zip": "place.zip"}
    before = build_contract(*BASE.models[0].fields[:2], *(replace(one, id=f"a{i}") for i, one in enumerate(ADDRESS)))
    after = build_contract(*BASE.models[0].fields[:2], *(replace(one, id=f"a{i}", name=named[one.name]) for i, one in enumerate(ADDRESS)))
    found = compare_contracts(after, before)
    assert [(one.rule, one.before, one.after) for one in found] == [
        ("column-renamed", "address", "place"),
        ("column-renamed", "address.city", "place.town"),
    ]
    assert {key.name for key in found[0].assets} == {"address", "address.city", "address.zip"}


def test_two_ids_are_two_columns() -> None:
    fields = (replace(BASE.models[0].fields[0], id="7"), *BASE.models[0].fields[1:])
    assert sorted(one.rule for one in compare_contracts(build_contract(*fields))) == ["column-added", "column-removed"]


def test_names_that_differ_in_case_only() -> None:
    fields = [replace(one, name=one.name.upper(), id="") for one in BASE.models[0].fields]
    assert compare_contracts(build_contract(*fields)) == []
    twice = build_contract(*BASE.models[0].fields[1:], Field("ID", type="int"), Field("Id", type="int"))
    assert sorted(one.rule for one in compare_contracts(twice)) == ["column-added", "column-added", "column-removed"]


def test_service_levels_affect_the_assets_that_they_name() -> None:
    after = replace(
        BASE, sla=(build_level("freshness", "2h", element="orders.id"), build_level("retention", "P6M", element="lines, orders"))
    )
    found = {(one.rule, *one.subject.part): one.assets for one in compare_contracts(after)}
    assert found == {
        ("slo-loosened", "slo", "freshness", "orders.id"): (build_column_key(ORDERS, "id"), build_column_key(LAKE, "id")),
        ("retention-shortened", "slo", "retention", "orders"): (ORDERS, LAKE),
        ("retention-shortened", "slo", "retention", "lines"): (LINES,),
        ("slo-removed", "slo", "availability"): (ORDERS, LAKE, LINES),
    }


def test_a_change_of_the_contract_itself_affects_the_contract() -> None:
    found = get_only(compare_contracts(replace(BASE, owners=(Party("bob"),))))
    assert (found.rule, found.before, found.after, found.assets) == ("owner-changed", "ann", "bob", (build_contract_key("orders"),))


def test_a_changed_location_affects_the_dataset_at_the_old_location() -> None:
    moved = replace(BASE, servers=(Server("prod", "postgres", settings={"host": "db2"}),))
    keys = {"orders": (LAKE,), "lines": (LINES,)}
    found = get_only(compare_versions(Pair(Version(BASE, KEYS), Version(moved, keys))))
    assert (found.rule, found.before, found.after, found.assets) == ("location-changed", "host=db", "host=db2", (ORDERS,))


def test_a_removed_consumer_is_notified() -> None:
    found = get_only(compare_contracts(replace(BASE, consumers=())))
    assert (found.rule, found.consumers) == ("consumer-removed", (build_consumer_key("finance"),))


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        ("active", "retired", ["contract-ended"]),
        ("draft", "retired", []),
        ("", "deprecated", ["deprecated"]),
        ("active", "draft", ["contract-ended"]),
    ],
)
def test_status(before: str, after: str, rules: list[str]) -> None:
    assert [one.rule for one in compare_contracts(replace(BASE, status=after), replace(BASE, status=before))] == rules


def test_rules_of_quality_go_with_their_renamed_model() -> None:
    rule = Rule("sql", model="orders", field="mail", name="filled", query="SELECT 1")
    before = replace(BASE, models=tuple(replace(one, id=one.name) for one in BASE.models), quality_rules=(rule,))
    after = replace(
        before,
        models=(replace(before.models[0], name="sales"), before.models[1]),
        quality_rules=(replace(rule, model="sales", query="SELECT 2"),),
    )
    assert [one.rule for one in compare_contracts(after, before)] == ["table-renamed", "quality-rule-changed"]


# -- tables


def build_table(*fields: Field, name: str = "shop.orders", **attributes: object) -> Version[Definition]:
    return Version(Definition(Model(name, fields=fields), **attributes), {"": (ORDERS,)}, "t.json", {("field", "a"): 3})  # type: ignore[arg-type]


A, B = Field("a", type="int", required=True), Field("b", type="string")


def list_rules(before: Version[Definition] | None, after: Version[Definition] | None) -> list[tuple[str, object, object]]:
    return [(one.rule, one.before, one.after) for one in compare_versions(Pair(before, after))]


def test_a_table_comes_and_goes() -> None:
    added, gone = (get_only(compare_versions(Pair(*pair))) for pair in ((None, build_table(A)), (build_table(A), None)))
    assert (added.rule, added.assets) == ("table-added", (ORDERS,))
    assert (gone.rule, gone.assets, gone.subject.name) == ("table-removed", (ORDERS,), "pg/shop.orders")
    assert compare_versions(Pair(None, None)) == []


def test_what_a_table_does_not_state_is_not_known() -> None:
    assert list_rules(build_table(replace(B, required=None)), build_table(replace(B, required=True))) == [("column-required", None, None)]
    assert list_rules(build_table(replace(B, required=None)), build_table(replace(B, required=False))) == [("column-nullable", None, None)]
    assert list_rules(build_table(A), build_table(replace(A, type=""))) == []
    assert list_rules(build_table(replace(A, type="")), build_table(A)) == [("type-specified", None, "int")]


def test_nested_types_are_compared_by_their_parts() -> None:
    before = build_table(Field("a", type="struct<1: x: required int, 2: y: optional list<string>>"), format="iceberg")
    after = build_table(Field("a", type="struct<1: z: required long, 2: y: optional list<int>, 3: w: optional date>"), format="iceberg")
    assert sorted(list_rules(before, after), key=str) == [
        ("column-added", None, "date"),
        ("column-renamed", "a.x", "a.z"),
        ("type-changed", "string", "int"),
        ("type-promoted", "int", "long"),
    ]


def test_a_field_that_becomes_a_struct_is_one_change() -> None:
    assert list_rules(build_table(B), build_table(replace(B, type="struct<x:int>"))) == [("type-changed", "string", "struct")]


def test_how_a_table_is_stored() -> None:
    assert list_rules(build_table(A, kind="table"), build_table(A, kind="view")) == [("materialization-changed", "table", "view")]
    assert list_rules(
        build_table(A, partitioning=("days(a)",), format="iceberg"), build_table(A, partitioning=("hours( a )",), format="iceberg")
    ) == [("hidden-partitioning-changed", "days(a)", "hours(a)")]
    assert list_rules(build_table(A, partitioning=("A",), format="delta"), build_table(A, partitioning=("a",), format="delta")) == []
    assert list_rules(build_table(A, partitioning=("a",), format="delta"), build_table(A, format="delta")) == [
        ("partitioning-changed", "a", None)
    ]


def test_access_and_owner_of_a_table() -> None:
    assert list_rules(build_table(A, access="public"), build_table(A, access="private")) == [("access-narrowed", "public", "private")]
    assert list_rules(build_table(A, access="private"), build_table(A, access="protected")) == [("access-widened", "private", "protected")]
    assert list_rules(build_table(A, owner="ann"), build_table(A, owner="")) == [("owner-removed", "ann", None)]
    assert list_rules(build_table(A), build_table(A, deprecated=True)) == [("table-deprecated", None, None)]


def test_a_renamed_table() -> None:
    assert list_rules(build_table(A), build_table(A, name="shop.sales")) == [("table-renamed", "shop.orders", "shop.sales")]
    assert list_rules(build_table(A, format="snowflake"), build_table(A, name="SHOP.orders", format="snowflake")) == []
    assert list_rules(build_table(A, format="avro"), build_table(A, name="SHOP.orders", format="avro")) == [
        ("table-renamed", "shop.orders", "SHOP.orders")
    ]


def test_a_column_that_moves_with_another_in_front() -> None:
    moved = get_only(compare_versions(Pair(build_table(A, B, Field("c")), build_table(Field("c"), A, B))))
    assert (moved.rule, moved.assets, moved.details["position"], moved.details["new_position"]) == (
        "column-moved",
        (build_column_key(ORDERS, "c"),),
        3,
        1,
    )


# -- levels

LEVELS = [
    ("freshness", "1h", "30min", "slo-tightened"),
    ("freshness", "1h", "60 minutes", None),
    ("freshness", "99%", "99.9%", "slo-tightened"),
    ("responseTime", "PT4H", "PT8H", "slo-loosened"),
    ("support_response_time", "4h", "2h", "slo-tightened"),
    ("frequency", "daily", "hourly", "slo-tightened"),
    ("error_rate", "0.1%", "0.2%", "slo-loosened"),
    ("availability", "99.9%", "99.95 %", "slo-tightened"),
    ("throughput", "100 rows/s", "50 rows/s", "slo-loosened"),
    ("throughput", "100 rows/s", "50 MB/s", "slo-changed"),
    ("endOfSupport", "2027-01-31", "2028-01-31", "slo-tightened"),
    ("generalAvailability", "2026-01-31", "2026-03-01", "slo-loosened"),
    ("retention", "unlimited", "P7Y", "retention-shortened"),
    ("retention", "365 days", "1y", None),
    ("support", "9am to 5pm", "8am to 5pm", "slo-changed"),
    ("happiness", "1", "2", "slo-changed"),
    ("happiness", ">= 1", ">= 2", "slo-tightened"),
]


@pytest.mark.parametrize(("name", "before", "after", "rule"), LEVELS)
def test_level(name: str, before: str, after: str, rule: str | None) -> None:
    def build_level_contract(text: str) -> Contract:
        return Contract("x", sla=(build_level(name, text),))

    assert [one.rule for one in compare_contracts(build_level_contract(after), build_level_contract(before))] == ([rule] if rule else [])


def test_levels_of_drivers_and_elements() -> None:
    def build_levels(*levels: Level) -> Contract:
        return Contract("x", sla=levels)

    def find_rules(before: Contract, after: Contract) -> list[str]:
        return [one.rule for one in compare_contracts(after, before)]

    legal, shorter = build_level("retention", "7y", driver="regulatory"), build_level("retention", "6y", driver="regulatory")
    daily = build_level("retention", "1y", driver="operational")
    assert find_rules(build_levels(legal, daily), build_levels(daily, shorter)) == ["retention-shortened"]
    assert find_rules(build_levels(build_level("freshness", "1h", element="orders")), build_levels(build_level("freshness", "1h"))) == [
        "slo-added"
    ]
    assert find_rules(
        build_levels(build_level("freshness", "1h", element="a, b")), build_levels(build_level("freshness", "1h", element="a"))
    ) == ["slo-removed"]


def test_keys_are_of_the_graph() -> None:
    """Every key that a change names is one that the graph makes of its kind."""
    found = compare_contracts(replace(build_contract(), sla=(), roles=(), owners=(), consumers=()))
    kinds: set[AssetKind] = {key.kind for one in found for key in one.assets}
    assert kinds == {AssetKind.COLUMN, AssetKind.DATASET, AssetKind.CONTRACT}
    assert all(isinstance(key, AssetKey) for one in found for key in (*one.assets, *one.consumers))


def test_adding_a_length_and_leaving_it_out_are_different_changes() -> None:
    before, after = (Contract("x", models=(Model("t", fields=(Field("a", type=text),)),)) for text in ("decimal(18,2)", "decimal"))
    assert [one.rule for one in compare_contracts(after, before)] == ["type-widened"]
    assert [one.rule for one in compare_contracts(before, after)] == ["type-specified"]


def test_bounds_that_change_alike_are_two_changes() -> None:
    old, new = (Contract("x", models=(Model("t", fields=(Field("a", minimum=n, min_length=n),)),)) for n in (1, 2))
    found = compare_contracts(new, old)
    assert [one.rule for one in found] == ["bound-tightened", "bound-tightened"]
    assert len({one.fingerprint for one in found}) == 2

"""Assets related to the reached columns: containers, consumers, contracts, jobs, owners."""

from __future__ import annotations

from meshline.graph.index import LineageIndex, Reach
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Json,
    Statement,
    build_consumer_key,
    build_contract_key,
    build_data_product_key,
    build_domain_key,
    build_job_key,
    build_owner_key,
)
from tests.index.graphs import describe_affected, describe_reached, get_node, traverse_down, traverse_up
from tests.index.heads import NS, build_flow, build_index, build_schema, build_statement, state_lineage, to_column, to_dataset, to_key


def state_mesh(*edges: EdgeFact, name: str = "m", source: str = "mesh/m", at: int = 0) -> Statement:
    return build_statement(Facts(edges=edges), ("mesh", name), at, source=source)


def build_port(product: str, dataset: str, direction: str = "output") -> EdgeFact:
    return EdgeFact(EdgeType.PORT, build_data_product_key(product), to_dataset(dataset), {"direction": direction})


def build_consumption(who: str, what: AssetKey) -> EdgeFact:
    return EdgeFact(EdgeType.CONSUMES, build_consumer_key(who), what)


def state_members(of: AssetKey, *patterns: str) -> Statement:
    names: list[Json] = list(patterns)
    return build_statement(Facts(assets=(AssetFact(of, {"members": names}),)), ("mesh", of.kind, of.name), source="mesh/m")


def build_ownership(who: str, what: AssetKey, type_: str = "technical") -> EdgeFact:
    return EdgeFact(EdgeType.OWNS, build_owner_key(who), what, {"type": type_})


LINEAGE = state_lineage(
    build_flow("a.x", "b.x", by="copy"), build_flow("b.x", "c.y", "INDIRECT", by="sum"), build_flow("a.x", "b.z", masking=True, by="copy")
)


def build_governance(name: str, of: AssetKey, **attributes: str) -> EdgeFact:
    return EdgeFact(EdgeType.GOVERNS, build_contract_key(name), of, attributes)


READER = build_job_key(NS, "reader")


def test_containers_have_the_strongest_class_of_what_they_contain() -> None:
    index = build_index(
        LINEAGE,
        state_mesh(
            build_port("p", "b"), build_port("q", "c"), EdgeFact(EdgeType.PART_OF, build_data_product_key("q"), build_domain_key("d"))
        ),
    )
    got = describe_affected(index, traverse_down(index, "a.x"))
    assert {name: got[name] for name in ("b", "c", "data_product p", "data_product q", "domain d")} == {
        "b": "DIRECT 1",
        "c": "INDIRECT 2",
        "data_product p": "DIRECT 1",
        "data_product q": "INDIRECT 2",
        "domain d": "INDIRECT 2",
    }
    assert "a" not in got


def test_the_domain_of_a_start_is_affected_only_through_something_else_in_it() -> None:
    home = state_mesh(build_port("p", "a"), EdgeFact(EdgeType.PART_OF, build_data_product_key("p"), build_domain_key("home")))
    alone = describe_affected(build_index(LINEAGE, home), traverse_down(build_index(LINEAGE, home), "a.x"))
    assert "domain home" not in alone
    assert alone["data_product p"] == "DIRECT 0", "who uses the product uses the column"
    both = build_index(
        LINEAGE,
        home,
        state_mesh(build_port("q", "c"), EdgeFact(EdgeType.PART_OF, build_data_product_key("q"), build_domain_key("home")), name="more"),
    )
    assert describe_affected(both, traverse_down(both, "a.x"))["domain home"] == "INDIRECT 2"
    writes = build_statement(Facts(edges=(EdgeFact(EdgeType.WRITES, build_job_key(NS, "copy"), to_dataset("a")),)), ("x",))
    written = build_index(LINEAGE, home, writes)
    assert describe_affected(written, traverse_down(written, build_job_key(NS, "copy")))["domain home"] == "DIRECT 0", (
        "what a job writes is part of the answer"
    )


def test_masked_only_if_all_of_the_class_are() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x", masking=True), build_flow("a.x", "b.y", "INDIRECT")))
    assert describe_affected(index, traverse_down(index, "a.x"))["b"] == "DIRECT 1 masked"


def test_what_contains_the_start_is_affected_at_distance_0() -> None:
    index = build_index(
        LINEAGE,
        state_mesh(
            build_port("p", "a"),
            build_consumption("own", to_column("a.x")),
            build_consumption("other", to_column("a.w")),
            build_consumption("whole", to_dataset("a")),
        ),
    )
    got = describe_affected(index, traverse_down(index, "a.x"))
    assert got["data_product p"] == "DIRECT 0"
    assert got["consumer own"] == "DIRECT 0"
    assert got["consumer whole"] == "POSSIBLE 0"
    assert "consumer other" not in got
    assert describe_affected(index, traverse_down(index, "a"))["consumer whole"] == "DIRECT 0"


def test_consumers_by_grain() -> None:
    index = build_index(
        LINEAGE,
        state_lineage(build_flow("a.x", "w", "INDIRECT"), scope="two"),
        state_mesh(
            build_port("p", "b"),
            build_consumption("column", to_column("b.x")),
            build_consumption("dataset", to_dataset("b")),
            build_consumption("whole", to_dataset("w")),
            build_consumption("product", build_data_product_key("p")),
            EdgeFact(EdgeType.GOVERNS, build_contract_key("k"), to_dataset("b")),
        ),
    )
    got = describe_affected(index, traverse_down(index, "a.x"))
    assert {name: got[name] for name in got if name.startswith(("consumer", "contract"))} == {
        "consumer column": "DIRECT 1",
        "consumer dataset": "POSSIBLE 1",
        "consumer whole": "INDIRECT 1",
        "consumer product": "POSSIBLE 1",
        "contract k": "POSSIBLE 1",
    }
    assert describe_affected(index, traverse_down(index, build_data_product_key("p")))["consumer product"] == "DIRECT 0"


def test_jobs_are_those_through_which_data_goes_on() -> None:
    reader = build_statement(
        Facts(edges=(EdgeFact(EdgeType.READS, build_job_key(NS, "export"), to_dataset("c")),)), ("job-reads", NS, "export")
    )
    index = build_index(LINEAGE, state_lineage(build_flow("c", "d", by="load"), scope="two"), reader)
    got = describe_affected(index, traverse_down(index, "a.x"))
    assert {name: got[name] for name in got if name.startswith("job")} == {
        "job copy": "DIRECT 1",
        "job sum": "INDIRECT 2",
        "job load": "POSSIBLE 3",
        "job export": "POSSIBLE 3",
    }
    assert set(describe_affected(index, traverse_down(index, "a.x", reach=Reach.DIRECT))) == {"b", "b.x", "b.z", "job copy"}
    assert "job sum" in describe_affected(index, traverse_up(index, "c.y"))


def test_starts_of_other_kinds() -> None:
    writes = build_statement(
        Facts(
            edges=(
                EdgeFact(EdgeType.WRITES, build_job_key(NS, "copy"), to_dataset("a")),
                EdgeFact(EdgeType.READS, build_job_key(NS, "sum"), to_dataset("c")),
            )
        ),
        ("x",),
    )
    index = build_index(
        LINEAGE,
        writes,
        state_mesh(
            build_port("p", "a"),
            EdgeFact(EdgeType.PART_OF, build_data_product_key("p"), build_domain_key("d")),
            build_consumption("team", to_column("c.y")),
        ),
    )
    everything = {"b.x": "DIRECT 1", "b.z": "DIRECT 1 masked", "c.y": "INDIRECT 2"}
    for start in (to_dataset("a"), build_data_product_key("p"), build_domain_key("d"), build_job_key(NS, "copy")):
        assert describe_reached(index, traverse_down(index, start)) == everything
    assert describe_reached(index, traverse_up(index, build_consumer_key("team"))) == {"b.x": "INDIRECT 1", "a.x": "INDIRECT 2"}
    assert describe_reached(index, traverse_down(index, build_consumer_key("team"))) == {}
    assert set(describe_reached(index, traverse_up(index, build_job_key(NS, "sum")))) == {"b.x", "a.x"}


def test_a_contract_starts_with_what_it_governs_and_an_owner_with_what_it_owns() -> None:
    index = build_index(
        LINEAGE,
        state_mesh(
            build_port("p", "a"),
            build_consumption("team", to_dataset("a")),
            build_governance("k", to_dataset("a")),
            build_governance("other", to_dataset("a")),
            build_governance("last", to_dataset("c")),
        ),
        state_mesh(
            build_ownership("lead", build_data_product_key("p")),
            build_ownership("author", build_contract_key("k")),
            build_ownership("dba", to_dataset("b")),
            name="owners",
        ),
    )
    after_a = {"b.x": "DIRECT 1", "b.z": "DIRECT 1 masked", "c.y": "INDIRECT 2"}
    for start in (build_contract_key("k"), build_owner_key("lead"), build_owner_key("author")):
        got = traverse_down(index, start)
        assert describe_reached(index, got) == after_a
        everything = describe_affected(index, got)
        assert everything["a"] == everything["consumer team"] == everything["contract other"] == "DIRECT 0"
        assert everything["contract last"] == "POSSIBLE 2"
    assert "contract k" not in describe_affected(index, traverse_down(index, build_contract_key("k")))
    assert describe_affected(index, traverse_down(index, build_owner_key("lead")))["data_product p"] == "DIRECT 0"
    assert set(describe_reached(index, traverse_up(index, build_owner_key("dba")))) == {"a.x"}
    assert set(describe_reached(index, traverse_up(index, build_contract_key("last")))) == {"b.x", "a.x"}
    assert describe_reached(index, traverse_down(index, build_contract_key("k"), promises=False)) == {}


def test_edges_to_no_dataset_are_counted() -> None:
    index = build_index(
        LINEAGE,
        state_mesh(
            build_ownership("idle", build_contract_key("empty")),
            build_ownership("lead", build_data_product_key("nothing")),
            build_consumption("team", to_column("c.y")),
        ),
        state_mesh(
            EdgeFact(EdgeType.PART_OF, build_data_product_key("nothing"), build_domain_key("d")),
            EdgeFact(EdgeType.READS, READER, to_dataset("c")),
            name="more",
        ),
    )
    for start in (
        build_contract_key("empty"),
        build_owner_key("idle"),
        build_owner_key("lead"),
        build_data_product_key("nothing"),
        build_domain_key("d"),
        READER,
    ):
        assert traverse_down(index, start).completeness.unbound == 1
        assert traverse_down(index, start, to_dataset("a")).completeness.unbound == 1
    assert traverse_down(index, build_consumer_key("team")).completeness.unbound == 0, "no data leaves a consumer: nothing is unknown"
    assert traverse_down(index, build_contract_key("empty"), promises=False).completeness.unbound == 0
    assert traverse_up(index, build_consumer_key("team")).completeness.unbound == 0
    assert traverse_down(index, to_dataset("c")).completeness.unbound == 0
    assert traverse_down(index, build_contract_key("empty"), build_owner_key("lead")).completeness.unbound == 2


def test_patterns_place_datasets_and_the_longest_wins() -> None:
    index = build_index(
        build_statement(build_schema("sales_orders", "x"), ("dataset",)),
        state_members(build_data_product_key("all"), "db/*"),
        state_members(build_data_product_key("sales"), "db/sales_*"),
    )
    assert index.ownership.find_product(get_node(index, "sales_orders.x")) == index.assets.find_by_key(build_data_product_key("sales"))
    ported = build_index(
        build_statement(build_schema("sales_orders", "x"), ("dataset",)),
        state_members(build_data_product_key("sales"), "db/sales_*"),
        state_mesh(build_port("p", "sales_orders")),
    )
    assert ported.ownership.find_product(get_node(ported, "sales_orders")) == ported.assets.find_by_key(build_data_product_key("p"))


def list_owners(index: LineageIndex, key: AssetKey) -> list[tuple[str, str, str]]:
    return [
        (index.assets.get_key(o.owner).name, o.type, index.assets.get_key(o.level).name)
        for o in index.ownership.list_owners(get_node(index, key))
    ]


def test_owners_are_the_nearest_level_s() -> None:
    containment = [
        build_port("p", "a"),
        EdgeFact(EdgeType.PART_OF, build_data_product_key("p"), build_domain_key("d")),
        EdgeFact(EdgeType.PART_OF, build_domain_key("d"), build_domain_key("top")),
    ]
    schema = build_statement(build_schema("a", "x", "y"), ("dataset",))
    levels = [
        build_ownership("ceo", build_domain_key("top")),
        build_ownership("lead", build_domain_key("d")),
        build_ownership("team", build_data_product_key("p")),
        build_ownership("dba", to_dataset("a")),
        build_ownership("me", to_column("a.x")),
    ]
    expected = [("ceo", "top"), ("lead", "d"), ("team", "p"), ("dba", "a"), ("me", "x")]
    for n in range(len(levels)):
        index = build_index(schema, state_mesh(*containment, *levels[: n + 1]))
        assert list_owners(index, to_column("a.x")) == [(expected[n][0], "technical", expected[n][1])]
    assert list_owners(index, to_column("a.y")) == [("dba", "technical", "a")]
    assert list_owners(build_index(schema, state_mesh(*containment)), to_column("a.x")) == []


def test_the_strongest_source_that_names_any_names_all() -> None:
    schema = build_statement(build_schema("a", "x"), ("dataset",))
    stated = [
        state_mesh(build_ownership("b", to_dataset("a")), build_ownership("a", to_dataset("a"), "business"), name="file"),
        state_mesh(build_ownership("z", to_dataset("a")), source="openlineage/x", at=9),
    ]
    assert list_owners(build_index(schema, *stated), to_dataset("a")) == [("a", "business", "a"), ("b", "technical", "a")]
    person = state_mesh(build_ownership("p", to_dataset("a")), source="person/p")
    assert list_owners(build_index(schema, *stated, person), to_dataset("a")) == [("p", "technical", "a")]


def test_a_contract_in_force_lends_its_owners() -> None:
    schema = build_statement(build_schema("a", "x", "y"), ("dataset",))
    containment = [
        build_port("p", "a"),
        build_ownership("team", build_data_product_key("p")),
        build_ownership("keeper", build_contract_key("c")),
        build_ownership("me", to_column("a.y")),
    ]

    def list_owners_of(*edges: EdgeFact, of: str = "a") -> list[tuple[str, str, str]]:
        return list_owners(build_index(schema, state_mesh(*containment, *edges)), to_key(of))

    by_contract, by_product = [("keeper", "technical", "c")], [("team", "technical", "p")]
    assert list_owners_of(build_governance("c", to_dataset("a"))) == by_contract, "nearer than the product"
    assert list_owners_of(build_governance("c", to_dataset("a"), status="active"), of="a.x") == by_contract
    assert list_owners_of(build_governance("c", to_dataset("a")), of="a.y") == [("me", "technical", "y")]
    for status in ("draft", "In_Development", "retired"):
        assert list_owners_of(build_governance("c", to_dataset("a"), status=status)) == by_product
    assert list_owners_of(build_governance("c", to_dataset("a")), build_ownership("dba", to_dataset("a"))) == [("dba", "technical", "a")]
    assert list_owners_of(build_governance("d", to_dataset("a"))) == by_product, "a contract without an owner lends none"
    both = list_owners_of(
        build_governance("c", to_dataset("a")),
        build_governance("d", to_dataset("a")),
        build_ownership("keeper", build_contract_key("d")),
        build_ownership("boss", build_contract_key("d")),
    )
    assert both == [("boss", "technical", "d"), ("keeper", "technical", "c")]


def test_the_columns_of_a_dataset_start_with_it() -> None:
    index = build_index(LINEAGE, state_mesh(build_consumption("board", to_column("a.x")), build_consumption("mart", to_column("b.x"))))
    whole = describe_affected(index, traverse_down(index, "a"))
    assert {name: whole[name] for name in ("job copy", "consumer board", "consumer mart")} == {
        "job copy": "DIRECT 1",
        "consumer board": "DIRECT 0",
        "consumer mart": "DIRECT 1",
    }
    assert "a.x" not in whole
    assert describe_affected(index, traverse_up(index, "c"))["job sum"] == "INDIRECT 1"

"""What hangs on the reached columns: containers, consumers, contracts, jobs, owners."""

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
from tests.index.graphs import affected, down, found, reached, up
from tests.index.heads import NS, col, ds, flow, index_of, lineage, lists, node, says


def mesh(*edges: EdgeFact, name: str = "m", source: str = "mesh/m", at: int = 0) -> Statement:
    return says(Facts(edges=edges), ("mesh", name), at, source=source)


def port(product: str, dataset: str, direction: str = "output") -> EdgeFact:
    return EdgeFact(EdgeType.PORT, build_data_product_key(product), ds(dataset), {"direction": direction})


def consumes(who: str, what: AssetKey) -> EdgeFact:
    return EdgeFact(EdgeType.CONSUMES, build_consumer_key(who), what)


def members(of: AssetKey, *patterns: str) -> Statement:
    names: list[Json] = list(patterns)
    return says(Facts(assets=(AssetFact(of, {"members": names}),)), ("mesh", of.kind, of.name), source="mesh/m")


def owns(who: str, what: AssetKey, type_: str = "technical") -> EdgeFact:
    return EdgeFact(EdgeType.OWNS, build_owner_key(who), what, {"type": type_})


LINEAGE = lineage(flow("a.x", "b.x", by="copy"), flow("b.x", "c.y", "INDIRECT", by="sum"), flow("a.x", "b.z", masking=True, by="copy"))


def governs(name: str, of: AssetKey, **attributes: str) -> EdgeFact:
    return EdgeFact(EdgeType.GOVERNS, build_contract_key(name), of, attributes)


READER = build_job_key(NS, "reader")


def test_containers_take_the_strongest_class_of_what_they_hold() -> None:
    index = index_of(
        LINEAGE, mesh(port("p", "b"), port("q", "c"), EdgeFact(EdgeType.PART_OF, build_data_product_key("q"), build_domain_key("d")))
    )
    got = affected(index, down(index, "a.x"))
    assert {name: got[name] for name in ("b", "c", "data_product p", "data_product q", "domain d")} == {
        "b": "DIRECT 1",
        "c": "INDIRECT 2",
        "data_product p": "DIRECT 1",
        "data_product q": "INDIRECT 2",
        "domain d": "INDIRECT 2",
    }
    assert "a" not in got


def test_the_domain_of_a_start_is_affected_only_through_something_else_in_it() -> None:
    home = mesh(port("p", "a"), EdgeFact(EdgeType.PART_OF, build_data_product_key("p"), build_domain_key("home")))
    alone = affected(index_of(LINEAGE, home), down(index_of(LINEAGE, home), "a.x"))
    assert "domain home" not in alone
    assert alone["data_product p"] == "DIRECT 0", "who uses the product uses the column"
    both = index_of(
        LINEAGE, home, mesh(port("q", "c"), EdgeFact(EdgeType.PART_OF, build_data_product_key("q"), build_domain_key("home")), name="more")
    )
    assert affected(both, down(both, "a.x"))["domain home"] == "INDIRECT 2"
    writes = says(Facts(edges=(EdgeFact(EdgeType.WRITES, build_job_key(NS, "copy"), ds("a")),)), ("x",))
    written = index_of(LINEAGE, home, writes)
    assert affected(written, down(written, build_job_key(NS, "copy")))["domain home"] == "DIRECT 0", (
        "what a job writes is part of the answer"
    )


def test_masked_only_if_all_of_the_class_are() -> None:
    index = index_of(lineage(flow("a.x", "b.x", masking=True), flow("a.x", "b.y", "INDIRECT")))
    assert affected(index, down(index, "a.x"))["b"] == "DIRECT 1 masked"


def test_what_holds_the_start_is_affected_at_distance_0() -> None:
    index = index_of(LINEAGE, mesh(port("p", "a"), consumes("own", col("a.x")), consumes("other", col("a.w")), consumes("whole", ds("a"))))
    got = affected(index, down(index, "a.x"))
    assert got["data_product p"] == "DIRECT 0"
    assert got["consumer own"] == "DIRECT 0"
    assert got["consumer whole"] == "POSSIBLE 0"
    assert "consumer other" not in got
    assert affected(index, down(index, "a"))["consumer whole"] == "DIRECT 0"


def test_consumers_by_grain() -> None:
    index = index_of(
        LINEAGE,
        lineage(flow("a.x", "w", "INDIRECT"), scope="two"),
        mesh(
            port("p", "b"),
            consumes("column", col("b.x")),
            consumes("dataset", ds("b")),
            consumes("whole", ds("w")),
            consumes("product", build_data_product_key("p")),
            EdgeFact(EdgeType.GOVERNS, build_contract_key("k"), ds("b")),
        ),
    )
    got = affected(index, down(index, "a.x"))
    assert {name: got[name] for name in got if name.startswith(("consumer", "contract"))} == {
        "consumer column": "DIRECT 1",
        "consumer dataset": "POSSIBLE 1",
        "consumer whole": "INDIRECT 1",
        "consumer product": "POSSIBLE 1",
        "contract k": "POSSIBLE 1",
    }
    assert affected(index, down(index, build_data_product_key("p")))["consumer product"] == "DIRECT 0"


def test_jobs_are_those_through_which_data_goes_on() -> None:
    reader = says(Facts(edges=(EdgeFact(EdgeType.READS, build_job_key(NS, "export"), ds("c")),)), ("job-reads", NS, "export"))
    index = index_of(LINEAGE, lineage(flow("c", "d", by="load"), scope="two"), reader)
    got = affected(index, down(index, "a.x"))
    assert {name: got[name] for name in got if name.startswith("job")} == {
        "job copy": "DIRECT 1",
        "job sum": "INDIRECT 2",
        "job load": "POSSIBLE 3",
        "job export": "POSSIBLE 3",
    }
    assert set(affected(index, down(index, "a.x", reach=Reach.DIRECT))) == {"b", "b.x", "b.z", "job copy"}
    assert "job sum" in affected(index, up(index, "c.y"))


def test_starts_of_other_kinds() -> None:
    writes = says(
        Facts(
            edges=(
                EdgeFact(EdgeType.WRITES, build_job_key(NS, "copy"), ds("a")),
                EdgeFact(EdgeType.READS, build_job_key(NS, "sum"), ds("c")),
            )
        ),
        ("x",),
    )
    index = index_of(
        LINEAGE,
        writes,
        mesh(port("p", "a"), EdgeFact(EdgeType.PART_OF, build_data_product_key("p"), build_domain_key("d")), consumes("team", col("c.y"))),
    )
    everything = {"b.x": "DIRECT 1", "b.z": "DIRECT 1 masked", "c.y": "INDIRECT 2"}
    for start in (ds("a"), build_data_product_key("p"), build_domain_key("d"), build_job_key(NS, "copy")):
        assert reached(index, down(index, start)) == everything
    assert reached(index, up(index, build_consumer_key("team"))) == {"b.x": "INDIRECT 1", "a.x": "INDIRECT 2"}
    assert reached(index, down(index, build_consumer_key("team"))) == {}
    assert set(reached(index, up(index, build_job_key(NS, "sum")))) == {"b.x", "a.x"}


def test_a_contract_starts_with_what_it_governs_and_an_owner_with_what_it_owns() -> None:
    index = index_of(
        LINEAGE,
        mesh(port("p", "a"), consumes("team", ds("a")), governs("k", ds("a")), governs("other", ds("a")), governs("last", ds("c"))),
        mesh(owns("lead", build_data_product_key("p")), owns("author", build_contract_key("k")), owns("dba", ds("b")), name="owners"),
    )
    after_a = {"b.x": "DIRECT 1", "b.z": "DIRECT 1 masked", "c.y": "INDIRECT 2"}
    for start in (build_contract_key("k"), build_owner_key("lead"), build_owner_key("author")):
        got = down(index, start)
        assert reached(index, got) == after_a
        everything = affected(index, got)
        assert everything["a"] == everything["consumer team"] == everything["contract other"] == "DIRECT 0"
        assert everything["contract last"] == "POSSIBLE 2"
    assert "contract k" not in affected(index, down(index, build_contract_key("k")))
    assert affected(index, down(index, build_owner_key("lead")))["data_product p"] == "DIRECT 0"
    assert set(reached(index, up(index, build_owner_key("dba")))) == {"a.x"}
    assert set(reached(index, up(index, build_contract_key("last")))) == {"b.x", "a.x"}
    assert reached(index, down(index, build_contract_key("k"), promises=False)) == {}


def test_what_leads_to_no_dataset_is_counted() -> None:
    index = index_of(
        LINEAGE,
        mesh(owns("idle", build_contract_key("empty")), owns("lead", build_data_product_key("nothing")), consumes("team", col("c.y"))),
        mesh(
            EdgeFact(EdgeType.PART_OF, build_data_product_key("nothing"), build_domain_key("d")),
            EdgeFact(EdgeType.READS, READER, ds("c")),
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
        assert down(index, start).completeness.unbound == 1
        assert down(index, start, ds("a")).completeness.unbound == 1
    assert down(index, build_consumer_key("team")).completeness.unbound == 0, "no data leaves a consumer: nothing is unknown"
    assert down(index, build_contract_key("empty"), promises=False).completeness.unbound == 0
    assert up(index, build_consumer_key("team")).completeness.unbound == 0
    assert down(index, ds("c")).completeness.unbound == 0
    assert down(index, build_contract_key("empty"), build_owner_key("lead")).completeness.unbound == 2


def test_patterns_place_datasets_and_the_longest_wins() -> None:
    index = index_of(
        says(lists("sales_orders", "x"), ("dataset",)),
        members(build_data_product_key("all"), "db/*"),
        members(build_data_product_key("sales"), "db/sales_*"),
    )
    assert index.ownership.find_product(found(index, "sales_orders.x")) == index.assets.find_by_key(build_data_product_key("sales"))
    ported = index_of(
        says(lists("sales_orders", "x"), ("dataset",)),
        members(build_data_product_key("sales"), "db/sales_*"),
        mesh(port("p", "sales_orders")),
    )
    assert ported.ownership.find_product(found(ported, "sales_orders")) == ported.assets.find_by_key(build_data_product_key("p"))


def who(index: LineageIndex, key: AssetKey) -> list[tuple[str, str, str]]:
    return [
        (index.assets.get_key(o.owner).name, o.type, index.assets.get_key(o.level).name)
        for o in index.ownership.list_owners(found(index, key))
    ]


def test_owners_are_the_nearest_level_s() -> None:
    held = [
        port("p", "a"),
        EdgeFact(EdgeType.PART_OF, build_data_product_key("p"), build_domain_key("d")),
        EdgeFact(EdgeType.PART_OF, build_domain_key("d"), build_domain_key("top")),
    ]
    schema = says(lists("a", "x", "y"), ("dataset",))
    levels = [
        owns("ceo", build_domain_key("top")),
        owns("lead", build_domain_key("d")),
        owns("team", build_data_product_key("p")),
        owns("dba", ds("a")),
        owns("me", col("a.x")),
    ]
    expected = [("ceo", "top"), ("lead", "d"), ("team", "p"), ("dba", "a"), ("me", "x")]
    for n in range(len(levels)):
        index = index_of(schema, mesh(*held, *levels[: n + 1]))
        assert who(index, col("a.x")) == [(expected[n][0], "technical", expected[n][1])]
    assert who(index, col("a.y")) == [("dba", "technical", "a")]
    assert who(index_of(schema, mesh(*held)), col("a.x")) == []


def test_the_strongest_source_that_names_any_names_all() -> None:
    schema = says(lists("a", "x"), ("dataset",))
    said = [mesh(owns("b", ds("a")), owns("a", ds("a"), "business"), name="file"), mesh(owns("z", ds("a")), source="openlineage/x", at=9)]
    assert who(index_of(schema, *said), ds("a")) == [("a", "business", "a"), ("b", "technical", "a")]
    person = mesh(owns("p", ds("a")), source="person/p")
    assert who(index_of(schema, *said, person), ds("a")) == [("p", "technical", "a")]


def test_a_contract_in_force_lends_its_owners() -> None:
    schema = says(lists("a", "x", "y"), ("dataset",))
    held = [port("p", "a"), owns("team", build_data_product_key("p")), owns("keeper", build_contract_key("c")), owns("me", col("a.y"))]

    def owners(*edges: EdgeFact, of: str = "a") -> list[tuple[str, str, str]]:
        return who(index_of(schema, mesh(*held, *edges)), node(of))

    by_contract, by_product = [("keeper", "technical", "c")], [("team", "technical", "p")]
    assert owners(governs("c", ds("a"))) == by_contract, "nearer than the product"
    assert owners(governs("c", ds("a"), status="active"), of="a.x") == by_contract
    assert owners(governs("c", ds("a")), of="a.y") == [("me", "technical", "y")]
    for status in ("draft", "In_Development", "retired"):
        assert owners(governs("c", ds("a"), status=status)) == by_product
    assert owners(governs("c", ds("a")), owns("dba", ds("a"))) == [("dba", "technical", "a")]
    assert owners(governs("d", ds("a"))) == by_product, "a contract without an owner lends none"
    both = owners(
        governs("c", ds("a")), governs("d", ds("a")), owns("keeper", build_contract_key("d")), owns("boss", build_contract_key("d"))
    )
    assert both == [("boss", "technical", "d"), ("keeper", "technical", "c")]


def test_the_columns_of_a_dataset_start_with_it() -> None:
    index = index_of(LINEAGE, mesh(consumes("board", col("a.x")), consumes("mart", col("b.x"))))
    whole = affected(index, down(index, "a"))
    assert {name: whole[name] for name in ("job copy", "consumer board", "consumer mart")} == {
        "job copy": "DIRECT 1",
        "consumer board": "DIRECT 0",
        "consumer mart": "DIRECT 1",
    }
    assert "a.x" not in whole
    assert affected(index, up(index, "c"))["job sum"] == "INDIRECT 1"

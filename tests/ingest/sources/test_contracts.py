"""Contracts in the graph: their statements, and versions that exist at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, EdgeType, Facts, Json, Statement, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.contract_versions import Version, build_versions
from meshline.graph.queries.search import Scope, search_assets
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.contracts.source import Contracts
from meshline.ingest.sources.reading_loader import Loading, load_reading
from tests.ingest.sources.contract_files import SPECIFICATION, STANDARD
from tests.queries.mesh import build_graph, commit_statements

SNOWFLAKE = model.build_dataset_key("snowflake://acme-eu", "SHOP.ORDERS.orders")
DEVELOPMENT = model.build_dataset_key("s3://acme-dev", "data/orders")
PAYMENTS = model.build_dataset_key("postgres://db.example.com", "money.public.payment_v2")


def load_contracts(graph: LiveGraph, folder: Path, *paths: str, complete: bool = False, strict: bool = False) -> Loading:
    source = Contracts(files=paths or ("*.yaml",), complete=complete)
    return load_reading(graph, source.read(build_context(graph, Naming(), folder, source.source)), get_current_micros(), strict=strict)


def count_outcomes(loading: Loading) -> tuple[int, int, int, int, int]:
    """read, unchanged, new, changed, retracted."""
    return loading.read, loading.unchanged, loading.new, loading.changed, loading.retracted


def list_edges(graph: LiveGraph, type_: EdgeType, key: model.AssetKey) -> dict[str, dict[str, Json]]:
    """The ends of an asset's edges, with the attributes of each edge."""
    node = graph.index.assets.find_by_key(key)
    assert node is not None
    return {
        graph.index.assets.get_key(edge.end).qualified_name: dict(edge.attributes) for edge in graph.index.ownership.list_edges(node, type_)
    }


def read_attribute(graph: LiveGraph, key: model.AssetKey, attribute: str) -> Json:
    node = graph.index.assets.find_by_key(key)
    assert node is not None, key
    return read_attributes(graph, graph.index, [node])[0].find_value(attribute)


def list_versions(graph: LiveGraph, identifier: str) -> list[Version]:
    node = graph.index.assets.find_by_key(model.build_contract_key(identifier))
    assert node is not None
    return build_versions(identifier, read_attributes(graph, graph.index, [node])[0].rows)


def format_version(
    number: str, status: str = "active", identifier: str = "orders", fields: str = "{total: {type: decimal}}", consumer: str = ""
) -> str:
    return (
        f'dataContractSpecification: 1.2.0\nid: {identifier}\ninfo: {{title: Orders {number}, version: "{number}", status: {status}'
        f"{f', consumer: {consumer}' if consumer else ''}}}\n"
        "servers: {production: {type: trino, host: t, catalog: c, schema: s}}\n"
        f"models: {{orders: {{fields: {fields}}}}}\n"
    )


def write_files(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_the_facts_of_a_contract(tmp_path: Path) -> None:
    write_files(tmp_path, a=SPECIFICATION)
    graph = build_graph()
    assert count_outcomes(load_contracts(graph, tmp_path)) == (1, 0, 1, 0, 0)
    contract = model.build_contract_key("orders-latest")
    promised = {"version": "1.10.0", "status": "active", "model": "orders"}
    assert list_edges(graph, EdgeType.GOVERNS, contract) == {
        SNOWFLAKE.qualified_name: {**promised, "server": "production", "production": True},
        DEVELOPMENT.qualified_name: {**promised, "server": "development"},
    }
    assert list_edges(graph, EdgeType.OWNS, model.build_owner_key("checkout@example.com")) == {"orders-latest": {"type": "technical"}}
    assert read_attribute(graph, model.build_column_key(SNOWFLAKE, "customer_email"), "tags") == ["pii", "classification=sensitive"]
    assert read_attribute(graph, model.build_column_key(SNOWFLAKE, "order_total"), "description") == "In cents."
    assert read_attribute(graph, SNOWFLAKE, "description") == "One record for each order."


def test_business_names_are_titles_by_which_search_finds(tmp_path: Path) -> None:
    standard = STANDARD.replace("businessName: Payments", "businessName: Zahlungseingänge")
    assert standard != STANDARD
    columns = "{total: {type: decimal, title: Gross Turnover}, x: {type: string, fields: {y: {title: Recipient}}}}"
    specified = format_version("1.0.0", fields=columns).replace("{orders: {", "{orders: {title: Customer Purchases, ")
    property_ = standard.replace("physicalName: amt\n", "physicalName: amt\n        businessName: Brutto Betrag\n")
    assert property_ != standard
    write_files(tmp_path, a=specified, b=property_)
    graph = build_graph()
    load_contracts(graph, tmp_path)
    orders = model.build_dataset_key("trino://t", "c.s.orders")
    titles = {
        orders: "Customer Purchases",
        model.build_column_key(orders, "total"): "Gross Turnover",
        model.build_column_key(orders, "x.y"): "Recipient",
        PAYMENTS: "Zahlungseingänge",
        model.build_column_key(PAYMENTS, "amt"): "Brutto Betrag",
    }
    for key, title in titles.items():
        assert read_attribute(graph, key, "title") == title
        found = search_assets(graph, graph.index, title, Scope((key.kind,)), first=1).page.entries
        assert [graph.index.assets.get_key(entry.node) for entry in found] == [key]
    write_files(tmp_path, a=specified.replace("Gross Turnover", "Net Turnover").replace("status: active", "status: draft"))
    load_contracts(graph, tmp_path)
    assert not search_assets(graph, graph.index, "turnover", first=1).page.entries, "it is not in force"


def test_a_promise_is_no_description_of_the_table(tmp_path: Path) -> None:
    write_files(tmp_path, a=SPECIFICATION)
    graph = build_graph()
    load_contracts(graph, tmp_path)
    for name in ("order_total", "address.city", "customer_email"):
        assert read_attribute(graph, model.build_column_key(SNOWFLAKE, name), "type") is None
        assert read_attribute(graph, model.build_column_key(SNOWFLAKE, name), "nullable") is None
    node = graph.index.assets.find_by_key(SNOWFLAKE)
    assert node is not None
    assert not graph.index.assets.is_described(node)


def test_the_consumer_uses_each_field_for_the_purpose(tmp_path: Path) -> None:
    write_files(tmp_path, a=STANDARD)
    graph = build_graph()
    load_contracts(graph, tmp_path)
    about = {"contract": "payments", "version": "2.0", "purpose": "Closing the books."}
    columns = ["amt", "client", "client.born", "client.iban", "notes", "notes.element", "state"]
    assert list_edges(graph, EdgeType.CONSUMES, model.build_consumer_key("closing@example.com")) == {
        f"{PAYMENTS.qualified_name}.{column}": about for column in columns
    }
    assert list_edges(graph, EdgeType.OWNS, model.build_owner_key("ana@example.com")) == {"payments": {"type": "business"}}
    assert list_edges(graph, EdgeType.OWNS, model.build_owner_key("bo@example.com")) == {"payments": {"type": "steward"}}


def test_a_consumer_uses_production_where_a_contract_names_it(tmp_path: Path) -> None:
    write_files(tmp_path, a=SPECIFICATION.replace("  owner:", "  consumer: reports\n  owner:"))
    graph = build_graph()
    load_contracts(graph, tmp_path)
    used = list_edges(graph, EdgeType.CONSUMES, model.build_consumer_key("reports"))
    assert len(used) == 12
    assert all(name.startswith(SNOWFLAKE.qualified_name) for name in used)


def test_people_are_known_by_their_addresses(tmp_path: Path) -> None:
    write_files(tmp_path, a=format_version("1.0.0", consumer="fin@example.com"))
    graph = build_graph()
    source = Contracts(files=("*.yaml",))
    context = build_context(graph, Naming(), tmp_path, source.source)._replace(people={"fin@example.com": "finance"})
    load_reading(graph, source.read(context), get_current_micros())
    about = {"contract": "orders", "version": "1.0.0"}
    assert list_edges(graph, EdgeType.CONSUMES, model.build_consumer_key("finance")) == {"trino://t/c.s.orders.total": about}
    assert list_edges(graph, EdgeType.OWNS, model.build_owner_key("fin@example.com")) == {"finance": {"type": "technical"}}


FILES = {
    "a": format_version("1.9.0"),
    "b": format_version("1.10.0"),
    "c": format_version("2.0.0", "draft"),
    "d": format_version("1.11.0", "deprecated"),
}


@pytest.mark.parametrize("order", list(permutations(FILES))[::5])
def test_the_newest_in_force_is_shown_whatever_was_loaded_first(tmp_path: Path, order: Sequence[str]) -> None:
    write_files(tmp_path, **FILES)
    graph = build_graph()
    for name in order:
        assert count_outcomes(load_contracts(graph, tmp_path, f"{name}.yaml"))[2:] == (1, 0, 0)
    found = list_versions(graph, "orders")
    assert [(one.contract.version, one.contract.status, one.contract.title) for one in found] == [
        ("1.10.0", "active", "Orders 1.10.0"),
        ("1.9.0", "active", "Orders 1.9.0"),
        ("1.11.0", "deprecated", "Orders 1.11.0"),
        ("2.0.0", "draft", "Orders 2.0.0"),
    ]
    assert list_edges(graph, EdgeType.GOVERNS, model.build_contract_key("orders")).keys() == {"trino://t/c.s.orders"}


def test_only_what_is_in_force_is_consumed(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        a=format_version("1.0.0", "retired", consumer="fin", fields="{old: {pii: true}}"),
        b=format_version("2.0.0", consumer="fin"),
    )
    write_files(tmp_path, c=format_version("3.0.0", "in development", consumer="fin", fields="{new: {}}"))
    graph = build_graph()
    load_contracts(graph, tmp_path)
    assert list_edges(graph, EdgeType.CONSUMES, model.build_consumer_key("fin")).keys() == {"trino://t/c.s.orders.total"}
    for name in ("old", "new"):
        assert graph.index.assets.find_by_key(model.build_column_key(model.build_dataset_key("trino://t", "c.s.orders"), name)) is None


def test_a_retired_version_has_no_owner_any_more(tmp_path: Path) -> None:
    write_files(tmp_path, a=format_version("1.0.0", "retired").replace("title:", "owner: ana, title:"))
    write_files(tmp_path, b=format_version("2.0.0", "draft").replace("title:", "owner: bo, title:"))
    graph = build_graph()
    load_contracts(graph, tmp_path)
    assert graph.index.assets.find_by_key(model.build_owner_key("ana")) is None
    assert list_edges(graph, EdgeType.OWNS, model.build_owner_key("bo")) == {"orders": {"type": "technical"}}


def test_a_second_load_changes_nothing_and_a_file_that_is_gone_is_retracted(tmp_path: Path) -> None:
    write_files(tmp_path, a=format_version("1.0.0"), b=format_version("2.0.0"))
    graph = build_graph()
    assert count_outcomes(load_contracts(graph, tmp_path, complete=True)) == (2, 0, 2, 0, 0)
    revision = graph.index.revision
    assert count_outcomes(load_contracts(graph, tmp_path, complete=True)) == (2, 2, 0, 0, 0)
    assert graph.index.revision == revision
    (tmp_path / "b.yaml").unlink()
    assert count_outcomes(load_contracts(graph, tmp_path)) == (1, 1, 0, 0, 0)
    assert count_outcomes(load_contracts(graph, tmp_path, complete=True)) == (1, 1, 0, 0, 1)
    assert [one.contract.version for one in list_versions(graph, "orders")] == ["1.0.0"]


def test_a_bad_file_is_refused_and_keeps_what_was_known_of_it(tmp_path: Path) -> None:
    write_files(tmp_path, a=format_version("1.0.0"), b=format_version("1.0.0", identifier="other"))
    graph = build_graph()
    load_contracts(graph, tmp_path, complete=True)
    write_files(tmp_path, a=format_version("1.0.0", fields="{total: 7}"), b=format_version("1.0.0", identifier="other", fields="{x: {}}"))
    done = load_contracts(graph, tmp_path, complete=True)
    assert [str(error) for error in done.refused] == ["a.yaml:5: models.orders.fields.total: found 7; accepted is a mapping"]
    assert count_outcomes(done) == (1, 0, 0, 1, 0)
    assert list_versions(graph, "orders")[0].contract.models[0].fields[0].type == "decimal"
    with pytest.raises(InvalidInput, match=r"a\.yaml:5"):
        load_contracts(graph, tmp_path, strict=True)


def test_one_version_in_two_files_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, a=format_version("1.0.0"), b=format_version("1.0.0"))
    done = load_contracts(build_graph(), tmp_path)
    assert [str(error) for error in done.refused] == [
        "b.yaml: version 1.0.0 of orders is stated twice; the first file that states it is a.yaml"
    ]


def test_a_contract_that_is_bound_to_no_dataset_warns_with_the_reason(tmp_path: Path) -> None:
    write_files(tmp_path, a="dataContractSpecification: 1.2.0\nid: a\ninfo: {version: 1.0.0}\nmodels: {m: {}}\n")
    write_files(
        tmp_path, b="dataContractSpecification: 1.2.0\nid: b\ninfo: {version: 1.0.0}\nservers: {x: {type: kafka}}\nmodels: {m: {}, n: {}}\n"
    )
    done = load_contracts(build_graph(), tmp_path)
    assert done.warnings == (
        "a.yaml: the contract has no servers, so it is bound to no dataset",
        "b.yaml: server 'x' is bound to no dataset: a server of type kafka is found by its host",
    )


def test_a_mesh_file_s_word_on_a_version_is_weighed_with_it(tmp_path: Path) -> None:
    """`contracts:` of a mesh file states the status of one version; the rest is the contract file's."""

    write_files(tmp_path, a=format_version("1.0.0"), b=format_version("2.0.0"))
    graph = build_graph()
    load_contracts(graph, tmp_path)
    facts = Facts((AssetFact(model.build_contract_key("orders"), {"version": "2.0.0", "status": "retired"}),))
    commit_statements(graph, Statement("person/ana", ("contract", "orders"), get_current_micros(), encode_facts(facts)))
    assert [(one.contract.version, one.contract.status) for one in list_versions(graph, "orders")] == [
        ("1.0.0", "active"),
        ("2.0.0", "retired"),
    ]
    assert list_versions(graph, "orders")[1].contract.title == "Orders 2.0.0"


def test_a_store_keeps_it(tmp_path: Path) -> None:
    write_files(tmp_path, a=SPECIFICATION)
    store = f"{tmp_path}/mesh.db"
    graph = LiveGraph.open(SqliteStore(store))
    load_contracts(graph, tmp_path)
    before = list_versions(graph, "orders-latest")
    graph.store.close()
    again = LiveGraph.open(SqliteStore(store))
    assert list_versions(again, "orders-latest") == before
    assert count_outcomes(load_contracts(again, tmp_path)) == (1, 1, 0, 0, 0)
    again.store.close()

"""Contracts as files -> their models and terms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshline.graph.contracts import (
    Contract,
    Field,
    Level,
    Model,
    Party,
    Role,
    Rule,
    Server,
    Terms,
    build_contract,
    build_contract_attributes,
    build_level,
)
from meshline.ingest.sources.contracts.source import parse_contract_file
from tests.ingest.sources.contract_files import SPECIFICATION, STANDARD

CORPUS = os.environ.get("MESHLINE_CORPUS")


def read_contract(text: str) -> Contract:
    """The contract in a text; nothing is refused, nothing warned of."""
    parsed = parse_contract_file(text.encode(), "c.yaml")
    assert parsed.refused == ()
    assert parsed.warnings == ()
    assert parsed.contract is not None
    return parsed.contract


def list_refusals(text: str) -> list[str]:
    parsed = parse_contract_file(text.encode(), "c.yaml")
    assert parsed.contract is None
    return [str(error) for error in parsed.refused]


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: the seeds' contract cannot be read")
def test_the_seeds_contract_loads_as_it_is() -> None:
    assert CORPUS
    contract = read_contract((Path(CORPUS) / "seeds" / "customer_orders_contract_v2.yaml").read_text(encoding="utf-8"))
    assert contract == Contract(
        id="customer-orders-contract-v2",
        version="2.1.0",
        standard="datacontract.com/v0.9",
        title="Customer Orders — Finance Consumer Contract",
        models=(
            Model(
                "customer_orders",
                description="Completed customer orders",
                fields=(
                    Field("order_id", type="string", required=True, unique=True, pii=False),
                    Field("total_amount", type="decimal(18, 2)", required=True, minimum=0.01),
                    Field("currency", type="string", enum=("USD", "EUR", "GBP")),
                    Field("created_at", type="timestamp", required=True),
                ),
            ),
        ),
        quality_rules=(Rule("great-expectations", specification="expectations/customer_orders_suite.json"),),
        terms=Terms(
            usage="Finance team may use this data for revenue reporting and forecasting",
            limitations="Do not use customer_id to join with PII data from other domains without DPA approval",
            billing="internal",
        ),
        servers=(Server("production", "trino", settings={"host": "trino.internal", "catalog": "delta", "schema": "orders"}),),
        owners=(Party("orders-engineering@company.com"),),
        consumers=("finance-analytics@company.com",),
    )


def test_data_contract_specification() -> None:
    contract = read_contract(SPECIFICATION)
    (orders,) = contract.models
    assert orders.fields == (
        Field("order_id", type="string", title="Order ID", pattern="^[a-z]+$", required=True, unique=True, primary_key=True),
        Field("order_total", type="decimal(18,2)", description="In cents.", minimum=0, exclusive_maximum=1_000_000),
        Field("customer_email", type="string", format="email", min_length=3, pii=True, classification="sensitive"),
        Field("state", type="string", enum=("new", "paid", "3"), references=("states.code",)),
        Field("address", type="object"),
        Field("address.city", type="string", tags=("geo",)),
        Field("lines", type="array"),
        Field("lines.element", type="object"),
        Field("lines.element.sku", type="string", title="SKU"),
        Field("prices", type="map"),
        Field("prices.key", type="string"),
        Field("prices.value", type="decimal"),
    )
    assert (contract.id, contract.version, contract.status, contract.is_in_force) == ("orders-latest", "1.10.0", "active", True)
    assert contract.standard == "Data Contract Specification 1.1.0"
    assert contract.quality_rules == (
        Rule("custom", model="orders", engine="soda", specification={"type": "duplicate_count"}),
        Rule("sql", model="orders", field="customer_email", description="some", query="select 1", expected={"greater_or_equal": 5}),
    )
    assert contract.sla == (
        Level("availability", "99.9%", ratio=0.999, description="Mostly"),
        Level("retention", "1 year", seconds=365 * 86_400),
        Level("latency", "25h", seconds=90_000, element="orders.at"),
        Level("freshness", "25h", seconds=90_000, element="orders.at"),
        Level("frequency", "daily", seconds=86_400, schedule="0 0 * * *"),
        Level("support", "9am to 5pm"),
        Level("support_response_time", "1h", seconds=3_600),
        Level("backup", "weekly", seconds=7 * 86_400),
        Level("backup_recovery_time", "24 hours", seconds=86_400),
        Level("backup_recovery_point", "1 week", seconds=7 * 86_400),
    )
    assert contract.terms == Terms(
        usage="Reporting.",
        limitations="Not for real-time use.",
        billing="5000 USD per month",
        notice_period=build_level("notice_period", "P3M"),
        policies=("privacy-policy: https://example.com/privacy",),
    )
    assert contract.terms.notice_period is not None
    assert contract.terms.notice_period.seconds == 90 * 86_400
    assert contract.roles == (Role("analyst_us", description="Access for analysts in the US", server="production"),)
    assert contract.contact == "Checkout Team, checkout@example.com"
    assert (contract.links, contract.tags) == ({"datacontractCli": "https://example.com/cli"}, ("checkout",))


def test_open_data_contract_standard() -> None:
    parsed = parse_contract_file(STANDARD.encode(), "c.yaml")
    assert parsed.refused == ()
    contract = parsed.contract
    assert contract is not None
    (payments,) = contract.models
    assert (payments.name, payments.physical_name, payments.id, payments.title, payments.tags) == (
        "payments",
        "payment_v2",
        "payments_tbl",
        "Payments",
        ("core",),
    )
    assert payments.fields == (
        Field(
            "amount",
            physical_name="amt",
            type="number",
            physical_type="numeric(18, 2)",
            id="amount_col",
            minimum=0,
            exclusive_maximum=1_000_000,
            required=True,
            primary_key=False,
        ),
        Field("client", type="object"),
        Field("client.iban", type="string", classification="pii", pii=True, min_length=15, pattern="^[A-Z]{2}"),
        Field("client.birth", physical_name="client.born", type="date", pii=True),
        Field("state", type="string", enum=("open", "done")),
        Field("notes", type="array", references=("notes.id",)),
        Field("notes.element", type="string"),
    )
    assert contract.quality_rules[0] == Rule(
        "library", model="payments", metric="rowCount", dimension="completeness", severity="error", expected={"greater_than": 1000}
    )
    assert contract.sla == (
        Level("latency", "4 d", seconds=4 * 86_400, element="payments.at"),
        Level("time_of_availability", "09:00-08:00", element="payments.day", driver="regulatory"),
        Level("availability", "99.9 %", ratio=0.999, element="payments.at"),
    )
    assert contract.terms == Terms("Closing the books.", "Not before noon.", "What was paid.", billing="9.95 USD per megabyte")
    assert contract.roles == (Role("closers", "read", approvers=("Boss", "Big Boss")), Role("reader", "read", server="warehouse"))
    assert contract.owners == (Party("ana@example.com", "business", "Ana"), Party("bo@example.com", "steward"))
    assert (contract.domain, contract.product, contract.standard) == ("finance", "payments", "Open Data Contract Standard 3.0.2")
    assert contract.consumers == ("closing@example.com",)
    assert contract.contact == "https://slack.example.com/money"


def test_the_team_of_3_1_and_the_enum_and_map_of_3_2() -> None:
    contract = read_contract(
        "apiVersion: v3.2.0\nkind: DataContract\nid: a\nversion: 1.0.0\n"
        "team: {name: sellers, members: [{username: bo, role: Data Owner}]}\n"
        "schema:\n"
        "  - name: t\n"
        "    properties:\n"
        "      - {name: level, logicalType: integer, enum: [{value: 1}, {value: 2}]}\n"
        "      - {name: m, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: number}}}\n"
    )
    assert contract.owners == (Party("sellers"), Party("bo"))
    fields = [(field.name, field.type, field.enum) for field in contract.models[0].fields]
    assert fields == [("level", "integer", (1, 2)), ("m", "map", ()), ("m.key", "string", ()), ("m.value", "number", ())]


@pytest.mark.parametrize("text", [SPECIFICATION, STANDARD])
def test_a_contract_is_read_back_from_its_asset(text: str) -> None:
    contract = parse_contract_file(text.encode(), "c.yaml").contract
    assert contract is not None
    assert build_contract(contract.id, build_contract_attributes(contract)) == contract


def test_passwords_are_not_kept() -> None:
    contract = parse_contract_file(
        STANDARD.replace("host: db.example.com", "host: db\n    location: postgres://me:hunter2@db/x").encode(), "c.yaml"
    ).contract
    assert contract is not None
    assert "hunter2" not in str(contract)
    assert contract.servers[0].settings["location"] == "postgres://db/x"


def test_every_error_is_one_message_with_its_line() -> None:
    text = (
        "dataContractSpecification: 1.1.0\n"
        "id: x\n"
        "info:\n"
        "  title: t\n"
        "models:\n"
        "  m:\n"
        "    fields:\n"
        "      a: {type: string, required: maybe, tags: pii}\n"
        "      b: {$ref: '#/definitions/nope'}\n"
        "      d: 7\n"
        "definitions:\n"
        "  note: {type: string, minimum: 0.5}\n"
        "servers: []\n"
    )
    assert list_refusals(text) == [
        "c.yaml:3: info.version is missing: a contract has an id and a version",
        "c.yaml:8: models.m.fields.a.required: found 'maybe'; accepted is true or false",
        "c.yaml:8: models.m.fields.a.tags: found 'pii'; accepted is a list",
        "c.yaml:9: there is no '#/definitions/nope' in this file; did you mean 'note'?",
        "c.yaml:10: models.m.fields.d: found 7; accepted is a mapping",
        "c.yaml:13: servers: found a list of 0; accepted is a mapping",
    ]


def test_every_error_of_the_standard() -> None:
    text = (
        "kind: DataContract\napiVersion: v3.0.2\nteam: 5\nid: a\nversion: 1.0.0\nschema:\n"
        " - name: x\n   tags: 3\n   properties: [{logicalType: string}]\n"
    )
    assert list_refusals(text) == [
        "c.yaml:3: team: found 5; accepted is a mapping or a list",
        "c.yaml:8: schema.0.tags: found 3; accepted is a list",
        "c.yaml:9: schema.0.properties.0.name is missing",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n", "c.yaml:1: this is not a known kind of data contract; accepted are Data Contract Specification 0.9 to 1.2"),
        ("- a\n", "c.yaml:1: found a list of 1, which is not a data contract; accepted are"),
        ("\ndataContractSpecification: 2.0.0\n", "c.yaml:2: dataContractSpecification: found '2.0.0'; accepted are"),
        ("kind: DataContract\napiVersion: v2.2.2\n", "c.yaml:2: apiVersion: found 'v2.2.2'; accepted are"),
        ("apiVersion: datacontract.com/v7\n", "c.yaml:1: apiVersion: found 'datacontract.com/v7'; accepted are"),
        ("kind: DataProduct\napiVersion: v1.0.0\n", "c.yaml:1: this is a data product: `meshline ingest product` reads it"),
        ("a: [\n", "c.yaml:2: this is not YAML"),
    ],
)
def test_what_is_no_contract(text: str, message: str) -> None:
    (found,) = list_refusals(text)
    assert found.startswith(message)


def test_what_may_be_a_mistake_is_warned_of() -> None:
    text = (
        "dataContractSpecification: 1.1\nid: 5\ninfo: {version: 1.10}\nmodels: {m: {fields: {a: {requierd: true, $ref: 'https://x/y'}}}}\n"
    )
    parsed = parse_contract_file(text.encode(), "c.yaml")
    assert parsed.contract is not None
    assert (parsed.contract.id, parsed.contract.version) == ("5", "1.1")
    assert parsed.warnings == (
        "c.yaml:4: unknown key 'requierd'; did you mean 'required'?",
        "c.yaml:4: 'https://x/y' is outside this file and is not fetched; only the keys beside the reference are read",
        "c.yaml:3: info.version is a number, so that 1.10 is read as 1.1; write it in quotes",
    )


def test_keys_that_the_standard_does_not_know_are_warned_of() -> None:
    parsed = parse_contract_file(b"kind: DataContract\napiVersion: v3.1.0\nid: a\nversion: 1.0.0\nbogus: 1\n", "c.yaml")
    assert parsed.contract is not None
    assert parsed.warnings == ("c.yaml:5: bogus: this key is unknown and ignored",)


def list_reference_refusals(to: str, **definitions: str) -> list[str]:
    """The refusals of a contract with one field that refers to a definition."""
    written = "".join(f"  {name}: {{{inside}}}\n" for name, inside in definitions.items())
    models = f"models: {{m: {{fields: {{a: {{{to}}}}}}}}}\n"
    return list_refusals(f"dataContractSpecification: 0.9.3\nid: x\ninfo: {{version: 1.0.0}}\n{models}definitions:\n{written}")


def format_reference(name: str) -> str:
    return f"$ref: '#/definitions/{name}'"


def test_references_that_lead_nowhere_end() -> None:
    assert list_reference_refusals(format_reference("a"), a=format_reference("b"), b=format_reference("a")) == [
        "c.yaml:4: the reference '#/definitions/a' leads back to itself"
    ]
    (deep,) = list_reference_refusals(format_reference("a"), a=f"fields: {{b: {{{format_reference('a')}}}}}")
    assert "nested more than 24 levels" in deep
    pairs = {f"l{i}": f"fields: {{a: {{{format_reference(f'l{i + 1}')}}}, b: {{{format_reference(f'l{i + 1}')}}}}}" for i in range(20)}
    (wide,) = list_reference_refusals(format_reference("l0"), **pairs, l20="type: string")
    assert "more than 20000 fields" in wide

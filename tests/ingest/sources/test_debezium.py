"""Debezium connectors: what is captured, where it goes, and what becomes of the columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import decode_facts
from meshline.graph.model import AssetKey, EdgeType, FlowType
from meshline.graph.naming import Naming
from meshline.ingest.java_properties import parse_properties
from meshline.ingest.sources.base import Context, Entry, Item, KnownColumn, Refusal
from meshline.ingest.sources.debezium.java_regex import Matcher, compile_regex, split_list
from meshline.ingest.sources.debezium.source import Debezium

POSTGRES = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "database.hostname": "orders-db",
    "database.dbname": "orders",
    "database.user": "debezium",
    "database.password": "hunter2",
    "topic.prefix": "cdc",
    "kafka.bootstrap.servers": "kafka-1:9092,kafka-2:9092",
}
TABLE = model.build_dataset_key("postgres://orders-db", "orders.public.orders")
TOPIC = model.build_dataset_key("kafka://kafka-1", "cdc.public.orders")
JOB = model.build_job_key("cdc", "cdc.0")

Known = Mapping[str, Sequence[str]]  # qualified names of datasets and their columns


class ConnectorReading:
    """The statement of one connector."""

    def __init__(self, found: Sequence[Item], warnings: Sequence[str]) -> None:
        [entry] = found
        assert isinstance(entry, Entry), entry
        self.entry, self.warnings = entry, warnings
        self.facts = decode_facts(entry.content.blob)
        self.job = {fact.key: fact.attributes for fact in self.facts.assets}

    @property
    def tables(self) -> list[str]:
        return sorted(edge.end.name for edge in self.facts.edges if edge.type is EdgeType.READS)

    @property
    def topics(self) -> list[str]:
        return sorted(edge.end.name for edge in self.facts.edges if edge.type is EdgeType.WRITES)

    @property
    def pairs(self) -> set[tuple[str, str]]:
        return {(flow.start.qualified_name, flow.end.qualified_name) for flow in self.facts.flows if len(flow.start.parts) == 2}

    @property
    def columns(self) -> dict[tuple[str, str], tuple[str, bool]]:
        return {(flow.start.name, flow.end.name): (flow.subtype, flow.masking) for flow in self.facts.flows if len(flow.start.parts) == 3}


def read_connector_file(
    folder: Path, content: object, known: Known | None = None, *, file: str = "connector.json", kafka: str = ""
) -> tuple[list[Item], list[str]]:
    (folder / file).write_text(content if isinstance(content, str) else json.dumps(content))
    names = known or {}
    keys = [model.build_dataset_key(*text.rsplit("/", 1)) for text in names]
    context = Context(
        Naming(),
        folder,
        columns_of=lambda key: [KnownColumn(name, "") for name in names.get(key.qualified_name, ())],
        datasets_in=lambda namespace: [key for key in keys if key.parts[0] == Naming().normalise_dataset(namespace, "x").parts[0]],
    )
    reading = Debezium(files=(file,), kafka=kafka).read(context)
    found = list(reading.items)
    return found, list(reading.warnings)


def read_connector(folder: Path, config: Mapping[str, Any], known: Known | None = None, *, kafka: str = "") -> ConnectorReading:
    return ConnectorReading(*read_connector_file(folder, {"name": "orders-connector", "config": config}, known, kafka=kafka))


def list_refusals(found: Sequence[Item]) -> list[str]:
    return [str(one.error) for one in found if isinstance(one, Refusal)]


def test_a_plain_table_goes_to_its_topic(tmp_path: Path) -> None:
    one = read_connector(tmp_path, {**POSTGRES, "table.include.list": "public.orders"})
    assert one.warnings == []
    assert one.entry.scope == ("connector", "orders-connector")
    assert [(edge.type, edge.start, edge.end) for edge in one.facts.edges] == [
        (EdgeType.READS, JOB, TABLE), (EdgeType.WRITES, JOB, TOPIC),
    ]  # fmt: skip
    [flow] = one.facts.flows
    assert (flow.start, flow.end, flow.covered, flow.job) == (TABLE, TOPIC, False, JOB)
    assert one.job[TOPIC] == {"dataset_type": "TOPIC"}
    assert one.job[JOB] == {
        "title": "orders-connector", "job_type": "CONNECTOR", "processing_type": "STREAMING", "integration": "DEBEZIUM",
        "connector_class": "io.debezium.connector.postgresql.PostgresConnector", "snapshot_mode": "initial", "snapshot_data": True,
        "record_format": "envelope",
    }  # fmt: skip


def test_known_columns_go_with_it(tmp_path: Path) -> None:
    known = {"postgres://orders-db/orders.public.orders": ["id", "email", "note", "phone", "total"]}
    lists = {
        "table.include.list": "public.orders",
        "column.exclude.list": "public\\.orders\\.NOTE",
        "column.mask.with.10.chars": "public.orders.phone",
        "column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K": ".*[.]email",
        "column.truncate.to.2.chars": "public.orders.total",
    }
    one = read_connector(tmp_path, {**POSTGRES, **lists}, known)
    assert one.columns == {
        ("id", "id"): ("IDENTITY", False),
        ("email", "email"): ("TRANSFORMATION", True),
        ("phone", "phone"): ("TRANSFORMATION", True),
        ("total", "total"): ("TRANSFORMATION", False),
    }
    assert {flow.type for flow in one.facts.flows} == {FlowType.DIRECT}
    assert [flow.covered for flow in one.facts.flows if flow.start == TABLE] == [True]
    for secret in (b"hunter2", b"CzQMA0cB5K"):
        assert secret not in one.entry.content.blob


def test_an_include_list_of_columns_leaves_the_others_out(tmp_path: Path) -> None:
    known = {"postgres://orders-db/orders.public.orders": ["id", "email"]}
    config = {**POSTGRES, "table.include.list": "public.orders", "column.include.list": "public.orders.id"}
    assert read_connector(tmp_path, config, known).columns == {("id", "id"): ("IDENTITY", False)}


KNOWN = {
    f"postgres://orders-db/{name}": ()
    for name in (
        "orders.public.orders", "orders.public.orders_old", "orders.sales.orders", "orders.public.customers",
        "billing.public.orders", "orders.pg_catalog.pg_class",
    )
}  # fmt: skip


@pytest.mark.parametrize(
    ("lists", "tables"),
    [
        ({"table.include.list": "public.orders.*"}, ["public.orders", "public.orders_old"]),
        ({"table.include.list": "public.(orders|customers)"}, ["public.customers", "public.orders"]),
        ({"table.include.list": "PUBLIC[.]ORDERS"}, ["public.orders"]),  # anchored, whatever the case
        ({"table.include.list": "orders"}, []),
        ({"table.include.list": " public\\.orders , sales\\.orders "}, ["public.orders", "sales.orders"]),
        ({"table.exclude.list": "public[.].*"}, ["sales.orders"]),
        ({"table.whitelist": "sales.orders"}, ["sales.orders"]),
        ({"schema.include.list": "sales"}, ["sales.orders"]),
        ({"schema.exclude.list": "pub.*"}, ["sales.orders"]),
        ({"schema.include.list": "public", "table.include.list": "sales.orders,public.orders"}, ["public.orders"]),
        ({}, ["public.customers", "public.orders", "public.orders_old", "sales.orders"]),
        ({"table.include.list": "public.new"}, ["public.new"]),  # a plain name needs no table that is known
    ],
)
def test_lists_are_expanded_as_debezium_does(tmp_path: Path, lists: dict[str, str], tables: list[str]) -> None:
    assert read_connector(tmp_path, {**POSTGRES, **lists}, KNOWN).tables == [f"orders.{table}" for table in tables]


def test_a_pattern_that_cannot_be_expanded_is_a_warning(tmp_path: Path) -> None:
    one = read_connector(tmp_path, {**POSTGRES, "table.include.list": "public.a.*,public.orders"}, KNOWN)
    [warning] = one.warnings
    assert warning.startswith(f"{tmp_path / 'connector.json'}:1: table.include.list: 'public.a.*' matches no known table")
    assert "postgres://orders-db:5432" in warning
    [warning] = read_connector(tmp_path, POSTGRES).warnings
    assert "all tables are captured, and none of postgres://orders-db:5432 is known" in warning


@pytest.mark.parametrize(
    ("class_name", "config", "table", "topic"),
    [
        ("mysql.MySqlConnector", {"database.port": 3307, "table.include.list": "s.orders"}, "mysql://orders-db:3307/s.orders", "s.orders"),
        ("mariadb.MariaDbConnector", {"table.include.list": "s.orders"}, "mariadb://orders-db:3306/s.orders", "s.orders"),
        (
            "sqlserver.SqlServerConnector",
            {"database.names": "shop", "table.include.list": "dbo.orders"},
            "mssql://orders-db/shop.dbo.orders",
            "shop.dbo.orders",
        ),
        (
            "sqlserver.SqlServerConnector",
            {"database.dbname": "shop", "table.include.list": "dbo.orders"},
            "mssql://orders-db/shop.dbo.orders",
            "dbo.orders",
        ),
        (
            "oracle.OracleConnector",
            {"database.dbname": "CDB", "database.pdb.name": "PDB1", "table.include.list": "SHOP.ORDERS"},
            "oracle://orders-db/PDB1.SHOP.ORDERS",
            "SHOP.ORDERS",
        ),
        ("db2.Db2Connector", {"database.dbname": "D", "table.include.list": "S.T"}, "db2://orders-db:50000/D.S.T", "S.T"),
        (
            "mongodb.MongoDbConnector",
            {
                "collection.include.list": "shop.orders",
                "mongodb.connection.string": "mongodb://me:pass%2Fword@mongo-1:27018,mongo-2:27018/?replicaSet=rs0",
            },
            "mongodb://mongo-1:27018/shop.orders",
            "shop.orders",
        ),
        (
            "mongodb.MongoDbConnector",
            {"collection.include.list": "shop.orders", "mongodb.hosts": "rs0/mongo-1,mongo-2"},
            "mongodb://mongo-1:27017/shop.orders",
            "shop.orders",
        ),
    ],
)
def test_each_database_has_its_names(tmp_path: Path, class_name: str, config: dict[str, Any], table: str, topic: str) -> None:
    base = {key: value for key, value in POSTGRES.items() if key != "database.dbname"}
    one = read_connector(tmp_path, {**base, **config, "connector.class": f"io.debezium.connector.{class_name}"})
    assert one.pairs == {(table, f"kafka://kafka-1/cdc.{topic}")}
    assert b"pass" not in one.entry.content.blob


def test_a_server_with_several_databases_has_each_ones_tables(tmp_path: Path) -> None:
    config = {**POSTGRES, "connector.class": "io.debezium.connector.sqlserver.SqlServerConnector", "database.names": "a,b"}
    one = read_connector(tmp_path, {**config, "table.include.list": "dbo.orders"})
    assert (one.tables, one.topics) == (["a.dbo.orders", "b.dbo.orders"], ["cdc.a.dbo.orders", "cdc.b.dbo.orders"])


def build_router(**options: str) -> dict[str, str]:
    keys = {"type": "org.apache.kafka.connect.transforms.RegexRouter", **options}
    return {
        **POSTGRES,
        "table.include.list": "public.orders",
        "transforms": "route",
        **{f"transforms.route.{key}": text for key, text in keys.items()},
    }


@pytest.mark.parametrize(
    ("regex", "replacement", "topic"),
    [
        (r"([^.]+)\.([^.]+)\.([^.]+)", "$3.v1", "orders.v1"),
        (r"cdc\.public\.(?<table>.*)", "lake.${table}", "lake.orders"),
        (r"cdc\.(.*)", r"\$1", "$1"),
        (r"public\.orders", "never", "cdc.public.orders"),  # the whole name must match
        (r"CDC\..*", "never", "cdc.public.orders"),
    ],
)
def test_topics_are_routed_by_expressions(tmp_path: Path, regex: str, replacement: str, topic: str) -> None:
    assert read_connector(tmp_path, build_router(regex=regex, replacement=replacement)).topics == [topic]


def test_tables_are_routed_together(tmp_path: Path) -> None:
    options = {
        "type": "io.debezium.transforms.ByLogicalTableRouter", "topic.regex": r"(.*)orders_shard(.*)", "topic.replacement": "$1all orders",
    }  # fmt: skip
    config = {**build_router(**options), "table.include.list": "public.orders_shard1,public.orders_shard2"}
    one = read_connector(tmp_path, config)
    assert one.topics == ["cdc.public.all_orders"]
    assert len(one.pairs) == 2


@pytest.mark.parametrize(("negate", "topic"), [("false", "routed"), ("true", "cdc.public.orders")])
def test_a_predicate_decides_by_topic(tmp_path: Path, negate: str, topic: str) -> None:
    predicates = {
        "predicates.is_orders.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        "predicates.is_orders.pattern": r".*\.orders",
    }
    assert read_connector(
        tmp_path, {**build_router(regex=".*", replacement="routed", predicate="is_orders", negate=negate), **predicates}
    ).topics == [topic]


def test_a_router_that_looks_into_records_is_not_guessed(tmp_path: Path) -> None:
    [warning] = read_connector(tmp_path, build_router(type="io.debezium.transforms.outbox.EventRouter")).warnings
    assert "transforms.route.type: EventRouter chooses topics by the content of records, which is not evaluated" in warning


def test_fields_of_flat_records_are_followed(tmp_path: Path) -> None:
    config = {
        **POSTGRES, "table.include.list": "public.orders", "transforms": "unwrap,fields,mask",
        "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
        "transforms.fields.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "transforms.fields.exclude": "note", "transforms.fields.renames": "id:order_id",
        "transforms.mask.type": "org.apache.kafka.connect.transforms.MaskField$Value", "transforms.mask.fields": "email",
    }  # fmt: skip
    known = {"postgres://orders-db/orders.public.orders": ["id", "email", "note"]}
    one = read_connector(tmp_path, config, known)
    assert one.columns == {("id", "order_id"): ("IDENTITY", False), ("email", "email"): ("TRANSFORMATION", True)}
    assert one.job[JOB]["record_format"] == "row"
    enveloped = read_connector(tmp_path, {**config, "transforms": "fields,mask"}, known)
    assert set(enveloped.columns) == {("id", "id"), ("email", "email"), ("note", "note")}


def test_columns_go_into_the_envelope_where_the_topic_is_known_to_have_one(tmp_path: Path) -> None:
    known = {
        "postgres://orders-db/orders.public.orders": ["id", "email"],
        "kafka://kafka-1/cdc.public.orders": ["op", "before", "before.id", "after", "after.id", "after.email"],
    }
    one = read_connector(tmp_path, {**POSTGRES, "table.include.list": "public.orders"}, known)
    assert set(one.columns) == {("id", "after.id"), ("id", "before.id"), ("email", "after.email")}


ROWS = ("after", "before")


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        (
            ["op", "after", "after.id", "before", "before.id"],  # the others came later than what is known
            {(name, f"{row}.{name if name != 'Id' else 'id'}") for name in ("Id", "e-mail", "1st") for row in ROWS},
        ),
        (
            ["op", "after", "after.Id", "after.e_mail", "after._1st"],
            {("Id", "after.Id"), ("e-mail", "after.e_mail"), ("1st", "after._1st")},
        ),
        (["op", "after", "before"], {(name, row) for name in ("Id", "e-mail", "1st") for row in ROWS}),
        (["id", "e_mail", "_1st", "after"], {("Id", "id"), ("e-mail", "e_mail"), ("1st", "_1st")}),
        ([], {("Id", "Id"), ("e-mail", "e-mail"), ("1st", "1st")}),
    ],
    ids=["later", "names of Avro", "documents as texts", "rows", "unknown"],
)
def test_columns_end_at_the_fields_that_the_topic_has(tmp_path: Path, topic: list[str], found: set[tuple[str, str]]) -> None:
    known = {"postgres://orders-db/orders.public.orders": ["Id", "e-mail", "1st"], "kafka://kafka-1/cdc.public.orders": topic}
    one = read_connector(tmp_path, {**POSTGRES, "table.include.list": "public.orders"}, known)
    assert set(one.columns) == found


def test_a_flat_record_has_no_envelope(tmp_path: Path) -> None:
    known = {"postgres://orders-db/orders.public.orders": ["after", "x"], "kafka://kafka-1/cdc.public.orders": ["after", "op", "X"]}
    flat = {"transforms": "flat", "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState"}
    config = {**POSTGRES, "table.include.list": "public.orders", **flat}
    assert set(read_connector(tmp_path, config, known).columns) == {("after", "after"), ("x", "X")}


def test_the_job_is_the_one_of_debeziums_own_events(tmp_path: Path) -> None:
    config = {
        **POSTGRES, "table.include.list": "public.orders", "snapshot.mode": "no_data",
        "openlineage.integration.job.namespace": "shop", "openlineage.integration.job.description": "orders to Kafka",
        "openlineage.integration.job.tags": "env=prod,cdc", "openlineage.integration.job.owners": "Ann=maintainer,Data Platform",
    }  # fmt: skip
    one = read_connector(tmp_path, config)
    job = model.build_job_key("shop", "cdc.0")
    about = one.job[job]
    assert (about["description"], about["tags"], about["snapshot_mode"], about["snapshot_data"]) == (
        "orders to Kafka", ["env=prod", "cdc"], "no_data", False,
    )  # fmt: skip
    owners = {(edge.start.name, edge.attributes["type"]) for edge in one.facts.edges if edge.type is EdgeType.OWNS}
    assert owners == {("Ann", "maintainer"), ("Data Platform", "technical")}


def list_brokers(folder: Path, kafka: str = "", **config: str) -> set[AssetKey]:
    base = {key: value for key, value in POSTGRES.items() if not key.startswith("kafka.")}
    one = read_connector(
        folder,
        {**base, "table.include.list": "public.orders", **{key.replace("_", "."): text for key, text in config.items()}},
        kafka=kafka,
    )
    return {edge.end for edge in one.facts.edges if edge.type is EdgeType.WRITES}


def test_the_broker_is_in_the_config_or_an_option(tmp_path: Path) -> None:
    topic = "cdc.public.orders"
    assert list_brokers(tmp_path, schema_history_internal_kafka_bootstrap_servers="PLAINTEXT://k:9093") == {
        model.build_dataset_key("kafka://k:9093", topic)
    }
    assert list_brokers(tmp_path, "mine:9092", kafka_bootstrap_servers="k:9092") == {model.build_dataset_key("kafka://mine", topic)}
    nowhere = {key: value for key, value in POSTGRES.items() if not key.startswith("kafka.")}
    found, _ = read_connector_file(tmp_path, {"name": "orders-connector", "config": {**nowhere, "table.include.list": "public.orders"}})
    (error,) = list_refusals(found)
    assert "the config does not name the Kafka broker of its topics" in error


def test_all_forms_of_files_are_read(tmp_path: Path) -> None:
    flat = {**POSTGRES, "table.include.list": "public.orders"}
    whole = {"name": "a", "config": flat}
    yaml = "apiVersion: kafka.strimzi.io/v1\nkind: KafkaConnector\nmetadata: {name: a}\nspec:\n  class: CLASS\n  config:\n"
    rows = [f"    {key}: {json.dumps(text)}" for key, text in flat.items() if key != "connector.class"]
    forms: list[tuple[str, object]] = [
        ("a.json", flat),
        ("x.json", whole),
        ("x.json", [whole]),
        ("x.json", {"a": {"info": {**whole, "tasks": []}, "status": {}}}),
        ("x.yaml", yaml.replace("CLASS", flat["connector.class"]) + "\n".join(rows)),
        ("a.properties", "# Kafka Connect, standalone\n" + "".join(f"{key} = {text}\n" for key, text in flat.items())),
        (
            "a.properties",
            "".join(
                f"debezium.{'sink.kafka.producer.bootstrap.servers' if key == 'kafka.bootstrap.servers' else f'source.{key}'}={text}\n"
                for key, text in flat.items()
            ),
        ),
    ]
    for file, content in forms:
        one = ConnectorReading(*read_connector_file(tmp_path, content, file=file))
        assert (one.entry.scope, one.topics) == (("connector", "a"), ["cdc.public.orders"]), (file, content)


def test_properties_are_read_as_java_does(tmp_path: Path) -> None:
    text = (
        "".join(f"{key}={value}\n" for key, value in POSTGRES.items())
        + "! a comment\ntable.include.list : public.orders,\\\n    public.b\\u0061r\n"
    )
    assert ConnectorReading(*read_connector_file(tmp_path, text, file="c.properties")).tables == [
        "orders.public.bar",
        "orders.public.orders",
    ]


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\xa0"])
def test_only_line_feeds_and_carriage_returns_end_a_property(sign: str) -> None:
    text = f"a=b{sign}c = d\r\n\t\x0ce:f\rg h"
    assert list(parse_properties(text, "c.properties")) == [(1, "a", f"b{sign}c = d"), (2, "e", "f"), (3, "g", "h")]


def test_a_space_that_may_not_be_broken_belongs_to_its_property() -> None:
    assert list(parse_properties("\xa0a=\xa0b", "c.properties")) == [(1, "\xa0a", "\xa0b")]


def test_escapes_of_half_a_character_are_joined_or_refused_at_their_line(tmp_path: Path) -> None:
    head = "".join(f"{key}={value}\n" for key, value in POSTGRES.items())
    whole, half = (f"{head}table.include.list=public.{escape}" for escape in (r"\ud83d\ude00", r"\ud83d"))
    assert ConnectorReading(*read_connector_file(tmp_path, whole, file="c.properties")).tables == ["orders.public.\N{GRINNING FACE}"]
    [refusal] = list_refusals(read_connector_file(tmp_path, half, file="c.properties")[0])
    assert f"c.properties:{len(POSTGRES) + 1}: half of a character" in refusal


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"connector.class": "io.debezium.connector.vitess.VitessConnector"},
            "connector.class: unknown connector class 'io.debezium.connector.vitess.VitessConnector'",
        ),
        ({"database.hostname": None}, "database.hostname: the key is missing"),
        ({"database.hostname": "${env:DB_HOST}"}, "database.hostname: the value is a placeholder"),
        ({"database.dbname": ""}, "database.dbname: the key is missing"),
        ({"topic.prefix": None}, "topic.prefix: the key is missing"),
        ({"table.include.list": "public.(orders"}, "table.include.list: 'public.(orders' is not a regular expression"),
        ({"table.include.list": "(a+)+b"}, "table.include.list: '(a+)+b' repeats a group"),
        ({"column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K": "a(b"}, "column.mask: 'a(b' is not a regular expression"),
        ({"table.include.list": {"a": 1}}, "table.include.list: found an object or a list"),
    ],
)
def test_a_connector_that_cannot_be_used_is_refused_at_its_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    config = {**POSTGRES, "table.include.list": "public.orders", **change}
    good = {**POSTGRES, "table.include.list": "public.orders"}
    found, _ = read_connector_file(tmp_path, json.dumps([{"name": "bad", "config": config}, {"name": "good", "config": good}], indent=1))
    [refusal] = list_refusals(found)
    place, _, rest = refusal.partition(": ")
    assert place.startswith(f"{tmp_path / 'connector.json'}:")
    assert rest.startswith(message)
    assert "CzQMA0cB5K" not in refusal
    assert "hunter2" not in refusal
    assert [one.scope for one in found if isinstance(one, Entry)] == [("connector", "good")]


def test_other_connectors_are_passed_over(tmp_path: Path) -> None:
    sink = {"name": "log", "config": {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector"}}
    found, warnings = read_connector_file(
        tmp_path, [sink, {"name": "orders", "config": {**POSTGRES, "table.include.list": "public.orders"}}]
    )
    assert len(found) == 1
    assert [warning.partition(": ")[2] for warning in warnings] == [
        "connector.class: log is skipped: neither a Debezium connector nor an S3 or Iceberg sink"
    ]


@pytest.mark.parametrize(
    ("content", "message"), [("[1]", "not a connector's config"), ("{", "this is not YAML"), ("{}", "not a connector's config")]
)
def test_a_file_without_connectors_is_refused(tmp_path: Path, content: str, message: str) -> None:
    [refusal] = list_refusals(read_connector_file(tmp_path, content)[0])
    assert message in refusal


@pytest.mark.parametrize(
    "text",
    ["(a*)*", "(a|aa)+", "(a|a){30}", "([a-z]+\\.)*x", ".*.*.*.*.*x", "a?" * 17, "x" * 1001, "(?:(?:a)){2,}"],
)  # fmt: skip
def test_expressions_that_may_take_for_ever_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        compile_regex(text, "here")


@pytest.mark.parametrize(
    "text", [r"(.*)\.(.*)\.(.*)\.(.*)", r"(?!.*_tmp)public\..*", r"[(+*?)]+", r"a\)+", "a{1,3}b?", "(?i)abc", "(a|b)?"]
)
def test_usual_expressions_are_accepted(text: str) -> None:
    compile_regex(text, "here")


def test_matching_takes_no_longer_than_it_may() -> None:
    slow, matcher = compile_regex(".*.*.*.*x", "here"), Matcher(seconds=0.1)
    assert matcher.matches(slow, "a" * 250) is None
    with pytest.raises(InvalidInput, match=r"take more than 0\.1 seconds"):
        matcher.matches(slow, "a")
    assert matcher.matches(slow, "a" * 251) is None


def test_lists_have_commas_within_expressions() -> None:
    assert list(split_list(r"a\,b, c{1,2}d ,,e")) == ["a,b", "c{1,2}d", "e"]

"""Names and types of contracts, in the words of the servers that they name."""

from __future__ import annotations

import pytest

from meshline.governance.diff import compare_versions
from meshline.graph.contracts import Contract, Definition, Field, Model, Pair, Server, Version
from meshline.graph.model import build_dataset_key

ORDERS = build_dataset_key("db", "orders")
DCS, ODCS = "Data Contract Specification 1.1.0", "Open Data Contract Standard 3.1.0"
FOLDING = (
    "postgres",
    "postgresql",
    "snowflake",
    "redshift",
    "bigquery",
    "databricks",
    "trino",
    "athena",
    "duckdb",
    "mysql",
    "sqlserver",
    "oracle",
)


def list_rules(before: Field, after: Field, *servers: Server | str, standard: str = ODCS, to: tuple[str, ...] = ()) -> list[str]:
    """The rules of what differs between two versions of a contract of one model, that are on these servers."""
    on = tuple(one if isinstance(one, Server) else Server(f"s{i}", one) for i, one in enumerate(servers))
    now = tuple(Server(f"s{i}", one) for i, one in enumerate(to)) or on
    old, new = (
        Contract("c", "1.0", standard=standard, models=(Model("orders", fields=(field,)),), servers=where)
        for field, where in ((before, on), (after, now))
    )
    return [
        one.rule
        for one in compare_versions(Pair(*(Version(one, {"orders": (ORDERS,)}) for one in (old, new))))
        if not one.rule.startswith("location-")
    ]


def compare_types(before: str, after: str, *servers: str, standard: str = DCS, to: tuple[str, ...] = ()) -> list[str]:
    return list_rules(Field("a", type=before), Field("a", type=after), *servers, standard=standard, to=to)


def compare_physical_types(before: str, after: str, *servers: str) -> list[str]:
    return list_rules(Field("a", type="x", physical_type=before), Field("a", type="x", physical_type=after), *servers)


# -- names

RENAMED = ["column-removed", "column-added"]


@pytest.mark.parametrize("server", FOLDING)
def test_names_fold_where_the_server_of_a_contract_folds_them(server: str) -> None:
    assert list_rules(Field("Email", type="string"), Field("email", type="string"), server) == []


@pytest.mark.parametrize("server", ["clickhouse", "kafka", "s3", "api", "custom", "whatever"])
def test_names_are_case_sensitive_on_other_servers(server: str) -> None:
    assert list_rules(Field("Email", type="string"), Field("email", type="string"), server) == RENAMED


def test_names_are_case_sensitive_without_a_server_or_if_one_server_is() -> None:
    assert list_rules(Field("Email"), Field("email")) == RENAMED
    assert list_rules(Field("Email"), Field("email"), "postgres", "kafka") == RENAMED
    assert list_rules(Field("Email"), Field("email"), "postgres", "trino") == []


def test_files_have_the_names_of_their_format() -> None:
    delta, avro = (Server("lake", "s3", settings={"format": form}) for form in ("delta", "avro"))
    assert list_rules(Field("Email"), Field("email"), delta) == []
    assert list_rules(Field("Email"), Field("email"), avro) == RENAMED


@pytest.mark.parametrize(
    ("form", "found"),
    [("avro", 2), ("json", 2), ("iceberg", 2), ("protobuf", 2), ("delta", 0), ("postgres", 0), ("snowflake", 0), ("trino", 0), ("", 2)],
)
def test_names_of_a_table(form: str, found: int) -> None:
    old, new = (Version(Definition(Model("t", fields=(Field(name, type="string"),)), form)) for name in ("Email", "email"))
    assert len(compare_versions(Pair(old, new))) == found


def test_one_format_that_folds_decides_beside_one_that_is_not_known() -> None:
    """A table that the graph knows from OpenLineage, changed by DDL of Snowflake."""
    old, new = (
        Version(Definition(Model("t", fields=(Field(name, type="string"),)), form))
        for name, form in (("ID", "openlineage"), ("id", "snowflake"))
    )
    assert compare_versions(Pair(old, new)) == []


def test_a_quoted_name_that_is_renamed_in_case_only() -> None:
    """Only DDL that renames a column gives it an id."""
    for form, found in (("postgres", ["column-renamed"]), ("bigquery", [])):
        old, new = (
            Version(Definition(Model("t", fields=(Field(name, type="string", id="was Email"),)), form)) for name in ("Email", "email")
        )
        assert [one.rule for one in compare_versions(Pair(old, new))] == found


# -- types

SAME = [
    ("bigquery", "INT64", "INTEGER"),
    ("bigquery", "int", "bigint"),
    ("bigquery", "NUMERIC", "NUMERIC(38,9)"),
    ("postgres", "bigint", "int8"),
    ("postgres", "timestamp", "timestamp without time zone"),
    ("postgres", "timestamp", "timestamp_tz"),  # as the specification itself has it
    ("snowflake", "NUMBER", "NUMBER(38,0)"),
    ("snowflake", "STRING", "VARCHAR(16777216)"),
    ("snowflake", "int", "NUMBER(38,0)"),
    ("redshift", "varchar", "varchar(256)"),
    ("databricks", "decimal", "decimal(10,0)"),
    ("sqlserver", "datetime2", "datetime2(7)"),
]


@pytest.mark.parametrize(("server", "before", "after"), SAME)
def test_types_that_are_one_on_the_server(server: str, before: str, after: str) -> None:
    assert compare_types(before, after, server) == []
    if "timestamp_tz" not in after:
        assert compare_physical_types(before, after, server) == []


@pytest.mark.parametrize(
    ("server", "before", "after", "rule"),
    [
        ("postgres", "timestamp", "timestamptz", "type-changed"),
        ("postgres", "int", "bigint", "type-widened"),
        ("postgres", "bigint", "int", "type-changed"),
        ("snowflake", "NUMBER", "NUMBER(38,2)", "type-changed"),
        ("snowflake", "VARCHAR(20)", "VARCHAR", "type-widened"),
        ("bigquery", "TIMESTAMP", "DATETIME", "type-changed"),
    ],
)
def test_types_that_differ_on_the_server(server: str, before: str, after: str, rule: str) -> None:
    assert compare_types(before, after, server) == [rule]
    assert compare_physical_types(before, after, server) == [rule]


def test_physical_types_alone_are_compared() -> None:
    assert list_rules(Field("a", physical_type="int8"), Field("a", physical_type="text"), "postgres") == ["type-changed"]


def test_on_several_servers_the_worst_counts() -> None:
    assert compare_types("int", "bigint", "bigquery") == []
    assert compare_types("int", "bigint", "bigquery", "postgres") == ["type-widened"]


def test_without_a_server_the_words_are_the_contracts() -> None:
    assert compare_types("timestamp", "timestamptz") == []
    assert compare_types("timestamp", "timestamp without time zone") == ["type-changed"]
    assert compare_types("int", "bigint") == ["type-widened"]


def test_a_contract_that_moves_to_another_server_is_compared_in_its_own_words() -> None:
    assert compare_types("int", "int", "postgres", to=("snowflake",)) == []
    assert compare_types("int", "string", "postgres", to=("snowflake",)) == ["type-changed"]


def test_numbers_and_integers_are_one_family_in_json_schema_and_the_open_standard() -> None:
    for before, after, rule in (("number", "integer", "type-specified"), ("integer", "number", "type-widened")):
        assert compare_types(before, after, "kafka", standard=ODCS) == [rule]
        old, new = (Version(Definition(Model("t", fields=(Field("a", type=one),)), "json")) for one in (before, after))
        assert [one.rule for one in compare_versions(Pair(old, new))] == [rule]

"""dbt: the namespace of a project's datasets, as the OpenLineage integration of dbt makes it of profiles.yml."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.dbt.source import Dbt, read_namespace
from tests.ingest.sources.dbt_target import EXAMPLE


def write_profiles(folder: Path, output: str, adapter: str) -> Path:
    file = folder / "profiles.yml"
    file.write_text(
        f"config: {{}}\nshop:\n  target: dev\n  outputs:\n    dev: {{type: {adapter}, {output}}}\n    prod: {{type: {adapter}}}\n"
    )
    return file


@pytest.mark.parametrize(
    ("adapter", "output", "namespace"),
    [
        ("snowflake", "account: acme-main.eu", "snowflake://acme-main"),
        ("snowflake", "account: xy12345", "snowflake://xy12345.us-west-1.aws"),
        ("snowflake", "account: xy12345.us-east-1", "snowflake://xy12345.us-east-1.aws"),
        ("snowflake", "account: xy12345.east-us-2.azure", "snowflake://xy12345.east-us-2.azure"),
        ("bigquery", "project: p", "bigquery"),
        ("redshift", "host: cluster.eu.redshift.amazonaws.com, port: 5439", "redshift://cluster.eu.redshift.amazonaws.com:5439"),
        ("postgres", "host: db, port: 5433, password: geheim", "postgres://db:5433"),
        ("clickhouse", "host: ch, port: 8123", "clickhouse://ch:8123"),
        ("trino", "host: trino.internal, port: 443", "trino://trino.internal:443"),
        ("presto", "host: p, port: 1", "presto://p:1"),
        ("watsonx_presto", "host: p, port: 1", "presto://p:1"),
        ("databricks", "host: dbc.cloud.databricks.com", "databricks://dbc.cloud.databricks.com"),
        ("sqlserver", "server: s, port: 1434", "mssql://s:1434"),
        ("fabric", "server: s", "fabric-warehouse://s"),
        ("fabric", "server: s, port: 1", "fabric-warehouse://s:1"),
        ("dremio", "software_host: d, port: 9047", "dremio://d:9047"),
        ("athena", "region_name: eu-west-1", "awsathena://athena.eu-west-1.amazonaws.com"),
        ("glue", "region: eu-west-1, account_id: 123", "arn:aws:glue:eu-west-1:123"),
        ("glue", 'region: eu-west-1, role_arn: "arn:aws:iam::456:role/x"', "arn:aws:glue:eu-west-1:456"),
        ("duckdb", "path: /warehouse/shop.duckdb", "duckdb:///warehouse/shop.duckdb"),
        ("spark", "host: s, method: thrift", "spark://s:10001"),
        ("spark", "host: s, method: http", "spark://s:443"),
        ("spark", "host: s, method: odbc, port: 5", "spark://s:5"),
    ],
)
def test_datasets_are_named_as_in_events_of_dbt(tmp_path: Path, adapter: str, output: str, namespace: str) -> None:
    assert read_namespace(adapter, write_profiles(tmp_path, output, adapter), None, None) == namespace


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "shop: {target: dev, outputs: {dev: {type: duckdb, path: x}}}",
            {},
            "'dev' is a connection of type 'duckdb', the manifest's adapter is",
        ),
        ("shop: {target: dev, outputs: {dev: {type: postgres, host: h}}}", {}, "the connection has no 'port'; set --namespace instead"),
        ("shop: {target: dev, outputs: {dev: {type: postgres, host: \"{{ env_var('H') }}\", port: 1}}}", {}, "'host' is a template"),
        ("a: {}\nb: {}", {}, "set --profile to one of: a, b"),
        ("shop: {}", {"profile": "shpo"}, "there is no profile 'shpo'; did you mean 'shop'?; accepted: shop"),
        ("shop: {outputs: {a: {}, b: {}}}", {}, "set --target to one of: a, b"),
        ("shop: {target: \"{{ env_var('T') }}\", outputs: {a: {}, b: {}}}", {}, "set --target to one of: a, b"),
        ("shop: {outputs: {a: {}}}", {"target": "b"}, "there is no target 'b'; accepted: a"),
        ("shop: []", {}, "expected a mapping, as dbt's profiles.yml has it"),
        ("shop: {outputs: 7}", {}, "expected a mapping, as dbt's profiles.yml has it"),
        ("- x", {}, "expected a mapping, as dbt's profiles.yml has it"),
        ("{", {}, "this is not YAML"),
    ],
)
def test_what_profiles_do_not_state(tmp_path: Path, text: str, options: dict[str, str], message: str) -> None:
    file = tmp_path / "profiles.yml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_namespace("postgres", file, options.get("profile"), options.get("target"))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}:")


def test_no_secret_is_in_a_message(tmp_path: Path) -> None:
    file = write_profiles(tmp_path, "host: db, password: geheim", "postgres")
    with pytest.raises(InvalidInput) as caught:
        read_namespace("postgres", file, None, None)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (
            "duckdb",
            "the host of its duckdb: set --namespace (duckdb:///path/file.duckdb, as in its OpenLineage events) or --profiles FILE",
        ),
        ("oracle", "the host of its oracle: set --namespace (oracle://host:port, as in its OpenLineage events)"),
        ("", "the host of its database: set --namespace"),
    ],
)
def test_nothing_is_known(adapter: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_namespace(adapter, None, None, None)
    assert message in str(caught.value)


def test_an_alias_is_a_namespace() -> None:
    target = EXAMPLE / "dbt" / "target"
    context = Context(Naming(), target, aliases={"marts": "duckdb:///warehouse/marts.duckdb"})
    found = list(Dbt(path=target, namespace="marts").read(context).items)
    assert found == list(Dbt(path=target, namespace="duckdb:///warehouse/marts.duckdb").read(context).items)

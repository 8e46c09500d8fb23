"""Files of SQL: their statements about tables, scripts and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from meshline.graph import model
from meshline.graph.content import decode_facts
from meshline.graph.model import AssetKey, EdgeType, Facts
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Entry, KnownColumn, Refusal, Source
from meshline.ingest.sources.reading_loader import load_reading
from meshline.ingest.sources.registry import build_source
from meshline.ingest.sources.sql.source import Sql
from tests.ingest.sources.fake_source import build_table, count_outcomes, load_items, open_graph

EXAMPLE = Path(__file__).parents[3] / "examples" / "mesh" / "trino"
NAMESPACE = "trino://trino.internal"
ORDERS = model.build_dataset_key(NAMESPACE, "lake.raw.orders")
TOTALS = model.build_dataset_key(NAMESPACE, "lake.gold.totals")

Known = Mapping[str, Sequence[str]]  # columns by the name of a table


class SqlReading:
    """The results of a reading."""

    def __init__(self, folder: Path, known: Known, source: Sql) -> None:
        columns = {key: [KnownColumn(name, "") for name in names] for key, names in known.items()}
        context = Context(Naming(), folder, aliases={"wh": NAMESPACE}, columns_of=lambda key: columns.get(key.name, []))
        reading = source.read(context)
        found = list(reading.items)
        self.refused = [str(one.error) for one in found if isinstance(one, Refusal)]
        self.facts = {one.scope: decode_facts(one.content.blob) for one in found if isinstance(one, Entry)}
        self.times = {one.scope: one.time for one in found if isinstance(one, Entry)}
        self.warnings = list(reading.warnings)

    def get_facts(self, key: AssetKey) -> Facts:
        return self.facts["sql", *key.parts]


def read_files(folder: Path, files: Mapping[str, str], known: Known | None = None, **options: str) -> SqlReading:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    given = {"dialect": "trino", "namespace": NAMESPACE, "catalog": "lake", "schema": "raw", **options}
    return SqlReading(folder, known or {}, Sql.model_validate({"files": ["**/*.sql"], **given}))


@pytest.mark.parametrize(
    ("catalog", "schema", "names"),
    [
        ("shop", "", ("shop.mart.v", "shop.raw.orders")),
        ("shop", "public", ("shop.mart.v", "shop.raw.orders")),
        ("", "public", ("mart.v", "raw.orders")),
    ],
)
def test_a_catalog_is_that_of_names_with_a_schema(tmp_path: Path, catalog: str, schema: str, names: tuple[str, str]) -> None:
    reading = read_files(tmp_path, {"v.sql": "CREATE VIEW mart.v AS SELECT id FROM raw.orders"}, catalog=catalog, schema=schema)
    facts = reading.get_facts(model.build_dataset_key(NAMESPACE, names[0]))
    assert list_dataset_flows(facts) == {(names[1], names[0]): True}


def test_use_changes_what_names_leave_out(tmp_path: Path) -> None:
    text = "USE DATABASE shop; CREATE VIEW mart.v AS SELECT id FROM raw.orders; USE SCHEMA raw; CREATE VIEW mart.w AS SELECT id FROM orders"
    reading = read_files(tmp_path, {"v.sql": text}, dialect="snowflake", catalog="LAKE", schema="S")
    assert list_dataset_flows(reading.get_facts(model.build_dataset_key(NAMESPACE, "SHOP.MART.V"))) == {
        ("SHOP.RAW.ORDERS", "SHOP.MART.V"): True
    }
    assert list_dataset_flows(reading.get_facts(model.build_dataset_key(NAMESPACE, "SHOP.MART.W"))) == {
        ("SHOP.RAW.ORDERS", "SHOP.MART.W"): True
    }


def list_column_flows(facts: Facts) -> set[tuple[str, str, str]]:
    """Between columns, and from columns to tables."""
    return {(flow.start.name, flow.end.name, flow.subtype) for flow in facts.flows if flow.start.kind is model.AssetKind.COLUMN}


def list_dataset_flows(facts: Facts) -> dict[tuple[str, str], bool]:
    """From table to table: whether columns cover it."""
    return {(flow.start.name, flow.end.name): flow.covered for flow in facts.flows if flow.start.kind is model.AssetKind.DATASET}


def test_a_view(tmp_path: Path) -> None:
    text = "CREATE VIEW gold.totals (key, total) AS\nSELECT id, sum(amount) FROM orders WHERE state = 'paid' GROUP BY id"
    facts = read_files(tmp_path, {"totals.sql": f"-- a view\n{text};\n"}).get_facts(TOTALS)
    assert list_column_flows(facts) == {
        ("id", "key", "IDENTITY"),
        ("amount", "total", "AGGREGATION"),
        ("state", "lake.gold.totals", "FILTER"),
        ("id", "lake.gold.totals", "GROUP_BY"),
    }
    assert list_dataset_flows(facts) == {("lake.raw.orders", "lake.gold.totals"): True}
    assert all(flow.job is None for flow in facts.flows)
    assert {fact.key: dict(fact.attributes) for fact in facts.assets} == {TOTALS: {"dataset_type": "VIEW", "sql": text}}
    assert [(edge.type, edge.end.name, edge.attributes) for edge in facts.edges] == [
        (EdgeType.HAS_COLUMN, "key", {"position": 1}),
        (EdgeType.HAS_COLUMN, "total", {"position": 2}),
    ]


def test_a_script_is_a_job(tmp_path: Path) -> None:
    text = "INSERT INTO gold.totals (key) SELECT id FROM orders; SELECT max(id) FROM checks; DELETE FROM gold.totals WHERE key = 0"
    reading = read_files(tmp_path, {"nightly.sql": text})
    job = model.build_job_key(NAMESPACE, "nightly")
    facts = reading.get_facts(TOTALS)
    assert {(edge.type, edge.start, edge.end) for edge in facts.edges} == {
        (EdgeType.READS, job, ORDERS),
        (EdgeType.READS, job, TOTALS),
        (EdgeType.WRITES, job, TOTALS),
    }
    assert {flow.job for flow in facts.flows} == {job}
    assert list_column_flows(facts) == {("id", "key", "IDENTITY"), ("key", "lake.gold.totals", "FILTER")}
    script = reading.facts["sql-script", *job.parts]
    assert [edge.end.name for edge in script.edges] == ["lake.raw.checks"]
    assert dict(script.assets[0].attributes) == {"job_type": "SCRIPT", "integration": "SQL", "dialect": "trino"}


def test_files_of_one_name_are_different_jobs(tmp_path: Path) -> None:
    text = "INSERT INTO {} (a) SELECT a FROM orders"
    reading = read_files(tmp_path, {"x/load.sql": text.format("x"), "y/load.sql": text.format("y"), "other.sql": text.format("z")})
    assert {scope[2] for scope in reading.facts if scope[0] == "sql-script"} == {"x/load", "y/load", "other"}


def test_several_statements_of_one_table_are_one_scope(tmp_path: Path) -> None:
    reading = read_files(tmp_path, {"a.sql": "INSERT INTO t (x) SELECT x FROM a", "b.sql": "INSERT INTO t (x) SELECT y FROM b"})
    assert list_column_flows(reading.get_facts(model.build_dataset_key(NAMESPACE, "lake.raw.t"))) == {
        ("x", "x", "IDENTITY"),
        ("y", "x", "IDENTITY"),
    }


def test_a_pair_is_covered_only_if_all_columns_are_resolved(tmp_path: Path) -> None:
    known = {"lake.raw.a": ["x", "y"], "lake.raw.t": ["x", "y"]}
    files = {"a.sql": "INSERT INTO t SELECT x, y FROM a; INSERT INTO t SELECT 1, count(*) FROM a; INSERT INTO t SELECT * FROM unknown"}
    reading = read_files(tmp_path, files, known)
    facts = reading.get_facts(model.build_dataset_key(NAMESPACE, "lake.raw.t"))
    assert list_dataset_flows(facts) == {("lake.raw.a", "lake.raw.t"): False, ("lake.raw.unknown", "lake.raw.t"): False}
    assert list_column_flows(facts) == {("x", "x", "IDENTITY"), ("y", "y", "IDENTITY")}
    assert reading.warnings == ["a.sql:1: the columns of lake.raw.unknown are not known, and go into t by position"]


def test_files_need_each_other_in_any_order(tmp_path: Path) -> None:
    files = {
        "1_last.sql": "CREATE VIEW last AS SELECT * FROM middle",
        "2_middle.sql": "CREATE VIEW middle AS SELECT * FROM first",
        "3_first.sql": "CREATE TABLE first (id bigint, name varchar)",
    }
    reading = read_files(tmp_path, files, {"lake.raw.middle": ["old"]})
    assert list_column_flows(reading.get_facts(model.build_dataset_key(NAMESPACE, "lake.raw.last"))) == {
        ("id", "id", "IDENTITY"),
        ("name", "name", "IDENTITY"),
    }
    assert reading.warnings == []
    first = reading.get_facts(model.build_dataset_key(NAMESPACE, "lake.raw.first"))
    assert [edge.end.name for edge in first.edges] == ["id", "name"]
    assert dict(first.assets[0].attributes) == {"dataset_type": "TABLE"}


def test_bad_statements_are_refused_with_their_place_and_the_others_ingested(tmp_path: Path) -> None:
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    files = {"a.sql": "CREATE VIEW v AS SELECT a FROM t;\n\nINSERT INTO x SELECT FROM WHERE;\nCREATE VIEW w AS SELECT b FROM t;"}
    reading = read_files(tmp_path, files)
    assert [text.partition(" it is")[0] for text in reading.refused] == [
        "latin.sql: byte 8 is not UTF-8; accepted is a file of SQL in UTF-8",
        "a.sql:3:27:",
    ]
    assert [scope[2] for scope in reading.facts if scope[0] == "sql"] == ["lake.raw.v", "lake.raw.w"]


def test_columns_and_nested_ones_come_from_the_graph(tmp_path: Path) -> None:
    known = {"lake.raw.orders": ["id", "ship", "ship.city"]}
    reading = read_files(tmp_path, {"v.sql": "CREATE VIEW gold.totals AS SELECT *, ship.city AS city FROM orders"}, known)
    assert list_column_flows(reading.get_facts(TOTALS)) == {
        ("id", "id", "IDENTITY"),
        ("ship", "ship", "IDENTITY"),
        ("ship.city", "ship.city", "IDENTITY"),
        ("ship.city", "city", "IDENTITY"),
    }


def test_names_are_what_they_are_without_options(tmp_path: Path) -> None:
    reading = read_files(
        tmp_path, {"v.sql": 'CREATE VIEW "V" AS SELECT a FROM s.t'}, dialect="postgres", namespace="", catalog="", schema=""
    )
    assert list(reading.facts) == [("sql", "postgres", "V")]
    (pair,) = list_dataset_flows(reading.get_facts(model.build_dataset_key("postgres", "V")))
    assert pair == ("s.t", "V")


def test_an_alias_of_a_namespace(tmp_path: Path) -> None:
    assert TOTALS.parts in {
        scope[1:] for scope in read_files(tmp_path, {"v.sql": "CREATE VIEW gold.totals AS SELECT 1 AS a"}, namespace="wh").facts
    }


def test_an_unknown_dialect(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="found 'trini'; did you mean 'trino'"):
        read_files(tmp_path, {"v.sql": "SELECT 1"}, dialect="trini")


def test_the_keys_of_mesh_yaml() -> None:
    source = build_source({"kind": "sql", "files": ["a.sql"], "dialect": "trino", "schema": "s"})
    assert isinstance(source, Sql)
    assert (source.schema_, source.complete, source.source) == ("s", True, "sql/default")
    with pytest.raises(ValidationError):
        Sql.model_validate({"files": [], "dialect": "trino"})


def test_the_example_twice() -> None:
    source = build_source({"kind": "sql", "files": ["*.sql"], "dialect": "trino", "namespace": NAMESPACE})
    assert isinstance(source, Source)
    with open_graph() as live:
        load_items(live, [Entry(("table", "x"), build_table("iceberg.orders.customer_orders", "order_id", "status", namespace=NAMESPACE))])
        first = load_reading(live, source.read(Context(Naming(), EXAMPLE)), 1_800_000_000_000_000)
        assert count_outcomes(first) == {"read": 3, "new": 3}
        again = load_reading(live, source.read(Context(Naming(), EXAMPLE)), 1_800_000_000_000_001)
        assert count_outcomes(again) == {"read": 3, "unchanged": 3}
        node = live.index.assets.find_by_key(model.build_dataset_key(NAMESPACE, "delta.orders.open_orders"))
        assert node is not None
        assert [live.index.assets.get_key(column).name for column in live.index.assets.list_columns(node)] == [
            "order_id",
            "customer_id",
            "created_at",
        ]

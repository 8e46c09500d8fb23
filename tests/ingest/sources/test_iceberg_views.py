"""The lineage of the views of an Iceberg catalog, read from their SQL."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.graph import model
from meshline.graph.index import Direction, Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.iceberg.source import Iceberg
from tests.ingest.sources.iceberg_catalog import sync_catalog

LAKE = "http://lake:8181"
REVENUE = model.build_dataset_key(LAKE, "gold.revenue")
VIEW = model.build_dataset_key(LAKE, "gold.v_top")


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_fields(*names: str) -> list[dict[str, Any]]:
    return [{"id": i, "name": name, "required": False, "type": "string"} for i, name in enumerate(names, 1)]


def write_table(folder: Path, name: str, *columns: str) -> None:
    metadata = {
        "format-version": 2,
        "table-uuid": name,
        "location": f"file:///warehouse/{name}",
        "last-updated-ms": 1_700_000_000_000,
        "schemas": [{"type": "struct", "schema-id": 0, "fields": build_fields(*columns)}],
        "current-schema-id": 0,
    }
    (folder / f"{name}.json").write_text(json.dumps({"metadata": metadata}))


def write_view(folder: Path, *sql: tuple[str, str], default_catalog: str | None = None) -> None:
    representations = [{"type": "sql", "sql": text, "dialect": dialect} for text, dialect in sql]
    metadata = {
        "view-uuid": "v",
        "format-version": 1,
        "location": "file:///warehouse/v",
        "schemas": [{"type": "struct", "schema-id": 0, "fields": build_fields("country", "revenue")}],
        "current-version-id": 1,
        "versions": [
            {
                "version-id": 1,
                "timestamp-ms": 1_700_000_000_000,
                "schema-id": 0,
                "default-namespace": ["gold"],
                "representations": representations,
                "default-catalog": default_catalog,
            }
        ],
        "version-log": [{"version-id": 1, "timestamp-ms": 1_700_000_000_000}],
    }
    (folder / "gold.v_top.json").write_text(json.dumps({"metadata": metadata}))


def load_views(graph: LiveGraph, folder: Path) -> tuple[str, ...]:
    return sync_catalog(graph, Iceberg(files=("*.json",), namespace=LAKE), folder).warnings


def list_upstream(graph: LiveGraph, *column: str) -> dict[str, Reach]:
    """The columns that a column of the view (or the whole view) is derived from."""
    start = graph.index.assets.find_by_key(model.build_column_key(VIEW, *column) if column else VIEW)
    assert start is not None
    found = graph.index.lineage.traverse([start], Direction.UPSTREAM)
    rows = zip(found.nodes.tolist(), found.reach.tolist(), strict=True)
    named = ((graph.index.assets.get_key(node), Reach(reach)) for node, reach in rows)
    return {key.qualified_name.removeprefix(f"{LAKE}/"): reach for key, reach in named if key.kind is model.AssetKind.COLUMN}


@pytest.mark.parametrize("default", ["lake", None])
@pytest.mark.parametrize("name", ["revenue", "gold.revenue", "lake.gold.revenue", "LAKE.Gold.REVENUE", "`gold`.`revenue`"])
def test_columns_come_from_the_catalog_s_tables(graph: LiveGraph, tmp_path: Path, name: str, default: str | None) -> None:
    if name.startswith("LAKE") and default:
        default = name.partition(".")[0].lower()
    write_table(tmp_path, "gold.revenue", "country", "revenue", "n")
    write_view(tmp_path, (f"SELECT country, revenue FROM {name} WHERE n > 1", "spark"), default_catalog=default)
    assert load_views(graph, tmp_path) == ()
    assert list_upstream(graph, "revenue") == {"gold.revenue.revenue": Reach.DIRECT, "gold.revenue.n": Reach.INDIRECT}
    assert load_views(graph, tmp_path) == ()


def test_a_star_and_other_names_of_the_columns(graph: LiveGraph, tmp_path: Path) -> None:
    write_table(tmp_path, "gold.revenue", "c", "r")
    write_view(tmp_path, ("SELECT * FROM revenue", "trino"))
    assert load_views(graph, tmp_path) == ()
    assert list_upstream(graph, "revenue")["gold.revenue.r"] is Reach.DIRECT
    assert "gold.revenue.c" not in list_upstream(graph, "revenue")


def test_the_first_representation_that_can_be_read_is_used(graph: LiveGraph, tmp_path: Path) -> None:
    write_table(tmp_path, "gold.revenue", "country", "revenue")
    text = "SELECT country, revenue FROM revenue"
    write_view(tmp_path, (text, "starrocks-99"), ("SELECT FROM WHERE", "spark"), (text, "trino"))
    assert load_views(graph, tmp_path) == ()
    assert list_upstream(graph, "revenue")["gold.revenue.revenue"] is Reach.DIRECT


def test_a_view_that_cannot_be_read_is_possible_with_a_warning(graph: LiveGraph, tmp_path: Path) -> None:
    write_table(tmp_path, "gold.revenue", "country", "revenue")
    write_table(tmp_path, "gold.other", "country")
    write_view(tmp_path, ("SELECT country FROM WHERE gold.revenue -- gold.other", "spark"))
    (warning,) = load_views(graph, tmp_path)
    assert warning.startswith("view gold.v_top: its SQL cannot be read as spark")
    assert list_upstream(graph)["gold.revenue.revenue"] is Reach.POSSIBLE
    assert "gold.other.country" not in list_upstream(graph)


def test_without_sqlglot_lineage_is_possible_with_a_warning(graph: LiveGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def import_without_sqlglot(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("meshline.sql"):
            raise ModuleNotFoundError("No module named 'sqlglot'", name="sqlglot")
        return usual(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", import_without_sqlglot)
    write_table(tmp_path, "gold.revenue", "country", "revenue")
    write_view(tmp_path, ("SELECT country, revenue FROM lake.gold.revenue", "spark"), default_catalog="lake")
    (warning,) = load_views(graph, tmp_path)
    assert "needs the extra 'sql'" in warning
    node = graph.index.assets.find_by_key(model.build_column_key(REVENUE, "revenue"))
    assert node is not None
    found = graph.index.lineage.traverse([node], Direction.DOWNSTREAM)
    assert found.completeness.possible_only == 1
    assert {Reach(reach) for reach in found.reach.tolist()} == {Reach.POSSIBLE}


def test_a_table_of_another_catalog_is_a_warning(graph: LiveGraph, tmp_path: Path) -> None:
    write_table(tmp_path, "gold.revenue", "country", "revenue")
    text = "SELECT r.country, c.revenue FROM gold.revenue r JOIN pg.raw.customers c ON r.country = c.country"
    write_view(tmp_path, (text, "trino"), default_catalog="lake")
    (warning,) = load_views(graph, tmp_path)
    assert warning == "view gold.v_top: it reads pg.raw.customers, which this catalog does not list"
    assert list_upstream(graph, "country")["gold.revenue.country"] is Reach.DIRECT


def test_a_view_that_changes_and_goes(graph: LiveGraph, tmp_path: Path) -> None:
    write_table(tmp_path, "gold.revenue", "country", "revenue")
    write_table(tmp_path, "gold.other", "country", "revenue")
    write_view(tmp_path, ("SELECT country, revenue FROM revenue", "spark"))
    load_views(graph, tmp_path)
    write_view(tmp_path, ("SELECT country, revenue FROM other", "spark"))
    load_views(graph, tmp_path)
    assert set(list_upstream(graph, "revenue")) == {"gold.other.revenue"}
    (tmp_path / "gold.v_top.json").unlink()
    load_views(graph, tmp_path)
    assert graph.index.assets.find_by_key(VIEW) is None

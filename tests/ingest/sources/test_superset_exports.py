"""Exports of Superset: the same dashboards and columns as by its API, from ZIP files and unpacked ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_consumer_key
from meshline.graph.naming import Naming
from meshline.ingest.sources.dashboards import superset_exports
from meshline.ingest.sources.dashboards.superset import Superset
from meshline.ingest.sources.registry import build_source
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget
from tests.api.conftest import AskGraph
from tests.ingest.sources.fake_source import open_graph
from tests.ingest.sources.test_superset import ORDERS, check_example, find_affected

RECORDED = Path(__file__).parent / "superset_export.zip"  # by scripts/record-superset
TRINO, MART = "trino://trino.internal", "lake.gold.daily_revenue"
DATABASE = """\
database_name: Lake
sqlalchemy_uri: trino://bi@trino.internal:8080/lake/gold
uuid: 00000000-0000-0000-0000-00000000000d
version: 1.0.0
"""
DATASET = """\
table_name: daily_revenue
schema: gold
catalog: lake
sql: null
uuid: 00000000-0000-0000-0000-00000000000a
metrics: [{metric_name: total, expression: SUM(revenue)}]
columns: [{column_name: day}, {column_name: country}, {column_name: revenue}, {column_name: orders}]
version: 1.0.0
database_uuid: 00000000-0000-0000-0000-00000000000d
"""
CHART = """\
slice_name: Revenue by country
viz_type: pie
params: {groupby: [country], metric: total}
query_context: null
uuid: 00000000-0000-0000-0000-00000000000c
version: 1.0.0
dataset_uuid: 00000000-0000-0000-0000-00000000000a
"""
DASHBOARD = """\
dashboard_title: Revenue
slug: revenue
published: true
certified_by: finance
uuid: 00000000-0000-0000-0000-00000000000b
position:
  DASHBOARD_VERSION_KEY: v2
  CHART-x: {type: CHART, meta: {uuid: 00000000-0000-0000-0000-00000000000c, chartId: 7}}
metadata:
  native_filter_configuration:
  - targets: [{column: {name: day}, datasetUuid: 00000000-0000-0000-0000-00000000000a}]
version: 1.0.0
"""
FILES = {
    "metadata.yaml": "version: 1.0.0\ntype: Dashboard\ntimestamp: '2026-03-02T08:00:00.5+00:00'\n",
    "databases/Lake.yaml": DATABASE,
    "datasets/Lake/daily_revenue.yaml": DATASET,
    "charts/Revenue_by_country_7.yaml": CHART,
    "dashboards/Revenue_1.yaml": DASHBOARD,
    "tags.yaml": "tags: []\n",
}


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


def pack(folder: Path, files: Mapping[str, str | bytes], name: str = "export.zip") -> Path:
    """A ZIP file as Superset makes it: in a folder that is named after the time."""
    with zipfile.ZipFile(folder / name, "w") as archive:
        for inner, text in files.items():
            archive.writestr(f"dashboard_export_20260302T080000/{inner}", text)
    return folder / name


def unpack(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def load(live: LiveGraph, folder: Path, *files: str, **keys: object) -> SyncOutcome:
    source = Superset.model_validate({"files": files or ("*.zip",), **keys})
    return sync_source(LocalTarget(live, Naming()), source, folder, variables=lambda _: None)


def list_refused(done: SyncOutcome) -> list[str]:
    assert done.loading is not None, done.error
    return [f"{error.where}: {error}" for error in done.loading.refused]


def test_a_recorded_export_has_what_the_api_has(live: LiveGraph) -> None:
    done = load(live, RECORDED.parent, RECORDED.name)
    assert list_refused(done) == []
    of_sales = {reach: name for name, reach in find_affected(live, ORDERS, "customer_id").items()}
    check_example(live, sales=of_sales["INDIRECT"], twin=of_sales["POSSIBLE"])
    assert sorted(name.partition(" (dashboard/")[0] for name in of_sales.values()) == ["Sales", "Sales"]


@pytest.mark.parametrize("packed", [True, False])
def test_a_column_reaches_the_dashboards_of_an_export(live: LiveGraph, tmp_path: Path, *, packed: bool) -> None:
    if packed:
        pack(tmp_path, FILES)
    else:
        unpack(tmp_path, FILES)
    done = load(live, tmp_path, "*.zip" if packed else "**/*.yaml", url="http://superset:8088/")
    assert list_refused(done) == []
    for column, reach in {"revenue": "DIRECT", "country": "DIRECT", "day": "DIRECT"}.items():
        assert find_affected(live, MART, column, TRINO) == {"Revenue": reach}
    node: dict[str, Any] = AskGraph(live)(
        "query($id: ID!) { node(id: $id) { facts { attribute value validFrom } } }", id=build_consumer_key("Revenue").id
    )["node"]
    facts = {fact["attribute"]: (fact["value"], fact["validFrom"]) for fact in node["facts"]}
    assert facts["url"][0] == "http://superset:8088/superset/dashboard/revenue/"
    assert facts["status"] == ("published", "2026-03-02T08:00:00.500000+00:00")
    assert load(live, tmp_path, "*.zip" if packed else "**/*.yaml", url="http://superset:8088").loading is not None


def test_a_column_that_no_chart_uses_reaches_none(live: LiveGraph, tmp_path: Path) -> None:
    pack(tmp_path, FILES)
    load(live, tmp_path)
    with pytest.raises(AssertionError):  # the column is not known at all
        find_affected(live, MART, "orders", TRINO)


def test_of_an_asset_in_several_exports_the_newest_counts(live: LiveGraph, tmp_path: Path) -> None:
    newer = {"metadata.yaml": FILES["metadata.yaml"].replace("03-02", "03-03"), "charts/a.yaml": CHART.replace("total", "orders")}
    for first, second in (("a.zip", "b.zip"), ("b.zip", "a.zip")):  # whatever the order of the files
        pack(tmp_path, FILES, first)
        pack(tmp_path, newer, second)
        load(live, tmp_path)
        assert find_affected(live, MART, "orders", TRINO) == {"Revenue": "DIRECT"}


def test_what_is_in_no_export_any_more_is_retracted(live: LiveGraph, tmp_path: Path) -> None:
    pack(tmp_path, FILES)
    load(live, tmp_path)
    again = load(live, tmp_path)
    assert again.loading is not None
    assert (again.loading.new, again.loading.changed, again.loading.retracted) == (0, 0, 0)
    pack(tmp_path, {name: text for name, text in FILES.items() if not name.startswith("dashboards/")})
    load(live, tmp_path)
    assert live.index.assets.find_by_key(build_consumer_key("Revenue")) is None
    assert find_affected(live, MART, "revenue", TRINO) == {"Revenue by country": "DIRECT"}, "the chart is on no dashboard now"


def test_a_dashboard_of_sql(live: LiveGraph, tmp_path: Path) -> None:
    sql = DATASET.replace("sql: null", "sql: SELECT country, sum(revenue) AS revenue FROM daily_revenue WHERE orders > 1 GROUP BY 1")
    pack(tmp_path, {**FILES, "datasets/Lake/daily_revenue.yaml": sql.replace("daily_revenue\nschema", "large\nschema")})
    load(live, tmp_path, url="https://superset:8088")
    assert find_affected(live, MART, "revenue", TRINO) == {"Revenue": "DIRECT"}
    assert find_affected(live, MART, "orders", TRINO) == {"Revenue": "INDIRECT"}
    assert find_affected(live, "Lake.gold.large", "revenue", "superset://superset:8088") == {"Revenue": "DIRECT"}


def pack_bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("charts/large.yaml", b"a: " + b" " * (4 * 2**20))
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("bad.zip", b"PK nothing", "bad.zip: this is no ZIP file of Superset"),
        ("empty.zip", b"PK\x05\x06" + b"\0" * 18, "empty.zip: there are no YAML files in it"),
        ("bomb.zip", pack_bomb(), "bomb.zip/charts/large.yaml: the file has 2097153 bytes"),
        ("bad.yaml", b"a: [", "bad.yaml:1: this is not YAML"),
        ("list.yaml", b"- a", "list.yaml: found no mapping"),
        ("other.yaml", b"some: file", "other.yaml: this is no file of an export"),
        ("chart.yaml", b"slice_name: 5\nuuid: x", "chart.yaml: this is not as Superset exports it: Expected `str`, got `int`"),
        ("no.yaml", b"dashboard_title: x", "no.yaml: this is not as Superset exports it: Object missing required field `uuid`"),
        ("deep.yaml", b"slice_name: " + b"[" * 100, "nested more than 24 levels deep"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, name: str, content: bytes, part: str) -> None:
    (tmp_path / name).write_bytes(content)
    reading = superset_exports.ExportReading([name], tmp_path, "")
    assert not reading.read().charts
    (refused,) = reading.refusals
    assert part in f"{refused.error.where}: {refused.error}"


def test_a_file_that_is_refused_retracts_nothing(live: LiveGraph, tmp_path: Path) -> None:
    pack(tmp_path, FILES, "good.zip")
    (tmp_path / "bad.zip").write_bytes(b"PK")
    load(live, tmp_path, "good.zip")
    assert len(list_refused(load(live, tmp_path, "bad.zip"))) == 1
    assert find_affected(live, MART, "revenue", TRINO) == {"Revenue": "DIRECT"}
    assert len(list_refused(load(live, tmp_path, "good.zip", "bad.zip"))) == 1


def test_limits_of_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(tmp_path, FILES)
    for limit, part in (
        ("MAX_ARCHIVE", "the file has more than 1 bytes"),
        ("MAX_UNPACKED", "more than 1 bytes"),
        ("MAX_ENTRIES", "more than 1 files"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(superset_exports, limit, 1)
            reading = superset_exports.ExportReading(["*.zip"], tmp_path, "")
            reading.read()
            assert part in str(reading.refusals[0].error)


def test_a_chart_without_its_dataset_is_reported(live: LiveGraph, tmp_path: Path) -> None:
    pack(tmp_path, {name: text for name, text in FILES.items() if not name.startswith("datasets/")})
    done = load(live, tmp_path)
    assert done.loading is not None
    assert [str(warning) for warning in done.loading.warnings] == ["chart 'Revenue by country': its dataset is in none of the files"]


def test_a_file_that_is_not_there_is_refused(live: LiveGraph, tmp_path: Path) -> None:
    (refused,) = list_refused(load(live, tmp_path, "missing/*.zip"))
    assert "no file matches" in refused


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({}, "give the url of a Superset, or the files of its exports"),
        ({"files": ["a.zip"], "token": "x"}, "files are read without an account"),
        ({"files": ["a.zip"], "user": "x", "url": "http://superset"}, "files are read without an account"),
    ],
)
def test_keys_that_do_not_fit(keys: dict[str, object], part: str) -> None:
    with pytest.raises(Exception, match=part):
        build_source({"kind": "superset", **keys})

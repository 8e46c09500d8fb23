"""The part of examples/chain behind its Iceberg catalog: dbt builds marts on Trino, and dashboards of Superset show them.

    found = chain_marts.record_marts("http://127.0.0.1:8181", home)    # a catalog that has silver.orders and silver.customers
    found.texts          # by the name of their file in examples/chain: dbt/target/, events/trino.ndjson, superset/
    found.replacements   # addresses and folders of this machine in the texts, and what to write instead

Afterwards the catalog has the tables of `gold`, too.

Needs Maven, Java 24 or newer, Python 3.10 or 3.11, and 2 GB of disk; takes five minutes once all is there. As a command,
`python chain_marts.py HOME` makes tables of its own, and prints the names and sizes of the texts.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import event_collector
import iceberg_rest
import process
import recording
import superset
import trino
import venvs

SERVERS = Path(__file__).resolve().parent
PROJECT = SERVERS.parents[1] / "examples" / "chain" / "dbt"
SUPERSET = "superset.internal"
# The same columns as the tables that Spark writes in examples/chain.
ORDERS = """CREATE TABLE lake.silver.orders AS SELECT * FROM (VALUES
    (bigint '1', bigint '1', decimal '0000000019.90', 'PAID', timestamp '2026-03-01 09:12:44.000000 UTC'),
    (2, 1, decimal '0000000005.00', 'OPEN', timestamp '2026-03-01 10:00:00.000000 UTC'),
    (3, 2, decimal '0000000120.10', 'PAID', timestamp '2026-03-02 08:30:00.000000 UTC')
) AS t (order_id, customer_id, amount, status, placed_at)"""
CUSTOMERS = """CREATE TABLE lake.silver.customers AS SELECT * FROM (VALUES
    (bigint '1', 'Ada', 'ada@company.com', 'DE'),
    (2, 'Bo', 'bo@company.com', 'FR')
) AS t (customer_id, name, email, country)"""


class Recorded(NamedTuple):
    """What was recorded; see the top of this file."""

    texts: dict[str, str]
    replacements: dict[str, str]


def record_marts(iceberg_uri: str, home: Path, before: tuple[str, ...] = ()) -> Recorded:
    """Build the marts and the dashboards. `before`: statements that Trino runs first, whose events are not recorded."""
    dbt = venvs.ensure_environment("dbt-trino", SERVERS / "dbt-trino" / "requirements.txt")
    texts: dict[str, str] = {}
    catalogs = {"lake": trino.describe_iceberg(iceberg_uri)}
    with event_collector.collect_events() as events, trino.serve(home / "trino", catalogs, events.url) as engine:
        for statement in before:
            trino.run_statement(engine.url, statement)
        events.wait_until_quiet(3)
        events.lines.clear()
        trino.run_statement(engine.url, "CREATE SCHEMA IF NOT EXISTS lake.gold")
        texts |= run_dbt(dbt, engine.url, home)
        with superset.serve(home / "superset") as dashboards:
            fill_dashboards(dashboards.url, engine.url)
            texts |= export_dashboards(dashboards.url)
        events.wait_until_quiet(3)
        texts["events/trino.ndjson"] = "".join(f"{trino.thin_event(line)}\n" for line in events.lines)
    replacements = {
        urlsplit(engine.url).netloc: urlsplit(trino.ADDRESS).netloc,
        urlsplit(dashboards.url).netloc: SUPERSET,
        iceberg_uri: "http://iceberg-rest.internal:8181",
        (home / "dbt").as_posix(): "/dbt",
    }
    return Recorded(texts, replacements)


def run_dbt(dbt: Path, url: str, home: Path) -> dict[str, str]:
    """The artifacts of the second of two `dbt build`, which replaces the tables of the first, and of `dbt docs generate`, on a Trino."""
    project = home / "dbt"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    place = urlsplit(url)
    environment = {
        "PATH": f"{dbt / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "DBT_PROFILES_DIR": str(project),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "TRINO_HOST": place.hostname or "",
        "TRINO_PORT": str(place.port),
    }
    command = str(dbt / "bin" / "dbt")
    for _ in range(2):
        process.run_tool("dbt build", [command, "build"], home / "dbt-build.log", environment, project)
    texts = {name: (project / "target" / name).read_text() for name in ("manifest.json", "run_results.json")}
    process.run_tool("dbt docs", [command, "docs", "generate", "--no-compile"], home / "dbt-docs.log", environment, project)
    texts["catalog.json"] = (project / "target" / "catalog.json").read_text()
    texts["manifest.json"] = recording.thin_manifest(texts["manifest.json"])
    for name in ("run_results.json", "catalog.json"):
        texts[name] = recording.thin_metadata(texts[name])
    return {f"dbt/target/{name}": text for name, text in texts.items()}


def fill_dashboards(url: str, engine: str) -> None:
    """Two dashboards over the mart: `Revenue` shows its revenue, `Orders` does not."""
    api = superset.Api(url)
    address = engine.replace("http://", "trino://bi@") + "/lake/gold"
    lake = api.make("database", database_name="Lake", sqlalchemy_uri=address, expose_in_sqllab=True)
    mart = api.make("dataset", database=lake, catalog="lake", schema="gold", table_name="daily_revenue")

    def add_chart(name: str, kind: str, dashboard: int, **parameters: object) -> None:
        params = json.dumps({"datasource": f"{mart}__table", "viz_type": kind, **parameters})
        links = {"datasource_id": mart, "datasource_type": "table", "dashboards": [dashboard]}
        api.make("chart", slice_name=name, viz_type=kind, params=params, **links)

    revenue = {"expressionType": "SIMPLE", "column": {"column_name": "revenue"}, "aggregate": "SUM", "label": "SUM(revenue)"}
    orders = {"expressionType": "SQL", "sqlExpression": "SUM(orders)", "label": "orders"}
    first = api.make("dashboard", dashboard_title="Revenue", slug="revenue", published=True)
    second = api.make("dashboard", dashboard_title="Orders", slug="orders", published=True)
    add_chart("Revenue by country", "pie", first, groupby=["country"], metric=revenue)
    add_chart("Orders by day", "echarts_timeseries_bar", second, x_axis="day", metrics=[orders], groupby=[])


def export_dashboards(url: str) -> dict[str, str]:
    """The files of an export of all dashboards, below `superset/`."""
    api = superset.Api(url)
    ids = ",".join(str(one["id"]) for one in api.send("GET", "dashboard/")["result"])
    texts = {}
    with zipfile.ZipFile(io.BytesIO(api.load(f"dashboard/export/?q=!({ids})"))) as archive:
        for name in archive.namelist():
            inner = name.partition("/")[2]  # without the folder that is named after the time
            # Clock readings are moved in texts of JSON, which have other quotes.
            texts[f"superset/{inner}"] = re.sub(r"'(\d{4}-\d\d-\d\dT[^']*)'", r'"\1"', archive.read(name).decode())
    return texts


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: chain_marts.py HOME", file=sys.stderr)
        return 2
    home = Path(tempfile.mkdtemp(prefix="marts-", dir=Path(sys.argv[1]).resolve()))
    try:
        with iceberg_rest.serve(home) as catalog:
            found = record_marts(catalog.url, home, ("CREATE SCHEMA lake.silver", ORDERS, CUSTOMERS))
    except process.ServerError as error:
        print(f"chain_marts: {error}; logs are in {home}", file=sys.stderr)
        return 1
    write(found.texts, home / "texts")
    print(json.dumps(found.replacements, indent=1))
    return 0


def write(texts: Mapping[str, str], folder: Path) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        print(f"{folder / name}: {len(text.encode()) / 1000:.1f} kB")


if __name__ == "__main__":
    sys.exit(main())

"""A real Apache Superset without Docker, on loopback. Standard library only; needs 700 MB of disk, and Python 3.10 or 3.11.

    with superset.serve(home) as server:
        superset.fill_example(server.url, "postgresql://postgres:PASSWORD@127.0.0.1:PORT/shop")

The administrator is `admin`, with the password `admin`. As a command, `python superset.py HOME` serves until SIGINT or SIGTERM and prints
the address.
"""

from __future__ import annotations

import json
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import process
import venvs

HERE = Path(__file__).resolve().parent
ADMIN = "admin"
CONFIG = """\
SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = {database!r}
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
FEATURE_FLAGS = {{"TAGGING_SYSTEM": True}}
"""
TABLES = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, customer_id bigint, amount numeric(12, 2), currency text, status text, ordered_at timestamptz
);
CREATE TABLE shop.customers (id bigint PRIMARY KEY, email text, country text);
"""
REVENUE = (
    "SELECT c.country, o.currency, sum(o.amount) AS revenue FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id"
    " WHERE o.status = 'PAID' GROUP BY 1, 2"
)
RECENT = 'SELECT id, amount, status FROM shop.orders WHERE status = \'{{ url_param("status") or "PAID" }}\''


def start(home: Path) -> process.Server:
    """Make an empty Superset in `home` and start it; return once it answers."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    folder, log = venvs.ensure_environment("superset", HERE / "superset" / "requirements.txt"), home / "superset.log"
    config = home / "superset_config.py"
    config.write_text(CONFIG.format(secret=secrets.token_hex(16), database=f"sqlite:///{home / 'superset.db'}"))
    environment = {"SUPERSET_CONFIG_PATH": str(config), "FLASK_APP": "superset", "SUPERSET_HOME": str(home)}
    admin = ["--username", ADMIN, "--password", ADMIN, "--firstname", "Ada", "--lastname", "Admin", "--email", "ada@company.com"]
    process.report("Superset makes its database (once for each home, about two minutes)")
    for command in (["db", "upgrade"], ["fab", "create-admin", *admin], ["init"]):
        process.run_tool(f"superset {command[0]}", [str(folder / "bin" / "superset"), *command], log, environment, home)
    port = process.find_free_port()
    started = process.start([str(folder / "bin" / "superset"), "run", "-h", "127.0.0.1", "-p", str(port)], log, environment)
    url = f"http://127.0.0.1:{port}"
    process.wait_until_ready(started, lambda: process.is_answering(f"{url}/health"), log)
    return process.Server(url, started, log)


@contextmanager
def serve(home: Path) -> Iterator[process.Server]:
    with process.stop_at_end(start(home)) as server:
        yield server


class Api:
    """Superset's API, as its administrator."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"
        self._token = ""
        sign_in = {"username": ADMIN, "password": ADMIN, "provider": "db", "refresh": True}
        self._token = self.send("POST", "security/login", sign_in)["access_token"]

    def send(self, method: str, address: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._request(method, address, body))
        return found

    def load(self, address: str) -> bytes:
        """A file."""
        return self._request("GET", address, None)

    def _request(self, method: str, address: str, body: Mapping[str, object] | None) -> bytes:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/{address}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=process.PATIENCE) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise process.ServerError(f"Superset answers {error.code} to {method} {address}: {error.read()[:500]!r}") from error

    def make(self, kind: str, **body: object) -> int:
        """The id of what is made."""
        return int(self.send("POST", f"{kind}/", body)["id"])


def fill_example(url: str, database: str) -> None:
    """Dashboards over tables of `TABLES`, which the database has. Two have one name, one a chart of an unknown kind."""
    api = Api(url)
    address = database.replace("postgresql://", "postgresql+psycopg2://")
    shop = api.make("database", database_name="Shop", sqlalchemy_uri=address, expose_in_sqllab=True)
    orders, customers = (api.make("dataset", database=shop, schema="shop", table_name=name) for name in ("orders", "customers"))
    revenue, recent = (
        api.make("dataset", database=shop, schema="shop", table_name=name, sql=sql)
        for name, sql in (("revenue by country", REVENUE), ("recent orders", RECENT))
    )
    _add_calculations(api, orders)
    sales = api.make("dashboard", dashboard_title="Sales", published=True, slug="sales")
    overview = api.make("dashboard", dashboard_title="Überblick ✓", published=False)
    twin = api.make("dashboard", dashboard_title="Sales")
    net = {"expressionType": "SIMPLE", "column": {"column_name": "net"}, "aggregate": "SUM", "label": "net"}
    paid = {"expressionType": "SIMPLE", "subject": "status", "operator": "IN", "comparator": ["PAID", "id"], "clause": "WHERE"}
    large = {"expressionType": "SQL", "sqlExpression": "amount > 10", "clause": "WHERE"}
    total = {"expressionType": "SQL", "sqlExpression": "SUM(revenue)", "label": "total"}
    lines = {"x_axis": "ordered_at", "metrics": ["revenue"], "groupby": ["currency"], "adhoc_filters": [paid]}
    for name, dataset, kind, parameters, dashboards in (
        ("Revenue by day", orders, "echarts_timeseries_line", lines, [sales]),
        ("Net", orders, "big_number_total", {"metric": net}, [sales, overview]),
        ("Countries", revenue, "table", {"query_mode": "aggregate", "groupby": ["country"], "metrics": [total]}, [sales]),
        ("Emails", customers, "table", {"query_mode": "raw", "all_columns": ["email", "country"]}, []),
        ("Recent", recent, "table", {"query_mode": "raw", "all_columns": ["id", "status"], "adhoc_filters": [large]}, [overview]),
        ("Strange", orders, "my_plugin", {"whatever": 1}, [twin]),
    ):
        params = json.dumps({"datasource": f"{dataset}__table", "viz_type": kind, **parameters})
        links = {"datasource_id": dataset, "datasource_type": "table", "dashboards": dashboards}
        api.make("chart", slice_name=name, viz_type=kind, params=params, **links)
    by_country = {
        "id": "NATIVE_FILTER-1",
        "name": "Country",
        "filterType": "filter_select",
        "type": "NATIVE_FILTER",
        "scope": {"rootPath": []},
    }
    targets = [{"datasetId": customers, "column": {"name": "country"}}]
    filters = {"native_filter_configuration": [{**by_country, "targets": targets, "defaultDataMask": {}, "cascadeParentIds": []}]}
    api.send("PUT", f"dashboard/{sales}", {"json_metadata": json.dumps(filters)})


def _add_calculations(api: Api, dataset: int) -> None:
    """A column that is computed from another, and a metric."""
    found = api.send("GET", f"dataset/{dataset}")["result"]
    kept = ("id", "column_name", "type", "expression", "verbose_name", "description", "is_dttm", "filterable", "groupby", "is_active")
    columns = [{key: value for key, value in column.items() if key in kept} for column in found["columns"]]
    metrics = [{"id": one["id"], "metric_name": one["metric_name"], "expression": one["expression"]} for one in found["metrics"]]
    revenue = {"metric_name": "revenue", "expression": "SUM(amount) FILTER (WHERE status = 'PAID')"}
    body = {
        "columns": [*columns, {"column_name": "net", "expression": "amount / 1.19", "type": "NUMERIC"}],
        "metrics": [*metrics, revenue],
        "description": "Every order",
    }
    api.send("PUT", f"dataset/{dataset}", body)


if __name__ == "__main__":
    sys.exit(process.run_command("superset", serve, lambda served: served.url))

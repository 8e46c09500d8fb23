"""A real Airflow without Docker, on loopback: `airflow standalone` over a PostgreSQL. Standard library only; needs 900 MB of disk, 1.5 GB
of memory, and Python 3.10 to 3.12.

    with airflow_server.serve(home, database, shop, settings) as airflow:
        airflow.run_dag("shop_nightly")
        airflow.wait_for_runs(["shop_nightly", "shop_export"])

`database` is Airflow's own, an empty one; `shop` that of the DAGs, with the tables of airflow/tables.sql. `settings` has those of the
OpenLineage provider, as a shell would read them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import process
import venvs

HERE = Path(__file__).resolve().parent / "airflow"
TABLES = HERE / "tables.sql"
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Server:
    """An Airflow that runs. `token`: of its administrator. `folder`: of its Python environment."""

    url: str
    token: str
    home: Path
    folder: Path
    process: subprocess.Popen[bytes]
    log: Path

    def run_dag(self, name: str) -> None:
        """Begin a run of a DAG, once Airflow has read its file."""
        self._wait(lambda: not self._ask(f"dags/{name}")["is_paused"], f"the DAG {name} is not there")
        self._ask(f"dags/{name}/dagRuns", {"dag_run_id": f"night_of_{name}", "logical_date": None})

    def wait_for_runs(self, names: Sequence[str], seconds: float = 2 * process.PATIENCE) -> dict[str, str]:
        """The states of the runs of DAGs, once each has one that ended."""
        found: dict[str, str] = {}

        def is_complete() -> bool:
            for name in names:
                runs = self._ask(f"dags/{name}/dagRuns")["dag_runs"]
                found[name] = runs[0]["state"] if runs else "none"
            return all(state in ENDED for state in found.values())

        self._wait(is_complete, "some runs of DAGs did not end", seconds)
        return found

    def _ask(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/api/v2/{path}", data, headers), timeout=process.PATIENCE) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _wait(self, ready: Any, otherwise: str, seconds: float = process.PATIENCE) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(OSError):  # it is busy, or not there yet
                if ready():
                    return
            time.sleep(1)
        raise process.ServerError(f"{otherwise} within {seconds:g} s; {self.log} ends with:\n{process.read_log_end(self.log)}")


def start(home: Path, database: str, shop: str, settings: str) -> Server:
    """Start an Airflow that keeps its files in `home`; return once it runs DAGs. `database`, `shop`: URLs of PostgreSQL."""
    home = home.resolve()
    folder, log = venvs.ensure_environment("airflow", HERE / "requirements.txt"), home / "airflow.log"
    shutil.copytree(HERE / "dags", home / "dags", dirs_exist_ok=True)
    port = process.find_free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **build_environment(home, url, port),
        **dict(line.split("=", 1) for line in shlex.split(settings, comments=True)),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.replace("postgresql://", "postgresql+psycopg2://"),
        "AIRFLOW_CONN_SHOP": shop.replace("postgresql://", "postgres://"),
        "SHOP_DATABASE": f"{urlsplit(shop).hostname}:{urlsplit(shop).port}",
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    process.report("Airflow makes its database and starts (about a minute)")
    started = process.start([str(folder / "bin" / "airflow"), "standalone"], log, environment, home)
    process.wait_until_ready(started, lambda: is_answering(url), log)
    with urllib.request.urlopen(f"{url}/auth/token", timeout=process.PATIENCE) as answer:
        token = json.load(answer)["access_token"]
    return Server(url, token, home, folder, started, log)


def build_environment(home: Path, url: str, port: int) -> dict[str, str]:
    """A small Airflow on loopback, whose callers are all administrators, without examples and without reports of its use."""
    options = {
        "API__BASE_URL": url,
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__WORKERS": "1",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "2",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(process.find_free_port()),
        "LOGGING__WORKER_LOG_SERVER_PORT": str(process.find_free_port()),
        "WORKERS__EXECUTION_API_TIMEOUT": "60",  # seconds: on a busy machine the API needs more than the usual 5
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {"AIRFLOW_HOME": str(home), "no_proxy": "*", **{f"AIRFLOW__{name}": text for name, text in options.items()}}


def is_answering(url: str) -> bool:
    """Whether all its parts run, which it reports itself."""
    try:
        with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=process.ANSWER_SECONDS) as answer:
            parts = json.load(answer)
            return all(parts[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "dag_processor"))
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return False


def stop(server: Server) -> None:
    """Its parts are processes of one group, which are asked together."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(30)


@contextmanager
def serve(home: Path, database: str, shop: str, settings: str) -> Iterator[Server]:
    server = start(home, database, shop, settings)
    try:
        yield server
    finally:
        stop(server)

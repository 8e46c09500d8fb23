"""A real MLflow without Docker, on loopback, with its runs in SQLite. Standard library only; needs 900 MB of disk.

    with mlflow_server.serve(home) as server:
        mlflow_server.write_runs(server.url)

As a command, `python mlflow_server.py HOME` serves until SIGINT or SIGTERM and prints the address.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import process
import venvs

HERE = Path(__file__).resolve().parent


def ensure_environment() -> Path:
    return venvs.ensure_environment("mlflow", HERE / "mlflow" / "requirements.txt")


def start(home: Path) -> process.Server:
    """Start an MLflow that keeps its runs in `home`; return once it answers."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    folder, log = ensure_environment(), home / "mlflow.log"
    port = process.find_free_port()
    command = [str(folder / "bin" / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--artifacts-destination", str(home / "artifacts")]
    started = process.start(command, log, {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"})
    url = f"http://127.0.0.1:{port}"
    process.wait_until_ready(started, lambda: process.is_answering(f"{url}/health"), log)
    return process.Server(url, started, log)


@contextmanager
def serve(home: Path) -> Iterator[process.Server]:
    with process.stop_at_end(start(home)) as server:
        yield server


def write_runs(url: str) -> None:
    """Experiments, runs and models, by MLflow's own library."""
    python = ensure_environment() / "bin" / "python"
    done = subprocess.run([str(python), str(HERE / "mlflow" / "write_runs.py"), url], capture_output=True, text=True, check=False)
    if done.returncode:
        raise process.ServerError(f"write_runs.py ended with {done.returncode}: {done.stderr[-1500:]}")


if __name__ == "__main__":
    sys.exit(process.run_command("mlflow_server", serve, lambda served: served.url))

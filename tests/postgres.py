"""A real PostgreSQL for tests, started once in a session; each test has a database of its own. Nothing here is skipped."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "servers" / "postgres.py"


class Database(NamedTuple):
    """An empty database of a server. `url`: of its superuser."""

    name: str
    url: str

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.rpartition("@")[2].partition("/")[0]

    @property
    def password(self) -> str:
        return self.url.partition("postgres:")[2].partition("@")[0]

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def build_url(self, user: str, password: str) -> str:
        return f"postgresql://{user}:{password}@{self.address}/{self.name}"


class PostgresServer:
    def __init__(self, url: str) -> None:
        self.url = url

    def make_database(self, statements: Sequence[str] = ()) -> Database:
        name = f"db_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        found = Database(name, f"{self.url.rpartition('/')[0]}/{name}")
        found.execute(*statements)
        return found


def postgres_server(home: Path) -> Iterator[PostgresServer]:
    """For a fixture of the session."""
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().strip()
    if not url:
        pytest.fail(process.stderr.read().strip(), pytrace=False)
    try:
        yield PostgresServer(url)
    finally:
        process.terminate()
        process.communicate(timeout=60)

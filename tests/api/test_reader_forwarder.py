"""Which requests a server answers itself, although it has readers; and how many readers a machine gets."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest

from meshline.api.addresses import AddressTable
from meshline.api.app import ADDRESSES
from meshline.api.reader_forwarder import _may_write
from meshline.app import host_resources, reader_pool
from meshline.app.service import Resources
from meshline.app.settings import load_settings

TABLE = AddressTable(ADDRESSES)


def build_scope(method: str, path: str, query: str = "", **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    state = {"matched": TABLE.find_path(path.encode())}
    return {"method": method, "path": path, "query_string": query.encode(), "headers": named, "state": state}


def call(name: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {}}}).encode()


@pytest.mark.parametrize(
    ("path", "body", "may"),
    [
        ("/graphql", b'{"query": "{ about { revision } }"}', False),
        ("/graphql", b'{"query": "{ about { revision } }", "variables": {"text": "mutation"}}', False),
        ("/graphql", '{"query": "{ search(text: \\"größe\\") { nodes { hit } } }"}'.encode(), False),
        ("/graphql", json.dumps({"query": '{ search(text: "größe") { totalCount } }'}).encode(), False),
        ("/graphql", b'{"query": "mutation { addTag }"}', True),
        ("/graphql", b'{"query": "\\u006dutation { addTag }"}', True),
        ("/graphql", b'{"query": "query A { about } mutation B { addTag }", "operationName": "B"}', True),
        ("/graphql", b'{"query": "{ denials { value } }"}', True),
        ("/graphql", b'{"query": "{ accessRequests { nodes { id } } }"}', True),
        ("/graphql", b"mutation", True),
        ("/mcp", call("find"), False),
        ("/mcp", call("request_access"), True),
        ("/mcp", call("request_access").replace(b"request", b"\\u0072equest"), True),
        ("/mcp", b"request_access", True),
        ("/api/v1/check", b'{"things": [{"kind": "change", "after": {"name": "a", "text": "mutation"}}]}', False),
    ],
)
def test_what_may_write_is_not_forwarded(path: str, body: bytes, *, may: bool) -> None:
    assert _may_write(build_scope("POST", path), body) is may


def test_packed_bodies_are_not_forwarded_where_they_decide() -> None:
    assert _may_write(build_scope("POST", "/graphql", content_encoding="gzip"), b"\x1f\x8b")
    assert not _may_write(build_scope("POST", "/api/v1/check", content_encoding="gzip"), b"\x1f\x8b")


@pytest.mark.parametrize(("query", "may"), [("{ about { revision } }", False), ("{ denials { value } }", True)])
def test_queries_in_an_address(query: str, *, may: bool) -> None:
    assert _may_write(build_scope("GET", "/graphql", f"query={quote(query)}"), b"") is may


def build_graph(columns: int) -> Resources:
    changes = SimpleNamespace(measure_size=lambda: SimpleNamespace(columns=columns))
    live = SimpleNamespace(index=SimpleNamespace(changes=changes), lock=threading.Lock())
    return cast("Resources", SimpleNamespace(live=live))


@pytest.mark.parametrize(
    ("setting", "columns", "processors", "free", "expected"),
    [
        ("auto", 20_000, 8, 10**12, 0),
        ("auto", 20_001, 1, 10**12, 0),
        ("auto", 20_001, 8, 10**12, 7),
        ("auto", 20_001, 8, 5 * 10**9, 2),
        ("auto", 20_001, 8, 10**9, 0),
        ("auto", 20_001, 8, None, 7),
        ("3", 5, 1, 0, 3),
        ("0", 10**6, 8, 10**12, 0),
    ],
)
def test_readers_of_a_machine(
    setting: str, columns: int, processors: int, free: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server takes a gigabyte here."""
    monkeypatch.setattr(reader_pool, "count_processors", lambda: processors)
    monkeypatch.setattr(reader_pool, "measure_free_memory", lambda: free)
    monkeypatch.setattr(reader_pool, "measure_memory", lambda _: 10**9)
    assert reader_pool.count_readers(load_settings(readers=setting), build_graph(columns)) == expected


def test_limits_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_resources, "_CGROUP", tmp_path)
    assert host_resources.count_processors() >= 1
    usual = host_resources.measure_free_memory()
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 500000\n")
    assert host_resources.count_processors() == 1
    assert host_resources.measure_free_memory() == 1_500_000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usual is None or host_resources.measure_free_memory() is not None

"""Every surface gives the same answers: `meshline serve` as a process of its own, asked by the command line."""

from __future__ import annotations

import json
import os
import re
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from meshline.cli import serve
from meshline.cli.demo import fill_store, print_invitation
from meshline.cli.store import open_store_at
from tests.cli.command import EXAMPLE, ROOT, run_command, run_successfully
from tests.forked_program import ForkedProgram
from tests.servers import PATIENCE


@contextmanager
def run_server(*arguments: str) -> Iterator[str]:
    """The address of a server that is ready."""
    process = ForkedProgram([*arguments, "--port", "0"], cwd=ROOT)
    try:
        yield wait_until_ready(process)
    finally:
        process.terminate()
        assert process.wait(timeout=60) in (0, -15)
        assert process.stderr is not None
        process.stderr.close()


def wait_until_ready(process: ForkedProgram) -> str:
    address = ""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if not address:
            address = read_address(process)
            continue
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return address
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server did not get ready (exit code {process.poll()})")


def read_address(process: ForkedProgram) -> str:
    assert process.stderr is not None
    if not select.select([process.stderr], [], [], 0.1)[0]:
        return ""
    found = re.search(rb"http://[0-9.]+:[0-9]+", os.read(process.stderr.fileno(), 65536))
    return found[0].decode() if found else ""


@pytest.fixture(scope="module")
def server(example: str) -> Iterator[str]:
    with run_server("serve", "--store", example) as address:
        yield address


QUESTIONS: Sequence[Sequence[str]] = [
    ["search", "customer"],
    ["search", "email", "--kind", "column", "--format", "json"],
    ["impact", "customers.customers.email"],
    ["impact", "customers.customers.email", "--format", "markdown"],
    ["lineage", "customers.customers.email"],
    ["lineage", "revenue_daily", "--upstream", "--granularity", "domain", "--format", "mermaid"],
    ["owners", "customers.customers.email"],
    ["owners", "--owned-by", "orders-engineering"],
    ["owners", "--orphans", "--format", "json"],
    ["owners", "customers.customers.email", "--as-of", "2026-03-07"],
    ["owners", "--orphans", "--as-of", "2026-03-07", "--kind", "dataset", "--format", "json"],
    ["impact", "customers.customers.email", "--group-by", "owner", "--since", "2026-03-05"],
    ["lineage", "customers.customers.email", "--group-by", "domain", "--format", "mermaid"],
    ["provenance", "finance.revenue_daily.revenue", "--group-by", "kind"],
    ["paths", "customers.customers.email", "marts.analytics.customer_value.buyer_key"],
    ["evidence", "customers.customers", "customers.customer_profiles"],
    ["diff", "2026-03-07", "2026-03-09"],
    ["diff", "2026-03-07", "2026-03-09", "--of", "customers.customers", "--format", "json"],
    ["list"],
    ["list", "datasets", "--owner", "omar", "--format", "csv"],
    ["show", "customers.customers", "--format", "json"],
    ["coverage", "--format", "csv"],
    ["products", "finance-marts"],
    ["products", "--affected-by", "customers.customers.email"],
    ["consumers"],
    ["consumers", "finance-marts"],
    ["consumers", "customer-orders-contract-v2"],
    ["runs", "payments.receipts"],
    ["events", "--limit", "3", "--format", "ndjson"],
    ["events", "--since", "2026-03-06", "--until", "2026-03-09", "--count", "day"],
    ["quality", "finance.revenue_daily", "--history", "2"],
    ["quality", "--outcome", "passed"],
    ["schemas", "customers.customers", "--columns"],
]


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_store_and_a_server_answer_the_same(example: str, server: str, question: Sequence[str]) -> None:
    assert run_successfully(*question, "--server", server) == run_successfully(*question, "--store", example)


def test_errors_are_the_same(example: str, server: str) -> None:
    for question in (["impact", "nothing.of.this.name"], ["impact", "customer_id"], ["owners", "--owned-by", "unknown-team"]):
        local, remote = run_command(*question, "--store", example), run_command(*question, "--server", server)
        assert local == remote
        assert local.code == 2
        assert local.err.count("\n") == 1


def test_ingest_through_a_server(tmp_path: Path) -> None:
    bad = tmp_path / "bad.ndjson"
    event = json.loads((ROOT / "examples" / "event.json").read_text())
    event["outputs"][0].setdefault("facets", {})["catalog"] = {"framework": "iceberg", "name": "lake"}  # a warning
    lines = ['{"eventTime": "yesterday"}', "no json", *[json.dumps(event)] * 120, json.dumps({**event, "x": float("nan")}), "\xff", "[1]"]
    bad.write_bytes("\n".join(lines).encode("latin-1"))
    local, remote = f"sqlite:///{tmp_path / 'local.db'}", f"sqlite:///{tmp_path / 'remote.db'}"
    with run_server("serve", "--store", remote, "--mesh", str(EXAMPLE / "mesh.yaml")) as address:
        loaded = run_successfully("ingest", "mesh", EXAMPLE / "mesh.yaml", "--server", address)
        assert "0 entries changed" in loaded.err
        ran = run_command("ingest", "openlineage", EXAMPLE / "events", bad, "--server", address)
        assert ran.code == 1
        assert f"refused: {bad}:1: " in ran.err
        assert f"refused: {bad}:2: $: not JSON" in ran.err
        assert f"warning: {bad}:3: $.outputs[0].facets.catalog: Object missing required field `type`" in ran.err
        assert "and 102 warnings more\n" in ran.err
        asked = run_successfully("impact", "customers.customers.email", "--server", address).out
    run_successfully("ingest", "mesh", EXAMPLE / "mesh.yaml", "--store", local)
    assert run_command("ingest", "openlineage", EXAMPLE / "events", bad, "--store", local) == ran
    assert asked == run_successfully("impact", "customers.customers.email", "--store", local).out


def test_demo_of_a_store_with_other_contents(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'other.db'}"
    run_successfully("ingest", "openlineage", ROOT / "examples" / "event.json", "--store", store)
    ran = run_command("demo", "--store", store)
    assert ran.code == 2
    assert (
        ran.err == f"meshline: --store: {store} contains other data than the example: name a new store, or serve it by `meshline serve`\n"
    )


def test_the_example_is_filled_in_as_many_commits_each_time(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'example.db'}"
    fill_store(store)
    with open_store_at(store) as opened:
        assert opened.read_revision() == 2  # of the mesh file, and of all events together


def test_demo() -> None:
    with run_server("demo") as address:
        assert "affects" in run_successfully("impact", "customers.customers.email", "--server", address).out


@pytest.mark.parametrize("built", [True, False])
def test_the_demo_names_its_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, built: bool) -> None:
    monkeypatch.setattr(serve, "has_page", lambda: built)
    print_invitation("http://127.0.0.1:7")
    printed = capsys.readouterr().err
    assert printed.splitlines()[:2] == [
        "The example mesh is on http://127.0.0.1:7",
        "Its page, in a browser: http://127.0.0.1:7/search?q=customers.email"
        if built
        else "Its page for browsers is not built: http://127.0.0.1:7 shows how to get it.",
    ]
    assert " impact customers.email --server http://127.0.0.1:7\n" in printed


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (
            "http://127.0.0.1:9",
            "meshline: no answer from http://127.0.0.1:9: [Errno 111] Connection refused; is the address right, and does `meshline serve` ",
        ),
        ("localhost:8080", "meshline: --server: found 'localhost:8080'; accepted is an address like http://127.0.0.1:8080"),
    ],
)
def test_a_server_that_is_not_there(server: str, message: str) -> None:
    ran = run_command("search", "x", "--server", server)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(message)
    assert ran.err.count("\n") == 1


def test_a_port_that_is_in_use(server: str, tmp_path: Path) -> None:
    port = server.rpartition(":")[2]
    ran = run_command("serve", "--port", port, "--store", f"sqlite:///{tmp_path / 'x.db'}")
    assert ran.code == 2
    assert ran.err.startswith(f"meshline: cannot listen on 127.0.0.1:{port}")

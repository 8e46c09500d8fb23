"""`meshline ingest marquez`: into a store, by a mesh file, and to a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.cli.http_client import HttpClient
from meshline.cli.http_target import HttpTarget
from tests.cli.command import run_command, run_successfully
from tests.cli.test_server import run_server
from tests.ingest.sources.marquez_server import read_answers, serve_answers, set_pages

FIRST = "marquez/default: 194 of 194 events and statements read, 0 unchanged, 194 new, 0 changed, 0 retracted, 0 refused\n"
AGAIN = "marquez/default: 19 of 208 events and statements read, 189 unchanged, 0 new, 0 changed, 0 retracted, 0 refused\n"


@pytest.fixture(scope="module")
def marquez() -> Iterator[str]:
    """The address of the recorded Marquez."""
    answers = read_answers()
    with set_pages(), serve_answers(lambda address, _: answers.get(address, (404, b"{}"))) as url:
        yield url


def test_into_a_store(new: str, marquez: str) -> None:
    assert run_successfully("ingest", "marquez", marquez, "--store", new).err == FIRST
    assert run_successfully("ingest", "marquez", f"{marquez}/api/v1/", "--store", new).err == AGAIN
    impact = run_successfully("lineage", "customers.customers.email", "--store", new).out
    assert "customer_profiles.email_hash" in impact
    shown = run_successfully("sources", "--store", new).out
    assert "marquez/default" in shown
    assert "19 of 208 events and statements read" in shown


def test_an_entry_of_the_mesh_file(new: str, marquez: str) -> None:
    Path("mesh.yaml").write_text(
        f"version: 1\nsource: shop\nsources:\n  - {{kind: marquez, url: '{marquez}', every: 10m, owners: false}}\n"
    )
    assert "marquez/default: 191 of 191 events and statements read" in run_successfully("sync", "--store", new).err
    assert "0 new" in run_successfully("sync", "--strict", "--store", new).err
    assert "team-crm" not in run_successfully("owners", "public.accounts", "--store", new).out


def test_errors_end_the_command(new: str, marquez: str) -> None:
    away = run_command("ingest", "marquez", "http://127.0.0.1:9", "--store", new)
    assert (away.code, "Marquez does not answer at http://127.0.0.1:9" in away.err) == (2, True), away
    unset = run_command("ingest", "marquez", marquez, "--token", "${NOT_SET_HERE}", "--store", new)
    assert (unset.code, "NOT_SET_HERE is not set" in unset.err) == (1, True), unset
    other = run_command("ingest", "marquez", f"{marquez}/other", "--store", new)
    assert (other.code, "HTTP status 404" in other.err) == (1, True), other


def test_to_a_server(new: str, marquez: str) -> None:
    """Also after a kill before anything was saved: the server knows its events, so that none is there twice."""
    with run_server("serve", "--store", new) as server:
        assert run_successfully("ingest", "marquez", marquez, "--server", server).err == FIRST
        assert run_successfully("ingest", "marquez", marquez, "--server", server).err == AGAIN
        with HttpClient.connect(server) as remote:
            target, seen = HttpTarget(remote), list[bytes]()
            seen += target.read_events("openlineage/default", 0, 2**52)
            target.save_memory("marquez/default", {})
            assert "0 new" in run_successfully("ingest", "marquez", marquez, "--server", server).err
            assert len(list(target.read_events("openlineage/default", 0, 2**52))) == len(seen) == 175
            assert list(target.read_events("openlineage/other", 0, 2**52)) == []

"""Events as large as they may be, and bodies larger than that: answered within the time that anything may take."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.served import Server, run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import check_oracle
from tests.faults.wire import BATCH, EVENT, JSON, send_request

MEBIBYTE = 2**20
Event = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server("sqlite://:memory:", tmp_path_factory.mktemp("huge") / "server.log") as running:
        yield running
        assert "Traceback" not in running.log, running.log[running.log.index("Traceback") :][:3000]


def build_dataset(name: str, **facets: object) -> Event:
    return {"namespace": "huge", "name": name, "facets": facets}


def build_run(name: str, **more: object) -> Event:
    return {
        "eventTime": "2026-03-01T00:00:00Z",
        "eventType": "COMPLETE",
        "producer": "https://example.com",
        "run": {"runId": "00000000-0000-4000-8000-000000000001"},
        "job": {"namespace": "huge", "name": name},
        **more,
    }


def build_columns(number: int) -> Event:
    return {"fields": [{"name": f"c{n}", "type": "string"} for n in range(number)]}


def build_lineage(number: int, name: str) -> Event:
    return {"fields": {f"c{n}": {"inputFields": [{"namespace": "huge", "name": name, "field": f"c{n}"}]} for n in range(number)}}


def build_indirect(number: int, name: str) -> Event:
    """Every field depends on every column by its own kind, so that no dependency can be stated once for all fields."""
    kinds = [{"type": "INDIRECT", "subtype": "CONDITIONAL"}]
    sources = [{"namespace": "huge", "name": name, "field": f"c{n}", "transformations": kinds} for n in range(number)]
    return {"fields": {f"c{n}": {"inputFields": sources} for n in range(number)}}


def build_nested(levels: int) -> Event:
    field: Event = {"name": "leaf"}
    for level in range(levels):
        field = {"name": f"level{level}", "type": "struct", "fields": [field]}
    return {"fields": [field]}


HUGE: dict[str, Event] = {
    "many columns": build_run("columns", outputs=[build_dataset("wide", schema=build_columns(20_000))]),
    "many column edges": build_run(
        "edges",
        inputs=[build_dataset("before")],
        outputs=[build_dataset("after", schema=build_columns(10_000), columnLineage=build_lineage(10_000, "before"))],
    ),
    "all from all": build_run(
        "all", inputs=[build_dataset("these")], outputs=[build_dataset("those", columnLineage=build_indirect(120, "these"))]
    ),
    "many datasets": build_run("datasets", inputs=[build_dataset(f"in{n}") for n in range(20_000)], outputs=[build_dataset("out")]),
    "many by many": build_run(
        "cross", inputs=[build_dataset(f"i{n}") for n in range(150)], outputs=[build_dataset(f"o{n}") for n in range(150)]
    ),
    "many names of one": build_run(
        "links", outputs=[build_dataset("one", symlinks={"identifiers": [{"namespace": "n", "name": f"l{n}"} for n in range(5_000)]})]
    ),
    "long names": build_run("x" * MEBIBYTE, outputs=[build_dataset("y" * MEBIBYTE, schema={"fields": [{"name": "z" * MEBIBYTE}]})]),
    "many words": build_run(
        "words", outputs=[build_dataset("described", documentation={"description": " ".join(f"word{n}" for n in range(300_000))})]
    ),
    "fields in fields": build_run("nested", outputs=[build_dataset("nested", schema=build_nested(300))]),
    "many facets": build_run("facets", outputs=[build_dataset("facets", **{f"f{n}": {"a": n} for n in range(20_000)})]),
    "many tags": build_run("tags", outputs=[build_dataset("tags", tags={"tags": [{"key": f"k{n}", "value": "v"} for n in range(50_000)]})]),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_events(server: Server, name: str) -> None:
    """An event is ingested, or refused with a reason; and the next event is served."""
    answer = send_request(server.port, "POST", EVENT, json.dumps(HUGE[name]).encode())
    assert answer.status in {201, 400, 413}, answer
    assert send_request(server.port, "POST", EVENT, next(generate_bodies(1))).status == 201
    assert server.ask("{ datasets(first: 5) { totalCount nodes { id name columns(first: 5) { totalCount } } } }")


@pytest.mark.parametrize("path", [EVENT, BATCH])
@pytest.mark.parametrize("plain", [b" ", b"[", b'{"a":', b"[1,", b'"'])
def test_what_expands(server: Server, path: str, plain: bytes) -> None:
    """A few kilobytes that unpack to hundreds of megabytes, once and twice packed."""
    packed = gzip.compress(plain * (256 * MEBIBYTE // len(plain)), compresslevel=1)
    headers = {**JSON, "Content-Encoding": "gzip"}
    assert send_request(server.port, "POST", path, packed, headers).status == 413
    assert send_request(server.port, "POST", path, gzip.compress(packed), headers).status == 400


def test_bodies_of_all_sizes(server: Server) -> None:
    good = next(generate_bodies(1))
    for size, status in ((15 * MEBIBYTE, 201), (17 * MEBIBYTE, 400), (33 * MEBIBYTE, 413)):
        padded = good[:-1] + b', "padding": "' + b"x" * size + b'"}'
        assert send_request(server.port, "POST", EVENT, padded).status == status
    check_oracle(server, [good])

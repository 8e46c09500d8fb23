"""Events as large as they may be, and bodies larger than that: answered within the time that anything may take."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.served import Server, serving
from tests.faults.traffic import bodies
from tests.faults.truth import check_oracle
from tests.faults.wire import BATCH, EVENT, JSON, call

MEBIBYTE = 2**20
Event = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("sqlite://:memory:", tmp_path_factory.mktemp("huge") / "server.log") as running:
        yield running
        assert "Traceback" not in running.log, running.log[running.log.index("Traceback") :][:3000]


def dataset(name: str, **facets: object) -> Event:
    return {"namespace": "huge", "name": name, "facets": facets}


def run(name: str, **more: object) -> Event:
    return {
        "eventTime": "2026-03-01T00:00:00Z",
        "eventType": "COMPLETE",
        "producer": "https://example.com",
        "run": {"runId": "00000000-0000-4000-8000-000000000001"},
        "job": {"namespace": "huge", "name": name},
        **more,
    }


def columns(number: int) -> Event:
    return {"fields": [{"name": f"c{n}", "type": "string"} for n in range(number)]}


def lineage(number: int, name: str) -> Event:
    return {"fields": {f"c{n}": {"inputFields": [{"namespace": "huge", "name": name, "field": f"c{n}"}]} for n in range(number)}}


def indirect(number: int, name: str) -> Event:
    """Every field depends on every column by its own kind, so that nothing can be said once for all."""
    kinds = [{"type": "INDIRECT", "subtype": "CONDITIONAL"}]
    sources = [{"namespace": "huge", "name": name, "field": f"c{n}", "transformations": kinds} for n in range(number)]
    return {"fields": {f"c{n}": {"inputFields": sources} for n in range(number)}}


def nested(levels: int) -> Event:
    field: Event = {"name": "leaf"}
    for level in range(levels):
        field = {"name": f"level{level}", "type": "struct", "fields": [field]}
    return {"fields": [field]}


HUGE: dict[str, Event] = {
    "many columns": run("columns", outputs=[dataset("wide", schema=columns(20_000))]),
    "many column edges": run(
        "edges", inputs=[dataset("before")], outputs=[dataset("after", schema=columns(10_000), columnLineage=lineage(10_000, "before"))]
    ),
    "all from all": run("all", inputs=[dataset("these")], outputs=[dataset("those", columnLineage=indirect(120, "these"))]),
    "many datasets": run("datasets", inputs=[dataset(f"in{n}") for n in range(20_000)], outputs=[dataset("out")]),
    "many by many": run("cross", inputs=[dataset(f"i{n}") for n in range(150)], outputs=[dataset(f"o{n}") for n in range(150)]),
    "many names of one": run(
        "links", outputs=[dataset("one", symlinks={"identifiers": [{"namespace": "n", "name": f"l{n}"} for n in range(5_000)]})]
    ),
    "long names": run("x" * MEBIBYTE, outputs=[dataset("y" * MEBIBYTE, schema={"fields": [{"name": "z" * MEBIBYTE}]})]),
    "many words": run("words", outputs=[dataset("told", documentation={"description": " ".join(f"word{n}" for n in range(300_000))})]),
    "fields in fields": run("nested", outputs=[dataset("nested", schema=nested(300))]),
    "many facets": run("facets", outputs=[dataset("facets", **{f"f{n}": {"a": n} for n in range(20_000)})]),
    "many tags": run("tags", outputs=[dataset("tags", tags={"tags": [{"key": f"k{n}", "value": "v"} for n in range(50_000)]})]),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_events(server: Server, name: str) -> None:
    """Taken, or refused with a reason; and the next event is served."""
    answer = call(server.port, "POST", EVENT, json.dumps(HUGE[name]).encode())
    assert answer.status in {201, 400, 413}, answer
    assert call(server.port, "POST", EVENT, next(bodies(1))).status == 201
    assert server.ask("{ datasets(first: 5) { totalCount nodes { id name columns(first: 5) { totalCount } } } }")


@pytest.mark.parametrize("path", [EVENT, BATCH])
@pytest.mark.parametrize("plain", [b" ", b"[", b'{"a":', b"[1,", b'"'])
def test_what_expands(server: Server, path: str, plain: bytes) -> None:
    """A few kilobytes that unpack to hundreds of megabytes, once and twice packed."""
    packed = gzip.compress(plain * (256 * MEBIBYTE // len(plain)), compresslevel=1)
    headers = {**JSON, "Content-Encoding": "gzip"}
    assert call(server.port, "POST", path, packed, headers).status == 413
    assert call(server.port, "POST", path, gzip.compress(packed), headers).status == 400


def test_bodies_of_all_sizes(server: Server) -> None:
    good = next(bodies(1))
    for size, status in ((15 * MEBIBYTE, 201), (17 * MEBIBYTE, 400), (33 * MEBIBYTE, 413)):
        padded = good[:-1] + b', "padding": "' + b"x" * size + b'"}'
        assert call(server.port, "POST", EVENT, padded).status == status
    check_oracle(server, [good])

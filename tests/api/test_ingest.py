"""OpenLineage over HTTP: what is acknowledged is there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.ingest.pipeline import Pipeline
from tests.api.conftest import run_application

PRODUCER = "https://example.org/test"


def build_event(n: int = 0, **changed: object) -> dict[str, Any]:
    def build_dataset(name: str) -> dict[str, Any]:
        fields = [{"name": "id", "type": "int"}]
        schema = {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json", "fields": fields}
        return {"namespace": "wh", "name": name, "facets": {"schema": schema}}

    return {
        "eventTime": f"2026-01-01T00:00:{n:02d}Z",
        "eventType": "COMPLETE",
        "producer": PRODUCER,
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": f"00000000-0000-4000-8000-{n:012x}"},
        "job": {"namespace": "airflow", "name": f"job{n}"},
        "inputs": [build_dataset("a")],
        "outputs": [build_dataset("b")],
        **changed,
    }


def list_datasets(client: TestClient) -> list[str]:
    answer = client.post("/graphql", json={"query": "{ datasets { nodes { name } } }"}).json()
    return [node["name"] for node in answer["data"]["datasets"]["nodes"]]


def split_chunks(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 100):
        yield data[at : at + 100]


def test_an_event_is_shown_when_acknowledged(client: TestClient) -> None:
    answer = client.post("/api/v1/lineage", json=build_event())
    assert answer.status_code == 201
    assert answer.json()["warnings"] == []
    assert answer.json()["revision"] >= 1
    assert list_datasets(client) == ["a", "b"]


@pytest.mark.parametrize("send", [bytes, split_chunks])
def test_gzip_with_and_without_a_length(client: TestClient, send: Callable[[bytes], bytes | Iterator[bytes]]) -> None:
    body = gzip.compress(json.dumps(build_event()).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert client.post("/api/v1/lineage", content=send(body), headers=headers).status_code == 201
    assert list_datasets(client) == ["a", "b"]


def test_repairs_of_an_event_are_reported(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/lineage", json=build_event(outputs=[{"namespace": "wh", "name": "b", "facets": {"schema": {"fields": "none"}}}])
    )
    assert answer.status_code == 201
    (warning,) = answer.json()["warnings"]
    assert warning["path"].startswith("$.outputs[0]")
    assert warning["message"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"not json", "$"),
        (b"", "$"),
        (b"[]", "$"),
        (b"\xff\xfe", "$"),
        (b"[" * 100_000, "$"),
        (json.dumps(build_event(eventTime="yesterday")).encode(), "$.eventTime"),
        (json.dumps(build_event(eventTime="2999-01-01T00:00:00Z")).encode(), "$.eventTime"),
        (json.dumps({k: v for k, v in build_event().items() if k != "eventTime"}).encode(), "$.eventTime"),
    ],
)
def test_an_unusable_event(client: TestClient, body: bytes, path: str) -> None:
    answer = client.post("/api/v1/lineage", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", path)
    assert error["message"]
    assert list_datasets(client) == []


def test_too_large() -> None:
    with run_application(max_body_bytes=10_000) as client:
        body = json.dumps(build_event(junk="x" * 20_000)).encode()
        headers = {"Content-Type": "application/json"}
        assert client.post("/api/v1/lineage", content=body, headers=headers).status_code == 413
        bomb = client.post("/api/v1/lineage", content=gzip.compress(body), headers={**headers, "Content-Encoding": "gzip"})
        assert (bomb.status_code, bomb.json()["error"]["code"]) == (413, "BODY_TOO_LARGE")


def test_an_event_over_a_limit_of_the_settings() -> None:
    """Of a batch only that event is refused."""
    wide = build_event(1, inputs=[{"namespace": "wh", "name": f"i{n}"} for n in range(4)])
    with run_application(event_datasets=4) as client:
        answer = client.post("/api/v1/lineage", json=wide)
        assert (answer.status_code, answer.json()["error"]["path"]) == (400, "$")
        assert answer.json()["error"]["message"] == "$: 5 inputs and outputs; at most 4 are accepted"
        batch = client.post("/api/v1/lineage/batch", json=[build_event(), wide, build_event(2)]).json()
        assert [(one["index"], one["retriable"]) for one in batch["failed_events"]] == [(1, False)]
        assert batch["summary"]["successful"] == 2


def test_media_types(client: TestClient) -> None:
    body = json.dumps(build_event()).encode()
    assert client.post("/api/v1/lineage", content=body).status_code == 201  # some clients send no content type
    assert client.post("/api/v1/lineage", content=body, headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post("/api/v1/lineage", content=body, headers={"Content-Encoding": "zstd"}).status_code == 415


def test_a_batch(client: TestClient) -> None:
    answer = client.post("/api/v1/lineage/batch", json=[build_event(n) for n in range(3)])
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "success",
        "summary": {"received": 3, "successful": 3, "failed": 0, "retriable": 0, "non_retriable": 0},
        "failed_events": [],
    }
    assert list_datasets(client) == ["a", "b"]


def test_a_batch_reports_events_that_were_repaired_or_refused(client: TestClient) -> None:
    """Warnings are those of a single event, with the event's position; of very many, the first are listed and the others counted."""
    bad = build_event(inputs=[{"namespace": "wh", "name": ""}] * 40)
    alone = client.post("/api/v1/lineage", json=bad).json()["warnings"]
    answer = client.post("/api/v1/lineage/batch", json=[build_event(), bad, {"a": 1}, bad, bad]).json()
    assert answer["warnings"][:40] == [{**one, "index": 1} for one in alone]
    assert [one["index"] for one in answer["warnings"]] == [1] * 40 + [3] * 40 + [4] * 20
    assert answer["more_warnings"] == 20
    assert [one["index"] for one in answer["failed_events"]] == [2]


def test_a_batch_with_bad_events(client: TestClient) -> None:
    body = json.dumps([build_event(0), {"a": 1}, build_event(1), 7]).encode()
    answer = client.post("/api/v1/lineage/batch", content=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "partial_success"
    assert found["summary"] == {"received": 4, "successful": 2, "failed": 2, "retriable": 0, "non_retriable": 2}
    assert [(one["index"], one["retriable"]) for one in found["failed_events"]] == [(1, False), (3, False)]
    assert "eventTime" in found["failed_events"][0]["reason"]
    assert list_datasets(client) == ["a", "b"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[" * 100_000, b"null"])
def test_no_batch(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/v1/lineage/batch", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_INPUT")


def test_an_empty_batch(client: TestClient) -> None:
    assert client.post("/api/v1/lineage/batch", json=[]).json()["summary"]["received"] == 0


def test_accepted_events_survive_the_end(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mesh.db'}"
    with run_application(store=store) as client:
        client.post("/api/v1/lineage/batch", json=[build_event(n) for n in range(50)])
    with run_application(store=store, source="openlineage/other") as client:
        assert list_datasets(client) == ["a", "b"]
        assert client.post("/api/v1/lineage", json=build_event(1)).status_code == 201
        jobs = client.post("/graphql", json={"query": "{ jobs { totalCount } }"}).json()
        assert jobs["data"]["jobs"]["totalCount"] == 50


def test_a_full_queue_names_the_time_of_the_next_attempt(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipeline, "_is_full", lambda *_: True)
    answer = client.post("/api/v1/lineage", json=build_event())
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error"]["code"]) == (503, "1", "QUEUE_FULL")
    batch = client.post("/api/v1/lineage/batch", json=[build_event()]).json()
    assert batch["summary"] == {"received": 1, "successful": 0, "failed": 1, "retriable": 1, "non_retriable": 0}


MESH = """
version: 1
source: test
domains:
  - name: sales
    owner: ann
products:
  - name: orders
    domain: sales
    output_ports:
      - dataset: wh/b
"""


def test_a_mesh_file(client: TestClient) -> None:
    headers = {"Content-Type": "application/yaml"}
    client.post("/api/v1/lineage", json=build_event())
    answer = client.put("/api/v1/mesh", content=MESH, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["source"] == "mesh/test"
    query = '{ dataset(namespace: "wh", name: "b") { domain { name } product { name } owners { owner { name } inheritedFrom { name } } } }'
    assert client.post("/graphql", json={"query": query}).json()["data"]["dataset"] == {
        "domain": {"name": "sales"},
        "product": {"name": "orders"},
        "owners": [{"owner": {"name": "ann"}, "inheritedFrom": {"name": "sales"}}],
    }
    again = client.put("/api/v1/mesh", content=MESH, headers=headers).json()
    assert (again["changed"], again["retracted"]) == (0, 0)
    gone = client.put("/api/v1/mesh", content="version: 1\nsource: test\ndomains:\n  - name: sales\n", headers=headers).json()
    assert gone["retracted"] >= 1


def test_a_bad_mesh_file(client: TestClient) -> None:
    headers = {"Content-Type": "application/yaml"}
    answer = client.put("/api/v1/mesh", content="version: 1\ndomains:\n  - nam: sales\n", headers=headers)
    assert answer.status_code == 400
    assert "mesh.yaml:3" in answer.json()["error"]["path"]
    assert client.put("/api/v1/mesh", content=MESH, headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.put("/api/v1/mesh", content=": : :\n\t", headers=headers).status_code == 400


def test_the_rules_of_a_mesh_file(client: TestClient) -> None:
    headers = {"Content-Type": "application/yaml"}
    rules = MESH + "precedence:\n  structure: [dbt, openlineage]\n"
    first = client.put("/api/v1/mesh", content=rules, headers=headers).json()
    assert first["warnings"] == ["precedence: takes effect when each server is restarted"]
    assert client.put("/api/v1/mesh", content=rules, headers=headers).json()["warnings"] == []


def test_naming_rules_come_before_the_server(client: TestClient) -> None:
    named = MESH + 'naming:\n  trimmers:\n    - { pattern: "/x$", replacement: "" }\n'
    answer = client.put("/api/v1/mesh", content=named, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 400
    assert "meshline serve --mesh FILE" in answer.json()["error"]["message"]

"""Readers and writers at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.testclient import TestClient

from meshline.graph.model import build_column_key, build_dataset_key
from tests.api.test_ingest import build_event

WRITERS, EACH = 4, 15
START = build_column_key(build_dataset_key("wh", "a"), "id").id


def write_events(client: TestClient, writer: int) -> list[int]:
    statuses = []
    for n in range(EACH):
        number = writer * EACH + n
        body = build_event(number % 60, job={"namespace": "airflow", "name": f"job{number}"})
        statuses.append(client.post("/api/v1/lineage", json=body).status_code)
    return statuses


def read_graph(client: TestClient, _reader: int) -> list[Any]:
    query = """query($id: ID!) { jobs(first: 1) { totalCount } node(id: $id) { id }
      datasets { nodes { name description columns { nodes { name dataType } } } } }"""
    answers = []
    for n in range(EACH):
        answers.append(client.post("/graphql", json={"query": query, "variables": {"id": START}}).json())
        tag = f'mutation {{ addTag(asset: "{START}", tag: "t{n}", by: "reader") {{ asset {{ tags {{ key }} }} }} }}'
        answer = client.post("/graphql", json={"query": tag}).json()
        assert "errors" not in answer or answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    return answers


def test_readers_and_writers_at_once(client: TestClient) -> None:
    assert client.post("/api/v1/lineage", json=build_event()).status_code == 201
    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write_events, client, n) for n in range(WRITERS)]
        reading = [pool.submit(read_graph, client, n) for n in range(4)]
        assert {status for future in writing for status in future.result(timeout=120)} == {201}
        answers = [answer for future in reading for answer in future.result(timeout=120)]
    assert not any("errors" in answer for answer in answers)
    counts = [answer["data"]["jobs"]["totalCount"] for answer in answers]
    assert max(counts) <= WRITERS * EACH
    final = client.post("/graphql", json={"query": "{ jobs { totalCount } }"}).json()
    assert final["data"]["jobs"]["totalCount"] == WRITERS * EACH

"""`/metrics` counts what happened."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from meshline.api.app import create_app
from meshline.api.graphql.schema import build_schema
from meshline.api.metrics import OTHER, OUTCOMES, REFUSALS
from meshline.app.settings import load_settings
from meshline.app.tokens import Role
from meshline.errors import StoreUnavailable
from tests.api.conftest import URL, run_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization
from tests.api.test_ingest import build_event

Series = tuple[str, frozenset[tuple[str, str]]]


class MetricValues(dict[Series, float]):
    """One reading."""

    def get_value(self, name: str, **labels: str) -> float:
        return self.get((f"meshline_{name}", frozenset(labels.items())), 0.0)

    def list_labels(self, name: str, label: str) -> set[str]:
        return {dict(labels)[label] for found, labels in self if found == f"meshline_{name}"}


def read_metrics(client: TestClient, **headers: str) -> MetricValues:
    answer = client.get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return MetricValues(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
    )


def list_outcomes(found: MetricValues) -> dict[str, float]:
    return {outcome: count for outcome in OUTCOMES if (count := found.get_value("events_total", outcome=outcome))}


def ask_graphql(client: TestClient, query: str, **variables: object) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = client.post("/graphql", json={"query": query, "variables": variables}).json()
    return answer


def test_names_and_help(client: TestClient) -> None:
    text = client.get("/metrics").text
    names = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert all(name.startswith("meshline_") for name, _ in names)
    assert all(len(help_text) > 15 for help_text in re.findall(r"^# HELP \S+ (.*)$", text, re.MULTILINE))
    assert "_created" not in text
    help_of = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    for name, kind in names:
        if name.endswith("_seconds") and kind == "histogram":
            assert "Seconds" in help_of[name]
        if name.endswith(("_bytes", "_bytes_total")):
            assert "ytes" in help_of[name]
        if kind == "counter":
            assert name.endswith("_total")


def test_events_by_outcome(client: TestClient) -> None:
    def post(body: object, status: int) -> None:
        assert client.post("/api/v1/lineage", json=body).status_code == status

    assert list_outcomes(read_metrics(client)) == {}
    post(build_event(1), 201)
    assert list_outcomes(read_metrics(client)) == {"accepted": 1}
    post(build_event(1), 201)  # the same again
    assert list_outcomes(read_metrics(client)) == {"accepted": 1, "unchanged": 1}
    post(build_event(2, job={"namespace": "airflow", "name": "job1"}), 201)  # the next run states the same
    assert list_outcomes(read_metrics(client)) == {"accepted": 1, "unchanged": 2}
    post(build_event(3), 201)  # another job
    assert list_outcomes(read_metrics(client)) == {"accepted": 2, "unchanged": 2}
    post({"eventTime": "yesterday"}, 400)
    assert client.post("/api/v1/lineage", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert list_outcomes(read_metrics(client)) == {"accepted": 2, "unchanged": 2, "invalid": 1, "unsupported": 1}
    assert client.post("/api/v1/lineage/batch", json=[build_event(4), build_event(1), {}, 7]).status_code == 200
    assert list_outcomes(read_metrics(client)) == {"accepted": 3, "unchanged": 3, "invalid": 3, "unsupported": 1}


def test_an_event_that_ends_a_statement_changes_the_graph(client: TestClient) -> None:
    running_, failed = build_event(1, eventType="START"), build_event(1, eventType="FAIL", eventTime="2026-01-01T00:05:00Z")
    assert client.post("/api/v1/lineage", json=running_).status_code == 201
    assert client.post("/api/v1/lineage", json=failed).status_code == 201
    assert list_outcomes(read_metrics(client)) == {"accepted": 2}


def test_job_and_dataset_events(client: TestClient) -> None:
    def build_declared_event(minute: int) -> dict[str, Any]:
        described = {
            "producer": "https://example.org",
            "job": {"namespace": "n", "name": "j"},
            "inputs": [{"namespace": "wh", "name": "a"}],
        }
        schema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent"
        return {"eventTime": f"2026-01-01T00:{minute:02}:00Z", "schemaURL": schema, **described}

    for minute, expected in ((1, {"accepted": 1}), (2, {"accepted": 1, "unchanged": 1})):
        assert client.post("/api/v1/lineage", json=build_declared_event(minute)).status_code == 201
        assert list_outcomes(read_metrics(client)) == expected


def test_commits(client: TestClient) -> None:
    body = client.post("/api/v1/lineage/batch", json=[build_event(n) for n in range(7)]).json()
    assert body["summary"]["successful"] == 7
    found = read_metrics(client)
    assert found.get_value("commit_events_sum") == 7
    assert found.get_value("commit_events_count") == found.get_value("commit_seconds_count") >= 1
    assert found.get_value("commit_events_bucket", le="+Inf") == found.get_value("commit_events_count")
    assert 7 * 500 < found.get_value("commit_bytes_total") < 7 * 2000
    assert found.get_value("queue_events") == found.get_value("queue_bytes") == 0


def test_waiting_events_are_counted(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    live = client.app.state.service.resources.live  # type: ignore[attr-defined]
    commit, wait = live.commit, True

    def commit_slowly(build: object) -> object:
        while wait:
            time.sleep(0.01)
        return commit(build)

    monkeypatch.setattr(live, "commit", commit_slowly)
    pipeline = client.app.state.service.resources.pipeline  # type: ignore[attr-defined]
    bodies = [client.post("/nothing", json=build_event(n)).request.content for n in range(4)]
    first = pipeline.submit(bodies[0])
    end = time.monotonic() + 60
    while read_metrics(client).get_value("queue_events") != 0:
        assert time.monotonic() < end
    others = [pipeline.submit(body) for body in bodies[1:]]
    found = read_metrics(client)
    assert (found.get_value("queue_events"), found.get_value("queue_bytes")) == (3, sum(map(len, bodies[1:])))
    wait = False
    assert all(future.result(timeout=60) for future in [first, *others])
    assert read_metrics(client).get_value("queue_events") == 0


def test_refused_because_the_store_is_gone(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_unavailable(_build: object) -> object:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(client.app.state.service.resources.live, "commit", raise_unavailable)  # type: ignore[attr-defined]
    assert client.post("/api/v1/lineage", json=build_event()).status_code == 503
    assert list_outcomes(read_metrics(client)) == {"unavailable": 1}


def test_the_index_and_its_lag(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = read_metrics(client)
    assert [empty.get_value(f"index_{what}") for what in ("columns", "datasets", "jobs", "edges", "revision", "lag_revisions")] == [0] * 6
    assert (empty.get_value("ready"), empty.get_value("store_up")) == (1, 1)
    for n in range(3):
        assert client.post("/api/v1/lineage", json=build_event(n)).status_code == 201
    found = read_metrics(client)
    assert [found.get_value(f"index_{what}") for what in ("columns", "datasets", "jobs")] == [2, 2, 3]
    assert found.get_value("index_edges") == 3  # each job states that a flows to b
    assert found.get_value("index_revision") == found.get_value("store_revision") == 3
    opened = client.app.state.service.resources  # type: ignore[attr-defined]
    monkeypatch.setattr(opened.live.store, "read_revision", lambda: 8)
    monkeypatch.setattr(opened.live, "refresh", lambda: 3)
    behind = read_metrics(client)
    assert (behind.get_value("store_revision"), behind.get_value("index_revision"), behind.get_value("index_lag_revisions")) == (8, 3, 5)

    def raise_unavailable() -> int:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(opened.live.store, "read_revision", raise_unavailable)
    down = read_metrics(client)
    assert (down.get_value("ready"), down.get_value("store_up"), down.get_value("index_columns")) == (0, 0, 2)
    assert down.get_value("index_lag_revisions") != down.get_value("index_lag_revisions"), "not a number: it is not known"


def test_before_the_graph_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_unavailable(_url: str) -> object:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr("meshline.app.service.open_store", raise_unavailable)
    with TestClient(create_app(load_settings(store=":memory:")), base_url=URL) as client:
        assert client.post("/api/v1/lineage", json=build_event()).status_code == 503
        found = read_metrics(client)
        assert (found.get_value("ready"), found.get_value("store_up")) == (0, 0)
        assert list_outcomes(found) == {"unavailable": 1}


def test_queries_by_root_field(client: TestClient) -> None:
    asked = {
        "{ about { version } }": "about",
        "query mine($n: Int) { x: datasets(first: $n) { totalCount } }": "datasets",
        "query q { ...f } fragment f on Query { ... on Query { jobs { totalCount } } }": "jobs",
        "{ about { version } jobs { totalCount } }": "several",
        "{ a: about { version } b: about { revision } }": "about",
        "{ __schema { queryType { name } } }": "introspection",
        '{ impact(of: ["x"]) { total } }': "impact",
        'mutation { retract(statement: "st_1") { statement } }': "retract",
        "{ nothing }": "refused",
        "{": "refused",
        "": "refused",
    }
    for query in asked:
        ask_graphql(client, query)
    found = read_metrics(client)
    assert found.list_labels("queries_total", "operation") == set(asked.values())
    assert found.get_value("queries_total", operation="about", outcome="ok") == 2
    assert found.get_value("queries_total", operation="impact", outcome="NOT_FOUND") == 1
    assert found.get_value("queries_total", operation="refused", outcome="GRAPHQL_INVALID") == 2
    assert found.get_value("query_seconds_count", operation="about") == 2
    assert found.get_value("query_seconds_sum", operation="about") > 0


def test_no_label_is_made_up_by_a_client(client: TestClient) -> None:
    for n in range(20):
        ask_graphql(client, f"query made_up_{n} {{ up_{n}: about {{ version }} }}")
        ask_graphql(client, f"{{ made_up_{n} }}")
        client.get(f"/made-up-{n}")
        client.request(f"MADEUP{n}", "/graphql")
    found = read_metrics(client)
    labels = {value for _, pairs in found for _, value in pairs}
    assert not [value for value in labels if "up_" in value or "made" in value.lower()]
    schema = build_schema(1, 1, 1)._schema
    roots = {*schema.query_type.fields, *schema.mutation_type.fields} if schema.query_type and schema.mutation_type else set()
    assert found.list_labels("queries_total", "operation") <= roots | {"refused", "several", "introspection"}
    assert found.get_value("http_requests_total", method="GET", route=OTHER, status="404") == 20


def test_truncations_by_limit() -> None:
    def build_column_event(n: int) -> dict[str, Any]:
        flow = {"namespace": "wh", "name": f"t{n}", "field": "id", "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}]}
        lineage = {"_producer": "https://x", "_schemaURL": "https://x", "fields": {"id": {"inputFields": [flow]}}}
        outputs = [{"namespace": "wh", "name": f"t{n + 1}", "facets": {"columnLineage": lineage}}]
        return build_event(n, inputs=[{"namespace": "wh", "name": f"t{n}"}], outputs=outputs)

    with run_application(query_nodes=6) as client:
        for n in range(10):
            assert client.post("/api/v1/lineage", json=build_column_event(n)).status_code == 201
        query = '{ dataset(namespace: "wh", name: "t%d") { columns { nodes { id } } } }'
        start, near_the_end = (ask_graphql(client, query % n)["data"]["dataset"]["columns"]["nodes"][0]["id"] for n in (0, 8))

        def read_truncations() -> dict[str, float]:
            found = read_metrics(client)
            return {limit: found.get_value("truncations_total", limit=limit) for limit in ("NODES", "DEPTH", "TIME", "MATCHES")}

        impact = "query($of: ID!, $depth: Int) { impact(of: [$of], depth: $depth) { %s } }"
        whole = impact % "total completeness { truncated }"
        assert ask_graphql(client, whole, of=near_the_end)["data"]["impact"]["completeness"]["truncated"] == "NONE"
        assert read_truncations() == {"NODES": 0, "DEPTH": 0, "TIME": 0, "MATCHES": 0}
        assert ask_graphql(client, whole, of=start)["data"]["impact"]["completeness"]["truncated"] == "NODES"
        assert read_truncations()["NODES"] == 1
        assert ask_graphql(client, impact % "total", of=start, depth=2)["data"]["impact"]["total"]  # also if no query asks whether
        assert read_truncations() == {"NODES": 1, "DEPTH": 1, "TIME": 0, "MATCHES": 0}
        drawn = "query($of: ID!) { lineage(of: [$of], limit: 2, depth: 5) { nodes { distance } } }"
        assert len(ask_graphql(client, drawn, of=start)["data"]["lineage"]["nodes"]) == 2
        assert read_truncations()["NODES"] + read_truncations()["DEPTH"] == 3


def test_requests_by_route_and_status() -> None:
    with run_application(tokens=TOKENS) as client:
        for _ in range(3):
            client.get("/healthz")
        client.post("/api/v1/lineage", json=build_event())
        client.get("/metrics", headers=build_authorization("unknown"))
        found = read_metrics(client, **build_authorization(SECRETS[Role.READER]))
        assert found.get_value("http_requests_total", method="GET", route="/healthz", status="200") == 3
        assert found.get_value("http_requests_total", method="POST", route="/api/v1/lineage", status="401") == 1
        assert found.get_value("http_request_seconds_count", route="/healthz") == 3
        assert {reason: found.get_value("auth_refusals_total", reason=reason) for reason in REFUSALS} == {
            "no_token": 1,
            "unknown_token": 1,
            "expired_token": 0,
            "invalid_jwt": 0,
            "denied": 0,
            "session": 0,
            "store": 0,
            "provider": 0,
            "proxy": 0,
            "origin": 0,
            "role": 0,
            "view": 0,
            "host": 0,
        }
        assert found.get_value("http_requests_under_way") == 1  # this one


def test_each_application_counts_for_itself(client: TestClient, tmp_path: Path) -> None:
    client.get("/healthz")
    with run_application(store=f"sqlite:///{tmp_path / 'x.db'}") as other:
        assert read_metrics(other).get_value("http_requests_total", method="GET", route="/healthz", status="200") == 0
    assert read_metrics(client).get_value("http_requests_total", method="GET", route="/healthz", status="200") == 1

"""`/api/v1/sources`: a reading that was made elsewhere is loaded only after all of it was checked."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from meshline.cli.http_client import HttpClient
from meshline.cli.http_target import HttpTarget
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, AssetKind, Content, EdgeFact, EdgeType, Facts, Flow, Json, get_current_micros
from meshline.ingest.sources.base import Entry, Item, Reading, Refusal, Unchanged
from meshline.ingest.sources.sync_status import Status
from meshline.ingest.sources.transfer import ENDS, MAX_FLOWS, MAX_KEYS, SentReading, encode_entry
from tests.api.conftest import run_application
from tests.ingest.sources.fake_source import (
    BAD,
    T,
    build_entry,
    build_table,
    count_outcomes,
    load_items,
    open_graph,
    read_tables,
    remove_times,
)

A, B = model.build_dataset_key("lake", "a"), model.build_dataset_key("lake", "b")
PARAMS = {"source": "iceberg/lake"}


def put_reading(client: TestClient, body: Any, source: str = "iceberg/lake") -> Any:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return client.put("/api/v1/sources", params={"source": source}, content=content, headers={"Content-Type": "application/json"})


def build_sent_reading(*entries: Entry, **others: Any) -> SentReading:
    return SentReading(tuple(encode_entry(one) for one in entries), **others)


def get_live_graph(client: TestClient) -> LiveGraph:
    found: LiveGraph = client.app.state.service.resources.live  # type: ignore[attr-defined]
    return found


def test_a_reading_is_loaded_like_one_of_a_local_source(client: TestClient) -> None:
    body = build_sent_reading(build_entry("a", "x", time=T, past=[(T - 9, build_table("a", "y"))]), build_entry("b", "x"), complete=True)
    answer = put_reading(client, body)
    assert answer.status_code == 200, answer.text
    expected = {"source": "iceberg/lake", "read": 2, "unchanged": 0, "new": 2, "changed": 0, "retracted": 0, "kept": 0}
    assert {key: value for key, value in answer.json().items() if key != "revision"} == expected
    assert read_tables(get_live_graph(client), T - 5) == {"lake/a": ["y"]}
    again = put_reading(client, build_sent_reading(build_entry("a", "x"), unchanged=(("table", "b"),), complete=True)).json()
    assert (again["unchanged"], again["retracted"]) == (2, 0)
    less = put_reading(client, build_sent_reading(build_entry("a", "x"), refused=(("table", "b"),), complete=True)).json()
    assert (less["retracted"], less["kept"]) == (0, 1)
    assert put_reading(client, build_sent_reading(build_entry("a", "x"), complete=True)).json()["retracted"] == 1
    assert read_tables(get_live_graph(client)) == {"lake/a": ["x"]}


def test_memory_and_status_come_back(client: TestClient) -> None:
    at = get_current_micros()
    assert client.get("/api/v1/sources", params=PARAMS).json() == {"source": "iceberg/lake"}
    status = Status(at, 1.5, read=3, error="away", failures=2, next=at)
    assert put_reading(client, SentReading(memory={"etag": "7"}, status=status)).status_code == 200
    known = client.get("/api/v1/sources", params=PARAMS).json()
    assert known == {
        "source": "iceberg/lake",
        "memory": {"etag": "7"},
        "status": {"at": at, "seconds": 1.5, "read": 3, "error": "away", "failures": 2},
    }


def test_what_the_graph_knows(client: TestClient) -> None:
    put_reading(client, build_sent_reading(build_entry("shop.orders", "x"), build_entry("shop.items", "x")))
    ending = client.get("/api/v1/sources", params={**PARAMS, "ending": "orders"}).json()
    assert ending == {"source": "iceberg/lake", "datasets": [["lake", "shop.orders"]]}
    of = client.get("/api/v1/sources", params={**PARAMS, "namespace": "lake"}).json()
    assert sorted(of["datasets"]) == [["lake", "shop.items"], ["lake", "shop.orders"]]


def encode_content(content: Content) -> str:
    return base64.b64encode(content.blob).decode()


def encode_edge(type_: EdgeType, start: AssetKey, end: AssetKey, **attributes: Json) -> str:
    return encode_content(encode_facts(Facts(edges=(EdgeFact(type_, start, end, attributes),))))


BAD_CONTENTS = {
    "no base64": "???",
    "no content": base64.b64encode(b"junk").decode(),
    "nothing": "",
    "positions that are not there": base64.b64encode(msgspec.msgpack.encode([[[2, "n", "d"]], [[5, {}]], [], [], []])).decode(),
    "a kind that is not there": base64.b64encode(msgspec.msgpack.encode([[[77, "n", "d"]], [], [], [], []])).decode(),
    "a name of too few parts": base64.b64encode(msgspec.msgpack.encode([[[2, "n"]], [[0, {}]], [], [], []])).decode(),
    "an empty name": encode_content(encode_facts(Facts(assets=(AssetFact(model.build_dataset_key("lake", ""), {}),)))),
    "half a flow": base64.b64encode(msgspec.msgpack.encode([[[2, "n", "d"]], [], [], [[0, "", 0, 0, -1]], [0, 0]])).decode(),
    "bytes as an attribute": base64.b64encode(msgspec.msgpack.encode([[[2, "n", "d"]], [[0, {"x": b"y"}]], [], [], []])).decode(),
    "an edge between the wrong kinds": encode_edge(EdgeType.WRITES, A, model.build_job_key("j", "j")),
    "another dataset's column": encode_edge(EdgeType.HAS_COLUMN, A, model.build_column_key(B, "x")),
    "a rename to another kind": encode_edge(EdgeType.RENAMED_TO, A, model.build_column_key(A, "x")),
    "a flow to a job": encode_content(encode_facts(Facts(flows=(Flow(A, model.build_job_key("j", "j")),)))),
    "a name too long": encode_content(encode_facts(Facts(assets=(AssetFact(model.build_dataset_key("lake", "x" * 4_097), {}),)))),
    "too many flows": base64.b64encode(
        msgspec.msgpack.encode([[[2, "n", "d"]], [], [], [[0, "", 0, 0, -1]], [0] * 3 * (MAX_FLOWS + 1)])
    ).decode(),
    "too many columns": base64.b64encode(
        msgspec.msgpack.encode([[[2, "n", "d"], *([3, 0, f"c{n}"] for n in range(MAX_KEYS))], [], [], [], []])
    ).decode(),
    "a flow through no job": encode_content(encode_facts(Facts(flows=(Flow(A, B, job=A),)))),
}


@pytest.mark.parametrize("content", BAD_CONTENTS.values(), ids=BAD_CONTENTS.keys())
def test_content_that_no_source_of_ours_states_is_refused(client: TestClient, content: str) -> None:
    good = {"scope": ["table", "a"], "content": encode_content(build_table("a", "x"))}
    for key, value in (("content", content), ("past", [[5, content]])):
        bad = {"scope": ["table", "b"], "content": encode_content(build_table("b", "x")), key: value}
        answer = put_reading(client, {"entries": [good, bad], "complete": True})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["code"] == "INVALID_INPUT"
    assert read_tables(get_live_graph(client)) == {}, "nothing is written of a request that is refused"


@pytest.mark.parametrize(
    ("body", "source"),
    [
        ({"entries": [{"scope": [], "content": encode_content(build_table("a", "x"))}]}, "iceberg/lake"),
        ({"entries": [{"scope": ["x"] * 17, "content": encode_content(build_table("a", "x"))}]}, "iceberg/lake"),
        ({"entries": [{"scope": ["x" * 5000], "content": encode_content(build_table("a", "x"))}]}, "iceberg/lake"),
        ({"entries": [{"scope": ["x"], "content": encode_content(build_table("a", "x")), "time": -1}]}, "iceberg/lake"),
        (
            {
                "entries": [
                    {"scope": ["x"], "content": encode_content(build_table("a", "x")), "time": get_current_micros() + 2 * 86_400_000_000}
                ]
            },
            "iceberg/lake",
        ),
        (
            {
                "entries": [
                    {
                        "scope": ["x"],
                        "content": encode_content(build_table("a", "x")),
                        "past": [[get_current_micros() * 2, encode_content(build_table("a", "x"))]],
                    }
                ]
            },
            "iceberg/lake",
        ),
        ({"entries": [{"scope": ["x"], "content": encode_content(build_table("a", "x"))}]}, "openlineage/x"),
        ({"complete": True}, "mesh/x"),
        ({"entres": []}, "iceberg/lake"),
        ({"status": {"at": get_current_micros() * 2, "seconds": 1}}, "iceberg/lake"),
        ({"status": {"at": -1, "seconds": 1}}, "iceberg/lake"),
        ({"memory": {"a": 1}}, "iceberg/lake"),
        ({}, "iceberg"),
        ({}, "person/ann"),
        ({}, "naming/catalogs"),
        ({}, "icberg/lake"),
        ({}, "iceberg/"),
        ({}, "iceberg/a/b"),
        ({}, "iceberg/" + "x" * 200),
        (b"[", "iceberg/lake"),
        (b"[" * 100_000, "iceberg/lake"),
        (b"", "iceberg/lake"),
    ],
)
def test_requests_that_cannot_be_used(client: TestClient, body: object, source: str) -> None:
    answer = put_reading(client, body, source)
    assert answer.status_code == 400, answer.text


def test_events_of_a_source_of_their_own(client: TestClient) -> None:
    assert client.post("/api/v1/lineage/batch", params={"source": "a/b"}, json=[]).status_code == 400
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-01-01T00:00:00Z",
        "run": {"runId": "00000000-0000-0000-0000-000000000001"},
        "job": {"namespace": "n", "name": "j"},
        "outputs": [{"namespace": "n", "name": "d"}],
    }
    assert client.post("/api/v1/lineage/batch", params={"source": "nightly"}, json=[event]).json()["status"] == "success"
    assert {source for source, _ in get_live_graph(client).index.assets.survey().mentioned} == {"openlineage/nightly"}


def test_every_type_of_edge_has_its_ends() -> None:
    assert set(ENDS) == set(EdgeType)


@pytest.mark.parametrize("part", [1, 3000, 10_000_000])
def test_a_reading_in_parts_ends_the_same(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """Sent in one part, in some, or one for each entry: the graph and the counts are those of a loading."""
    monkeypatch.setattr("meshline.cli.http_target.PART_BYTES", part)
    before: list[Item] = [build_entry(f"t{i}", "x") for i in range(0, 60, 2)]
    after: list[Item] = [
        *(build_entry(f"t{i}", "x", "y", time=T + i, past=[(T - i, build_table(f"t{i}", "z"))]) for i in range(1, 40)),
        *(Unchanged(("table", f"t{i}")) for i in range(40, 50, 2)),
        build_entry("t1", "again"),
        Refusal(BAD, ("table", "t50")),
    ]
    with run_application() as client, open_graph() as live:
        target = HttpTarget(HttpClient(client, "http://test"))  # type: ignore[arg-type]
        for found in (before, after, after):
            local = load_items(live, found)
            remote = target.load(Reading("iceberg/lake", iter(found), complete=True, remember=lambda: {"seen": "1"}))
            assert count_outcomes(remote) == count_outcomes(local)
            assert list(map(str, remote.refused)) == list(map(str, local.refused))
        assert remove_times(get_live_graph(client).index.dump()) == remove_times(live.index.dump())
        assert target.build_context("iceberg/lake", None, {}).memory == {"seen": "1"}  # type: ignore[arg-type]


def test_what_a_source_may_know_is_the_same_over_http(client: TestClient) -> None:
    put_reading(client, build_sent_reading(build_entry("shop.orders", *(f"c{i}" for i in range(1500)))))
    mail = encode_facts(Facts(assets=(AssetFact(model.build_owner_key("ann"), {"email": "Ann@x.org"}),)))
    put_reading(client, build_sent_reading(Entry(("owner", "ann"), mail)))
    context = HttpTarget(HttpClient(client, "http://test")).build_context("dbt/x", None, {"lake": "lake"})  # type: ignore[arg-type]
    dataset = model.build_dataset_key("lake", "shop.orders")
    assert [column.name for column in context.columns_of(dataset)] == [f"c{i}" for i in range(1500)]
    assert context.columns_of(model.build_dataset_key("lake", "none")) == []
    assert context.resolve_person("ann@x.org") == "ann"
    governs = encode_facts(Facts(edges=(EdgeFact(EdgeType.GOVERNS, model.build_contract_key("c1"), dataset),)))
    put_reading(client, build_sent_reading(Entry(("contract", "c1"), governs)))
    assert context.datasets_ending_with("orders") == context.datasets_in("lake") == context.datasets_governed_by("c1") == [dataset]
    assert context.datasets_governed_by("c2") == context.datasets_ending_with("nothing") == context.datasets_in("elsewhere") == []
    assert context.naming.normalise_dataset("s3a://b", "x/") == AssetKey(AssetKind.DATASET, ("s3://b", "x"))

"""Servers that refuse, break or lie: small ones of our own, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.iceberg.source import Iceberg
from tests.ingest.sources.iceberg_catalog import count_outcomes, ignore_warnings, sync_catalog

TABLE = {
    "format-version": 2,
    "table-uuid": "u",
    "location": "s3://bucket/t",
    "last-updated-ms": 1_700_000_000_000,
    "schemas": [{"schema-id": 0, "fields": [{"id": 1, "name": "a", "type": "int"}]}],
}


class Reply(NamedTuple):
    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()


def build_reply(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), tuple(headers.items()))


class Asked(NamedTuple):
    path: str
    headers: dict[str, str]


class Lake:
    """One namespace `n` with the tables `t0` to `t2`, unless `answers` has another reply for a path (without its query)."""

    def __init__(self, answers: dict[str, Callable[[Asked], Reply]], config: dict[str, object]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.config = config

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        path, _, query = asked.path.partition("?")
        if path in self.answers:
            return self.answers[path](asked)
        if path == "/v1/config":
            return build_reply(self.config)
        if path == "/v1/namespaces":
            return build_reply({"namespaces": [] if "parent" in query else [["n"]]})
        if path == "/v1/namespaces/n":
            return build_reply({"namespace": ["n"], "properties": {}})
        if path == "/v1/namespaces/n/tables":
            return build_reply({"identifiers": [{"namespace": ["n"], "name": f"t{i}"} for i in range(3)]})
        if path.startswith("/v1/namespaces/n/tables/t"):
            return build_reply(
                {"metadata-location": f"s3://bucket/{path[-1]}/1.json", "metadata": {**TABLE, "location": f"s3://bucket/{path[-1]}"}}
            )
        return build_reply({"error": {"message": "no such path", "type": "NotFound", "code": 404}}, 404)


@contextmanager
def run_server(answers: dict[str, Callable[[Asked], Reply]], **config: object) -> Iterator[tuple[str, Lake]]:
    lake = Lake(answers, {"defaults": {}, "overrides": {}, **config})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = lake.answer(Asked(self.path, dict(self.headers)))
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with ignore_warnings():
                yield f"http://127.0.0.1:{server.server_address[1]}", lake
        finally:
            server.shutdown()


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveGraph]:
    monkeypatch.setattr("meshline.ingest.sources.iceberg.rest_catalog.WAITS", (0.01, 0.01))
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def test_without_etags_the_place_of_the_metadata_shows_what_is_unchanged(graph: LiveGraph) -> None:
    with run_server({}) as (url, _):
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url))) == (6, 0, 0, 0, 0)
        again = sync_catalog(graph, Iceberg(uri=url))
        assert (again.read, again.unchanged) == (0, 6)


def test_etags_are_sent_back_as_they_came_and_compression_is_not_asked_for(graph: LiveGraph) -> None:
    def answer_table(asked: Asked) -> Reply:
        if asked.headers.get("If-None-Match") == 'W/"abc"':
            return Reply(304, b"")
        return build_reply({"metadata": TABLE}, ETag='W/"abc"')

    with run_server({"/v1/namespaces/n/tables/t1": answer_table}) as (url, lake):
        sync_catalog(graph, Iceberg(uri=url))
        assert sync_catalog(graph, Iceberg(uri=url)).read == 0
        asked = [one for one in lake.asked if one.path.endswith("/t1")]
        assert [one.headers.get("If-None-Match") for one in asked] == [None, 'W/"abc"']
        assert {one.headers.get("Accept-Encoding") for one in asked} == {"identity"}
        assert not any("X-Iceberg-Access-Delegation" in one.headers for one in asked), "no storage credentials are wanted"


def test_a_busy_server_is_asked_again(graph: LiveGraph) -> None:
    replies = iter([Reply(503), Reply(429), build_reply({"metadata": TABLE})])
    with run_server({"/v1/namespaces/n/tables/t1": lambda _: next(replies)}) as (url, _):
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url))) == (6, 0, 0, 0, 0)


def test_a_server_that_stays_busy_ends_the_reading_and_nothing_is_retracted(graph: LiveGraph) -> None:
    with run_server({}) as (url, lake):
        sync_catalog(graph, Iceberg(uri=url, parallel=1))
        lake.answers["/v1/namespaces/n/tables/t0"] = lambda _: Reply(503)
        loading = sync_catalog(graph, Iceberg(uri=url, parallel=1))
        assert count_outcomes(loading)[3:] == (0, 1)
        assert "the catalog does not answer: HTTP 503; 0 tables and views were read, the others remain as they were" in str(
            loading.refused[0]
        )
        del lake.answers["/v1/namespaces/n/tables/t0"]
        assert sync_catalog(graph, Iceberg(uri=url)).read == 0, "what was remembered is remembered"


def test_a_rejected_login_gives_one_message_without_the_secret(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_TOKEN", "s3cr3t-token")

    def refuse(asked: Asked) -> Reply:
        return build_reply(
            {"error": {"message": f"no: {asked.headers.get('Authorization')}", "type": "NotAuthorizedException", "code": 401}}, 401
        )

    source = {"properties": {"token": "${LAKE_TOKEN}"}}
    with run_server({"/v1/config": refuse}) as (url, _):
        with pytest.raises(StoreUnavailable) as raised:
            sync_catalog(graph, Iceberg.model_validate({"uri": url, **source}))
        assert "s3cr3t" not in str(raised.value)
        assert "NotAuthorizedException" in str(raised.value)
    with run_server({"/v1/namespaces/n/tables/t0": refuse}) as (url, _):
        loading = sync_catalog(graph, Iceberg.model_validate({"uri": url, **source}))
        assert len(loading.refused) == 1
        assert "s3cr3t" not in str(loading.refused[0])
        assert "the catalog refuses access: HTTP 401 NotAuthorizedException" in str(loading.refused[0])


def test_an_expired_token_is_renewed(graph: LiveGraph) -> None:
    tokens = iter(["first", "second", "third"])
    given: list[str] = []

    def answer_token(_: Asked) -> Reply:
        given.append(next(tokens))
        return build_reply({"access_token": given[-1], "token_type": "bearer", "expires_in": 3600})

    def answer_table(asked: Asked) -> Reply:
        return build_reply({"metadata": TABLE}) if asked.headers["Authorization"] == "Bearer third" else Reply(401)

    with run_server({"/token": answer_token, "/v1/namespaces/n/tables/t1": answer_table}) as (url, _):
        source = Iceberg(uri=url, properties={"credential": "me:hunter22", "oauth2-server-uri": f"{url}/token"}, parallel=1)
        assert count_outcomes(sync_catalog(graph, source)) == (6, 0, 0, 0, 0)
    assert given == ["first", "second", "third"], "for the configuration, the session, and when the server reported that it had expired"


def test_a_table_that_one_may_not_see_is_refused_alone(graph: LiveGraph) -> None:
    def forbid(_: Asked) -> Reply:
        return build_reply({"error": {"message": "not for you", "type": "ForbiddenException", "code": 403}}, 403)

    with run_server({"/v1/namespaces/n/tables/t1": forbid}) as (url, _):
        loading = sync_catalog(graph, Iceberg(uri=url))
    assert count_outcomes(loading) == (4, 0, 0, 0, 1)
    assert str(loading.refused[0]) == "n.t1: the catalog cannot load it: HTTP 403 ForbiddenException: not for you"


def test_properties_of_namespaces_may_be_forbidden(graph: LiveGraph) -> None:
    with run_server({"/v1/namespaces/n": lambda _: Reply(403)}) as (url, _):
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url))) == (6, 0, 0, 0, 0)


def test_a_namespace_that_fails_stays_as_it_was(graph: LiveGraph) -> None:
    with run_server({"/v1/namespaces/n": lambda _: build_reply({"namespace": ["n"], "properties": {"owner": "n-team@example.com"}})}) as (
        url,
        lake,
    ):
        sync_catalog(graph, Iceberg(uri=url))
        lake.answers["/v1/namespaces/n"] = lambda _: Reply(500)
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url))) == (0, 0, 0, 0, 1)
        lake.answers["/v1/namespaces/n"] = lambda _: build_reply({"namespace": ["n"], "properties": {"owner": "n-team@example.com"}})
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url))) == (0, 0, 6, 0, 0)


def test_without_a_token_none_is_sent(graph: LiveGraph) -> None:
    with run_server({}) as (url, lake):
        sync_catalog(graph, Iceberg(uri=url, properties={"auth": {"type": "noop"}}))
        assert not any("Authorization" in one.headers for one in lake.asked)


def test_a_table_that_is_removed_after_it_was_listed_is_gone(graph: LiveGraph) -> None:
    with run_server({}) as (url, lake):
        sync_catalog(graph, Iceberg(uri=url))
        lake.answers["/v1/namespaces/n/tables/t1"] = lambda _: build_reply(
            {"error": {"message": "it is not there", "type": "NoSuchTableException", "code": 404}}, 404
        )
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url)))[3:] == (2, 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"namespaces": 3}', b'{"namespaces": [[1]]}', b"[" * 50_000, b"\xff"])
def test_a_list_that_is_none_is_refused(graph: LiveGraph, body: bytes) -> None:
    with run_server({"/v1/namespaces": lambda _: Reply(200, body)}) as (url, _):
        loading = sync_catalog(graph, Iceberg(uri=url))
    assert count_outcomes(loading) == (0, 0, 0, 0, 1)
    assert isinstance(loading.refused[0], InvalidInput)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {**TABLE, "schemas": {}},
        {**TABLE, "schemas": [{"schema-id": 0, "fields": [{"id": "x", "name": "a", "type": "int"}]}]},
        {**TABLE, "properties": 7},
        {**TABLE, "snapshots": [{"snapshot-id": 1.5, "timestamp-ms": 0}]},
        {**TABLE, "last-updated-ms": "soon"},
    ],
)
def test_metadata_that_are_none_are_refused_alone(graph: LiveGraph, metadata: object) -> None:
    with run_server({"/v1/namespaces/n/tables/t1": lambda _: build_reply({"metadata": metadata})}) as (url, _):
        loading = sync_catalog(graph, Iceberg(uri=url))
    assert count_outcomes(loading) == (4, 0, 0, 0, 1)
    assert str(loading.refused[0]).startswith("n.t1: not metadata of Iceberg")


def test_strange_values_are_no_fault(graph: LiveGraph) -> None:
    strange = {
        **TABLE,
        "table-uuid": "",
        "location": "nonsense://",
        "last-updated-ms": -(10**15),
        "current-schema-id": 99,
        "schemas": [{"schema-id": -3, "fields": [{"id": 1, "name": "", "type": "int"}, {"id": 1, "name": "a.b", "type": ""}]}],
        "properties": {"owner": "", "data-product.name": " ", "comment": 5, "x": None},
        "snapshots": [{"snapshot-id": 10**18, "timestamp-ms": 10**18, "schema-id": 5, "summary": {"total-records": "many"}}],
        "snapshot-log": [{"snapshot-id": 10**18, "timestamp-ms": 10**18}, {"snapshot-id": 3, "timestamp-ms": 1}],
        "partition-specs": [{"spec-id": 0, "fields": [{"name": "p", "transform": "void", "source-id": 77}]}],
        "metadata-log": [{"timestamp-ms": 10**18, "metadata-file": ""}],
    }
    with run_server({"/v1/namespaces/n/tables/t1": lambda _: build_reply({"metadata": strange})}) as (url, _):
        loading = sync_catalog(graph, Iceberg(uri=url))
        assert count_outcomes(loading)[3:] == (0, 0)
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url)))[:2] == (0, 0)


def test_a_list_that_goes_round_ends(graph: LiveGraph) -> None:
    page = build_reply({"identifiers": [], "next-page-token": "again"})
    with run_server({"/v1/namespaces/n/tables": lambda _: page}) as (url, _):
        assert count_outcomes(sync_catalog(graph, Iceberg(uri=url))) == (0, 0, 0, 0, 0)


def test_an_answer_without_end_is_refused(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshline.ingest.sources.iceberg.rest_catalog.MAX_BYTES", 10_000)
    with run_server({"/v1/namespaces/n/tables/t1": lambda _: Reply(200, b"{" + b" " * 20_000 + b"}")}) as (url, _):
        loading = sync_catalog(graph, Iceberg(uri=url))
    assert [str(one) for one in loading.refused] == ["n.t1: the catalog's answer has more than 10000 bytes"]


def test_a_redirect_is_not_followed_for_a_table(graph: LiveGraph) -> None:
    with run_server({"/v1/namespaces/n/tables/t1": lambda _: Reply(302, b"", (("Location", "http://127.0.0.1:1/"),))}) as (url, _):
        loading = sync_catalog(graph, Iceberg(uri=url))
    assert [str(one) for one in loading.refused] == ["n.t1: the catalog cannot load it: HTTP 302"]


def test_a_server_that_cannot_be_reached_is_reported(graph: LiveGraph) -> None:
    with ignore_warnings(), pytest.raises(StoreUnavailable, match="the catalog does not answer: ConnectionError"):
        sync_catalog(graph, Iceberg(uri="http://127.0.0.1:1"))


def test_properties_that_make_no_catalog_are_refused(graph: LiveGraph) -> None:
    with pytest.raises(InvalidInput, match="the type of the catalog is unknown"):
        sync_catalog(graph, Iceberg(uri="ftp://somewhere"))
    with pytest.raises(InvalidInput, match="MESHLINE_TEST_NOT_SET"):
        sync_catalog(graph, Iceberg(uri="http://127.0.0.1:1", properties={"token": "${MESHLINE_TEST_NOT_SET}"}))

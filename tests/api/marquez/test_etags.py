"""Lists of names and lineage of columns have an ETag: the same answer is not sent again until the graph, or what is registered, changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from meshline.api.marquez.question import Question
from meshline.api.marquez.routes import PREFIX, ROUTES, SOURCES
from meshline.app.tokens import Role
from tests.api.conftest import MoveClock, run_application
from tests.api.marquez.conftest import (
    JOBS,
    LAKE,
    ORDERS,
    RUN,
    Marquez,
    build_column_lineage,
    build_dataset,
    build_event,
    build_events,
    build_path,
)
from tests.api.test_auth import SECRETS, TOKENS, build_authorization
from tests.api.test_etag import DAY, change_unrevised

Query = dict[str, str]
NAMESPACE = build_path("namespaces", LAKE)
COLUMNS = {"nodeId": f"dataset:{LAKE}:orders", "withDownstream": "true"}
ASKED: dict[str, list[tuple[str, Query]]] = {  # of each address with ETags
    f"{PREFIX}/namespaces": [(build_path("namespaces"), {}), (build_path("namespaces"), {"limit": "1", "offset": "2"})],
    f"{PREFIX}/namespaces/{{namespace}}": [(NAMESPACE, {})],
    f"{PREFIX}/tags": [(build_path("tags"), {})],
    SOURCES: [(build_path("sources"), {})],
    f"{PREFIX}/sources/{{source}}": [(build_path("sources", LAKE), {})],
    f"{PREFIX}/column-lineage": [(build_path("column-lineage"), COLUMNS), (build_path("column-lineage"), {"nodeId": f"job:{JOBS}:report"})],
    f"{PREFIX}/search": [
        (build_path("search"), {"q": "o", "sort": "update_at"}),
        (build_path("search"), {"q": "o", "after": "2026-03-08"}),
    ],
    "/openapi.json": [("/openapi.json", {})],
}
ALL = [one for asked in ASKED.values() for one in asked]
READER, WRITER, ADMIN = (build_authorization(SECRETS[role]) for role in (Role.READER, Role.WRITER, Role.ADMIN))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with run_application(tokens=TOKENS) as found:
        for event in build_events():
            assert found.post(f"{PREFIX}/lineage", json=event, headers=WRITER).status_code == 201
        yield found


class Reader:
    """A client that keeps every answer with its ETag, and sends that with the next request."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.kept: dict[str, Response] = {}

    def ask_all(self) -> set[str]:
        """Ask for all addresses; those that were sent again. Whatever was not is as it is for a client that kept nothing."""
        sent = set()
        for path, query in ALL:
            address = f"{path}?{query}"
            fresh = self.client.get(path, params=query, headers=READER)
            known = {"If-None-Match": self.kept[address].headers["etag"]} if address in self.kept else {}
            answer = self.client.get(path, params=query, headers={**READER, **known})
            assert fresh.status_code == 200, fresh.text
            assert answer.headers["etag"] == fresh.headers["etag"]
            assert answer.headers["cache-control"] == "private, no-cache"
            assert {"Authorization", "Accept-Encoding"} <= set(answer.headers["vary"].split(", "))
            if answer.status_code == 304:
                assert (answer.content, fresh.content) == (b"", self.kept[address].content)
            else:
                assert (answer.status_code, answer.content) == (200, fresh.content)
                if address in self.kept and answer.content == self.kept[address].content:
                    continue  # another revision, and the same answer
                sent.add(address)
            self.kept[address] = answer if answer.status_code == 200 else self.kept[address]
        return sent


def list_asked(*addresses: str) -> set[str]:
    return {f"{path}?{query}" for address in addresses for path, query in ASKED[address]}


def test_every_address_with_etags_is_asked_here() -> None:
    assert {route.path for route in ROUTES if route.lasting} | {SOURCES, "/openapi.json"} == ASKED.keys()


def test_an_answer_is_sent_again_when_it_is_another_one(client: TestClient, move_clock: MoveClock) -> None:
    reader = Reader(client)
    assert reader.ask_all() == list_asked(*ASKED)
    assert reader.ask_all() == set()

    tags = {"tags": [{"key": "pii", "source": "test"}], "_producer": "https://x.org", "_schemaURL": "https://x.org/t.json"}
    copied = build_dataset(LAKE, "orders_copy", columnLineage=build_column_lineage(ORDERS, {"id": "id"}), tags=tags)
    event = build_event(5, "report", [ORDERS], [copied])
    assert client.post(f"{PREFIX}/lineage", json=event, headers=WRITER).status_code == 201
    assert reader.ask_all() == list_asked(*ASKED) - list_asked("/openapi.json")
    assert reader.ask_all() == set()

    graph = client.app.state.service.resources.live  # type: ignore[attr-defined]
    revision = graph.index.revision
    change_unrevised(graph, 1_700_000_000_000_000)
    move_clock(400 * DAY)
    assert reader.ask_all() == set()
    assert graph.index.revision == revision

    def send(method: str, *segments: str, **body: object) -> None:
        answer = client.request(method, build_path(*segments), headers=ADMIN, json=body or None)
        assert answer.status_code == 200, answer.text

    # What is registered is written without a revision.
    send("PUT", "namespaces", LAKE, ownerName="ann")
    namespaces = list_asked(f"{PREFIX}/namespaces/{{namespace}}") | {
        f"{build_path('namespaces')}?{{}}",
        f"{build_path('namespaces')}?{ALL[1][1]}",
    }
    assert reader.ask_all() == namespaces
    send("PUT", "sources", LAKE, type="s3", connectionUrl="s3://lake")
    assert reader.ask_all() == list_asked(SOURCES, f"{PREFIX}/sources/{{source}}")
    send("PUT", "tags", "GOLD", description="checked")
    assert reader.ask_all() == list_asked(f"{PREFIX}/tags")
    send("DELETE", "namespaces", LAKE, "datasets", "orders")
    assert reader.ask_all() == list_asked(f"{PREFIX}/search")
    assert graph.index.revision == revision


@pytest.mark.parametrize(("path", "query"), ALL)
def test_an_etag_is_of_one_caller_and_one_question(client: TestClient, path: str, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get(path, params=query, headers=READER)
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get(path, params=query, headers={**WRITER, **known}).status_code == 200
    assert client.get(path, params={**query, "limit": "7"}, headers={**READER, **known}).status_code == 200
    assert client.get(path, params=query, headers={**READER, "If-None-Match": "*"}).status_code == 200
    assert client.get(path, params=query, headers=known).status_code == 401
    monkeypatch.setattr(Question, "__init__", None)
    again = client.get(path, params=query, headers={**READER, "If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b""), "without being made again"


def ask_lineage_events(client: TestClient) -> Response:
    return client.get(build_path("stats", "lineage-events"), params={"period": "DAY"}, headers=READER)


@pytest.mark.parametrize(
    ("segments", "query"),
    [
        (("jobs",), {}),
        (("namespaces", JOBS, "jobs"), {}),
        (("namespaces", LAKE, "datasets"), {}),
        (("namespaces", LAKE, "datasets", "orders"), {}),
        (("lineage",), {"nodeId": f"job:{JOBS}:report"}),
        (("events", "lineage"), {}),
        (("stats", "lineage-events"), {"period": "DAY"}),
        (("column-lineage",), {"nodeId": f"run:{RUN.format(2)}"}),  # runs are removed in time
        (("sources",), {"source": "delta/lake"}),
    ],
)
def test_other_answers_have_no_etag(client: TestClient, segments: tuple[str, ...], query: Query) -> None:
    answer = client.get(build_path(*segments), params=query, headers=WRITER)
    assert answer.status_code == 200, answer.text
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_a_list_that_depends_on_the_clock_would_be_found(client: TestClient, move_clock: MoveClock) -> None:
    """The comparison above can fail."""
    before = ask_lineage_events(client).content
    move_clock(3 * DAY)
    assert ask_lineage_events(client).content != before


def test_an_answer_that_was_cut_off_has_no_etag() -> None:
    with run_application(query_nodes=1) as client:
        marquez = Marquez(client)
        marquez.send_events(*build_events())
        answer = client.get(build_path("column-lineage"), params=COLUMNS)
    assert answer.status_code == 200
    assert "etag" not in answer.headers

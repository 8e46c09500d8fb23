"""Clients that are slow, leave early, ask too much, or do not send HTTP: the others are served."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from itertools import islice
from pathlib import Path

import pytest

from meshline.graph.store.sqlite import SqliteStore
from tests.faults.served import Server, run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_file, check_oracle, list_bodies
from tests.faults.wire import BATCH, EVENT, GRAPHQL, JSON, Lost, Posted, Wire, build_request, open_wire, send_request

HALVES = 300  # connections that send half of a request
QUEUE = 20  # events that may wait


def build_halves(body: bytes) -> list[bytes]:
    """Requests that stop before they are complete."""
    whole = build_request("POST", EVENT, body)
    chunked = build_request("POST", EVENT, headers={**JSON, "Transfer-Encoding": "chunked"}) + b"400\r\n" + body[:100]
    return [b"", b"P", b"POST /api/v1/lin", whole[:60], whole[: -len(body)], whole[:-1], chunked, whole[: -len(body) // 2]]


@asynccontextmanager
async def send_halves(server: Server, body: bytes, number: int) -> AsyncIterator[list[Wire]]:
    async with AsyncExitStack() as stack:
        kinds = build_halves(body)
        wires = [await stack.enter_async_context(open_wire(server.port)) for _ in range(number)]
        for position, one in enumerate(wires):
            await one.send(kinds[position % len(kinds)])
        yield wires


def test_half_a_request(tmp_path: Path, seed: int) -> None:
    """Many stop in the middle; all others are answered, and no half is ingested."""
    path = tmp_path / "mesh.db"
    found = list(islice(generate_bodies(seed), 60))
    with closing(Truth()) as truth:
        with run_server(f"sqlite:///{path}", tmp_path / "server.log") as server:

            async def run_crowd() -> None:
                async with send_halves(server, next(generate_bodies(seed + 1)), HALVES) as wires:
                    posted = Posted()
                    await posted.post(server.port, found, 32)
                    assert set(posted.acknowledged) == set(found)
                    for one in wires[::2]:
                        one.abort()

            asyncio.run(run_crowd())
            check_oracle(server, found)
            assert "Traceback" not in server.log
            server.terminate()
            assert server.wait() in (0, -15), "who is slow does not keep it from stopping"
        truth.add_bodies(found)
        check_file(str(path), truth)


def test_clients_that_leave_before_the_answer(tmp_path: Path, seed: int) -> None:
    """The event is there as a whole, or it is not."""
    path = tmp_path / "mesh.db"
    chance = random.Random(seed)
    found = list(islice(generate_bodies(seed), 200))

    async def leave(server: Server, body: bytes) -> None:
        async with open_wire(server.port) as to:
            whole = build_request("POST", EVENT, body)
            await to.send(whole if chance.random() < 0.7 else whole[: chance.randrange(len(whole))])
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.01]))
            to.abort()

    async def run_crowd(server: Server) -> None:
        for at in range(0, len(found), 20):
            await asyncio.gather(*(leave(server, body) for body in found[at : at + 20]))

    with closing(Truth()) as truth:
        with run_server(f"sqlite:///{path}", tmp_path / "server.log") as server:
            asyncio.run(run_crowd(server))
            last = next(generate_bodies(seed + 1))
            assert send_request(server.port, "POST", EVENT, last).status == 201
            assert "Traceback" not in server.log, server.log[server.log.index("Traceback") :][:3000]
            server.terminate()
            server.wait()
        with closing(SqliteStore(str(path))) as store:
            kept = list_bodies(store)
        assert set(kept) <= {*found, last}
        assert len(kept) == len(set(kept))
        truth.add_bodies(kept)
        check_file(str(path), truth)


def test_more_than_may_wait(tmp_path: Path, seed: int) -> None:
    """While nothing can be written the queue fills; a client that finds it full is asked to retry, and no acknowledged event is lost."""
    path = tmp_path / "mesh.db"
    found = list(islice(generate_bodies(seed), 2000))
    with closing(Truth()) as truth:
        with run_server(f"sqlite:///{path}", tmp_path / "server.log", queue_size=QUEUE) as server:
            assert send_request(server.port, "POST", EVENT, found[0]).status == 201

            async def run_crowd() -> tuple[Posted, list[bytes]]:
                posted = Posted()
                with closing(sqlite3.connect(path, isolation_level=None)) as other:
                    other.execute("BEGIN IMMEDIATE")
                    posting = asyncio.create_task(posted.post(server.port, found[1:1000], 200))
                    while not posted.refused:  # noqa: ASYNC110 - of answers, not of a task
                        await asyncio.sleep(0.01)
                    batch = await asyncio.to_thread(send_request, server.port, "POST", BATCH, b"[" + b",".join(found[1000:]) + b"]")
                    other.execute("ROLLBACK")
                await posting
                failed = {one["index"]: one for one in batch.json["failed_events"]}
                assert all(one["retriable"] for one in failed.values())
                return posted, [body for index, body in enumerate(found[1000:]) if index not in failed]

            posted, retried = asyncio.run(run_crowd())
            assert {answer.status for _, answer in posted.refused} == {503}
            assert all(int(answer.headers["retry-after"]) >= 1 for _, answer in posted.refused)
            assert {answer.json["error"]["code"] for _, answer in posted.refused} == {"QUEUE_FULL"}
            assert "Traceback" not in server.log
        truth.add_bodies([found[0], *posted.acknowledged, *retried])
        check_file(str(path), truth)


@pytest.mark.parametrize(
    "sent_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS
        b"\x00" * 1000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n{}",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"POST /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: a\r\n b\x00\r\n\r\n",
    ],
)
def test_bytes_that_are_not_http_are_refused(shared: Server, sent_bytes: bytes) -> None:
    """An answer that refuses, or the end of the connection; and the next one is served."""

    async def send_bytes() -> None:
        async with open_wire(shared.port) as to:
            with suppress(Lost):
                await to.send(sent_bytes)
                assert 400 <= (await to.answer()).status < 500

    asyncio.run(send_bytes())
    assert send_request(shared.port, "POST", EVENT, next(generate_bodies(1))).status == 201


def test_a_chunk_that_is_announced_and_not_sent(shared: Server) -> None:
    """The rest may still come, so the server waits; when the client ends, it is no event."""
    sent_bytes = b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n{}"

    async def send_bytes() -> None:
        async with open_wire(shared.port) as to:
            await to.send(sent_bytes)
            to.end()
            with suppress(Lost):
                assert 400 <= (await to.answer()).status < 500

    asyncio.run(send_bytes())
    assert send_request(shared.port, "POST", EVENT, next(generate_bodies(1))).status == 201


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server("sqlite://:memory:", tmp_path_factory.mktemp("shared") / "server.log") as server:
        yield server
        assert "Traceback" not in server.log, server.log[server.log.index("Traceback") :][:3000]


def test_greedy_questions_beside_events(shared: Server, seed: int) -> None:
    """Questions that are too deep, too wide or too long are refused while events come in."""
    found = list(islice(generate_bodies(seed), 150))
    greedy = [
        "{ datasets { nodes " + "{ domain " * 500 + "{ id }" + "}" * 502,
        "{" + " ".join(f"a{n}: datasets(first: 1000) {{ nodes {{ id columns {{ nodes {{ id }} }} }} }}" for n in range(1000)) + "}",
        "{" + "a" * 300_000 + "}",
        "{ " * 100_000,
        "query($a: [ID!]!) { impact(of: $a) { total } }",
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
    ]

    async def run_crowd() -> None:
        posted = Posted()
        posting = asyncio.create_task(posted.post(shared.port, found, 8))
        async with open_wire(shared.port) as to:
            while not posting.done():
                for query in greedy:
                    body = json.dumps({"query": query, "variables": {"a": ["x"] * 10_000}}).encode()
                    answer = await to.request("POST", GRAPHQL, body)
                    assert answer.status < 500, (query[:100], answer)
                    codes = {error["extensions"]["code"] for error in answer.json.get("errors", [])}
                    assert "INTERNAL" not in codes, (query[:100], answer)
        await posting
        assert set(posted.acknowledged) == set(found)

    asyncio.run(run_crowd())
    check_oracle(shared, [*found, next(generate_bodies(1))])

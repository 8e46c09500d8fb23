"""Another process locks the database for longer than a writer waits."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

from tests.faults.served import run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_file, check_oracle
from tests.faults.wire import BATCH, Answer, Posted, send_request

EVENTS, CONNECTIONS = 60, 8


def test_locked_for_long(tmp_path: Path, seed: int) -> None:
    """503 and Retry-After, answers to questions all the while, and everything goes on afterwards."""
    path = tmp_path / "mesh.db"
    found = list(islice(generate_bodies(seed), 2 * EVENTS))
    before, during = found[:EVENTS], found[EVENTS:]
    with closing(Truth()) as truth:
        with run_server(f"sqlite:///{path}", tmp_path / "server.log") as server:
            posted = Posted()
            asyncio.run(posted.post(server.port, before, CONNECTIONS))
            assert set(posted.acknowledged) == set(before)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                refused, answer = asyncio.run(ask_and_post(server.port, during))
                other.execute("ROLLBACK")
            assert [(one["index"], one["retriable"]) for one in answer.json["failed_events"]] == [(0, True), (1, True)]
            assert {answer.status for _, answer in refused.refused} == {503}
            assert all(int(answer.headers["retry-after"]) > 0 for _, answer in refused.refused)
            assert all("another process" in answer.json["error"]["message"] for _, answer in refused.refused)
            assert not refused.acknowledged
            again = Posted()
            asyncio.run(again.post(server.port, during, CONNECTIONS))
            assert set(again.acknowledged) == set(during), again.refused
            check_oracle(server, found)
            assert "Traceback" not in server.log
        truth.add_bodies(found)
        check_file(str(path), truth)


async def ask_and_post(port: int, found: list[bytes]) -> tuple[Posted, Answer]:
    """Post, one event for each connection, and a batch of two; ask until the answers have come."""
    posted = Posted()
    posting = asyncio.create_task(posted.post(port, found[:CONNECTIONS], CONNECTIONS))
    batch = asyncio.create_task(asyncio.to_thread(send_request, port, "POST", BATCH, b"[" + b",".join(found[:2]) + b"]"))
    while not (posting.done() and batch.done()):
        answer = await asyncio.to_thread(
            send_request, port, "POST", "/graphql", b'{"query": "{ datasets { nodes { id facts { value } } } }"}'
        )
        assert "errors" not in answer.json, answer
        assert (await asyncio.to_thread(send_request, port, "GET", "/readyz")).status == 200
        await asyncio.sleep(0.2)
    return posted, await batch

"""Events in any order, repeated, in batches or alone, over 32 connections at once: the same graph as one by one, in order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from meshline.graph.store.factory import open_store
from tests.faults.corpus import is_event, read_samples
from tests.faults.served import Server, run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_answers, check_oracle, check_store
from tests.faults.wire import BATCH, EVENT, open_wire
from tests.servers import Neo4jServer

CONNECTIONS = 32
REPEATED = 0.3  # of the events are sent twice


def draw_requests(chance: random.Random, found: list[bytes]) -> list[list[bytes]]:
    """The events of each request; one event alone is no batch."""
    order = found + chance.sample(found, int(REPEATED * len(found)))
    chance.shuffle(order)
    result = []
    while order:
        size = chance.choice([1, 1, 1, 2, 7, 40])
        result.append(order[:size])
        del order[:size]
    return result


async def send_requests(server: Server, sending: Iterable[list[bytes]]) -> None:
    """Each request over the first connection that is free."""
    left = iter(sending)

    async def send_some() -> None:
        async with open_wire(server.port) as to:
            for events in left:
                if len(events) == 1:
                    answer = await to.request("POST", EVENT, events[0])
                    assert answer.status == 201, answer
                else:
                    answer = await to.request("POST", BATCH, b"[" + b",".join(events) + b"]")
                    assert answer.json["status"] == "success", answer

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(send_some())


def check_served_store(store: str, folder: Path, seed: int, found: list[bytes], compared: Iterable[bytes]) -> None:
    """`compared`: the events whose names no others use, for the oracle."""
    with closing(Truth()) as truth:
        for body in found:
            truth.add_bodies([body])
        sending = draw_requests(random.Random(seed), found)
        with run_server(store, folder / "server.log") as server:
            asyncio.run(send_requests(server, sending))
            check_answers(server, truth, truth.list_datasets()[:10])
            check_oracle(server, compared)
            assert "Traceback" not in server.log
        repeated = [body for events in sending for body in events]
        for body in found:
            repeated.remove(body)
        truth.add_bodies(repeated)
        with closing(open_store(store)) as kept:
            check_store(kept, truth)


def test_sqlite(tmp_path: Path, seed: int) -> None:
    mine = list(islice(generate_bodies(seed), 300))
    real = [sample.body for sample in read_samples() if is_event(sample) and json.loads(sample.body)["eventTime"] < "2026-03-02"]
    check_served_store(f"sqlite:///{tmp_path}/mesh.db", tmp_path, seed, mine + real, mine)


@pytest.mark.server
def test_neo4j(neo4j: Neo4jServer, tmp_path: Path, seed: int) -> None:
    mine = list(islice(generate_bodies(seed), 150))
    check_served_store(neo4j.url, tmp_path, seed, mine, mine)

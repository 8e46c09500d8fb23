"""Two processes write one SQLite file: a server, and the command line beside it, of which one is killed."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from meshline.graph.store.sqlite import SqliteStore
from tests.faults.served import run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_answers, check_file, check_oracle, list_bodies
from tests.faults.wire import Posted, send_request
from tests.forked_program import find_program

FILE_EVENTS, CONNECTIONS = 400, 4


@pytest.mark.parametrize("killed", ["ingest", "serve"])
def test_serve_and_ingest(tmp_path: Path, seed: int, killed: str) -> None:
    """Each takes its events; what the killed one did not finish is there in whole events, and the other notices nothing."""
    path, file = tmp_path / "mesh.db", tmp_path / "events.ndjson"
    found = list(islice(generate_bodies(seed), 2 * FILE_EVENTS))
    chance = random.Random(seed)
    chance.shuffle(found)
    by_file, by_http = found[:FILE_EVENTS], found[FILE_EVENTS:]
    file.write_bytes(b"\n".join(by_file))
    store = f"sqlite:///{path}"
    command = [find_program(), "ingest", "openlineage", str(file), "--store", store]
    with closing(Truth()) as truth:
        with run_server(store, tmp_path / "server.log", refresh_seconds=0.1) as server:
            with subprocess.Popen(command, stderr=subprocess.PIPE) as ingest:
                posted = asyncio.run(post_until_others_write(server.port, by_http, path, by_file))
                if killed == "ingest":
                    ingest.kill()
                else:
                    server.kill()
                _, errors = ingest.communicate(timeout=120)
            if killed == "ingest":
                assert ingest.returncode in (-signal.SIGKILL, 0)
                rest = Posted()
                asyncio.run(rest.post(server.port, [body for body in by_http if body not in posted.sent], 8))
                posted.acknowledged |= rest.acknowledged
                assert rest.refused == []
                assert len(posted.acknowledged) >= len(by_http) - CONNECTIONS, "all but those that were under way"
            else:
                assert ingest.returncode == 0, errors
        with closing(SqliteStore(str(path))) as kept:
            there = list_bodies(kept)
        assert set(there) <= set(found)
        assert len(there) == len(set(there))
        assert posted.acknowledged.keys() <= set(there)
        assert killed == "ingest" or set(by_file) <= set(there)
        truth.add_bodies(there)
        check_file(str(path), truth)
        with run_server(store, tmp_path / "again.log") as server:
            check_answers(server, truth, truth.list_datasets()[:3])
            check_oracle(server, there)


async def post_until_others_write(port: int, found: list[bytes], path: Path, others: list[bytes]) -> Posted:
    """Post until events of the others are there, and a little longer."""
    posted = Posted()
    posting = asyncio.create_task(posted.post(port, found, CONNECTIONS))
    wanted = set(others)
    end = time.monotonic() + 60
    while not await asyncio.to_thread(lambda: wanted & set(read_kept_bodies(path))):
        assert time.monotonic() < end, "the other process writes nothing"
        await asyncio.sleep(0.01)
    posting.cancel()
    return posted


def read_kept_bodies(path: Path) -> list[bytes]:
    with closing(SqliteStore(str(path))) as store:
        return list_bodies(store)


def test_a_server_shows_what_the_command_line_ingested(tmp_path: Path, seed: int) -> None:
    file, path = tmp_path / "events.ndjson", tmp_path / "mesh.db"
    found = list(islice(generate_bodies(seed), 200))
    file.write_bytes(b"\n".join(found))
    with closing(Truth()) as truth, run_server(f"sqlite:///{path}", tmp_path / "server.log", refresh_seconds=0.1) as server:
        truth.add_bodies(found)
        command = [find_program(), "ingest", "openlineage", str(file), "--store", f"sqlite:///{path}"]
        subprocess.run(command, check=True, timeout=120, capture_output=True)
        with closing(SqliteStore(str(path))) as store:
            revision = store.read_revision()
        end = time.monotonic() + 60
        while send_request(server.port, "GET", "/readyz").json.get("revision") != revision:
            assert time.monotonic() < end, "it does not follow"
            time.sleep(0.05)
        check_answers(server, truth, truth.list_datasets())

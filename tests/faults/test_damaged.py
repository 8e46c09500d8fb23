"""A store file that is damaged, cut short, missing, or another one all at once: a clear error, never a guess."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from meshline.errors import MeshlineError, StoreCorrupt
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.head_table import parse_scope
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder, Received
from tests.faults.served import Started, run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import CLOCK, Truth, check_file, list_raw_events
from tests.faults.wire import EVENT, send_request
from tests.stores.statements import list_heads

DAMAGES = 150


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of some hundred events, closed."""
    path = tmp_path_factory.mktemp("sound") / "mesh.db"
    with closing(SqliteStore(str(path))) as store:
        live, builder = LiveGraph.open(store), BatchBuilder(Naming())
        found = list(islice(generate_bodies(1), 300))
        received = [Received("openlineage/default", builder.parser.parse(body, CLOCK), CLOCK, body) for body in found]
        for at in range(0, len(received), 50):
            live.commit(lambda runs, part=received[at : at + 50]: builder.build_batch(part, runs))  # type: ignore[misc]
    return path


def flip(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.choice([1, 1, 5, 50])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def blank(chance: random.Random, data: bytearray) -> None:
    """A page, or a few, that never reached the disk."""
    at = chance.randrange(len(data) // 4096) * 4096
    data[at : at + 4096 * chance.choice([1, 3])] = bytes(4096)


def cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data)) :]


def swap(chance: random.Random, data: bytearray) -> None:
    """Two pages in each other's place."""
    one, other = (chance.randrange(1, len(data) // 4096) * 4096 for _ in range(2))
    data[one : one + 4096], data[other : other + 4096] = data[other : other + 4096], data[one : one + 4096]


HARMS: list[Callable[[random.Random, bytearray], None]] = [flip, blank, cut, swap]


def test_damage_is_reported(sound: Path, tmp_path: Path, seed: int) -> None:
    """Everything is read and one event is written: what goes wrong is one of our errors, which name the file or what to do."""
    path = tmp_path / "mesh.db"
    new = next(islice(generate_bodies(2), 5, 6))
    reported = 0
    for number in range(DAMAGES):
        chance = random.Random(f"{seed} {number}")
        data = bytearray(sound.read_bytes())
        harm = HARMS[number % len(HARMS)]
        harm(chance, data)
        path.write_bytes(data)
        try:
            use_store(path, new)
        except MeshlineError as error:
            assert str(path) in str(error) or "backup" in str(error), error  # noqa: PT017
            reported += 1
        except Exception as error:
            error.add_note(f"{harm.__name__} {seed} {number}")
            raise
        finally:
            for left in tmp_path.glob("mesh.db*"):
                left.unlink()
    assert reported > DAMAGES / 4


def test_a_scope_name_that_lost_a_character_is_reported() -> None:
    with pytest.raises(StoreCorrupt, match="backup"):
        parse_scope('["dataset","ns" "name"]')


def use_store(path: Path, body: bytes) -> None:
    with closing(SqliteStore(str(path))) as store:
        live, builder = LiveGraph.open(store), BatchBuilder(Naming())
        list_raw_events(store)
        store.read_history([head.scope_id for head in list_heads(store)])
        received = [Received("openlineage/default", builder.parser.parse(body, CLOCK), CLOCK, body)]
        live.commit(lambda runs: builder.build_batch(received, runs))


def post_event(server: Started, body: bytes) -> tuple[int, str]:
    """The status and, of an error, its message."""
    answer = send_request(server.port, "POST", EVENT, body)
    return answer.status, answer.json.get("error", {}).get("message", "")


@pytest.mark.parametrize("harm", [b"", b"SQLite format 3\x00" + bytes(4080), b"no database at all" * 1000, "cut", "text"])
def test_a_server_does_not_start_on_a_damaged_file(sound: Path, tmp_path: Path, harm: bytes | str) -> None:
    path = tmp_path / "mesh.db"
    whole = sound.read_bytes()
    match harm:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "text":  # SQLite does not notice
            path.write_bytes(whole.replace(b'["job-output"', b'["job-\xff\xfeput"'))
        case bytes():
            path.write_bytes(harm)
    if not harm:  # an empty file is a new store
        with run_server(f"sqlite:///{path}", tmp_path / "server.log") as server:
            assert post_event(server, next(generate_bodies(1)))[0] == 201
        return
    server = Started(tmp_path / "server.log", ["serve", "--store", f"sqlite:///{path}", "--port", "0"], {})
    try:
        assert server.wait() == 2
    finally:
        server.kill()
    assert str(path) in server.log.splitlines()[-1]
    assert "backup" in server.log.splitlines()[-1] or "of its own" in server.log.splitlines()[-1]
    assert "Traceback" not in server.log


def test_a_store_file_that_is_removed(sound: Path, tmp_path: Path) -> None:
    """No event is acknowledged that could not be found again; when the file is back, everything works."""
    path, aside = tmp_path / "mesh.db", tmp_path / "aside.db"
    shutil.copy(sound, path)
    first, second, third, fourth = islice(generate_bodies(2), 4)
    with closing(Truth()) as truth:
        truth.add_bodies(islice(generate_bodies(1), 300))
        with run_server(f"sqlite:///{path}", tmp_path / "server.log", refresh_seconds=0.1) as server:
            assert post_event(server, first)[0] == 201
            path.rename(aside)
            status, message = post_event(server, second)
            assert status == 503
            assert f"{path} is gone" in message
            assert send_request(server.port, "GET", "/readyz").status == 503
            assert server.ask("{ datasets { totalCount } }")
            shutil.copy(sound, path)
            status, message = post_event(server, third)
            assert status == 503
            assert "another file" in message
            aside.rename(path)
            assert post_event(server, fourth)[0] == 201
            server.wait_until_ready()
            assert "Traceback" not in server.log
        truth.add_bodies([first, fourth])
        check_file(str(path), truth)

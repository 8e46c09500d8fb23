"""The disk has no room: clear errors, answers all the while, and everything goes on when there is room again."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.command import ROOT, find_executable
from tests.faults.served import Server, Started, run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_answers, check_file
from tests.faults.wire import BATCH, Answer, Posted, send_request

EVENTS, CONNECTIONS = 40, 8
SIZE = 48 * 2**20  # bytes of the small file system
ENOUGH = 3000  # events, more than there is room for


class Cramped(NamedTuple):
    """A server on a disk with an end. `fill` leaves no room, `free` makes some; `path` is the store's file as we see it."""

    server: Server
    path: Path
    fill: Callable[[], None]
    free: Callable[[], None]


@contextmanager
def limit_file_size(folder: Path) -> Iterator[Cramped]:
    """No file of the process may grow (RLIMIT_FSIZE); any user may set this for their own process."""
    path = folder / "mesh.db"
    with run_server(f"sqlite:///{path}", folder / "server.log") as server:
        soft, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)

        def limit(size: int) -> None:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))

        yield Cramped(server, path, lambda: limit(path.with_name("mesh.db-wal").stat().st_size), lambda: limit(soft))


def can_mount() -> bool:
    """Whether this user may make a file system in a name space of his own."""
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", "/mnt"],
            check=False,
            capture_output=True,
        ).returncode
    )


class Mounted(Started):
    """A server that alone sees a small file system on a folder. We see it through the process."""

    def __init__(self, folder: Path, log: Path) -> None:
        command = f'mount -t tmpfs -o size={SIZE} tmpfs "$1" && exec "$2" serve --store "sqlite:///$1/mesh.db" --port 0'
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command, "sh", str(folder), find_executable()],
                cwd=ROOT,
                stdout=file,
                stderr=file,
            )
        Server.__init__(self, self.process.pid, log, 0)
        self.seen = Path(f"/proc/{self.pid}/root{folder}")


@contextmanager
def mount_small_disk(folder: Path) -> Iterator[Cramped]:
    """A small file system."""
    disk = folder / "disk"
    disk.mkdir()
    server = Mounted(disk, folder / "server.log")
    filler = server.seen / "filler"

    def fill() -> None:
        with filler.open("wb") as file:
            try:
                while True:
                    os.write(file.fileno(), bytes(65536))
            except OSError:
                return

    try:
        server.wait_until_listening()
        server.wait_until_ready()
        yield Cramped(server, server.seen / "mesh.db", fill, filler.unlink)
    finally:
        server.kill()
        server.wait()


WAYS = [
    pytest.param(limit_file_size, marks=pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")),
    pytest.param(
        mount_small_disk, marks=pytest.mark.skipif(sys.platform != "linux" or not can_mount(), reason="no mounts without privileges here")
    ),
]


@pytest.mark.parametrize("way", WAYS)
def test_full_and_free_again(way: Callable[[Path], AbstractContextManager[Cramped]], tmp_path: Path, seed: int) -> None:
    traffic = generate_bodies(seed)
    with closing(Truth()) as truth, way(tmp_path) as cramped:
        server = cramped.server
        for _ in range(3):
            truth.add_bodies(post_events(server, list(islice(traffic, EVENTS))).acknowledged)
            cramped.fill()
            acknowledged: list[bytes] = []
            refused: list[tuple[bytes, Answer]] = []
            for _ in range(ENOUGH // EVENTS):  # what SQLite has already may take some more
                posted = post_events(server, list(islice(traffic, EVENTS)))
                acknowledged += posted.acknowledged
                refused = posted.refused
                if refused:
                    break
            truth.add_bodies(acknowledged)
            assert {answer.status for _, answer in refused} == {503}
            assert all("disk" in answer.json["error"]["message"] and answer.headers["retry-after"] for _, answer in refused)
            batch = send_request(server.port, "POST", BATCH, b"[" + b",".join(body for body, _ in refused) + b"]")
            assert batch.json["summary"]["retriable"] == len(refused)
            check_answers(server, truth, truth.list_datasets()[:3])
            assert send_request(server.port, "GET", "/healthz").status == 200
            cramped.free()
            again = post_events(server, [body for body, _ in refused])
            assert again.refused == []
            truth.add_bodies(again.acknowledged)
            check_answers(server, truth, truth.list_datasets()[:3])
        for file in cramped.path.parent.glob("mesh.db*"):  # no process writes; and SQLite does not open a file of another's mounts
            shutil.copy(file, tmp_path / f"copied-{file.name}")
        check_file(str(tmp_path / "copied-mesh.db"), truth)
        assert "Traceback" not in server.log


def post_events(server: Server, found: list[bytes]) -> Posted:
    posted = Posted()
    asyncio.run(posted.post(server.port, found, CONNECTIONS))
    assert len(posted.sent) == len(found), "the server is gone"
    return posted

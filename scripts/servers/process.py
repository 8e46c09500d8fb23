"""Processes of servers: a free port, a start with the log kept, waiting until it answers, a stop by pid. Standard library only."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

LOG_LINES = 15  # of the log, shown when a start fails
# Within which a server answers or a step ends: ten times what the slowest takes on an idle machine, for on a loaded one it takes that.
# It is waited for in vain only where a process hangs; one that ends is reported at once.
PATIENCE = 900.0
ANSWER_SECONDS = 30.0  # for one answer of a server that may not be ready; it is asked again
PORTS = range(20_000, 32_000)


class Served(Protocol):
    """A server that is kept running."""

    process: subprocess.Popen[bytes]
    log: Path


S = TypeVar("S", bound=Served)


@dataclass(frozen=True)
class Server:
    """A server that answers HTTP at `url`."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


class ServerError(Exception):
    """A server is not available; the message is one sentence that states what is missing or where to look."""


def report(message: str) -> None:
    """Progress, on stderr: stdout is for the answer."""
    print(f"servers: {message}", file=sys.stderr, flush=True)


def find_free_port() -> int:
    """A loopback TCP port that is free at this moment, and that no client gets by chance before a server has begun to listen:
    below those that systems give to clients.
    """
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError(f"none of 100 ports between {PORTS.start} and {PORTS.stop} on 127.0.0.1 is free")


def start(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, user: str | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to `log`. `env` is added to this process's environment.

    `user`: of the system, that the process runs as, if this is root's.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            user=user,
            start_new_session=True,
        )


def run_tool(name: str, command: Sequence[str], log: Path, env: Mapping[str, str], cwd: Path, seconds: float = PATIENCE) -> None:
    """Run a command to its end, its output in `log`. Raises ServerError with the end of the log if it fails, or the time is over."""
    begun = time.monotonic()
    started = start(command, log, env, cwd)
    try:
        code = started.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{name} did not end within {seconds:g} s; {log} ends with:\n{read_log_end(log)}") from error
    finally:
        stop(started.pid)
    if code:
        raise ServerError(f"{name} ended with {code}; {log} ends with:\n{read_log_end(log)}")
    report(f"{name} is done in {time.monotonic() - begun:.0f} s")


def wait_until_ready(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, seconds: float = PATIENCE) -> None:
    """Return once `ready()`; if the process ends or the time is over, stop it and raise with the end of its log."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServerError(f"the server ended with {process.returncode}; {log} ends with:\n{read_log_end(log)}")
        if ready():
            return
        time.sleep(0.05)
    stop(process.pid)
    process.wait()
    raise ServerError(f"the server did not answer within {seconds:g} s; {log} ends with:\n{read_log_end(log)}")


def is_answering(address: str) -> bool:
    """Whether a GET request to an address is answered with 200."""
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def stop_at_end(server: S, marker: str = "") -> Iterator[S]:
    """The server, which is stopped at the end of the block (`stop`)."""
    try:
        yield server
    finally:
        stop(server.process.pid, marker)
        server.process.wait()


def read_log_end(log: Path) -> str:
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])


def read_command_line(pid: int) -> str:
    """The command line of a running process; '' if there is none (or it is a zombie)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    found = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def is_running(pid: int, marker: str = "") -> bool:
    """Whether this process runs and has `marker` in its command line (pids are used again by the system)."""
    line = read_command_line(pid)
    return bool(line) and marker in line


def stop(pid: int, marker: str = "", seconds: float = 60) -> bool:
    """SIGTERM, and SIGKILL after `seconds`. False if no such process (with `marker` in its command line) runs."""
    if not is_running(pid, marker):
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while is_running(pid, marker):
        if time.monotonic() > end:
            report(f"process {pid} did not end within {seconds:g} s of SIGTERM: SIGKILL")
            os.kill(pid, signal.SIGKILL)
            end += seconds
        time.sleep(0.02)
    return True


def run_command(name: str, serve: Callable[[Path], AbstractContextManager[S]], address: Callable[[S], str]) -> int:
    """The command `python NAME.py HOME`: serves until SIGINT or SIGTERM, and prints the address. Its exit code."""
    if len(sys.argv) != 2:
        print(f"usage: {name}.py HOME", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with serve(Path(sys.argv[1]).resolve()) as served:
            print(address(served), flush=True)
            served.process.wait()
            print(f"{name}: the server ended with {served.process.returncode}: see {served.log}", file=sys.stderr)
            return 1
    except ServerError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0

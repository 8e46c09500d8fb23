"""`meshline` as pages, recipes and tests call it, forked from a process that has imported everything: the same program and the same
streams, started in a twentieth of the time. How the installed program starts is shown by tests/packaging, by tests/api/test_serve.py, and
by README.md pasted as a whole."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO

SIZE = 1 << 20  # of a request: its arguments and its environment
STREAMS = 3
CLIENT = """\
#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), ""]).encode()
socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
server.sendall(request)
answer = b""
while part := server.recv(64):
    answer += part
sys.exit(int((answer.split()[1:] or [b"255"])[0]))
"""


class ForkedProgram:
    """`meshline` with these arguments, in a process of its own: what tests use of `subprocess.Popen`.

    `log`: for its output; without, `stderr` is a pipe with its errors. `code`: another program than `meshline`, in Python.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path,
        log: IO[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        code: str = "",
    ) -> None:
        self.stderr: IO[bytes] | None = None
        self.returncode: int | None = None
        self._answer = b""
        self._signal = 0
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(_start_server() / "socket"))
        request = json.dumps([[*map(str, arguments)], str(cwd), dict(os.environ if env is None else env), code]).encode()
        with Path(os.devnull).open("r+b", buffering=0) as nothing, contextlib.ExitStack() as opened:
            output = errors = log
            if log is None:
                read, write = os.pipe()
                self.stderr, output, errors = os.fdopen(read, "rb", 0), nothing, opened.enter_context(os.fdopen(write, "wb", 0))
            assert output is not None
            assert errors is not None
            streams = [stream.fileno() for stream in (nothing, output, errors)]
            socket.send_fds(self._connection, [len(request).to_bytes(4, "big")], streams)
            self._connection.sendall(request)
        while b"\n" not in self._answer:
            assert self._receive(None), "the server of forks does not answer"
        self.pid = int(self._answer.split()[0])

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        while self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self._receive(None)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        while self.returncode is None:
            try:
                self._receive(timeout)
            except TimeoutError:
                raise subprocess.TimeoutExpired("meshline", timeout or 0) from None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            self._signal = number
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _receive(self, seconds: float | None) -> bool:
        """False if there will be no more: the process has ended."""
        self._connection.settimeout(seconds)
        part = self._connection.recv(64)
        self._answer += part
        if not part:
            self._connection.close()
            code = self._answer.split()[1:]
            self.returncode = int(code[0]) if code else -self._signal
        return bool(part)


@functools.cache
def find_program() -> str:
    """The program `meshline`, forked, in a folder of its own: for PATH, or instead of the installed one."""
    program = _start_server() / "bin" / "meshline"
    program.parent.mkdir()
    program.write_text(CLIENT.format(python=sys.executable, address=str(_start_server() / "socket")), "utf-8")
    program.chmod(0o755)
    return str(program)


@functools.cache
def _start_server() -> Path:
    """The folder with the socket of a server of forks, which ends with this process."""
    folder = tempfile.mkdtemp(prefix="meshline-forks-")
    server = subprocess.Popen([sys.executable, __file__, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n", "the server of forks did not start"

    def stop() -> None:
        server.communicate(timeout=60)

    atexit.register(stop)
    return Path(folder)


def _serve(folder: str) -> None:
    _prepare()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the exit codes of forks go to their clients
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready = select.select([listener.fileno(), 0], [], [])[0]
            if 0 in ready:  # the end of the process that has started this one
                break
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(client)
            client.close()
    shutil.rmtree(folder)


def _prepare() -> None:
    """What every program does first, and does alike: imports, the commands, the schema, the kernels."""
    for module in pkgutil.walk_packages(import_module("meshline").__path__, "meshline."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # of an extra that is not installed
                import_module(module.name)
    typer, graphql, schemas = (import_module(name) for name in ("typer.main", "graphql", "meshline.api.graphql.schema"))
    build = functools.cache(typer.get_command)
    build(import_module("meshline.cli.app").app)
    setattr(typer, "get_command", build)  # noqa: B010 - of a module that is not known here
    bounds = import_module("meshline.api.graphql").Bounds()
    graphql.assert_valid_schema(schemas.build_schema(bounds.depth, bounds.aliases, bounds.tokens)._schema)
    import_module("meshline.graph.index.kernels.jit").compile_kernels()
    httpx, transports = import_module("httpx"), import_module("httpx._transports.default")
    read_certificates = functools.cache(httpx.create_ssl_context)
    read_certificates(verify=True, cert=None, trust_env=True)
    setattr(transports, "create_ssl_context", read_certificates)  # noqa: B010 - the same
    gc.collect()
    gc.freeze()


def _answer(client: socket.socket) -> None:
    """Run the program of one client in this process, which ends with it."""
    code = 1
    try:
        head, streams, _, _ = socket.recv_fds(client, 4, STREAMS)
        length = int.from_bytes(head, "big")
        request = b""
        while len(request) < min(length, SIZE):
            request += client.recv(length - len(request))
        arguments, folder, environment, program = json.loads(request)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        client.sendall(f"{os.getpid()}\n".encode())
        if program:
            sys.argv = ["-c", *arguments]
            exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = ["meshline", *arguments]
            import_module("meshline.cli").main()
    except SystemExit as exit_of_program:
        code = exit_of_program.code if isinstance(exit_of_program.code, int) else int(exit_of_program.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter shows it
        traceback.print_exc()
    else:
        code = 0
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.suppress(OSError):  # of a client that does not wait
            client.sendall(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])

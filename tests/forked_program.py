"""`meshline` as pages and recipes call it, forked from a process that has imported everything: the same program and the same streams,
started in a twentieth of the time. How the installed program starts is shown by tests/packaging, and by README.md pasted as a whole."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

SIZE = 1 << 20  # of a request: its arguments and its environment
STREAMS = 3
CLIENT = """\
#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
server.sendall(request)
sys.exit(int(server.recv(4) or b"255"))
"""


@contextlib.contextmanager
def run_fork_server(folder: Path) -> Iterator[Path]:
    """A folder for PATH with the program `meshline`, which asks a server that lives as long as this context."""
    address, programs = folder / "socket", folder / "bin"
    programs.mkdir(parents=True)
    program = programs / "meshline"
    program.write_text(CLIENT.format(python=sys.executable, address=str(address)), "utf-8")
    program.chmod(0o755)
    with subprocess.Popen([sys.executable, __file__, str(address)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n", "the server of forks did not start"
        try:
            yield programs
        finally:
            server.terminate()


def _serve(address: str) -> None:
    for module in pkgutil.walk_packages(import_module("meshline").__path__, "meshline."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # of an extra that is not installed
                import_module(module.name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the exit codes of forks go to their clients
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                _answer(client)
            client.close()


def _answer(client: socket.socket) -> None:
    """Run the program of one client in this process, which ends with it."""
    code = 1
    try:
        head, streams, _, _ = socket.recv_fds(client, 4, STREAMS)
        length = int.from_bytes(head, "big")
        request = b""
        while len(request) < min(length, SIZE):
            request += client.recv(length - len(request))
        arguments, folder, environment = json.loads(request)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.argv = ["meshline", *arguments]
        import_module("meshline.cli").main()
    except SystemExit as exit_of_program:
        code = exit_of_program.code if isinstance(exit_of_program.code, int) else int(exit_of_program.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter shows it
        traceback.print_exc()
    else:
        code = 0
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        client.sendall(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])

"""Parsing of untrusted texts in a separate process.

Parsers of SQL and YAML cannot be interrupted, and a small text may keep them busy for minutes and take gigabytes. A server
therefore forks a process that parses the texts of a check, or a mesh file. The process asks the server for what the graph knows,
and the server kills it when its time is over: neither its memory nor its processor time outlives the request.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property, partial
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshline.app.check_texts import CheckRequest, Difference, ParsedTexts, Texts, build_check_context
from meshline.app.host_resources import measure_memory
from meshline.errors import LimitExceeded, MeshlineError
from meshline.governance.waivers import Waiver
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.queries.pages import Limits
from meshline.graph.what_if import SupposedStatement
from meshline.ingest.changes import GraphState
from meshline.ingest.changes.graph_state import build_stored_state, parse_views
from meshline.ingest.documents import Document
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.context import LazyPeople

if TYPE_CHECKING:  # not every system has both
    from multiprocessing.context import ForkServerContext, SpawnContext

    from meshline.ingest.mesh import Mesh

MAX_CHANGES = 10_000  # differences that one check judges
MEMORY = 2**30  # bytes that reading the texts of one check may take
LOOK_SECONDS = 0.05  # between two measurements of memory


# Each message is (what, value). The server sends the names of methods of `Texts` with their arguments; until the process sends
# DONE or FAILED it may ASK for what the graph knows, by the names of the fields of Known and Context.

_ASK, _DONE, _FAILED, _BROKEN = range(4)
_KNOWN = ("resolve", "find_definition", "find_contract", "find_product", "list_statements", "list_names")
_CONTEXT = ("columns_of", "datasets_ending_with", "datasets_governed_by", "datasets_in")
_PEOPLE = "people"


@cache
def get_fork_context() -> ForkServerContext | SpawnContext:
    """The context that forks from a process with all imports and without threads; without fork support it spawns processes."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__, "meshline.app.check_imports"])
    # Ctrl-C goes to it as well, and is for us, who end it: while it imports, it would print tracebacks.
    resource_tracker.ensure_running()  # else it is started below, and unblocks the signal
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return context


_starting = threading.Lock()
_started: list[bool] = []


def start_forks() -> None:
    """Wait until processes can be forked without delay. The first time takes seconds, which must not count for a check."""
    with _starting:
        if not _started:
            process = get_fork_context().Process(target=_return_at_once)
            process.start()
            process.join()
            process.close()
            _started.append(True)


def _return_at_once() -> None:
    pass


@contextmanager
def open_remote_texts(live: LiveGraph, naming: Naming, request: CheckRequest, limits: Limits, memory: int = MEMORY) -> Iterator[Texts]:
    """The texts of a check, parsed in a separate process that ends with the block.

    The methods of `Texts` raise LimitExceeded when the deadline of `limits` is over, or when parsing takes more than `memory` bytes.
    """
    graph = build_stored_state(live, naming, build_check_context(live, naming, request))
    ours, theirs = get_fork_context().Pipe()
    process = get_fork_context().Process(target=_serve, args=(theirs, naming, request, memory), name="meshline-check", daemon=True)
    process.start()
    theirs.close()
    try:
        yield _RemoteTexts(ours, graph, limits)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


class _RemoteTexts:
    """`Texts` that the process at the other end of the link parses."""

    def __init__(self, link: Connection, graph: GraphState, limits: Limits) -> None:
        self._link = link
        self._limits = limits
        self._answers: dict[str, Callable[[Any], Any]] = {
            **{name: getattr(graph, name) for name in _KNOWN},
            **{name: getattr(graph.context, name) for name in _CONTEXT},
            _PEOPLE: lambda _: dict(graph.context.people),
        }

    def read_waivers(self, time: int) -> tuple[Waiver, ...]:
        found: tuple[Waiver, ...] = self._call("read_waivers", time)
        return found

    def read_policies(self) -> tuple[Document, ...]:
        found: tuple[Document, ...] = self._call("read_policies")
        return found

    def read_difference(self) -> Difference:
        return self._difference

    @cached_property
    def _difference(self) -> Difference:
        found: Difference = self._call("read_difference")
        return found

    def read_old_statements(self) -> tuple[SupposedStatement, ...]:
        found: tuple[SupposedStatement, ...] = self._call("read_old_statements")
        return found

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            self._link.send((method, arguments))
            while True:
                what, value = self._receive()
                if what == _DONE:
                    return value
                if what == _FAILED:
                    raise value
                if what == _BROKEN:
                    raise RuntimeError(f"the texts of a check cannot be read: {value}")
                self._link.send(self._answer(*value))
        except (EOFError, ConnectionError) as error:
            raise LimitExceeded("reading what is to be checked took too much memory: check fewer or smaller files at once") from error

    def _receive(self) -> tuple[int, Any]:
        deadline = self._limits.deadline
        while not self._link.poll(None if deadline is None else max(0.0, deadline - time.monotonic())):
            self._limits.check_deadline()
        found: tuple[int, Any] = self._link.recv()
        return found

    def _answer(self, name: str, argument: object) -> tuple[int, Any]:
        try:
            return _DONE, self._answers[name](argument)
        except MeshlineError as error:
            return _FAILED, error


def _serve(link: Connection, naming: Naming, request: CheckRequest, memory: int) -> None:
    """Run in the separate process: answer the server's calls until the server ends, or kills the process."""
    end_with_server(memory)
    texts = ParsedTexts(_build_graph_state(link, naming, request.namespaces), request)
    while True:
        method, arguments = link.recv()
        try:
            answer = (_DONE, _check_size(getattr(texts, method)(*arguments)))
        except MeshlineError as error:
            answer = (_FAILED, error)
        except BaseException:  # noqa: BLE001 - the server raises it
            answer = (_BROKEN, traceback.format_exc())
        try:
            link.send(answer)
        except Exception:  # noqa: BLE001 - as it cannot be sent
            link.send((_BROKEN, traceback.format_exc()))


def _check_size(found: object) -> object:
    if isinstance(found, Difference) and max(len(found.changes), len(found.statements)) > MAX_CHANGES:
        number = max(len(found.changes), len(found.statements))
        raise LimitExceeded(f"{number} differences are too many; the maximum is {MAX_CHANGES}: check fewer files at once")
    return found


def end_with_server(memory: int) -> None:
    """End this process when the server has ended, and when it takes more than `memory` bytes.

    A limit of the operating system would raise MemoryError anywhere, and a parser may turn that into what looks like an answer.
    """
    server = multiprocessing.parent_process()
    assert server is not None
    limit = measure_memory(os.getpid()) + memory

    def watch() -> None:
        while not connection.wait([server.sentinel], LOOK_SECONDS) and measure_memory(os.getpid()) < limit:
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _build_graph_state(link: Connection, naming: Naming, namespaces: Mapping[str, str]) -> GraphState:
    """The state of the server's graph, asked for through the link."""

    def ask(name: str, argument: object) -> Any:
        link.send((_ASK, (name, argument)))
        what, value = link.recv()
        if what == _FAILED:
            raise value
        return value

    by_name: dict[str, Any] = {name: partial(ask, name) for name in (*_KNOWN, *_CONTEXT)}
    context = Context(
        naming, Path(), namespaces, people=LazyPeople(partial(ask, _PEOPLE, None)), **{name: by_name[name] for name in _CONTEXT}
    )
    return parse_views(GraphState(context, **{name: by_name[name] for name in _KNOWN}))


def parse_mesh(body: bytes, name: str, seconds: float, memory: int = MEMORY) -> Mesh:
    """A mesh file, parsed strictly. Raises InvalidInput, and LimitExceeded if it takes more than `seconds` or `memory` bytes."""
    start_forks()
    ours, theirs = get_fork_context().Pipe(duplex=False)
    process = get_fork_context().Process(target=_send_parsed, args=(theirs, body, name, memory), name="meshline-mesh", daemon=True)
    process.start()
    theirs.close()
    deadline = time.monotonic() + seconds
    try:
        if not ours.poll(max(0.0, deadline - time.monotonic())):
            raise LimitExceeded(
                f"{name}: reading it took longer than {seconds:g} seconds (MESHLINE_CHECK_SECONDS): divide it into several files"
            )
        found: Mesh | MeshlineError | str = ours.recv()
    except (EOFError, ConnectionError) as error:
        raise LimitExceeded(f"{name}: reading it took too much memory: divide it into several files") from error
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
    match found:
        case MeshlineError():
            raise found
        case str():
            raise RuntimeError(f"a mesh file cannot be read: {found}")
        case _:
            return found


def _send_parsed(link: Connection, body: bytes, name: str, memory: int) -> None:
    end_with_server(memory)
    try:
        from meshline.ingest.mesh import parse_mesh_file  # noqa: PLC0415 - the command line's checks do not wait for it

        link.send(parse_mesh_file(body, name, strict=True))
    except MeshlineError as error:
        link.send(error)
    except BaseException:  # noqa: BLE001 - the server raises it
        link.send(traceback.format_exc())

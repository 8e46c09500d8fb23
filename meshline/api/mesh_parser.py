"""The text of a mesh file, parsed in a process of its own: YAML of two megabytes takes a minute of processor time."""

from __future__ import annotations

import time
import traceback
from multiprocessing.connection import Connection

from meshline.app.check_process import MEMORY, end_with_server, forks, start_forks
from meshline.errors import LimitExceeded, MeshlineError
from meshline.ingest import mesh


def parse(body: bytes, name: str, seconds: float, memory: int = MEMORY) -> mesh.Mesh:
    """As `mesh.parse` does, strictly. Raises InvalidInput, and LimitExceeded if it takes longer, or more memory, than it may."""
    start_forks()
    ours, theirs = forks().Pipe(duplex=False)
    process = forks().Process(target=_send_parsed, args=(theirs, body, name, memory), name="meshline-mesh", daemon=True)
    process.start()
    theirs.close()
    deadline = time.monotonic() + seconds
    try:
        if not ours.poll(max(0.0, deadline - time.monotonic())):
            raise LimitExceeded(
                f"{name}: reading it took longer than {seconds:g} seconds (MESHLINE_CHECK_SECONDS): divide it into several files"
            )
        found: mesh.Mesh | MeshlineError | str = ours.recv()
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
        link.send(mesh.parse(body, name, strict=True))
    except MeshlineError as error:
        link.send(error)
    except BaseException:  # noqa: BLE001 - the server raises it
        link.send(traceback.format_exc())

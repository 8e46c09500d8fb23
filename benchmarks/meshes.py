"""Generated meshes in stores: made once in a folder, and used by all the benchmarks of a run. And the run's Neo4j."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from benchmarks import servers
from benchmarks.generate import Mesh, Shape
from benchmarks.people import build_statements
from meshline.graph.model import get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Store
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received

T = TypeVar("T")

_ROOT = Path(__file__).resolve().parent.parent
WRITERS = sorted(
    file
    for place in (
        "benchmarks/generate.py",
        "benchmarks/people.py",
        "meshline/graph/*.py",
        "meshline/graph/store/**/*.*",
        "meshline/ingest/**/*.py",
    )
    for file in _ROOT.glob(place)
    if file.suffix in {".py", ".sql"}
)
NEO4J = "neo4j"  # the folder of its server
GROUP = 200  # events of one commit while a store is made


@lru_cache(maxsize=2)
def build_mesh(shape: Shape) -> Mesh:
    return Mesh(shape)


def compute_code_digest() -> str:
    """A digest of the code that writes the stores: it distinguishes the stores in one folder that other versions of the code wrote."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in WRITERS)).hexdigest()[:12]


class Meshes:
    """The stores in a folder, by the shapes of their meshes and by `code`, which a run asks for once.

    `neo4j`: the URL of a server that benchmarks may wipe; without one they start their own, in the folder.
    """

    def __init__(self, folder: Path, code: str, neo4j: str = "") -> None:
        self.folder = folder
        self.code = code
        self._neo4j = neo4j

    def open_neo4j(self, *, fresh: bool = False) -> str:
        """The URL of an empty Neo4j; see `stop`. `fresh`: the files of the folder's own have no room of what was removed either."""
        if fresh and not self._neo4j:
            self.stop()
            shutil.rmtree(self.folder / NEO4J, ignore_errors=True)
        url = self._neo4j or servers.start_server(self.folder / NEO4J)
        servers.wipe_database(url)
        return url

    def measure_neo4j(self) -> int:
        """The bytes of the files of the database, which are on this machine. The folder's own server starts again, for it writes some of
        what it knows only when it stops.
        """
        url = self._neo4j or servers.start_server(self.folder / NEO4J)
        files = servers.find_data(url) / "databases"
        if not self._neo4j:
            self.stop()
        size = sum(file.stat().st_size for file in files.rglob("*") if file.is_file())
        if not self._neo4j:
            servers.start_server(self.folder / NEO4J)
        return size

    def stop(self) -> None:
        """Stop the server, if it is the folder's own."""
        servers.stop_server(self.folder / NEO4J)

    def store(self, shape: Shape) -> Path:
        """A closed store with the mesh, its owners and its consumers. Only for reading."""
        of_shape = hashlib.sha256(repr(shape).encode()).hexdigest()[:12]
        path = self.folder / f"mesh-{shape.columns}-{of_shape}-{self.code}.db"
        if not path.exists():
            part = path.with_suffix(".part")
            part.unlink(missing_ok=True)
            store = SqliteStore(str(part))
            fill_store(store, build_mesh(shape))
            store.close()
            part.rename(path)
        return path

    def copy(self, shape: Shape, name: str) -> Path:
        """A store with the mesh, for writing: of this name, in place of what had the name before."""
        path = self.open_fresh(name)
        shutil.copyfile(self.store(shape), path)
        return path

    def open_fresh(self, name: str) -> Path:
        """Where a new file may be made."""
        path = self.folder / name
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            file.unlink(missing_ok=True)
        return path


def fill_store(store: Store, mesh: Mesh) -> None:
    """Write a mesh with its owners and consumers to the store."""
    print(f"making a store of {mesh.columns:,} columns and {mesh.edges:,} edges", file=sys.stderr, flush=True)
    began = time.perf_counter()
    builder = BatchBuilder(Naming())
    for bodies in split_groups(mesh.build_events(), GROUP):
        _commit(store, builder, bodies)
    store.commit(lambda _: Batch(statements=build_statements(mesh)))
    print(f"made it in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def _commit(store: Store, builder: BatchBuilder, bodies: Sequence[bytes]) -> None:
    """Without the events themselves: no benchmark reads them back."""
    parsed = build_received(builder, bodies)
    store.commit(lambda runs: builder.build_batch(parsed, runs)._replace(raw=()))


def build_received(builder: BatchBuilder, bodies: Sequence[bytes]) -> list[Received]:
    at = get_current_micros()
    return [Received(DEFAULT_SOURCE, builder.parser.parse(body, at), at, body) for body in bodies]


def split_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group

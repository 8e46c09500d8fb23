"""Where GraphQL requests are answered: by a store that this process opens, or by a running server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec

from meshline.cli.answer_types import Asset, Refused
from meshline.cli.serve import make_executor
from meshline.cli.store import opened_store
from meshline.graph.model import Json

if TYPE_CHECKING:
    from meshline.graph.live_graph import LiveGraph
    from meshline.graph.naming import Naming
    from meshline.ingest.mesh import Mesh

T = TypeVar("T")


class Answers(Protocol):
    """Answers one GraphQL request: the `data`. Raises MeshlineError."""

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Json]: ...

    def mutate(self, mutation: str, variables: Mapping[str, object]) -> dict[str, Json]:
        """The same for a mutation."""
        ...


def question(name: str) -> str:
    """The text of a named query."""
    return (files("meshline.cli") / "queries" / f"{name}.graphql").read_text("utf-8")


def shaped(data: object, shape: type[T]) -> T:
    """A part of an answer as a value."""
    return msgspec.convert(data, shape)


@contextmanager
def answers(store: str | None, server: str | None) -> Iterator[Answers]:
    """The answers of a server if one is named, else of a store that exists."""
    if server is not None:
        from meshline.cli.http_client import Remote

        with Remote.connected(server) as remote:
            yield remote
        return
    with opened(store, must_exist=True) as graph:
        yield Local(graph)


def assets(source: Answers, names: Sequence[str], as_of: str | None = None) -> list[Asset]:
    """The assets that these names mean. Raises NotFound, Ambiguous (as the schema says it)."""
    query = question("resolve")
    found = [source.ask(query, {"name": name, "asOf": as_of})["resolve"] for name in names]
    return [shaped(asset, Asset) for asset in found]


REQUEST_SECONDS = 600.0  # nobody but this person waits for the answer
OBJECTS = 10_000_000


class Opened(NamedTuple):
    """A graph, and the naming rules with which its store was written."""

    graph: LiveGraph
    naming: Naming


@contextmanager
def opened(url: str | None, *, must_exist: bool = False, mesh: Mesh | None = None) -> Iterator[Opened]:
    """The graph of a store, by the store's own rules, or those that a mesh file gives it."""
    from meshline.graph.live_graph import LiveGraph
    from meshline.ingest.mesh import build_configuration, configure_store

    with opened_store(url, must_exist=must_exist) as store:
        naming, precedence = configure_store(store, *(build_configuration(mesh) if mesh is not None else ()))
        yield Opened(LiveGraph.open(store, precedence), naming)


class Local:
    """Answers from a graph in this process."""

    def __init__(self, opened: Opened, policies: Path | None = None) -> None:
        """`policies`: a folder of the user's."""
        self._execute = make_executor(opened.graph, opened.naming, policies, seconds=REQUEST_SECONDS, objects=OBJECTS)

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Json]:
        return self._executed(query, variables, mutations=False)

    def mutate(self, mutation: str, variables: Mapping[str, object]) -> dict[str, Json]:
        return self._executed(mutation, variables, mutations=True)

    def _executed(self, query: str, variables: Mapping[str, object], *, mutations: bool) -> dict[str, Json]:
        body = self._execute(query, variables, mutations=mutations)
        if errors := body.get("errors"):
            raise Refused(str(errors[0]["message"]), str(errors[0].get("extensions", {}).get("code", "INTERNAL")))
        data: dict[str, Json] = body["data"]
        return data

"""The graph of a store in this process, and answers from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from meshline.cli.answer_types import Refused
from meshline.cli.serve import make_executor
from meshline.cli.store import opened_store
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Json
from meshline.graph.naming import Naming
from meshline.ingest.mesh import Mesh, configuration, configure

SECONDS = 600.0  # nobody but this person waits for the answer
OBJECTS = 10_000_000


class Opened(NamedTuple):
    """A graph, and the naming rules with which its store was written."""

    graph: LiveGraph
    naming: Naming


@contextmanager
def opened(url: str | None, *, must_exist: bool = False, mesh: Mesh | None = None) -> Iterator[Opened]:
    """The graph of a store, by the store's own rules, or those that a mesh file gives it."""
    with opened_store(url, must_exist=must_exist) as store:
        naming, precedence = configure(store, *(configuration(mesh) if mesh is not None else ()))
        yield Opened(LiveGraph.open(store, precedence), naming)


class Local:
    """Answers from a graph in this process."""

    def __init__(self, opened: Opened, policies: Path | None = None) -> None:
        """`policies`: a folder of the user's."""
        self._execute = make_executor(opened.graph, opened.naming, policies, seconds=SECONDS, objects=OBJECTS)

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

"""Where questions are answered: in this process, over a store, or by a running meshline. The same GraphQL either way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Protocol, TypeVar

import msgspec

from meshline.cli.answer_types import Asset
from meshline.graph.model import Json

T = TypeVar("T")

SECONDS = 60.0  # to wait for a server's answer


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
    from meshline.cli.local_client import Local, opened

    with opened(store, must_exist=True) as graph:
        yield Local(graph)


def assets(source: Answers, names: Sequence[str], as_of: str | None = None) -> list[Asset]:
    """The assets that these names mean. Raises NotFound, Ambiguous (as the schema says it)."""
    query = question("resolve")
    found = [source.ask(query, {"name": name, "asOf": as_of})["resolve"] for name in names]
    return [shaped(asset, Asset) for asset in found]

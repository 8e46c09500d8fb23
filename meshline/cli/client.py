"""Where GraphQL requests are answered: by a store that this process opens, or by a running server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from meshline.cli.answer_types import Asset
from meshline.cli.options import KindName
from meshline.cli.serve import build_executor
from meshline.cli.store import OpenGraph, open_graph
from meshline.errors import InvalidInput, RefusedRequest
from meshline.graph.model import ID_PREFIX, AssetKind, Json

T = TypeVar("T")


class Client(Protocol):
    """Answers GraphQL requests from a store or a server."""

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Json]:
        """The `data` of the answer to a query. Raises MeshlineError."""
        ...

    def mutate(self, mutation: str, variables: Mapping[str, object]) -> dict[str, Json]:
        """The same as `ask` for a mutation."""
        ...


def read_query(name: str) -> str:
    """The text of a query in the folder `queries`."""
    return (files("meshline.cli") / "queries" / f"{name}.graphql").read_text("utf-8")


def convert_answer(data: object, shape: type[T]) -> T:
    """A part of an answer as a value of a type. Raises msgspec.ValidationError."""
    return msgspec.convert(data, shape)


_FEW_TITLES = 500  # statements whose titles one question reads, which takes a second


@contextmanager
def open_client(store: str | None, server: str | None, vectors: str | None = None) -> Iterator[Client]:
    """A client of a server if one is named, else of a store, which must exist. `vectors`: the model with which this store is searched;
    None: without one. If that makes no vectors, the user reads why, and words alone decide.
    """
    if server is not None:
        from meshline.cli.http_client import HttpClient

        with HttpClient.connect(server) as remote:
            yield remote
        return
    with open_graph(store, must_exist=True) as opened:
        if vectors is None:
            yield LocalClient(opened)
        else:
            opened.graph.titles.prepare(_FEW_TITLES)
            with use_vectors(opened, store, vectors):
                yield LocalClient(opened)


@contextmanager
def use_vectors(opened: OpenGraph, store: str | None, model: str) -> Iterator[None]:
    """Let searches of a graph use the vectors of names, which are made now as far as the model makes them."""
    from meshline.app.search_vectors import open_search_vectors
    from meshline.app.settings import load_settings
    from meshline.cli.terminal import write_message
    from meshline.graph.index.embedding_server import ModelUnavailable, OtherModel

    settings = load_settings(store=store)
    vectors = opened.graph.vectors = open_search_vectors(settings, settings.store, model)
    if vectors is None:
        yield
        return
    try:
        opened.graph.prepare_vectors()
    except (ModelUnavailable, OtherModel) as error:
        write_message(f"only words are compared: {error}")
    try:
        yield
    finally:
        vectors.close()


def resolve_assets(source: Client, names: Sequence[str], as_of: str | None = None) -> list[Asset]:
    """The assets with these names. Raises RefusedRequest with the code NOT_FOUND or AMBIGUOUS."""
    query = read_query("resolve")
    found = [source.ask(query, {"name": name, "asOf": as_of})["resolve"] for name in names]
    return [convert_answer(asset, Asset) for asset in found]


def resolve_of_kind(source: Client, name: str, kind: AssetKind, where: str, as_of: str | None = None) -> Asset:
    """The asset of this kind with this name. Raises RefusedRequest, and InvalidInput (of `where`) if the name is of another kind."""
    word = KindName[kind.name].value
    (found,) = resolve_assets(source, [name if _has_kind(name) or name.startswith(f"{ID_PREFIX[kind]}_") else f"{word}:{name}"], as_of)
    if found.kind != kind.name:
        raise InvalidInput(
            f"{found.qualified_name} is a {KindName[found.kind].value}; accepted is {'an' if word[0] in 'aeiou' else 'a'} {word}", where
        )
    return found


def _has_kind(name: str) -> bool:
    """Whether a name begins with its kind: `product:finance-marts`."""
    return name.partition(":")[0].lower() in set(KindName) and ":" in name


REQUEST_SECONDS = 600.0  # long: no other user waits for the graph
OBJECTS = 10_000_000


class LocalClient:
    """Answers requests from a graph in this process."""

    def __init__(self, opened: OpenGraph, policies: Path | None = None) -> None:
        """`policies`: a folder with the user's policies."""
        self._execute = build_executor(opened.graph, opened.naming, policies, seconds=REQUEST_SECONDS, objects=OBJECTS)

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Json]:
        return self._run(query, variables, mutations=False)

    def mutate(self, mutation: str, variables: Mapping[str, object]) -> dict[str, Json]:
        return self._run(mutation, variables, mutations=True)

    def _run(self, query: str, variables: Mapping[str, object], *, mutations: bool) -> dict[str, Json]:
        body = self._execute(query, variables, mutations=mutations)
        if errors := body.get("errors"):
            raise RefusedRequest(str(errors[0]["message"]), str(errors[0].get("extensions", {}).get("code", "INTERNAL")))
        data: dict[str, Json] = body["data"]
        return data

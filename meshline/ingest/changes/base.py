"""What a check is given, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from meshline.graph.contracts import AnyPair, Contract, Definition, Product, Version
from meshline.graph.model import AssetKey
from meshline.ingest.sources.base import Context, Entry


class Text(NamedTuple):
    """The content of a file, and its name in messages and annotations."""

    name: str
    data: bytes


class ChangeInput(NamedTuple):
    """Two versions of one thing, or (`before` None) one to be compared with what the graph knows.

    `kind`: contract, product, schema, ddl, dbt, mesh, change. `after` None: it is gone. A `change` has its sentences, one a line, in
    `after`; a `ddl` its statements. `options`: `format` (iceberg, delta, avro, json: else told from the content), `dataset`
    (which one a schema is of, as people name it), `dialect` (of SQL), `namespace`, `catalog` and `schema` (of names in SQL),
    `warning` (what whoever asked is to be told; a line each).
    """

    kind: str
    before: Text | None
    after: Text | None
    options: Mapping[str, str] = {}


def add_warning(given: ChangeInput, message: str) -> ChangeInput:
    """With something that whoever asked is to be told."""
    before = given.options.get("warning", "")
    return given._replace(options={**given.options, "warning": f"{before}\n{message}".strip()})


class Proposal(NamedTuple):
    """Pairs to compare. `entries`: (source, what it would say) if the change were made, so that policies can look at that graph;
    `warnings`: what could not be bound, in words.
    """

    pairs: tuple[AnyPair, ...]
    entries: tuple[tuple[str, Entry], ...] = ()
    warnings: tuple[str, ...] = ()


class GraphState(NamedTuple):
    """What the graph knows of things. `asset` resolves what a person typed: raises NotFound, Ambiguous.

    `said`: (source, what it says of one scope) for all scopes that say attributes or columns of an asset now; the strongest first.
    `names`: all names of an asset. `asked`: whether there is a graph; without one (--no-graph) names are only labels.
    """

    context: Context
    resolve: Callable[[str], AssetKey]
    find_definition: Callable[[AssetKey], Version[Definition] | None]
    find_contract: Callable[[str], Version[Contract] | None]
    find_product: Callable[[str], Version[Product] | None]
    list_statements: Callable[[AssetKey], Sequence[tuple[str, Entry]]] = lambda _: ()
    list_names: Callable[[AssetKey], Sequence[AssetKey]] = lambda key: (key,)
    has_graph: bool = True


ProposalBuilder: TypeAlias = Callable[[ChangeInput, GraphState], Proposal]  # raises InvalidInput

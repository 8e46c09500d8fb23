"""The input of a check, what the graph knows about it, and the proposal that is built from both."""

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
    """One input of a check in two versions; without `before` it is compared with what the graph knows.

    `kind`: contract, product, schema, ddl, dbt, mesh, change. `after` None: it was removed. `after` contains the sentences of a
    `change`, one a line, or the statements of a `ddl`. `options`: `format` (iceberg, delta, avro, json; by default detected from the
    content), `dataset` (the dataset that a schema describes, as a user names it), `dialect` (of SQL), `namespace`, `catalog` and
    `schema` (of names in SQL), `warning` (warnings for the caller, one a line).
    """

    kind: str
    before: Text | None
    after: Text | None
    options: Mapping[str, str] = {}


def add_warning(given: ChangeInput, message: str) -> ChangeInput:
    """The same input with one more warning for the caller."""
    before = given.options.get("warning", "")
    return given._replace(options={**given.options, "warning": f"{before}\n{message}".strip()})


class Proposal(NamedTuple):
    """Pairs to compare. `entries`: (source, its statement about one scope if the change were made), from which policies evaluate the
    changed graph; `warnings`: sentences about what could not be bound.
    """

    pairs: tuple[AnyPair, ...]
    entries: tuple[tuple[str, Entry], ...] = ()
    warnings: tuple[str, ...] = ()


class GraphState(NamedTuple):
    """What the graph knows. `resolve` finds the asset that a user named: raises NotFound, Ambiguous.

    `list_statements`: (source, its active statement about one scope) for all scopes that state attributes or columns of an asset, the
    strongest source first. `list_names`: all names of an asset. `has_graph`: without a graph (--no-graph) names are only labels.
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

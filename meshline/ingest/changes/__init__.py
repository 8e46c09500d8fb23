"""Proposed changes (files or sentences) read into the states before and after, which the gate compares. Nothing here writes.

The input of a check, what the graph knows about it, and the proposal that is built from both. A new kind of change is one file, and one
line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput, require_extra
from meshline.graph.contracts import AnyPair, Contract, Definition, Product, Resolution, Version
from meshline.graph.model import AssetKey
from meshline.ingest.sources.base import Context, Entry
from meshline.words import suggest_closest


class Text(NamedTuple):
    """The content of a file, and its name in messages and annotations."""

    name: str
    data: bytes


class ChangeInput(NamedTuple):
    """One input of a check in two versions; without `before` it is compared with what the graph knows.

    `kind`: contract, product, schema, ddl, dbt, mesh, change. `after` None: it was removed. `after` contains the sentences of a
    `change`, one a line, or the statements of a `ddl`. `options`: `format` (iceberg, delta, avro, json, protobuf; by default detected
    from the content), `dataset` (the dataset that a schema describes, as a user names it), `message` (of Protobuf), `names` (by which
    the graph may know that dataset, one a line, the most certain first), `new` (if not empty, the graph need not know it),
    `compatibility` (a mode of a schema registry), `dialect` (of SQL), `namespace`, `catalog` and `schema` (of names in SQL), `warning`
    (warnings for the caller, one a line).
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
    changed graph; `warnings`: sentences about what could not be bound. `resolutions`: of each pair, if a mode of compatibility decides.
    """

    pairs: tuple[AnyPair, ...]
    entries: tuple[tuple[str, Entry], ...] = ()
    warnings: tuple[str, ...] = ()
    resolutions: tuple[Resolution, ...] = ()


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


# kind: (the module with `build_proposal`, the extra that it needs)
KINDS: Mapping[str, tuple[str, str]] = {
    "contract": ("meshline.ingest.changes.contract", "contracts"),
    "product": ("meshline.ingest.changes.product", ""),
    "schema": ("meshline.ingest.changes.schema", ""),
    "ddl": ("meshline.ingest.changes.ddl", "sql"),
    "dbt": ("meshline.ingest.changes.dbt", "dbt"),
    "mesh": ("meshline.ingest.changes.mesh", ""),
    "change": ("meshline.ingest.changes.change_language", ""),
}


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """The assets that an input describes, each in two versions. Raises InvalidInput, NotFound, Ambiguous, MissingExtra."""
    if given.kind not in KINDS:
        raise InvalidInput(f"found {given.kind!r}{suggest_closest(given.kind, KINDS)}; accepted: {', '.join(KINDS)}", "kind")
    if given.before is None and given.after is None:
        raise InvalidInput("neither an old nor a new version is given")
    module, extra = KINDS[given.kind]
    with require_extra(extra, f"a check of {given.kind}"):
        build: ProposalBuilder = import_module(module).build_proposal
    found = build(given, known)
    warnings = tuple(filter(None, given.options.get("warning", "").splitlines()))
    return found._replace(warnings=(*warnings, *found.warnings))

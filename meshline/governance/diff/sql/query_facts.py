"""A query -> what decides about its rows, and what each of its columns is computed from, down to the tables that it reads.

Common table expressions and queries in place of tables are followed; those that only choose, filter and join are a part of
the query around them, so that it does not matter where they are written. Set operations are read branch by branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlglot import exp

from meshline.governance.diff.sql.query_reader import (
    GROUPING,
    JOIN,
    OTHER,
    PARTS,
    Block,
    CTEs,
    Fact,
    Keys,
    Output,
    Reader,
    Scope,
    Settings,
    derived,
)
from meshline.governance.diff.sql.select_clauses import close, cut, filtered, grouped, opened, projected, told_apart
from meshline.governance.diff.sql.syntax import SET_OPERATION, Term, digest, modified, name, set_kind_of


def united(reader: Reader, node: exp.SetOperation, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
    """The columns of a set operation. A chain of one kind is one operation of many branches."""
    kind = set_kind_of(node)
    branches = _branches(reader, node, ctes, place)
    digests = [digest(reader.standalone(query, inner, outer)) for query, inner in branches]
    reader.branches += digests
    kept = [branch for branch, said in zip(branches, digests, strict=True) if said not in reader.settings.skip] or branches
    if len(kept) == 1 and not modified(node, SET_OPERATION):
        return reader.query(*kept[0], place, outer)
    keys = Keys()
    read: list[list[Output]] = []
    for query, inner in kept:
        key = keys.of(reader.first_table(query, inner))
        read.append(reader.query(query, inner, f"{place}/{key}", outer))
        reader.say(JOIN, place, f"{kind.removesuffix(' ALL')} {key}")
    outputs = _outputs(kind.partition(" ")[0], read, by_name=bool(node.args.get("by_name")))
    if node.args.get("distinct"):
        reader.say(GROUPING, place, f"{kind} {told_apart(reader, outputs)}")
    scope = reader.scope(outer)
    scope.tables.append(("", derived(outputs, reader.written)))
    cut(reader, node, scope, ctes, place, outputs)
    reader.rest(node, ctes, place)
    return outputs


def _branches(reader: Reader, node: exp.SetOperation, ctes: CTEs, place: str) -> list[tuple[exp.Expr, CTEs]]:
    """What is put together, in order, with what it may name."""
    kind = set_kind_of(node)
    found: list[tuple[exp.Expr, CTEs]] = [(node.expression, ctes)]
    left: exp.Expr = node.this
    while (
        kind.startswith("UNION") and isinstance(left, exp.SetOperation) and set_kind_of(left) == kind and not modified(left, SET_OPERATION)
    ):
        ctes = reader.with_(left, ctes, place)
        found.append((left.expression, ctes))
        left = left.this
    return [(left, ctes), *reversed(found)]


def _outputs(kind: str, branches: Sequence[Sequence[Output]], *, by_name: bool) -> list[Output]:
    """Column by column: by their positions, or by their names. Where not all are known, one that stands for all."""
    if any(one.open for branch in branches for one in branch) or (not by_name and len({len(branch) for branch in branches}) > 1):
        stars = [exp.Anonymous(this=one.name, expressions=[one.term.node.copy()]) for branch in branches for one in branch]
        partitions = tuple(each for branch in branches for one in branch for each in one.term.partitions)
        return [Output("*", Term(exp.Anonymous(this=kind, expressions=stars), partitions), open=True)]
    if by_name:
        names = list(dict.fromkeys(one.name for branch in branches for one in branch))
        of = [{one.name: one.term for one in branch} for branch in branches]
        rows = [[branch.get(called, Term(name("NULL"))) for branch in of] for called in names]
    else:
        names = [one.name for one in branches[0]]
        rows = [[one.term for one in row] for row in zip(*branches, strict=True)]
    return [Output(called, _one(kind, row)) for called, row in zip(names, rows, strict=True)]


def _one(kind: str, terms: Sequence[Term]) -> Term:
    node = exp.Anonymous(this=kind, expressions=[term.node.copy() for term in terms])
    return Term(node, tuple(one for term in terms for one in term.partitions))


class Query(NamedTuple):
    """`facts`: by FILTER, JOIN, GROUPING and OTHER. `joins`: as they are shown. `branches`: digests of what set operations put
    together; `tables`: that are read.
    """

    columns: tuple[Output, ...]
    facts: Mapping[str, tuple[Fact, ...]]
    joins: tuple[str, ...]
    branches: tuple[str, ...]
    tables: frozenset[str]


def read(query: exp.Expr, settings: Settings) -> Query:
    """Raises TooMuch, RecursionError for what is too deep, and errors of sqlglot."""
    reader = Reader(settings, _follow, [0])
    columns = reader.query(query, {}, "", None)
    facts = {part: tuple(reader.facts[part]) for part in PARTS}
    return Query(tuple(columns), facts, tuple(reader.joins), tuple(reader.branches), frozenset(reader.tables))


def branch_of(query: exp.Expr, settings: Settings) -> str:
    """The digest that a query has as a branch of a set operation."""
    return digest(Reader(settings, _follow, [0]).standalone(query, {}, None))


def _follow(reader: Reader, node: exp.Expr, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
    if isinstance(node, exp.Subquery) and not modified(node, {"with_", "alias"}):
        return reader.query(node.this, ctes, place, outer)
    if isinstance(node, exp.Select):
        return _select(reader, node, ctes, place, outer)
    if isinstance(node, exp.SetOperation):
        return united(reader, node, ctes, place, outer)
    text = reader.plain(node, ctes)
    reader.say(OTHER, place, text)
    return [Output("*", Term(name(f"#{digest(text)}.*")), open=True)]


def _select(reader: Reader, node: exp.Select, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
    wrapped = reader.wrapped(node, ctes)
    if wrapped is not None:
        scope = reader.scope(outer)
        inner = derived(reader.query(wrapped.query, wrapped.ctes, place, outer), reader.written)
        scope.tables.append((wrapped.called, inner.renamed(wrapped.columns)))
        return projected(reader, node, scope, ctes)
    block = Block(place)
    scope = opened(reader, node, ctes, block, outer)
    outputs = projected(reader, node, scope, ctes)
    filtered(reader, node, scope, ctes, block)
    grouped(reader, node, scope, ctes, place, outputs)
    cut(reader, node, scope, ctes, place, outputs)
    close(reader, block)
    reader.rest(node, ctes, place)
    return outputs

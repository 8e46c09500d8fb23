"""A query -> what decides about its rows, and what each of its columns is computed from, down to the tables that it reads.

Common table expressions and queries in place of tables are followed; those that only choose, filter and join are a part of
the query around them, so that it does not matter where they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlglot import exp

from meshline.governance.diff.sql.columns import projected
from meshline.governance.diff.sql.expressions import Term, digest, name
from meshline.governance.diff.sql.froms import opened
from meshline.governance.diff.sql.reader import OTHER, PARTS, Block, CTEs, Fact, Reader, Settings
from meshline.governance.diff.sql.rows import close, cut, filtered, grouped
from meshline.governance.diff.sql.shapes import modified
from meshline.governance.diff.sql.sources import Output, Scope, derived
from meshline.governance.diff.sql.unions import united


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
        scope.sources[wrapped.called] = inner.renamed(wrapped.columns)
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

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
    build_source,
)
from meshline.governance.diff.sql.select_clauses import (
    format_distinct,
    read_filters,
    read_from,
    read_grouping,
    read_limit,
    read_projection,
    record_block,
)
from meshline.governance.diff.sql.syntax import SET_OPERATION, Term, build_name, digest_text, format_set_kind, has_other_parts


def read_set_operation(reader: Reader, node: exp.SetOperation, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
    """The columns of a set operation. A chain of one kind is one operation of many branches."""
    kind = format_set_kind(node)
    branches = _list_branches(reader, node, ctes, place)
    digests = [digest_text(reader.format_standalone(query, inner, outer)) for query, inner in branches]
    reader.branches += digests
    kept = [branch for branch, known in zip(branches, digests, strict=True) if known not in reader.settings.skip] or branches
    if len(kept) == 1 and not has_other_parts(node, SET_OPERATION):
        return reader.read_query(*kept[0], place, outer)
    keys = Keys()
    read: list[list[Output]] = []
    for query, inner in kept:
        key = keys.allocate_key(reader.find_first_table(query, inner))
        read.append(reader.read_query(query, inner, f"{place}/{key}", outer))
        reader.record_fact(JOIN, place, f"{kind.removesuffix(' ALL')} {key}")
    outputs = _unite_outputs(kind.partition(" ")[0], read, by_name=bool(node.args.get("by_name")))
    if node.args.get("distinct"):
        reader.record_fact(GROUPING, place, f"{kind} {format_distinct(reader, outputs)}")
    scope = reader.build_scope(outer)
    scope.tables.append(("", build_source(outputs, reader.format_term)))
    read_limit(reader, node, scope, ctes, place, outputs)
    reader.record_rest(node, ctes, place)
    return outputs


def _list_branches(reader: Reader, node: exp.SetOperation, ctes: CTEs, place: str) -> list[tuple[exp.Expr, CTEs]]:
    """What is put together, in order, with what it may name."""
    kind = format_set_kind(node)
    found: list[tuple[exp.Expr, CTEs]] = [(node.expression, ctes)]
    left: exp.Expr = node.this
    while (
        kind.startswith("UNION")
        and isinstance(left, exp.SetOperation)
        and format_set_kind(left) == kind
        and not has_other_parts(left, SET_OPERATION)
    ):
        ctes = reader.add_ctes(left, ctes, place)
        found.append((left.expression, ctes))
        left = left.this
    return [(left, ctes), *reversed(found)]


def _unite_outputs(kind: str, branches: Sequence[Sequence[Output]], *, by_name: bool) -> list[Output]:
    """Column by column: by their positions, or by their names. Where not all are known, one output represents all."""
    if any(one.open for branch in branches for one in branch) or (not by_name and len({len(branch) for branch in branches}) > 1):
        stars = [exp.Anonymous(this=one.name, expressions=[one.term.node.copy()]) for branch in branches for one in branch]
        partitions = tuple(each for branch in branches for one in branch for each in one.term.partitions)
        return [Output("*", Term(exp.Anonymous(this=kind, expressions=stars), partitions), open=True)]
    if by_name:
        names = list(dict.fromkeys(one.name for branch in branches for one in branch))
        of = [{one.name: one.term for one in branch} for branch in branches]
        rows = [[branch.get(called, Term(build_name("NULL"))) for branch in of] for called in names]
    else:
        names = [one.name for one in branches[0]]
        rows = [[one.term for one in row] for row in zip(*branches, strict=True)]
    return [Output(called, _unite_terms(kind, row)) for called, row in zip(names, rows, strict=True)]


def _unite_terms(kind: str, terms: Sequence[Term]) -> Term:
    node = exp.Anonymous(this=kind, expressions=[term.node.copy() for term in terms])
    return Term(node, tuple(one for term in terms for one in term.partitions))


class QueryFacts(NamedTuple):
    """`facts`: by FILTER, JOIN, GROUPING and OTHER. `joins`: as they are shown. `branches`: digests of what set operations put
    together; `tables`: that are read.
    """

    columns: tuple[Output, ...]
    facts: Mapping[str, tuple[Fact, ...]]
    joins: tuple[str, ...]
    branches: tuple[str, ...]
    tables: frozenset[str]


def read_query(query: exp.Expr, settings: Settings) -> QueryFacts:
    """Raises TooMuch, RecursionError for what is too deep, and errors of sqlglot."""
    reader = Reader(settings, _follow_query, [0])
    columns = reader.read_query(query, {}, "", None)
    facts = {part: tuple(reader.facts[part]) for part in PARTS}
    return QueryFacts(tuple(columns), facts, tuple(reader.joins), tuple(reader.branches), frozenset(reader.tables))


def digest_branch(query: exp.Expr, settings: Settings) -> str:
    """The digest that a query has as a branch of a set operation."""
    return digest_text(Reader(settings, _follow_query, [0]).format_standalone(query, {}, None))


def _follow_query(reader: Reader, node: exp.Expr, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
    if isinstance(node, exp.Subquery) and not has_other_parts(node, {"with_", "alias"}):
        return reader.read_query(node.this, ctes, place, outer)
    if isinstance(node, exp.Select):
        return _read_select(reader, node, ctes, place, outer)
    if isinstance(node, exp.SetOperation):
        return read_set_operation(reader, node, ctes, place, outer)
    text = reader.format_plain(node, ctes)
    reader.record_fact(OTHER, place, text)
    return [Output("*", Term(build_name(f"#{digest_text(text)}.*")), open=True)]


def _read_select(reader: Reader, node: exp.Select, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
    wrapped = reader.find_wrapped(node, ctes)
    if wrapped is not None:
        scope = reader.build_scope(outer)
        inner = build_source(reader.read_query(wrapped.query, wrapped.ctes, place, outer), reader.format_term)
        scope.tables.append((wrapped.called, inner.rename_columns(wrapped.columns)))
        return read_projection(reader, node, scope, ctes)
    block = Block(place)
    scope = read_from(reader, node, ctes, block, outer)
    outputs = read_projection(reader, node, scope, ctes)
    read_filters(reader, node, scope, ctes, block)
    read_grouping(reader, node, scope, ctes, place, outputs)
    read_limit(reader, node, scope, ctes, place, outputs)
    record_block(reader, block)
    reader.record_rest(node, ctes, place)
    return outputs

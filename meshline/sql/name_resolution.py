"""Names in one SELECT: which table an alias means, which columns a name can mean, which columns a star includes.

Lineage follows each column as its sources, a comparison of two queries as the expression that computes it: that is the `Value` of a scope.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

from sqlglot import exp

from meshline.sql.statement_lineage import Relation

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)
Columns = TypeVar("Columns", bound="NamedColumns[Any]")


class NamedColumns(Protocol[Value_co]):
    """The columns of a table, or of a query in place of a table."""

    @property
    def relation(self) -> Relation | None:
        """The full name of a table; None for a query."""

    def list_columns(self) -> Sequence[tuple[str, Value_co]]:
        """The known columns in order."""

    def find(self, name: str) -> Value_co | None:
        """A column that is known to exist."""

    def guess(self, name: str) -> Value_co | None:
        """A column that may be among the unknown ones; None if all columns are known."""


class Candidates(NamedTuple, Generic[Value]):
    """What a name without a table can mean in one scope.

    `known`: columns that are known to exist. Only if there are none: `alias`, a column of the SELECT list, and `possible`, columns
    that may be among the unknown ones of a table.
    """

    known: Sequence[Value]
    alias: Value | None = None
    possible: Sequence[Value] = ()


class NameScope(Generic[Value, Columns]):
    """The tables of a FROM clause, and around them (`outer`) the scope of the query around.

    `tables`: by alias, in order. `hidden`: positions of tables that a star does not show. `united`: columns of USING and NATURAL
    joins with their names. `aliases`: columns of the SELECT list, for clauses that may name them. The keys of both are folded.
    """

    def __init__(self, outer: Self | None = None) -> None:
        self.outer = outer
        self.tables: list[tuple[str, Columns]] = []
        self.hidden: set[int] = set()
        self.united: dict[str, tuple[str, Value]] = {}
        self.aliases: dict[str, Value] = {}

    def fold(self, name: str) -> str:
        """The key of a name: two names with the same key mean the same column."""
        raise NotImplementedError

    def find_column(self, table: Columns, name: str, depth: int) -> Value | None:
        """The column of a table. `depth`: how many queries further out the table is."""
        raise NotImplementedError

    def find_name(self, name: str) -> Value | None:
        """What a name without a table means, here or further out."""
        raise NotImplementedError

    def select_field(self, value: Value, path: Sequence[str]) -> Value:
        """A nested field of a column; the column itself if the path is empty."""
        raise NotImplementedError

    def list_scopes(self) -> Iterator[Self]:
        """This scope and those around it, innermost first."""
        scope: Self | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def list_visible(self) -> Iterator[Columns]:
        """The tables that a star shows."""
        return (table for position, (_, table) in enumerate(self.tables) if position not in self.hidden)

    def list_known(self, name: str) -> list[Value]:
        """The columns of a name in the tables known to have one; hidden tables count only if no other table has one."""
        found: list[Value] = [value for table in self.list_visible() if (value := table.find(name)) is not None]
        return found or [value for position in self.hidden if (value := self.tables[position][1].find(name)) is not None]

    def list_candidates(self, name: str) -> Iterator[Candidates[Value]]:
        """What a name without a table can mean in each scope, innermost first."""
        folded = self.fold(name)
        for scope in self.list_scopes():
            united = scope.united.get(folded)
            known = [united[1]] if united else scope.list_known(name)
            if known:
                yield Candidates(known)
            else:
                possible = [value for _, table in scope.tables if (value := table.guess(name)) is not None]
                yield Candidates((), scope.aliases.get(folded), possible)

    def locate_table(self, parts: Sequence[str]) -> tuple[Columns, int] | None:
        """The table that a qualifier means, by its alias or by the end of its full name, and how many queries further out it is."""
        wanted = self.fold(parts[0]) if len(parts) == 1 else tuple(parts)
        for depth, scope in enumerate(self.list_scopes()):
            for alias, table in scope.tables:
                if alias == wanted or (len(parts) > 1 and table.relation is not None and table.relation[-len(parts) :] == wanted):
                    return table, depth
        return None

    def resolve(self, tables: Sequence[str], columns: Sequence[str]) -> Value | None:
        """What a dotted name means: a table by the longest prefix that is one, its column, and fields; or a column and its fields.

        `tables`, `columns`: the parts of the name, spelled as names of tables and as names of columns.
        """
        for length in range(len(columns) - 1, 0, -1):
            located = self.locate_table(tables[:length])
            if located is not None:
                table, depth = located
                column = self.find_column(table, columns[length], depth)
                return None if column is None else self.select_field(column, columns[length + 1 :])
        column = self.find_name(columns[0])
        return None if column is None else self.select_field(column, columns[1:])

    def list_starred(self) -> Iterator[tuple[Columns | None, Sequence[tuple[str, Value]]]]:
        """The tables that `*` shows, each with the columns that it shows; united columns come first and have no table."""
        if self.united:
            yield None, list(self.united.values())
        for table in self.list_visible():
            columns = table.list_columns()
            yield table, [column for column in columns if self.fold(column[0]) not in self.united] if self.united else columns


class StarPattern(NamedTuple):
    """The pattern that names of columns have to match to be shown by a star. `text`: as it is written. `regex`: in any case; None if
    the pattern is not understood. `exact`: the case counts.
    """

    text: str
    regex: re.Pattern[str] | None
    exact: bool
    negated: bool

    def is_match(self, name: str) -> bool | None:
        """Whether a column is shown; None if that is not known, as of a name that differs from the pattern in case only."""
        if self.regex is None:
            return None
        if self.regex.fullmatch(name) is None:
            return self.negated
        if self.exact and re.fullmatch(self.regex.pattern, name, re.DOTALL) is None:
            return None
        return not self.negated


class Star(NamedTuple):
    """A star in the SELECT list. `item`: `*`, `t.*` or `a.b.*`; `node`: the star in it; `pattern`: None if there is none."""

    item: exp.Expr
    node: exp.Expr
    pattern: StarPattern | None


class StarModifiers(NamedTuple):
    """What EXCEPT, REPLACE and RENAME change of a star, by the folded name of the column.

    `replaced`: the new name and the expression.
    """

    hidden: frozenset[str]
    replaced: Mapping[str, tuple[str, exp.Expr]]
    renamed: Mapping[str, str]


_PATTERNS = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo, exp.RegexpLike)  # DuckDB: `* LIKE 'a%'`; Snowflake only has ILIKE


def find_star(item: exp.Expr) -> Star | None:
    """The star of `*`, `t.*` and `a.b.*`, also with a pattern; None for anything else."""
    inner = item
    while isinstance(inner, (*_PATTERNS, exp.Escape, exp.Not)):
        inner = inner.this
    last = inner if isinstance(inner, exp.Star) else _find_last_part(inner)
    if not isinstance(last, exp.Star):
        return None
    text = item.sql(comments=False)
    if inner is not item:
        pattern = item.expression if isinstance(item, exp.Like | exp.ILike) else None
        exact = not isinstance(item, exp.ILike)
        return Star(inner, last, _parse_pattern(text, pattern, exact=exact, negated=bool(item.args.get("negate"))))
    ilike = last.args.get("ilike")
    return Star(inner, last, None if ilike is None else _parse_pattern(text, ilike, exact=False, negated=False))


def _parse_pattern(text: str, pattern: exp.Expr | None, *, exact: bool, negated: bool) -> StarPattern:
    """`pattern`: that of LIKE or ILIKE. What a backslash means in it differs between dialects and is not guessed."""
    if not isinstance(pattern, exp.Literal) or not pattern.is_string or "\\" in pattern.name:
        return StarPattern(text, None, exact, negated)
    parts = ({"%": ".*", "_": "."}.get(letter) or re.escape(letter) for letter in pattern.name)
    return StarPattern(text, re.compile("".join(parts), re.DOTALL | re.IGNORECASE), exact, negated)


def find_output_identifier(item: exp.Expr) -> exp.Identifier | None:
    """The identifier that names a column of the SELECT list without an alias; None if SQL gives it no name."""
    while isinstance(item, exp.Paren):
        item = item.this
    last = _find_last_part(item)
    return last if isinstance(last, exp.Identifier) else None


def _find_last_part(item: exp.Expr) -> exp.Expr | None:
    return item.this if isinstance(item, exp.Column) else item.expression if isinstance(item, exp.Dot) else None


def parse_star_modifiers(star: exp.Expr, name: Callable[[exp.Expr], str], fold: Callable[[str], str]) -> StarModifiers:
    """`name`: the name of an identifier as the dialect spells it; `fold`: the key of a name."""

    def key(node: exp.Expr) -> str:
        return fold(name(node.this if isinstance(node, exp.Column) else node))

    replaced = {key(one.args["alias"]): (name(one.args["alias"]), one.this) for one in star.args.get("replace") or ()}
    renamed = {key(one.this): name(one.args["alias"]) for one in star.args.get("rename") or ()}
    return StarModifiers(frozenset(map(key, star.args.get("except_") or ())), replaced, renamed)


def parse_position(node: exp.Expr) -> int | None:
    """The position, from 1, by which GROUP BY or ORDER BY names an output column; None for anything else."""
    is_position = isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal()
    return int(node.name) if is_position else None

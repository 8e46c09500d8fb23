"""What differs between dialects beyond what sqlglot knows: the case of names, and where an alias may be used."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from sqlglot import exp
from sqlglot.dialects.dialect import ASCII_LOWER, ASCII_UPPER, Dialect, NormalizationStrategy

from meshline.errors import InvalidInput
from meshline.sql.statement_lineage import Relation
from meshline.words import suggest_closest

# Where `SELECT a AS x, x + 1` is allowed; a column of a table wins over the alias.
_LATERAL_ALIASES = frozenset({"snowflake", "redshift", "databricks", "spark", "spark2", "duckdb", "clickhouse", "teradata"})
# Dialects that know a name in any case, but keep the case of a column as it was written.
_KEPT = frozenset({"spark", "spark2", "databricks", "duckdb", "bigquery", "tsql", "fabric"})
# Where WITH needs no RECURSIVE to refer to itself.
_IMPLICIT_RECURSION = frozenset({"tsql", "fabric", "snowflake", "oracle", "teradata"})
# How columns without a name are called, by position.
_UNNAMED: dict[str, Callable[[int], str]] = {
    "trino": lambda i: f"_col{i}",
    "presto": lambda i: f"_col{i}",
    "athena": lambda i: f"_col{i}",
    "bigquery": lambda i: f"f{i}_",
}


class DialectRules(NamedTuple):
    """A dialect."""

    dialect: Dialect
    name: str
    column_cases: tuple[Callable[[str], str], Callable[[str], str]]  # of names without quotes, with quotes
    table_cases: tuple[Callable[[str], str], Callable[[str], str]]
    lateral_aliases: bool
    implicit_recursion: bool
    unnamed: Callable[[int], str] | None

    def spell_column(self, identifier: exp.Expr) -> str:
        """The name of a column, in the case that the dialect gives it."""
        return self.column_cases[1 if identifier.args.get("quoted") else 0](identifier.name)

    def fold_name(self, node: exp.Expr) -> str:
        """The name by which the dialect distinguishes identifiers: two that mean the same have one, however they are written."""
        return self.dialect.normalize_identifier(node.copy()).name if isinstance(node, exp.Identifier) else node.name

    def spell_table(self, identifier: exp.Expr) -> str:
        """A part of a table's name, in the case that the dialect gives it."""
        return self.table_cases[1 if identifier.args.get("quoted") else 0](identifier.name)

    def parse_relation(self, table: exp.Expr) -> Relation:
        """The name of a table."""
        parts = [table.args.get("catalog"), table.args.get("db")]
        this = table.this
        while isinstance(this, exp.Dot):  # more than three parts
            parts.append(this.this)
            this = this.expression
        temporary = this.args.get("temporary")  # T-SQL's #name
        named = [self.spell_table(part) for part in (*parts, this) if part is not None]
        return (*named[:-1], f"#{named[-1]}") if temporary else tuple(named)

    def list_columns(self, alias: exp.Expr | None) -> list[str]:
        """The names in the parentheses of `AS t(a, b)`."""
        given = alias.args.get("columns") if alias is not None else None
        return [self.spell_column(each if isinstance(each, exp.Identifier) else each.this) for each in given or ()]


def _as_it_is(text: str) -> str:
    return text


def _fold_lower(text: str) -> str:
    return text.translate(ASCII_LOWER)


def _fold_upper(text: str) -> str:
    return text.translate(ASCII_UPPER)


_CASES: dict[NormalizationStrategy, tuple[Callable[[str], str], Callable[[str], str]]] = {
    NormalizationStrategy.LOWERCASE: (str.lower, _as_it_is),
    NormalizationStrategy.UPPERCASE: (str.upper, _as_it_is),
    NormalizationStrategy.CASE_SENSITIVE: (_as_it_is, _as_it_is),
    NormalizationStrategy.CASE_INSENSITIVE: (str.lower, str.lower),
    NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE: (str.upper, str.upper),
}


_ASCII_CASES: dict[Callable[[str], str], Callable[[str], str]] = {str.lower: _fold_lower, str.upper: _fold_upper}


def get_rules(name: str) -> DialectRules:
    """The rules of a dialect by its name in sqlglot. Raises InvalidInput."""
    known = sorted(each for each in Dialect.classes if each)
    if name not in known:
        raise InvalidInput(f"found {name!r}{suggest_closest(name, known)}; accepted: {', '.join(known)}", "dialect")
    return _build_rules(name)


def get_any_rules(name: str) -> DialectRules:
    """As `rules_of`, but an empty name is SQL of no dialect in particular."""
    return get_rules(name) if name else _build_rules("")


@lru_cache(maxsize=64)
def _build_rules(name: str) -> DialectRules:
    dialect = Dialect.get_or_raise(name)
    cases = _CASES[dialect.normalization_strategy]
    if dialect.ASCII_ONLY_NORMALIZATION:  # PostgreSQL and SQLite, e.g., distinguish É from é
        cases = (_ASCII_CASES.get(cases[0], cases[0]), _ASCII_CASES.get(cases[1], cases[1]))
    return DialectRules(
        dialect=dialect,
        name=name or "SQL",
        column_cases=(_as_it_is, _as_it_is) if name in _KEPT else cases,
        table_cases=(_as_it_is, _as_it_is) if name == "bigquery" else cases,  # whose tables differ by case
        lateral_aliases=name in _LATERAL_ALIASES,
        implicit_recursion=name in _IMPLICIT_RECURSION,
        unnamed=_UNNAMED.get(name),
    )

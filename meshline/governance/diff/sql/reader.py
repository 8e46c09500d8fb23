"""What is common to all parts of reading a query: names, common table expressions, what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp

from meshline.governance.diff.sql.expressions import Normal, Term, digest, name, text_of
from meshline.governance.diff.sql.shapes import UNDERSTOOD, first_table, modified, only_chooses, unwrapped
from meshline.governance.diff.sql.sources import Keys, Output, Scope, identifying

MAX_QUERIES = 2_000  # that are read within one; a query that is named twice counts twice

FILTER, JOIN, GROUPING, OTHER = PARTS = ("filter", "join", "grouping", "other")
_LATERAL_ALIASES = frozenset({"snowflake", "redshift", "databricks", "spark", "duckdb", "clickhouse", "teradata"})


class TooMuch(Exception):
    """The query names others too often to be followed."""


class Fact(NamedTuple):
    """One thing that decides about rows. `place`: which of the queries inside it is said of; empty: the whole."""

    place: str
    text: str


class Settings(NamedTuple):
    """`columns`: of tables by their written names. `called`: other names for tables. `skip`: digests of branches to leave out."""

    dialect: str
    columns: Mapping[str, Sequence[str]] = {}
    called: Mapping[str, str] = {}
    skip: Collection[str] = ()


class CTE(NamedTuple):
    """A common table expression. `query`: None if it refers to itself, which is not followed."""

    query: exp.Expr | None
    columns: list[str]
    ctes: CTEs


CTEs: TypeAlias = Mapping[str, CTE]


class Inner(NamedTuple):
    """A query that stands in place of a table. `columns`: their names, if it gives them others; `ctes`: that it may name."""

    query: exp.Expr
    called: str
    columns: list[str]
    ctes: CTEs


class Block:
    """A SELECT that is read, with the queries that are a part of it. `joins`: kind, what, conditions."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.keys = Keys()
        self.joins: list[tuple[str, str, list[str]]] = []
        self.filters: list[Term] = []


Follow: TypeAlias = Callable[["Reader", exp.Expr, CTEs, str, Scope | None], list[Output]]


class Reader:
    """Collects what decides about the rows of one query. `follow`: reads a query; `count`: of queries that were read, over all
    readers of one.
    """

    def __init__(self, settings: Settings, follow: Follow, count: list[int]) -> None:
        self.settings = settings
        self.facts: dict[str, list[Fact]] = {part: [] for part in PARTS}
        self.joins: list[str] = []  # as they are shown
        self.branches: list[str] = []
        self.tables: set[str] = set()
        self.identify = identifying(settings.dialect)
        self._follow = follow
        self._count = count

    def query(self, node: exp.Expr, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
        """The columns of a query; what decides about its rows is collected."""
        self._count[0] += 1
        if self._count[0] > MAX_QUERIES:
            raise TooMuch(f"it names other queries more than {MAX_QUERIES} times")
        return self._follow(self, node, self.with_(node, ctes, place), place, outer)

    def standalone(self, node: exp.Expr, ctes: CTEs, outer: Scope | None) -> str:
        """A whole query as one text in normal form."""
        inner = Reader(self.settings, self._follow, self._count)
        columns = inner.query(node, ctes, "query", outer)
        self.tables |= inner.tables
        said = [", ".join(f"{self.written(one.term)} AS {one.name}" for one in columns)]
        for part in PARTS:
            said += (
                [f"{part.upper()} {'; '.join(sorted(f'{fact.place}: {fact.text}' for fact in inner.facts[part]))}"]
                if inner.facts[part]
                else []
            )
        return f"(SELECT {' | '.join(said)})"

    # -- what stands in place of a table

    def wrapped(self, node: exp.Select, ctes: CTEs) -> Inner | None:
        """The query of which a SELECT only chooses and names columns."""
        return self.inner(node.args["from_"].this, ctes) if only_chooses(node) else None

    def inner(self, item: exp.Expr, ctes: CTEs) -> Inner | None:
        """The query that stands in place of a table."""
        called, columns = self.alias(item)
        query = unwrapped(item)
        if query is not None:
            return Inner(query, called, columns, self.with_(item, ctes, ""))
        cte = self.cte(item, ctes)
        if cte is None or cte.query is None or modified(item, {"alias"}):
            return None
        return Inner(cte.query, called or self.identify(item.this), columns or cte.columns, cte.ctes)

    def cte(self, item: exp.Expr, ctes: CTEs) -> CTE | None:
        is_named = isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier) and not item.args.get("db")
        return ctes.get(self.identify(item.this)) if is_named else None

    def with_(self, node: exp.Expr, ctes: CTEs, place: str) -> CTEs:
        """The common table expressions that a query may name, with its own."""
        with_ = node.args.get("with_")
        if with_ is None:
            return ctes
        known = dict(ctes)
        for cte in with_.expressions:
            called, columns = self.alias(cte)
            recurs = with_.args.get("recursive") and any(self.identify(one.this) == called for one in cte.this.find_all(exp.Table))
            if recurs or not isinstance(cte.this, exp.Query):
                self.say(OTHER, place, self.plain(cte, known))
            known[called] = CTE(None if recurs or not isinstance(cte.this, exp.Query) else cte.this, columns, dict(known))
        return known

    # -- words

    def say(self, part: str, place: str, text: str) -> None:
        self.facts[part].append(Fact(place, text))

    def scope(self, outer: Scope | None) -> Scope:
        return Scope(self.identify, outer, aliased=self.settings.dialect in _LATERAL_ALIASES)

    def normal(self, scope: Scope, ctes: CTEs, select: exp.Expr | None = None) -> Normal:
        """Brings the expressions of a SELECT into normal form."""
        windows = {one.name.casefold(): one for one in (select.args.get("windows") if select is not None else None) or ()}
        nested: Callable[[exp.Expr], Term] = lambda node: Term(name(self.standalone(node, ctes, scope)))  # noqa: E731
        return Normal(self.settings.dialect, scope.column, nested, lambda called: windows.get(called.casefold()))

    def alias(self, node: exp.Expr) -> tuple[str, list[str]]:
        """The alias of a source, and those of its columns."""
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias):
            return ("" if alias is None else self.identify(alias)), []
        return (self.identify(alias.this) if alias.this is not None else ""), [self.identify(one) for one in alias.columns]

    def written(self, term: Term) -> str:
        return written(term, self.settings.dialect)

    def plain(self, node: exp.Expr, ctes: CTEs) -> str:
        """What is not followed, as it is written; with a digest of all that it may name."""
        dialect = self.settings.dialect
        text = node.sql(dialect, comments=False)
        named = sorted(f"{called} {cte.query.sql(dialect, comments=False)}" for called, cte in ctes.items() if cte.query is not None)
        return f"{text} of #{digest(' '.join(named))}" if named else text

    def first_table(self, query: exp.Expr, ctes: CTEs) -> str:
        return first_table(query, {called.casefold(): cte.query for called, cte in ctes.items() if cte.query is not None})

    def rest(self, node: exp.Expr, ctes: CTEs, place: str) -> None:
        """What is not understood is compared as it is written."""
        for argument, value in node.args.items():
            if value and argument not in UNDERSTOOD:
                self.say(OTHER, place, f"{argument} {self.listing(value, ctes)}")

    def listing(self, value: object, ctes: CTEs) -> str:
        if isinstance(value, exp.Expr):
            return self.plain(value, ctes)
        return ", ".join(self.listing(one, ctes) for one in value) if isinstance(value, list) else str(value)


def written(term: Term, dialect: str) -> str:
    """With the partitions of its windows."""
    return text_of(term.node, dialect) + "".join(f" PARTITION BY {one or '()'}" for one in term.partitions)

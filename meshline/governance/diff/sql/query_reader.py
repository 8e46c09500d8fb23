"""What all parts of reading a query share: names, common table expressions, sources and their columns, and the facts found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp

from meshline.governance.diff.sql.syntax import (
    UNDERSTOOD,
    Normal,
    Term,
    digest,
    first_table,
    modified,
    name,
    only_chooses,
    text_of,
    unwrapped,
)
from meshline.sql.dialects import Rules, any_rules
from meshline.sql.name_scope import NameScope
from meshline.sql.statement_lineage import Relation


class Output(NamedTuple):
    """A column of a query. `open`: it stands for all columns of a table, which are not known."""

    name: str
    term: Term
    open: bool = False


class Source(NamedTuple):
    """A table, or a query in place of one. `key`: tells it from the others of its block. `columns`: what each stands for, by its
    name, in order. `open`: it has more, which are not known. `relation`: the name of a table, as it is written.
    """

    key: str
    columns: Mapping[str, Term]
    open: bool = False
    relation: Relation | None = None

    def list_columns(self) -> Sequence[tuple[str, Term]]:
        return list(self.columns.items())

    def find(self, name: str) -> Term | None:
        return self.columns.get(name)

    def guess(self, name: str) -> Term | None:
        return self._build_column(name) if self.open else None

    def find_or_guess(self, name: str) -> Term | None:
        return self.find(name) or self.guess(name)

    def find_stated(self, name: str) -> Term | None:
        """A column that the query states to be one of this source: if a table does not list it, the listing is old."""
        return self.find(name) or (self._build_column(name) if self.open or self.relation is not None else None)

    def renamed(self, columns: Sequence[str]) -> Source:
        """With other names for its first columns, if all are known."""
        if not columns or self.open:
            return self
        names = [*columns, *list(self.columns)[len(columns) :]]
        return self._replace(columns=dict(zip(names, self.columns.values(), strict=False)))

    def _build_column(self, column: str) -> Term:
        return Term(name(f"{self.key}.{column}"))


def derived(outputs: Sequence[Output], written: Callable[[Term], str]) -> Source:
    """A query in place of a table, by its columns."""
    known = {one.name: one.term for one in outputs if not one.open}
    stars = [written(one.term) for one in outputs if one.open]
    key = stars[0].removesuffix(".*") if len(stars) == 1 and stars[0].endswith(".*") else f"#{digest(' '.join(stars))}" if stars else ""
    return Source(key, known, open=bool(stars))


class Keys:
    """Names of the sources of one block: `orders`, `orders@2`."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def of(self, called: str) -> str:
        self._count[called] += 1
        return called if self._count[called] == 1 else f"{called}@{self._count[called]}"


class Scope(NameScope[Term, Source]):
    """The sources of a SELECT by their aliases; `aliased`: whether names of the SELECT list can be used, and come before columns that
    are not known.
    """

    def __init__(self, rules: Rules, outer: Scope | None = None, *, aliased: bool = False) -> None:
        super().__init__(outer)
        self._rules = rules
        self._aliased = aliased

    def column(self, node: exp.Column) -> Term:
        """What a column stands for."""
        parts = [self._rules.key(part) for part in node.parts]
        found = self.resolve(parts, parts)
        return found if found is not None else Term(name(f"?.{'.'.join(parts)}"))

    def with_aliases(self) -> Scope:
        """The same, where the names of the SELECT list can be used."""
        made = Scope(self._rules, self.outer, aliased=True)
        made.tables, made.hidden, made.united, made.aliases = self.tables, self.hidden, self.united, self.aliases
        return made

    def fold(self, name: str) -> str:
        return name  # as Rules.key has it

    def find_column(self, table: Source, name: str, depth: int) -> Term | None:
        found = table.find_stated(name)
        return None if found is None else _outer(found, depth)

    def find_name(self, name: str) -> Term | None:
        """The one column that a name means here or, if no source here may have it, further out."""
        for depth, candidates in enumerate(self.list_candidates(name)):
            if len(candidates.known) == 1:
                return _outer(candidates.known[0], depth)
            aliased = depth or self._aliased
            if not candidates.known and aliased and candidates.alias is not None:
                return _outer(candidates.alias, depth)
            if candidates.known or candidates.possible:
                return _outer(candidates.possible[0], depth) if len(candidates.possible) == 1 else None
        return None

    def select_field(self, value: Term, path: Sequence[str]) -> Term:
        node = value.node
        for field in path:
            node = exp.Dot(this=node.copy(), expression=exp.to_identifier(field))
        return Term(node, value.partitions)


def _outer(term: Term, depth: int) -> Term:
    """A column of a query that many queries around this one."""
    node = term.node
    for _ in range(depth):
        node = exp.Anonymous(this="OUTER", expressions=[node.copy()])
    return Term(node, term.partitions)


MAX_QUERIES = 2_000  # that are read within one; a query that is named twice counts twice

FILTER, JOIN, GROUPING, OTHER = PARTS = ("filter", "join", "grouping", "other")


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
        self.rules = any_rules(settings.dialect)
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
        return Inner(cte.query, called or self.rules.key(item.this), columns or cte.columns, cte.ctes)

    def cte(self, item: exp.Expr, ctes: CTEs) -> CTE | None:
        is_named = isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier) and not item.args.get("db")
        return ctes.get(self.rules.key(item.this)) if is_named else None

    def with_(self, node: exp.Expr, ctes: CTEs, place: str) -> CTEs:
        """The common table expressions that a query may name, with its own."""
        with_ = node.args.get("with_")
        if with_ is None:
            return ctes
        known = dict(ctes)
        for cte in with_.expressions:
            called, columns = self.alias(cte)
            recurs = with_.args.get("recursive") and any(self.rules.key(one.this) == called for one in cte.this.find_all(exp.Table))
            if recurs or not isinstance(cte.this, exp.Query):
                self.say(OTHER, place, self.plain(cte, known))
            known[called] = CTE(None if recurs or not isinstance(cte.this, exp.Query) else cte.this, columns, dict(known))
        return known

    # -- words

    def say(self, part: str, place: str, text: str) -> None:
        self.facts[part].append(Fact(place, text))

    def scope(self, outer: Scope | None) -> Scope:
        return Scope(self.rules, outer, aliased=self.rules.lateral_aliases)

    def normal(self, scope: Scope, ctes: CTEs, select: exp.Expr | None = None) -> Normal:
        """Brings the expressions of a SELECT into normal form."""
        windows = {one.name.casefold(): one for one in (select.args.get("windows") if select is not None else None) or ()}
        nested: Callable[[exp.Expr], Term] = lambda node: Term(name(self.standalone(node, ctes, scope)))  # noqa: E731
        return Normal(self.settings.dialect, scope.column, nested, lambda called: windows.get(called.casefold()))

    def alias(self, node: exp.Expr) -> tuple[str, list[str]]:
        """The alias of a source, and those of its columns."""
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias):
            return ("" if alias is None else self.rules.key(alias)), []
        return (self.rules.key(alias.this) if alias.this is not None else ""), [self.rules.key(one) for one in alias.columns]

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

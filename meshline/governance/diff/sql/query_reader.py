"""What all parts of reading a query share: names, common table expressions, sources and their columns, and the facts found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp

from meshline.governance.diff.sql.syntax import (
    UNDERSTOOD,
    Normalizer,
    Term,
    build_name,
    digest_text,
    find_first_table,
    format_node,
    has_other_parts,
    is_projection,
    unwrap_query,
)
from meshline.sql.dialects import DialectRules, get_any_rules
from meshline.sql.name_resolution import NameScope
from meshline.sql.statement_lineage import Relation


class Output(NamedTuple):
    """A column of a query. `open`: it represents all columns of a table, which are not known."""

    name: str
    term: Term
    open: bool = False


class Source(NamedTuple):
    """A table, or a query in place of one. `key`: distinguishes it from the others of its block. `columns`: the term of each, by its
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
        """The term of a column, also if it may only be among the unknown ones."""
        return self.find(name) or self.guess(name)

    def find_stated(self, name: str) -> Term | None:
        """A column that the query states to be one of this source: if a table does not list it, the listing is old."""
        return self.find(name) or (self._build_column(name) if self.open or self.relation is not None else None)

    def rename_columns(self, columns: Sequence[str]) -> Source:
        """With other names for its first columns, if all are known."""
        if not columns or self.open:
            return self
        names = [*columns, *list(self.columns)[len(columns) :]]
        return self._replace(columns=dict(zip(names, self.columns.values(), strict=False)))

    def _build_column(self, column: str) -> Term:
        return Term(build_name(f"{self.key}.{column}"))


def build_source(outputs: Sequence[Output], written: Callable[[Term], str]) -> Source:
    """A query in place of a table, by its columns."""
    known = {one.name: one.term for one in outputs if not one.open}
    stars = [written(one.term) for one in outputs if one.open]
    key = (
        stars[0].removesuffix(".*") if len(stars) == 1 and stars[0].endswith(".*") else f"#{digest_text(' '.join(stars))}" if stars else ""
    )
    return Source(key, known, open=bool(stars))


class Keys:
    """Names of the sources of one block: `orders`, `orders@2`."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def allocate_key(self, called: str) -> str:
        """A key for one more source of this name."""
        self._count[called] += 1
        return called if self._count[called] == 1 else f"{called}@{self._count[called]}"


class Scope(NameScope[Term, Source]):
    """The sources of a SELECT by their aliases; `aliased`: whether names of the SELECT list can be used, and come before columns that
    are not known.
    """

    def __init__(self, rules: DialectRules, outer: Scope | None = None, *, aliased: bool = False) -> None:
        super().__init__(outer)
        self._rules = rules
        self._aliased = aliased

    def resolve_column(self, node: exp.Column) -> Term:
        """The term of a column."""
        parts = [self._rules.fold_name(part) for part in node.parts]
        found = self.resolve(parts, parts)
        return found if found is not None else Term(build_name(f"?.{'.'.join(parts)}"))

    def expose_aliases(self) -> Scope:
        """The same, where the names of the SELECT list can be used."""
        made = Scope(self._rules, self.outer, aliased=True)
        made.tables, made.hidden, made.united, made.aliases = self.tables, self.hidden, self.united, self.aliases
        return made

    def fold(self, name: str) -> str:
        return name  # as Rules.key has it

    def find_column(self, table: Source, name: str, depth: int) -> Term | None:
        found = table.find_stated(name)
        return None if found is None else _mark_outer(found, depth)

    def find_name(self, name: str) -> Term | None:
        """The one column that a name means here or, if no source here may have it, further out."""
        for depth, candidates in enumerate(self.list_candidates(name)):
            if len(candidates.known) == 1:
                return _mark_outer(candidates.known[0], depth)
            aliased = depth or self._aliased
            if not candidates.known and aliased and candidates.alias is not None:
                return _mark_outer(candidates.alias, depth)
            if candidates.known or candidates.possible:
                return _mark_outer(candidates.possible[0], depth) if len(candidates.possible) == 1 else None
        return None

    def select_field(self, value: Term, path: Sequence[str]) -> Term:
        node = value.node
        for field in path:
            node = exp.Dot(this=node.copy(), expression=exp.to_identifier(field))
        return Term(node, value.partitions)


def _mark_outer(term: Term, depth: int) -> Term:
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
    """One condition that decides about rows. `place`: the inner query that it belongs to; empty: the whole query."""

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


class InnerQuery(NamedTuple):
    """A query in place of a table. `columns`: their names, if it gives them others; `ctes`: that it may name."""

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
        self.rules = get_any_rules(settings.dialect)
        self._follow = follow
        self._count = count

    def read_query(self, node: exp.Expr, ctes: CTEs, place: str, outer: Scope | None) -> list[Output]:
        """The columns of a query; what decides about its rows is collected."""
        self._count[0] += 1
        if self._count[0] > MAX_QUERIES:
            raise TooMuch(f"it names other queries more than {MAX_QUERIES} times")
        return self._follow(self, node, self.add_ctes(node, ctes, place), place, outer)

    def format_standalone(self, node: exp.Expr, ctes: CTEs, outer: Scope | None) -> str:
        """A whole query as one text in normal form."""
        inner = Reader(self.settings, self._follow, self._count)
        columns = inner.read_query(node, ctes, "query", outer)
        self.tables |= inner.tables
        parts = [", ".join(f"{self.format_term(one.term)} AS {one.name}" for one in columns)]
        for part in PARTS:
            parts += (
                [f"{part.upper()} {'; '.join(sorted(f'{fact.place}: {fact.text}' for fact in inner.facts[part]))}"]
                if inner.facts[part]
                else []
            )
        return f"(SELECT {' | '.join(parts)})"

    # -- queries in place of tables

    def find_wrapped(self, node: exp.Select, ctes: CTEs) -> InnerQuery | None:
        """The query of which a SELECT only chooses and names columns."""
        return self.find_inner(node.args["from_"].this, ctes) if is_projection(node) else None

    def find_inner(self, item: exp.Expr, ctes: CTEs) -> InnerQuery | None:
        """The query in place of a table."""
        called, columns = self.parse_alias(item)
        query = unwrap_query(item)
        if query is not None:
            return InnerQuery(query, called, columns, self.add_ctes(item, ctes, ""))
        cte = self.find_cte(item, ctes)
        if cte is None or cte.query is None or has_other_parts(item, {"alias"}):
            return None
        return InnerQuery(cte.query, called or self.rules.fold_name(item.this), columns or cte.columns, cte.ctes)

    def find_cte(self, item: exp.Expr, ctes: CTEs) -> CTE | None:
        """The common table expression that an item of FROM names; None if it names a table."""
        is_named = isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier) and not item.args.get("db")
        return ctes.get(self.rules.fold_name(item.this)) if is_named else None

    def add_ctes(self, node: exp.Expr, ctes: CTEs, place: str) -> CTEs:
        """The common table expressions that a query may name, with its own."""
        with_ = node.args.get("with_")
        if with_ is None:
            return ctes
        known = dict(ctes)
        for cte in with_.expressions:
            called, columns = self.parse_alias(cte)
            recurs = with_.args.get("recursive") and any(self.rules.fold_name(one.this) == called for one in cte.this.find_all(exp.Table))
            if recurs or not isinstance(cte.this, exp.Query):
                self.record_fact(OTHER, place, self.format_plain(cte, known))
            known[called] = CTE(None if recurs or not isinstance(cte.this, exp.Query) else cte.this, columns, dict(known))
        return known

    # -- words

    def record_fact(self, part: str, place: str, text: str) -> None:
        """Record a condition that decides about rows; `part`: FILTER, JOIN, GROUPING or OTHER."""
        self.facts[part].append(Fact(place, text))

    def build_scope(self, outer: Scope | None) -> Scope:
        """A scope with the alias rules of the dialect."""
        return Scope(self.rules, outer, aliased=self.rules.lateral_aliases)

    def build_normalizer(self, scope: Scope, ctes: CTEs, select: exp.Expr | None = None) -> Normalizer:
        """Brings the expressions of a SELECT into normal form."""
        windows = {one.name.casefold(): one for one in (select.args.get("windows") if select is not None else None) or ()}
        nested: Callable[[exp.Expr], Term] = lambda node: Term(build_name(self.format_standalone(node, ctes, scope)))  # noqa: E731
        return Normalizer(self.settings.dialect, scope.resolve_column, nested, lambda called: windows.get(called.casefold()))

    def parse_alias(self, node: exp.Expr) -> tuple[str, list[str]]:
        """The alias of a source, and those of its columns."""
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias):
            return ("" if alias is None else self.rules.fold_name(alias)), []
        return (self.rules.fold_name(alias.this) if alias.this is not None else ""), [self.rules.fold_name(one) for one in alias.columns]

    def format_term(self, term: Term) -> str:
        return format_term(term, self.settings.dialect)

    def format_plain(self, node: exp.Expr, ctes: CTEs) -> str:
        """What is not followed, as it is written; with a digest of all that it may name."""
        dialect = self.settings.dialect
        text = node.sql(dialect, comments=False)
        named = sorted(f"{called} {cte.query.sql(dialect, comments=False)}" for called, cte in ctes.items() if cte.query is not None)
        return f"{text} of #{digest_text(' '.join(named))}" if named else text

    def find_first_table(self, query: exp.Expr, ctes: CTEs) -> str:
        return find_first_table(query, {called.casefold(): cte.query for called, cte in ctes.items() if cte.query is not None})

    def record_rest(self, node: exp.Expr, ctes: CTEs, place: str) -> None:
        """What is not understood is compared as it is written."""
        for argument, value in node.args.items():
            if value and argument not in UNDERSTOOD:
                self.record_fact(OTHER, place, f"{argument} {self.format_listing(value, ctes)}")

    def format_listing(self, value: object, ctes: CTEs) -> str:
        if isinstance(value, exp.Expr):
            return self.format_plain(value, ctes)
        return ", ".join(self.format_listing(one, ctes) for one in value) if isinstance(value, list) else str(value)


def format_term(term: Term, dialect: str) -> str:
    """With the partitions of its windows."""
    return format_node(term.node, dialect) + "".join(f" PARTITION BY {one or '()'}" for one in term.partitions)

"""Tables and columns that a query can name, the sources of each column, and which column a name means in one scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import exp

from meshline.errors import InvalidInput
from meshline.sql.dialects import DialectRules
from meshline.sql.flow_kinds import COPY, IDENTITY, TRANSFORMATION, apply_kind
from meshline.sql.name_resolution import NameScope
from meshline.sql.statement_lineage import Relation

Leaf: TypeAlias = tuple[Relation, str | None]  # a column of a real table; None: one of its columns, unknown which
Sources: TypeAlias = dict[Leaf, int]  # with the kinds of flow, as bits; never changed once it is part of a table


class Column(NamedTuple):
    """An output column. Its name is empty where SQL gives none."""

    name: str
    sources: Sources


class Table:
    """Rows with columns: a real table, a CTE, a subquery, an UNNEST.

    `gap`: where among `columns` there are columns that are not known (a star of an unknown table), None if there are
    none. `open`: the real tables of which exactly one has such a column, by its own name; `blur`: what flows into
    such columns besides. `rows`: what decides which rows there are. `relation`: its name, of a real table.
    """

    __slots__ = ("_index", "_twins", "blur", "columns", "gap", "open", "reads", "relation", "rows")

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        gap: int | None = None,
        open_: Iterable[Relation] = (),
        blur: Sources | None = None,
        rows: Sources | None = None,
        reads: Iterable[Relation] = (),
        relation: Relation | None = None,
    ) -> None:
        self.columns = columns
        self.gap = gap
        self.open = tuple(open_)
        self.blur = blur or {}
        self.rows = rows or {}
        self.reads = dict.fromkeys(reads)
        self.relation = relation
        self._index: dict[str, Sources] | None = None
        self._twins: dict[str, Sources] = {}  # the second ones of those that differ only in case

    def find(self, name: str) -> Sources | None:
        """The sources of a column that is known to exist; of two names that differ in case the one with this spelling."""
        if self._index is None:
            self._index = {}
            for column in self.columns:
                known = self._index.setdefault(column.name.casefold(), column.sources)
                if known is not column.sources:
                    self._twins.setdefault(column.name, column.sources)
            self._index.pop("", None)
        twin = self._twins.get(name) if self._twins else None
        return self._index.get(name.casefold()) if twin is None else twin

    def has(self, name: str) -> bool:
        """Whether a column is known to exist."""
        return self.find(name) is not None

    def list_columns(self) -> Sequence[Column]:
        return self.columns

    def guess(self, name: str) -> Sources | None:
        """The sources of a column that may be among the unknown ones; None if all columns are known."""
        return None if self.gap is None else self.guess_unknown(name)

    def guess_unknown(self, name: str) -> Sources:
        """The sources of a column that must be among the unknown ones: exact if those are of one table."""
        found: Sources = dict(self.blur)
        if len(self.open) == 1:
            found[self.open[0], name] = COPY
        else:
            add_sources(found, dict.fromkeys([(relation, None) for relation in self.open], COPY))
        return found

    def rename_columns(self, names: Sequence[str]) -> Table:
        """With a list of column names, as in `AS t(a, b)`; shorter lists rename the first ones."""
        if not names:
            return self
        if self.gap is not None and self.gap < len(names):  # which of the unknown ones gets which name is not known either
            known = [Column(name, column.sources) for name, column in zip(names[: self.gap], self.columns, strict=False)]
            rest = self.collect_everything(self.columns[self.gap :])
            columns = [*known, *[Column(name, rest) for name in names[self.gap :]]]
            return self._copy_with(columns, None, (), {})
        columns = [Column(names[i] if i < len(names) else column.name, column.sources) for i, column in enumerate(self.columns)]
        return self._copy_with(columns, self.gap, self.open, self.blur)

    def collect_everything(self, columns: Iterable[Column] | None = None) -> Sources:
        """The sources of all columns, or of some; tables of unknown columns count as a whole."""
        found: Sources = dict(self.blur)
        for column in self.columns if columns is None else columns:
            add_sources(found, column.sources)
        add_sources(found, dict.fromkeys([(relation, None) for relation in self.open], COPY))
        return found

    def adopt_rows(self, scope: Scope) -> Table:
        """The same columns, with the rows and the tables read of a scope."""
        return Table(self.columns, gap=self.gap, open_=self.open, blur=self.blur, rows=scope.rows, reads=scope.reads)

    def _copy_with(self, columns: Sequence[Column], gap: int | None, open_: Sequence[Relation], blur: Sources) -> Table:
        return Table(columns, gap=gap, open_=open_, blur=blur, rows=self.rows, reads=self.reads)


def build_base_table(relation: Relation, names: Sequence[str]) -> Table:
    """A real table; without names its columns are not known."""
    if not names:
        return Table((), gap=0, open_=(relation,), reads=(relation,), relation=relation)
    return Table([Column(name, {(relation, name): COPY}) for name in names], reads=(relation,), relation=relation)


def add_sources(to: Sources, sources: Mapping[Leaf, int], kind: int = IDENTITY) -> None:
    """Add sources to others, after a step of a kind."""
    for leaf, bits in sources.items():
        to[leaf] = to.get(leaf, 0) | (bits if kind == IDENTITY else apply_kind(kind, bits))


def apply_flow(sources: Mapping[Leaf, int], kind: int) -> Sources:
    """The sources after a step of a kind."""
    return {leaf: apply_kind(kind, bits) for leaf, bits in sources.items()}


def blur_sources(sources: Iterable[Leaf]) -> Sources:
    """The tables of sources, for flows whose columns are unknown."""
    return dict.fromkeys([(relation, None) for relation, _ in sources], COPY)


def join_sources(one: Mapping[Leaf, int], other: Mapping[Leaf, int]) -> Sources:
    """The sources of both."""
    result = dict(one)
    add_sources(result, other)
    return result


def format_tables(sources: Iterable[Leaf]) -> str:
    """The names of the tables of sources, for messages."""
    return ", ".join(sorted({".".join(relation) for relation, _ in sources}))


CTEs: TypeAlias = Mapping[str, Table]  # by name in lower case


# Of rows and files, not of tables: no columns, unless a table is known to have them.
_PSEUDO = frozenset({"_file", "_pos", "_metadata", "ctid", "_partitiontime", "_partitiondate", "_table_suffix"})
# The same, of names that a table of unknown columns may well have.
_SELDOM = frozenset({"rowid", "rownum", "level", "sysdate", "user"})


MAX_STEPS = 5_000_000  # of one statement: columns of columns of columns can be made to be very many


class Notes:
    """The gaps of one statement (`unresolved`: messages, each once), and the work that it took.

    `nested`: the columns within a column, as dotted paths. `variables`: those that the script declares, in lower case.
    """

    def __init__(self, nested: Mapping[Leaf, tuple[str, ...]]) -> None:
        self.unresolved: dict[str, None] = {}
        self.variables: set[str] = set()
        self.nested = nested
        self._steps = 0

    def begin(self) -> None:
        """Forget the gaps and the work of the statement before."""
        self.unresolved = {}
        self._steps = 0

    def count_steps(self, count: int) -> None:
        """Count work. Raises InvalidInput above MAX_STEPS."""
        self._steps += count
        if self._steps > MAX_STEPS:
            raise InvalidInput(f"more than {MAX_STEPS} flows between columns")

    def record_gap(self, what: str) -> None:
        """Record a message on what could not be resolved."""
        self.unresolved[what] = None


class Scope(NameScope[Sources, Table]):
    """The names of one SELECT: the tables of its FROM clause so far, and those of the queries around it."""

    def __init__(self, rules: DialectRules, notes: Notes, ctes: Mapping[str, Table], outer: Scope | None = None) -> None:
        super().__init__(outer)
        self.rules = rules
        self.notes = notes
        self.ctes = ctes
        self.windows: dict[str, exp.Expr] = {}
        self.reads: dict[Relation, None] = {}
        self.rows: Sources = {}

    def fold(self, name: str) -> str:
        return name.casefold()

    def add_table(self, alias: str, table: Table, *, hidden: bool = False) -> None:
        """Add a table under its alias (in lower case). `hidden`: a star does not show it."""
        if hidden:
            self.hidden.add(len(self.tables))
        self.tables.append((alias, table))
        self.reads.update(table.reads)
        add_sources(self.rows, table.rows)

    def build_inner(self) -> Scope:
        """A new scope inside of this one."""
        return Scope(self.rules, self.notes, self.ctes, self)

    def find_among(self, name: str, start: int, end: int) -> Sources:
        """What a name means among some of the tables."""
        some = Scope(self.rules, self.notes, {})
        some.tables = self.tables[start:end]
        return some.resolve_name(name)

    def collect_everywhere(self) -> Sources:
        """All tables of the scope, for a value that may come from any of them."""
        return blur_sources(leaf for _, table in self.tables for leaf in table.collect_everything())

    def resolve_column(self, node: exp.Column) -> Sources:
        """What a column of an expression means."""
        this = node.this
        table = node.args.get("table")
        if table is None:
            return self.resolve_name(self.rules.spell_column(this))
        parts = [part for part in (node.args.get("catalog"), node.args.get("db"), table, this) if part is not None]
        names = [self.rules.spell_column(part) for part in parts]
        found = self.resolve([self.rules.spell_table(part) for part in parts], names)
        if found is None:
            self.notes.record_gap(f"{'.'.join(names)}: there is no table {'.'.join(names[:-1])} in FROM")
            return self.collect_everywhere()
        return found

    def resolve_name(self, name: str) -> Sources:
        """What a name without a table means."""
        found = self.find_name(name)
        if found is not None:
            return found
        if name.casefold() in _SELDOM:
            return {}
        row = self.find_by_alias(name)  # a whole row, as a value
        if row is not None:
            return apply_flow(row.collect_everything(), TRANSFORMATION)
        self.notes.record_gap(f"{name}: no table in FROM has such a column")
        return self.collect_everywhere()

    def find_by_alias(self, name: str) -> Table | None:
        """The table of an alias, here or further out."""
        located = self.locate_table([name])
        return None if located is None else located[0]

    def find_name(self, name: str) -> Sources | None:
        """What a name means here or further out; None if nothing of that name can be there."""
        folded = name.casefold()
        if folded in _PSEUDO:
            return {}
        possible: list[Sources] = []  # it may be one of the unknown columns of these tables
        for candidates in self.list_candidates(name):
            known = candidates.known
            if not known and folded in self.notes.variables:
                return {}
            if not known:
                possible += candidates.possible
                if candidates.alias is not None:
                    known = [candidates.alias]
            if known:
                return self._choose_one(name, [*known, *possible])
        return self._choose_one(name, possible) if possible else None

    def _choose_one(self, name: str, candidates: Sequence[Sources]) -> Sources:
        first = candidates[0]
        if all(candidate == first for candidate in candidates) and not (len(first) > 1 and all(column is None for _, column in first)):
            return first
        tables = blur_sources(leaf for candidate in candidates for leaf in candidate)
        which = f"a column of one of {format_tables(tables)}" if len(tables) > 1 else f"a column of {format_tables(tables)}, or an alias"
        self.notes.record_gap(f"{name}: it is {which}, and which one is unknown")
        return tables

    def find_column(self, table: Table, name: str, depth: int = 0) -> Sources:  # noqa: ARG002 - sources are the same at any depth
        """A column that the query states to be one of the table."""
        found = table.find(name)
        if found is not None:
            return found
        if name.casefold() in _PSEUDO or name.startswith("$"):
            return {}
        if table.gap is not None:
            return self._choose_one(name, [table.guess_unknown(name)])
        if table.relation is not None:  # SQL uses it, so the listing of the table is outdated
            return {(table.relation, name): COPY}
        self.notes.record_gap(f"{name}: the query that should have such a column has none")
        return blur_sources(table.collect_everything())

    def find_qualified(self, parts: Sequence[exp.Expr]) -> Table | None:
        """The table that a qualifier means, here or further out."""
        located = self.locate_table([self.rules.spell_table(part) for part in parts])
        return None if located is None else located[0]

    def select_field(self, value: Sources, path: Sequence[str]) -> Sources:
        """A field of a column: its own source if the nested columns are known, otherwise a transformation of the column."""
        if not path:
            return value
        result: Sources = {}
        for (relation, name), bits in value.items():
            listed = self.notes.nested.get((relation, name), ())
            if listed and bits == COPY:
                wanted = f"{name}.{'.'.join(path)}"
                result[relation, next((nested for nested in listed if nested.casefold() == wanted.casefold()), wanted)] = COPY
            else:
                add_sources(result, {(relation, name): bits}, TRANSFORMATION)
        return result

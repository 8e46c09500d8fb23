"""What a FROM clause can name: columns with where they come from, as far as they are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from meshline.ingest.sql.kinds import COPY, IDENTITY, through
from meshline.ingest.sql.shape import Relation

if TYPE_CHECKING:
    from meshline.ingest.sql.scopes import Scope

Leaf: TypeAlias = tuple[Relation, str | None]  # a column of a real table; None: one of its columns, nobody knows which
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
        """The sources of a column that is known to be there; of two that differ in case the one spelled so."""
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
        return self.find(name) is not None

    def among_unknown(self, name: str) -> Sources:
        """The sources of a column that must be among the unknown ones: exact if those are of one table."""
        found: Sources = dict(self.blur)
        if len(self.open) == 1:
            found[self.open[0], name] = COPY
        else:
            add(found, dict.fromkeys([(relation, None) for relation in self.open], COPY))
        return found

    def renamed(self, names: Sequence[str]) -> Table:
        """With a list of column names, as in `AS t(a, b)`; shorter lists rename the first ones."""
        if not names:
            return self
        if self.gap is not None and self.gap < len(names):  # which of the unknown ones gets which name is not known either
            known = [Column(name, column.sources) for name, column in zip(names[: self.gap], self.columns, strict=False)]
            rest = self.everything(self.columns[self.gap :])
            columns = [*known, *[Column(name, rest) for name in names[self.gap :]]]
            return self._like(columns, None, (), {})
        columns = [Column(names[i] if i < len(names) else column.name, column.sources) for i, column in enumerate(self.columns)]
        return self._like(columns, self.gap, self.open, self.blur)

    def everything(self, columns: Iterable[Column] | None = None) -> Sources:
        """All that any column (of some) may come from; tables of unknown columns as such."""
        found: Sources = dict(self.blur)
        for column in self.columns if columns is None else columns:
            add(found, column.sources)
        add(found, dict.fromkeys([(relation, None) for relation in self.open], COPY))
        return found

    def within(self, scope: Scope) -> Table:
        """The same columns, of the rows of a scope."""
        return Table(self.columns, gap=self.gap, open_=self.open, blur=self.blur, rows=scope.rows, reads=scope.reads)

    def _like(self, columns: Sequence[Column], gap: int | None, open_: Sequence[Relation], blur: Sources) -> Table:
        return Table(columns, gap=gap, open_=open_, blur=blur, rows=self.rows, reads=self.reads)


def base(relation: Relation, names: Sequence[str]) -> Table:
    """A real table; without names its columns are not known."""
    if not names:
        return Table((), gap=0, open_=(relation,), reads=(relation,), relation=relation)
    return Table([Column(name, {(relation, name): COPY}) for name in names], reads=(relation,), relation=relation)


def add(to: Sources, sources: Mapping[Leaf, int], kind: int = IDENTITY) -> None:
    """Let sources flow on, in a kind."""
    for leaf, bits in sources.items():
        to[leaf] = to.get(leaf, 0) | (bits if kind == IDENTITY else through(kind, bits))


def flowing(sources: Mapping[Leaf, int], kind: int) -> Sources:
    """The sources after a step of a kind."""
    return {leaf: through(kind, bits) for leaf, bits in sources.items()}


def blurred(sources: Iterable[Leaf]) -> Sources:
    """The tables of sources: of what flows, but not known into which column."""
    return dict.fromkeys([(relation, None) for relation, _ in sources], COPY)


def joined(one: Mapping[Leaf, int], other: Mapping[Leaf, int]) -> Sources:
    """The sources of both."""
    result = dict(one)
    add(result, other)
    return result


def tables_of(sources: Iterable[Leaf]) -> str:
    """The tables of sources, in words."""
    return ", ".join(sorted({".".join(relation) for relation, _ in sources}))


CTEs: TypeAlias = Mapping[str, Table]  # by name in lower case

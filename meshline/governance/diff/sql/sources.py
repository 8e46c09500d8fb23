"""What a query reads from, and what its columns stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlglot import Dialect, exp

from meshline.governance.diff.sql.expressions import Term, digest, name

Identify: TypeAlias = Callable[[exp.Expr], str]


class Output(NamedTuple):
    """A column of a query. `open`: it stands for all columns of a table, which are not known."""

    name: str
    term: Term
    open: bool = False


class Source(NamedTuple):
    """A table, or a query in place of one. `key`: tells it from the others of its block. `columns`: what each stands for, by its
    name, in order. `open`: it has more, which are not known.
    """

    key: str
    columns: Mapping[str, Term]
    open: bool = False

    def column(self, called: str) -> Term | None:
        found = self.columns.get(called)
        return Term(name(f"{self.key}.{called}")) if found is None and self.open else found

    def renamed(self, columns: Sequence[str]) -> Source:
        """With other names for its first columns, if all are known."""
        if not columns or self.open:
            return self
        names = [*columns, *list(self.columns)[len(columns) :]]
        return self._replace(columns=dict(zip(names, self.columns.values(), strict=False)))


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


class Scope:
    """The sources of a SELECT by their aliases, in order; `outer`: that of the query around it; `aliased`: whether names of the
    SELECT list can be used, and come before columns that are not known.
    """

    def __init__(self, identify: Identify, outer: Scope | None = None, *, aliased: bool = False) -> None:
        self.identify = identify
        self.sources: dict[str, Source] = {}
        self.using: dict[str, Term] = {}
        self.aliases: dict[str, Term] = {}
        self._outer = outer
        self._aliased = aliased

    def column(self, node: exp.Column) -> Term:
        """What a column stands for."""
        parts = [self.identify(part) for part in node.parts]
        found = self.qualified(parts) or self.found(parts)
        return found if found is not None else Term(name(f"?.{'.'.join(parts)}"))

    def with_aliases(self) -> Scope:
        """The same, where the names of the SELECT list can be used."""
        made = Scope(self.identify, self._outer, aliased=True)
        made.sources, made.using, made.aliases = self.sources, self.using, self.aliases
        return made

    def starred(self, of: str | None) -> Iterator[Source]:
        """Those that a star stands for."""
        yield from self.sources.values() if of is None else filter(None, (self.sources.get(of),))

    def qualified(self, parts: list[str]) -> Term | None:
        """By the longest beginning that is the alias of a source, here or further out; what follows its column is in it."""
        for i in range(len(parts) - 1, 0, -1):
            source = self.sources.get(parts[i - 1])
            if source is not None and (found := source.column(parts[i])) is not None:
                return _within(found, parts[i + 1 :])
        return _outer(self._outer.qualified(parts)) if self._outer is not None else None

    def found(self, parts: list[str]) -> Term | None:
        """By the name of a column alone; what follows is in it."""
        if (found := self._unqualified(parts[0])) is not None:
            return _within(found, parts[1:])
        if self._outer is None or any(source.open for source in self.sources.values()):
            return None
        return _outer(self._outer.found(parts))

    def _unqualified(self, called: str) -> Term | None:
        if called in self.using:
            return self.using[called]
        known = [source for source in self.sources.values() if called in source.columns]
        if len(known) == 1:
            return known[0].column(called)
        if self._aliased and called in self.aliases:
            return self.aliases[called]
        open_ = [source for source in self.sources.values() if source.open]
        return open_[0].column(called) if len(open_) == 1 and not known else None


def _outer(term: Term | None) -> Term | None:
    """A column of a query around this one."""
    return None if term is None else Term(exp.Anonymous(this="OUTER", expressions=[term.node.copy()]), term.partitions)


def _within(term: Term, fields: list[str]) -> Term:
    node = term.node
    for field in fields:
        node = exp.Dot(this=node.copy(), expression=exp.to_identifier(field))
    return Term(node, term.partitions)


def identifying(dialect: str) -> Identify:
    """Names of identifiers as the dialect folds them: where case does not matter, in one case."""
    of = Dialect.get_or_raise(dialect)

    def identify(node: exp.Expr) -> str:
        return of.normalize_identifier(node.copy()).name if isinstance(node, exp.Identifier) else node.name

    return identify

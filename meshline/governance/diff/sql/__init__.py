"""Changes of the query that computes a table: of what single columns are made, and of what decides about its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlglot import exp
from sqlglot.errors import SqlglotError

from meshline.errors import InvalidInput
from meshline.governance.changes import Change
from meshline.governance.diff.change_builder import Draft
from meshline.governance.diff.sql.query_facts import Query, branch_of, read
from meshline.governance.diff.sql.query_reader import FILTER, GROUPING, JOIN, OTHER, Output, Settings, TooMuch, written
from meshline.governance.diff.sql.syntax import digest
from meshline.graph import model
from meshline.graph.contracts import Definition
from meshline.sql.dialects import any_rules
from meshline.sql.script import parse_query

MAX_SQL = 1_000_000  # characters of one query that is parsed
MAX_SHOWN = 500  # characters of a part that a change shows

_RULES = {JOIN: "join-changed", FILTER: "filter-changed", GROUPING: "grouping-changed"}


class _Read(NamedTuple):
    query: exp.Expr
    settings: Settings
    read: Query


def sql_changes(draft: Draft, before: Definition, after: Definition) -> list[Change]:
    """What differs in how two versions of a table are computed. Columns that are added or removed are those of its model, and are
    not looked at here if both versions say which they have.
    """
    if _plain(before.sql) == _plain(after.sql):
        return []
    if not before.sql.strip() or not after.sql.strip():
        return [_unknown(draft, before, after, "there is SQL of one version only")]
    try:
        return list(_Comparison(draft, before, after).changes(_read(before), _read(after)))
    except (SqlglotError, RecursionError, TooMuch, InvalidInput) as error:
        return [] if _same_tokens(before, after) else [_unknown(draft, before, after, f"it cannot be compared ({_why(error)})")]


def _read(definition: Definition) -> _Read:
    if len(definition.sql) > MAX_SQL:
        raise InvalidInput(f"more than {MAX_SQL} characters")
    if any(mark in definition.sql for mark in ("{{", "{%", "{#")):
        raise InvalidInput("a template that is not compiled")
    query = parse_query(definition.sql, any_rules(definition.dialect))
    settings = Settings(definition.dialect, definition.reads)
    return _Read(query, settings, read(query, settings))


def _why(error: Exception) -> str:
    text = str(error).partition("\n")[0].strip() or type(error).__name__
    return text[:200]


def _plain(sql: str) -> str:
    return sql.strip().rstrip(";").strip()


def _same_tokens(before: Definition, after: Definition) -> bool:
    """Whether the texts are equal but for white space and comments."""
    try:
        old, new = (
            [(token.token_type, token.text) for token in any_rules(one.dialect).dialect.tokenize(one.sql)] for one in (before, after)
        )
    except (SqlglotError, InvalidInput):
        return False
    return old == new


def _unknown(draft: Draft, before: Definition, after: Definition, detail: str) -> Change:
    """`before`, `after`: digests, which say only that they differ."""
    said = (digest(" ".join(one.sql.split())) if one.sql.strip() else None for one in (before, after))
    return draft.change("query-changed", ("sql",), *said, table=before.model.name, detail=detail)


class _Comparison:
    def __init__(self, draft: Draft, before: Definition, after: Definition) -> None:
        self._draft = draft
        self._before = before
        self._after = after
        self._names = {field.name.casefold(): field.name for field in before.model.fields}

    def changes(self, old: _Read, new: _Read) -> Iterator[Change]:
        for part, rule in _RULES.items():
            was, now = _only_in(old.read, new.read, part)
            if was or now:
                if part == JOIN:
                    was, now = _joins(old.read, new.read) or (was, now)
                yield self._draft.change(rule, ("sql", part), _shown(was, part), _shown(now, part), table=self._before.model.name)
        was, now = _only_in(old.read, new.read, OTHER)
        if was or now:
            yield self._unclear("what is not understood of it changed", _shown(was, OTHER), _shown(now, OTHER))
        before, after = _alike(old, new)
        yield from self._columns(before.columns, after.columns)

    def _columns(self, before: Sequence[Output], after: Sequence[Output]) -> Iterator[Change]:
        old, new = _by_name(before, self._before.dialect), _by_name(after, self._after.dialect)
        stars = _open(before, self._before.dialect), _open(after, self._after.dialect)
        if stars[0] != stars[1]:
            yield self._unclear(
                "what `*` stands for is not known", _bounded(", ".join(stars[0])) or None, _bounded(", ".join(stars[1])) or None
            )
        for name in (name for name in old if name in new and old[name] != new[name]):
            field = self._names.get(name.casefold(), name)
            columns = [model.build_column_key(dataset, field) for dataset in self._draft.assets if dataset.kind is model.AssetKind.DATASET]
            yield self._draft.change(
                "projection-changed", ("field", field), _bounded(old[name]), _bounded(new[name]), assets=columns or None, field=field
            )
        declared = self._before.model.fields and self._after.model.fields
        if not declared and old.keys() != new.keys():
            gone, added = (", ".join(sorted(one.keys() - other.keys())) or None for one, other in ((old, new), (new, old)))
            yield self._unclear("its columns are others", gone, added)

    def _unclear(self, detail: str, before: str | None, after: str | None) -> Change:
        return self._draft.change("query-changed", ("sql",), before, after, table=self._before.model.name, detail=detail)


def _only_in(old: Query, new: Query, part: str) -> tuple[list[str], list[str]]:
    """What is said of a part in one version only. The order of outer joins counts: it is a part of their places."""
    was, now = dict.fromkeys(old.facts[part]), dict.fromkeys(new.facts[part])
    return [fact.text for fact in was if fact not in now], [fact.text for fact in now if fact not in was]


def _alike(old: _Read, new: _Read) -> tuple[Query, Query]:
    """Both versions with the same branches and one name for a table that took the place of another, so that columns differ only
    where they are computed in another way.
    """
    gone, added = old.read.tables - new.read.tables, new.read.tables - old.read.tables
    first, second = old.settings, new.settings
    if len(gone) == 1 and len(added) == 1:
        second = second._replace(called={next(iter(added)): next(iter(gone)).rpartition(".")[2]})
    before, after = _branches(old, new), _branches(new, old)
    if after and not before - after:
        second = second._replace(skip=frozenset((after - before).keys()))
    elif before and not after - before:
        first = first._replace(skip=frozenset((before - after).keys()))
    return (old.read if first is old.settings else read(old.query, first)), (
        new.read if second is new.settings else read(new.query, second)
    )


def _branches(one: _Read, other: _Read) -> Counter[str]:
    """What its set operations put together; itself, if only the other version has such."""
    if other.read.branches and not one.read.branches:
        return Counter([branch_of(one.query, one.settings)])
    return Counter(one.read.branches)


def _joins(old: Query, new: Query) -> tuple[list[str], list[str]] | None:
    """The joins that differ, written as one reads them; None if they only stand in another order."""
    was, now = Counter(old.joins), Counter(new.joins)
    return (list((was - now).elements()), list((now - was).elements())) if was != now else None


def _by_name(columns: Sequence[Output], dialect: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in columns:
        if not one.open:
            name = one.name if one.name not in found else f"{one.name}#{len(found)}"
            found[name] = written(one.term, dialect)
    return found


def _open(columns: Sequence[Output], dialect: str) -> list[str]:
    return sorted(written(one.term, dialect) for one in columns if one.open)


def _shown(texts: Sequence[str], part: str) -> str | None:
    """Those that differ, in one order."""
    return _bounded((" AND " if part == FILTER else "; ").join(sorted(texts))) or None


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 20]}… #{digest(text)}"

"""Changes of the query that computes a table: of what single columns are made, and of what decides about its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlglot import exp
from sqlglot.errors import SqlglotError

from meshline.errors import InvalidInput
from meshline.governance.changes import Change, ChangeBuilder
from meshline.governance.diff.sql.query_facts import QueryFacts, digest_branch, read_query
from meshline.governance.diff.sql.query_reader import FILTER, GROUPING, JOIN, OTHER, Output, Settings, TooMuch, format_term
from meshline.governance.diff.sql.syntax import digest_text
from meshline.graph import model
from meshline.graph.contracts import Definition
from meshline.sql.dialects import get_any_rules
from meshline.sql.script import parse_query

MAX_SQL = 1_000_000  # characters of one query that is parsed
MAX_SHOWN = 500  # characters of a part that a change shows

_RULES = {JOIN: "join-changed", FILTER: "filter-changed", GROUPING: "grouping-changed"}


class _ReadQuery(NamedTuple):
    query: exp.Expr
    settings: Settings
    read: QueryFacts


def compare_queries(draft: ChangeBuilder, before: Definition, after: Definition) -> list[Change]:
    """What differs in how two versions of a table are computed. Columns that are added or removed are those of its model, and are
    not looked at here if both versions list them.
    """
    if _strip_sql(before.sql) == _strip_sql(after.sql):
        return []
    if not before.sql.strip() or not after.sql.strip():
        return [_build_unknown_change(draft, before, after, "there is SQL of one version only")]
    try:
        return list(_Comparison(draft, before, after).list_changes(_read_definition(before), _read_definition(after)))
    except (SqlglotError, RecursionError, TooMuch, InvalidInput) as error:
        return (
            []
            if _has_same_tokens(before, after)
            else [_build_unknown_change(draft, before, after, f"it cannot be compared ({_format_error(error)})")]
        )


def _read_definition(definition: Definition) -> _ReadQuery:
    if len(definition.sql) > MAX_SQL:
        raise InvalidInput(f"more than {MAX_SQL} characters")
    if any(mark in definition.sql for mark in ("{{", "{%", "{#")):
        raise InvalidInput("a template that is not compiled")
    query = parse_query(definition.sql, get_any_rules(definition.dialect))
    settings = Settings(definition.dialect, definition.reads)
    return _ReadQuery(query, settings, read_query(query, settings))


def _format_error(error: Exception) -> str:
    text = str(error).partition("\n")[0].strip() or type(error).__name__
    return text[:200]


def _strip_sql(sql: str) -> str:
    return sql.strip().rstrip(";").strip()


def _has_same_tokens(before: Definition, after: Definition) -> bool:
    """Whether the texts are equal but for white space and comments."""
    try:
        old, new = (
            [(token.token_type, token.text) for token in get_any_rules(one.dialect).dialect.tokenize(one.sql)] for one in (before, after)
        )
    except (SqlglotError, InvalidInput):
        return False
    return old == new


def _build_unknown_change(draft: ChangeBuilder, before: Definition, after: Definition, detail: str) -> Change:
    """`before`, `after`: digests, which show only that they differ."""
    digests = (digest_text(" ".join(one.sql.split())) if one.sql.strip() else None for one in (before, after))
    return draft.build_change("query-changed", ("sql",), *digests, table=before.model.name, detail=detail)


class _Comparison:
    def __init__(self, draft: ChangeBuilder, before: Definition, after: Definition) -> None:
        self._draft = draft
        self._before = before
        self._after = after
        self._names = {field.name.casefold(): field.name for field in before.model.fields}

    def list_changes(self, old: _ReadQuery, new: _ReadQuery) -> Iterator[Change]:
        """The changes of joins, filters, grouping and columns, and of what is not understood."""
        for part, rule in _RULES.items():
            was, now = _find_differences(old.read, new.read, part)
            if was or now:
                if part == JOIN:
                    was, now = _find_joins(old.read, new.read) or (was, now)
                yield self._draft.build_change(
                    rule, ("sql", part), _format_facts(was, part), _format_facts(now, part), table=self._before.model.name
                )
        was, now = _find_differences(old.read, new.read, OTHER)
        if was or now:
            yield self._build_unclear_change(
                "a part of it that is not understood changed", _format_facts(was, OTHER), _format_facts(now, OTHER)
            )
        before, after = _align_versions(old, new)
        yield from self._compare_columns(before.columns, after.columns)

    def _compare_columns(self, before: Sequence[Output], after: Sequence[Output]) -> Iterator[Change]:
        old, new = _index_by_name(before, self._before.dialect), _index_by_name(after, self._after.dialect)
        stars = _list_open(before, self._before.dialect), _list_open(after, self._after.dialect)
        if stars[0] != stars[1]:
            yield self._build_unclear_change(
                "the columns of `*` are not known", _shorten_text(", ".join(stars[0])) or None, _shorten_text(", ".join(stars[1])) or None
            )
        for name in (name for name in old if name in new and old[name] != new[name]):
            field = self._names.get(name.casefold(), name)
            columns = [model.build_column_key(dataset, field) for dataset in self._draft.assets if dataset.kind is model.AssetKind.DATASET]
            yield self._draft.build_change(
                "projection-changed",
                ("field", field),
                _shorten_text(old[name]),
                _shorten_text(new[name]),
                assets=columns or None,
                field=field,
            )
        declared = self._before.model.fields and self._after.model.fields
        if not declared and old.keys() != new.keys():
            gone, added = (", ".join(sorted(one.keys() - other.keys())) or None for one, other in ((old, new), (new, old)))
            yield self._build_unclear_change("its columns differ", gone, added)

    def _build_unclear_change(self, detail: str, before: str | None, after: str | None) -> Change:
        return self._draft.build_change("query-changed", ("sql",), before, after, table=self._before.model.name, detail=detail)


def _find_differences(old: QueryFacts, new: QueryFacts, part: str) -> tuple[list[str], list[str]]:
    """The facts of a part that only one version has. The order of outer joins counts: it is part of their places."""
    was, now = dict.fromkeys(old.facts[part]), dict.fromkeys(new.facts[part])
    return [fact.text for fact in was if fact not in now], [fact.text for fact in now if fact not in was]


def _align_versions(old: _ReadQuery, new: _ReadQuery) -> tuple[QueryFacts, QueryFacts]:
    """Both versions with the same branches and one name for a table that took the place of another, so that columns differ only
    where they are computed in another way.
    """
    gone, added = old.read.tables - new.read.tables, new.read.tables - old.read.tables
    first, second = old.settings, new.settings
    if len(gone) == 1 and len(added) == 1:
        second = second._replace(called={next(iter(added)): next(iter(gone)).rpartition(".")[2]})
    before, after = _count_branches(old, new), _count_branches(new, old)
    if after and not before - after:
        second = second._replace(skip=frozenset((after - before).keys()))
    elif before and not after - before:
        first = first._replace(skip=frozenset((before - after).keys()))
    return (old.read if first is old.settings else read_query(old.query, first)), (
        new.read if second is new.settings else read_query(new.query, second)
    )


def _count_branches(one: _ReadQuery, other: _ReadQuery) -> Counter[str]:
    """What its set operations put together; itself, if only the other version has such."""
    if other.read.branches and not one.read.branches:
        return Counter([digest_branch(one.query, one.settings)])
    return Counter(one.read.branches)


def _find_joins(old: QueryFacts, new: QueryFacts) -> tuple[list[str], list[str]] | None:
    """The joins that differ, written as one reads them; None if they only stand in another order."""
    was, now = Counter(old.joins), Counter(new.joins)
    return (list((was - now).elements()), list((now - was).elements())) if was != now else None


def _index_by_name(columns: Sequence[Output], dialect: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in columns:
        if not one.open:
            name = one.name if one.name not in found else f"{one.name}#{len(found)}"
            found[name] = format_term(one.term, dialect)
    return found


def _list_open(columns: Sequence[Output], dialect: str) -> list[str]:
    return sorted(format_term(one.term, dialect) for one in columns if one.open)


def _format_facts(texts: Sequence[str], part: str) -> str | None:
    """Those that differ, in one order."""
    return _shorten_text((" AND " if part == FILTER else "; ").join(sorted(texts))) or None


def _shorten_text(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 20]}… #{digest_text(text)}"

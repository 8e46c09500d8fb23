"""Who reads which tables and columns, from the query history of a database: reads by statements that only read, by period.

What writes is lineage, and no use. A history keeps its newest statements alone, so what was stated of earlier periods stays: a period
is stated again only if the history still has all of it. So nothing is counted twice, whichever part of a history is read twice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.model import AssetKey, Scope, from_micros, get_current_micros, to_micros
from meshline.graph.usage import USAGE, USAGE_WINDOW
from meshline.ingest.sources.base import Context, Entry, Item, Unchanged
from meshline.ingest.sources.databases.catalog import DatabaseCatalog, Query, TablePath
from meshline.ingest.sources.databases.query_lineage import Names, SqlReader, is_read, remove_literals
from meshline.ingest.sources.databases.usage_options import UsageOptions
from meshline.ingest.sources.usage.facts import Reader, build_facts, build_window_facts
from meshline.ingest.sources.usage.parse import Record, Window
from meshline.ingest.sources.usage.readers import ReaderNames, keep_last_readers
from meshline.sql.statements import RESULT
from meshline.words import format_count, is_or_are, shorten_text

DAY = 86_400_000_000  # microseconds
MAX_READS = 1_000_000  # readers and columns that are stated, over all tables and periods
MEMORY = "usage"  # the key of the memory
USER = "user"  # the type of the readers
SHOWN = 60  # characters of a statement in a warning
_WORD = re.compile(r"\w+")


class Period(msgspec.Struct, frozen=True, omit_defaults=True):
    """A time whose reads are stated: from `begin` until before `end`, in microseconds. `tables`: namespace and name of each table that was
    read, and whether the columns of all its reads are known. `whole`: every statement of it that reads could be understood.
    """

    begin: int
    end: int
    tables: tuple[tuple[str, str, bool], ...] = ()
    whole: bool = True

    @property
    def label(self) -> str:
        """The month, if it begins with one; else the time at which it begins."""
        at = from_micros(self.begin)
        return f"{at:%Y-%m}" if at == _begin_month(at) else at.isoformat()

    def list_scopes(self) -> list[Scope]:
        return [(USAGE, namespace, name, self.label) for namespace, name, _ in self.tables]


class Count(msgspec.Struct, frozen=True, array_like=True):
    """How often a statement ran, of a system that only counts: up to the begin of the current period, and up to the last reading.
    `first`, `last`: the readings between which it ran in this period; 0 if it did not.
    """

    base: int
    total: int
    first: int = 0
    last: int = 0


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the next reading needs. `periods`: those that are stated. Of a system that only counts also the `counts` by statement, when
    they were read (`counted`), when the current period began (`begin`), and how many statements the system had dropped by then.
    """

    periods: tuple[Period, ...] = ()
    counts: dict[str, Count] = {}
    counted: int = 0
    begin: int = 0
    dropped: int = 0


class _Plan(NamedTuple):
    """`kept`: periods that are not stated again; `stated`: those that are (begin, end); `queries`: with the times of their reads."""

    kept: list[Period]
    stated: list[tuple[int, int]]
    queries: list[Query]
    is_whole: bool = True


class _TableRead(NamedTuple):
    """`columns`: empty if it is not known which."""

    table: AssetKey
    columns: tuple[str, ...]


class HistoryUsage:
    """The usage of one reading of a database."""

    def __init__(self, options: UsageOptions, context: Context, catalog: DatabaseCatalog, names: Names) -> None:
        self._options = options
        self._catalog = catalog
        self._names = names
        self._reader = SqlReader(catalog, names)
        self._consumers = ReaderNames(options.readers, context)
        self._known = _decode(context.memory.get(MEMORY, ""))
        self._memory = Memory()
        self._now = get_current_micros()
        self._parsed: dict[tuple[str, TablePath], tuple[_TableRead, ...] | None] = {}
        called = {path[-1].casefold() for table in catalog.tables for path in (table.path, *table.parts)}
        plain = frozenset(name for name in called if _WORD.fullmatch(name))
        self._table_names = plain, called - plain
        self._number = 0  # of readers and columns
        self._unread: Counter[str] = Counter()
        self.warnings: list[str] = []

    def read_items(self) -> Iterator[Item]:
        oldest = to_micros(_begin_month(from_micros(self._now - self._options.days * DAY)))
        known = [one for one in self._known.periods if one.end >= oldest]
        plan = self._plan_counts(known) if self._catalog.counts_queries else self._plan_times(known, oldest)
        periods, entries = self._state_periods(plan)
        for one in plan.kept:
            yield from (Unchanged(scope) for scope in one.list_scopes())
        yield from entries
        stated = {scope for one in (*plan.kept, *periods) for scope in one.list_scopes()}
        yield from (
            Entry(scope, EMPTY) for one in known for scope in one.list_scopes() if scope not in stated
        )  # its period begins elsewhere
        self._memory = msgspec.structs.replace(self._memory, periods=(*plan.kept, *periods))
        if self._options.complete:
            yield from self._list_windows()
        self._warn()

    def remember(self) -> Mapping[str, str]:
        return {MEMORY: msgspec.json.encode(self._memory).decode()}

    def _plan_times(self, known: list[Period], oldest: int) -> _Plan:
        """Of a history that has the time of each statement."""
        queries = _drop_repeated(self._catalog.queries)
        times = [query.time for query in queries if query.number and query.time is not None and query.time >= oldest]
        if not times:
            return _Plan(known, [], [])
        kept = [one for one in known if one.begin < min(times)]
        return _Plan(kept, list(_split_months(max([min(times), *(one.end for one in kept)]), max(times) + 1)), queries)

    def _plan_counts(self, known: list[Period]) -> _Plan:
        """Of a system that only counts its statements: what was added since the last reading, or in the period that is not over."""
        old, now = self._known, self._now
        totals: dict[str, int] = {}
        for query in self._catalog.queries:
            totals[query.id] = totals.get(query.id, 0) + query.number
        if not old.counted:
            self.warnings.append("pg_stat_statements has no times: reads are counted from this reading on")
            counts = {id_: Count(total, total) for id_, total in totals.items()}
            self._memory = Memory(counts=counts, counted=now, begin=now, dropped=self._catalog.dropped_queries)
            return _Plan(known, [], [])
        counts, begin = old.counts, old.begin
        is_lossy = any(count.last and id_ not in totals for id_, count in counts.items())
        if _begin_month(from_micros(begin)) != _begin_month(from_micros(now)) or (is_lossy and now - begin >= DAY):
            begin, is_lossy = old.counted, False  # the period before is over, with what was stated of it
            counts = {id_: Count(count.total, count.total) for id_, count in counts.items()}
        counts = {id_: _add_count(counts.get(id_), total, old.counted, now) for id_, total in totals.items()}
        self._memory = Memory(counts=counts, counted=now, begin=begin, dropped=self._catalog.dropped_queries)
        queries = [
            query._replace(time=count.last, first=count.first, number=count.total - count.base)
            for query in _drop_repeated(self._catalog.queries)
            if (count := counts[query.id]).last
        ]
        is_whole = not is_lossy and self._catalog.dropped_queries == old.dropped
        return _Plan([one for one in known if one.begin < begin], [(begin, now + 1)], queries, is_whole)

    def _state_periods(self, plan: _Plan) -> tuple[list[Period], list[Entry]]:
        """The periods, and their entries."""
        reads: dict[tuple[int, AssetKey], dict[str, Reader]] = {}
        not_whole: set[int] = set() if plan.is_whole else {begin for begin, _ in plan.stated}
        for query in plan.queries:
            begin = next((begin for begin, end in plan.stated if query.time is not None and begin <= query.time < end), None)
            if begin is None or not query.number:
                continue
            found = self._find_reads(query)
            if found is None:
                not_whole.add(begin)
            for one in found or ():
                self._add_read(reads.setdefault((begin, one.table), {}), one, query)
        entries: list[Entry] = []
        periods = []
        for begin, end in plan.stated:
            tables = sorted(table for start, table in reads if start == begin)
            period = Period(
                begin,
                end,
                tuple((*table.parts, not any(one.whole.number for one in reads[begin, table].values())) for table in tables),  # type: ignore[misc]
                begin not in not_whole,
            )
            for table in tables:
                readers, left_out = keep_last_readers(reads[begin, table], self._options.most_readers)
                if left_out:
                    self.warnings.append(
                        f"{table.name}: {format_count(left_out, 'reader')} of {period.label} {is_or_are(left_out)} left out"
                    )
                entries.append(Entry((USAGE, *table.parts, period.label), encode_facts(build_facts(table, readers))))
            periods.append(period)
        return periods, entries

    def _add_read(self, readers: dict[str, Reader], one: _TableRead, query: Query) -> None:
        assert query.time is not None
        consumer, owner = self._consumers.name_reader(query.user)
        reader = readers.get(consumer)
        new = (reader is None) + sum(reader is None or column not in reader.columns for column in one.columns)
        if self._number + new > MAX_READS:
            self._unread[f"more than {MAX_READS:,} readers and columns: the rest is left out"] += 1
            return
        self._number += new
        reader = reader or readers.setdefault(consumer, Reader(USER, owner))
        first = query.time if query.first is None else query.first
        record = Record(query.user, USER, one.table.name, one.columns, query.number, first, query.time, "", "")
        reader.add(record, one.columns)

    def _find_reads(self, query: Query) -> tuple[_TableRead, ...] | None:
        """What a statement reads, if it only reads; None if that cannot be known."""
        if query.writes:
            return ()
        if not query.user:
            self._unread["a statement has no user: its reads are left out"] += 1
            return None
        if query.read_columns:
            found = ((self._names.find_table(path), columns) for path, columns in query.read_columns)
            return tuple(
                _TableRead(key, tuple(self._names.spell_column(key, column) for column in columns))
                for key, columns in found
                if key is not None
            )
        listed = tuple(_TableRead(key, ()) for path in query.reads if (key := self._names.find_table(path)) is not None)
        if not query.sql.strip():
            return listed
        text = remove_literals(query.sql, self._catalog.dialect)
        place = text or query.sql, query.defaults
        if place not in self._parsed:
            self._parsed[place] = self._parse(query) if is_read(place[0]) else ()
        parsed = self._parsed[place]
        if parsed is None and (query.reads or not self._has_table_name(query.sql)):
            return listed
        if parsed is None:
            self._unread[f"a statement of the history cannot be read, so its reads are left out: {shorten_text(place[0], SHOWN)}"] += 1
        return parsed

    def _has_table_name(self, sql: str) -> bool:
        """Whether a text has the name of a table of the catalog: what has none reads none, whatever it is."""
        text = sql.casefold()
        words, signs = self._table_names
        return not words.isdisjoint(_WORD.findall(text)) or any(name in text for name in signs)

    def _parse(self, query: Query) -> tuple[_TableRead, ...] | None:
        lineages, notes = self._reader.read_selection(query)
        if notes or not lineages:
            return None
        found: dict[AssetKey, dict[str, None]] = {}
        unknown: set[AssetKey] = set()
        for lineage in lineages:
            if lineage.target != RESULT:
                return () if lineage.target is not None else None
            tables = [key for relation in lineage.reads if (key := self._names.find_table(relation)) is not None]
            found |= {key: found.get(key, {}) for key in tables}
            for edge in lineage.edges:
                key = self._names.find_table(edge.source)
                if key is not None and edge.column is not None:
                    found.setdefault(key, {})[self._names.spell_column(key, edge.column)] = None
            if lineage.unresolved:  # the unresolved part may be of any of them
                unknown.update(tables)
        return tuple(_TableRead(key, () if key in unknown else tuple(columns)) for key, columns in found.items())

    def _list_windows(self) -> Iterator[Entry]:
        """The times in which no read of a table is missing, for all tables of the catalog."""
        known = {(one.begin, (namespace, name)): columns for one in self._memory.periods for namespace, name, columns in one.tables}
        whole = [period for period in self._memory.periods if period.whole]
        for table in self._catalog.tables:
            key = self._names.name_table(table.path)
            windows = [Window(one.begin, one.end, (), known.get((one.begin, (key.parts[0], key.parts[1])), True), "") for one in whole]
            if windows:
                yield Entry((USAGE_WINDOW, *key.parts), encode_facts(build_window_facts(key, windows)))

    def _warn(self) -> None:
        shown = self._unread.most_common(10)
        self.warnings += [f"{text} ({number:,} times)" if number > 1 else text for text, number in shown]
        more = len(self._unread) - len(shown)
        if more:
            self.warnings.append(f"{format_count(more, 'more kind')} of statements cannot be read")
        if self._options.complete and not all(one.whole for one in self._memory.periods):
            self.warnings.append("the history is not complete where statements cannot be read: no window is stated for that time")


def _drop_repeated(queries: Iterable[Query]) -> list[Query]:
    """Each statement once, although several files of a history may have it."""
    seen: set[str] = set()
    found = []
    for query in queries:
        if not query.id or query.id not in seen:
            seen.add(query.id)
            found.append(query)
    return found


def _add_count(old: Count | None, total: int, before: int, now: int) -> Count:
    """The count of a statement after another reading. `before`: the time of the last one."""
    old = old or Count(0, 0)
    if total == old.total:
        return old
    base = old.base if total > old.total else old.base - old.total  # the system began to count again
    return Count(base, total, old.first or before, now)


def _decode(text: str) -> Memory:
    try:
        return msgspec.json.decode(text or "{}", type=Memory)
    except msgspec.MsgspecError:
        return Memory()


def _begin_month(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _split_months(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """A time in parts that are in one month each."""
    while begin < end:
        month = _begin_month(from_micros(begin))
        after = month.replace(year=month.year + 1, month=1) if month.month == 12 else month.replace(month=month.month + 1)
        yield begin, min(end, to_micros(after))
        begin = to_micros(after)

"""Usage from query histories: who reads what, once each, however often and in which parts a history is read.

No warehouse runs here: the rows are written by hand after the documented columns of their views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.graph.content import decode_facts
from meshline.graph.model import EdgeType, Facts
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Entry, Unchanged
from meshline.ingest.sources.databases.catalog import Column, DatabaseCatalog, Query, Table
from meshline.ingest.sources.databases.facts import CatalogEntries
from meshline.ingest.sources.databases.usage_options import UsageOptions
from meshline.ingest.sources.registry import build_source
from tests.ingest.sources.test_warehouses import (
    BIGQUERY,
    REDSHIFT,
    build_job,
    build_snowflake,
    read_exports,
)

Reads = dict[tuple[str, str], tuple[int, str, str]]  # (consumer, `table:column` or table): how often, first and last day and hour

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def list_reads(facts: Mapping[tuple[str, ...], Facts]) -> Reads:
    """The sum of all statements of usage."""
    found: Reads = {}
    for scope, one in facts.items():
        for edge in one.edges if scope[0] == "usage" else ():
            if edge.type is EdgeType.CONSUMES:
                place = edge.start.name, ":".join(edge.end.parts[1:])
                number, first, last = found.get(place, (0, "9", ""))
                times = [
                    datetime.fromtimestamp(int(str(edge.attributes[name])) / 1e6, UTC).isoformat()[:13]
                    for name in ("first_read", "last_read")
                ]
                found[place] = number + int(str(edge.attributes["reads"])), min(first, times[0]), max(last, times[1])
    return found


def list_windows(facts: Mapping[tuple[str, ...], Facts]) -> dict[str, Any]:
    """The windows of each table."""
    found: dict[str, Any] = {scope[2]: dict(one.assets[0].attributes) for scope, one in facts.items() if scope[0] == "usage-window"}
    return {table: attributes["usage_windows"] for table, attributes in found.items()}


def format_hour(at: datetime) -> str:
    return at.isoformat()[:13]


# -- what the systems record


def test_snowflake_records_columns(tmp_path: Path) -> None:
    def access(query: str, user: str, columns: Sequence[str], name: str = "SHOP.RAW.ORDERS", modified: object = ()) -> dict[str, Any]:
        read = [{"objectDomain": "Table", "objectName": name, "columns": [{"columnName": one} for one in columns]}]
        return {
            "QUERY_ID": query,
            "USER_NAME": user,
            "QUERY_START_TIME": f"{NOW:%Y-%m-%d %H:%M:%S}",
            "DIRECT_OBJECTS_ACCESSED": read,
            "OBJECTS_MODIFIED": modified,
        }

    written = [{"objectDomain": "Table", "objectName": "SHOP.RAW.COPY", "columns": []}]
    rows = [
        access("a", "ANN", ["EMAIL"]), access("a", "ANN", ["EMAIL"]), access("b", "ANN", ["EMAIL", "ID"]), access("c", "SVC_BI_1", ["ID"]),
        access("d", "SVC_BI_2", ["ID"], name="SHOP.RAW.BIG"), access("e", "LOADER", ["ID"], modified=written),
        access("f", "ANN", ["ID"], name="TEMP.X.Y"),
    ]  # fmt: skip
    files = {**build_snowflake(), "access.ndjson": rows}
    reading = read_exports(tmp_path, "snowflake", files, account="acme-eu", usage={"readers": {"SVC_BI_*": "bi"}, "complete": True})
    at = format_hour(NOW)
    assert list_reads(reading.facts) == {
        ("ANN", "SHOP.RAW.ORDERS:EMAIL"): (2, at, at),
        ("ANN", "SHOP.RAW.ORDERS:ID"): (1, at, at),
        ("bi", "SHOP.RAW.ORDERS:ID"): (1, at, at),
        ("bi", "SHOP.RAW.BIG:ID"): (1, at, at),
    }
    windows = list_windows(reading.facts)
    assert set(windows) == {"SHOP.RAW.ORDERS", "SHOP.RAW.BIG", "SHOP.RAW.COPY"}
    assert all(len(found) == 1 and found[0]["columns"] is True for found in windows.values())
    assert list_reads(read_exports(tmp_path, "snowflake", files, account="acme-eu").facts) == {}, "off, unless it is asked for"


def test_the_texts_of_bigquery_and_redshift(tmp_path: Path) -> None:
    times = {"creation_time": NOW.isoformat(), "end_time": NOW.isoformat(), "user_email": "ann@acme.com"}
    select = {"dataset": "_0123abc", "table": "anon", "statement_type": "SELECT", **times}
    jobs = [
        build_job(1, "SELECT day, sum(id) FROM shop.orders WHERE ship.city = 'x' GROUP BY day", **select),
        build_job(1, "SELECT day, sum(id) FROM shop.orders WHERE ship.city = 'x' GROUP BY day", **select),
        build_job(2, "SELECT day, sum(id) FROM shop.orders WHERE ship.city = 'y' GROUP BY day", **select),
        build_job(3, "SELECT FROM WHERE", **select),
        build_job(4, "INSERT INTO shop.copy (id) SELECT id FROM shop.orders", **times),
    ]
    reading = read_exports(tmp_path, "bigquery", {**BIGQUERY, "jobs.ndjson": jobs}, usage=True)
    at = format_hour(NOW)
    assert list_reads(reading.facts) == {
        ("ann@acme.com", "acme.shop.orders:day"): (2, at, at),
        ("ann@acme.com", "acme.shop.orders:id"): (2, at, at),
        ("ann@acme.com", "acme.shop.orders:ship.city"): (2, at, at),
        ("ann@acme.com", "acme.shop.orders"): (1, at, at),
    }
    queries = [
        {
            "user_id": user,
            "query_id": str(number),
            "query_text": text,
            "database_name": "dev",
            "status": "success",
            "end_time": f"{NOW:%Y-%m-%d %H:%M:%S}",
        }
        for number, (user, text) in enumerate(
            [(100, "select email from big"), (100, "select 1"), (7, "select id from orders"), (100, "select nope( from orders")]
        )
    ]
    old = [
        {
            "userid": 100,
            "query": 9,
            "querytxt": "select id from orders",
            "database": "dev",
            "endtime": f"{NOW:%Y-%m-%d %H:%M:%S}",
            "aborted": 0,
        }
    ]
    users = [{"user_id": 100, "user_name": "ann ", "superuser": "f"}]
    scans = [{"query": 9, "tbl": 1, "perm_table_name": "orders", "userid": 100}]
    given = {**REDSHIFT, "users.csv": users, "old.ndjson": old, "scans.ndjson": scans}
    both = read_exports(tmp_path, "redshift", {**given, "queries.ndjson": queries}, cluster="c.eu:5439", usage={"complete": True})
    assert list_reads(both.facts) == {("ann", "dev.public.big:email"): (1, at, at)}, "both views have the same runs"
    assert not [scope for scope in both.facts if scope[0] == "usage-window"], "a statement without a user, and one that is none"
    assert "a statement has no user: its reads are left out" in both.warnings
    assert any(
        one.startswith("a statement of the history cannot be read, so its reads are left out: select nope( from orders")
        for one in both.warnings
    )
    older = [{**old[0], "querytxt": "select broken("}]
    alone = read_exports(tmp_path, "redshift", {**given, "old.ndjson": older}, cluster="c.eu:5439", usage=True)
    assert list_reads(alone.facts) == {("ann", "dev.public.orders"): (1, at, at)}, "what was scanned"


# -- periods


TABLE = Table(("db", "s", "orders"), "TABLE", (Column("id", 1, "int"), Column("email", 2, "text")))


class History:
    """Readings of one database, as a loader keeps them."""

    def __init__(self, *, counts: bool = False, **options: Any) -> None:
        self.counts = counts
        self.options = UsageOptions(**options)
        self.memory: Mapping[str, str] = {}
        self.facts: dict[tuple[str, ...], Facts] = {}
        self.warnings: list[str] = []

    def read(self, *queries: Query, dropped: int = 0) -> Reads:
        catalog = DatabaseCatalog(
            "postgres", "postgres://h:1", [TABLE], queries, ("db", "s"), counts_queries=self.counts, dropped_queries=dropped
        )
        entries = CatalogEntries(catalog, Context(Naming(), Path(), memory=self.memory), {}, 30, self.options)
        found = list(entries.read_items())
        kept = {one.scope for one in found if isinstance(one, Unchanged)}
        self.facts = {scope: one for scope, one in self.facts.items() if scope in kept}
        assert kept <= set(self.facts), "what is not read again was stated"
        self.facts |= {
            one.scope: decode_facts(one.content.blob) for one in found if isinstance(one, Entry) and one.scope[0].startswith("usage")
        }
        self.memory, self.warnings = entries.remember(), entries.warnings
        return list_reads(self.facts)


def run(at: datetime, user: str = "ann", sql: str = "select id from orders") -> Query:
    return Query(sql, int(at.timestamp() * 1e6), id=f"{at} {user} {sql}", user=user)


@pytest.mark.parametrize("days", [2, 7, 40])
def test_a_history_that_forgets_is_counted_once(days: int) -> None:
    """Each day, the history has the last days; each read is counted once, as in a history that has all."""
    hours = [(NOW - timedelta(days=95 - day, hours=hour), "ann" if day % 3 else "bob") for day in range(95) for hour in (5, 1)]
    history, seen = History(), set()
    for day in range(days, 96):
        until = NOW - timedelta(days=95 - day)
        part = [one for one in hours if until - timedelta(days=days) <= one[0] < until]
        seen |= set(part)
        for _ in range(2):
            found = history.read(*(run(*one) for one in part))
    assert sum(number for number, _, _ in found.values()) == len(seen)
    assert History().read(*(run(*one) for one in sorted(seen))) == found
    scopes = [scope for scope in history.facts if scope[0] == "usage"]
    assert len(scopes) <= 4 + (0 if days == 40 else 95 / (days - 1) + 4), "not one for each reading"


def test_a_longer_history_replaces_a_shorter_one() -> None:
    queries = [run(NOW - timedelta(days=day)) for day in range(60)]
    history = History()
    assert history.read(*queries[:10]) == {("ann", "db.s.orders:id"): (10, format_hour(NOW - timedelta(days=9)), format_hour(NOW))}
    assert history.read(*queries) == {("ann", "db.s.orders:id"): (60, format_hour(NOW - timedelta(days=59)), format_hour(NOW))}
    assert history.read()[("ann", "db.s.orders:id")][0] == 60, "an empty history takes nothing back"


def test_reads_are_dropped_after_their_days_and_readers_beyond_their_number() -> None:
    history = History(days=30, most_readers=3)
    assert history.read(*(run(NOW - timedelta(days=200 - day)) for day in range(5))) == {}
    found = history.read(*(run(NOW - timedelta(hours=number), f"u{number}") for number in range(5)))
    assert sorted(user for user, _ in found) == ["u0", "u1", "u2"]
    assert any("2 readers of" in one and "left out" in one for one in history.warnings)


def test_what_is_no_read_or_not_known() -> None:
    at = NOW
    history = History(complete=True)
    found = history.read(
        run(at, sql="insert into orders (id) select id from orders"),
        run(at, sql="with a as (select id from orders) insert into orders (id) select id from a"),
        run(at, sql="update orders set id = 1"), run(at, sql="select 1"), run(at, sql="set x = 1"), run(at, sql="select a from other.temp"),
        run(at, sql="select *, (select max(id) from orders) from orders o where email = 'x'"), run(at, sql="select count(*) from orders"),
        run(at, sql="select nope from orders"),
    )  # fmt: skip
    assert {place: number for place, (number, _, _) in found.items()} == {
        ("ann", "db.s.orders:id"): 1,
        ("ann", "db.s.orders:email"): 1,
        ("ann", "db.s.orders"): 2,
    }
    assert [one["columns"] for one in list_windows(history.facts)["db.s.orders"]] == [False]
    history.read(run(at, sql="select broken( from orders"), run(at + timedelta(minutes=1)))
    assert "the history is not complete where statements cannot be read: no window is stated for that time" in history.warnings


# -- systems that only count


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time of the readings: the last of the list."""
    times = [datetime(2026, 3, 1, 10, tzinfo=UTC)]
    for module in ("history_usage", "facts"):
        monkeypatch.setattr(f"meshline.ingest.sources.databases.{module}.get_current_micros", lambda: int(times[-1].timestamp() * 1e6))
    return times


def count(number: int, user: str = "ann", sql: str = "select id from orders") -> Query:
    return Query(sql, id=f"{user}:{sql}", user=user, number=number)


def test_counts_without_times(clock: list[datetime]) -> None:
    history = History(counts=True, complete=True)
    place = ("ann", "db.s.orders:id")
    assert history.read(count(1000)) == {}, "when it was read before is not known"
    assert "reads are counted from this reading on" in history.warnings[0]
    for hours, total, number, last in ((1, 1000, 0, ""), (2, 1003, 3, "12"), (3, 1003, 3, "12"), (4, 1004, 4, "14"), (5, 2, 6, "15")):
        clock.append(clock[0] + timedelta(hours=hours))
        found = history.read(count(total))
        assert found == ({place: (number, "2026-03-01T11", f"2026-03-01T{last}")} if number else {}), hours
    clock.append(datetime(2026, 3, 20, tzinfo=UTC))  # the statement was dropped, and another one is new
    assert history.read(count(5, "bob"), dropped=1) == {
        place: (6, "2026-03-01T11", "2026-03-01T15"),
        ("bob", "db.s.orders:id"): (5, "2026-03-01T15", "2026-03-20T00"),
    }
    for day in (2, 3):  # of another month, in which nothing is read
        clock.append(datetime(2026, 4, day, tzinfo=UTC))
        found = history.read(count(7, "bob"), dropped=1)
        assert {user: number for (user, _), (number, _, _) in found.items()} == {"ann": 6, "bob": 7}
    windows = list_windows(history.facts)["db.s.orders"]
    assert [datetime.fromtimestamp(one["to"] / 1e6, UTC).day for one in windows] == [1, 3]


def test_a_memory_that_is_none_begins_again(clock: list[datetime]) -> None:
    history = History(counts=True)
    history.memory = {"usage": "{]"}
    assert history.read(count(5)) == {}
    clock.append(clock[0] + timedelta(hours=1))
    assert history.read(count(7))[("ann", "db.s.orders:id")][0] == 2


@pytest.mark.parametrize("value", [1, "yes", {"reader": {}}, {"most_readers": 0}, {"days": 0}])
def test_wrong_keys(value: object) -> None:
    with pytest.raises(InvalidInput) as raised:
        build_source({"kind": "bigquery", "files": ["x"], "usage": value})
    assert (raised.value.where or "").startswith("usage")

"""Files of usage: who read what, in JSON and CSV, compressed or not; and input that is wrong, hostile or too much."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, build_column_key, build_consumer_key, build_dataset_key, build_owner_key, to_micros
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.impact import compute_impact
from meshline.graph.queries.impact_recipients import NoticeReason, list_notices
from meshline.graph.queries.usage import Reads, Window, find_last_use, list_windows, merge_uses, summarise_usage
from meshline.ingest.sources.reading_loader import Loading
from meshline.ingest.sources.usage import parse, source
from meshline.ingest.sources.usage.parse import Record, parse_file
from tests.ingest.sources.loaded_checks import list_refusals, load_files
from tests.queries import mesh
from tests.queries.mesh import CUSTOMERS, EMAIL, ORDERS

DAY = 86_400_000_000
NOVEMBER_1 = 1_793_491_200_000_000  # 2026-11-01


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    found = mesh.build_graph(
        mesh.build_schema_statement(CUSTOMERS, "email", "name", "address.city", "address"),
        mesh.build_schema_statement(ORDERS, "email_hash", "total"),
        mesh.build_asset_statement(mesh.ANN, email="ann@company.com", owner_type="person"),
        mesh.build_asset_statement(mesh.DASHBOARD, consumer_type="dashboard"),
        mesh.build_edge_statement(EdgeType.CONSUMES, mesh.DASHBOARD, ORDERS),
        mesh.build_edge_statement(EdgeType.OWNS, mesh.ANN, CUSTOMERS),
    )
    yield found
    found.store.close()


def write_lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records), "utf-8")
    return path


def load(live: LiveGraph, folder: Path, *records: dict[str, Any], **options: Any) -> Loading:
    write_lines(folder / "usage.ndjson", *records)
    return load_files(live, "usage", folder, "usage.ndjson", **options)


def get_node(live: LiveGraph, key: AssetKey) -> int:
    found = live.index.assets.find_by_key(key)
    assert found is not None, key
    return found


def list_reads(live: LiveGraph, key: AssetKey) -> dict[str, tuple[int, int, int] | None]:
    """By consumer: how often it read exactly this, and the days of November 2026 of its first and last read."""
    uses = merge_uses(live.index, live.index.ownership.list_edges(get_node(live, key), EdgeType.CONSUMES, incoming=True))
    return {live.index.assets.get_key(use.edge.start).name: use.reads and format_reads(use.reads) for use in uses}


def format_reads(reads: Reads) -> tuple[int, int, int]:
    return reads.number, (reads.first - NOVEMBER_1) // DAY + 1, (reads.last - NOVEMBER_1) // DAY + 1


def test_reads_are_added_up_by_reader_and_column(live: LiveGraph, tmp_path: Path) -> None:
    did = load(
        live,
        tmp_path,
        {"service": "bi", "dataset": "pg/shop.customers", "columns": ["email", "NAME"], "count": 10, "day": "2026-11-03"},
        {
            "service": "bi",
            "dataset": "shop.customers",
            "columns": ["email"],
            "count": 2,
            "first": "2026-11-01",
            "last": "2026-11-09T12:00:00Z",
        },
        {"user": "bob", "dataset": "shop.customers", "day": "2026-11-05", "purpose": "audit"},
    )
    assert (did.new, did.refused, did.warnings) == (1, (), ())
    assert list_reads(live, EMAIL) == {"bi": (12, 1, 9)}
    assert list_reads(live, build_column_key(CUSTOMERS, "name")) == {"bi": (10, 3, 3)}
    assert list_reads(live, CUSTOMERS) == {"bob": (1, 5, 5)}
    summary = summarise_usage(live.index, get_node(live, CUSTOMERS))
    assert summary is not None
    assert (summary.readers, format_reads(summary.reads)) == (2, (13, 1, 9))
    column = summarise_usage(live.index, get_node(live, EMAIL))
    assert column is not None
    assert (column.readers, format_reads(column.reads)) == (1, (12, 1, 9))
    assert summarise_usage(live.index, get_node(live, ORDERS)) is None
    (known,) = read_attributes(live, live.index, [get_node(live, build_consumer_key("bi"))])
    assert known.find_text("consumer_type") == "service"


def test_each_month_is_a_statement_and_old_reads_stay(live: LiveGraph, tmp_path: Path) -> None:
    old = {"service": "bi", "dataset": "shop.customers", "columns": ["email"], "count": 5, "day": "2025-01-31"}
    load(live, tmp_path, old, {"service": "bi", "dataset": "shop.customers", "columns": ["name"], "day": "2026-11-02"})
    new = {"service": "bi", "dataset": "shop.customers", "columns": ["name"], "count": 7, "day": "2026-11-04"}
    did = load(live, tmp_path, new)
    assert (did.new, did.changed, did.retracted) == (0, 1, 0)
    assert list_reads(live, build_column_key(CUSTOMERS, "name")) == {"bi": (7, 4, 4)}
    assert list_reads(live, EMAIL)["bi"] is not None, "not read for long, and not forgotten"
    assert load(live, tmp_path, new).unchanged == 1
    last = find_last_use(live.index, get_node(live, build_consumer_key("bi")), [get_node(live, EMAIL)])
    assert last is not None
    assert last.last == to_micros(datetime(2025, 1, 31, tzinfo=UTC))
    assert load(live, tmp_path, new, complete=True).retracted == 1
    assert list_reads(live, EMAIL) == {}


def test_a_reader_is_the_consumer_and_the_owner_of_that_name(live: LiveGraph, tmp_path: Path) -> None:
    load(
        live,
        tmp_path,
        {"service": "svc-dash-7", "dataset": "sales.orders", "columns": ["total"], "day": "2026-11-02"},
        {"consumer": "dashboard", "dataset": "sales.orders", "columns": ["total"], "day": "2026-11-03"},
        {"user": "Ann@Company.com", "dataset": "shop.customers", "columns": ["email"], "day": "2026-11-03"},
        {"application": "crm", "service": "svc", "user": "eve", "dataset": "shop.customers", "columns": ["email"], "day": "2026-11-03"},
        readers={"svc-dash-*": "dashboard"},
    )
    assert list_reads(live, build_column_key(ORDERS, "total")) == {"dashboard": (2, 2, 3)}
    assert list_reads(live, ORDERS) == {"dashboard": None}, "what people stated stays"
    (known,) = read_attributes(live, live.index, [get_node(live, mesh.DASHBOARD)])
    assert known.find_text("consumer_type") == "dashboard"
    assert list_reads(live, EMAIL) == {"ann": (1, 3, 3), "crm": (1, 3, 3)}
    owners = live.index.ownership.list_owners(get_node(live, build_consumer_key("ann")))
    assert [live.index.assets.get_key(one.owner) for one in owners] == [build_owner_key("ann")]
    notices = list_notices(compute_impact(live.index, [get_node(live, EMAIL)]))
    named = {live.index.assets.get_key(one.recipient).name for one in notices if one.reason is NoticeReason.CONSUMES}
    assert {"ann", "crm"} <= named


def test_columns_that_no_source_lists(live: LiveGraph, tmp_path: Path) -> None:
    did = load(
        live,
        tmp_path,
        {"user": "a", "dataset": "shop.customers", "columns": ["address.city.zip", "_rowid", "address.CITY"], "day": "2026-11-02"},
        {"user": "b", "dataset": "shop.customers", "columns": ["gone"], "day": "2026-11-02"},
        {"user": "c", "dataset": "tmp.staging_1", "columns": ["x"], "day": "2026-11-02"},
    )
    assert did.refused == ()
    assert list_reads(live, build_column_key(CUSTOMERS, "address.city")) == {"a": (1, 2, 2)}, "one query"
    assert list_reads(live, CUSTOMERS) == {"b": (1, 2, 2)}
    assert sorted(did.warnings) == [
        "no source describes tmp.staging_1: its reads are left out",
        "no source lists the columns pg/shop.customers._rowid, pg/shop.customers.gone: they are left out",
    ]
    assert live.index.assets.find_by_key(build_column_key(CUSTOMERS, "gone")) is None


def test_names_that_may_mean_several_datasets(live: LiveGraph, tmp_path: Path) -> None:
    mesh.commit_statements(live, mesh.build_schema_statement(build_dataset_key("other", "shop.customers"), "email"))
    record = {"user": "a", "dataset": "shop.customers", "columns": ["email"], "day": "2026-11-02"}
    did = load(live, tmp_path, record, record)
    assert list_refusals(did) == [
        f"usage.ndjson:{line}: 'shop.customers' may mean other/shop.customers, pg/shop.customers;"
        " choose one with the key datasets or namespace"
        for line in (1, 2)
    ]
    assert load(live, tmp_path, record, namespace="pg").refused == ()
    assert list_reads(live, EMAIL) == {"a": (1, 2, 2)}
    assert load(live, tmp_path, record, datasets={"shop.customers": "other/shop.customers"}).refused == ()


def list_known_windows(live: LiveGraph, key: AssetKey) -> list[Window]:
    (known,) = read_attributes(live, live.index, [get_node(live, key)])
    return list_windows(known.rows)


def test_windows_that_meet_are_one(live: LiveGraph, tmp_path: Path) -> None:
    def build(first: str, last: str, *datasets: str, columns: bool = True) -> dict[str, Any]:
        return {"window": {"first": first, "last": last, "datasets": list(datasets), "columns": columns}}

    did = load(
        live,
        tmp_path,
        build("2026-11-01", "2026-11-10", "pg/shop.*"),
        build("2026-11-10", "2026-11-20", "shop.customers"),
        build("2026-10-01", "2026-10-20", "shop.customers"),
        build("2026-11-01", "2026-11-02", "wh/*", columns=False),
        build("2026-11-01", "2026-11-02", "nowhere/*"),
    )
    assert did.refused == ()
    assert list(did.warnings) == ["no source describes nowhere/*: its reads are left out"]
    found = list_known_windows(live, CUSTOMERS)
    assert [(format_reads(Reads(0, one.begin, one.end))[1:], one.columns, one.source) for one in found] == [
        ((1, 20), True, "usage/default"),
        ((-30, -11), True, "usage/default"),
    ]
    assert [one.columns for one in list_known_windows(live, ORDERS)] == [False]
    assert load(live, tmp_path, build("2026-11-01", "2026-11-02", "*"), namespace="wh").refused == ()
    (refused,) = list_refusals(load(live, tmp_path, build("2026-11-01", "2026-11-02", "*")))
    assert refused == "usage.ndjson:1: found '*'; accepted is namespace/pattern"


def test_csv_and_compressed_files(live: LiveGraph, tmp_path: Path) -> None:
    text = "\ufeffUser,dataset,columns,count,day,purpose\r\n" + 'bob,shop.customers,email; name,3,2026-11-02,"audit, ""yearly"""\r\n\r\n'
    (tmp_path / "a.csv").write_bytes(text.encode())
    half = json.dumps({"user": "eve", "dataset": "shop.customers", "columns": ["email"], "day": "2026-11-03"}).encode()
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(half + b"\n") + gzip.compress(half))  # two members, no line end
    did = load_files(live, "usage", tmp_path, "*.csv", "*.gz")
    assert (did.refused, did.warnings) == ((), ())
    assert list_reads(live, EMAIL) == {"bob": (3, 2, 2), "eve": (2, 3, 3)}
    uses = live.index.ownership.list_edges(get_node(live, EMAIL), EdgeType.CONSUMES, incoming=True)
    assert 'audit, "yearly"' in [use.attributes.get("purpose") for use in uses]


def test_windows_in_csv(live: LiveGraph, tmp_path: Path) -> None:
    lines = [
        "user,dataset,day,first,last,window",
        "bob,shop.customers,2026-11-02,,,",
        ",pg/shop.*;wh/sales.orders;wh/none,,2026-11-01,2026-11-09,columns",
    ]
    lines += [",pg/shop.customers,,2026-11-09,2026-11-11,datasets"]
    (tmp_path / "a.csv").write_text("\n".join(lines), "utf-8")
    assert load_files(live, "usage", tmp_path, "a.csv").refused == ()
    assert [one.columns for one in list_known_windows(live, CUSTOMERS)] == [False, True]
    assert [one.columns for one in list_known_windows(live, ORDERS)] == [True]


GOOD: dict[str, Any] = {"user": "bob", "dataset": "shop.customers", "columns": ["email"], "day": "2026-11-02"}
WRONG: list[tuple[dict[str, Any] | str, str]] = [
    ("{", "not valid JSON"),
    ("[]", "the line is no object"),
    ("[" * 100_000, "not valid JSON"),
    ('{"user": "\\ud800"}', "no time|not valid JSON|accepted is a name|no reader"),
    ({}, "no reader"),
    (GOOD | {"user": ""}, "no reader; accepted is one of consumer, application, service, user"),
    (GOOD | {"usr": "x"}, "unknown key 'usr'; did you mean 'user'"),
    (GOOD | {"user": 7}, "user is 7; accepted is a name"),
    (GOOD | {"user": "a\u001b[31m"}, "accepted is a name of at most 1,000 printable characters"),
    (GOOD | {"user": "a" * 1_001}, "accepted is a name of at most"),
    (GOOD | {"dataset": None}, "dataset is None"),
    (GOOD | {"dataset": ["x"]}, "dataset is"),
    (GOOD | {"columns": "email"}, "columns is no list"),
    (GOOD | {"columns": [["email"]]}, "columns is"),
    (GOOD | {"columns": ["c"] * 5_001}, "columns is no list of at most 5,000 names"),
    (GOOD | {"count": 0}, "count is 0; accepted is a whole number from 1"),
    (GOOD | {"count": -1}, "count is -1"),
    (GOOD | {"count": True}, "count is True"),
    (GOOD | {"count": 1.5}, "count is 1.5"),
    (GOOD | {"count": 10**30}, "count is 1"),
    (GOOD | {"day": "yesterday"}, "day is 'yesterday'; accepted is a date"),
    (GOOD | {"day": "2026-13-01"}, "day is '2026-13-01'"),
    (GOOD | {"day": "1969-12-31"}, "before 1970"),
    (GOOD | {"day": "2999-01-01"}, "more than a day ahead"),
    (GOOD | {"day": 20261102}, "day is 20261102"),
    (GOOD | {"day": None}, "no time"),
    (GOOD | {"last": "2026-11-02"}, "a day, and first or last"),
    (GOOD | {"day": None, "first": "2026-11-03", "last": "2026-11-02"}, "first is after last"),
    (GOOD | {"day": None, "last": "0001-01-01T00:00:00+23:59"}, "before 1970|ISO 8601"),
    ({"window": []}, "the window is no object"),
    ({"window": {}, "user": "x"}, "a line with a window has nothing else"),
    ({"window": {"first": "2026-11-01", "last": "2026-11-02", "datasets": []}}, "the window needs datasets"),
    ({"window": {"datasets": ["x"]}}, "the window needs first and last"),
    ({"window": {"first": "2026-11-01", "last": "2026-11-02", "datasets": ["x"], "columns": "yes"}}, "accepted is true or false"),
    ({"window": {"firs": "2026-11-01"}}, "unknown key 'firs'; did you mean 'first'"),
]


@pytest.mark.parametrize(("line", "problem"), WRONG, ids=str)
def test_a_line_that_is_no_record_is_refused_and_the_others_are_read(
    live: LiveGraph, tmp_path: Path, line: dict[str, Any] | str, problem: str
) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    (tmp_path / "usage.ndjson").write_text(f"{json.dumps(GOOD)}\n{text}\n\n{json.dumps(GOOD)}\n", "utf-8")
    did = load_files(live, "usage", tmp_path, "usage.ndjson")
    (refused,) = list_refusals(did)
    assert refused.startswith("usage.ndjson:2: ")
    assert re.search(problem, refused), refused
    assert len(refused) < 400
    assert "\u001b" not in refused
    assert list_reads(live, EMAIL) == {"bob": (2, 2, 2)}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.parquet", b"PAR1", "accepted are files that end with .ndjson"),
        ("a.ndjson", b'{"user": "\xff"}', "a.ndjson:1: the line is not UTF-8"),
        ("a.ndjson.gz", b"no gzip", "cannot be read"),
        ("a.ndjson.gz", gzip.compress(b"{}\n" * 100, mtime=0)[:-12], "its end is missing|cannot be read"),
        ("a.csv", b"user,dataset,day,day\n", "named twice"),
        ("a.csv", b"who,dataset,day\n", "unknown key 'who'"),
        ("a.csv", b'user,dataset,day\n"a,b\n', "not valid CSV"),
        ("a.csv", b"user,dataset,day\na,b\n", "a.csv:2: the row has 2 fields, and the first one 3"),
        ("a.csv", b"user,dataset,day,count\na,b,2026-11-02,1e3\n", "count is '1e3'"),
        ("a.csv", b"user,dataset,day,count\na,b,2026-11-02,\xd9\xa3\n", "count is"),
        ("a.csv", b"user,dataset,last,window\n,a/b,2026-11-02,columns\n", "the window needs first and last"),
        ("a.csv", b"user,dataset,first,last,window\nx,a/b,2026-11-01,2026-11-02,columns\n", "a row with a window has no user"),
        ("a.csv", b"user,dataset,first,last,window\n,a/b,2026-11-01,2026-11-02,yes\n", "window is 'yes'; accepted is datasets or columns"),
        ("a.csv", b"first,last,window\n2026-11-01,2026-11-02,columns\n", "the window needs datasets"),
        ("a.ndjson", b"x" * (parse.MAX_LINE + 1), "the line has more than"),
    ],
)
def test_files_that_cannot_be_used(live: LiveGraph, tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused = list_refusals(load_files(live, "usage", tmp_path, name))
    assert any(re.search(problem, one) for one in refused), refused


def test_empty_files_state_nothing(live: LiveGraph, tmp_path: Path) -> None:
    for name in ("a.ndjson", "b.csv", "c.jsonl.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    did = load_files(live, "usage", tmp_path, "*")
    assert (did.new, did.refused) == (0, ())


def test_a_bomb_is_not_expanded(live: LiveGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_BYTES", 5_000_000)
    bomb = gzip.compress(b"\n" * 200_000_000)
    assert len(bomb) < 250_000
    (tmp_path / "bomb.ndjson.gz").write_bytes(bomb)
    (refused,) = list_refusals(load_files(live, "usage", tmp_path, "bomb.ndjson.gz"))
    assert refused == "bomb.ndjson.gz: the file has more than 5,000,000 bytes"


def test_what_is_too_much_is_bounded_and_stated(live: LiveGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [GOOD | {"user": f"u{n}", "count": n + 1, "day": f"2026-11-{n % 20 + 1:02}"} for n in range(60)]
    did = load(live, tmp_path, *records, most_readers=10)
    assert list(did.warnings) == ["pg/shop.customers: 50 readers of 2026-11 are left out: most_readers is 10"]
    reads = list_reads(live, EMAIL)
    assert len(reads) == 10
    assert min(one[2] for one in reads.values() if one) >= 17, "those who read last are kept"
    monkeypatch.setattr(source, "MAX_READS", 50)
    did = load(live, tmp_path, *records)
    assert "more than 50 readers and columns" in list_refusals(did)[0]
    monkeypatch.setattr(source, "REFUSED", 3)
    refused = list_refusals(load(live, tmp_path, *([{"x": 1}] * 10)))
    assert len(refused) == 4
    assert refused[-1] == "usage.ndjson: 7 more lines are refused"


def test_the_order_of_lines_and_files_changes_nothing(live: LiveGraph, tmp_path: Path) -> None:
    def build(number: int) -> dict[str, Any]:
        day, columns = f"2026-{number % 3 + 8:02}-0{number % 9 + 1}", ["email", "name"][: number % 3]
        return {"user": f"u{number % 5}", "dataset": "shop.customers", "columns": columns, "count": number + 1, "day": day}

    records = [build(number) for number in range(40)]
    load(live, tmp_path, *records)
    shuffled = records[:]
    random.Random(3).shuffle(shuffled)
    write_lines(tmp_path / "a.ndjson", *shuffled[:13])
    write_lines(tmp_path / "b.ndjson", *shuffled[13:])
    did = load_files(live, "usage", tmp_path, "b.ndjson", "a.ndjson")
    assert (did.new, did.changed) == (0, 0)


def test_bytes_at_random_are_never_a_fault(tmp_path: Path) -> None:
    choose = random.Random(11)
    good = json.dumps(GOOD).encode()
    for number in range(300):
        data = bytearray(good * 3)
        for _ in range(choose.randrange(1, 6)):
            data[choose.randrange(len(data))] = choose.randrange(256)
        name = ("a.ndjson", "a.csv", "a.ndjson.gz")[number % 3]
        (tmp_path / name).write_bytes(bytes(data))
        try:
            found = list(parse_file(tmp_path / name, name))
        except InvalidInput:
            continue
        assert all(isinstance(one, Record | parse.Window | InvalidInput) for one in found)

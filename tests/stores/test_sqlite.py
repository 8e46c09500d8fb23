"""The SQLite store keeps the contract, in a file and in memory, and what is special to files."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import StoreCorrupt, StoreUnavailable
from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.model import (
    AssetFact,
    AssetKind,
    Facts,
    Observation,
    Statement,
    build_column_key,
    build_dataset_key,
    find_open_interval,
)
from meshline.graph.store.base import Batch, Head, RawEvent, Store
from meshline.graph.store.sqlite import SqliteStore, reader, search_index
from meshline.graph.store.sqlite import writer as sqlite_writer
from meshline.graph.store.sqlite.connection import APPLICATION_ID
from meshline.graph.store.sqlite.maintenance import list_file_checks
from meshline.graph.store.sqlite.reader import HeadRow
from meshline.graph.store.sqlite.sql import MIGRATIONS, TABLES
from tests.sizes import count_examples
from tests.stores.contract import DurableStoreContract, StoreContract
from tests.stores.journal_contract import append_records, build_record, list_records
from tests.stores.statements import build_content, build_head, build_statement, commit_statements, find_head, list_heads


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Callable[[], SqliteStore]]:
    handles: list[SqliteStore] = []

    def open_handle() -> SqliteStore:
        handles.append(SqliteStore(str(tmp_path / "mesh.db")))
        return handles[-1]

    yield open_handle
    for handle in handles:
        handle.close()


class TestFile(DurableStoreContract):
    @pytest.fixture
    def open_handle(self, open_file: Callable[[], SqliteStore]) -> Callable[[], Store]:
        return open_file


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = SqliteStore()
        yield store
        store.close()


class TestFiles:
    """States that only a file can have: locked, damaged, foreign, too new, or read by many threads."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "mesh.db"

    def test_a_write_lock_of_another_is_waited_for_and_then_reported(self, path: Path) -> None:
        with closing(SqliteStore(str(path), busy_timeout=0.05)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
            commit_statements(store, build_statement("A", 1))
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="another process is writing"):
                commit_statements(store, build_statement("B", 2))
            with pytest.raises(StoreUnavailable):
                store.write_setting("naming", "n")
            assert find_head(store) == build_head("A", 1), "readers go on"
            with closing(SqliteStore(str(path), busy_timeout=0.05)) as late:
                assert find_head(late) == build_head("A", 1), "opening needs no lock"
            other.execute("ROLLBACK")
            assert commit_statements(store, build_statement("B", 2)).revision == 2

    def test_no_database_is_corrupt(self, path: Path) -> None:
        path.write_bytes(b"This is no database at all. " * 100)
        with pytest.raises(StoreCorrupt, match=r"mesh\.db is damaged or not a store of meshline"):
            SqliteStore(str(path))

    def test_a_damaged_file_is_corrupt(self, path: Path) -> None:
        with closing(SqliteStore(str(path))) as store:
            commit_statements(store, *(build_statement("ABCD"[n % 4], n, scope=f"scope {n}") for n in range(2000)))
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)
        path.write_bytes(data)
        with pytest.raises(StoreCorrupt, match="restore it from a backup"), closing(SqliteStore(str(path))) as store:
            list_heads(store)

    def test_a_damaged_content_is_corrupt(self, path: Path) -> None:
        with closing(SqliteStore(str(path))) as store:
            commit_statements(store, build_statement("A" * 1000, 1))
            with closing(sqlite3.connect(path)) as other:
                other.execute("UPDATE content SET blob = zeroblob(9) WHERE content_id = 1")
                other.commit()
            with pytest.raises(StoreCorrupt, match="packed value"):
                list_heads(store)

    @pytest.mark.parametrize("changed", [b"contenu_id", b"kontent_id"])
    def test_a_damaged_definition_is_corrupt(self, path: Path, changed: bytes) -> None:
        """One bit of a column's name is another, and the schema is still valid SQL."""
        with closing(SqliteStore(str(path))) as store:
            commit_statements(store, build_statement("A", 1))
        path.write_bytes(path.read_bytes().replace(b"content_id", changed, 1))
        with pytest.raises(StoreCorrupt, match="its schema is altered: "):
            SqliteStore(str(path))

    def test_a_definition_that_is_damaged_while_the_file_is_served_is_corrupt(self, path: Path) -> None:
        with closing(SqliteStore(str(path))) as store:
            commit_statements(store, build_statement("A", 1))
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA writable_schema = ON")
                other.execute("UPDATE sqlite_schema SET sql = replace(sql, 'content_id', 'kontent_id') WHERE name = 'content'")
                other.execute("PRAGMA schema_version = 1000")
                other.commit()
            with pytest.raises(StoreCorrupt, match="its schema is altered: content"):
                list_heads(store)

    @pytest.mark.parametrize(("place", "bit"), [(47, 3), (60, 7), (63, 1)], ids=["format", "no version", "an earlier version"])
    def test_a_bit_that_flips_in_the_head_of_the_file_is_damage(self, path: Path, place: int, bit: int) -> None:
        SqliteStore(str(path)).close()
        damaged = bytearray(path.read_bytes())
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        with pytest.raises(StoreCorrupt, match="is damaged or not a store"):
            SqliteStore(str(path))

    def test_the_database_of_another_program_is_left_alone(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE change (revision INTEGER)")
            other.commit()
        before = path.read_bytes()
        with pytest.raises(StoreCorrupt, match="another program"):
            SqliteStore(str(path))
        assert path.read_bytes()[100:] == before[100:]

    def test_a_newer_schema_asks_for_the_newer_program(self, path: Path) -> None:
        SqliteStore(str(path)).close()
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 99")
        with pytest.raises(StoreCorrupt, match="schema version 99, and this meshline knows 7: use the newer meshline"):
            SqliteStore(str(path))

    def test_an_older_schema_is_refused(self, path: Path) -> None:
        SqliteStore(str(path)).close()
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 1")
        with pytest.raises(StoreCorrupt, match="schema version 1, and this meshline reads 2 and newer: use the older meshline"):
            SqliteStore(str(path))

    def test_a_name_is_found_that_a_failed_commit_took_along(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        orders = build_dataset_key("x", "orders")
        facts = tuple(AssetFact(key, {}) for key in (build_column_key(orders, "city"), build_dataset_key("x", "payments")))

        def fail(*_: object) -> None:
            raise ValueError("at the end")

        with closing(SqliteStore(str(path))) as store:
            commit_statements(
                store, Statement("s", ("a",), 1, encode_facts(Facts(assets=(AssetFact(build_column_key(orders, "id"), {}),))))
            )
            with monkeypatch.context() as broken:
                broken.setattr(sqlite_writer._Commit, "_keep_raw", fail)
                with pytest.raises(ValueError, match="at the end"):
                    commit_statements(store, Statement("s", ("b",), 1, encode_facts(Facts(assets=facts))))
            assert store.search(["city"], [], 9) == []
            commit_statements(store, Statement("s", ("b",), 1, encode_facts(Facts(assets=facts))))
            assert store.search(["city"], [], 9) == [build_column_key(orders, "city")]
            assert store.search(["payments"], [], 9) == [build_dataset_key("x", "payments")]

    def test_two_processes_state_the_same_columns(self, path: Path) -> None:
        """Each remembers what it wrote, not what the other did."""
        orders = build_dataset_key("x", "orders")

        def commit_columns(store: Store, *columns: str) -> None:
            commit_statements(
                store,
                Statement(
                    "s", columns, 1, encode_facts(Facts(assets=tuple(AssetFact(build_column_key(orders, name), {}) for name in columns)))
                ),
            )

        with closing(SqliteStore(str(path))) as one, closing(SqliteStore(str(path))) as other:
            commit_columns(one, "a")
            commit_columns(other, "a", "b")
            commit_columns(one, "b", "c")
            commit_columns(other, "c", "a")
            for store in (one, other):
                assert store.search(["orders"], [AssetKind.COLUMN], 9) == [build_column_key(orders, name) for name in "abc"]
                assert store.search(["b"], [], 9) == [build_column_key(orders, "b")]

    def test_an_empty_file_becomes_a_store(self, path: Path) -> None:
        path.touch()
        with closing(SqliteStore(str(path))) as store:
            assert store.read_revision() == 0

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match="does its folder exist"):
            SqliteStore(str(tmp_path / "no" / "mesh.db"))

    def test_a_closed_store_raises(self, path: Path) -> None:
        for store in (SqliteStore(str(path)), SqliteStore()):
            commit_statements(store, build_statement("A", 1))
            reading = store.iterate_heads()
            store.close()
            store.close()
            with pytest.raises(StoreUnavailable, match="is closed"):
                store.read_revision()
            with pytest.raises(StoreUnavailable, match="is closed"):
                commit_statements(store, build_statement("A", 2))
            with pytest.raises(StoreUnavailable, match="is closed"):
                next(reading)

    def test_several_may_open_a_new_file_at_once(self, path: Path) -> None:
        for round_ in range(60):  # about one in a hundred connections is refused when it switches the new file to WAL mode
            new, start = path.with_name(f"{round_}.db"), Barrier(8)

            def open_together(_: int, new: Path = new, start: Barrier = start) -> SqliteStore:
                start.wait()
                return SqliteStore(str(new))

            with ThreadPoolExecutor(8) as pool:
                stores = list(pool.map(open_together, range(8)))
            for n, store in enumerate(stores):
                if round_ == 0:
                    assert commit_statements(store, build_statement("A", n)).revision == n + 1
                store.close()

    def test_a_new_file_that_stays_locked_is_refused(self, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreUnavailable, match="another process is writing to it"):
                SqliteStore(str(path), busy_timeout=0.1)

    def test_a_list_of_changes_that_was_dropped_is_not_missed(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_writer, "CHANGES_KEPT", 3)
        with closing(SqliteStore(str(path))) as store:
            commit_statements(store, build_statement("A", 1), build_statement("A", 1, scope="gone"))
            commit_statements(store, build_statement("", 2, scope="gone"))
            for at in range(10):
                commit_statements(store, build_statement("A", at, scope=f"s{at}"))
            assert {head.scope for head in store.read_changes(0).heads} == {("s",), ("gone",), *((f"s{at}",) for at in range(10))}
            assert {head.scope for head in store.read_changes(1).heads} == {("gone",), *((f"s{at}",) for at in range(10))}
            assert {head.scope for head in store.read_changes(10).heads} == {("s8",), ("s9",)}

    def test_readers_see_one_moment(self, path: Path) -> None:
        with closing(SqliteStore(str(path))) as store:
            commit_statements(store, *(build_statement("A", 1, scope=f"s{n}") for n in range(2500)))
            reading = store.iterate_heads()
            seen = list(next(iter(reading)))
            commit_statements(store, *(build_statement("B", 2, scope=f"s{n}") for n in range(2500)))
            seen += [head for batch in reading for head in batch]
            assert {head.observed_at for head in seen} == {1}
            assert len(seen) == 2500

    def test_acknowledged_events_survive_kill_9(self, path: Path) -> None:
        """Law 5."""
        program = (
            "import sys, itertools\n"
            "from meshline.graph.store.sqlite import SqliteStore\n"
            "from tests.stores.statements import build_statement, commit_statements\n"
            "store = SqliteStore(sys.argv[1])\n"
            "for at in itertools.count(1):\n"
            "    statements = build_statement('AB'[at % 2], at), build_statement('A', at, scope='other')\n"
            "    print(commit_statements(store, *statements).revision, flush=True)\n"
        )
        with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(50):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().split())])
        with closing(SqliteStore(str(path))) as store:
            assert store.read_revision() in (acknowledged, acknowledged + 1)
            head = find_head(store, "other")
            assert head is not None
            assert head.last_observed == store.read_revision()

    def test_records_are_there_with_what_they_rest_on_after_kill_9(self, path: Path) -> None:
        program = (
            "import sys, itertools\n"
            "from meshline.graph.store.base import Batch, Record\n"
            "from meshline.graph.store.sqlite import SqliteStore\n"
            "store = SqliteStore(sys.argv[1])\n"
            "for at in itertools.count(1):\n"
            "    records = [Record('notice', f'{at} {n}', at, b'1') for n in range(5)]\n"
            "    store.commit(lambda _: Batch(settings={'position': str(at)}, journal=records))\n"
            "    print(at, flush=True)\n"
        )
        with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = [int(writer.stdout.readline()) for _ in range(50)]
            writer.kill()
            acknowledged += map(int, writer.stdout.read().split())
        with closing(SqliteStore(str(path))) as store:
            position = int(store.read_setting("position") or 0)
            assert position in (acknowledged[-1], acknowledged[-1] + 1)
            assert [kept.record.key for kept in store.read_journal("notice", 0, 10**6)] == [
                f"{at} {n}" for at in range(1, position + 1) for n in range(5)
            ]

    def test_changes_of_an_earlier_version_do_not_state_since_when_the_graph_is_another(self, path: Path) -> None:
        with closing(SqliteStore(str(path))) as store:
            for at in (5, 3, 9):
                commit_statements(store, build_statement("A", at))
            with closing(sqlite3.connect(path)) as other:  # what an earlier version wrote has no times
                other.execute("DELETE FROM change_time WHERE revision = 2")
                other.commit()
            assert [store.read_changes(since).earliest for since in range(3)] == [None, None, 9]

    def test_a_store_of_schema_2_gets_a_journal(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as old:
            for statement in MIGRATIONS[2]:
                old.execute(statement)
            old.execute("INSERT INTO content VALUES (0, ?, 0, ?)", (EMPTY.digest, EMPTY.blob))
            old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            old.execute("PRAGMA user_version = 2")
            old.execute("INSERT INTO setting VALUES ('naming', 'n')")
            old.commit()
        with closing(SqliteStore(str(path))) as store:
            assert store.read_setting("naming") == "n"
            assert commit_statements(store, build_statement("A", 1)).revision == 1
            append_records(store, build_record("k"), build_record("k"))
            assert list_records(store) == [build_record("k")]

    def test_a_store_of_schema_3_gets_checksums(self, path: Path) -> None:
        before = make_older_store(path)
        with closing(SqliteStore(str(path))) as store:
            assert list_heads(store) == before
            assert store.read_setting("naming") == "n"
            assert list_records(store) == [build_record("k")]
            assert len(store.read_raw_events()) == 1
            assert commit_statements(store, build_statement("D", 4)).revision == 4
        assert [check.problems for check in list_file_checks(str(path)) if not check.passed] == []

    def test_kill_9_while_checksums_are_made(self, path: Path) -> None:
        before = make_older_store(path)
        program = """
import itertools, os, signal, sys
from meshline.graph.store.sqlite import SqliteStore, checksums
made, calls = checksums.compute_crc, itertools.count()
def dying(*values):
    if next(calls) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return made(*values)
checksums.compute_crc = dying
SqliteStore(sys.argv[1])
"""
        done = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
        assert done.returncode == -signal.SIGKILL
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        with closing(SqliteStore(str(path))) as store:
            assert list_heads(store) == before

    def test_our_own_mistakes_are_not_damage(self, path: Path) -> None:
        """Advice to restore a backup would lose what was written since."""
        with closing(SqliteStore(str(path))) as store:
            commit_statements(store, build_statement("A", 1))
            with pytest.raises((TypeError, sqlite3.Error)):
                store.read_heads([object()])  # type: ignore[list-item]

    def test_runs_of_one_time_do_not_read_the_history(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """All jobs of a scheduler's round state the same of a shared dataset, each in a run of its own."""
        folded: list[int] = []
        fold = reader.fold_heads

        def count_folds(connection: sqlite3.Connection, scope_ids: Iterable[int]) -> dict[int, HeadRow]:
            folded.extend(scope_ids)
            return fold(connection, scope_ids)

        monkeypatch.setattr(reader, "fold_heads", count_folds)
        with closing(SqliteStore(str(path))) as store:
            for at in range(20):
                commit_statements(store, *(build_statement("A", at, version=f"{job} at {at}") for job in range(5)))
            assert folded == []
            (head,) = list_heads(store)
            assert (head.version, head.valid_from, head.observed_at) == ("4 at 19", 0, 19)
            folded.clear()
            less, greater = sorted("BC", key=lambda what: build_content(what).digest)
            for at in range(20, 40):  # two jobs that state different contents: that of the second counts
                commit_statements(store, build_statement(less, at))
                commit_statements(store, build_statement(greater, at))
            assert folded == []
            (head,) = list_heads(store)
            assert (head.valid_from, head.observed_at) == (20, 39)

    def test_ties_count_what_another_process_has_stated(self, path: Path) -> None:
        less, greater = sorted("BC", key=lambda what: build_content(what).digest)
        with closing(SqliteStore(str(path))) as store, closing(SqliteStore(str(path))) as other:
            commit_statements(store, build_statement(greater, 1))
            commit_statements(store, build_statement(less, 3))
            commit_statements(other, build_statement("A", 2))
            commit_statements(store, build_statement(greater, 3))
            assert find_head(store) == build_head(greater, 3), "it does not continue the first one"

    @settings(max_examples=count_examples(150), deadline=None)
    @given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 2), st.sampled_from("xyz")), max_size=9))
    def test_ties_end_as_the_fold_ends(self, stated: list[tuple[str, int, str]]) -> None:
        with closing(SqliteStore()) as store:
            for at in range(len(stated)):
                commit_statements(store, build_statement(stated[at][0], stated[at][1], version=stated[at][2]))
                last = find_open_interval(
                    Observation(statement.observed_at, statement.content.digest, statement.version)
                    for statement in (build_statement(what, time, version=version) for what, time, version in stated[: at + 1])
                )
                (head,) = list_heads(store)
                assert last is not None
                observation = last.observation
                assert head.content is not None
                assert (head.content.digest, head.observed_at, head.version) == (
                    observation.digest,
                    observation.observed_at,
                    observation.version,
                )
                assert (head.valid_from, head.last_observed) == (last.valid_from, last.last_observed)


def make_older_store(path: Path) -> list[Head]:
    """Make a store of schema 3, which had no checksums; its heads."""
    with closing(SqliteStore(str(path))) as store:
        commit_statements(store, build_statement("A", 1), build_statement("B", 2, scope="t"))
        commit_statements(store, build_statement("C", 3))
        append_records(store, build_record("k"))
        store.commit(lambda _: Batch(raw=[RawEvent("s", 1, b"{}")]))
        store.write_setting("naming", "n")
        before = list_heads(store)
    with closing(sqlite3.connect(path)) as old:
        newer = {"run_summary", "run_asset", "event", "event_count", "packed_times", "dropped_run", "change_time"}
        for table in newer:
            old.execute(f"DROP TABLE {table}")
        for table in {*TABLES} - newer:
            old.execute(f"ALTER TABLE {table} DROP COLUMN crc")
        old.execute("ALTER TABLE run DROP COLUMN state_crc")
        old.execute("PRAGMA user_version = 3")
        old.commit()
    return before


class TestSortable:
    @pytest.mark.parametrize(
        "parts", [("",), ("", ""), ("a",), ("a\x00",), ("\x00", "\x01"), ("\x01\x02", "\x00\x01"), ("é", "🚀"), ("\x00",)]
    )
    def test_round_trip(self, parts: tuple[str, ...]) -> None:
        assert search_index.decode_sortable(search_index.encode_sortable(parts)) == parts

    @given(st.lists(st.tuples(*[st.text("\x00\x01\x02aé🚀\uffff", max_size=4)] * 2), min_size=2, max_size=2))
    def test_order(self, pair: list[tuple[str, ...]]) -> None:
        assert sorted(pair, key=search_index.encode_sortable) == sorted(pair)
        assert [search_index.decode_sortable(search_index.encode_sortable(parts)) for parts in pair] == pair

"""The contract of every store about the journal."""

from __future__ import annotations

import pytest

from meshline.graph.store.base import Batch, Changes, RawEvent, Record, RunReader, Store
from tests.stores.commits_contract import Boom
from tests.stores.statements import build_head, build_statement, commit_statements, find_head


def build_record(key: str = "", body: bytes = b"{}", *, kind: str = "audit", at: int = 1) -> Record:
    return Record(kind, key, at, body)


def append_records(store: Store, *records: Record) -> Changes:
    batch = Batch(journal=records)
    return store.commit(lambda _: batch)


def list_records(store: Store, kind: str = "") -> list[Record]:
    return [kept.record for kept in store.read_journal(kind)]


class JournalContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_records_come_back_in_the_order_of_commits(self, store: Store) -> None:
        given = [build_record(f"k{n % 7}" if n % 2 else "", str(n).encode(), kind="ab"[n % 2], at=100 - n) for n in range(7)]
        append_records(store, *given[:3])
        append_records(store, *given[3:])
        assert list_records(store) == given
        assert list_records(store, "a") == given[::2]
        assert list_records(store, "b") == given[1::2]
        assert list_records(store, "c") == []
        positions = [kept.position for kept in store.read_journal()]
        assert positions == sorted(set(positions))
        assert positions[0] > 0
        assert [kept.position for kept in store.read_journal("b")] == positions[1::2]
        assert store.read_journal("", positions[2], 2) == store.read_journal()[3:5]
        assert store.read_journal("a", positions[2], 1) == store.read_journal("a")[2:3]
        assert store.read_journal("", positions[-1]) == []
        assert store.read_journal("", 0, 0) == []

    def test_a_record_alone_gets_no_revision(self, store: Store) -> None:
        assert append_records(store, build_record("k"))[:2] == (0, [])
        assert store.read_revision() == 0
        assert commit_statements(store, build_statement("A", 1)).revision == 1
        assert append_records(store, build_record())[:2] == (1, [])
        assert store.read_changes(1)[:2] == (1, [])

    def test_a_key_of_a_kind_is_there_once_and_the_first_stays(self, store: Store) -> None:
        append_records(store, build_record("k", b"1"), build_record("k", b"2"), build_record("l", b"3"))
        append_records(
            store, build_record("k", b"4"), build_record("k", b"5", kind="notice"), build_record("m", b"6"), build_record("l", b"7", at=9)
        )
        append_records(store, build_record("k", b"1"))
        assert list_records(store) == [
            build_record("k", b"1"),
            build_record("l", b"3"),
            build_record("k", b"5", kind="notice"),
            build_record("m", b"6"),
        ]

    def test_without_a_key_it_is_always_new(self, store: Store) -> None:
        append_records(store, build_record(), build_record())
        append_records(store, build_record())
        assert list_records(store) == [build_record()] * 3

    @pytest.mark.parametrize("body", [b"", b"\x00\xff", b"x" * 300_000])
    @pytest.mark.parametrize("key", ["\u00fc\x00", "k" * 20_000])
    def test_keys_and_bodies_are_kept_as_they_came(self, store: Store, key: str, body: bytes) -> None:
        given = [build_record(key, body, kind="\u00e9\x00"), build_record(key + "x", body, at=-1), build_record(key, body)]
        append_records(store, *given)
        append_records(store, *given)
        assert list_records(store) == given

    def test_records_and_statements_are_one_commit(self, store: Store) -> None:
        batch = Batch(
            statements=[build_statement("A", 1)], raw=[RawEvent("x/x", 1, b"{}")], settings={"position": "1"}, journal=[build_record("k")]
        )
        assert store.commit(lambda _: batch).revision == 1
        assert (find_head(store), store.read_setting("position"), list_records(store)) == (build_head("A", 1), "1", [build_record("k")])

        def raise_boom(_: RunReader) -> Batch:
            raise Boom

        with pytest.raises(Boom):
            store.commit(raise_boom)
        for bad in (
            Batch(statements=[build_statement("B", 2)], journal=[build_record("l"), build_record("m", None)]),  # type: ignore[arg-type]
            Batch(settings={"position": "2"}, journal=[build_record("l")], raw=[RawEvent("x/x", 1, None)]),  # type: ignore[arg-type]
        ):
            with pytest.raises(Exception):  # noqa: B017, PT011 - each driver raises its own error for a wrong type
                store.commit(lambda _, bad=bad: bad)  # type: ignore[misc]
        assert (find_head(store), store.read_setting("position"), list_records(store)) == (build_head("A", 1), "1", [build_record("k")])
        append_records(store, build_record("l"))
        assert list_records(store) == [build_record("k"), build_record("l")]

    def test_many_records_at_once(self, store: Store) -> None:
        append_records(store, *(build_record(str(n % 2000), str(n).encode()) for n in range(3000)))
        found = store.read_journal("audit", 0, 5000)
        assert [kept.record.body for kept in found] == [str(n).encode() for n in range(2000)]

"""Packing observations changes no answer of a store, as of whichever time, nor the effect of what is stated afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import StoreCorrupt
from meshline.graph.store.base import Retention, Store
from meshline.graph.store.packed_times import FIRST, Packer, Position, build_block
from meshline.graph.store.sqlite import SqliteStore, packed_times
from meshline.graph.store.sqlite.maintenance import compact_file, list_file_checks
from tests.sizes import count_examples
from tests.stores.history_contract import (
    FOREVER,
    HistoryContract,
    PackingContract,
    Step,
    check_packing_changes_no_answer,
    examine_run,
    pack,
    read_answers,
    steps,
)
from tests.stores.statements import build_statement, commit_statements, find_head


class TestSqlite(HistoryContract, PackingContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        path = str(tmp_path / "mesh.db")
        with closing(SqliteStore(path)) as store:
            yield store
        assert [problem for check in list_file_checks(path) for problem in check.problems] == []


@settings(max_examples=count_examples(50), deadline=None)
@given(steps)
def test_packing_changes_no_answer(given_steps: list[Step]) -> None:
    with closing(SqliteStore()) as packed, closing(SqliteStore()) as whole:
        check_packing_changes_no_answer(packed, whole, given_steps)


@settings(max_examples=count_examples(100), deadline=None)
@given(st.lists(st.integers(1, 2**52), min_size=1, max_size=40), st.integers(-(2**52), 2**52))
def test_times_are_read_back(steps: list[int], first: int) -> None:
    times = [first + sum(steps[:end]) for end in range(len(steps) + 1)]
    block = build_block(1, 0, 2, times)
    assert (block.decode(), block.size, block.first, block.last) == (times, len(times), times[0], times[-1])


@pytest.mark.parametrize("times", [b"", b"\x00", b"\x09", b"\x02\x01", b"\x01\x05"])
def test_damaged_times_are_refused(times: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="packed times"):
        build_block(1, 0, 2, [1, 2])._replace(times=times).decode()


def test_small_steps_give_the_same() -> None:
    with closing(SqliteStore()) as store:
        stated = [build_statement("AAB"[at % 7 // 3], at, scope=f"s{scope}") for at in range(40) for scope in range(3)]
        commit_statements(store, *stated)
        before = read_answers(store, FOREVER)
        packer: Packer[int] = Packer(40, rows=4)
        position: Position | None = FIRST
        while position is not None:
            with store._connections.begin_writing() as connection:
                _, position = packed_times.pack(connection, packer, position)
        assert pack(store, 40) > 0  # at the seams of the steps
        assert pack(store, 40) == 0
        assert read_answers(store, FOREVER) == before


def test_another_handle_that_was_open_writes_on(tmp_path: Path) -> None:
    """Labels and contents stay while processes have the file open, for these cache their ids; compaction drops them."""
    path = str(tmp_path / "mesh.db")
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as other:
        commit_statements(one, *(build_statement("A", at, version=f"{at}@x") for at in range(9)))
        assert pack(other, 9) == 7
        commit_statements(one, build_statement("B", 4, version="4@x"), build_statement("A", 20, version="5@x"))
        assert find_head(other, as_of=4) == find_head(one, as_of=4)
    done = compact_file(path, 0, Retention(observations=30), examine_run)
    assert (done.pruned.observations, done.labels > 0) == (5, True)
    assert [problem for check in list_file_checks(path) for problem in check.problems] == []

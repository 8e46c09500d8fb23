"""A check finds no problem in an undamaged store, whatever was committed; and compacting changes no answer."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index.integrity import check_index
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Precedence, Statement
from meshline.graph.store.base import Batch, Retention, RunAge, Store
from meshline.graph.store.integrity import Check, run_checks
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.store.sqlite.maintenance import compact_file, list_file_checks
from tests.index.strategies import any_statement
from tests.sizes import count_examples
from tests.stores.strategies import draw_batches


def list_problems(found: list[Check]) -> list[str]:
    return [problem for check in found for problem in check.problems]


def read_answers(store: Store) -> tuple[Any, ...]:
    heads = sorted(head for batch in store.iterate_heads() for head in batch)
    past = [sorted(head._replace(version="") for batch in store.iterate_heads(at) for head in batch) for at in range(14)]
    scopes = [head.scope_id for head in store.read_changes(0).heads]
    return (
        heads,
        past,
        dict(store.read_history(scopes)),
        store.read_revision(),
        store.read_raw_events(0, 1000),
        store.read_journal("", 0, 1000),
    )


@settings(max_examples=count_examples(60), deadline=None)
@given(st.lists(st.lists(any_statement, max_size=6), max_size=5))
def test_a_sound_graph_passes(batches: list[list[Statement]]) -> None:
    with closing(SqliteStore()) as store:
        for batch in batches:
            store.commit(lambda _, batch=batch: Batch(statements=batch))  # type: ignore[misc]
        assert list_problems([*run_checks(store), *check_index(store, Precedence())]) == []
        assert LiveGraph.open(store).index.revision == store.read_revision()


@settings(max_examples=count_examples(40), deadline=None)
@given(st.lists(draw_batches(), max_size=6), st.sampled_from(range(14)))
def test_a_sound_file_passes_and_compacting_changes_nothing(batches: list[Batch], at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "mesh.db")
        with closing(SqliteStore(path)) as store:
            for batch in batches:
                store.commit(lambda _, batch=batch: batch)  # type: ignore[misc]
            runs = {run.key for batch in batches for run in batch.runs}
            before, known = read_answers(store), store.read_runs(runs)
        assert list_problems(list(list_file_checks(path))) == []
        compact_file(path, -(2**60), Retention(observations=at, runs=-(2**60)), lambda _run, _pairs: RunAge(0, "", is_witness=False))
        assert list_problems(list(list_file_checks(path))) == []
        with closing(SqliteStore(path)) as store:
            assert (read_answers(store), store.read_runs(runs)) == (before, known)
            for batch in batches:  # committed again by a store that remembers nothing of it: nothing changes
                store.commit(lambda _, batch=batch: batch._replace(raw=(), journal=()))  # type: ignore[misc]
            assert sorted(head for each in store.iterate_heads() for head in each) == before[0]
        assert list_problems(list(list_file_checks(path))) == []

"""The laws of statements (design: semantics), as functions that a store's test module calls.

`opened` is a function that opens a new, empty store; the caller closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from meshline.graph import index_file, past_index
from meshline.graph.index_file import Snapshots
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Scope, Statement
from meshline.graph.store.base import Batch, Retention, Run, RunAge, Store, Withdrawal
from tests.index.heads import Fold
from tests.stores.statements import HeadSummaries, read_graph
from tests.stores.strategies import TIMES

StoreOpener = Callable[[], Store]
At = int | None
EVERY_TIME: tuple[At, ...] = (None, *TIMES, 20)


def commit_batches(store: Store, batches: Sequence[Sequence[Statement]]) -> None:
    for batch in batches:
        store.commit(lambda _, batch=batch: Batch(statements=batch))  # type: ignore[misc]


def read_graphs(opened: StoreOpener, batches: Sequence[Sequence[Statement]]) -> dict[At, HeadSummaries]:
    """The graph of a store as of every time, after these batches."""
    with closing(opened()) as store:
        commit_batches(store, batches)
        return {at: read_graph(store, at) for at in EVERY_TIME}


def check_order_and_batches_mean_nothing(
    opened: StoreOpener, one: Sequence[Sequence[Statement]], other: Sequence[Sequence[Statement]]
) -> None:
    """Law 1. `other` contains the statements of `one` in another order and other batches, some of them twice."""
    assert {s for batch in one for s in batch} == {s for batch in other for s in batch}
    assert read_graphs(opened, one) == read_graphs(opened, other)


def check_a_statement_changes_its_scope_only(opened: StoreOpener, known: Sequence[Statement], new: Statement) -> None:
    """Law 2."""
    with closing(opened()) as store:
        commit_batches(store, [known])
        before = {at: exclude_scope(read_graph(store, at), new) for at in EVERY_TIME}
        changes = store.commit(lambda _: Batch(statements=[new]))
        assert {(head.source, head.scope) for head in changes.heads} <= {(new.source, new.scope)}
        assert {at: exclude_scope(read_graph(store, at), new) for at in EVERY_TIME} == before


def exclude_scope(heads: HeadSummaries, statement: Statement) -> dict[tuple[str, Scope], object]:
    return {scope: head for scope, head in heads.items() if scope != (statement.source, statement.scope)}


def check_what_is_known_changes_last_observed_only(opened: StoreOpener, known: Sequence[Statement]) -> None:
    """Law 3: repeats change nothing; a later statement with the same content changes the times of its scope only."""
    with closing(opened()) as store:
        commit_batches(store, [known])
        before, revision = read_graph(store), store.read_revision()
        commit_batches(store, [known, list(reversed(known))])
        assert (read_graph(store), store.read_revision()) == (before, revision)
        again = [
            Statement(source, scope, 50, next(s.content for s in known if s.content.digest == head.digest), "again", head.provisional)
            for (source, scope), head in before.items()
        ]
        commit_batches(store, [again])
        expected = {scope: head._replace(observed_at=50, last_observed=50, version="again") for scope, head in before.items()}
        assert read_graph(store) == expected


def check_as_of_is_what_was_known(opened: StoreOpener, statements: Sequence[Statement], at: int) -> None:
    """Law 4. An end that was still in the future was not known either."""
    known = [s._replace(until=None if s.until is not None and s.until > at else s.until) for s in statements if s.observed_at <= at]
    with closing(opened()) as store, closing(opened()) as then:
        commit_batches(store, [statements])
        commit_batches(then, [known])
        assert read_graph(store, at) == read_graph(then)


def check_a_past_index_is_of_what_was_known(opened: StoreOpener, batches: Sequence[Sequence[Statement]], chance: Random) -> None:
    """Law 4, for indexes as of times that are made of the index in a file, and kept while others commit, withdraw and pack."""
    with closing(opened()) as store, TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_file, "LEAST_HEADS", 0)
        patch.setattr(past_index, "DIFFERENT_SHARE", 0)  # whatever is different
        patch.setattr(past_index, "READ_AT_ONCE", 2)
        live = LiveGraph.open(store, snapshots=Snapshots(Path(folder) / "index"))
        stated: list[Statement] = []
        for batch in batches:
            gone = {Withdrawal(s.source, s.scope, s.version) for s in chance.sample(stated, min(len(stated), chance.randrange(3)))}
            live.commit(lambda _, batch=batch, gone=gone: Batch(statements=batch, withdrawals=[*gone]))  # type: ignore[misc]
            stated = [s for s in stated if Withdrawal(s.source, s.scope, s.version) not in gone] + [*batch]
            if chance.random() < 0.5:
                live.keep_index()
            if chance.random() < 0.3:
                live = LiveGraph.open(store, snapshots=Snapshots(Path(folder) / "index"))
            if chance.random() < 0.2:
                store.prune_history(Retention(observations=chance.randrange(13)), keep_run)
            for at in chance.sample(range(-1, 13), 2):
                known = Fold()
                known.add(*dict.fromkeys(s for s in stated if s.observed_at <= at))
                found = live.get_index(at)
                assert found.dump() == known.build_index().dump()
                assert (found.as_of, found.revision) == (at, live.revision)
                assert found.known_later == LiveGraph.open(store).get_index(at).known_later


def keep_run(_run: Run, _pairs: object) -> RunAge:
    return RunAge(20, "", is_witness=False)


def check_an_index_continues_from_its_file(opened: StoreOpener, batches: Sequence[Sequence[Statement]], chance: Random) -> None:
    """Law 7, for processes that keep their index in a file and end at any time: with changes that are in it, and others that are not."""
    with closing(opened()) as store, TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_file, "LEAST_HEADS", 0)
        path = Path(folder) / "index"
        live = LiveGraph.open(store, snapshots=Snapshots(path))
        for batch in batches:
            live.commit(lambda _, batch=batch: Batch(statements=batch))  # type: ignore[misc]
            if chance.random() < 0.5:
                live.keep_index()
            if chance.random() < 0.5:
                live = LiveGraph.open(store, snapshots=Snapshots(path))
        live.keep_index()
        again = LiveGraph.open(store, snapshots=Snapshots(path))
        assert live.index.dump() == again.index.dump() == LiveGraph.open(store).index.dump()

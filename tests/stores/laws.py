"""The laws of statements (design: semantics), as functions that a store's test module calls.

`opened` is a function that opens a new, empty store; the caller closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from meshline.graph.model import Scope, Statement
from meshline.graph.store.base import Batch, Store
from tests.stores.said import Sayings, graph
from tests.stores.strategies import TIMES

Opened = Callable[[], Store]
At = int | None
EVERY_TIME: tuple[At, ...] = (None, *TIMES, 20)


def take_in(store: Store, batches: Sequence[Sequence[Statement]]) -> None:
    for batch in batches:
        store.commit(lambda _, batch=batch: Batch(statements=batch))  # type: ignore[misc]


def graphs(opened: Opened, batches: Sequence[Sequence[Statement]]) -> dict[At, Sayings]:
    """What a store says at every time after these batches."""
    with closing(opened()) as store:
        take_in(store, batches)
        return {at: graph(store, at) for at in EVERY_TIME}


def check_order_and_batches_mean_nothing(opened: Opened, one: Sequence[Sequence[Statement]], other: Sequence[Sequence[Statement]]) -> None:
    """Law 1. `other` holds the statements of `one` in another order and other batches, some of them twice."""
    assert {s for batch in one for s in batch} == {s for batch in other for s in batch}
    assert graphs(opened, one) == graphs(opened, other)


def check_a_statement_touches_its_scope_only(opened: Opened, known: Sequence[Statement], new: Statement) -> None:
    """Law 2."""
    with closing(opened()) as store:
        take_in(store, [known])
        before = {at: others(graph(store, at), new) for at in EVERY_TIME}
        changes = store.commit(lambda _: Batch(statements=[new]))
        assert {(head.source, head.scope) for head in changes.heads} <= {(new.source, new.scope)}
        assert {at: others(graph(store, at), new) for at in EVERY_TIME} == before


def others(said: Sayings, statement: Statement) -> dict[tuple[str, Scope], object]:
    return {scope: saying for scope, saying in said.items() if scope != (statement.source, statement.scope)}


def check_what_is_known_changes_last_observed_only(opened: Opened, known: Sequence[Statement]) -> None:
    """Law 3: repeats change nothing; what a scope says, said again later, changes its times only."""
    with closing(opened()) as store:
        take_in(store, [known])
        before, revision = graph(store), store.read_revision()
        take_in(store, [known, list(reversed(known))])
        assert (graph(store), store.read_revision()) == (before, revision)
        again = [
            Statement(source, scope, 50, next(s.content for s in known if s.content.digest == said.digest), "again", said.provisional)
            for (source, scope), said in before.items()
        ]
        take_in(store, [again])
        moved = {scope: said._replace(observed_at=50, last_observed=50, version="again") for scope, said in before.items()}
        assert graph(store) == moved


def check_as_of_is_what_was_known(opened: Opened, statements: Sequence[Statement], at: int) -> None:
    """Law 4. An end that was still to come was not known either."""
    known = [s._replace(until=None if s.until is not None and s.until > at else s.until) for s in statements if s.observed_at <= at]
    with closing(opened()) as store, closing(opened()) as then:
        take_in(store, [statements])
        take_in(then, [known])
        assert graph(store, at) == graph(then)

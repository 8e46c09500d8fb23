"""The laws of statements on the SQLite store."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.model import Statement
from meshline.graph.store.sqlite import SqliteStore
from tests.index.strategies import any_statement, draw_lists
from tests.sizes import count_examples
from tests.stores import laws
from tests.stores.strategies import TIMES, draw_rebatched, draw_statements

some = st.lists(draw_statements(), min_size=1, max_size=12)
many_examples = settings(max_examples=count_examples(200), deadline=None)


@many_examples
@given(st.data(), some)
def test_order_and_batches_mean_nothing(data: st.DataObject, stated: list[Statement]) -> None:
    one: Sequence[Sequence[Statement]] = [[s] for s in stated]
    laws.check_order_and_batches_mean_nothing(SqliteStore, one, data.draw(draw_rebatched(stated)))


@many_examples
@given(some, draw_statements())
def test_a_statement_changes_its_scope_only(known: list[Statement], new: Statement) -> None:
    laws.check_a_statement_changes_its_scope_only(SqliteStore, known, new)


@many_examples
@given(some)
def test_what_is_known_changes_last_observed_only(known: list[Statement]) -> None:
    laws.check_what_is_known_changes_last_observed_only(SqliteStore, known)


@many_examples
@given(some, st.sampled_from(TIMES))
def test_as_of_is_what_was_known(stated: list[Statement], at: int) -> None:
    laws.check_as_of_is_what_was_known(SqliteStore, stated, at)


@settings(max_examples=count_examples(10), deadline=None)
@given(st.lists(draw_lists(any_statement, 5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_an_index_continues_from_its_file(batches: list[list[Statement]], chance: Random) -> None:
    laws.check_an_index_continues_from_its_file(SqliteStore, batches, chance)


@settings(max_examples=count_examples(40), deadline=None)
@given(st.lists(draw_lists(any_statement, 5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_past_index_is_of_what_was_known(batches: list[list[Statement]], chance: Random) -> None:
    laws.check_a_past_index_is_of_what_was_known(SqliteStore, batches, chance)

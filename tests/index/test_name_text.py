"""Names that end with a text, or that it ends with, are found as by looking at all names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import suggestions
from meshline.graph.index.arrays import N_NAMES
from meshline.graph.index.suggestions import NameText
from tests.index.heads import Fold, build_schema, build_statement
from tests.sizes import count_examples

words = st.text(st.sampled_from("aBÄ.\0"), max_size=4)
names = st.one_of(words, st.builds(lambda word: word + "abcdefghijklmnopqr", words), st.builds(lambda word: "x" * 20 + word, words))
batches = st.lists(names, min_size=1, max_size=6)


@pytest.fixture(scope="module")
def _sort_often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suggestions, "_RECENT", 3)
        yield


@pytest.mark.usefixtures("_sort_often")
@given(st.lists(batches, min_size=1, max_size=4), batches, st.integers(0, 3))
@settings(max_examples=count_examples(300), deadline=None)
def test_names_with_an_ending_are_found_as_by_looking_at_all(changes: list[list[str]], texts: list[str], few: int) -> None:
    fold = Fold()
    index = fold.build_index()
    tables, found = index._tables, NameText(index._tables)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suggestions, "_FEW", few)
        for number, batch in enumerate(changes):
            index.changes.apply(fold.add(build_statement(build_schema("d", *batch), ("dataset", "d", str(number)))))
            known = {name: tables.get_text(name).casefold() for name in range(int(tables.counts[N_NAMES]))}
            for text in [*texts, *batch]:
                folded = text.casefold()
                expected = [n for n, name in known.items() if name.endswith(folded) or folded.endswith(name)]
                assert sorted(found.list_ending(text).tolist()) == expected

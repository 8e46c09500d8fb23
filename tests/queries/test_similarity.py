"""Similar texts, against `difflib`."""

from __future__ import annotations

import difflib

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.similarity import bound_ratios, find_close_matches
from tests.sizes import count_examples

texts = st.one_of(
    st.text("abc_.é😀", max_size=12), st.sampled_from(["layer1.dataset_12", "layer1.datset_12", "layer2.dataset_21", "email"])
)


@settings(max_examples=count_examples(300))
@given(texts, st.lists(texts, max_size=12), st.integers(1, 5), st.sampled_from([0.3, 0.6, 0.9]))
def test_matches_are_those_of_difflib(text: str, candidates: list[str], most: int, cutoff: float) -> None:
    expected = difflib.get_close_matches(text, dict.fromkeys(candidates), most, cutoff) if text else []
    assert [one for one in find_close_matches(text, candidates, most, cutoff) if one or text] == expected


@settings(max_examples=count_examples(200))
@given(texts.filter(bool), st.lists(texts, max_size=8))
def test_no_ratio_exceeds_its_bound(text: str, others: list[str]) -> None:
    for other, bound in zip(others, bound_ratios(text, others).tolist(), strict=True):
        assert difflib.SequenceMatcher(None, other, text).ratio() <= bound + 1e-12
        assert bound <= 1


def test_long_texts_are_compared_by_their_ends() -> None:
    long = "part." * 900 + "customers"
    assert find_close_matches(long, [long[:-1], "customers", "x" * len(long)], 5, 0.6) == [long[:-1]]
    assert find_close_matches("a" * 4096, ["b" * 4000] * 2 + ["c"] * 300, 5, 0.6) == []

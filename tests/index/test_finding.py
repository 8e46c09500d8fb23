"""Ids of very many assets are worked out by a kernel: they must be the model's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import finding
from meshline.graph.model import AssetFact, AssetKey, Facts, column, consumer, dataset, job
from tests.index.heads import index_of, says

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)
keys = st.one_of(
    st.builds(dataset, texts, texts),
    st.builds(lambda ns, name, own: column(dataset(ns, name), own), texts, texts, texts),
    st.builds(job, texts, texts),
    st.builds(consumer, texts),
)


@settings(max_examples=200)
@given(st.lists(keys, min_size=1, max_size=6))
def test_the_kernel_s_ids_are_the_model_s(found: list[AssetKey]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "_RECENT", 0)
        index = index_of(says(Facts(assets=tuple(AssetFact(key, {}) for key in found)), ("s",)))
        for key in found:
            assert index.find(key.id) == index.node(key) is not None

"""What lists show, for all assets at once, against the same rules asset by asset: after a load, and after each change."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import LineageIndex
from meshline.graph.model import Statement
from meshline.graph.queries.asset_lists import is_listed
from tests.index.heads import NS, Fold, build_schema, build_statement, state_schema
from tests.index.strategies import any_statement, datasets, draw_lists, times
from tests.sizes import count_examples

NAMES = ("x", "y", "z")
listings = st.builds(
    lambda of, names, at, source, scope: build_statement(build_schema(of, *names), ("dataset", NS, of, *scope), at, source=source),
    datasets,
    st.lists(st.sampled_from(NAMES), unique=True, min_size=1),
    times,
    st.sampled_from(("openlineage/test", "openlineage/test", "openlineage/other", "iceberg/cat", "iceberg/other", "hive/cat")),
    st.sampled_from((("schema",), ("schema",), ("schema-part", "1"), ("schema-part", "2"), ("table",))),
)


def list_marked(index: LineageIndex) -> list[int]:
    reps = np.unique(index.lineage.get_representatives(np.arange(index.changes.count_nodes(), dtype=np.int32))).astype(np.int64)
    found: list[int] = reps[index._shown.mark_listed(reps)].tolist()
    return found


def list_one_by_one(index: LineageIndex) -> list[int]:
    reps = {index.assets.get_representative(node) for node in range(index.changes.count_nodes())}
    return sorted(node for node in reps if is_listed(index, node))


@given(draw_lists(st.one_of(listings, listings, any_statement)), st.integers(0, 12))
@settings(max_examples=count_examples(80), deadline=None)
def test_all_at_once_is_as_one_by_one(statements: list[Statement], first: int) -> None:
    fold = Fold()
    fold.add(*statements[:first])
    index = fold.build_index()
    assert list_marked(index) == list_one_by_one(index)
    for statement in statements[first:]:
        index.changes.apply(fold.add(statement))
        assert list_marked(index) == list_one_by_one(index)


def test_the_catalog_decides_that_listed_last_also_when_it_only_repeats() -> None:
    fold = Fold()
    fold.add(state_schema("a", "x", "y", at=1, source="iceberg/one"), state_schema("a", "x", at=2, source="iceberg/two"))
    index = fold.build_index()
    names = ["a", "a.x"]
    assert [index.assets.get_key(node).parts[1:] for node in list_marked(index)] == [tuple(name.split(".")) for name in names]
    index.changes.apply(fold.add(state_schema("a", "x", "y", at=3, source="iceberg/one")))
    assert len(list_marked(index)) == 3

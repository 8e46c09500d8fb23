"""Tags that the index knows without reading the store are those that the facts give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, Facts, Json, Statement
from meshline.graph.queries.assets import read_attributes
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from tests.index.heads import build_statement, to_column
from tests.index.strategies import any_statement, columns, times

TAG_LISTS: tuple[Json, ...] = (["pii"], ["a", "b=c"], [{"key": "k", "value": 1}, {"key": "k"}, 3], [], "no list")

tagged = st.builds(
    lambda c, tags, scope, at: build_statement(
        Facts(assets=(AssetFact(to_column(c), {"tags": tags}),)), ("note", c, str(scope)), at, source="person/p"
    ),
    columns,
    st.sampled_from(TAG_LISTS),
    st.integers(0, 1),
    times,
)


@given(st.lists(st.lists(st.one_of(tagged, tagged, any_statement), min_size=1, max_size=4), max_size=6))
def test_tags_are_those_of_the_facts(commits: list[list[Statement]]) -> None:
    live = LiveGraph.open(SqliteStore())
    for commit in commits:
        live.commit(lambda _, commit=commit: Batch(statements=commit))  # type: ignore[misc]
    index = live.index
    keys = {key for commit in commits for one in commit for key in _list_columns(one)}
    some = [node for key in keys if (node := index.assets.find_by_key(key)) is not None]
    known = read_attributes(live, index, some)
    for node, of_node in zip(some, known, strict=True):
        assert index.assets.list_tags(node) == {tag.key if tag.value is None else f"{tag.key}={tag.value}" for tag in of_node.tags}
    personal = {index.assets.get_representative(node) for node in some if "pii" in index.assets.list_tags(node)}
    assert personal <= set(index.assets.survey().find_tagged(lambda tags: "pii" in tags).tolist())


def _list_columns(statement: Statement) -> list[AssetKey]:
    return [to_column(statement.scope[1])] if statement.scope[0] == "note" else []

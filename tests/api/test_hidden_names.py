"""What a caller can learn with the ids, names, aliases and cursors of assets that he may not see: as little as with those of none."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

import meshline
from meshline.api.graphql.execution import Executor
from meshline.app.tokens import NO_AUTHENTICATION
from meshline.graph.model import EdgeType, build_column_key, build_dataset_key
from tests.api.test_two_worlds import ask, open_world
from tests.api.worlds import MARKS, PLAIN, STRANGE, USUAL, World
from tests.queries import mesh

OURS = f"{Path(meshline.__file__).parent}/"
PAGE = "edges { cursor } pageInfo { endCursor hasNextPage } totalCount"
PLACES = {  # lists and searches that come in pages
    "datasets": f"datasets(first: 1, after: $after) {{ nodes {{ name }} {PAGE} }}",
    "jobs": f"jobs(first: 1, after: $after) {{ nodes {{ name }} {PAGE} }}",
    "owners": f"owners(first: 1, after: $after) {{ nodes {{ name }} {PAGE} }}",
    "search": f'search(text: "a", first: 1, after: $after) {{ nodes {{ name }} {PAGE} }}',
    "impact": f"impact(of: [$id]) {{ assets(first: 1, after: $after) {{ nodes {{ node {{ name }} }} {PAGE} }} }}",
}
LOOKUPS = {
    "node": "query($id: ID!) { node(id: $id) { id } }",
    "nodes": "query($id: ID!) { nodes(ids: [$id]) { id } }",
    "impact": "query($id: ID!) { impact(of: [$id]) { total } }",
    "lineage": "query($id: ID!) { lineage(of: [$id]) { nodes { asset { id } } } }",
    "resolve": "query($text: String!) { resolve(name: $text) { id } }",
    "dataset": 'query($text: String!) { dataset(namespace: "wh", name: $text) { id } }',
}


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[str, Executor]]:
    """Two meshes that differ in what is secret. Each secret dataset has a second name in a namespace of its own."""
    with ExitStack() as opened:
        yield {secret.word: opened.enter_context(open_world(AliasedWorld(USUAL, secret))) for secret in (PLAIN, STRANGE)}


class AliasedWorld(World):
    def list_statements(self) -> Iterator[Any]:
        yield from super().list_statements()
        for dataset in self.datasets[3:]:
            alias = build_dataset_key("files", f"/{dataset.name}")
            yield mesh.build_edge_statement(EdgeType.SAME_AS, dataset, alias, why="the same files")


def list_cursors(executor: Executor, field: str, start: str) -> list[str]:
    """All cursors of a list that a caller gets who sees everything."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = ask_page(executor, field, start, after, NO_AUTHENTICATION)
        found += [edge["cursor"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def ask_page(executor: Executor, field: str, start: str, after: str | None, *actor: Any) -> Any:
    used = "$id: ID!, " if "$id" in PLACES[field] else ""
    body = ask(executor, f"query({used}$after: String) {{ {PLACES[field]} }}", {"id": start, "after": after}, *actor)
    assert "errors" not in body, body
    found = body["data"][field]
    return found.get("assets", found)


@pytest.mark.parametrize("field", PLACES)
def test_cursors_of_what_is_hidden(worlds: dict[str, Executor], field: str) -> None:
    """A cursor that another caller got names the asset behind which a page begins. The caller that uses it learns nothing of that asset."""
    start = build_dataset_key("wh", "open.0").id
    one, other = worlds.values()
    cursors = {cursor for executor in worlds.values() for cursor in list_cursors(executor, field, start)}
    assert len(cursors) >= 3
    for cursor in cursors:
        page = msgspec.json.encode(ask_page(one, field, start, cursor))
        assert msgspec.json.encode(ask_page(other, field, start, cursor)) == page
        assert MARKS[0].encode() not in page


def test_aliases_of_what_is_hidden(worlds: dict[str, Executor]) -> None:
    """By none of its names an asset is found, nor by the ids of these."""
    for secret, of in worlds.items():
        name = f"/{secret}.1"
        key = build_dataset_key("files", name)
        for text in (f"files/{name}", name, f"files/{name}.a", "files"):
            for query, id_ in ((query, id_) for query in LOOKUPS.values() for id_ in (key.id, build_column_key(key, "a").id)):
                answers = {msgspec.json.encode(ask(executor, query, {"text": text, "id": id_})) for executor in worlds.values()}
                assert len(answers) == 1, (query, text)
        every = ask(of, LOOKUPS["node"], {"text": "", "id": key.id}, NO_AUTHENTICATION)
        assert every["data"]["node"] is not None, "it is there"


def count_calls(act: Callable[[], Any]) -> Counter[str]:
    """How often each function of ours is called: what a look-up does, and so what it takes, without a clock."""
    found: Counter[str] = Counter()

    def record(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            found[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1

    sys.setprofile(record)
    try:
        act()
    finally:
        sys.setprofile(None)
    return found


MORE = 1.25  # times the calls of a look-up of nothing: that a name is there must be found before it is hidden


@pytest.mark.parametrize("field", LOOKUPS)
def test_a_look_up_of_what_is_hidden_does_what_one_of_nothing_does(worlds: dict[str, Executor], field: str) -> None:
    """It reads nothing from the store, and ends where the name is found to be hidden."""
    executor = worlds[PLAIN.word]
    hidden = f"{PLAIN.word}.1"

    def look_up(name: str) -> Counter[str]:
        variables = {"text": name, "id": build_dataset_key("wh", name).id}
        ask(executor, LOOKUPS[field], variables)  # so that what is kept is kept
        return count_calls(lambda: ask(executor, LOOKUPS[field], variables))

    found, nothing, seen = (look_up(name) for name in (hidden, hidden.replace("a", "e"), "open.1"))
    assert [call for call in found if "/graph/store/" in call] == []
    assert nothing.total() <= found.total() <= MORE * nothing.total()
    assert seen.keys() - found.keys(), "what is seen is answered"

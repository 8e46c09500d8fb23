"""A look-up of what is hidden takes the same steps as one of what is not there: how long it takes does not show which of the two it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from meshline.api.graphql.execution import Executor
from meshline.graph.model import AssetKey, AssetKind, build_column_key, build_dataset_key, build_job_key
from tests.api.test_two_worlds import ask, open_world
from tests.api.worlds import MARKS, PLAIN, USUAL, World

MISSING = "nought"  # as long as what is hidden: how long a text is compared is not what is measured
NODE = "query($id: ID!) { node(id: $id) { id } }"
IMPACT = "query($id: ID!) { impact(of: [$id]) { total } }"
BUILD: dict[str, Callable[[str], AssetKey]] = {
    "dataset": lambda word: build_dataset_key("wh", f"{word}.0"),
    "column": lambda word: build_column_key(build_dataset_key("wh", f"{word}.0"), "a"),
    "job": lambda word: build_job_key("air", f"{word}_load_3"),
    "domain": lambda word: AssetKey(AssetKind.DOMAIN, (word,)),
    "product": lambda word: AssetKey(AssetKind.DATA_PRODUCT, (f"{word}-product",)),
    "owner": lambda word: AssetKey(AssetKind.OWNER, (f"{word}_team-1",)),
    "consumer": lambda word: AssetKey(AssetKind.CONSUMER, (f"{word}_app-1",)),
}


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with open_world(World(USUAL, PLAIN)) as found:
        yield found


def trace(executor: Executor, query: str, **variables: str) -> list[str]:
    """What functions of ours call to answer a question, in order, when all that is remembered of earlier ones is."""
    called: list[str] = []

    def note(frame: FrameType, event: str, function: object) -> None:
        if event in ("call", "c_call") and frame.f_globals.get("__name__", "").startswith("meshline."):
            called.append(frame.f_code.co_qualname if event == "call" else getattr(function, "__qualname__", ""))

    for _ in range(3):
        ask(executor, query, variables)
    sys.setprofile(note)
    try:
        ask(executor, query, variables)
    finally:
        sys.setprofile(None)
    return called


@pytest.mark.parametrize("kind", BUILD)
@pytest.mark.parametrize("query", [NODE, IMPACT], ids=["node", "impact"])
def test_an_id(executor: Executor, kind: str, query: str) -> None:
    hidden, missing = (BUILD[kind](word).id for word in (MARKS[0], MISSING))
    steps = trace(executor, query, id=hidden)
    assert len(steps) > 100
    assert trace(executor, query, id=missing) == steps


def test_an_exact_name(executor: Executor) -> None:
    """But for the name itself, which is not kept anywhere if nothing ever had it."""
    dataset = 'query($name: String!) { dataset(namespace: "wh", name: $name) { id } }'
    steps = [len(trace(executor, dataset, name=f"{word}.0")) for word in (MARKS[0], MISSING)]
    assert abs(steps[0] - steps[1]) < 20  # of two thousand with those of libraries
    job = 'query($name: String!) { job(namespace: "air", name: $name) { id } }'
    assert trace(executor, job, name=f"{MISSING}_load_3") == trace(executor, job, name=f"{MARKS[0]}_load_3")

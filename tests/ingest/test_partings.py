"""What keeps two names apart may have an end: then it is retracted, as of that end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import EdgeType, from_micros, get_current_micros
from meshline.graph.naming import Naming
from meshline.ingest import mesh
from meshline.ingest.partings import end_partings
from tests.api.conftest import AskGraph
from tests.ingest.sources.fake_source import open_graph
from tests.queries.test_identity import LAKE, TRINO, load_dataset, load_same_as

HOUR = 3_600_000_000
PART = """mutation($a: ID!, $b: ID!, $until: DateTime) {
  notSameAs(dataset: $a, other: $b, why: "two feeds", by: "ann", until: $until) { statement } }"""


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        load_dataset(found, LAKE)
        load_dataset(found, TRINO)
        load_same_as(found, LAKE, TRINO)
        yield found


def part(live: LiveGraph, until: int | None) -> None:
    end = None if until is None else from_micros(until).isoformat()
    AskGraph(live)(PART, a=LAKE.id, b=TRINO.id, until=end)


def is_one(live: LiveGraph, as_of: int | None = None) -> bool:
    index = live.get_index(as_of)
    nodes = [index.assets.find_by_key(key) for key in (LAKE, TRINO)]
    return (
        nodes[0] is not None
        and nodes[1] is not None
        and index.assets.get_representative(nodes[0]) == index.assets.get_representative(nodes[1])
    )


def load_mesh_with(live: LiveGraph, until: str) -> list[InvalidInput]:
    text = f"version: 1\nsource: shop\nnot_same_as: [{{a: lake/shop.orders, b: 'trino://h/delta.shop.orders', why: so, until: {until}}}]\n"
    parsed = mesh.parse_mesh_file(text.encode(), "mesh.yaml")
    mesh.load_mesh(live, parsed, Naming(), get_current_micros())
    return list(parsed.refused)


def test_at_its_end_the_names_are_one_again(live: LiveGraph) -> None:
    end = get_current_micros() + HOUR
    part(live, end)
    assert not is_one(live)
    assert end_partings(live, end - 1) == end
    assert not is_one(live)
    revision = live.revision
    assert end_partings(live, end) is None
    assert is_one(live)
    assert (is_one(live, end - 1), is_one(live, end)) == (False, True), "as of its end, not of when that was noticed"
    assert live.revision == revision + 1
    assert end_partings(live, end + HOUR) is None
    assert live.revision == revision + 1, "it is retracted once"


def test_one_without_an_end_stays(live: LiveGraph) -> None:
    part(live, None)
    assert end_partings(live, get_current_micros() + 1000 * HOUR) is None
    assert not is_one(live)


def test_what_was_extended_meanwhile_stays(live: LiveGraph) -> None:
    """Another process has read the first end, and comes to it when the second is stated."""
    end = get_current_micros() + HOUR
    part(live, end)
    stale = LiveGraph.open(live.store)
    part(live, end + HOUR)
    end_partings(stale, end)
    live.refresh()
    assert not is_one(live)


def test_the_last_day_in_a_mesh_file(live: LiveGraph) -> None:
    today = datetime.now(UTC).date()
    assert load_mesh_with(live, f"{today}") == []
    assert not is_one(live)
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
    assert end_partings(live, model.to_micros(midnight) - 1) == model.to_micros(midnight)
    end_partings(live, model.to_micros(midnight))
    assert is_one(live)


def test_the_last_day_of_the_calendar_is_no_end(live: LiveGraph) -> None:
    assert load_mesh_with(live, "9999-12-31") == []
    assert end_partings(live, get_current_micros()) is None
    assert not is_one(live)


def test_what_has_ended_is_not_stated_again_by_its_file(live: LiveGraph) -> None:
    assert load_mesh_with(live, f"{datetime.now(UTC).date() - timedelta(days=1)}") == []
    assert is_one(live)


@pytest.mark.parametrize("until", ["2026-02-30", "soon", "20261231", "[1]", "12", "2026-12-31T00:00:00Z"])
def test_what_is_no_day_is_refused(live: LiveGraph, until: str) -> None:
    (refused,) = load_mesh_with(live, until)
    assert "accepted is a day, YYYY-MM-DD" in str(refused)
    assert is_one(live)


def test_an_end_in_the_past_is_refused_by_the_mutation(live: LiveGraph) -> None:
    ask = AskGraph(live)
    assert ask.get_error_code(PART, a=LAKE.id, b=TRINO.id, until="2020-01-01T00:00:00Z") == "INVALID_INPUT"
    assert is_one(live)


def test_the_end_is_shown(live: LiveGraph) -> None:
    load_mesh_with(live, f"{date(2999, 12, 31)}")
    query = "query($id: ID!) { node(id: $id) { ... on Dataset { identity { partings { until type } } } } }"
    (found,) = AskGraph(live)(query, id=LAKE.id)["node"]["identity"]["partings"]
    assert found == {"until": "3000-01-01T00:00:00Z", "type": EdgeType.DIFFERENT_FROM}

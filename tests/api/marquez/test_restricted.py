"""Marquez's addresses for callers who may see only some assets. That they give away nothing: see `test_two_worlds_http`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from meshline.api.marquez.datasets import THROUGH_HIDDEN
from meshline.api.marquez.lineage import HIDDEN
from meshline.api.marquez.question import HIDDEN_HEADER
from tests.api.test_auth import build_authorization
from tests.api.test_two_worlds_http import ADMIN, READER, RULES, RUN, serve_world
from tests.api.worlds import COLUMNS, MARKS, PLAIN, SEVERAL, USUAL, Shape, World, draw_shapes
from tests.sizes import count_examples

SECRET = MARKS[0]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serve_world(World(USUAL, PLAIN), tmp_path_factory.mktemp("marquez") / "world") as found:
        yield found


def get(client: TestClient, path: str, token: str = READER, **query: object) -> tuple[Any, int]:
    """The answer, and how many nodes it leaves out."""
    params = {name: str(value) for name, value in query.items()}
    answer = client.get(f"/api/v1/{path}", params=params, headers=build_authorization(token))
    assert answer.status_code == 200, answer.text
    return answer.json(), int(answer.headers.get(HIDDEN_HEADER, "0"))


def build_graph(answer: Mapping[str, Any]) -> nx.DiGraph[str]:
    """Edges are where each node has them as the end at which data comes from it: those of columns have the origin at the node itself."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(node["id"] for node in answer["graph"])
    for node in answer["graph"]:
        graph.add_edges_from((node["id"], edge["destination"]) for edge in node["outEdges"])
    return graph


@settings(max_examples=count_examples(4), deadline=None, suppress_health_check=[*HealthCheck])
@given(shape=draw_shapes(), start=st.integers(0, SEVERAL - 1))
def test_a_graph_has_the_visible_nodes_of_the_whole_and_counts_the_rest(
    tmp_path_factory: pytest.TempPathFactory, shape: Shape, start: int
) -> None:
    """Nodes are joined where the whole graph joins them, or connects them through nodes that are left out."""
    with serve_world(World(shape, PLAIN), tmp_path_factory.mktemp("marquez") / "world") as client:
        questions = [
            ("lineage", {"nodeId": f"dataset:wh:open.{start}"}),
            ("lineage", {"nodeId": f"dataset:wh:open.{start}", "depth": "1"}),
            *(("column-lineage", {"nodeId": f"datasetField:wh:open.{start}:{column}"}) for column in COLUMNS),
            ("column-lineage", {"nodeId": f"datasetField:wh:open.{start}:a", "withDownstream": "true"}),
        ]
        for path, query in questions:
            (whole, none), (part, left_out) = (get(client, path, token, **query) for token in (ADMIN, READER))
            every, some = build_graph(whole), build_graph(part)
            assert none == 0
            assert set(some) == {node for node in every if SECRET not in node}
            assert len(some) + left_out == len(every)
            for one, other in product(some, repeat=2):
                through = every.subgraph({node for node in every if SECRET in node} | {one, other})
                assert one == other or some.has_edge(one, other) == nx.has_path(through, one, other), (path, query)


def test_a_graph_states_what_it_leaves_out(client: TestClient) -> None:
    found, left_out = get(client, "lineage", nodeId="dataset:wh:open.0")
    descriptions = {node["id"]: node["data"]["description"] for node in found["graph"]}
    assert left_out > 0
    assert descriptions["dataset:wh:open.0"].startswith(HIDDEN.format(left_out))
    assert "leaves out" not in descriptions["dataset:wh:open.1"]
    columns, _ = get(client, "column-lineage", nodeId="datasetField:wh:open.1:a")
    (field,) = (node["data"] for node in columns["graph"] if node["id"] == "datasetField:wh:open.1:a")
    steps = {one["field"]: (one["transformationDescription"], one["transformationType"]) for one in field["inputFields"]}
    assert steps["a"] == (THROUGH_HIDDEN, "DIRECT")


def test_lists_searches_and_statistics_are_of_what_is_visible(client: TestClient) -> None:
    for path, members in (
        ("namespaces/wh/datasets", "datasets"),
        ("jobs", "jobs"),
        ("namespaces", "namespaces"),
        ("sources", "sources"),
        ("tags", "tags"),
    ):
        (some, _), (every, _) = (get(client, path, token) for token in (READER, ADMIN))
        names, all_names = ([one["name"] for one in found[members]] for found in (some, every))
        assert names == [name for name in all_names if SECRET not in name]
        assert some.get("totalCount", len(names)) == len(names)
    found, _ = get(client, "search", q="e")
    assert found["totalCount"] == len(found["results"])
    assert {one["name"] for one in found["results"]} == {"open.0", "open.1", "open.2"}
    assert get(client, "search", q=SECRET)[0] == {"totalCount": 0, "results": []}
    assert get(client, "stats/datasets")[0][-1]["count"] == SEVERAL


def test_a_run_that_reads_hidden_datasets_names_the_others_alone(client: TestClient) -> None:
    """The job of `open.1` reads a secret dataset, and an open one."""
    some, every = (get(client, f"jobs/runs/{RUN.format(1)}", token)[0] for token in (READER, ADMIN))
    assert [one["datasetVersionId"]["name"] for one in some["inputDatasetVersions"]] == ["open.0"]
    assert len(every["inputDatasetVersions"]) == 2
    assert some["jobVersion"] != every["jobVersion"], "which is made of the names of all inputs"
    facets = {token: get(client, f"jobs/runs/{RUN.format(1)}/facets", token, type="job")[0]["facets"] for token in (READER, ADMIN)}
    assert (facets[READER], list(facets[ADMIN])) == ({}, ["sql"])
    upstream, _ = get(client, "runlineage/upstream", runId=RUN.format(1))
    assert [one["name"] for one in upstream["runs"][0]["inputs"]] == ["open.0"]
    answer = client.get(f"/api/v1/jobs/runs/{RUN.format(3)}", headers=build_authorization(READER))
    assert (answer.status_code, answer.json()["message"]) == (404, f"Run '{RUN.format(3)}' not found.")


@pytest.mark.parametrize("run", range(SEVERAL))
def test_the_runs_before_a_run_are_shown_or_counted(client: TestClient, run: int) -> None:
    (some, left_out), (every, none) = (get(client, "runlineage/upstream", token, runId=RUN.format(run)) for token in (READER, ADMIN))
    named = [
        {name for one in found["runs"] for name in (one["run"]["id"], *(read["name"] for read in one["inputs"]))} for found in (some, every)
    ]
    assert none == 0
    assert named[0] <= named[1]
    assert len(named[0]) + left_out == len(named[1])


@pytest.mark.parametrize("path", ["namespaces/wh/datasets", *(f"namespaces/wh/datasets/open.{number}" for number in range(SEVERAL))])
def test_the_columns_before_columns_are_shown_or_counted(client: TestClient, path: str) -> None:
    (some, left_out), (every, none) = (get(client, path, token) for token in (READER, ADMIN))
    of_open = {f"open.{number}" for number in range(SEVERAL)}
    starts = [
        {
            (one["dataset"], one["field"])
            for dataset in found.get("datasets", [found])
            for computed in (dataset["columnLineage"] if dataset["name"] in of_open else None) or ()
            for one in computed["inputFields"]
        }
        for found in (some, every)
    ]
    assert none == 0
    assert len(starts[0]) + left_out == len(starts[1])
    assert {dataset for dataset, _ in starts[0]} <= of_open


def test_what_is_registered_of_names_that_are_not_visible_is_left_out(client: TestClient) -> None:
    as_admin = build_authorization(ADMIN)
    for path, body in (
        ("namespaces/nowhere", {"ownerName": "ann"}),
        ("namespaces/wh", {"ownerName": "ann", "description": "the warehouse"}),
        ("sources/nowhere", {"type": "POSTGRESQL", "connectionUrl": "postgres://nowhere"}),
        ("tags/nowhere", {"description": "of nothing"}),
    ):
        assert client.put(f"/api/v1/{path}", json=body, headers=as_admin).status_code == 200
    for path in ("namespaces", "sources", "tags"):
        assert "nowhere" not in str(get(client, path)[0])
        assert "nowhere" in str(get(client, path, ADMIN)[0])
    assert get(client, "namespaces/wh")[0]["description"] == "the warehouse"
    assert client.get("/api/v1/sources/nowhere", headers=build_authorization(READER)).status_code == 404


def test_an_answer_that_a_caller_has_is_sent_again_when_the_rules_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshline.app.access_file.LOOK_SECONDS", 0)
    with serve_world(World(USUAL, PLAIN), tmp_path / "world") as client:
        headers = build_authorization(READER)
        first = client.get("/api/v1/namespaces", headers=headers)
        again = {**headers, "If-None-Match": first.headers["etag"]}
        assert client.get("/api/v1/namespaces", headers=again).status_code == 304
        rules = tmp_path / "world" / "access.yaml"
        fresh = tmp_path / "fresh.yaml"
        fresh.write_text(RULES.replace("group:open-team", "group:others"), "utf-8")
        fresh.rename(rules)
        answer = client.get("/api/v1/namespaces", headers=again)
        assert (answer.status_code, [one["name"] for one in answer.json()["namespaces"]]) == (200, ["default"])

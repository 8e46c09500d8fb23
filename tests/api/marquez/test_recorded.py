"""What Marquez's own clients and page send, as `recorded/recorder.py` has recorded it: each request has the status and the shape
that they need.

The clients for Python (0.50.0) and Java (a89b89c) were called method by method (`recorded/calls.py`, `recorded/Calls.java`). The page
(a89b89c) was opened in a browser on the example mesh: dashboard, lists, events, search, both drawings, drawers, tags, deletion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.marquez import schemas
from tests.api.marquez.conftest import Marquez
from tests.api.marquez.schemas import Schema, check_shape

RECORDED = Path(__file__).parent / "recorded"
EXAMPLE = Path(__file__).parents[3] / "examples" / "mesh" / "events"
SHAPES: list[tuple[str, Schema]] = [
    ("/api/v1/namespaces", schemas.NAMESPACES),
    ("/api/v1/namespaces/*", schemas.NAMESPACE),
    ("/api/v1/sources", schemas.SOURCES),
    ("/api/v1/sources/*", schemas.SOURCE),
    ("/api/v1/tags", schemas.TAGS),
    ("/api/v1/tags/*", schemas.TAG),
    ("/api/v1/namespaces/*/datasets", schemas.DATASETS),
    ("/api/v1/namespaces/*/datasets/*", schemas.DATASET),
    ("/api/v1/namespaces/*/datasets/*/tags/*", schemas.DATASET),
    ("/api/v1/namespaces/*/datasets/*/fields/*/tags/*", schemas.DATASET),
    ("/api/v1/namespaces/*/datasets/*/versions", schemas.DATASET_VERSIONS),
    ("/api/v1/namespaces/*/datasets/*/versions/*", schemas.DATASET_VERSION),
    ("/api/v1/jobs", schemas.JOBS),
    ("/api/v1/namespaces/*/jobs", schemas.JOBS),
    ("/api/v1/namespaces/*/jobs/*", schemas.JOB),
    ("/api/v1/namespaces/*/jobs/*/tags/*", schemas.JOB),
    ("/api/v1/namespaces/*/jobs/*/versions", schemas.JOB_VERSIONS),
    ("/api/v1/namespaces/*/jobs/*/versions/*", schemas.JOB_VERSION),
    ("/api/v1/jobs/runs/*", schemas.RUN),
    ("/api/v1/jobs/runs/*/facets", schemas.RUN_FACETS),
    ("/api/v1/jobs/runs/*/start", schemas.RUN),
    ("/api/v1/jobs/runs/*/complete", schemas.RUN),
    ("/api/v1/jobs/runs/*/fail", schemas.RUN),
    ("/api/v1/jobs/runs/*/abort", schemas.RUN),
    ("/api/v1/lineage", schemas.GRAPH),
    ("/api/v1/column-lineage", schemas.COLUMN_GRAPH),
    ("/api/v1/search", schemas.HITS),
    ("/api/v1/events", schemas.EVENTS),
    ("/api/v1/events/**", schemas.EVENTS),
    ("/api/v1/stats/lineage-events", schemas.EVENT_STATISTICS),
    ("/api/v1/stats/*", schemas.ASSET_STATISTICS),
]


def read_requests(name: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text("utf-8").splitlines())


def find_shape(method: str, path: str) -> Schema:
    """The shape of the answer to a request that succeeds."""
    if path.endswith("/runs"):
        return schemas.RUN if method == "POST" else schemas.RUNS
    for pattern, shape in SHAPES:
        if re.fullmatch(pattern.replace("**", ".+").replace("*", "[^/]+"), path):
            return shape
    raise AssertionError(f"no shape for {path}")


def answer_recorded(marquez: Marquez, name: str) -> tuple[int, int]:
    """How many of the recorded requests were answered as they must be, and how many of the answers are empty."""
    if name == "page":
        lines = (line for file in sorted(EXAMPLE.iterdir()) for line in file.read_text("utf-8").splitlines())
        body_of_all = "[" + ",".join(line for line in lines if line.startswith("{")) + "]"
        sent = marquez.client.post("/api/v1/lineage/batch", content=body_of_all, headers={"Content-Type": "application/json"})
        assert sent.json()["status"] == "success", sent.text
    answered = filled = 0
    for one in read_requests(name):
        body = {} if one["body"] is None else {"json": one["body"]}
        answer = marquez.client.request(one["method"], one["path"], **body)
        assert answer.status_code == one["status"], (one, answer.text)
        found = answer.json()
        check_shape(found, schemas.ERROR if one["status"] >= 400 else find_shape(one["method"], one["path"].partition("?")[0]))
        answered += 1
        filled += any(found.values()) if isinstance(found, dict) else bool(found)
    return answered, answered - filled


@pytest.mark.parametrize(("name", "requests", "empties"), [("python", 36, 0), ("java", 49, 0), ("page", 37, 5)])
def test_what_was_recorded_is_answered(empty: Marquez, name: str, requests: int, empties: int) -> None:
    assert answer_recorded(empty, name) == (requests, empties), "the page asks for lists of namespaces that have nothing of a kind"

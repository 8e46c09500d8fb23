"""Every HTTP body is answered, and never with an internal error."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.conftest import run_application
from tests.api.test_ingest import build_event
from tests.sizes import count_examples

ADDRESSES = [
    ("POST", "/graphql"),
    ("POST", "/api/v1/lineage"),
    ("POST", "/api/v1/lineage/batch"),
    ("PUT", "/api/v1/mesh"),
    ("GET", "/graphql"),
]
MEDIA = ["application/json", "application/yaml", "text/plain", "", "application/json; charset=latin-1"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(sorted(build_event())), inner, max_size=4)
    ),
    max_leaves=15,
)


@st.composite
def draw_changed_event(draw: st.DrawFn) -> bytes:
    """An event of which some parts are anything."""
    found = build_event()
    for name in draw(st.lists(st.sampled_from(sorted(found)), max_size=2, unique=True)):
        found[name] = draw(JSON)
    if isinstance(found["inputs"], list) and found["inputs"] and isinstance(found["inputs"][0], dict) and draw(st.booleans()):
        found["inputs"][0][draw(st.sampled_from(["namespace", "name", "facets"]))] = draw(JSON)
    return json.dumps(draw(st.sampled_from([found, [found], {"query": found}]))).encode()


BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()) | draw_changed_event() | st.text().map(str.encode)


@pytest.fixture(scope="module")
def serving() -> Iterator[TestClient]:
    with run_application() as client:
        yield client


@settings(
    max_examples=count_examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(where=st.sampled_from(ADDRESSES), media=st.sampled_from(MEDIA), body=BODIES, packed=st.booleans())
def test_anything(serving: TestClient, where: tuple[str, str], media: str, body: bytes, packed: bool) -> None:  # noqa: FBT001
    headers = {"Content-Encoding": "gzip"} if packed else {}
    if media:
        headers["Content-Type"] = media
    answer = serving.request(*where, content=gzip.compress(body) if packed else body, headers=headers)
    assert answer.status_code < 500, (answer.text, body)
    answer.json()

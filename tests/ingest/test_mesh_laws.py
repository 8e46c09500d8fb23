"""The mesh file: any input is accepted or refused with a place, and the text means what its values are."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.graph.naming import Naming
from meshline.ingest import mesh
from meshline.ingest.documents import parse_yaml
from meshline.ingest.mesh.format import ENTRIES
from tests.cli.command import EXAMPLE
from tests.sizes import count_examples

LINES = (EXAMPLE / "mesh.yaml").read_text(encoding="utf-8").splitlines()

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(max_size=12)
    | st.sampled_from(["a/b", "lake/x.y", "technical", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "dataset", "owner", "domains", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def parse_mesh(data: bytes) -> mesh.Mesh | InvalidInput:
    try:
        return mesh.parse_mesh_file(data, "m.yaml")
    except InvalidInput as error:
        return error


def check_accepted_or_refused(data: bytes) -> None:
    read = parse_mesh(data)
    if isinstance(read, InvalidInput):
        assert read.where.startswith("m.yaml")
        return
    assert all(refusal.where.startswith("m.yaml:") for refusal in read.refused)
    stated = mesh.build_statements(read, Naming(), 1)
    assert len({statement.scope for statement in stated}) == len(stated) == len(read.entries)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes(data: bytes) -> None:
    check_accepted_or_refused(data)
    check_accepted_or_refused(b"version: 1\n" + data)


@given(st.dictionaries(st.sampled_from(sorted(ENTRIES)), st.lists(values, max_size=3) | values, max_size=4))
def test_any_values(entries: dict[str, object]) -> None:
    check_accepted_or_refused(json.dumps({"version": 1, **entries}).encode())


@settings(max_examples=count_examples(40), deadline=None)
@given(st.data())
def test_an_example_with_broken_lines(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(8, len(lines) - 1))
        lines[at] = data.draw(
            st.sampled_from([lines[at][2:], "", lines[at] + ":", lines[at].replace("name", "nme"), "\t" + lines[at], "- " + lines[at]])
        )
    check_accepted_or_refused("\n".join(lines).encode())


@given(values)
def test_json_is_read_as_it_is(value: object) -> None:
    assert parse_yaml(json.dumps(value).encode(), "m.yaml").value == value

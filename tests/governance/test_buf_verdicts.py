"""Verdicts about Protobuf beside `buf breaking`: on a table of pairs, and on drawn pairs.

Each pair is a file in a package of its own, so that buf and protoc run once for many.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.governance.changes import Change
from meshline.governance.diff import compare_versions
from meshline.governance.rules import RULES, Profile, Verdict
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.changes import ChangeInput, Text, graph_state
from meshline.ingest.changes.schema import build_proposal
from meshline.ingest.sources.base import Context
from tests.governance.buf import find_breaking, list_rules
from tests.governance.buf.drawing import ProtoDrawing
from tests.governance.buf.pairs import PROTO3, TABLE
from tests.sizes import count_examples

# Rules of buf about what is not compared, because data does not depend on it: docs/gate.md lists the same.
NOT_COMPARED = {
    "FILE_SAME_SYNTAX": "what it changes in messages is compared: presence, open enums, defaults",
    "FIELD_SAME_UTF8_VALIDATION": "how strictly a reader checks texts",
}
# What buf does not report, though it is breaking: its rule about required fields that are added reads the label, which files of an
# edition do not have (TABLE has the pair).
NOT_SEEN_BY_BUF = "field-now-required"

KNOWN = graph_state.build_graph_state(LiveGraph.open(SqliteStore()), Naming(), Context(Naming(), Path()))


def compare_files(before: Mapping[str, str], after: Mapping[str, str]) -> Mapping[str, list[Change]]:
    """The changes of each package."""
    old, new = (Text(name, json.dumps({"files": files}).encode()) for name, files in (("before", before), ("after", after)))
    found: defaultdict[str, list[Change]] = defaultdict(list)
    for pair in build_proposal(ChangeInput("schema", old, new, {"format": "protobuf"}), KNOWN).pairs:
        for change in compare_versions(pair):
            found[change.subject.name.partition(".")[0]].append(change)
    return found


def compute_verdict(of: list[Change], profile: Profile = Profile.MESH) -> Verdict:
    return max((RULES[one.rule].get_verdict(profile) for one in of), default=Verdict.COMPATIBLE)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, frozenset[str]], Mapping[str, list[Change]]]:
    before, after = ({f"{name}.proto": f"{row[0]}package {name}; {row[at]}\n" for name, row in TABLE.items()} for at in (1, 2))
    return find_breaking(before, after, tmp_path_factory.mktemp("table")), compare_files(before, after)


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str, table: tuple[Mapping[str, frozenset[str]], Mapping[str, list[Change]]]) -> None:
    by_buf, ours = table
    _, _, _, expected, rules = TABLE[name]
    reported = by_buf.get(f"{name}.proto", frozenset())
    assert expected <= reported, reported
    assert bool(expected) is bool(reported)
    found = {one.rule: RULES[one.rule].get_verdict(Profile.MESH).name.lower() for one in ours.get(name, ())}
    assert found == rules


def test_table_has_every_rule_of_buf_about_data(
    table: tuple[Mapping[str, frozenset[str]], Mapping[str, list[Change]]], tmp_path: Path
) -> None:
    about_code = {
        "FIELD_SAME_CPP_STRING_TYPE", "FIELD_SAME_JAVA_UTF8_VALIDATION", "FIELD_SAME_JSTYPE",
        "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR", "FILE_NO_DELETE", "FILE_SAME_PACKAGE",
    }  # fmt: skip
    unchecked = {"ENUM_SAME_JSON_FORMAT", "MESSAGE_SAME_JSON_FORMAT", "EXTENSION_MESSAGE_NO_DELETE", "ENUM_NO_DELETE"}
    seen = {rule for rules in table[0].values() for rule in rules}
    names = {
        name
        for name in list_rules(tmp_path)
        if not name.startswith(("RPC_", "SERVICE_", "PACKAGE_", "EXTENSION_"))
        and not (name.startswith("FILE_SAME_") and name != "FILE_SAME_PACKAGE")
    }
    assert names - seen == (about_code | unchecked | set(NOT_COMPARED)) & names


def test_a_package_that_is_renamed_is_one_change(tmp_path: Path) -> None:
    before, after = ({"a.proto": f"{PROTO3}package {name}; message A {{ B b = 1; }} message B {{ int32 x = 1; }}"} for name in ("s", "t"))
    assert "FILE_SAME_PACKAGE" in find_breaking(before, after, tmp_path)["a.proto"]
    (change,) = compare_files(before, after)["s"]
    assert (change.rule, change.before, change.after) == ("table-renamed", "s.A", "t.A")


PAIRS = 40  # in one run of buf


@settings(deadline=None, max_examples=count_examples(4), suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_drawn(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What buf reports in the category WIRE is breaking, what it reports in any is no less than conditional, and what is breaking
    is reported by buf, unless buf does not see it.
    """
    drawn = {f"p{number}": ProtoDrawing(seed * PAIRS + number, f"p{number}").draw_pair() for number in range(PAIRS)}
    before, after = ({f"{name}.proto": pair[at] for name, pair in drawn.items()} for at in (0, 1))
    folder = tmp_path_factory.mktemp("drawn")
    by_buf, ours = find_breaking(before, after, folder), compare_files(before, after)
    categories = list_rules(folder)
    for name, pair in drawn.items():
        reported = by_buf.get(f"{name}.proto", frozenset()) - NOT_COMPARED.keys()
        of = ours.get(name, [])
        wire = {rule for rule in reported if "WIRE" in categories[rule]}
        for profile in (Profile.MESH, Profile.FULL):
            verdict = compute_verdict(of, profile)
            assert not wire or verdict is Verdict.BREAKING, (profile, wire, [one.rule for one in of], *pair)
            assert not reported or verdict > Verdict.COMPATIBLE, (profile, reported, [one.rule for one in of], *pair)
            if not reported:
                breaking = {one.rule for one in of if RULES[one.rule].get_verdict(Profile.MESH) is Verdict.BREAKING}
                if pair[1].startswith("edition"):
                    breaking.discard(NOT_SEEN_BY_BUF)
                assert not breaking, (breaking, *pair)

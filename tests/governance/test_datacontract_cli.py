"""The profile `consumer` and datacontract-cli, which graded the golden pairs of contracts: `datacontract_cli.json` has its answers.

The pairs in the dialect `datacontract.com` were given to it as Data Contract Specification 1.1.0, which means the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshline.governance.docs_pages import COMPARED, DIFFERENCES
from meshline.governance.rules import RULES, Verdict
from tests.governance import golden

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "datacontract_cli.json").read_text())
PAIRS: dict[str, list[tuple[str, str]]] = RECORDED["pairs"]
LEVELS = {"info": Verdict.COMPATIBLE, "warning": Verdict.CONDITIONAL, "error": Verdict.BREAKING}


def read_our_verdicts(name: str) -> dict[str, Verdict]:
    """Verdict by rule, of what is looked at there: not whether the version fits."""
    rows = golden.read_expected(golden.PAIRS / name)
    return {row["rule"]: Verdict[row["verdicts"]["consumer"].upper()] for row in rows if row["rule"] != "major-version-missing"}


def compute_their_verdict(name: str) -> Verdict:
    return max((LEVELS[level] for _, level in PAIRS[name]), default=Verdict.COMPATIBLE)


def find_differences(name: str) -> list[tuple[tuple[str, ...], str]]:
    """The listed differences that explain why a pair is graded otherwise."""
    rules = {rule for rule, verdict in read_our_verdicts(name).items() if verdict is not compute_their_verdict(name)}
    graded = "error" if compute_their_verdict(name) is Verdict.BREAKING else "not graded" if not PAIRS[name] else ""
    return [(one.rules, one.grade) for one in DIFFERENCES if one.grade == graded and (rules & set(one.rules) or not rules | set(one.rules))]


def test_version() -> None:
    assert (RECORDED["version"], RECORDED["perspective"]) == (COMPARED, "consumer")


@pytest.mark.parametrize("name", PAIRS)
def test_pair(name: str) -> None:
    mine = max(read_our_verdicts(name).values(), default=Verdict.COMPATIBLE)
    assert mine is compute_their_verdict(name) or find_differences(name), (read_our_verdicts(name), PAIRS[name])


def test_every_difference_is_seen() -> None:
    seen = {
        one
        for name in PAIRS
        if max(read_our_verdicts(name).values(), default=Verdict.COMPATIBLE) is not compute_their_verdict(name)
        for one in find_differences(name)
    }
    assert seen == {(one.rules, one.grade) for one in DIFFERENCES}
    explained = {rule for rules, _ in seen for rule in rules}
    found = {rule for name in PAIRS for rule, verdict in read_our_verdicts(name).items() if verdict is not compute_their_verdict(name)}
    assert explained <= found


def test_every_pair_was_graded() -> None:
    both = [one for one in golden.list_folders("contract-") if list(one.glob("before.*")) and list(one.glob("after.*"))]
    assert sorted(PAIRS) == [one.name for one in both]


def test_differences_are_of_rules() -> None:
    assert {rule for one in DIFFERENCES for rule in one.rules} <= set(RULES)

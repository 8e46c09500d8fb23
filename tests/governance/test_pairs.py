"""Golden pairs: what a check finds in them, and that the rules that are law are among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshline.governance.rules import RULES
from tests.governance import golden

LAW = {  # the rules of the founding articles by name -> the rule, and its verdict in the profile `mesh`
    "contract-seed-nullable-column-added": ("column-added", "compatible"),
    "contract-seed-enum-value-added": ("enum-value-added", "compatible"),
    "product-seed-output-port-added": ("output-port-added", "compatible"),
    "contract-seed-column-removed": ("column-removed", "breaking"),
    "contract-seed-column-renamed": ("column-removed", "breaking"),  # no file states that it is the same column
    "contract-seed-type-changed": ("type-changed", "breaking"),
    "contract-seed-enum-value-removed": ("enum-value-removed", "breaking"),
    "product-seed-slo-tightened": ("slo-tightened", "breaking"),
}


@pytest.mark.parametrize("folder", golden.list_folders(), ids=lambda folder: folder.name)
def test_pair(folder: Path) -> None:
    assert golden.check_pair(folder) == golden.read_expected(folder)


def test_there_are_enough() -> None:
    assert len(golden.list_folders("contract-")) + len(golden.list_folders("schema-")) >= 60


@pytest.mark.parametrize("name", LAW)
def test_rules_that_are_law(name: str) -> None:
    rule, verdict = LAW[name]
    found = [row["verdicts"]["mesh"] for row in golden.read_expected(golden.PAIRS / name) if row["rule"] == rule]
    assert found == [verdict]


def test_any_breaking_finding_requires_a_major_version() -> None:
    """In each profile: of a contract that was there and stays."""
    for folder in golden.list_folders("contract-"):
        rows = golden.read_expected(folder)
        both = next(folder.glob("before.*"), None) and next(folder.glob("after.*"), None)
        for profile in ("mesh", "consumer", "full"):
            verdicts = {row["rule"]: row["verdicts"][profile] for row in rows if profile in row["verdicts"]}
            missing = verdicts.pop("major-version-missing", None) is not None
            raised = folder.name == "contract-major-version-raised"
            assert missing is bool(both and "breaking" in verdicts.values() and not raised), (folder.name, profile)


def test_sentences_are_filled_in() -> None:
    for folder in golden.list_folders():
        assert not [row["text"] for row in golden.read_expected(folder) if "?" in row["text"] or "{field}" in row["text"]], folder.name


def test_rules_are_seen() -> None:
    """Of contracts and tables nearly every rule has a pair; the rest belongs to products, queries and the tools that state it."""
    unseen = set(RULES) - golden.collect_rules(golden.list_folders())
    assert not unseen & {rule for rule in RULES if rule.startswith(("column", "type", "enum", "bound", "class", "slo", "quality", "key"))}

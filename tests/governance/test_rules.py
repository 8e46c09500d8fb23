"""The table of rules, and the page that is made from it."""

from __future__ import annotations

import re
from pathlib import Path

from meshline.governance.docs_pages import LINEAGE, build_rules_page, format_title
from meshline.governance.rules import GROUPS, RULES, Profile, Refinement, Verdict
from tests.governance.examples import collect_examples

DIFF = Path(__file__).parents[2] / "meshline" / "governance" / "diff"

INTERNAL_WORDS = r"\b(seeds?|whoever|nobody|somebody)\b"  # codespell:ignore whoever,nobody,somebody
LAW = {  # the founding articles: "Backward compatible ... Breaking change ..."
    Verdict.COMPATIBLE: {"column-added", "enum-value-added", "output-port-added"},
    Verdict.BREAKING: {"column-removed", "column-renamed", "type-changed", "type-widened", "enum-value-removed", "slo-tightened"},
}
DESIGN = {  # the other rules of the profile `mesh`
    "required-column-added": "K", "column-moved": "C", "column-nullable": "B", "column-required": "K", "key-removed": "K",
    "bound-tightened": "C", "bound-loosened": "K", "classification-raised": "K", "classification-removed": "B", "table-removed": "B",
    "table-renamed": "B", "hidden-partitioning-changed": "C", "partitioning-changed": "K", "projection-changed": "K", "filter-changed": "K",
    "join-changed": "K", "grouping-changed": "K", "output-port-removed": "B", "input-port-added": "C", "slo-loosened": "K",
    "retention-shortened": "K", "quality-rule-removed": "K", "owner-changed": "C", "owner-removed": "B", "access-narrowed": "K",
    "deprecated": "C", "major-version-missing": "B",
}  # fmt: skip


def test_rules_of_the_articles_are_law() -> None:
    assert {rule.id for rule in RULES.values() if rule.law} == LAW[Verdict.COMPATIBLE] | LAW[Verdict.BREAKING]
    for verdict, rules in LAW.items():
        assert {RULES[rule].mesh for rule in rules} == {verdict}


def test_the_design_is_kept() -> None:
    letters = {Verdict.COMPATIBLE: "C", Verdict.CONDITIONAL: "K", Verdict.BREAKING: "B"}
    assert {rule: letters[RULES[rule].mesh] for rule in DESIGN} == DESIGN
    assert RULES["type-widened"].consumer is Verdict.CONDITIONAL


def test_users_read_words_that_they_know() -> None:
    """No name of a source of ours, and a reason that is a sentence."""
    for rule in RULES.values():
        texts = (rule.title, rule.reason, rule.safe)
        assert not re.search(INTERNAL_WORDS, " ".join(texts), re.IGNORECASE), rule.id
        assert rule.reason.endswith(".")
        assert not rule.safe or rule.safe.endswith(".")


def test_ids_are_unique() -> None:
    assert len(RULES) == sum(map(len, GROUPS.values()))


def test_full_is_the_stricter_of_both() -> None:
    for rule in RULES.values():
        assert rule.get_verdict(Profile.FULL) == max(rule.get_verdict(Profile.MESH), rule.get_verdict(Profile.CONSUMER))
        assert rule.readers is None or rule.readers < rule.get_verdict(Profile.FULL)


def test_each_refinement_is_described_and_used() -> None:
    assert set(LINEAGE) == set(Refinement) - {Refinement.NONE}
    assert {rule.refinement for rule in RULES.values()} == set(Refinement)


def test_rules_are_those_that_the_differences_use() -> None:
    code = "".join(path.read_text() for path in DIFF.rglob("*.py"))
    assert [rule for rule in RULES if f'"{rule}"' not in code and rule not in BUILT] == []


BUILT = {f"{direction}-port-{what}" for direction in ("input", "output") for what in ("added", "removed", "changed")} | {
    "major-version-missing"
}


WITHOUT_EXAMPLE = {"location-removed"}  # a pair of contracts, which datacontract-cli has not graded


def test_the_page_has_every_rule_with_an_example() -> None:
    page = build_rules_page(collect_examples())
    assert re.findall(r"^### ([a-z-]+)$", page, re.MULTILINE) == list(RULES)
    assert re.findall(r"^\| \[`([a-z-]+)`\]\(#\1\)", page, re.MULTILINE) == list(RULES)
    assert "{" not in "".join(format_title(rule.title) for rule in RULES.values())
    sections = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    assert {one.partition("\n")[0] for one in sections if "```diff" not in one} == WITHOUT_EXAMPLE


def test_an_example_is_the_difference_of_a_pair() -> None:
    found = collect_examples()["enum-symbol-added"].splitlines()
    assert [line.split() for line in found if line[0] in "+-"] == [["-", '"PAID"'], ["+", '"PAID",'], ["+", '"SHIPPED"']]

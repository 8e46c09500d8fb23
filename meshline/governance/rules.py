"""The rules of change, as one table: what a change means for who reads or writes, and why.

The documentation page and `meshline rules` are made from it. The seeds' rules are law in the profile `mesh`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple


class Verdict(enum.IntEnum):
    """The greater is the worse."""

    COMPATIBLE = 0
    CONDITIONAL = 1  # needs a look
    BREAKING = 2


class Side(enum.StrEnum):
    """Whom a change breaks."""

    READER = "reader"
    WRITER = "writer"
    GOVERNANCE = "governance"


class Profile(enum.StrEnum):
    """Whose thinking decides. `mesh`: the seeds' rules. `consumer`: the direction of datacontract-cli for who reads. `full`: the stricter of both."""

    MESH = "mesh"
    CONSUMER = "consumer"
    FULL = "full"


class Refinement(enum.StrEnum):
    """How recorded lineage moves a verdict (`meshline.governance.refining`). Raising is done in every mode, relaxing in `usage` only."""

    NONE = "none"
    UNREACHED = "unreached"  # relaxes: compatible if nobody is reached and coverage is complete
    POSITIONAL = "positional"  # raises: conditional for who reads by position (INSERT without a list, UNION, SELECT * into a fixed target)
    WIDENED = "widened"  # raises to breaking into a narrower copy; relaxes as unreached
    FILTERED_ONLY = "filtered only"  # relaxes: conditional where all that is reached only filters on it; and as unreached
    JOINED = "joined"  # raises: breaking where it is a key of a join or a group
    BRANCHED = "branched"  # raises: conditional where a condition or filter reads it
    UNBRANCHED = "unbranched"  # relaxes: compatible if no condition or filter reads it and coverage is complete
    EXPOSED = "exposed"  # raises: breaking where an output port shows it unmasked
    BOUND = "bound"  # raises: breaking where consumers are bound to it
    PROMISED = "promised"  # raises: breaking where another's promise no longer holds
    CLOSING = "closing"  # raises: conditional if it closes a cycle of products, or its promise is weaker than ours


class Rule(NamedTuple):
    """`title`: a sentence with `{fields}` of the change (`told`, `before`, `after`). `safe`: what would make it safe.

    `readers`: what it means for those who are reached, where that is less than the verdict: the other side is hit.
    `seed`: the rule is one of the seeds' seven.
    """

    id: str
    side: Side
    mesh: Verdict
    consumer: Verdict
    title: str
    reason: str
    safe: str = ""
    refinement: Refinement = Refinement.NONE
    readers: Verdict | None = None
    seed: bool = False

    def verdict(self, profile: Profile) -> Verdict:
        """The verdict of the rule alone."""
        if profile is Profile.FULL:
            return max(self.mesh, self.consumer)
        return self.mesh if profile is Profile.MESH else self.consumer


_C, _K, _B = Verdict
_R, _W, _G = Side
_NEW = "Add it beside the old one, move the readers, then remove the old one."

GROUPS: Mapping[str, tuple[Rule, ...]] = {
    "columns and fields": (
        Rule("column-added", _R, _C, _C, "`{field}` is added, and may be empty", "Who names its columns does not see it.", refinement=Refinement.POSITIONAL, seed=True),
        Rule("required-column-added", _W, _K, _C, "`{field}` is added, and must be filled", "Who writes without it is refused.", "Give it a default, or let it be empty until the writers fill it.", Refinement.POSITIONAL, readers=_C),
        Rule("column-removed", _R, _B, _B, "`{field}` is removed", "Whoever reads it fails.", "Deprecate it, and remove it when nobody reads it.", Refinement.UNREACHED, seed=True),
        Rule("column-renamed", _R, _B, _B, "`{before}` is renamed to `{after}`", "SQL names columns: a field id does not save who reads by name.", _NEW, Refinement.UNREACHED, seed=True),
        Rule("column-moved", _R, _C, _C, "`{field}` is moved from position {position} to {new_position}", "Who names its columns does not see it.", refinement=Refinement.POSITIONAL),
        Rule("type-widened", _R, _B, _K, "the type of `{field}` grows from {before} to {after}", "No value is lost, but a reader's type may be too small for what comes.", _NEW, Refinement.WIDENED, seed=True),
        Rule("type-changed", _R, _B, _B, "the type of `{field}` changes from {before} to {after}", "Values, or what readers do with them, are not the same.", _NEW, Refinement.UNREACHED, seed=True),
        Rule("type-specified", _R, _K, _C, "the type of `{field}` is {after} now, and was {before}", "It was left open before: readers may have chosen another.", "Ask the readers which they chose.", Refinement.UNREACHED),
        Rule("type-withdrawn", _R, _B, _B, "the type of `{field}` is not promised any more (it was {before})", "Values of any type may come.", "Keep the type.", Refinement.UNREACHED),
        Rule("column-nullable", _R, _B, _B, "`{field}` may be empty now", "Readers that count on a value find none.", "Keep it required, or give it a default.", Refinement.FILTERED_ONLY),
        Rule("column-required", _W, _K, _C, "`{field}` must be filled now", "Who writes without it is refused.", "See that every writer fills it.", readers=_C),
        Rule("key-removed", _R, _K, _B, "`{field}` is no {before} any more", "Rows may be doubled where it joins or groups.", "Keep it unique.", Refinement.JOINED),
        Rule("key-added", _W, _K, _C, "`{field}` is a {after} now", "Who writes a value twice is refused.", "See that no writer repeats a value.", readers=_C),
        Rule("enum-value-added", _R, _C, _B, "`{field}` may also be {after}", "Who lists all values meets one that it does not know.", "Tell the readers before it is sent.", Refinement.BRANCHED, seed=True),
        Rule("enum-value-removed", _R, _B, _C, "`{field}` is never {before} any more", "What waits for the value waits for ever.", "Deprecate the value first.", Refinement.UNBRANCHED, seed=True),
        Rule("enum-added", _W, _K, _C, "`{field}` may only be one of {after} now", "Who writes another value is refused.", "See that no writer sends another value.", readers=_C),
        Rule("enum-dropped", _R, _K, _B, "`{field}` may be anything, and was one of {before}", "Who lists all values meets one that it does not know.", "Keep the list of values.", Refinement.BRANCHED),
        Rule("bound-added", _W, _C, _C, "`{field}` has a {bound} now: {after}", "Readers get less than they are ready for."),
        Rule("bound-tightened", _W, _C, _C, "the {bound} of `{field}` is tightened from {before} to {after}", "Readers get less than they are ready for."),
        Rule("bound-loosened", _R, _K, _B, "the {bound} of `{field}` is loosened from {before} to {after}", "Values may come that readers are not ready for.", "Keep the bound, or tell the readers."),
        Rule("bound-removed", _R, _K, _B, "`{field}` has no {bound} any more (it was {before})", "Values may come that readers are not ready for.", "Keep the bound, or tell the readers."),
        Rule("bound-changed", _R, _K, _K, "the {bound} of `{field}` changes from {before} to {after}", "Which of them is stricter cannot be told.", "Keep it, or tell the readers."),
        Rule("classification-raised", _G, _K, _K, "`{field}` is classified as {after} now", "It may not be shown where it was until now.", "Mask it where it leaves the product.", Refinement.EXPOSED),
        Rule("classification-removed", _G, _B, _B, "`{field}` is not classified as {before} any more", "What protects it no longer knows it.", "Keep the classification."),
        Rule("column-deprecated", _G, _C, _C, "`{field}` is deprecated", "It will go: who reads it is told."),
    ),
    "tables": (
        Rule("table-added", _R, _C, _C, "`{table}` is added", "Nobody reads it yet."),
        Rule("table-removed", _R, _B, _B, "`{table}` is removed", "Whoever reads it fails.", "Deprecate it, and remove it when nobody reads it.", Refinement.UNREACHED),
        Rule("table-renamed", _R, _B, _B, "`{before}` is renamed to `{after}`", "SQL names tables.", "Leave a view under the old name.", Refinement.UNREACHED),
        Rule("table-deprecated", _G, _C, _C, "`{table}` is deprecated", "It will go: who reads it is told."),
        Rule("partitioning-changed", _R, _K, _K, "the partitioning of `{table}` changes from {before} to {after}", "Readers may depend on the folders, and old data is to be rewritten.", "See that nobody reads its files."),
        Rule("hidden-partitioning-changed", _R, _C, _C, "the partitioning of `{table}` changes from {before} to {after}", "Iceberg hides it: no query names it, and old files stay as they are."),
        Rule("materialization-changed", _R, _K, _K, "`{table}` is a {after} now, and was a {before}", "How fresh it is, and what it costs to read, is not the same.", "Tell the readers."),
    ),
    "what computes them": (
        Rule("projection-changed", _R, _K, _K, "`{field}` is computed in another way", "Its values may mean something else.", "Compare old and new values.", Refinement.UNREACHED),
        Rule("filter-changed", _R, _K, _K, "which rows `{table}` has is decided in another way", "Every number that is made of it may change.", "Compare the number of rows.", Refinement.UNREACHED),
        Rule("join-changed", _R, _K, _K, "`{table}` is joined in another way", "Rows may be lost or doubled.", "Compare the number of rows.", Refinement.UNREACHED),
        Rule("grouping-changed", _R, _K, _K, "`{table}` is grouped in another way", "A row stands for something else.", "Compare the number of rows.", Refinement.UNREACHED),
        Rule("query-changed", _R, _K, _K, "`{table}` is computed in another way: {detail}", "What it is cannot be told from the text.", "Compare old and new rows.", Refinement.UNREACHED),
    ),
    "contracts": (
        Rule("contract-added", _G, _C, _C, "the contract is new", "Nobody relied on it."),
        Rule("contract-removed", _R, _B, _B, "the contract is gone", "Whoever relies on it has no promise any more.", "End it with its notice period.", Refinement.BOUND),
        Rule("contract-ended", _R, _B, _B, "the contract is {after} now, and was {before}", "Whoever relies on it has no promise any more.", "End it with its notice period.", Refinement.BOUND),
        Rule("quality-rule-removed", _R, _K, _B, "the quality rule {rule_name} is removed", "What it kept out may come.", "Keep the rule."),
        Rule("quality-rule-changed", _R, _K, _K, "the quality rule {rule_name} is another: it was {before}, and is {after}", "What it kept out may come.", "Keep the rule, or make it stricter."),
        Rule("quality-rule-loosened", _R, _K, _B, "the quality rule {rule_name} is loosened from {before} to {after}", "What it kept out may come.", "Keep the rule."),
        Rule("quality-rule-tightened", _W, _C, _C, "the quality rule {rule_name} is tightened from {before} to {after}", "Readers get less than they are ready for."),
        Rule("quality-rule-added", _W, _C, _C, "the quality rule {rule_name} is added", "Readers get less than they are ready for."),
        Rule("terms-changed", _G, _K, _K, "the terms ({term}) change", "A use that was allowed may not be any more.", "Ask the consumers."),
        Rule("notice-shortened", _G, _K, _K, "the notice period shrinks from {before} to {after}", "Consumers have less time to move.", "Keep the notice period."),
        Rule("notice-lengthened", _G, _C, _C, "the notice period grows from {before} to {after}", "Consumers have more time to move."),
        Rule("consumer-added", _G, _C, _C, "{after} consumes it under the contract", "One more relies on it."),
        Rule("consumer-removed", _G, _K, _K, "{before} is no consumer of the contract any more", "Whoever it is has no promise any more.", "Ask the consumer.", Refinement.BOUND),
        Rule("location-changed", _R, _B, _B, "the data is at {after}, and was at {before}", "Whoever reads it looks in the old place.", "Serve both places until the readers have moved."),
        Rule("location-removed", _R, _B, _B, "the data is not at {before} any more", "Whoever reads it there finds nothing.", "Keep it there until the readers have moved."),
        Rule("location-added", _R, _C, _C, "the data is also at {after}", "Nobody reads it there yet."),
    ),
    "products": (
        Rule("product-added", _G, _C, _C, "the product is new", "Nobody relied on it."),
        Rule("product-removed", _R, _B, _B, "the product is gone", "Whoever uses its ports fails.", "Deprecate it, and remove it when nobody uses it.", Refinement.BOUND),
        Rule("product-ended", _R, _B, _B, "the product is {after} now, and was {before}", "Whoever uses its ports has no promise any more.", "End it when nobody uses it.", Refinement.BOUND),
        Rule("domain-changed", _G, _C, _C, "the domain is {after}, and was {before}", "Others decide about it now: who uses it is told."),
        Rule("output-port-added", _R, _C, _C, "the output port {port} is added", "Nobody uses it yet.", seed=True),
        Rule("output-port-removed", _R, _B, _B, "the output port {port} is removed", "Whoever uses it fails.", "Deprecate it, and remove it when nobody uses it.", Refinement.UNREACHED),
        Rule("output-port-changed", _R, _B, _B, "the {key} of the output port {port} changes from {before} to {after}", "Whoever uses it looks in the old place, or reads another format.", "Add a port, move the consumers, then remove the old one.", Refinement.UNREACHED),
        Rule("output-port-deprecated", _G, _C, _C, "the output port {port} is deprecated", "It will go: who uses it is told."),
        Rule("input-port-added", _W, _C, _C, "the input port {port} is added", "The product depends on one more.", refinement=Refinement.CLOSING),
        Rule("input-port-removed", _W, _C, _C, "the input port {port} is removed", "The product depends on one less."),
        Rule("input-port-changed", _W, _C, _C, "the {key} of the input port {port} changes from {before} to {after}", "What it depends on is another.", refinement=Refinement.CLOSING),
    ),
    "promises of both": (
        Rule("slo-added", _R, _C, _C, "{slo} is promised: {after}", "Nobody counted on it yet."),
        Rule("slo-tightened", _R, _B, _C, "{slo} is tightened from {before} to {after}", "A stricter promise is a new one: the seeds ask for a new version.", "Promise it in the next major version.", seed=True),
        Rule("slo-loosened", _R, _K, _B, "{slo} is loosened from {before} to {after}", "What consumers promise on it may not hold.", "Ask the consumers.", Refinement.PROMISED),
        Rule("slo-removed", _R, _K, _B, "{slo} is not promised any more (it was {before})", "What consumers promise on it may not hold.", "Ask the consumers.", Refinement.PROMISED),
        Rule("slo-changed", _R, _K, _K, "{slo} is {after} now, and was {before}", "Which of them is stricter cannot be told.", "Write it as a duration or a percentage."),
        Rule("retention-shortened", _R, _K, _B, "{slo} is shortened from {before} to {after}", "History that readers use goes.", "Keep it as long as the longest use."),
        Rule("retention-lengthened", _R, _C, _C, "{slo} is lengthened from {before} to {after}", "Readers lose nothing."),
        Rule("owner-added", _G, _C, _C, "it has an owner now: {after}", "Somebody answers for it."),
        Rule("owner-changed", _G, _C, _C, "the owner is {after}, and was {before}", "Consumers ask somebody else now: they are told."),
        Rule("owner-removed", _G, _B, _B, "it has no owner any more (it was {before})", "Nobody answers for it.", "Name an owner."),
        Rule("role-added", _G, _C, _C, "the role {role} is added", "One more may read it."),
        Rule("access-narrowed", _G, _K, _K, "the access of {role} is narrowed from {before} to {after}", "Who reads it by that role may be refused.", "Ask who uses it.", Refinement.BOUND),
        Rule("access-widened", _G, _C, _C, "the access of {role} is widened from {before} to {after}", "Readers lose nothing."),
        Rule("deprecated", _G, _C, _C, "it is deprecated", "It will go: who uses it is told."),
    ),
    "versions": (
        Rule("major-version-missing", _G, _B, _B, "there are breaking changes, and the major version is not raised (it was {before}, and is {after})", "A breaking change needs a new major version.", "Raise the major version, and keep the old one until its consumers have moved."),
    ),
}  # fmt: skip

RULES = {rule.id: rule for rules in GROUPS.values() for rule in rules}

"""The rules of change, as one table: what a change means for readers and writers, and why; and a verdict as lineage adjusts it.

The documentation page and `meshline rules` are made from the table. The rules of `law` are those of the articles that founded data mesh
contracts here: they are the same in every contract and product specification under the profile `mesh`.
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
    """Which side a change breaks."""

    READER = "reader"
    WRITER = "writer"
    GOVERNANCE = "governance"


class Profile(enum.StrEnum):
    """Which rules decide (docs/profiles.md). `mesh`: the law of contracts, both directions. `consumer`: whether old readers can read new data. `full`: the stricter of both."""

    MESH = "mesh"
    CONSUMER = "consumer"
    FULL = "full"


class Refinement(enum.StrEnum):
    """How recorded lineage adjusts a verdict (`meshline.governance.findings`). It is raised in every mode, and relaxed in `usage` only."""

    NONE = "none"
    UNREACHED = "unreached"  # relaxes: compatible if it has no readers and lineage is complete
    POSITIONAL = "positional"  # raises: conditional for readers by position (INSERT without a list, UNION, SELECT * into a fixed target)
    WIDENED = "widened"  # raises to breaking into a narrower copy; relaxes as UNREACHED
    PROMOTED = "promoted"  # raises: like type-widened if a contract in force promises the type; and as WIDENED
    FILTERED_ONLY = "filtered only"  # relaxes: conditional if all readers only filter on it; and as UNREACHED
    JOINED = "joined"  # raises: breaking where it is a key of a join or a group
    BRANCHED = "branched"  # raises: conditional where a condition or filter reads it
    UNBRANCHED = "unbranched"  # relaxes: compatible if no condition or filter reads it and lineage is complete
    EXPOSED = "exposed"  # raises: breaking where an output port shows it unmasked
    BOUND = "bound"  # raises: breaking where consumers are bound to it
    PROMISED = "promised"  # raises: breaking where another promise is no longer met
    CLOSING = "closing"  # raises: conditional if it closes a cycle of products, or its promise is weaker than ours


class Rule(NamedTuple):
    """`title`: a sentence with `{fields}` of the change (`details`, `before`, `after`). `safe`: what would make it safe.

    `readers`: the verdict for readers, where it is milder than the rule's: the other side is affected.
    `law`: the rule is part of what a contract or product specification always allows or never allows.
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
    law: bool = False

    def get_verdict(self, profile: Profile) -> Verdict:
        """The verdict of the rule alone."""
        if profile is Profile.FULL:
            return max(self.mesh, self.consumer)
        return self.mesh if profile is Profile.MESH else self.consumer


_C, _K, _B = Verdict
_R, _W, _G = Side
_NEW = "Add it beside the old one, migrate the readers, then remove the old one."
_LAW = "Changing a type is a contract change and needs a new version."

GROUPS: Mapping[str, tuple[Rule, ...]] = {
    "columns and fields": (
        Rule("column-added", _R, _C, _C, "`{field}` is added, and may be empty", "Readers that name their columns are not affected.", refinement=Refinement.POSITIONAL, law=True),
        Rule("column-with-default-added", _R, _C, _C, "`{field}` is added, with a default", "Data written without the field is read with the default; readers that name their columns are not affected.", refinement=Refinement.POSITIONAL),
        Rule("column-without-default-added", _W, _K, _C, "`{field}` is added without a default", "A reader that uses the new schema cannot read data that was written without the field, even if its type allows null.", "Give it a default: null, if its type allows null first.", Refinement.POSITIONAL, readers=_C),
        Rule("required-column-added", _W, _K, _C, "`{field}` is added, and must be filled", "Writers that do not fill it are rejected.", "Give it a default, or allow it to be empty until all writers fill it.", Refinement.POSITIONAL, readers=_C),
        Rule("column-removed", _R, _B, _B, "`{field}` is removed", "Queries and programs that read it fail.", "Deprecate it, and remove it when it has no readers.", Refinement.UNREACHED, law=True),
        Rule("column-renamed", _R, _B, _B, "`{before}` is renamed to `{after}`", "Queries and programs use the name: a field id or an alias does not help them.", _NEW, Refinement.UNREACHED, law=True),
        Rule("column-moved", _R, _C, _C, "`{field}` is moved from position {position} to {new_position}", "Readers that name their columns are not affected.", refinement=Refinement.POSITIONAL),
        Rule("type-widened", _R, _B, _K, "the type of `{field}` grows from {before} to {after}", f"No value is lost, but a reader's type may be too small for new values. {_LAW}", _NEW, Refinement.WIDENED, law=True),
        Rule("type-promoted", _R, _K, _K, "the type of `{field}` grows from {before} to {after}, which its format allows", "Readers that use the new schema read old data. A reader that has fixed the old type may fail on new values.", "Check that every reader accepts the wider type.", Refinement.PROMOTED),
        Rule("type-changed", _R, _B, _B, "the type of `{field}` changes from {before} to {after}", f"Values, or what readers may do with them, differ. {_LAW}", _NEW, Refinement.UNREACHED, law=True),
        Rule("type-renamed", _R, _B, _B, "the named type of `{field}` is renamed from {before} to {after}", "Readers of Avro match records, enums and fixed types by name.", "Keep the name, or give each schema an alias with the name of the other.", Refinement.UNREACHED),
        Rule("type-specified", _R, _K, _C, "the type of `{field}` is now {after} (it was {before})", "The old type was open: readers may have chosen a different one.", "Ask the readers which type they use.", Refinement.UNREACHED),
        Rule("type-withdrawn", _R, _B, _B, "the type of `{field}` is no longer promised (it was {before})", "Values of any type may appear.", "Keep the type.", Refinement.UNREACHED),
        Rule("branch-added", _R, _B, _B, "`{field}` may also be of type {after}", "Readers that use the old schema fail on values of the new type.", _NEW, Refinement.UNREACHED),
        Rule("branch-removed", _R, _B, _C, "`{field}` can no longer be of type {before}", "Readers that use the new schema cannot read old data of that type.", "Keep the type in the union.", Refinement.UNREACHED),
        Rule("column-nullable", _R, _B, _B, "`{field}` may now be empty", "Readers that rely on a value may find none.", "Keep it required, or give it a default.", Refinement.FILTERED_ONLY),
        Rule("column-required", _W, _K, _C, "`{field}` must now be filled", "Writers that leave it empty are rejected.", "Check that every writer fills it.", readers=_C),
        Rule("key-removed", _R, _K, _B, "`{field}` is no longer a {before}", "Joins and groups by it may see duplicate rows.", "Keep it unique.", Refinement.JOINED),
        Rule("key-added", _W, _K, _C, "`{field}` is now a {after}", "Writers that repeat a value are rejected.", "Check that no writer repeats a value.", readers=_C),
        Rule("enum-value-added", _R, _C, _B, "`{field}` may also be {after}", "Readers that list all values may meet an unknown one.", "Inform the readers before the value is sent.", Refinement.BRANCHED, law=True),
        Rule("enum-symbol-added", _R, _K, _B, "`{field}` may also be {after}, and its enum had no default", "Readers of Avro that use the old schema cannot decode a record with the new symbol.", "First give the enum a default and update all readers, then add the symbol.", Refinement.UNREACHED),
        Rule("enum-symbol-with-default-added", _R, _C, _K, "`{field}` may also be {after}, which readers of the old schema see as {default}", "Readers that use the old schema get the default of the enum instead of the new symbol.", "Update the readers before the symbol is sent.", Refinement.BRANCHED),
        Rule("enum-value-removed", _R, _B, _C, "`{field}` can no longer be {before}", "Consumers that rely on the value will never see it again.", "Deprecate the value first.", Refinement.UNBRANCHED, law=True),
        Rule("enum-added", _W, _K, _C, "`{field}` may now only be one of {after}", "Writers of any other value are rejected.", "Check that no writer sends another value.", readers=_C),
        Rule("enum-dropped", _R, _K, _B, "`{field}` may now be anything (it was one of {before})", "Readers that list all values may meet an unknown one.", "Keep the list of values.", Refinement.BRANCHED),
        Rule("bound-added", _W, _C, _C, "`{field}` now has a {bound}: {after}", "Readers receive a subset of the values that they already accept."),
        Rule("bound-tightened", _W, _C, _C, "the {bound} of `{field}` is tightened from {before} to {after}", "Readers receive a subset of the values that they already accept."),
        Rule("bound-loosened", _R, _K, _B, "the {bound} of `{field}` is loosened from {before} to {after}", "Readers may receive values that they do not expect.", "Keep the limit, or inform the readers."),
        Rule("bound-removed", _R, _K, _B, "`{field}` no longer has a {bound} (it was {before})", "Readers may receive values that they do not expect.", "Keep the limit, or inform the readers."),
        Rule("bound-changed", _R, _K, _K, "the {bound} of `{field}` changes from {before} to {after}", "It cannot be decided which of the two is stricter.", "Keep it, or inform the readers."),
        Rule("classification-raised", _G, _K, _K, "`{field}` is now classified as {after}", "Places that show it today may not be allowed to.", "Mask it where it leaves the product.", Refinement.EXPOSED),
        Rule("classification-removed", _G, _B, _B, "`{field}` is no longer classified as {before}", "Access rules and policies that use the classification no longer protect it.", "Keep the classification."),
        Rule("field-number-changed", _R, _B, _B, "the number of `{field}` changes from {before} to {after}", "Readers of Protobuf find a field by its number: with the other schema they find none, or another field.", "Add a field with the new number, and reserve the old one when it has no readers.", Refinement.UNREACHED),
        Rule("field-now-required", _W, _B, _C, "`{field}` must now be in every message", "Readers of Protobuf that use the new schema reject a message without it.", "Leave it optional, and check it where it is used."),
        Rule("presence-changed", _R, _K, _K, "the presence of `{field}` is now {after} (it was {before})", "With explicit presence, a reader of Protobuf can distinguish an unset field from one with the default; with implicit presence it cannot.", "Check that no reader depends on it."),
        Rule("oneof-changed", _R, _B, _B, "`{field}` is now in the choice {after} (it was in {before})", "A message that sets several fields of a choice keeps only the last.", _NEW, Refinement.UNREACHED),
        Rule("oneof-case-added", _R, _C, _K, "`{field}` is added to the choice {oneof}", "Readers that use the old schema see that nothing is chosen.", "Inform the readers before it is sent.", Refinement.BRANCHED),
        Rule("default-changed", _R, _B, _B, "the default of `{field}` changes from {before} to {after}", "The same message has another value for readers of the new schema than for those of the old one.", "Keep the default.", Refinement.UNREACHED),
        Rule("json-name-changed", _R, _B, _B, "the name of `{field}` in JSON changes from {before} to {after}", "Readers of the JSON form of Protobuf do not find it.", "Keep its json_name.", Refinement.UNREACHED),
        Rule("enum-number-changed", _R, _B, _B, "the number of {value} in `{field}` changes from {before} to {after}", "Readers of Protobuf find a value by its number: with the other schema they read another value, or none.", "Add a value with the new number.", Refinement.UNREACHED),
        Rule("enum-value-renamed", _R, _B, _B, "the value {before} of `{field}` is renamed to {after}", "Queries, programs and the JSON form use the name.", "Keep the old name as an alias (allow_alias).", Refinement.UNBRANCHED),
        Rule("enum-openness-changed", _R, _K, _K, "the enum of `{field}` is now {after} (it was {before})", "Readers of a closed enum of Protobuf do not see values that they do not know; readers of an open enum see their numbers.", "Check what readers do with unknown values."),
        Rule("number-released", _G, _B, _K, "{before} is no longer reserved in `{object}`", "It may be used again, and old data would be read as something else.", "Keep it reserved."),
        Rule("column-deprecated", _G, _C, _C, "`{field}` is deprecated", "It will be removed: its readers are notified."),
    ),
    "tables": (
        Rule("table-added", _R, _C, _C, "`{table}` is added", "It has no readers yet."),
        Rule("table-removed", _R, _B, _B, "`{table}` is removed", "Queries and programs that read it fail.", "Deprecate it, and remove it when it has no readers.", Refinement.UNREACHED),
        Rule("table-renamed", _R, _B, _B, "`{before}` is renamed to `{after}`", "Queries and programs use the name.", "Leave a view under the old name.", Refinement.UNREACHED),
        Rule("table-deprecated", _G, _C, _C, "`{table}` is deprecated", "It will be removed: its readers are notified."),
        Rule("properties-closed", _W, _K, _C, "`{object}` no longer allows other properties", "Writers of properties that the schema does not list are rejected, and so is old data that has some.", "List the properties that are in use.", readers=_C),
        Rule("properties-opened", _R, _K, _B, "`{object}` now allows other properties", "Readers that validate with the old schema reject data with new properties.", "List the properties that are added."),
        Rule("data-unreadable", _R, _B, _B, "data of `{object}` cannot be read: {detail}", "A mode of compatibility asks that it can be.", "Give new fields defaults, and named types aliases."),
        Rule("partitioning-changed", _R, _K, _K, "the partitioning of `{table}` changes from {before} to {after}", "Readers may depend on the folders, and old data must be rewritten.", "Check that no reader opens its files directly."),
        Rule("hidden-partitioning-changed", _R, _C, _C, "the partitioning of `{table}` changes from {before} to {after}", "Iceberg hides partitioning: queries do not name it, and old files stay as they are."),
        Rule("contract-enforced", _W, _C, _C, "dbt now enforces the contract of `{table}`", "A build whose columns or types differ from the declared ones fails."),
        Rule("contract-not-enforced", _R, _B, _B, "dbt no longer enforces the contract of `{table}`", "Columns and types may change without a build that fails.", "Keep `contract: {enforced: true}`, or publish a new version of the model."),
        Rule("constraints-not-enforced", _R, _B, _B, "`{table}` is now a {after} (it was a {before}): the database no longer enforces its constraints ({constraints})", "Rows that break them may appear.", "Keep it a table, or test the constraints.", Refinement.UNREACHED),
        Rule("latest-version-moved", _R, _K, _K, "a reference to `{table}` without a version now means version {after} (it meant {before})", "Models that pin no version read another table after the next build.", "Pin the version that readers need, `ref('model', v=1)`, before it moves."),
        Rule("materialization-changed", _R, _K, _K, "`{table}` is now a {after} (it was a {before})", "How fresh the data is, and what it costs to read, changes.", "Inform the readers."),
    ),
    "what computes them": (
        Rule("projection-changed", _R, _K, _K, "the expression that computes `{field}` changes", "Its values may have another meaning.", "Compare old and new values.", Refinement.UNREACHED),
        Rule("filter-changed", _R, _K, _K, "the filter on the rows of `{table}` changes", "Every number computed from it may change.", "Compare the number of rows.", Refinement.UNREACHED),
        Rule("join-changed", _R, _K, _K, "the joins of `{table}` change", "Rows may be lost or duplicated.", "Compare the number of rows.", Refinement.UNREACHED),
        Rule("grouping-changed", _R, _K, _K, "the grouping of `{table}` changes", "A row represents something else.", "Compare the number of rows.", Refinement.UNREACHED),
        Rule("query-changed", _R, _K, _K, "the query of `{table}` changes: {detail}", "The effect cannot be derived from the text of the query.", "Compare old and new rows.", Refinement.UNREACHED),
    ),
    "contracts": (
        Rule("contract-added", _G, _C, _C, "the contract is new", "No consumer relied on it before."),
        Rule("contract-removed", _R, _B, _B, "the contract is gone", "Its consumers no longer have a promise.", "End it with its notice period.", Refinement.BOUND),
        Rule("contract-ended", _R, _B, _B, "the contract is now {after} (it was {before})", "Its consumers no longer have a promise.", "End it with its notice period.", Refinement.BOUND),
        Rule("quality-rule-removed", _R, _K, _B, "the quality rule {rule_name} is removed", "Data that the rule rejected may appear.", "Keep the rule."),
        Rule("quality-rule-changed", _R, _K, _K, "the quality rule {rule_name} changes from {before} to {after}", "Data that the old rule rejected may appear.", "Keep the rule, or make it stricter."),
        Rule("quality-rule-loosened", _R, _K, _B, "the quality rule {rule_name} is loosened from {before} to {after}", "Data that the old rule rejected may appear.", "Keep the rule."),
        Rule("quality-rule-tightened", _W, _C, _C, "the quality rule {rule_name} is tightened from {before} to {after}", "Readers receive a subset of the data that they already accept."),
        Rule("quality-rule-added", _W, _C, _C, "the quality rule {rule_name} is added", "Readers receive a subset of the data that they already accept."),
        Rule("terms-changed", _G, _K, _K, "the terms ({term}) change", "A use that was allowed may now be forbidden.", "Ask the consumers."),
        Rule("notice-shortened", _G, _K, _K, "the notice period shrinks from {before} to {after}", "Consumers have less time to migrate.", "Keep the notice period."),
        Rule("notice-lengthened", _G, _C, _C, "the notice period grows from {before} to {after}", "Consumers have more time to migrate."),
        Rule("consumer-added", _G, _C, _C, "{after} consumes it under the contract", "The contract has one more consumer."),
        Rule("consumer-removed", _G, _K, _K, "{before} is no longer a consumer of the contract", "This consumer no longer has a promise.", "Ask the consumer.", Refinement.BOUND),
        Rule("location-changed", _R, _B, _B, "the data is now at {after} (it was at {before})", "Readers look for it in the old place.", "Serve both places until the readers have migrated."),
        Rule("location-removed", _R, _B, _B, "the data is no longer at {before}", "Readers that look for it there find nothing.", "Keep it there until the readers have migrated."),
        Rule("location-added", _R, _C, _C, "the data is also at {after}", "It has no readers there yet."),
    ),
    "products": (
        Rule("product-added", _G, _C, _C, "the product is new", "No consumer relied on it before."),
        Rule("product-removed", _R, _B, _B, "the product is gone", "Consumers of its ports fail.", "Deprecate it, and remove it when it has no consumers.", Refinement.BOUND),
        Rule("product-ended", _R, _B, _B, "the product is now {after} (it was {before})", "Consumers of its ports no longer have a promise.", "End it when it has no consumers.", Refinement.BOUND),
        Rule("domain-changed", _G, _C, _C, "the domain is now {after} (it was {before})", "Another domain decides about it now: its consumers are notified."),
        Rule("output-port-added", _R, _C, _C, "the output port {port} is added", "It has no consumers yet.", law=True),
        Rule("output-port-removed", _R, _B, _B, "the output port {port} is removed", "Its consumers fail.", "Deprecate it, and remove it when it has no consumers.", Refinement.UNREACHED),
        Rule("output-port-changed", _R, _B, _B, "the {key} of the output port {port} changes from {before} to {after}", "Its consumers look in the old place, or expect the old format.", "Add a port, migrate the consumers, then remove the old one.", Refinement.UNREACHED),
        Rule("output-port-deprecated", _G, _C, _C, "the output port {port} is deprecated", "It will be removed: its consumers are notified."),
        Rule("input-port-added", _W, _C, _C, "the input port {port} is added", "The product has one more dependency.", refinement=Refinement.CLOSING),
        Rule("input-port-removed", _W, _C, _C, "the input port {port} is removed", "The product has one dependency less."),
        Rule("input-port-changed", _W, _C, _C, "the {key} of the input port {port} changes from {before} to {after}", "The product depends on something else now.", refinement=Refinement.CLOSING),
    ),
    "promises of both": (
        Rule("slo-added", _R, _C, _C, "{slo} is promised: {after}", "No consumer relied on it before."),
        Rule("slo-tightened", _R, _B, _C, "{slo} is tightened from {before} to {after}", "Tightening an SLO is a contract change and needs a new version.", "Promise it in the next major version.", law=True),
        Rule("slo-loosened", _R, _K, _B, "{slo} is loosened from {before} to {after}", "Promises that consumers base on it may no longer be met.", "Ask the consumers.", Refinement.PROMISED),
        Rule("slo-removed", _R, _K, _B, "{slo} is no longer promised (it was {before})", "Promises that consumers base on it may no longer be met.", "Ask the consumers.", Refinement.PROMISED),
        Rule("slo-changed", _R, _K, _K, "{slo} is now {after} (it was {before})", "It cannot be decided which of the two is stricter.", "Write it as a duration or a percentage."),
        Rule("retention-shortened", _R, _K, _B, "{slo} is shortened from {before} to {after}", "History that readers use is deleted.", "Keep it as long as the longest use."),
        Rule("retention-lengthened", _R, _C, _C, "{slo} is lengthened from {before} to {after}", "Readers lose nothing."),
        Rule("owner-added", _G, _C, _C, "it now has an owner: {after}", "A team or person is responsible for it."),
        Rule("owner-changed", _G, _C, _C, "the owner is now {after} (it was {before})", "Consumers have a new contact: they are notified."),
        Rule("owner-removed", _G, _B, _B, "it no longer has an owner (it was {before})", "No team or person is responsible for it.", "Name an owner."),
        Rule("role-added", _G, _C, _C, "the role {role} is added", "One more role may read it."),
        Rule("access-narrowed", _G, _K, _K, "the access of {role} is narrowed from {before} to {after}", "Readers with that role may be rejected.", "Ask the users of the role.", Refinement.BOUND),
        Rule("access-widened", _G, _C, _C, "the access of {role} is widened from {before} to {after}", "Readers lose nothing."),
        Rule("deprecated", _G, _C, _C, "it is deprecated", "It will be removed: its consumers are notified."),
    ),
    "versions": (
        Rule("major-version-missing", _G, _B, _B, "there are breaking changes, and the major version is not raised (from {before} to {after})", "A breaking change needs a new major version.", "Raise the major version, and keep the old one until its consumers have migrated."),
    ),
}  # fmt: skip

RULES = {rule.id: rule for rules in GROUPS.values() for rule in rules}


class AdjustedVerdict(NamedTuple):
    """The outcome of adjusting a verdict by lineage. `why`: a sentence. `consumers`: nodes for which it applies; None: all affected ones."""

    verdict: Verdict
    why: str
    consumers: frozenset[int] | None = None

"""The report of a check: one frozen value, its JSON (the documented format of every interface), and the JSON Schema."""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias

import msgspec

from meshline.governance.changes import SubjectKind


class Value(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of all parts of a report."""


class Asset(Value, frozen=True, kw_only=True):
    """`id` is empty if the graph does not contain the asset."""

    id: str
    kind: str
    name: str
    qualified_name: str


class Step(Value, frozen=True, kw_only=True):
    """A step of a path: the asset that it reaches, by which job and which kind of edge. `hidden`: the number of assets through which it
    leads, and which the caller may not see.
    """

    asset: Asset
    edge: str = ""
    type: str = ""
    subtype: str = ""
    masking: bool = False
    job: Asset | None = None
    hidden: int = 0


class Hit(Value, frozen=True, kw_only=True):
    """A consumer that a change affects. `path`: the shortest of its reach; `contract`: covers its use; `why`: what adjusted the verdict;
    `lastRead`: the day on which it was last seen to read what is affected, if usage was loaded.
    """

    consumer: Asset
    verdict: str
    reach: str  # DIRECT, INDIRECT, POSSIBLE; BOUND: by a promise alone
    distance: int
    masked: bool
    path: tuple[Step, ...]
    contract: str = ""
    owners: tuple[Asset, ...] = ()
    domain: Asset | None = None
    why: str = ""
    last_read: str = ""


class Waived(Value, frozen=True, kw_only=True):
    """A waiver that accepts a finding: why, who approved it, and its last day (a date)."""

    reason: str
    approver: str
    expires: str


class Subject(Value, frozen=True, kw_only=True):
    """What is changed; see `meshline.governance.changes.Subject`."""

    kind: SubjectKind
    name: str
    part: tuple[str, ...] = ()


class Finding(Value, frozen=True, kw_only=True):
    """One change with its meaning. `text`: what is changed; `reason`: why that matters; `safe`: what would make it safe.

    `unknown`: changed assets that the graph does not contain, so that their readers are unknown. `gaps`: why the lineage behind the
    change is not complete, in words. `affected`: how many datasets, columns, products and jobs are affected; `contracts`: those that
    promise affected data. `hiddenHits`: how many further consumers are affected that the caller may not see (access rules).
    """

    fingerprint: str
    rule: str
    side: str
    verdict: str
    text: str
    reason: str
    safe: str = ""
    subject: Subject
    before: Any = None  # JSON
    after: Any = None
    file: str = ""
    line: int = 0
    hits: tuple[Hit, ...] = ()
    hidden_hits: int = 0
    products: tuple[Asset, ...] = ()
    contracts: tuple[Asset, ...] = ()
    owners: tuple[Asset, ...] = ()
    affected: dict[str, int] = {}
    unknown: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    waived: Waived | None = None


class Violation(Value, frozen=True, kw_only=True):
    """A policy that is violated on the graph as it would be after the change. `new`: it is not violated today."""

    fingerprint: str
    policy: str
    severity: str
    verdict: str
    text: str
    asset: Asset
    path: tuple[Step, ...] = ()
    new: bool = True
    waived: Waived | None = None


class HiddenViolations(Value, frozen=True, kw_only=True):
    """How many new violations of a policy have one verdict and are not listed: of assets that the caller may not see."""

    policy: str
    verdict: str
    count: int


class WaiverProblem(Value, frozen=True, kw_only=True):
    """A waiver that has expired, matches no finding, or cannot be used. It is a finding of its own."""

    fingerprint: str
    problem: str  # expired, unused
    text: str
    file: str = ""
    line: int = 0
    verdict: str = "conditional"


class Notice(Value, frozen=True, kw_only=True):
    """A recipient, why it is notified, and of what. `assets`: the most certainly affected and nearest ones; `total`: of all."""

    recipient: Asset
    contacts: dict[str, str]
    reason: str
    reach: str
    why: str
    assets: tuple[Asset, ...]
    total: int


class LineageChange(Value, frozen=True, kw_only=True):
    """A flow that was added or removed since the last release."""

    change: str  # added, removed
    start: Asset
    end: Asset
    job: Asset | None = None


class LineageSince(Value, frozen=True, kw_only=True):
    """What changed in the lineage of the changed assets since a time (ISO 8601). `flows`: some of the changes; the counts are of all."""

    since: str
    added: int
    removed: int
    flows: tuple[LineageChange, ...] = ()


class HiddenAssets(Value, frozen=True, kw_only=True):
    """How many affected assets the caller may not see; `domain`: theirs, if he may see that one, else null."""

    count: int
    domain: Asset | None = None


class Completeness(Value, frozen=True, kw_only=True):
    """What the answer may be missing, as in every answer (docs/concepts.md)."""

    truncated: str
    possible_only: int
    undescribed: int
    stale_edges: int
    provisional: int
    unbound: int = 0
    silent_on_filters: int = 0
    silent_producers: tuple[str, ...] = ()
    as_of: str | None
    revision: int
    hidden: tuple[HiddenAssets, ...] = ()


class Report(Value, frozen=True, kw_only=True):
    """`verdict`: the worst one that is not waived. `passed`: no verdict is at or above `fail_on`. `checked`: how many inputs were compared.

    `consumersChecked`: false without a graph (--no-graph): an empty list of hits then means nothing. `policiesChecked`: false if the
    request has policies and its caller may not see every asset: these are not evaluated then. `hiddenViolations`: for such a caller, the
    violations that are not listed; they count. `compatibility`: the mode that decided changes of schemas in place of the profile.
    """

    verdict: str
    passed: bool
    mode: str
    profile: str
    fail_on: str
    checked: int
    compatibility: str = ""
    consumers_checked: bool = True
    policies_checked: bool = True
    findings: tuple[Finding, ...] = ()
    violations: tuple[Violation, ...] = ()
    hidden_violations: tuple[HiddenViolations, ...] = ()
    waivers: tuple[WaiverProblem, ...] = ()
    notify: tuple[Notice, ...] = ()
    completeness: Completeness
    lineage: LineageSince | None = None
    warnings: tuple[str, ...] = ()


Concern: TypeAlias = Finding | Violation | WaiverProblem


def encode_report(report: Report) -> bytes:
    """The report in the documented format."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def build_report_schema() -> str:
    """The JSON Schema (2020-12) of a report."""
    made = msgspec.json.schema(Report)
    for part in made["$defs"].values():
        if "description" in part:
            part["description"] = " ".join(inspect.cleandoc(part["description"]).split())
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Report of meshline check", **made}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"

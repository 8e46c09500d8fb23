"""What a change would do: the report of a check, with assets that can be asked further."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from meshline.api.check_request import Asked
from meshline.api.checking import judged, texts_of
from meshline.api.graphql.asset import Asset
from meshline.api.graphql.change_input import ChangeInput
from meshline.api.graphql.context import Request, View
from meshline.api.graphql.enums import CheckMode, CheckProfile, NoticeReason, Reach, Truncated, Verdict
from meshline.api.graphql.fields import documented
from meshline.api.graphql.hits import Hit, HitStep, Shown, reach_of, verdict_of
from meshline.api.graphql.lineage import Completeness
from meshline.governance import report


@strawberry.type(description="How many assets of a kind are reached.")
class AffectedCount:
    kind: str
    count: int


@strawberry.type(description="One change, and what it means.")
class Finding:
    fingerprint: str = strawberry.field(description="Says which change it is, whatever else changes.")
    rule: str
    side: str = strawberry.field(description="Whom it breaks: reader, writer or governance.")
    verdict: Verdict
    text: str = strawberry.field(description="What is changed.")
    reason: str = strawberry.field(description="Why that matters.")
    safe: str | None = strawberry.field(description="What would make it safe.")
    subject_kind: str = strawberry.field(description="contract, product or table.")
    subject: str
    part: list[str] = strawberry.field(description="Where in the subject; empty: all of it.")
    before: JSON | None
    after: JSON | None
    file: str | None
    line: int | None
    hits: list[Hit]
    products: list[Asset]
    contracts: list[Asset]
    owners: list[Asset] = strawberry.field(description="Who owns what is changed.")
    affected: list[AffectedCount]
    unknown: list[str] = strawberry.field(description="What is changed and the graph does not know.")
    gaps: list[str] = strawberry.field(description="Why the lineage behind it is not complete.")

    @classmethod
    def of(cls, shown: Shown, found: report.Finding) -> Self:
        shown.view.request.spend()
        return cls(
            fingerprint=found.fingerprint,
            rule=found.rule,
            side=found.side,
            verdict=verdict_of(found.verdict),
            text=found.text,
            reason=found.reason,
            safe=found.safe or None,
            subject_kind=found.subject.kind,
            subject=found.subject.name,
            part=list(found.subject.part),
            before=None if found.before is None else JSON(found.before),
            after=None if found.after is None else JSON(found.after),
            file=found.file or None,
            line=found.line or None,
            hits=[Hit.of(shown, hit) for hit in found.hits],
            products=shown.all(found.products),
            contracts=shown.all(found.contracts),
            owners=shown.all(found.owners),
            affected=[AffectedCount(kind=kind, count=count) for kind, count in found.affected.items()],
            unknown=list(found.unknown),
            gaps=list(found.gaps),
        )


@strawberry.type(description="A policy that would not hold after the change.")
class BrokenPolicy:
    fingerprint: str
    policy: str
    severity: str
    verdict: Verdict
    text: str
    asset: Asset | None
    name: str = strawberry.field(description="The asset's qualified name.")
    path: list[HitStep]
    new: bool = strawberry.field(description="Whether it holds today.")

    @classmethod
    def of(cls, shown: Shown, found: report.Violation) -> Self:
        shown.view.request.spend(1 + len(found.path))
        return cls(
            fingerprint=found.fingerprint,
            policy=found.policy,
            severity=found.severity,
            verdict=verdict_of(found.verdict),
            text=found.text,
            asset=shown.asset(found.asset),
            name=found.asset.qualified_name,
            path=[HitStep.of(shown, step) for step in found.path],
            new=found.new,
        )


@strawberry.type(description="Somebody to tell of a change, once.")
class CheckNotice:
    shown: strawberry.Private[Shown]
    notice: strawberry.Private[report.Notice]
    name: str
    recipient: Asset | None
    contacts: JSON = strawberry.field(description="email, slack, contact: as far as they are known.")
    reason: NoticeReason
    reach: Reach | None = strawberry.field(description="Null: bound by a promise alone.")
    why: str = strawberry.field(description="The reason as the end of a sentence.")
    total: int = strawberry.field(description="How many assets it is about.")

    @classmethod
    def of(cls, shown: Shown, notice: report.Notice) -> Self:
        shown.view.request.spend()
        return cls(
            shown=shown,
            notice=notice,
            name=notice.recipient.name,
            recipient=shown.asset(notice.recipient),
            contacts=JSON(notice.contacts),
            reason=NoticeReason(notice.reason),
            reach=reach_of(notice.reach),
            why=notice.why,
            total=notice.total,
        )

    @documented("What they own or use of all that is affected, the surest and nearest first.")
    def assets(self, first: int | None = None) -> list[Asset]:
        size = self.shown.view.request.page(first, 100)
        return self.shown.all(self.notice.assets[:size])


@strawberry.type(description="A flow that is new, or gone.")
class FlowChange:
    change: str = strawberry.field(description="added or removed")
    from_name: str
    to_name: str
    job_name: str | None


@strawberry.type(description="What changed in the lineage of what is touched since a time. `flows` are some of them.")
class LineageSince:
    since: datetime
    added: int
    removed: int
    flows: list[FlowChange]

    @classmethod
    def of(cls, found: report.LineageSince) -> Self:
        flows = [
            FlowChange(
                change=flow.change,
                from_name=flow.start.qualified_name,
                to_name=flow.end.qualified_name,
                job_name=None if flow.job is None else flow.job.qualified_name,
            )
            for flow in found.flows
        ]
        return cls(since=datetime.fromisoformat(found.since), added=found.added, removed=found.removed, flows=flows)


@strawberry.type(description="What a change would do, to whom, and how sure that is.")
class BlastRadius:
    verdict: Verdict = strawberry.field(description="The worst of all.")
    mode: CheckMode
    profile: CheckProfile
    checked: int = strawberry.field(description="How many things were compared.")
    findings: list[Finding]
    violations: list[BrokenPolicy]
    notify: list[CheckNotice] = strawberry.field(description="Whom to tell: consumers and owners, each once.")
    completeness: Completeness
    lineage: LineageSince | None = strawberry.field(description="Null if `since` was not given.")
    warnings: list[str] = strawberry.field(description="What could not be bound.")

    @classmethod
    def of(cls, view: View, found: report.Report) -> Self:
        shown = Shown(view)
        known = found.completeness
        return cls(
            verdict=verdict_of(found.verdict),
            mode=CheckMode(found.mode),
            profile=CheckProfile(found.profile),
            checked=found.checked,
            findings=[Finding.of(shown, one) for one in found.findings],
            violations=[BrokenPolicy.of(shown, one) for one in found.violations],
            notify=[CheckNotice.of(shown, one) for one in found.notify],
            completeness=Completeness(
                truncated=Truncated(known.truncated),
                possible_only=known.possible_only,
                undescribed=known.undescribed,
                stale_edges=known.stale_edges,
                provisional=known.provisional,
                unbound=known.unbound,
                silent_on_filters=known.silent_on_filters,
                silent_producers=list(known.silent_producers),
                as_of=None,
                known_later=[],
                revision=known.revision,
            ),
            lineage=None if found.lineage is None else LineageSince.of(found.lineage),
            warnings=list(found.warnings),
        )


def blast_radius(request: Request, change: ChangeInput, mode: CheckMode, profile: CheckProfile, since: datetime | None) -> BlastRadius:
    asked = Asked(change.things(), mode=mode, profile=profile, since=since)
    limits = request.limits
    with texts_of(request.live, request.naming, asked, limits, apart=request.apart) as texts:
        texts.difference()  # before the graph is held
        view = request.now  # from here on nobody writes
        found = judged(request.live, asked, texts, limits, request.governing)
    request.stopped(found.completeness.truncated)
    return BlastRadius.of(view, found)

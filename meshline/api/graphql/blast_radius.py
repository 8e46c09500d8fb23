"""The effect of a change: the inputs of a check in GraphQL, and its report, whose assets can be queried further."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from meshline.api.graphql.asset import Asset
from meshline.api.graphql.context import GraphView, RequestContext
from meshline.api.graphql.field_types import (
    CheckMode,
    CheckProfile,
    EdgeType,
    FlowType,
    NoticeReason,
    Reach,
    Truncated,
    Verdict,
    describe_field,
)
from meshline.api.graphql.lineage import Completeness
from meshline.app.check import judge_texts, open_texts
from meshline.app.check_texts import CheckInput, CheckRequest, File
from meshline.errors import InvalidInput
from meshline.governance import report
from meshline.governance.findings import BOUND
from meshline.governance.report_formats.markdown import render_markdown
from meshline.graph.index.results import HiddenCount


@strawberry.input(description="Two versions of a file, as texts.")
class VersionsInput:
    before: str | None = strawberry.field(default=None, description="If not given, the new version is compared with what the graph knows.")
    after: str | None = strawberry.field(default=None, description="If not given, the file was removed.")


@strawberry.input(description="A table's schema: Iceberg or Delta metadata, an Avro or JSON schema, or a file of Protobuf.")
class SchemaInput(VersionsInput):
    dataset: str | None = strawberry.field(default=None, description="The table, by any of its names.")
    format: str | None = strawberry.field(
        default=None, description="iceberg, delta, avro, json or protobuf; if not given, detected from the text."
    )
    message: str | None = strawberry.field(default=None, description="The message of Protobuf; if not given, all that no other contains.")


@strawberry.input(description="Statements of SQL that change tables (CREATE, ALTER, DROP).")
class DdlInput:
    text: str
    dialect: str | None = None


@strawberry.input(description="The changes to check, in one or more of these forms.")
class ChangeInput:
    words: list[str] | None = strawberry.field(
        default=None, description="`drop COLUMN`, `rename COLUMN to NAME`, `retype COLUMN to TYPE`, `add COLUMN TYPE`, `require COLUMN`."
    )
    contract: VersionsInput | None = None
    product: VersionsInput | None = None
    schema: SchemaInput | None = None
    ddl: DdlInput | None = None
    dbt: VersionsInput | None = strawberry.field(default=None, description="Manifests.")

    def to_inputs(self) -> tuple[CheckInput, ...]:
        """The inputs of a check. Raises InvalidInput if none is given."""
        found = tuple(self._iterate_inputs())
        if not found:
            raise InvalidInput("name a change: words, contract, product, schema, ddl or dbt", "change")
        return found

    def _iterate_inputs(self) -> Iterator[CheckInput]:
        if self.words is not None:
            yield CheckInput("change", None, File("words", "\n".join(self.words)))
        for kind, given in (("contract", self.contract), ("product", self.product), ("schema", self.schema), ("dbt", self.dbt)):
            if given is not None:
                yield CheckInput(
                    kind, _build_file(kind, "before", given.before), _build_file(kind, "after", given.after), _collect_options(given)
                )
        if self.ddl is not None:
            yield CheckInput("ddl", None, File("ddl", self.ddl.text), {} if self.ddl.dialect is None else {"dialect": self.ddl.dialect})


def _build_file(kind: str, side: str, text: str | None) -> File | None:
    return None if text is None else File(f"{kind}.{side}", text)


def _collect_options(given: VersionsInput) -> dict[str, str]:
    if not isinstance(given, SchemaInput):
        return {}
    return {
        name: text for name, text in (("dataset", given.dataset), ("format", given.format), ("message", given.message)) if text is not None
    }


def parse_verdict(text: str) -> Verdict:
    return Verdict[text.upper()]


def parse_reach(text: str) -> Reach | None:
    return None if text == BOUND else Reach[text]


class ReportAssets:
    """Finds the assets of a report in the current graph."""

    def __init__(self, view: GraphView) -> None:
        self.view = view

    def find_asset(self, asset: report.Asset | None) -> Asset | None:
        node = self.find_node(asset)
        return None if node is None else self.view.get_asset(node, Asset)

    def find_node(self, asset: report.Asset | None) -> int | None:
        return self.view.index.assets.find(asset.id) if asset is not None and asset.id else None

    def list_assets(self, assets: Iterable[report.Asset]) -> list[Asset]:
        return [found for one in assets if (found := self.find_asset(one)) is not None]


@strawberry.type(description="A step of a path: the asset that it reaches, the edge and the job.")
class HitStep:
    name: str = strawberry.field(description="The qualified name.")
    asset: Asset | None
    edge_type: EdgeType | None = strawberry.field(description="Null at the beginning.")
    type: FlowType | None
    subtype: str | None
    masking: bool
    job: Asset | None
    hidden: int = strawberry.field(
        description="The number of assets through which this step leads, and which the caller may not see (access rules)."
    )

    @classmethod
    def from_step(cls, assets: ReportAssets, step: report.Step) -> Self:
        return cls(
            name=step.asset.qualified_name,
            asset=assets.find_asset(step.asset),
            edge_type=EdgeType(step.edge) if step.edge else None,
            type=FlowType(step.type) if step.type else None,
            subtype=step.subtype or None,
            masking=step.masking,
            job=assets.find_asset(step.job),
            hidden=step.hidden,
        )


@strawberry.type(description="A consumer that a change affects.")
class Hit:
    name: str
    consumer: Asset | None = strawberry.field(description="Null if it occurs only in a file, not in the graph.")
    verdict: Verdict
    reach: Reach | None = strawberry.field(description="Null: only a contract connects it with the change, not lineage.")
    distance: int
    masked: bool = strawberry.field(description="Whether every path with this reach passes a masking step.")
    path: list[HitStep] = strawberry.field(description="A shortest path with this reach, in the direction in which data flows.")
    contract_name: str | None = strawberry.field(description="The contract that covers its use.")
    owners: list[Asset]
    domain: Asset | None = strawberry.field(description="The domain of the data that it uses.")
    why: str | None = strawberry.field(description="Why the verdict differs from that of the rule.")

    @classmethod
    def from_hit(cls, assets: ReportAssets, hit: report.Hit) -> Self:
        assets.view.request.spend(1 + len(hit.path))
        return cls(
            name=hit.consumer.name,
            consumer=assets.find_asset(hit.consumer),
            verdict=parse_verdict(hit.verdict),
            reach=parse_reach(hit.reach),
            distance=hit.distance,
            masked=hit.masked,
            path=[HitStep.from_step(assets, step) for step in hit.path],
            contract_name=hit.contract or None,
            owners=assets.list_assets(hit.owners),
            domain=assets.find_asset(hit.domain),
            why=hit.why or None,
        )


@strawberry.type(description="The number of affected assets of one kind.")
class AffectedCount:
    kind: str
    count: int


@strawberry.type(description="One change, its verdict and what it affects.")
class Finding:
    fingerprint: str = strawberry.field(description="Identifies the change, independently of other changes.")
    rule: str
    side: str = strawberry.field(description="The side that it breaks: reader, writer or governance.")
    verdict: Verdict
    text: str = strawberry.field(description="What changes, as a sentence.")
    reason: str = strawberry.field(description="Why the change matters.")
    safe: str | None = strawberry.field(description="How to make the change safe.")
    subject_kind: str = strawberry.field(description="contract, product or table.")
    subject: str
    part: list[str] = strawberry.field(description="The path of the changed part inside the subject; empty: the whole subject.")
    before: JSON | None
    after: JSON | None
    file: str | None
    line: int | None
    hits: list[Hit]
    hidden_hits: int = strawberry.field(description="How many further consumers are affected that the caller may not see (access rules).")
    products: list[Asset]
    contracts: list[Asset]
    owners: list[Asset] = strawberry.field(description="The owners of the changed assets.")
    affected: list[AffectedCount]
    unknown: list[str] = strawberry.field(description="Changed assets that the graph does not know.")
    gaps: list[str] = strawberry.field(description="Why the lineage used for this finding is not complete.")

    @classmethod
    def from_finding(cls, assets: ReportAssets, found: report.Finding) -> Self:
        assets.view.request.spend()
        return cls(
            fingerprint=found.fingerprint,
            rule=found.rule,
            side=found.side,
            verdict=parse_verdict(found.verdict),
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
            hits=[Hit.from_hit(assets, hit) for hit in found.hits],
            hidden_hits=found.hidden_hits,
            products=assets.list_assets(found.products),
            contracts=assets.list_assets(found.contracts),
            owners=assets.list_assets(found.owners),
            affected=[AffectedCount(kind=kind, count=count) for kind, count in found.affected.items()],
            unknown=list(found.unknown),
            gaps=list(found.gaps),
        )


@strawberry.type(description="A violation of a policy, now or after a change.")
class BrokenPolicy:
    fingerprint: str
    policy: str
    severity: str
    verdict: Verdict
    text: str
    asset: Asset | None
    name: str = strawberry.field(description="The asset's qualified name.")
    path: list[HitStep]
    new: bool = strawberry.field(description="Whether the change introduces the violation; false: it exists already.")

    @classmethod
    def from_violation(cls, assets: ReportAssets, found: report.Violation) -> Self:
        assets.view.request.spend(1 + len(found.path))
        return cls(
            fingerprint=found.fingerprint,
            policy=found.policy,
            severity=found.severity,
            verdict=parse_verdict(found.verdict),
            text=found.text,
            asset=assets.find_asset(found.asset),
            name=found.asset.qualified_name,
            path=[HitStep.from_step(assets, step) for step in found.path],
            new=found.new,
        )


@strawberry.type(description="A recipient to notify of a change; each recipient occurs once.")
class CheckNotice:
    report_assets: strawberry.Private[ReportAssets]
    notice: strawberry.Private[report.Notice]
    name: str
    recipient: Asset | None
    contacts: JSON = strawberry.field(description="email, slack and contact, as far as they are known.")
    reason: NoticeReason
    reach: Reach | None = strawberry.field(description="Null: only a contract connects the recipient with the change.")
    why: str = strawberry.field(description="The reason, worded as the end of a sentence.")
    total: int = strawberry.field(description="The number of assets that it is about.")

    @classmethod
    def from_notice(cls, assets: ReportAssets, notice: report.Notice) -> Self:
        assets.view.request.spend()
        return cls(
            report_assets=assets,
            notice=notice,
            name=notice.recipient.name,
            recipient=assets.find_asset(notice.recipient),
            contacts=JSON(notice.contacts),
            reason=NoticeReason(notice.reason),
            reach=parse_reach(notice.reach),
            why=notice.why,
            total=notice.total,
        )

    @describe_field("The affected assets that the recipient owns or uses; the most certain and nearest first.")
    def assets(self, first: int | None = None) -> list[Asset]:
        size = self.report_assets.view.request.check_page_size(first, 100)
        return self.report_assets.list_assets(self.notice.assets[:size])


@strawberry.type(description="A flow that was added or removed.")
class FlowChange:
    change: str = strawberry.field(description="added or removed")
    from_name: str
    to_name: str
    job_name: str | None


@strawberry.type(description="The number of violations of a policy that are not listed and have one verdict.")
class HiddenViolations:
    policy: str
    verdict: Verdict
    count: int


@strawberry.type(description="Changes in the lineage of the changed assets since a time. `flows` lists some of them.")
class LineageSince:
    since: datetime
    added: int
    removed: int
    flows: list[FlowChange]

    @classmethod
    def from_changes(cls, found: report.LineageSince) -> Self:
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


@strawberry.type(description="The effect of a change on consumers, products and policies, and how complete the answer is.")
class BlastRadius:
    verdict: Verdict = strawberry.field(description="The worst verdict of all findings and violations.")
    mode: CheckMode
    profile: CheckProfile
    checked: int = strawberry.field(description="The number of inputs that were compared.")
    findings: list[Finding]
    violations: list[BrokenPolicy]
    hidden_violations: list[HiddenViolations] = strawberry.field(
        description="The violations that are not listed: of assets that the caller may not see (access rules)."
    )
    policies_checked: bool = strawberry.field(
        description="Whether all policies were evaluated; false if the request has some, and its caller may not see every asset."
    )
    notify: list[CheckNotice] = strawberry.field(description="The recipients to notify: consumers and owners, each once.")
    completeness: Completeness
    lineage: LineageSince | None = strawberry.field(description="Null if `since` was not given.")
    warnings: list[str] = strawberry.field(description="Parts of the change that could not be related to the graph.")
    found: strawberry.Private[report.Report]

    @describe_field("The report as a comment on a pull request, as `meshline check --format markdown` writes it.")
    def markdown(self) -> str:
        return render_markdown(self.found)

    @classmethod
    def from_report(cls, view: GraphView, found: report.Report) -> Self:
        shown = ReportAssets(view)
        known = found.completeness
        return cls(
            verdict=parse_verdict(found.verdict),
            mode=CheckMode(found.mode),
            profile=CheckProfile(found.profile),
            checked=found.checked,
            findings=[Finding.from_finding(shown, one) for one in found.findings],
            violations=[BrokenPolicy.from_violation(shown, one) for one in found.violations],
            hidden_violations=[
                HiddenViolations(policy=one.policy, verdict=parse_verdict(one.verdict), count=one.count) for one in found.hidden_violations
            ],
            policies_checked=found.policies_checked,
            notify=[CheckNotice.from_notice(shown, one) for one in found.notify],
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
                hidden_counts=[HiddenCount(shown.find_node(one.domain), one.count) for one in known.hidden],
                view=view,
            ),
            lineage=None if found.lineage is None else LineageSince.from_changes(found.lineage),
            warnings=list(found.warnings),
            found=found,
        )


def compute_blast_radius(
    request: RequestContext, change: ChangeInput, mode: CheckMode, profile: CheckProfile, since: datetime | None
) -> BlastRadius:
    asked = CheckRequest(change.to_inputs(), mode=mode, profile=profile, since=since)
    limits = request.limits
    with open_texts(request.live, request.naming, asked, limits, apart=request.apart) as texts:
        texts.read_difference()  # before the graph is locked: it may take long
        view = request.now  # locks the graph until the end of the request
        found = judge_texts(request.live, asked, texts, limits, request.governing)
    request.record_truncation(found.completeness.truncated)
    return BlastRadius.from_report(view, found)

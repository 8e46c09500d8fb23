"""Follows the store's revisions and records notices: of changes, which are found by comparing what scopes stated before and state
now, and judged on the graph; and of violations. The position moves in the commit that records the notices, so no notice is lost or
recorded twice.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from meshline.errors import MeshlineError
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.gate import Options, judge_changes
from meshline.governance.notify import violation_events
from meshline.governance.notify.outbox import WEBHOOK, NoticeBody, Receiver, build_key, build_receiver, build_record, limit_names
from meshline.governance.notify.snapshots import EMPTY_SNAPSHOT, Snapshot, build_snapshot, pair_versions
from meshline.governance.notify.violation_events import WatchedViolations
from meshline.governance.report import Finding, Notice
from meshline.governance.rules import Verdict
from meshline.graph import model
from meshline.graph.content import EMPTY
from meshline.graph.contracts import AnyPair, Contract, Definition, Product
from meshline.graph.index import LineageIndex, Truncated
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    CATALOG_KINDS,
    JOB_OUTPUT,
    AssetKey,
    AssetKind,
    Content,
    EdgeType,
    Interval,
    Scope,
    is_partial_schema,
    parse_source_kind,
)
from meshline.graph.queries.pages import Limits
from meshline.graph.store.base import Batch, Head, Record

log = logging.getLogger("meshline.notify")

LANDED = "change.landed"
_BREAKING = Verdict.BREAKING.name.lower()
REMEMBERED = 100_000  # intervals that were compared
TOGETHER = 200  # histories that are read at once
JUDGE_SECONDS = 10.0  # at most, for one change
# Scopes of runs: they state lineage, and are restated all the time.
_SILENT = frozenset(
    {JOB_OUTPUT, "job-writes", "job-reads", "job-declared", "job-parent", "job", "job-quality", "dataset-lineage", "dataset-replaced"}
)


class LandedChange(NamedTuple):
    """The changes with which an interval of a scope began (`since`, in microseconds)."""

    head: Head
    since: int
    changes: tuple[Change, ...]


class ChangeDetector:
    """Finds changes in new intervals of scopes. Remembers which intervals it compared (`remember_compared`), so that restated content is
    not compared again.
    """

    def __init__(self, live: LiveGraph, changes: Callable[[AnyPair], list[Change]], *, breaking_only: bool = False) -> None:
        """`changes`: compares the two versions of a pair."""
        self._live = live
        self._changes = changes
        self._breaking_only = breaking_only
        self._seen: OrderedDict[int, tuple[int, bytes | None]] = OrderedDict()
        self._compared: dict[int, tuple[int, bytes | None]] = {}  # since the last `remember_compared`

    def remember_compared(self) -> None:
        """Call it when the notices are committed: the compared intervals are not compared again. Until then each step compares them."""
        for scope_id, interval_key in self._compared.items():
            self._seen[scope_id] = interval_key
            self._seen.move_to_end(scope_id)
        self._compared.clear()
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def build_records(self, heads: Sequence[Head], since: int, now: int, *, webhook: bool) -> Iterator[Record]:
        """Records of notices for the intervals of these heads that began after `since` (microseconds)."""
        for landed in self.find_changes(heads, since):
            for change in landed.changes:
                yield from self._build_notices(landed, change, now, webhook=webhook)

    def find_changes(self, heads: Sequence[Head], since: int) -> Iterator[LandedChange]:
        """The changes of each new interval, in no order."""
        chosen = {head.scope_id: head for head in heads if head.scope[:1] and head.scope[0] not in _SILENT and self._is_new(head, since)}
        ids = sorted(chosen)
        for at in range(0, len(ids), TOGETHER):
            for scope_id, history in self._live.store.read_history(ids[at : at + TOGETHER]).items():
                yield from self._compare_intervals(chosen[scope_id], history, since)

    def _is_new(self, head: Head, since: int) -> bool:
        interval_key = (head.valid_from, None if head.content is None else head.content.digest)
        if self._seen.get(head.scope_id) == interval_key:
            return False
        self._compared[head.scope_id] = interval_key
        return head.content is None or head.valid_from > since

    def _compare_intervals(self, head: Head, history: Sequence[tuple[Interval, Content]], since: int) -> Iterator[LandedChange]:
        """Compares neighbouring intervals. Provisional ones are not compared yet; a gap states nothing."""
        settled = [(interval, content) for interval, content in history if not interval.observation.provisional]
        for (_, before), (interval, after) in pairwise(settled):
            if interval.valid_from <= since:
                continue
            try:
                changes = self._list_changes(head, _build_snapshot(before, head), _build_snapshot(after, head))
            except MeshlineError as error:
                log.warning("the changes that %s made to %s cannot be compared: %s", head.source, list(head.scope), error)
            except Exception:
                log.exception("the changes that %s made to %s cannot be compared", head.source, list(head.scope))
            else:
                if changes:
                    yield LandedChange(head, interval.valid_from, tuple(changes))

    def _list_changes(self, head: Head, before: Snapshot, after: Snapshot) -> list[Change]:
        found: list[Change] = []
        for pair in pair_versions(before, after):
            if self._is_authoritative(head, pair, before):
                found += self._changes(pair)
        return found

    def _is_authoritative(self, head: Head, pair: AnyPair, before: Snapshot) -> bool:
        """Whether this scope is authoritative for the compared table, contract or product."""
        assert pair.before is not None, "new tables, contracts and products are not compared"
        match pair.before.value:
            case Definition():
                table = pair.before.datasets[""][0]
                return table not in before.listed or self._is_column_authority(head, table)
            case Contract(id=name):
                return pair.after is not None or not self._has_other_sources(head, model.build_contract_key(name))
            case Product(name=name):
                return pair.after is not None or not self._has_other_sources(head, model.build_data_product_key(name))

    def _has_other_sources(self, head: Head, key: AssetKey) -> bool:
        with self._live.lock:
            node = self._live.index.assets.find_by_key(key)
            return node is not None and bool(self._live.index.changes.list_fact_names(node).keys() - {head.scope_id})

    def _is_column_authority(self, head: Head, dataset: AssetKey) -> bool:
        """Whether this scope takes precedence over all other sources that list the columns of the table."""
        with self._live.lock:
            index = self._live.index
            node = index.assets.find_by_key(dataset)
            listed = set() if node is None else {edge.scope_id for edge in index.ownership.list_edges(node, EdgeType.HAS_COLUMN)}
            others = [
                scope for scope_id in listed - {head.scope_id} if not is_partial_schema((scope := index.changes.get_scope(scope_id)).scope)
            ]
        if head.content is None:
            return not others
        own = self._rank_source(head.source, head.scope)
        return all(own < self._rank_source(other.source, other.scope) for other in others)

    def _rank_source(self, source: str, scope: Scope) -> tuple[bool, int, str, Scope]:
        """The precedence of a source for columns: the smallest rank wins."""
        return (parse_source_kind(source) not in CATALOG_KINDS, self._live.precedence.rank(source, "columns"), source, scope)

    # -- notices

    def _build_notices(self, landed: LandedChange, change: Change, now: int, *, webhook: bool) -> Iterator[Record]:
        live = self._live
        with live.lock:
            report = judge_changes(live, live.index, [change], Options(now=now, limits=Limits(deadline=time.monotonic() + JUDGE_SECONDS)))
            if report.completeness.truncated != Truncated.NONE:
                log.warning(
                    "the search for what a change of %s affects was stopped after %g seconds: some recipients may be missing",
                    change.subject.name,
                    JUDGE_SECONDS,
                )
            receivers = [(notice, _choose_receiver(live.index, notice)) for notice in report.notify]
            subject = _name_subject(live.index, change)
        finding = next((one for one in report.findings if one.fingerprint == change.fingerprint), None)
        if finding is None or not receivers or (self._breaking_only and finding.verdict != _BREAKING):
            return
        about = (landed.head.source, *landed.head.scope, change.fingerprint, landed.since)
        whole = _build_body(finding, landed, subject)
        for notice, to in receivers:
            if to is not None:
                assets, more = limit_names(asset.qualified_name for asset in notice.assets)
                own = {"receiver": to, "reason": notice.reason, "reach": notice.reach, "assets": assets, "more": more, "details": {}}
                yield build_record(build_key(*about, to.kind, to.name), msgspec.structs.replace(whole, **own), now)
        if webhook:
            yield build_record(build_key(*about, WEBHOOK), whole, now)


def _build_snapshot(content: Content, head: Head) -> Snapshot:
    return EMPTY_SNAPSHOT if content.digest == EMPTY.digest else build_snapshot(content, head.source)


def _choose_receiver(index: LineageIndex, notice: Notice) -> Receiver | None:
    """None for a consumer without contacts that has owners: they are notified instead."""
    who = notice.recipient
    found = build_receiver(who.kind, who.name, who.id, notice.contacts)
    node = index.assets.find(who.id) if who.id else None
    if not found.contacts and who.kind == AssetKind.CONSUMER and node is not None and index.ownership.list_owners(node):
        return None
    return found


def _name_subject(index: LineageIndex, change: Change) -> str:
    """The name of what is changed; of a table the name that is shown elsewhere."""
    if change.subject.kind is SubjectKind.TABLE:
        for key in change.assets:
            node = (
                index.assets.find_by_key(AssetKey(AssetKind.DATASET, key.parts[:2]))
                if key.kind in (AssetKind.COLUMN, AssetKind.DATASET)
                else None
            )
            if node is not None:
                return index.assets.get_key(node).qualified_name
    return change.subject.name


def _build_body(finding: Finding, landed: LandedChange, subject: str) -> NoticeBody:
    """The notice of a finding, for the webhook."""
    return NoticeBody(
        event=LANDED,
        receiver=Receiver(WEBHOOK, WEBHOOK),
        fingerprint=finding.fingerprint,
        rule=finding.rule,
        verdict=finding.verdict,
        subject=subject,
        text=finding.text,
        why=finding.reason,
        safe=finding.safe,
        source=landed.head.source,
        at=landed.since,
        details=msgspec.to_builtins(finding),
    )


SINCE = "notify:since"  # microseconds: changes that began before are not notified
POSITION = "notify:revision"  # the revision up to which notices are recorded


class FollowResult(NamedTuple):
    """The result of a step. `revision`: up to which it followed the store; `began`: it was the first, which records no notices."""

    revision: int
    notices: int
    opened: int
    closed: int
    began: bool = False


class Follower:
    """One step at a time. Followers in several processes record the same notice once."""

    def __init__(
        self, live: LiveGraph, detector: ChangeDetector, violations: WatchedViolations | None, clock: Callable[[], int], *, webhook: bool
    ) -> None:
        """`violations`: None if there are no policies."""
        self._live = live
        self._detector = detector
        self._violations = violations
        self._clock = clock
        self._webhook = webhook
        self._log = violation_events.ViolationLog(live.store)
        self._looked = False

    def step(self) -> FollowResult:
        """Follow what any process committed since the last step.

        Raises StoreUnavailable; then nothing is recorded, and the next step finds the same notices.
        """
        store, now = self._live.store, self._clock()
        since, position = store.read_setting(SINCE), int(store.read_setting(POSITION) or 0)
        if since is None:
            return self._begin(now)
        changes = store.read_changes(position)
        if changes.revision <= position and self._looked:
            return FollowResult(position, 0, 0, 0)
        self._live.refresh()
        settings = {POSITION: str(max(changes.revision, position))}
        if now < int(since):  # the clock was ahead at the first step: intervals that begin from now on are notified
            since = settings[SINCE] = str(now)
        records = list(self._detector.build_records(changes.heads, int(since), now, webhook=self._webhook))
        notices = len(records)
        events = self._collect_violation_events(now, notify=True)
        records += events.records
        if records or len(settings) > 1 or changes.revision > position:
            store.commit(lambda _: Batch(settings=settings, journal=records))
        self._detector.remember_compared()
        self._looked = True
        return FollowResult(changes.revision, notices + events.notices, events.opened, events.closed)

    def _begin(self, now: int) -> FollowResult:
        """The first step: follow from here on. Open violations are recorded in the audit log, without notices."""
        self._live.refresh()
        revision = self._live.index.revision
        events = self._collect_violation_events(now, notify=False)
        self._live.store.commit(lambda _: Batch(settings={SINCE: str(now), POSITION: str(revision)}, journal=events.records))
        self._looked = True
        return FollowResult(revision, 0, events.opened, events.closed, began=True)

    def _collect_violation_events(self, now: int, *, notify: bool) -> _ViolationRecords:
        if self._violations is None:
            return _ViolationRecords([], 0, 0, 0)
        records: list[Record] = []
        opened = closed = notices = 0
        for event in violation_events.find_events(self._log.read_states(), self._violations, now):
            records += (event.record, event.audited)
            opened, closed = opened + event.opened, closed + (not event.opened)
            if notify and event.opened:
                notified = list(violation_events.build_records(self._live, event.violation, event.record.key, now, webhook=self._webhook))
                notices += len(notified)
                records += notified
        return _ViolationRecords(records, notices, opened, closed)


class _ViolationRecords(NamedTuple):
    records: Sequence[Record]
    notices: int
    opened: int
    closed: int

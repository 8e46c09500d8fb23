"""Who is notified of requests for access: those who may decide, of a new one and before it lapses; the executor, of what it is to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from meshline.app.access import Access
from meshline.app.access_requests import AccessKind, Request, RequestState, StepKind, Wish
from meshline.governance.notify.outbox import (
    ACCESS_REQUESTED,
    EXECUTOR,
    WEBHOOK,
    NoticeBody,
    Receiver,
    build_key,
    build_receiver,
    build_record,
)
from meshline.governance.notify.violation_events import CONTACTS
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType, build_owner_key, from_micros
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.contract_versions import build_versions
from meshline.graph.store.base import Record

NO_APPROVER = frozenset({"", "-", "na", "n/a", "none", "tbd"})  # what contracts have in place of one
ADMINISTRATORS = "administrators"


class AccessNotices:
    """Builds the notices of the steps of requests. Not to be called under the graph's lock."""

    def __init__(self, access: Access, *, to_deciders: bool, to_webhook: bool, to_executor: bool) -> None:
        """`to_deciders`: whether those who may decide are notified; `to_webhook`: the webhook of notices, too; `to_executor`: whether
        there is an executor.
        """
        self._access = access
        self._to_deciders = to_deciders
        self._to_webhook = to_webhook
        self._to_executor = to_executor

    def list_records(self, before: Request | None, after: Request, at: int) -> Iterator[Record]:
        """The notices of a new request and of a reminder; of another step the event for the executor: that it is to grant access, or to
        end it.
        """
        step = after.steps[-1]
        if (before is None or step.kind is StepKind.REMIND) and self._to_deciders:
            for receiver in self._list_receivers(after.wish):
                key = build_key(ACCESS_REQUESTED, step.request, receiver.name, *([] if before is None else [step.number]))
                yield build_record(key, build_notice(after, at, receiver), at)
        if before is None or after.wish.kind is not AccessKind.DATA or step.kind is StepKind.CONFIRM or not self._to_executor:
            return
        if step.state in (RequestState.APPROVED, RequestState.REVOKED, RequestState.EXPIRED):
            yield build_record(build_key(EXECUTOR, step.request, step.number), build_notice(after, at), at)

    def _list_receivers(self, wish: Wish) -> list[Receiver]:
        """Who may decide about a request, with their contacts; without any contact the fallback of the notices is used."""
        live = self._access.live
        with live.lock:
            index = live.index
            node = index.assets.find(wish.asset)
            names = [ADMINISTRATORS] if node is None else list_approvers(live, index, node, wish)
            owners = {name: index.assets.find_by_key(build_owner_key(name)) for name in names}
            known = [owner for owner in owners.values() if owner is not None]
            rows = dict(zip(known, read_attributes(live, index, known), strict=True))
        found = []
        for name, owner in owners.items():
            stated = {} if owner is None else {way: rows[owner].find_text(way) or "" for way in CONTACTS}
            found.append(build_receiver(AssetKind.OWNER, name, "" if owner is None else build_owner_key(name).id, stated))
        return [*found, *([Receiver(WEBHOOK, WEBHOOK)] if self._to_webhook else ())]


def build_notice(request: Request, at: int, receiver: Receiver | None = None) -> NoticeBody:
    """That a request was made, or lapses soon, for one who may decide about it; without a receiver the event for the executor about its
    last step: `access.approved`, `access.revoked` or `access.expired`.
    """
    wish, step = request.wish, request.steps[-1]
    asked = f"{wish.principal} asks for {wish.action} until {format_time(request.until)}: {wish.purpose}"
    if step.kind is StepKind.REMIND:
        asked = f"a reminder, since it lapses at {format_time(wish.lapses)}: {asked}"
    return NoticeBody(
        event=f"access.{step.state}" if receiver is None else ACCESS_REQUESTED,
        receiver=receiver or Receiver(EXECUTOR, EXECUTOR),
        fingerprint=step.request,
        rule="" if receiver is None else "access-request",
        verdict="",
        subject=wish.name,
        text="" if receiver is None else asked,
        why="",
        at=at,
        details={
            "request": step.request,
            "principal": wish.principal,
            "asker": wish.asker,
            "askerName": request.steps[0].shown,
            "asset": {"id": wish.asset, "name": wish.name, "selector": wish.selector},
            "action": wish.action,
            "purpose": wish.purpose,
            "until": format_time(request.until),
            "approvers": list(request.approvers),
            "reason": step.reason,
            "reference": request.reference,
            **({} if receiver is None else {"kind": wish.kind}),
        },
    )


def list_approvers(live: LiveGraph, index: LineageIndex, node: int, wish: Wish) -> list[str]:
    """Who is asked to decide, by name, as far as `index` shows them: those that the contracts of the asset name, else its owners, else
    those of what it is in, else administrators. Under the graph's lock.
    """
    named = list_contract_approvers(live, index, node, wish)
    owners = (index.assets.get_key(owned.owner).name for owned in index.ownership.list_owners(node))
    return sorted(named) or sorted(set(owners)) or [ADMINISTRATORS]


def list_contract_approvers(live: LiveGraph, index: LineageIndex, node: int, wish: Wish) -> frozenset[str]:
    """The approvers that contracts in force name: of the role that is asked for, else of all roles. Under the graph's lock."""
    contracts = sorted({edge.start for edge in index.ownership.list_edges(node, EdgeType.GOVERNS, incoming=True)})
    roles = [
        role
        for contract, known in zip(contracts, read_attributes(live, index, contracts), strict=True)
        for version in build_versions(index.assets.get_key(contract).name, known.rows)
        if version.contract.is_in_force
        for role in version.contract.roles
    ]
    fitting = [role for role in roles if role.name == wish.action] or roles
    return frozenset(_split_names(text for role in fitting for text in role.approvers))


def _split_names(texts: Iterable[str]) -> Iterator[str]:
    names = (name.strip() for text in texts for name in re.split(r"[,;]", text))
    return (name for name in names if name.casefold() not in NO_APPROVER)


def format_time(at: int) -> str:
    """A time (microseconds) as in answers."""
    return from_micros(at).isoformat().replace("+00:00", "Z")

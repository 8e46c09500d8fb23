"""Asking for access and deciding about it: who may, and what follows."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from meshline.app.access import Access
from meshline.app.access_notices import AccessNotices, format_time, list_contract_approvers
from meshline.app.access_requests import (
    CLOCK,
    AccessKind,
    Request,
    RequestRegister,
    RequestState,
    Step,
    StepKind,
    Superseded,
    Wish,
)
from meshline.app.access_rules import SEEING, AccessRules, Action, Rule, list_included, list_principals, name_principal
from meshline.app.grant_effects import GrantEffect, judge_grant, list_viewers, select_seen
from meshline.app.observed_grants import STEPS, GrantObserver
from meshline.app.tokens import Actor, Role
from meshline.errors import InvalidInput, LimitExceeded, NotFound, NotPermitted
from meshline.governance.audit import AccessEvent, build_access_record
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, Json, get_current_micros
from meshline.graph.queries.selection import Selector, SelectorKind, find_selections, format_selector, parse_selector

DAY = 86_400_000_000  # microseconds
USUAL_DAYS = 30  # of access, if the asker names no end
LONGEST_TEXT = 500  # characters of a purpose or a reason
MOST_OPEN = 100  # requests of one caller that are not decided
_SELECTORS = {AssetKind.DOMAIN: SelectorKind.DOMAIN, AssetKind.DATA_PRODUCT: SelectorKind.PRODUCT, AssetKind.DATASET: SelectorKind.DATASET}
_NO_RULES = AccessRules({}, (), ())  # owners decide, then
_PRINCIPAL = re.compile(r"(service|token|group):\S.*")


class AskedFor(NamedTuple):
    """What a caller gives to ask for access. `until`: in microseconds. `principal`: who gets it, as access rules name it; None: himself."""

    kind: AccessKind
    action: str
    purpose: str
    until: int | None = None
    principal: str | None = None


class DeskSettings(NamedTuple):
    """`days`: the longest that access may be asked for. `lapse_days`: after which a request lapses that is not decided; `remind_days`: how
    long before that those who may decide are reminded, 0: not at all. `notify`: whether they are notified of a request; `webhook`: the
    webhook of notices, too.

    `has_executor`: whether there is what grants access to data; else data cannot be asked for, unless `takes_data`: then people grant it,
    and syncs see that. `executor`: who confirms grants, as access rules name it; empty: only administrators.
    """

    days: int = 365
    lapse_days: int = 14
    remind_days: int = 3
    has_executor: bool = False
    takes_data: bool = False
    executor: str = ""
    notify: bool = False
    webhook: bool = False


class AccessDesk:
    """Receives requests and decisions. Not to be called under the graph's lock: each reads what it needs of the graph under it."""

    def __init__(self, register: RequestRegister, access: Access, settings: DeskSettings | None = None) -> None:
        self._register = register
        self._access = access
        self._settings = settings or DeskSettings()
        self._notices = AccessNotices(
            access, to_deciders=self._settings.notify, to_webhook=self._settings.webhook, to_executor=self._settings.has_executor
        )
        self._observer = GrantObserver(access)
        self._judged = (-1, 0)  # the position of the register, and until when no request is due that has no new step

    # -- what callers do

    def ask(self, actor: Actor, live: LiveGraph, asset_id: str, asked: AskedFor) -> Request:
        """A new request. `live`: the graph as the caller sees it. Raises InvalidInput, NotFound, LimitExceeded."""
        _check_named(actor)
        now = get_current_micros()
        self._check_kind(asked)
        with live.lock:
            index = live.index
            node = index.assets.find(asset_id)
            if node is None or not index.assets.is_visible(node):
                raise NotFound(f"there is no asset {asset_id[:100]!r}")
            key = index.assets.get_key(node)
        if key.kind not in _SELECTORS:
            raise InvalidInput(
                f"access is granted to domains, products and datasets, and this is a {key.kind}: ask for what it is in", "asset"
            )
        principal = _parse_principal(actor, asked.principal)
        wish = Wish(
            asker=actor.name,
            principal=principal,
            kind=asked.kind,
            selector=format_selector(Selector(_SELECTORS[key.kind], key.id if key.kind is AssetKind.DATASET else key.name)),
            asset=key.id,
            name=key.qualified_name,
            action=_check_text(asked.action, "action"),
            purpose=_check_text(asked.purpose, "purpose"),
            until=self._check_end(now + USUAL_DAYS * DAY if asked.until is None else asked.until, now),
            lapses=now + self._settings.lapse_days * DAY,
            groups=actor.groups if principal == _parse_principal(actor, None) else (),
        )
        self._check_open(wish, now)
        step = Step(f"req_{secrets.token_hex(8)}", 0, StepKind.ASK, actor.name, RequestState.OPEN, wish, shown=actor.shown)
        return self._append(None, step, AccessEvent.REQUEST, now, purpose=wish.purpose, until=format_time(wish.until), kind=wish.kind)

    def decide(self, actor: Actor, request_id: str, *, approve: bool, reason: str = "", until: int | None = None) -> Request:
        """Approve or refuse a request. Raises InvalidInput, NotFound, NotPermitted, Superseded."""
        request, now = self._find_decidable(actor, request_id), get_current_micros()
        _check_state(request, now, RequestState.OPEN)
        reason = _check_text(reason, "reason") if reason or not approve else ""
        if not approve:
            step = self._build_step(request, StepKind.REFUSE, actor, RequestState.REFUSED, reason=reason)
            return self._append(request, step, AccessEvent.DECISION, now, decision="refused", reason=reason)
        if actor.name in request.approvers:
            raise InvalidInput("you have approved it already: what is restricted needs a second decider", "request")
        if until is not None and not now < until <= request.until:
            raise InvalidInput(f"an end is later than now, and not later than asked for ({format_time(request.until)})", "until")
        known = self.find_restrictions(actor, request.wish)
        seen = self._keep_seen(request.wish, known, [self._access.find_graph(actor)])
        lifts = tuple(sorted(one for one, excepted in seen.items() if self._is_excepted(actor, excepted)))
        done = not known or bool(request.approvers)
        granted = RequestState.GRANTED if request.wish.kind is AccessKind.METADATA else RequestState.APPROVED
        state = granted if done else RequestState.OPEN
        self._check_effect(actor, request, lifts if done else known)
        step = self._build_step(request, StepKind.APPROVE, actor, state, reason=reason, until=until, lifts=lifts)
        end = format_time(request.until if until is None else until)
        return self._append(request, step, AccessEvent.DECISION, now, decision="approved", reason=reason, until=end, state=state)

    def revoke(self, actor: Actor, request_id: str, reason: str) -> Request:
        """End what was granted. As `decide`."""
        request, now = self._find_decidable(actor, request_id), get_current_micros()
        _check_state(request, now, RequestState.APPROVED, RequestState.GRANTED)
        step = self._build_step(request, StepKind.REVOKE, actor, RequestState.REVOKED, reason=_check_text(reason, "reason"))
        return self._append(request, step, AccessEvent.REVOCATION, now, reason=step.reason)

    def withdraw(self, actor: Actor, request_id: str) -> Request:
        """The asker does not want it any more: a request, or what it granted. Raises NotFound, InvalidInput, Superseded."""
        request, now = self._register.find(request_id), get_current_micros()
        if request is None or not actor.name or request.wish.asker != actor.name:
            raise _build_unknown(request_id)
        _check_state(request, now, RequestState.OPEN, RequestState.APPROVED, RequestState.GRANTED)
        open_ = request.compute_state(now) is RequestState.OPEN
        step = self._build_step(request, StepKind.WITHDRAW, actor, RequestState.WITHDRAWN if open_ else RequestState.REVOKED)
        return self._append(request, step, AccessEvent.REQUEST if open_ else AccessEvent.REVOCATION, now, reason="withdrawn")

    def confirm(self, actor: Actor, request_id: str, reference: str, *, ended: bool = False) -> Request:
        """The executor has granted access to data, or has ended it. Raises NotFound, InvalidInput, Superseded.

        One that a sync has seen before is confirmed, too: its reference is that of the executor.
        """
        request, now = self._register.find(request_id), get_current_micros()
        if request is None or not self._is_executor(actor) or request.wish.kind is not AccessKind.DATA:
            raise _build_unknown(request_id)
        given = _check_text(reference, "reference")
        if not ended and request.compute_state(now) is RequestState.GRANTED and request.reference == given:
            return request  # an executor may repeat what it is not sure to have sent
        ending = (RequestState.APPROVED, RequestState.GRANTED, RequestState.EXPIRED)
        confirmable = (RequestState.APPROVED,) if request.reference else (RequestState.APPROVED, RequestState.GRANTED)
        _check_state(request, now, *(ending if ended else confirmable))
        expired = request.compute_state(now) is RequestState.EXPIRED
        state = RequestState.EXPIRED if expired else RequestState.REVOKED if ended else RequestState.GRANTED
        step = self._build_step(request, StepKind.CONFIRM, actor, state, reference=given)
        return self._append(request, step, AccessEvent.REVOCATION if ended else AccessEvent.GRANT, now, reference=given)

    # -- what happens by time

    def write_due(self) -> None:
        """Write the steps that no caller makes, each once of all processes: what syncs have seen of grants; a reminder for those who may
        decide about a request that lapses soon; and for the executor the end of a grant of data. Raises StoreUnavailable.
        """
        self._write_observations()
        position, now = self._register.position, get_current_micros()
        if position == self._judged[0] and now < self._judged[1]:
            return
        following = now + DAY
        for request in self._register.list_requests():
            kind, at = self._find_due(request, now)
            if kind is None or at > now:
                following = min(following, at)
                continue
            state = RequestState.EXPIRED if kind is StepKind.END else RequestState.OPEN
            step = Step(request.id, len(request.steps), kind, CLOCK, state)
            with suppress(Superseded):  # by another process, or a decision
                self._register.append(request, step, self._notices.list_records(request, request.add(step, now), now), now)
        self._judged = (position, following)

    def _write_observations(self) -> None:
        """Grant and revoke what syncs have seen."""
        for one in self._observer.list_observations(self._register.list_requests()):
            kind, state = STEPS[bool(one.seen)]
            step = Step(one.request.id, len(one.request.steps), kind, CLOCK, state, reason=one.reason, seen=one.seen)
            event = AccessEvent.GRANT if one.seen else AccessEvent.REVOCATION
            with suppress(Superseded):  # as below
                self._append(one.request, step, event, get_current_micros(), reason=one.reason)

    def _find_due(self, request: Request, now: int) -> tuple[StepKind | None, int]:
        """The next step of a request that time makes, and when."""
        wish, last = request.wish, request.steps[-1].state
        if last is RequestState.OPEN and self._settings.notify and self._settings.remind_days and not request.is_reminded:
            before = min(self._settings.remind_days * DAY, (wish.lapses - request.times[0]) // 2)
            if now < wish.lapses:
                return StepKind.REMIND, wish.lapses - before
        if last in (RequestState.APPROVED, RequestState.GRANTED) and wish.kind is AccessKind.DATA and self._settings.has_executor:
            return StepKind.END, request.until
        return None, now + DAY

    # -- what callers see

    def refresh(self) -> None:
        """Read what other processes have written. Raises StoreUnavailable."""
        self._register.refresh()

    def list_visible(self, actor: Actor) -> list[Request]:
        """The requests of a caller, and those that he may decide, the newest first. An administrator sees all."""
        return [one for one in self._register.list_requests() if self._may_see(actor, one)]

    def may_decide(self, actor: Actor, request: Request) -> bool:
        """Whether a caller is one of those who decide about a request of others. Not by its state."""
        if not actor.name or self.is_asker(actor, request):
            return False
        if actor.role.includes(Role.ADMIN):
            return True
        rights = (self._access.rules or _NO_RULES).find_rights(actor, Action.DECIDE)  # may take long: not under the lock
        with self._access.live.lock:
            index = self._access.live.index
            node = index.assets.find(request.wish.asset)
            if node is None:
                return False
            if named := list_contract_approvers(self._access.live, index, node, request.wish):
                return not named.isdisjoint({name_principal(actor)[1], *actor.groups})
            return rights is None or bool(self._access.find_permitted(index, rights)[node])

    def find_restrictions(self, actor: Actor, wish: Wish) -> Mapping[str, frozenset[str]]:
        """The restrictions because of which a request needs a second decider if the caller decides: who is excepted from each, by selector.

        Asker and decider see how many have decided. So what one of them does not see must not count: a restricted column of a dataset stays
        restricted; and for a domain, a product, or a dataset that the decider does not see, it is enough that there are such restrictions,
        whether anything in it is restricted or not.
        """
        found = self._list_concerned(wish)
        if parse_selector(wish.selector).kind is not SelectorKind.DATASET:
            return found
        decider = self._access.find_graph(actor)
        found = self._keep_seen(wish, found, [decider])
        return self._keep_seen(wish, found, [decider, *list_viewers(self._access, wish)]) if found else found

    def _keep_seen(
        self, wish: Wish, restrictions: Mapping[str, frozenset[str]], viewers: Sequence[LiveGraph]
    ) -> Mapping[str, frozenset[str]]:
        """Those of the restrictions that apply to what all viewers see of what is asked for; all, if the first does not see that."""
        with self._access.live.lock:
            index, views = self._access.live.index, [viewer.index for viewer in viewers]
            node = index.assets.find(wish.asset)
            if node is not None and not views[0].assets.is_visible(node):
                return restrictions
            selections = find_selections(index)
            chosen = select_seen(selections, parse_selector(wish.selector), views)
            return {one: restrictions[one] for one in restrictions if (selections.select(parse_selector(one)) & chosen).any()}

    def _list_concerned(self, wish: Wish) -> Mapping[str, frozenset[str]]:
        """The restrictions of the rules that are about the action of a request, whatever they choose: who is excepted, by selector."""
        rules = self._access.rules
        if rules is None:
            return {}
        concerned: Iterable[Action] = Action
        if wish.kind is AccessKind.METADATA:
            concerned = list_included(Action(wish.action))
        excepted: dict[str, frozenset[str]] = {}
        for rule in rules.restrictions:
            for selector in map(format_selector, rule.selectors) if rule.actions.intersection(concerned) else ():
                excepted[selector] = excepted.get(selector, rule.principals) & rule.principals
        return excepted

    def judge_grant(self, actor: Actor, request: Request, lifts: Iterable[str] = ()) -> GrantEffect:
        """What a request grants of what a caller sees, or would, if these restrictions are lifted besides those that are already."""
        rules, wish = self._access.rules, request.wish
        if rules is None or wish.kind is not AccessKind.METADATA:
            return GrantEffect()
        lifted = {parse_selector(selector) for selector in (*request.lifts, *lifts)}
        viewer = self._access.find_graph(actor)  # may take long: not under the lock
        with self._access.live.lock:
            return judge_grant(rules, self._access.live.index, viewer.index, wish, lifted)

    # -- parts

    def _check_effect(self, actor: Actor, request: Request, lifts: Iterable[str]) -> None:
        """Raises InvalidInput for an approval that would grant nothing that the decider sees: it must not be answered with "granted".

        He must not learn by it what he does not see. So that may be granted, too, and then one approves who sees it; and where he sees
        nothing of what is asked for, his approval may grant nothing, which is shown to those who see it (`AccessRequest.grantsNothing`).
        """
        effect = self.judge_grant(actor, request, lifts)
        if effect.nothing:
            named = ", ".join(effect.forbidden_by)
            message = f"approval would grant nothing that you see, since this forbids all of it, whatever is granted: {named}"
            advice = "refuse it, have the access rules changed, or let one approve who is excepted, or sees more of it"
            raise InvalidInput(f"{message}; {advice}", "decision")

    def _check_kind(self, asked: AskedFor) -> None:
        if asked.kind is AccessKind.DATA:
            if not self._settings.has_executor and not self._settings.takes_data:
                configured = "no executor is configured (the setting `access_executor`), and `access_data` is not set"
                raise InvalidInput(f"data cannot be asked for here: {configured}", "kind")
        elif self._access.rules is None:
            raise InvalidInput("there are no access rules here: every caller sees every asset already", "kind")
        elif asked.action not in SEEING:
            raise InvalidInput(f"what is asked for is browse, read or read_sql, not {asked.action[:50]!r}", "action")

    def _check_end(self, until: int, now: int) -> int:
        if not now < until <= now + self._settings.days * DAY:
            raise InvalidInput(f"an end is later than now, and at most {self._settings.days} days from now", "until")
        return until

    def _check_open(self, wish: Wish, now: int) -> None:
        mine = [
            one for one in self._register.list_requests() if one.wish.asker == wish.asker and one.compute_state(now) is RequestState.OPEN
        ]
        if len(mine) >= MOST_OPEN:
            raise LimitExceeded(f"{MOST_OPEN} requests of yours are open: withdraw some, or wait")
        same = ("principal", "kind", "selector", "action")
        for one in mine:
            if all(getattr(one.wish, name) == getattr(wish, name) for name in same):
                raise InvalidInput(f"{one.id} asks for the same, and is open", "asset")

    def _find_decidable(self, actor: Actor, request_id: str) -> Request:
        _check_named(actor)
        request = self._register.find(request_id)
        if request is None:
            raise _build_unknown(request_id)
        if self.is_asker(actor, request):
            raise NotPermitted("others decide about a request than who asks, or is to get it")
        if not self.may_decide(actor, request):
            raise _build_unknown(request_id)
        return request

    def is_asker(self, actor: Actor, request: Request) -> bool:
        """Whether a caller asked, or the request is for him."""
        return bool(actor.name) and (request.wish.asker == actor.name or request.wish.principal in list_principals(actor))

    def _may_see(self, actor: Actor, request: Request) -> bool:
        return actor.role.includes(Role.ADMIN) or self.is_asker(actor, request) or self.may_decide(actor, request)

    def _is_excepted(self, actor: Actor, excepted: frozenset[str]) -> bool:
        return actor.role.includes(Role.ADMIN) or not excepted.isdisjoint(list_principals(actor))

    def _is_executor(self, actor: Actor) -> bool:
        return bool(actor.name) and (actor.role.includes(Role.ADMIN) or ":".join(name_principal(actor)) == self._settings.executor)

    def _build_step(self, request: Request, kind: StepKind, actor: Actor, state: RequestState, **given: object) -> Step:
        return Step(request.id, len(request.steps), kind, actor.name, state, shown=actor.shown, **given)  # type: ignore[arg-type]

    def _append(self, before: Request | None, step: Step, event: AccessEvent, at: int, **details: Json) -> Request:
        wish = step.wish if before is None else before.wish
        assert wish is not None, "a new request has one"
        about: dict[str, Json] = {"request": step.request, "for": wish.principal, "asset": wish.asset, "action": wish.action, **details}
        audited = [build_access_record(event, step.by, wish.name, at, about, f"{step.request} {step.number}")]
        if event is AccessEvent.DECISION and step.state is RequestState.GRANTED:
            audited.append(build_access_record(AccessEvent.GRANT, step.by, wish.name, at, about, f"{step.request} {step.number} grant"))
        after = Request(wish, (step,), (at,)) if before is None else before.add(step, at)
        return self._register.append(before, step, [*audited, *self._notices.list_records(before, after, at)], at)


def add_grants(rules: AccessRules | None, grants: Iterable[Request]) -> AccessRules | None:
    """The rules with what requests have granted. `rules`: None: all callers see everything, and nothing needs to be granted."""
    found = tuple(map(_build_rule, grants)) if rules is not None else ()
    return rules._replace(grants=(*rules.grants, *found)) if rules is not None and found else rules


def _build_rule(granted: Request) -> Rule:
    wish = granted.wish
    lifts = frozenset(map(parse_selector, granted.lifts))
    actions = frozenset(list_included(Action(wish.action)))
    return Rule(frozenset({wish.principal}), (parse_selector(wish.selector),), granted.id, actions, lifts)


def _parse_principal(actor: Actor, given: str | None) -> str:
    """Who is to get access: the caller, a service or token, or a group of the caller."""
    if given is None:
        return ":".join(name_principal(actor))
    text = given.strip()
    if not _PRINCIPAL.fullmatch(text) or len(text) > LONGEST_TEXT or not text.isprintable():
        raise InvalidInput(f"access is asked for oneself, or for service:NAME, token:NAME or group:NAME, not {text[:100]!r}", "for")
    if text.startswith("group:") and text.removeprefix("group:") not in actor.groups:
        raise InvalidInput(f"you are not in the group {text.removeprefix('group:')[:100]!r}", "for")
    return text


def _check_named(actor: Actor) -> None:
    """Raises InvalidInput for a caller without a name: whose request or decision it was could not be known."""
    if not actor.name:
        raise InvalidInput("a request and a decision have the name of the caller: ask a server that knows its callers (docs/access.md)")


def _check_text(text: str, where: str) -> str:
    found = text.strip()
    if not found or len(found) > LONGEST_TEXT or not found.isprintable():
        raise InvalidInput(f"give 1 to {LONGEST_TEXT} printable characters", where)
    return found


def _check_state(request: Request, now: int, *accepted: RequestState) -> None:
    state = request.compute_state(now)
    if state not in accepted:
        raise InvalidInput(f"{request.id} is {state}; this is for requests that are {' or '.join(accepted)}", "request")


def _build_unknown(request_id: str) -> NotFound:
    return NotFound(f"there is no request {request_id[:50]!r}")

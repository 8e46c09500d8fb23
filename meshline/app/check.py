"""A check, from its texts to the report and its entry in the audit log; the command line, REST and GraphQL use it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from msgspec.structs import replace

from meshline.app.check_texts import CheckRequest, Texts, open_local_texts
from meshline.app.parser_process import open_remote_texts
from meshline.app.policy_service import PolicyService, combine_policies, find_new_violations
from meshline.errors import InvalidInput, MeshlineError, StoreUnavailable
from meshline.governance.audit import build_check_records
from meshline.governance.changes import Change
from meshline.governance.gate import Options, decide, judge_changes
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.governance.policies.policy import PolicyFile
from meshline.governance.policies.restricted_violations import split_violations
from meshline.governance.report import HiddenViolations, Report
from meshline.governance.rules import Verdict
from meshline.governance.waivers import apply_waivers
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, from_micros, get_current_micros, to_micros
from meshline.graph.naming import Naming
from meshline.graph.queries.pages import UNLIMITED, Limits
from meshline.graph.store.base import Record
from meshline.graph.what_if import SupposedStatement, restrict_statements

MAX_INPUTS = 1_000  # of one check
OWN_UNCHECKED = "the policies of the request were not evaluated: they could ask about assets that you may not see"
NEW_UNCHECKED = "policies were not evaluated for what is new, or what you may not see"


def run_check(
    live: LiveGraph,
    naming: Naming,
    request: CheckRequest,
    limits: Limits = UNLIMITED,
    policies: PolicyService | None = None,
    *,
    graph: bool = True,
    apart: bool = False,
) -> Report:
    """The report of a check. `policies`: evaluated if the request contains no policies of its own. `graph` False: `live` is empty
    because there is no graph (--no-graph); the report states that consumers were not checked. `apart`: a separate process parses
    the texts, so that no text takes longer than `limits` allow.

    Raises InvalidInput, NotFound, Ambiguous, MissingExtra, LimitExceeded, StoreUnavailable.
    """
    with open_texts(live, naming, request, limits, graph=graph, apart=apart) as texts:
        return judge_texts(live, request, texts, limits, policies, graph=graph)


@contextmanager
def open_texts(
    live: LiveGraph, naming: Naming, request: CheckRequest, limits: Limits, *, graph: bool = True, apart: bool
) -> Iterator[Texts]:
    """The texts of a check, within the block; see `run_check`. Raises InvalidInput if there are too many inputs."""
    if len(request.inputs) > MAX_INPUTS:
        raise InvalidInput(
            f"{len(request.inputs)} inputs are too many; the maximum of one check is {MAX_INPUTS}", "things"
        )  # codespell:ignore things
    if not apart:
        yield open_local_texts(live, naming, request, graph=graph)
        return
    with live.lock.set_deadline(limits.deadline), open_remote_texts(live, naming, request, limits) as texts:
        yield texts


def judge_texts(
    live: LiveGraph, request: CheckRequest, texts: Texts, limits: Limits, policies: PolicyService | None, *, graph: bool = True
) -> Report:
    """The report for texts that are open; see `run_check`. The graph is locked while changes are judged, not while texts are parsed.

    Policies are evaluated on the whole graph. Of a caller who may not see every asset those of the installation are, for what he changes of
    the assets that he may read: he sees the violations between such assets, and the report counts the others. Not those of the request,
    with which he could ask anything of any asset.
    """
    time = get_current_micros()
    waived = texts.read_waivers(time)
    own = combine_policies([PolicyFile(one.value, one.format_place) for one in texts.read_policies()]) if request.policies else ()
    found = texts.read_difference()
    at = partial(live.get_index, revision=live.index.revision, deadline=limits.deadline)
    if request.since is not None:  # these indexes are built before the graph is locked
        at(to_micros(request.since))
        at(time)
    options = Options(
        mode=request.mode,
        profile=request.profile,
        fail_on=request.fail_on,
        versions=found.versions,
        since=None if request.since is None else to_micros(request.since),
        now=time,
        limits=limits,
        at=at,
    )
    with live.lock.set_deadline(limits.deadline), live.lock:
        report = judge_changes(live, live.index, found.changes, options)
        restricted, judged = live.index.is_restricted, _pair_verdicts(found.changes, report)
        known_changes = [one for one in judged if _may_read(live.index, one[0].assets)] if restricted else judged
        watch = PolicyMonitor(live, own) if own and not restricted else None if policies is None else policies.watch
        statements = restrict_statements(live, found.statements) if restricted else found.statements
        violated = [] if watch is None else find_new_violations(watch, statements, known_changes, time)
    violations = tuple(one for one, _ in violated)
    hidden: tuple[HiddenViolations, ...] = ()
    if watch is not None and violated:
        before: Sequence[SupposedStatement] = texts.read_old_statements()
        with live.lock.set_deadline(limits.deadline), live.lock:
            before = restrict_statements(live, before) if restricted else before
            known = {one.fingerprint for one, _ in find_new_violations(watch, before, (), time)}
            violated = [one for one in violated if one[0].fingerprint not in known]
            violations = tuple(one for one, _ in violated)
            if restricted:
                violations, hidden = split_violations(live.index, watch.policies, violated)
    if not graph:  # an empty graph knows none of the assets, which means nothing about them
        report = replace(report, findings=tuple(replace(one, unknown=(), gaps=()) for one in report.findings))
    unchecked = [OWN_UNCHECKED] if restricted and own else []
    unchecked += [NEW_UNCHECKED] if len(known_changes) < len(judged) else []
    report = replace(
        report,
        checked=found.compared,
        compatibility=", ".join(sorted(set(_list_compatibility_modes(request)))),
        warnings=(*found.warnings, *unchecked),
        violations=violations,
        hidden_violations=hidden,
        consumers_checked=graph,
        policies_checked=graph and not (restricted and own),
    )
    return decide(apply_waivers(report, waived, from_micros(time).date()))


def _list_compatibility_modes(request: CheckRequest) -> Iterator[str]:
    for one in request.inputs:
        if one.kind == "schema" and (mode := one.options.get("compatibility", "")):
            yield mode.upper()


def _may_read(index: LineageIndex, assets: Iterable[AssetKey]) -> bool:
    """Whether the caller may read all that is changed; what is new he may not."""
    nodes = [index.assets.find_by_key(key) for key in assets]
    return all(node is not None and index.may_read(node) for node in nodes)


def _pair_verdicts(changed: Iterable[Change], report: Report) -> list[tuple[Change, Verdict]]:
    verdicts = {one.fingerprint: Verdict[one.verdict.upper()] for one in report.findings}
    return [(change, verdicts[change.fingerprint]) for change in changed]


log = logging.getLogger("meshline.api")


def compute_digest(body: bytes) -> str:
    """A digest of the input of a check, in 32 hexadecimal digits."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def record_check(keep: Callable[[Sequence[Record]], None], actor: str, report: Report, digest: str, *, needed: bool) -> None:
    """Record a check and the waivers that it used. `digest`: of the input; `needed`: the check must not be answered without the entry.
    `keep`: writes to the journal.

    Raises StoreUnavailable if the entry is needed and cannot be written; else the failure is logged.
    """
    records = build_check_records(actor, report, digest, get_current_micros())
    try:
        keep(records)
    except MeshlineError as error:
        if needed:
            raise StoreUnavailable(f"the check cannot be recorded in the audit log, so it is not answered: {error}") from error
        log.warning("a check is not in the audit log: %s", error)

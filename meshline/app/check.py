"""A check from texts to the report, and its record in the audit log: for the command line in process, for REST and for GraphQL."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from msgspec.structs import replace

from meshline.app.check_request import Asked
from meshline.app.parser_process import Texts, texts_apart, texts_here
from meshline.app.policy_files import with_own
from meshline.app.policy_service import Governing, introduced
from meshline.errors import InvalidInput, MeshlineError, StoreUnavailable
from meshline.governance.audit import build_check_records
from meshline.governance.changes import Change
from meshline.governance.gate import Options, decide, judge_changes
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.governance.policies.policy import PolicyFile
from meshline.governance.report import Report
from meshline.governance.rules import Verdict
from meshline.governance.waivers import apply_waivers
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import from_micros, to_micros
from meshline.graph.naming import Naming
from meshline.graph.queries.pages import UNLIMITED, Limits
from meshline.graph.store.base import Batch, Store
from meshline.ingest.file_times import now

MOST = 1_000  # things that one check compares


def checked(
    live: LiveGraph,
    naming: Naming,
    asked: Asked,
    limits: Limits = UNLIMITED,
    governing: Governing | None = None,
    *,
    graph: bool = True,
    apart: bool = False,
) -> Report:
    """The report of a check. `governing`: the policies to hold it against, where it brings none itself. `graph` False: `live` is
    empty because there is no graph (--no-graph); the report states that consumers were not checked. `apart`: its texts are parsed
    in a process of their own, so that no text takes longer than `limits` allow.

    Raises InvalidInput, NotFound, Ambiguous, MissingExtra, LimitExceeded, StoreUnavailable.
    """
    with texts_of(live, naming, asked, limits, graph=graph, apart=apart) as texts:
        return judged(live, asked, texts, limits, governing, graph=graph)


@contextmanager
def texts_of(live: LiveGraph, naming: Naming, asked: Asked, limits: Limits, *, graph: bool = True, apart: bool) -> Iterator[Texts]:
    """The texts of a check, while the block lasts; see `checked`. Raises InvalidInput if there are too many."""
    if len(asked.things) > MOST:
        raise InvalidInput(f"{len(asked.things)} things are too many; {MOST} may be checked at once", "things")
    if not apart:
        yield texts_here(live, naming, asked, graph=graph)
        return
    with live.lock.until(limits.deadline), texts_apart(live, naming, asked, limits) as texts:
        yield texts


def judged(live: LiveGraph, asked: Asked, texts: Texts, limits: Limits, governing: Governing | None, *, graph: bool = True) -> Report:
    """The report, once the texts can be read; see `checked`. The graph's lock is held while it is judged, not while texts are parsed."""
    time = now()
    waived = texts.waivers(time)
    own = with_own([PolicyFile(one.value, one.where) for one in texts.policies()]) if asked.policies else ()
    found = texts.difference()
    at = partial(live.at, revision=live.index.revision, deadline=limits.deadline)
    if asked.since is not None:  # built before the graph is held
        at(to_micros(asked.since))
        at(time)
    options = Options(
        mode=asked.mode,
        profile=asked.profile,
        fail_on=asked.fail_on,
        versions=found.versions,
        since=None if asked.since is None else to_micros(asked.since),
        now=time,
        limits=limits,
        at=at,
    )
    with live.lock.until(limits.deadline), live.lock:
        report = judge_changes(live, live.index, found.changes, options)
        watch = PolicyMonitor(live, own) if own else None if governing is None else governing.watch
        violations = () if watch is None else introduced(watch, found.sayings, _verdicts(found.changes, report), time)
    if watch is not None and violations:
        before = texts.before()
        with live.lock.until(limits.deadline), live.lock:
            known = {one.fingerprint for one in introduced(watch, before, (), time)}
        violations = tuple(one for one in violations if one.fingerprint not in known)
    if not graph:  # that an empty graph does not know them is no news
        report = replace(report, findings=tuple(replace(one, unknown=(), gaps=()) for one in report.findings))
    report = replace(report, checked=found.things, warnings=found.warnings, violations=violations, consumers_checked=graph)
    return decide(apply_waivers(report, waived, from_micros(time).date()))


def _verdicts(changed: Iterable[Change], report: Report) -> list[tuple[Change, Verdict]]:
    verdicts = {one.fingerprint: Verdict[one.verdict.upper()] for one in report.findings}
    return [(change, verdicts[change.fingerprint]) for change in changed]


log = logging.getLogger("meshline.api")


def digest(body: bytes) -> str:
    """What was given to a check, in 32 hexadecimal digits."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def record_check(store: Store, actor: str, report: Report, of: str, *, needed: bool) -> None:
    """Record a check and the waivers that it used. `of`: the digest of what was given; `needed`: without the entry there is no answer.

    Raises StoreUnavailable, if it is needed; else what cannot be recorded is logged.
    """
    records = build_check_records(actor, report, of, now())
    try:
        store.commit(lambda _: Batch(journal=records))
    except MeshlineError as error:
        if needed:
            raise StoreUnavailable(f"the check cannot be recorded in the audit log, so it is not answered: {error}") from error
        log.warning("a check is not in the audit log: %s", error)

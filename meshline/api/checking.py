"""A check from texts to the report: what the command line does in process, and REST and GraphQL for those who have no store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from meshline.api.governing import Governing, introduced
from meshline.api.policies import with_own
from meshline.errors import InvalidInput
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.diff import changes
from meshline.governance.gate import FailOn, Mode, Options, Raised, Versions, judge, settled
from meshline.governance.policies.format import Given as PolicyFile
from meshline.governance.policies.format import Policy
from meshline.governance.policies.watch import Watch
from meshline.governance.report import Report
from meshline.governance.rules import Profile, Verdict
from meshline.governance.waivers import Waiver, applied, waivers
from meshline.graph.definitions import AnyPair
from meshline.graph.live import LiveGraph
from meshline.graph.model import consumer, from_micros, to_micros
from meshline.graph.naming import Naming
from meshline.graph.promises import Contract, Product
from meshline.graph.queries.limits import UNLIMITED, Limits
from meshline.graph.supposing import Saying
from meshline.ingest.documents import document, text_of
from meshline.ingest.proposed.known import known
from meshline.ingest.proposed.shape import Given, Known, Text
from meshline.ingest.proposed.table import propose
from meshline.ingest.sources.context import context_of
from meshline.ingest.times import now

MOST = 1_000  # things that one check compares
SOURCE = "person/check"  # remembers nothing


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, and its name in messages."""

    name: str
    text: str


class Compared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two versions of one thing; without `before`: it is compared with what the graph knows; without `after`: it is gone.

    `kind`: contract, product, schema, ddl, dbt, change. `options`: `format`, `dataset` (of a schema), `dialect` (of SQL).
    """

    kind: str
    before: File | None = None
    after: File | None = None
    options: dict[str, str] = {}


class Asked(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is to be checked, and how. `waivers`, `policies`: files in their formats. `since`: a time (ISO 8601), for what changed in
    the lineage since then. `namespaces`: short names of namespaces, as of a mesh file.
    """

    things: tuple[Compared, ...]
    mode: Mode = Mode.STRICT
    profile: Profile = Profile.MESH
    fail_on: FailOn = FailOn.BREAKING
    waivers: File | None = None
    policies: tuple[File, ...] = ()
    since: datetime | None = None
    namespaces: dict[str, str] = {}


def thing(given: Given) -> Compared:
    """What was read from files, to be sent. Raises InvalidInput for what is no text."""
    return Compared(given.kind, _file(given.before), _file(given.after), dict(given.options))


def file(name: str, data: bytes) -> File:
    """Raises InvalidInput for what is no text."""
    return File(name, text_of(data, name))


def _file(text: Text | None) -> File | None:
    return None if text is None else file(text.name, text.data)


class Difference(NamedTuple):
    """What is changed. `things`: how many were compared; `versions`: theirs; `warnings`: what could not be bound."""

    changes: tuple[Change, ...]
    things: int
    versions: Versions
    warnings: tuple[str, ...]
    sayings: tuple[Saying, ...]  # what would be said of them


def difference(live: LiveGraph, naming: Naming, asked: Asked) -> Difference:
    """Raises InvalidInput, NotFound, Ambiguous, MissingExtra."""
    if len(asked.things) > MOST:
        raise InvalidInput(f"{len(asked.things)} things are too many; {MOST} may be checked at once", "things")
    graph = known(live, naming, context_of(live, naming, Path(), SOURCE, asked.namespaces))
    proposals = [propose(Given(one.kind, _text(one.before), _text(one.after), one.options), graph) for one in asked.things]
    pairs = [pair for proposal in proposals for pair in proposal.pairs]
    found = tuple(_named(change, graph) for pair in pairs for change in changes(pair))
    warnings = tuple(dict.fromkeys(text for proposal in proposals for text in proposal.warnings))
    entries = (one for proposal in proposals for one in proposal.entries)
    sayings = tuple(Saying(source, entry.scope, entry.content) for source, entry in entries)
    return Difference(found, len(pairs), _versions(pairs), warnings, sayings)


def checked(live: LiveGraph, naming: Naming, asked: Asked, limits: Limits = UNLIMITED, governing: Governing | None = None) -> Report:
    """The report of a check. `governing`: the policies to hold it against, where it brings none itself.

    Raises InvalidInput, NotFound, Ambiguous, MissingExtra, StoreUnavailable.
    """
    time = now()
    waived = _waivers(asked, time)
    own = _policies(asked)
    found = difference(live, naming, asked)
    options = Options(
        mode=asked.mode,
        profile=asked.profile,
        fail_on=asked.fail_on,
        versions=found.versions,
        since=None if asked.since is None else to_micros(asked.since),
        now=time,
        limits=limits,
    )
    with live.lock:
        report = judge(live, live.index, found.changes, options)
        watch = Watch(live, own) if own else None if governing is None else governing.watch
        violations = () if watch is None else introduced(watch, found.sayings, _verdicts(found.changes, report), time)
        if watch is not None and violations:
            standing = {one.fingerprint for one in introduced(watch, _standing(live, naming, asked), (), time)}
            violations = tuple(one for one in violations if one.fingerprint not in standing)
    report = replace(report, checked=found.things, warnings=found.warnings, violations=violations)
    return settled(applied(report, waived, from_micros(time).date()))


def _standing(live: LiveGraph, naming: Naming, asked: Asked) -> tuple[Saying, ...]:
    """What would be said of the old versions: the graph need not know them, and what breaks a policy in them is nothing new."""
    graph = known(live, naming, context_of(live, naming, Path(), SOURCE, asked.namespaces))
    old = (Given(one.kind, None, _text(one.before), one.options) for one in asked.things if one.before is not None)
    entries = (entry for given in old for entry in propose(given, graph).entries)
    return tuple(Saying(source, entry.scope, entry.content) for source, entry in entries)


def _policies(asked: Asked) -> tuple[Policy, ...]:
    """Those of the product and those that the check brings; none, if it brings none."""
    if not asked.policies:
        return ()
    read = [document(one.text.encode(), one.name) for one in asked.policies]
    return with_own([PolicyFile(one.value, one.where) for one in read])


def _verdicts(changed: Iterable[Change], report: Report) -> list[tuple[Change, Verdict]]:
    verdicts = {one.fingerprint: Verdict[one.verdict.upper()] for one in report.findings}
    return [(change, verdicts[change.fingerprint]) for change in changed]


def _waivers(asked: Asked, time: int) -> tuple[Waiver, ...]:
    if asked.waivers is None:
        return ()
    read = document(asked.waivers.text.encode(), asked.waivers.name)
    return waivers(read.value, read.where, from_micros(time).date())


def _named(change: Change, graph: Known) -> Change:
    """With consumers by their names, where a file has their e-mail addresses."""
    if not change.consumers:
        return change
    return change._replace(consumers=tuple(consumer(graph.context.person(key.name)) for key in change.consumers))


def _text(given: File | None) -> Text | None:
    return None if given is None else Text(given.name, given.text.encode())


def _versions(pairs: Iterable[AnyPair]) -> Versions:
    """Of contracts and products that were there and are still."""
    found: dict[tuple[SubjectKind, str], Raised] = {}
    for before, after in pairs:
        if before is None or after is None:
            continue
        old, new = before.value, after.value
        line = after.line(("version",))
        if isinstance(old, Contract) and isinstance(new, Contract):
            found[SubjectKind.CONTRACT, old.id] = Raised(old.version, new.version, after.file, line)
        elif isinstance(old, Product) and isinstance(new, Product):
            found[SubjectKind.PRODUCT, old.name] = Raised(old.version, new.version, after.file, line)
    return found

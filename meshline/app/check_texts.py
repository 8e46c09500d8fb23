"""The request of a check (inputs in two versions, and the options for judging them), and its texts: what they contain when parsed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import msgspec

from meshline.governance.changes import Change, SubjectKind
from meshline.governance.diff import compare_versions
from meshline.governance.diff.compatibility import decide_changes, keep_worst
from meshline.governance.gate import FailOn, Mode, VersionChange, Versions
from meshline.governance.rules import Profile
from meshline.governance.types import list_unknown_names
from meshline.governance.waivers import Waiver, parse_waivers
from meshline.graph.contracts import AnyPair, Contract, Definition, Pair, Product
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_consumer_key, from_micros
from meshline.graph.naming import Naming
from meshline.graph.what_if import SupposedStatement
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text, build_proposal
from meshline.ingest.changes.graph_state import build_graph_state
from meshline.ingest.documents import Document, decode_text, parse_yaml
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.context import build_context
from meshline.words import format_count, is_or_are


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text, and its name in messages."""

    name: str
    text: str


class CheckInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input in two versions; without `before` it is compared with the graph; without `after` it was removed.

    `kind`: contract, product, schema, ddl, dbt, change. `options`: `format`, `dataset`, `message`, `compatibility` (of a schema),
    `dialect` (of SQL).
    """

    kind: str
    before: File | None = None
    after: File | None = None
    options: dict[str, str] = {}


class CheckRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The inputs of a check, and its options. `waivers`, `policies`: files in their formats. `since`: a time (ISO 8601); lineage that
    changed after it is reported. `namespaces`: short names of namespaces, as in a mesh file.
    """

    inputs: tuple[CheckInput, ...] = msgspec.field(name="things")  # codespell:ignore things
    mode: Mode = Mode.STRICT
    profile: Profile = Profile.MESH
    fail_on: FailOn = FailOn.BREAKING
    waivers: File | None = None
    policies: tuple[File, ...] = ()
    since: datetime | None = None
    namespaces: dict[str, str] = {}


def to_check_input(given: ChangeInput) -> CheckInput:
    """Convert an input that was read from files. Raises InvalidInput if a file is not text."""
    return CheckInput(given.kind, _to_file(given.before), _to_file(given.after), dict(given.options))


def build_file(name: str, data: bytes) -> File:
    """Build a file of a request. Raises InvalidInput if the data is not text."""
    return File(name, decode_text(data, name))


def _to_file(text: Text | None) -> File | None:
    return None if text is None else build_file(text.name, text.data)


class Difference(NamedTuple):
    """The changes between the versions of all inputs. `compared`: the number of pairs; `versions`: of contracts and products;
    `warnings`: sentences about what could not be bound; `statements`: what sources would state after the change.
    """

    changes: tuple[Change, ...]
    compared: int
    versions: Versions
    warnings: tuple[str, ...]
    statements: tuple[SupposedStatement, ...]


class Texts(Protocol):
    """The parsed texts of one check. Every method raises InvalidInput, NotFound, Ambiguous, MissingExtra, LimitExceeded."""

    def read_waivers(self, time: int) -> tuple[Waiver, ...]:
        """The waivers in effect at a time (microseconds)."""

    def read_policies(self) -> tuple[Document, ...]:
        """The policy files in the request."""

    def read_difference(self) -> Difference:
        """The differences between the versions."""

    def read_old_statements(self) -> tuple[SupposedStatement, ...]:
        """The statements of the old versions, which the graph may not know: violations that they cause are not new."""


class ParsedTexts:
    """`Texts` that are parsed on demand in this process."""

    def __init__(self, graph: GraphState, request: CheckRequest) -> None:
        self._graph = graph
        self._request = request

    def read_waivers(self, time: int) -> tuple[Waiver, ...]:
        if self._request.waivers is None:
            return ()
        read = parse_yaml(self._request.waivers.text.encode(), self._request.waivers.name)
        return parse_waivers(read.value, read.format_place, from_micros(time).date())

    def read_policies(self) -> tuple[Document, ...]:
        return tuple(parse_yaml(one.text.encode(), one.name) for one in self._request.policies)

    def read_difference(self) -> Difference:
        return self._difference

    @cached_property
    def _difference(self) -> Difference:
        graph = self._graph
        given = (ChangeInput(one.kind, _to_text(one.before), _to_text(one.after), one.options) for one in self._request.inputs)
        proposals = [build_proposal(one, graph) for one in given]
        pairs = [pair for proposal in proposals for pair in proposal.pairs]
        found = tuple(_name_consumers(change, graph) for proposal in proposals for change in _list_changes(proposal))
        found = keep_worst(found) if any(proposal.resolutions for proposal in proposals) else found
        spelled = (
            pair for one, proposal in zip(self._request.inputs, proposals, strict=True) if one.kind == "change" for pair in proposal.pairs
        )
        texts = (text for proposal in proposals for text in proposal.warnings)
        unknown = (text for pair in spelled for text in _find_unknown_types(pair))
        hidden = (text for pair in pairs for text in _find_hidden_columns(pair))
        warnings = tuple(dict.fromkeys((*texts, *unknown, *hidden)))
        entries = (one for proposal in proposals for one in proposal.entries)
        statements = tuple(SupposedStatement(source, entry.scope, entry.content) for source, entry in entries)
        compared = sum(max(1, len(proposal.pairs)) for proposal in proposals)  # equal inputs have no pair, but were compared
        return Difference(found, compared, _collect_versions(pairs), warnings, statements)

    def read_old_statements(self) -> tuple[SupposedStatement, ...]:
        old = (ChangeInput(one.kind, None, _to_text(one.before), one.options) for one in self._request.inputs if one.before is not None)
        entries = (entry for given in old for entry in build_proposal(given, self._graph).entries)
        return tuple(SupposedStatement(source, entry.scope, entry.content) for source, entry in entries)


def open_local_texts(live: LiveGraph, naming: Naming, request: CheckRequest, *, graph: bool = True) -> Texts:
    """The texts of a check, parsed in this thread. `graph` False: `live` is empty because there is no graph."""
    return ParsedTexts(build_graph_state(live, naming, build_check_context(live, naming, request), has_graph=graph), request)


def build_check_context(live: LiveGraph, naming: Naming, request: CheckRequest) -> Context:
    """What the texts of a check may look up in the graph."""
    return build_context(live, naming, Path(), None, request.namespaces)


def _list_changes(proposal: Proposal) -> Iterator[Change]:
    """The changes of all pairs, as the rules or a mode of compatibility decide them."""
    for at, pair in enumerate(proposal.pairs):
        changes = compare_versions(pair)
        if proposal.resolutions:
            yield from decide_changes(changes, cast("Pair[Definition]", pair), proposal.resolutions[at])
        else:
            yield from changes


def _find_unknown_types(pair: AnyPair) -> Iterator[str]:
    """Warnings about new types that no known format has: they may be typing errors."""
    if pair.after is None or not isinstance(pair.after.value, Definition):
        return
    old = (
        {field.type for field in pair.before.value.model.fields}
        if pair.before is not None and isinstance(pair.before.value, Definition)
        else set()
    )
    for field in pair.after.value.model.fields:
        names = [] if not field.type or field.type in old else list_unknown_names(field.type, pair.after.value.format)
        if names:
            yield f"the type {field.type!r} of {field.name} is unknown ({', '.join(names)}): check its spelling"


def _find_hidden_columns(pair: AnyPair) -> Iterator[str]:
    """A warning about columns that the graph knows and the caller may not see: they are not compared."""
    old = None if pair.before is None else pair.before.value
    if isinstance(old, Definition) and old.hidden:
        yield f"{format_count(old.hidden, 'column')} of {old.model.name} that you may not see {is_or_are(old.hidden)} not compared"


def _name_consumers(change: Change, graph: GraphState) -> Change:
    """The change with consumers by name where a file gives their e-mail addresses."""
    if not change.consumers:
        return change
    return change._replace(consumers=tuple(build_consumer_key(graph.context.resolve_person(key.name)) for key in change.consumers))


def _to_text(given: File | None) -> Text | None:
    return None if given is None else Text(given.name, given.text.encode())


def _collect_versions(pairs: Iterable[AnyPair]) -> Versions:
    """The versions of contracts and products that exist before and after."""
    found: dict[tuple[SubjectKind, str], VersionChange] = {}
    for before, after in pairs:
        if before is None or after is None:
            continue
        old, new = before.value, after.value
        line = after.find_line(("version",))
        if isinstance(old, Contract) and isinstance(new, Contract):
            found[SubjectKind.CONTRACT, old.id] = VersionChange(old.version, new.version, after.file, line)
        elif isinstance(old, Product) and isinstance(new, Product):
            found[SubjectKind.PRODUCT, old.name] = VersionChange(old.version, new.version, after.file, line)
    return found

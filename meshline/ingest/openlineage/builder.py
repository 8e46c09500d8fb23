"""Events of one group commit -> the batch that the store writes, with what column lineage of sibling runs covers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.model import Scope, Statement, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, RawEvent, Run, RunAge, RunKey, RunPair, RunReader, Withdrawal
from meshline.ingest.openlineage.declared_events import build_dataset_event_statements, build_job_event_statements
from meshline.ingest.openlineage.event_files import Found
from meshline.ingest.openlineage.event_limits import EventLimits, check_datasets
from meshline.ingest.openlineage.events import Event, EventParser, JobEvent, RunEvent
from meshline.ingest.openlineage.facet_contents import ContentCache
from meshline.ingest.openlineage.facets import FacetReader
from meshline.ingest.openlineage.run_state import RunState, decode_state, encode_state, merge_events
from meshline.ingest.openlineage.run_statements import StatedRun, build_version

# The role of a run in a family takes the place of the last byte of the pair's digest.
WITNESS, SPARE, FED = b"w", b"s", b"f"


log = logging.getLogger("meshline.ingest")


class Family(NamedTuple):
    """All runs with one pair (input, output) and one parent run. `pair`: a digest of 16 bytes."""

    source: str
    parent: str
    pair: bytes

    def build_role_key(self, role: bytes) -> tuple[str, str, bytes]:
        """The key by which the store finds the runs of a family that have this role (WITNESS, SPARE or FED)."""
        return self.source, self.parent, self.pair[:-1] + role


def find_run_age(run: Run, pairs: Sequence[bytes]) -> RunAge:
    """What decides whether a stored run may be dropped. `pairs`: those that are stored for it. Raises StoreCorrupt."""
    version = build_version(run.key, run.parent)
    return RunAge(decode_state(run.state).last, version, any(pair.endswith(WITNESS) for pair in pairs))


class Coverage:
    """Which (input, output) pairs of a run the column lineage of its sibling runs covers, before and after a batch.

    Semantics, "When a dataset-level edge counts": a pair is covered if the run, or a run of the same parent
    run, gives column edges from that input into that output. A failed run covers nothing.

    One parent may have runs without end (each micro-batch of a stream is one), so no question may read all
    of a family, which is all runs with one pair and parent. Of the runs that cover a pair, one is stored as
    its witness and the others as spares, which are read only when the witness falls away; the runs whose
    pair is not covered by themselves are read only when its coverage changes.
    """

    def __init__(self, before: Mapping[RunKey, StatedRun], after: Mapping[RunKey, StatedRun], runs: RunReader) -> None:
        self._runs = runs
        self._changed = after.keys()
        self._before: dict[Family, RunKey | None] = {}  # the witness that is stored
        self._after: dict[Family, RunKey | None] = {}  # the witness that will be
        covering: dict[Family, RunKey] = {}
        for stated in after.values():
            covering.update({family: stated.run for family in list_families(stated) if stated.pairs[family.pair]})
        self.look_up([*before.values(), *after.values()])
        self._choose_witnesses(covering)

    def look_up(self, stated_runs: Iterable[StatedRun]) -> None:
        """Read the witnesses in the families of these runs from the store."""
        unknown = {
            family.build_role_key(WITNESS): family
            for stated in stated_runs
            for family in list_families(stated)
            if family not in self._before
        }
        if unknown:
            found = self._runs.find_siblings(unknown)
            for asked, family in unknown.items():
                witness = next((row.run for row in found.get(asked, ())), None)
                self._before[family] = self._after[family] = witness

    def find_covered_before(self, stated: StatedRun) -> Callable[[bytes], bool]:
        """For a run, a function from the digest of a pair to whether siblings covered it before the batch."""
        return _build_cover_test(stated, self._before)

    def find_covered_after(self, stated: StatedRun) -> Callable[[bytes], bool]:
        """For a run, a function from the digest of a pair to whether siblings cover it after the batch."""
        return _build_cover_test(stated, self._after)

    def list_affected(self) -> list[RunKey]:
        """The runs outside the batch that have a pair whose coverage changes."""
        flipped = [family for family, witness in self._before.items() if (witness is None) != (self._after[family] is None)]
        return self._list_others(flipped, FED)

    def list_promoted(self) -> list[RunKey]:
        """The runs outside the batch that become witnesses: their rows must be written again."""
        return sorted(
            {witness for family, witness in self._after.items() if witness is not None and witness != self._before[family]} - self._changed
        )

    def build_rows(self, stated: StatedRun) -> list[RunPair]:
        """The pairs to store for a run, which `look_up` must have seen before."""
        return [
            RunPair(stated.group, family.build_role_key(self._decide_role(stated, family))[2], stated.run, stated.pairs[family.pair])
            for family in list_families(stated)
        ]

    def _decide_role(self, stated: StatedRun, family: Family) -> bytes:
        if not stated.pairs[family.pair]:
            return FED
        return WITNESS if self._after[family] == stated.run else SPARE

    def _choose_witnesses(self, covering: Mapping[Family, RunKey]) -> None:
        """A family keeps its witness if the batch does not change it; else a run of the batch becomes the witness, else a spare."""
        orphaned = []
        for family, witness in self._before.items():
            if witness is None or witness in self._changed:
                self._after[family] = covering.get(family)
                if witness is not None and family not in covering:
                    orphaned.append(family)
        if orphaned:
            spares = self._runs.find_siblings([family.build_role_key(SPARE) for family in orphaned])
            for family in orphaned:
                rows = spares.get(family.build_role_key(SPARE), ())
                self._after[family] = min((row.run for row in rows if row.run not in self._changed), default=None)

    def _list_others(self, wanted: Iterable[Family], role: bytes) -> list[RunKey]:
        asked = [family.build_role_key(role) for family in wanted]
        found = self._runs.find_siblings(asked) if asked else {}
        return sorted({row.run for rows in found.values() for row in rows} - self._changed)


def _build_cover_test(stated: StatedRun, witnesses: Mapping[Family, RunKey | None]) -> Callable[[bytes], bool]:
    if not stated.group:
        return _is_never_covered
    return lambda pair: witnesses.get(_build_family(stated, pair)) is not None


def _is_never_covered(_pair: bytes) -> bool:
    """The answer for a run without siblings."""
    return False


def list_families(stated: StatedRun) -> list[Family]:
    """The family of each pair of a run; none if the run has no parent."""
    return [_build_family(stated, pair) for pair in stated.pairs] if stated.group else []


def _build_family(stated: StatedRun, pair: bytes) -> Family:
    return Family(stated.source, stated.group, pair)


DEFAULT_SOURCE = "openlineage/default"
MAX_RUNS = 64 * 2**20  # bytes, approximately, of runs that are cached


class Received(NamedTuple):
    """A parsed event with its body. `received_at`: microseconds since the epoch.

    `mark`: the name and value of a setting of the store that is written in the same transaction.
    """

    source: str
    event: Event
    received_at: int
    body: bytes
    mark: tuple[str, str] | None = None


HOUR = 3_600_000_000  # microseconds
JOB_EVENT, DATASET_EVENT = "JOB", "DATASET"  # the types of events without a run


def build_raw_event(item: Received) -> RawEvent:
    """The event as the store keeps it, with its time and type."""
    event = item.event
    type_ = event.type.value if isinstance(event, RunEvent) else JOB_EVENT if isinstance(event, JobEvent) else DATASET_EVENT
    return RawEvent(item.source, item.received_at, item.body, event.time, type_)


def count_events(events: Iterable[RawEvent]) -> dict[tuple[int, str], int]:
    """How many events there are by hour and type. An identical event that is received twice is counted twice: as received."""
    return dict(Counter((event.at - event.at % HOUR, event.type) for event in events if event.at is not None))


def place_run(run: Run, state: RunState, naming: Naming) -> Run:
    """The run with its place in lists of runs: when it began, and the datasets that it names."""
    reads, writes = (
        tuple(sorted({naming.normalise_dataset(mention.namespace, mention.name) for mention in mentions}))
        for mentions in (state.inputs, state.outputs)
    )
    return run._replace(begun=state.first, reads=reads, writes=writes)


class _Change(NamedTuple):
    """A run before and after its new events. `before` is None if the store does not have the run yet."""

    key: RunKey
    before: StatedRun | None
    after: StatedRun
    blob: bytes


class BatchBuilder:
    """Builds batches, and caches what it interpreted: producers send the same content every day.

    `build_batch` must be called by one thread at a time; `parser` and `reader` are thread-safe.
    """

    def __init__(self, naming: Naming, limits: EventLimits | None = None) -> None:
        self.reader = FacetReader(limits)
        self.parser = EventParser(self.reader)
        self.contents = ContentCache(naming, self.reader)
        self._runs: BoundedCache[RunKey, tuple[bytes, StatedRun]] = BoundedCache(MAX_RUNS)

    def build_batch(self, received: Sequence[Received], runs: RunReader) -> Batch:
        """One batch for all these events. Each run is stated once, however many of its events there are.

        Raises InvalidInput if all events of a run together have too many datasets.
        """
        by_run: dict[RunKey, list[RunEvent]] = {}
        statements: list[Statement] = []
        for item in received:
            event = item.event
            if isinstance(event, RunEvent):
                by_run.setdefault(RunKey(item.source, model.build_job_key(*event.job), event.run_id), []).append(event)
            elif isinstance(event, JobEvent):
                statements += build_job_event_statements(item.source, event, self.contents)
            else:
                statements += build_dataset_event_statements(item.source, event, self.contents)
        restated = self._restate_runs(self._find_changes(by_run, runs), runs)
        raw = [build_raw_event(item) for item in received]
        marks = dict(item.mark for item in received if item.mark is not None)
        return restated._replace(statements=[*statements, *restated.statements], raw=raw, settings=marks, event_counts=count_events(raw))

    def _find_changes(self, by_run: Mapping[RunKey, Sequence[RunEvent]], runs: RunReader) -> list[_Change]:
        """The runs whose state these events change. Events of a run that was dropped change nothing: what it stated is history."""
        known = runs.find_runs(by_run) if by_run else {}
        new = [key for key in by_run if key not in known]
        dropped = runs.find_dropped(new) if new else ()
        if dropped:
            log.warning("events came for %d runs that are older than their retention: they are kept, and change nothing", len(dropped))
        changes = []
        for key, events in by_run.items():
            if key in dropped:
                continue
            blob = known[key].state if key in known else None
            before = self._load_run(key, blob) if blob is not None else None
            after = merge_events(before.state if before else None, events)
            if len(events) > 1 or before is not None:
                check_datasets(
                    len(after.inputs), len(after.outputs), f"run {key.run_id[:60]!r}, all its events together", self.reader.limits
                )
            encoded = encode_state(after)
            if encoded != blob:
                changes.append(_Change(key, before, self._remember_run(key, encoded, after), encoded))
        return changes

    def _load_run(self, key: RunKey, blob: bytes) -> StatedRun:
        """A stored run. The last ones are cached, because a run sends several events within minutes."""
        known = self._runs.get(key)
        return known[1] if known is not None and known[0] == blob else self._remember_run(key, blob, decode_state(blob))

    def _remember_run(self, key: RunKey, blob: bytes, state: RunState) -> StatedRun:
        return self._runs.keep(key, (blob, StatedRun(key, state, self.contents)), 3 * len(blob) + 2_000)[1]

    def _restate_runs(self, changes: Sequence[_Change], runs: RunReader) -> Batch:
        """What changes in the graph because of these runs: their own statements, and those of siblings whose coverage changes."""
        before = {change.key: change.before for change in changes if change.before is not None}
        after = {change.key: change.after for change in changes}
        coverage = Coverage(before, after, runs)
        withdrawals: list[Withdrawal] = []
        statements: list[Statement] = []
        for key, stated in after.items():
            earlier = before.get(key)
            old = earlier.list_statements(coverage.find_covered_before(earlier)) if earlier else []
            if earlier and earlier.version != stated.version:  # its parent was not known yet
                withdrawals += [Withdrawal(stated.source, scope, earlier.version) for scope in _group_by_scope(old)]
                old = []
            _collect_differences(stated, old, stated.list_statements(coverage.find_covered_after(stated)), withdrawals, statements)
        for stated, _ in self._load_siblings(coverage.list_affected(), coverage, runs):
            _collect_differences(
                stated,
                stated.list_statements(coverage.find_covered_before(stated)),
                stated.list_statements(coverage.find_covered_after(stated)),
                withdrawals,
                statements,
            )
        kept = [(change.after, change.blob) for change in changes] + self._load_siblings(coverage.list_promoted(), coverage, runs)
        stored = [place_run(Run(stated.run, stated.group, blob), stated.state, self.contents.naming) for stated, blob in kept]
        return Batch(withdrawals, statements, stored, [row for stated, _ in kept for row in coverage.build_rows(stated)])

    def _load_siblings(self, keys: Sequence[RunKey], coverage: Coverage, runs: RunReader) -> list[tuple[StatedRun, bytes]]:
        """Runs without events of their own in the batch, whose coverage by siblings changes."""
        found = [(self._load_run(key, run.state), run.state) for key, run in runs.find_runs(keys).items()] if keys else []
        coverage.look_up(stated for stated, _ in found)
        return found


def _collect_differences(
    stated: StatedRun, old: Sequence[Statement], new: Sequence[Statement], withdrawals: list[Withdrawal], statements: list[Statement]
) -> None:
    """Collect, scope by scope, what to withdraw and to add so that the run states `new` instead of `old`."""
    if not old:
        statements += new
        return
    old_by_scope, new_by_scope = _group_by_scope(old), _group_by_scope(new)
    for scope, current in new_by_scope.items():
        earlier = old_by_scope.pop(scope, {})
        if earlier.keys() <= current.keys():
            statements += [statement for key, statement in current.items() if key not in earlier]
        else:
            withdrawals.append(Withdrawal(stated.source, scope, stated.version))
            statements += current.values()
    withdrawals += [Withdrawal(stated.source, scope, stated.version) for scope in old_by_scope]


_Content = tuple[int, bool, int | None, bytes]


def _group_by_scope(statements: Iterable[Statement]) -> dict[Scope, dict[_Content, Statement]]:
    result: dict[Scope, dict[_Content, Statement]] = {}
    for statement in statements:
        key = (statement.observed_at, statement.provisional, statement.until, statement.content.digest)
        result.setdefault(statement.scope, {})[key] = statement
    return result


def check_events(events: Iterable[Found]) -> list[Found]:
    """All events, if each can be parsed. Raises InvalidInput with the place of the first that cannot."""
    parser = BatchBuilder(Naming()).parser
    found: list[Found] = []
    for event in events:
        if isinstance(event, InvalidInput):
            raise event
        place, body = event
        try:
            parser.parse(body, get_current_micros())
        except InvalidInput as error:
            raise InvalidInput(str(error), place) from error
        found.append(event)
    return found

"""Events of one group commit -> the batch that the store writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.bounded_cache import Memory
from meshline.graph.model import Scope, Statement
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, RawEvent, Run, RunKey, RunReader, Withdrawal
from meshline.ingest.file_times import now
from meshline.ingest.openlineage.content_cache import Contents
from meshline.ingest.openlineage.declared_events import dataset_event_statements, job_event_statements
from meshline.ingest.openlineage.event_files import Found
from meshline.ingest.openlineage.event_limits import EventLimits, check_datasets
from meshline.ingest.openlineage.events import Event, EventParser, JobEvent, RunEvent
from meshline.ingest.openlineage.facets import FacetReader
from meshline.ingest.openlineage.run_state import RunState, decode_state, encode_state, merged
from meshline.ingest.openlineage.run_statements import RunVoice
from meshline.ingest.openlineage.sibling_coverage import Coverage

DEFAULT_SOURCE = "openlineage/default"
MAX_VOICES = 64 * 2**20  # bytes, about, of runs remembered


class Received(NamedTuple):
    """An event, parsed, with what came. `received_at`: microseconds. `mark`: a setting of the store that is set with it."""

    source: str
    event: Event
    received_at: int
    body: bytes
    mark: tuple[str, str] | None = None


class _Change(NamedTuple):
    """A run before and after. `before` None: not known yet."""

    key: RunKey
    before: RunVoice | None
    after: RunVoice
    blob: bytes


class BatchBuilder:
    """Makes batches; keeps what it interpreted, for the same content comes every day.

    `batch` is for one thread at a time; `parser` and `reader` are for any number of them.
    """

    def __init__(self, naming: Naming, limits: EventLimits | None = None) -> None:
        self.reader = FacetReader(limits)
        self.parser = EventParser(self.reader)
        self.contents = Contents(naming, self.reader)
        self._voices: Memory[RunKey, tuple[bytes, RunVoice]] = Memory(MAX_VOICES)

    def batch(self, received: Sequence[Received], runs: RunReader) -> Batch:
        """One batch for all these events: each run is stated once, whatever came of it."""
        by_run: dict[RunKey, list[RunEvent]] = {}
        statements: list[Statement] = []
        for item in received:
            event = item.event
            if isinstance(event, RunEvent):
                by_run.setdefault(RunKey(item.source, model.build_job_key(*event.job), event.run_id), []).append(event)
            elif isinstance(event, JobEvent):
                statements += job_event_statements(item.source, event, self.contents)
            else:
                statements += dataset_event_statements(item.source, event, self.contents)
        restated = self._restated(self._changes(by_run, runs), runs)
        raw = [RawEvent(item.source, item.received_at, item.body) for item in received]
        marks = dict(item.mark for item in received if item.mark is not None)
        return restated._replace(statements=[*statements, *restated.statements], raw=raw, settings=marks)

    def _changes(self, by_run: Mapping[RunKey, Sequence[RunEvent]], runs: RunReader) -> list[_Change]:
        """The runs of which these events say something new."""
        known = runs.runs(by_run) if by_run else {}
        changes = []
        for key, events in by_run.items():
            blob = known[key].state if key in known else None
            before = self._voice(key, blob) if blob is not None else None
            after = merged(before.state if before else None, events)
            if len(events) > 1 or before is not None:
                check_datasets(
                    len(after.inputs), len(after.outputs), f"run {key.run_id[:60]!r}, all its events together", self.reader.limits
                )
            encoded = encode_state(after)
            if encoded != blob:
                changes.append(_Change(key, before, self._remember(key, encoded, after), encoded))
        return changes

    def _voice(self, key: RunKey, blob: bytes) -> RunVoice:
        """What a stored run says; a run speaks several times within minutes, so the last ones are remembered."""
        known = self._voices.get(key)
        return known[1] if known is not None and known[0] == blob else self._remember(key, blob, decode_state(blob))

    def _remember(self, key: RunKey, blob: bytes, state: RunState) -> RunVoice:
        return self._voices.keep(key, (blob, RunVoice(key, state, self.contents)), 3 * len(blob) + 2_000)[1]

    def _restated(self, changes: Sequence[_Change], runs: RunReader) -> Batch:
        """What is said otherwise because these runs changed: by them, and by siblings whose pairs they cover, or no more."""
        before = {change.key: change.before for change in changes if change.before is not None}
        after = {change.key: change.after for change in changes}
        coverage = Coverage(before, after, runs)
        withdrawals: list[Withdrawal] = []
        statements: list[Statement] = []
        for key, voice in after.items():
            earlier = before.get(key)
            old = earlier.statements(coverage.before(earlier)) if earlier else []
            if earlier and earlier.version != voice.version:  # its parent was not known yet
                withdrawals += [Withdrawal(voice.source, scope, earlier.version) for scope in _by_scope(old)]
                old = []
            _difference(voice, old, voice.statements(coverage.after(voice)), withdrawals, statements)
        for voice, _ in self._others(coverage.affected(), coverage, runs):
            _difference(voice, voice.statements(coverage.before(voice)), voice.statements(coverage.after(voice)), withdrawals, statements)
        kept = [(change.after, change.blob) for change in changes] + self._others(coverage.promoted(), coverage, runs)
        stored = [Run(voice.run, voice.group, blob) for voice, blob in kept]
        return Batch(withdrawals, statements, stored, [row for voice, _ in kept for row in coverage.rows(voice)])

    def _others(self, keys: Sequence[RunKey], coverage: Coverage, runs: RunReader) -> list[tuple[RunVoice, bytes]]:
        """Runs that did not change themselves, but what their siblings cover did."""
        found = [(self._voice(key, run.state), run.state) for key, run in runs.runs(keys).items()] if keys else []
        coverage.look_up(voice for voice, _ in found)
        return found


def _difference(
    voice: RunVoice, old: Sequence[Statement], new: Sequence[Statement], withdrawals: list[Withdrawal], statements: list[Statement]
) -> None:
    """What to withdraw and to add so that the run says `new` instead of `old`, scope by scope."""
    if not old:
        statements += new
        return
    said, says = _by_scope(old), _by_scope(new)
    for scope, current in says.items():
        earlier = said.pop(scope, {})
        if earlier.keys() <= current.keys():
            statements += [statement for key, statement in current.items() if key not in earlier]
        else:
            withdrawals.append(Withdrawal(voice.source, scope, voice.version))
            statements += current.values()
    withdrawals += [Withdrawal(voice.source, scope, voice.version) for scope in said]


_Content = tuple[int, bool, int | None, bytes]


def _by_scope(statements: Iterable[Statement]) -> dict[Scope, dict[_Content, Statement]]:
    result: dict[Scope, dict[_Content, Statement]] = {}
    for statement in statements:
        key = (statement.observed_at, statement.provisional, statement.until, statement.content.digest)
        result.setdefault(statement.scope, {})[key] = statement
    return result


def check_events(events: Iterable[Found]) -> list[Found]:
    """All events, if all can be used. Raises InvalidInput with the place of the first that cannot."""
    parser = BatchBuilder(Naming()).parser
    found: list[Found] = []
    for event in events:
        if isinstance(event, InvalidInput):
            raise event
        place, body = event
        try:
            parser.parse(body, now())
        except InvalidInput as error:
            raise InvalidInput(str(error), place) from error
        found.append(event)
    return found

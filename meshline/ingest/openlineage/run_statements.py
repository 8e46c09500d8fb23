"""Run state -> statements. Pure: a function of what was said, and of sibling coverage.

Scopes (their first part is their kind):
  job-output, job-writes   (kind, job namespace, job name, dataset namespace, dataset name)
  job-reads, job-declared, job-parent   (kind, job namespace, job name)
    the first three with the index of a mapped task, if the run is one of several that make up one run of the job;
    with QUERY, if each query is a job of its own
  job        (kind, namespace, name, facet)
  dataset    (kind, namespace, name, facet), (kind, namespace, name, "spelling", raw namespace, raw name),
             (kind, namespace, name, "schema-part", digest): of a schema that lists some of the columns
  dataset-lineage   (kind, namespace, name): of a dataset event, without a job
  job-quality       (kind, job namespace, job name, dataset namespace, dataset name)
  dataset-replaced  (kind, namespace, name): when a query made the content anew
  dataset-renamed   (kind, new namespace, new name, old namespace, old name, micros); dataset-dropped (kind, namespace, name)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import msgspec

from meshline.graph import model
from meshline.graph.model import (
    CONTENT_REPLACED,
    DATASET_SCOPE,
    JOB_OUTPUT,
    PARTIAL_SCHEMA,
    QUERY,
    WHOLE_SCHEMA,
    AssetFact,
    AssetKey,
    Content,
    EdgeFact,
    EdgeType,
    Facts,
    Json,
    Scope,
    Statement,
    build_run_version,
)
from meshline.graph.naming import Naming
from meshline.graph.quality import JOB_QUALITY, QUALITY
from meshline.graph.store.base import RunKey
from meshline.ingest.check_facts import Check, Outcome, build_result_facts, extract_first_line, name_checks
from meshline.ingest.openlineage import facet_types
from meshline.ingest.openlineage.content_cache import ContentCache
from meshline.ingest.openlineage.facet_facts import is_session_name
from meshline.ingest.openlineage.facet_types import LifecycleStateChange, Symlinks
from meshline.ingest.openlineage.facets import RUN_OWNED_DATASET, RUN_OWNED_JOB, Place, Text, Weight
from meshline.ingest.openlineage.run_lineage import (
    Exchange,
    Side,
    build_content,
    build_exchange,
    build_read_content,
    build_write_content,
    find_whole_schema,
    is_replaced,
)
from meshline.ingest.openlineage.run_state import (
    Mention,
    RunState,
    Slot,
    find_map_index,
    find_parent_run,
    is_continuous,
    join_roles,
    join_slot,
)

ASSERTIONS = "dataQualityAssertions"
DBT = "DBT"
BUILD, TEST = ".build.test", ".test"  # one table's tests, run by `dbt build` and by `dbt test`


def build_check_results(job: AssetKey, state: RunState, contents: ContentCache) -> Iterator[tuple[AssetKey, Slot, Content]]:
    """The datasets on which a run ran checks, with what it found; for most runs, none: two look-ups for each dataset."""
    found: dict[AssetKey, Slot] = {}
    for mention in (*state.inputs, *state.outputs):
        slot = mention.role_facets.get(ASSERTIONS) or mention.facets.get(ASSERTIONS)
        if slot is not None and slot.readable:
            key = contents.naming.dataset(mention.namespace, mention.name)
            found[key] = slot if key not in found else join_slot(found[key], slot)
    if not found:
        return
    by_dbt = _find_integration(state, contents) == DBT
    suite = f"{job.name.removesuffix(BUILD)}{TEST}" if by_dbt and job.name.endswith(BUILD) else job.name
    for key, slot in sorted(found.items()):
        left_out = by_dbt and state.left_out
        make = partial(_build_check_facts, key, suite, slot, contents, by_dbt=by_dbt, left_out=left_out)
        yield key, slot, contents.get_content((ASSERTIONS, key, suite, slot.digest, by_dbt, left_out), make)


def _build_check_facts(dataset: AssetKey, suite: str, facet: Text, contents: ContentCache, *, by_dbt: bool, left_out: bool) -> Facts:
    """What one facet says; nothing if it takes itself back. `left_out`: dbt aborted the run, for what it tests was not built."""
    value = contents.reader.read(Place.INPUT, ASSERTIONS, facet).value
    if not isinstance(value, facet_types.DataQualityAssertions) or value.deleted is True:
        return Facts()
    checks = [_build_check(dataset, suite, assertion, by_dbt=by_dbt, left_out=left_out) for assertion in value.assertions or ()]
    return build_result_facts(name_checks(checks, [""] * len(checks)))


def _build_check(dataset: AssetKey, suite: str, said: facet_types.Assertion, *, by_dbt: bool, left_out: bool) -> Check:
    skipped = left_out and not said.success
    kind = said.assertion.strip() or "assertion"
    return Check(
        subject=model.build_column_key(dataset, said.column) if said.column else dataset,
        name=said.name or (f"{kind}({said.column})" if said.column else kind),
        kind=kind,
        outcome=Outcome.SKIPPED if skipped else _decide_outcome(said, by_dbt=by_dbt),
        suite=suite,
        expected=_to_text(said.expected),
        observed=None if skipped else _to_text(said.actual),  # dbt-ol gives a 0 that nobody counted
        message=extract_first_line(said.description),
    )


def _decide_outcome(said: facet_types.Assertion, *, by_dbt: bool) -> Outcome:
    if said.success:
        return Outcome.PASSED
    if by_dbt and said.params is not None and said.actual is None:
        return Outcome.SKIPPED  # dbt-ol has no other word for a test that was not run, because what it tests was not built
    return Outcome.WARNED if str(said.severity or "").lower().startswith("warn") else Outcome.FAILED


def _to_text(value: Json) -> Json:
    return value if value is None or isinstance(value, str | int | float | bool) else msgspec.json.encode(value).decode()


def _find_integration(state: RunState, contents: ContentCache) -> str:
    slot = state.job_facets.get("jobType")
    value = contents.reader.read(Place.JOB, "jobType", slot).value if slot else None
    return (value.integration or "").upper() if isinstance(value, facet_types.JobType) else ""


JOB_WRITES, JOB_READS, JOB_DECLARED, JOB_PARENT = "job-writes", "job-reads", "job-declared", "job-parent"
JOB, DATASET, DATASET_LINEAGE = "job", DATASET_SCOPE, "dataset-lineage"
RENAMED, DROPPED = "dataset-renamed", "dataset-dropped"
SPELLING, SEEN, UNREADABLE = "spelling", "seen", "unreadable:"

EMPTY = int(Weight.EMPTY)

Covered = Callable[[bytes], bool]  # whether a sibling's column lineage covers a pair


class RunOutcome(NamedTuple):
    """How a run ended, as far as its statements are concerned."""

    completed: int | None
    failed: int | None
    continuous: bool


def build_statement_owner(run: RunKey) -> str:
    """Who owns a run's statements (`parse_run` their version): two jobs may share a run id, and both speak of the same datasets."""
    return f"{run.run_id}@{_digest(run.job.parts)}"


def _build_retry_group(run: RunKey, parent_run_id: str) -> str:
    """The runs of a job under one parent run count as one: the tasks that Airflow maps, and what is tried again."""
    return _digest([*run.job.parts, parent_run_id]) if parent_run_id else ""


def _digest(parts: Sequence[str]) -> str:
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=6).hexdigest()


def decide_run_outcome(state: RunState, contents: ContentCache) -> RunOutcome:
    """FAIL and ABORT are sticky, but what a continuous job did before it failed stays done."""
    continuous = is_continuous(state, contents.reader)
    return RunOutcome(state.completed, None if continuous else state.failed, continuous)


class StatedRun:
    """Everything that a run says, as one function of its state: a run replaces what it said before."""

    def __init__(self, run: RunKey, state: RunState, contents: ContentCache) -> None:
        parent = find_parent_run(state, contents.reader)
        self.run = run
        self.source = run.source
        self.state = state
        self.contents = contents
        self.outcome = decide_run_outcome(state, contents)
        self.exchange = build_exchange((run.job.parts[0], run.job.parts[1]), state, contents)
        self.parent = parent
        self.group = parent.run_id if parent else ""  # what sibling runs have in common; '' = no siblings
        self.version = build_run_version(build_statement_owner(run), _build_retry_group(run, self.group))
        self.index = (QUERY,) if self.exchange.producer.is_query else find_map_index(state)
        self.pairs = self._collect_pairs()
        self._said: tuple[tuple[bool, ...], list[Statement]] | None = None

    def list_statements(self, covered: Covered) -> list[Statement]:
        """All that the run says, its pairs covered by siblings or not."""
        flags = tuple(covered(pair) for pair in self.pairs)
        if self._said is None or self._said[0] != flags:
            self._said = flags, self._build_statements(covered)
        return self._said[1]

    def _build_statements(self, covered: Covered) -> list[Statement]:
        lineage, of_job = list(self._state_lineage(covered)), [*self._state_job_facets(), *self._state_parent()]
        if not of_job and (self.outcome.failed is not None or not lineage):
            of_job = self._state_existence()
        return [
            *lineage,
            *of_job,
            *self._state_replacements(),
            *self._state_dataset_facets(),
            *self._state_results(),
            *self._state_spellings(),
        ]

    def _state_existence(self) -> list[Statement]:
        """A job of which nothing else stays is still known."""
        job = self.exchange.job
        seen = self.contents.get_content((job, SEEN), lambda: Facts(assets=(AssetFact(job, {}),)))
        return self._state_span((JOB, *job.parts, SEEN), self.state.first, self.state.last, seen)

    # -- lineage

    def _state_lineage(self, covered: Covered) -> Iterator[Statement]:
        of = self.exchange
        for target in of.targets:
            names = (*of.job.parts, *target.key.parts, *self.index)
            if target.lineage is None and not of.inputs:
                yield from self._state_effect(
                    (JOB_WRITES, *names), target.first, target.last, build_write_content(target, of, self.contents)
                )
            else:
                said = build_content(target, of, self.contents, covered)
                yield from self._state_effect((JOB_OUTPUT, *names), target.first, target.last, said)
        if of.consumed or (of.inputs and not of.targets):
            yield from self._state_effect(
                (JOB_READS, *of.job.parts, *self.index), *_find_read_span(of, self.state), build_read_content(of, self.contents)
            )

    def _state_effect(self, scope: Scope, first: int, last: int, said: Content) -> Iterator[Statement]:
        """What a run says of lineage from `first` on: provisionally, and for good once it has completed.

        A continuous job's takes effect at every event that names the output, of which `last` is the last.
        """
        ended = self.outcome
        if ended.continuous:
            yield from self._state_span(scope, first, last, said)
            return
        if ended.failed is None and ended.completed is not None:
            yield Statement(self.source, scope, ended.completed, said, self.version)
            if first >= ended.completed:  # could never hold
                return
        if ended.failed is None or first < ended.failed:
            yield Statement(self.source, scope, first, said, self.version, provisional=True, until=ended.failed)

    def _collect_pairs(self) -> dict[bytes, bool]:
        """The pairs that siblings need to know: those fed, and those with column lineage; True if that covers them."""
        pairs: dict[bytes, bool] = {}
        counts = self.outcome.failed is None  # a failed run covers nothing
        for target in self.exchange.targets:
            for feed in target.feeds:
                pairs[feed.pair] = feed.covered and counts
            for dataset in target.sources:
                pairs[self.contents.get_pair_digest(dataset, target.key)] = counts
        return pairs

    def _state_replacements(self) -> Iterator[Statement]:
        """That the content of an output was made anew: what queries stated of it before holds no more."""
        if not self.exchange.producer.is_query or self.outcome.completed is None or self.outcome.failed is not None:
            return
        for key, side in self.exchange.outputs.items():
            if is_replaced(side, self.exchange.producer, self.contents):
                said = self.contents.get_content((key, SEEN), partial(Facts, (AssetFact(key, {}),)))
                yield Statement(self.source, (CONTENT_REPLACED, *key.parts), self.outcome.completed, said, self.version)

    # -- facets

    def _state_span(self, scope: Scope, first: int, last: int, said: Content) -> list[Statement]:
        """The same from `first` on, and again at `last`: states keep no more times than these two."""
        statement = Statement(self.source, scope, first, said, self.version)
        return [statement] if first == last else [statement, statement._replace(observed_at=last)]

    def _state_slot(self, scope: Scope, slot: Slot, said: Content) -> list[Statement]:
        return self._state_span(scope, slot.first, slot.time, said)

    def _state_job_facets(self) -> Iterator[Statement]:
        job = self.exchange.job
        for name, slot in self.state.job_facets.items():
            if name not in RUN_OWNED_JOB:
                said = self.contents.get_facet_content(job, Place.JOB, name, slot)
                yield from self._state_slot((JOB, *job.parts, build_facet_scope(name, slot)), slot, said)

    def _state_parent(self) -> list[Statement]:
        parent = self.parent
        if parent is None:
            return []
        job = self.exchange.job
        chain = [job, model.build_job_key(*parent.job), *([model.build_job_key(*parent.root)] if parent.root else [])]
        edges = tuple(EdgeFact(EdgeType.PART_OF, child, above) for child, above in pairwise(chain) if child != above)
        if not edges:
            return []
        said = self.contents.get_content((JOB_PARENT, *chain), lambda: Facts(edges=edges))
        return self._state_slot((JOB_PARENT, *job.parts), self.state.run_facets["parent"], said)

    def _state_dataset_facets(self) -> Iterator[Statement]:
        inputs, outputs = self.exchange.inputs, self.exchange.outputs
        for key in sorted({*inputs, *outputs}):
            for listed in list_schemas(key, self.exchange, self.contents, failed=self.state.failed is not None):
                yield from self._state_slot(listed.scope, listed.slot, listed.content)
            for name, slot in self._select_persistent(inputs.get(key), outputs.get(key)).items():
                if slot.weight == EMPTY or name in RUN_OWNED_DATASET or (name == "schema" and slot.readable):  # see `list_schemas`
                    continue
                said = self.contents.get_facet_content(key, Place.DATASET, name, slot)
                yield from self._state_slot((DATASET, *key.parts, build_facet_scope(name, slot)), slot, said)
                if name == "lifecycleStateChange":
                    yield from self._state_lifecycle(key, slot)

    def _select_persistent(self, read: Side | None, written: Side | None) -> Mapping[str, Slot]:
        """The facets of a dataset, with those that outlive the run; an output's schema counts only if the run did not fail."""
        if written is None:
            return read.facets if read else {}
        facets = written.facets
        if self.state.failed is not None and "schema" in facets:  # of continuous jobs, too: this is about the run
            facets = {name: slot for name, slot in facets.items() if name != "schema"}
        return join_roles(read.facets, facets) if read else facets

    def _state_lifecycle(self, key: AssetKey, slot: Slot) -> Iterator[Statement]:
        """Renames and drops take effect with their run's completion."""
        ended = self.outcome
        at = slot.time if ended.continuous else ended.completed
        if at is not None and ended.failed is None:
            for scope, said in list_lifecycle_changes(key, slot, at, self.contents):
                yield Statement(self.source, scope, at, said, self.version)

    def _state_results(self) -> Iterator[Statement]:
        """Results of checks, as of when they were said: also of a run that failed, for failing is what tests are for."""
        job = self.exchange.job
        for key, slot, said in build_check_results(job, self.state, self.contents):
            yield Statement(self.source, (JOB_QUALITY, *job.parts, *key.parts), slot.time, said, self.version)

    def _state_spellings(self) -> Iterator[Statement]:
        spelled: dict[tuple[AssetKey, tuple[str, str]], tuple[int, int]] = {}
        outputs = () if self.exchange.producer.writes_no_datasets else self.state.outputs
        for mention in (*self.state.inputs, *outputs):
            for key, raw, first, last in list_spellings(mention, self.contents):
                known = spelled.get((key, raw), (first, last))
                spelled[key, raw] = min(first, known[0]), max(last, known[1])
        for (key, raw), (first, last) in spelled.items():
            yield from self._state_span((DATASET, *key.parts, SPELLING, *raw), first, last, build_spelling(key, raw, self.contents))


def _find_read_span(of: Exchange, state: RunState) -> tuple[int, int]:
    """When what is only read was named, first and last."""
    spans = [(side.first, side.last) for side in of.inputs.values() if not of.targets]
    if of.consumed:
        slot = state.job_facets["lineage"]
        spans.append((slot.first, slot.time))
    return min(first for first, _ in spans), max(last for _, last in spans)


class ListedColumns(NamedTuple):
    """The columns of a dataset, as a schema facet lists them."""

    scope: Scope
    slot: Slot
    content: Content


def list_schemas(key: AssetKey, of: Exchange, contents: ContentCache, *, failed: bool = False) -> Iterator[ListedColumns]:
    """What a job says of a dataset's columns: all of them replace what was known, some of them are added to it.

    `failed`: what the output has now is not known then.
    """
    read, written = of.inputs.get(key), None if failed else of.outputs.get(key)
    whole: list[Slot] = []
    for side, is_whole in ((read, _has_whole_input(key, read, of)), (written, _has_whole_output(written, of, contents))):
        slot = side.find_good("schema") if side is not None else None
        if slot is None:
            continue
        if is_whole or contents.is_deleted("schema", slot):
            whole.append(slot)
        else:
            yield ListedColumns((DATASET, *key.parts, PARTIAL_SCHEMA, slot.digest.hex()), slot, contents.get_partial_schema(key, slot))
    if whole:
        slot = whole[0] if len(whole) == 1 else join_roles({"schema": whole[0]}, {"schema": whole[1]})["schema"]
        yield ListedColumns((DATASET, *key.parts, WHOLE_SCHEMA), slot, contents.get_facet_content(key, Place.DATASET, "schema", slot))


def _has_whole_input(key: AssetKey, side: Side | None, of: Exchange) -> bool:
    return side is not None and not side.is_part and of.producer.has_whole_input(key.parts[0])


def _has_whole_output(side: Side | None, of: Exchange, contents: ContentCache) -> bool:
    return side is not None and find_whole_schema(side, of.producer, contents) is not None


# Where the scopes of each kind name datasets.
_DATASETS_AT = {
    JOB_OUTPUT: (3,),
    JOB_WRITES: (3,),
    JOB_QUALITY: (3,),
    QUALITY: (2,),
    DATASET: (1,),
    DATASET_LINEAGE: (1,),
    DROPPED: (1,),
    CONTENT_REPLACED: (1,),
    RENAMED: (1, 3),
}


def rename_scope(scope: Scope, naming: Naming) -> Scope:
    """The same scope with the keys of datasets as these rules make them; scopes of other sources stay as they are."""
    parts = list(scope)
    for at in _DATASETS_AT.get(scope[0], ()):
        parts[at : at + 2] = naming.dataset(*parts[at : at + 2]).parts
    return tuple(parts)


def build_facet_scope(name: str, slot: Slot) -> str:
    """A facet that cannot be read must not take the place of what is known from one that could."""
    return name if slot.readable else UNREADABLE + name


def list_lifecycle_changes(key: AssetKey, slot: Slot, at: int, contents: ContentCache) -> Iterator[tuple[Scope, Content]]:
    change = contents.reader.read(Place.DATASET, "lifecycleStateChange", slot).value
    if not isinstance(change, LifecycleStateChange) or change.deleted is True:
        return
    kind = (change.lifecycle_state_change or "").upper()
    if kind == "DROP":
        yield (DROPPED, *key.parts), contents.get_content((key, DROPPED), lambda: Facts(assets=(AssetFact(key, {"dropped": True}),)))
    previous = change.previous_identifier
    if kind == "RENAME" and previous is not None:
        old = contents.naming.dataset(previous.namespace, previous.name)
        if old != key:
            renamed = contents.get_content((old, key, RENAMED), lambda: Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, key),)))
            yield (RENAMED, *key.parts, *old.parts, str(at)), renamed


def list_spellings(mention: Mention, contents: ContentCache) -> Iterator[tuple[AssetKey, tuple[str, str], int, int]]:
    """Names that are not spelled as their keys: of the dataset, and of its symlinks."""
    key = contents.naming.dataset(mention.namespace, mention.name)
    if key.parts != (mention.namespace, mention.name):
        yield key, (mention.namespace, mention.name), mention.first, mention.last
    slot = mention.facets.get("symlinks")
    value = contents.reader.read(Place.DATASET, "symlinks", slot).value if slot else None
    if slot and isinstance(value, Symlinks) and value.deleted is not True:
        for identifier in value.identifiers or ():
            raw = (identifier.namespace, identifier.name)
            key = contents.naming.dataset(*raw)
            if key.parts != raw and not is_session_name(key, identifier.type):
                yield key, raw, slot.first, slot.time


def build_spelling(key: AssetKey, raw: Sequence[str], contents: ContentCache) -> Content:
    return contents.get_content((key, SPELLING, *raw), lambda: Facts(assets=(AssetFact(key, {"spelling": list(raw)}),)))

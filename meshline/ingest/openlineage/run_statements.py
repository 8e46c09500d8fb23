"""Run state -> statements. Pure: a function of the state of the run, and of sibling coverage.

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
  dataset-replaced  (kind, namespace, name): when a query replaced the content
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
    parse_run,
)
from meshline.graph.naming import Naming
from meshline.graph.quality import JOB_QUALITY, QUALITY
from meshline.graph.store.base import RunKey
from meshline.ingest.check_facts import Check, Outcome, build_result_facts, extract_first_line, name_checks
from meshline.ingest.openlineage import facet_types
from meshline.ingest.openlineage.facet_contents import ContentCache, is_session_name
from meshline.ingest.openlineage.facet_types import LifecycleStateChange, Symlinks
from meshline.ingest.openlineage.facets import RUN_OWNED_DATASET, RUN_OWNED_JOB, Place, Text, Weight
from meshline.ingest.openlineage.output_lineage import (
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
    decide_run_outcome,
    find_map_index,
    find_parent_run,
    join_roles,
    join_slot,
)

ASSERTIONS = "dataQualityAssertions"
DBT = "DBT"
BUILD, TEST = ".build.test", ".test"  # one table's tests, run by `dbt build` and by `dbt test`


def build_check_results(job: AssetKey, state: RunState, contents: ContentCache) -> Iterator[tuple[AssetKey, Slot, Content]]:
    """(dataset, facet, results) of the checks of a run. Most runs have none, which costs two look-ups for each dataset."""
    found: dict[AssetKey, Slot] = {}
    for mention in (*state.inputs, *state.outputs):
        slot = mention.role_facets.get(ASSERTIONS) or mention.facets.get(ASSERTIONS)
        if slot is not None and slot.readable:
            key = contents.naming.normalise_dataset(mention.namespace, mention.name)
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
    """The results in one facet; none if it is marked `_deleted`. `left_out`: dbt aborted the run, because its subject was not built."""
    value = contents.reader.read(Place.INPUT, ASSERTIONS, facet).value
    if not isinstance(value, facet_types.DataQualityAssertions) or value.deleted is True:
        return Facts()
    checks = [_build_check(dataset, suite, assertion, by_dbt=by_dbt, left_out=left_out) for assertion in value.assertions or ()]
    return build_result_facts(name_checks(checks, [""] * len(checks)))


def _build_check(dataset: AssetKey, suite: str, assertion: facet_types.Assertion, *, by_dbt: bool, left_out: bool) -> Check:
    skipped = left_out and not assertion.success
    kind = assertion.assertion.strip() or "assertion"
    return Check(
        subject=model.build_column_key(dataset, assertion.column) if assertion.column else dataset,
        name=assertion.name or (f"{kind}({assertion.column})" if assertion.column else kind),
        kind=kind,
        outcome=Outcome.SKIPPED if skipped else _decide_outcome(assertion, by_dbt=by_dbt),
        suite=suite,
        expected=_to_text(assertion.expected),
        observed=None if skipped else _to_text(assertion.actual),  # dbt-ol sends a 0 that is no count
        message=extract_first_line(assertion.description),
    )


def _decide_outcome(assertion: facet_types.Assertion, *, by_dbt: bool) -> Outcome:
    if assertion.success:
        return Outcome.PASSED
    if by_dbt and assertion.params is not None and assertion.actual is None:
        return Outcome.SKIPPED  # dbt-ol reports a test like this that was not run because its subject was not built
    return Outcome.WARNED if str(assertion.severity or "").lower().startswith("warn") else Outcome.FAILED


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


def build_statement_owner(run: RunKey) -> str:
    """The owner of a run's statements (`parse_run` their version): two jobs may share a run id, and both may refer to the same datasets."""
    return f"{run.run_id}@{_digest(run.job.parts)}"


def find_stating_run(source: str, scope: Scope, version: str) -> RunKey | None:
    """The run that made a statement about its job's lineage; None for a statement of anything else."""
    owner = parse_run(version)
    if scope[0] not in {JOB_OUTPUT, JOB_READS, JOB_WRITES}:
        return None
    key = RunKey(source, model.build_job_key(scope[1], scope[2]), owner.rpartition("@")[0])
    return key if build_statement_owner(key) == owner else None


def _build_retry_group(run: RunKey, parent_run_id: str) -> str:
    """A digest that the runs of a job under one parent run share, which count as one: mapped tasks of Airflow, and retries."""
    return _digest([*run.job.parts, parent_run_id]) if parent_run_id else ""


def build_version(run: RunKey, parent_run_id: str) -> str:
    """The version of a run's statements. `parent_run_id`: that of the run that started it, or empty."""
    return build_run_version(build_statement_owner(run), _build_retry_group(run, parent_run_id))


def _digest(parts: Sequence[str]) -> str:
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=6).hexdigest()


class StatedRun:
    """A run with everything that it states, as one function of its state: newer statements of a run replace its older ones."""

    def __init__(self, run: RunKey, state: RunState, contents: ContentCache) -> None:
        parent = find_parent_run(state, contents.reader)
        self.run = run
        self.source = run.source
        self.state = state
        self.contents = contents
        self.outcome = decide_run_outcome(state, contents.reader)
        self.exchange = build_exchange((run.job.parts[0], run.job.parts[1]), state, contents)
        self.parent = parent
        self.group = parent.run_id if parent else ""  # the parent's run id, which sibling runs share; '' = no siblings
        self.version = build_version(run, self.group)
        self.index = (QUERY,) if self.exchange.producer.is_query else find_map_index(state)
        self.pairs = self._collect_pairs()
        # A stream that was cancelled has ended as streams do, so what it listed counts, unlike that of a run that failed.
        self._has_failed = state.failed is not None and not (self.outcome.continuous and state.left_out)
        self._stated: tuple[tuple[bool, ...], list[Statement]] | None = None

    def list_statements(self, covered: Covered) -> list[Statement]:
        """All statements of the run. `covered`: whether the column lineage of a sibling covers a pair."""
        flags = tuple(covered(pair) for pair in self.pairs)
        if self._stated is None or self._stated[0] != flags:
            self._stated = flags, self._build_statements(covered)
        return self._stated[1]

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
        """State that the job exists, if the run states nothing else of it."""
        job = self.exchange.job
        seen = self.contents.get_content((job, SEEN), lambda: Facts(assets=(AssetFact(job, {}),)))
        return self._state_span((JOB, *job.parts, SEEN), self.state.first, self.state.last, seen)

    # -- lineage

    def _state_lineage(self, covered: Covered) -> Iterator[Statement]:
        exchange = self.exchange
        for target in exchange.targets:
            names = (*exchange.job.parts, *target.key.parts, *self.index)
            if target.lineage is None and not exchange.inputs:
                yield from self._state_effect(
                    (JOB_WRITES, *names), target.first, target.last, build_write_content(target, exchange, self.contents)
                )
            else:
                content = build_content(target, exchange, self.contents, covered)
                yield from self._state_effect((JOB_OUTPUT, *names), target.first, target.last, content)
        if exchange.consumed or (exchange.inputs and not exchange.targets):
            yield from self._state_effect(
                (JOB_READS, *exchange.job.parts, *self.index),
                *_find_read_span(exchange, self.state),
                build_read_content(exchange, self.contents),
            )

    def _state_effect(self, scope: Scope, first: int, last: int, content: Content) -> Iterator[Statement]:
        """State lineage from `first` on: provisionally, and permanently once the run has completed.

        A continuous job's takes effect at every event that names the output, of which `last` is the last.
        """
        ended = self.outcome
        if ended.continuous:
            yield from self._state_span(scope, first, last, content)
            return
        if ended.failed is None and ended.completed is not None:
            yield Statement(self.source, scope, ended.completed, content, self.version)
            if first >= ended.completed:  # the provisional statement would never be in effect
                return
        if ended.failed is None or first < ended.failed:
            yield Statement(self.source, scope, first, content, self.version, provisional=True, until=ended.failed)

    def _collect_pairs(self) -> dict[bytes, bool]:
        """The pairs that siblings need to know: all fed ones and those with column lineage; True if column lineage covers the pair."""
        pairs: dict[bytes, bool] = {}
        counts = self.outcome.failed is None  # a failed run covers nothing
        for target in self.exchange.targets:
            for feed in target.feeds:
                pairs[feed.pair] = feed.covered and counts
            for dataset in target.sources:
                pairs[self.contents.get_pair_digest(dataset, target.key)] = counts
        return pairs

    def _state_replacements(self) -> Iterator[Statement]:
        """State that the content of an output was replaced: what queries stated of it before is not in effect any more."""
        if not self.exchange.producer.is_query or self.outcome.completed is None or self.outcome.failed is not None:
            return
        for key, side in self.exchange.outputs.items():
            if is_replaced(side, self.exchange.producer, self.contents):
                content = self.contents.get_content((key, SEEN), partial(Facts, (AssetFact(key, {}),)))
                yield Statement(self.source, (CONTENT_REPLACED, *key.parts), self.outcome.completed, content, self.version)

    # -- facets

    def _state_span(self, scope: Scope, first: int, last: int, content: Content) -> list[Statement]:
        """State the same at `first` and at `last`: the state of a run keeps only these two times."""
        statement = Statement(self.source, scope, first, content, self.version)
        return [statement] if first == last else [statement, statement._replace(observed_at=last)]

    def _state_slot(self, scope: Scope, slot: Slot, content: Content) -> list[Statement]:
        return self._state_span(scope, slot.first, slot.time, content)

    def _state_job_facets(self) -> Iterator[Statement]:
        job = self.exchange.job
        for name, slot in self.state.job_facets.items():
            if name not in RUN_OWNED_JOB:
                content = self.contents.get_facet_content(job, Place.JOB, name, slot)
                yield from self._state_slot((JOB, *job.parts, build_facet_scope(name, slot)), slot, content)

    def _state_parent(self) -> list[Statement]:
        parent = self.parent
        if parent is None:
            return []
        job = self.exchange.job
        chain = [job, model.build_job_key(*parent.job), *([model.build_job_key(*parent.root)] if parent.root else [])]
        edges = tuple(EdgeFact(EdgeType.PART_OF, child, above) for child, above in pairwise(chain) if child != above)
        if not edges:
            return []
        content = self.contents.get_content((JOB_PARENT, *chain), lambda: Facts(edges=edges))
        return self._state_slot((JOB_PARENT, *job.parts), self.state.run_facets["parent"], content)

    def _state_dataset_facets(self) -> Iterator[Statement]:
        inputs, outputs = self.exchange.inputs, self.exchange.outputs
        for key in sorted({*inputs, *outputs}):
            for listed in list_schemas(key, self.exchange, self.contents, failed=self._has_failed):
                yield from self._state_slot(listed.scope, listed.slot, listed.content)
            for name, slot in self._select_persistent(inputs.get(key), outputs.get(key)).items():
                if slot.weight == EMPTY or name in RUN_OWNED_DATASET or (name == "schema" and slot.readable):  # see `list_schemas`
                    continue
                content = self.contents.get_facet_content(key, Place.DATASET, name, slot)
                yield from self._state_slot((DATASET, *key.parts, build_facet_scope(name, slot)), slot, content)
                if name == "lifecycleStateChange":
                    yield from self._state_lifecycle(key, slot)

    def _select_persistent(self, read: Side | None, written: Side | None) -> Mapping[str, Slot]:
        """The facets of a dataset, with those that outlive the run; an output's schema counts only if the run did not fail."""
        if written is None:
            return read.facets if read else {}
        facets = written.facets
        if self._has_failed and "schema" in facets:  # also for continuous jobs: what counts is the run
            facets = {name: slot for name, slot in facets.items() if name != "schema"}
        return join_roles(read.facets, facets) if read else facets

    def _state_lifecycle(self, key: AssetKey, slot: Slot) -> Iterator[Statement]:
        """Renames and drops take effect with their run's completion."""
        ended = self.outcome
        at = slot.time if ended.continuous else ended.completed
        if at is not None and ended.failed is None:
            for scope, content in list_lifecycle_changes(key, slot, at, self.contents):
                yield Statement(self.source, scope, at, content, self.version)

    def _state_results(self) -> Iterator[Statement]:
        """State results of checks as of the time of their facet, also for a run that failed: tests fail to report a result."""
        job = self.exchange.job
        for key, slot, content in build_check_results(job, self.state, self.contents):
            yield Statement(self.source, (JOB_QUALITY, *job.parts, *key.parts), slot.time, content, self.version)

    def _state_spellings(self) -> Iterator[Statement]:
        spelled: dict[tuple[AssetKey, tuple[str, str]], tuple[int, int]] = {}
        outputs = () if self.exchange.producer.writes_no_datasets else self.state.outputs
        for mention in (*self.state.inputs, *outputs):
            for key, raw, first, last in list_spellings(mention, self.contents):
                known = spelled.get((key, raw), (first, last))
                spelled[key, raw] = min(first, known[0]), max(last, known[1])
        for (key, raw), (first, last) in spelled.items():
            yield from self._state_span((DATASET, *key.parts, SPELLING, *raw), first, last, build_spelling(key, raw, self.contents))


def _find_read_span(exchange: Exchange, state: RunState) -> tuple[int, int]:
    """The first and last time at which the datasets that are only read were named, in microseconds."""
    spans = [(side.first, side.last) for side in exchange.inputs.values() if not exchange.targets]
    if exchange.consumed:
        slot = state.job_facets["lineage"]
        spans.append((slot.first, slot.time))
    return min(first for first, _ in spans), max(last for _, last in spans)


class ListedColumns(NamedTuple):
    """The columns of a dataset, as a schema facet lists them."""

    scope: Scope
    slot: Slot
    content: Content


def list_schemas(key: AssetKey, exchange: Exchange, contents: ContentCache, *, failed: bool = False) -> Iterator[ListedColumns]:
    """The schemas that a job states of a dataset. A whole schema replaces the known columns, a partial one adds to them.

    `failed`: what the output has now is not known then.
    """
    in_messages = exchange.producer.has_messages(key.parts[0])
    read = None if in_messages else exchange.inputs.get(key)
    written = None if failed or in_messages else exchange.outputs.get(key)
    whole: list[Slot] = []
    for side, is_whole in ((read, _has_whole_input(key, read, exchange)), (written, _has_whole_output(written, exchange, contents))):
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


def _has_whole_input(key: AssetKey, side: Side | None, exchange: Exchange) -> bool:
    return side is not None and not side.is_part and exchange.producer.has_whole_input(key.parts[0])


def _has_whole_output(side: Side | None, exchange: Exchange, contents: ContentCache) -> bool:
    return side is not None and find_whole_schema(side, exchange.producer, contents) is not None


# By kind of scope, the positions at which it names a dataset (namespace, then name).
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
    """The scope with the keys of its datasets under these naming rules; scopes of other kinds stay the same."""
    parts = list(scope)
    for at in _DATASETS_AT.get(scope[0], ()):
        parts[at : at + 2] = naming.normalise_dataset(*parts[at : at + 2]).parts
    return tuple(parts)


def build_facet_scope(name: str, slot: Slot) -> str:
    """The scope part of a facet. A facet that cannot be parsed has its own, so that it does not replace an older one that could."""
    return name if slot.readable else UNREADABLE + name


def list_lifecycle_changes(key: AssetKey, slot: Slot, at: int, contents: ContentCache) -> Iterator[tuple[Scope, Content]]:
    """(scope, content) of the rename or drop that a lifecycleStateChange facet states. `at`: its time, in microseconds."""
    change = contents.reader.read(Place.DATASET, "lifecycleStateChange", slot).value
    if not isinstance(change, LifecycleStateChange) or change.deleted is True:
        return
    kind = (change.lifecycle_state_change or "").upper()
    if kind == "DROP":
        yield (DROPPED, *key.parts), contents.get_content((key, DROPPED), lambda: Facts(assets=(AssetFact(key, {"dropped": True}),)))
    previous = change.previous_identifier
    if kind == "RENAME" and previous is not None:
        old = contents.naming.normalise_dataset(previous.namespace, previous.name)
        if old != key:
            renamed = contents.get_content((old, key, RENAMED), lambda: Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, key),)))
            yield (RENAMED, *key.parts, *old.parts, str(at)), renamed


def list_spellings(mention: Mention, contents: ContentCache) -> Iterator[tuple[AssetKey, tuple[str, str], int, int]]:
    """(key, spelling, first, last) of the names of a dataset and its symlinks that differ from their keys. Times in microseconds."""
    key = contents.naming.normalise_dataset(mention.namespace, mention.name)
    if key.parts != (mention.namespace, mention.name):
        yield key, (mention.namespace, mention.name), mention.first, mention.last
    slot = mention.facets.get("symlinks")
    value = contents.reader.read(Place.DATASET, "symlinks", slot).value if slot else None
    if slot and isinstance(value, Symlinks) and value.deleted is not True:
        for identifier in value.identifiers or ():
            raw = (identifier.namespace, identifier.name)
            key = contents.naming.normalise_dataset(*raw)
            if key.parts != raw and not is_session_name(key, identifier.type):
                yield key, raw, slot.first, slot.time


def build_spelling(key: AssetKey, raw: Sequence[str], contents: ContentCache) -> Content:
    """The content that states how a producer spells the name of a dataset. `raw`: namespace and name."""
    return contents.get_content((key, SPELLING, *raw), lambda: Facts(assets=(AssetFact(key, {"spelling": list(raw)}),)))

"""What the facet dataQualityAssertions says: results of checks, in the one shape that all tools' results have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from meshline.graph import model
from meshline.graph.model import AssetKey, Content, Facts, Json
from meshline.ingest.check_facts import Check, Outcome, facts, first_line, named
from meshline.ingest.openlineage import facet_types
from meshline.ingest.openlineage.content_cache import Contents
from meshline.ingest.openlineage.facets import Place, Text
from meshline.ingest.openlineage.run_state import RunState, Slot, join_slot

ASSERTIONS = "dataQualityAssertions"
DBT = "DBT"
BUILD, TEST = ".build.test", ".test"  # one table's tests, run by `dbt build` and by `dbt test`


def results(job: AssetKey, state: RunState, contents: Contents) -> Iterator[tuple[AssetKey, Slot, Content]]:
    """The datasets on which a run ran checks, with what it found; for most runs, none: two look-ups for each dataset."""
    found: dict[AssetKey, Slot] = {}
    for mention in (*state.inputs, *state.outputs):
        slot = mention.role_facets.get(ASSERTIONS) or mention.facets.get(ASSERTIONS)
        if slot is not None and slot.readable:
            key = contents.naming.dataset(mention.namespace, mention.name)
            found[key] = slot if key not in found else join_slot(found[key], slot)
    if not found:
        return
    by_dbt = _integration(state, contents) == DBT
    suite = f"{job.name.removesuffix(BUILD)}{TEST}" if by_dbt and job.name.endswith(BUILD) else job.name
    for key, slot in sorted(found.items()):
        left_out = by_dbt and state.left_out
        make = partial(_facts, key, suite, slot, contents, by_dbt=by_dbt, left_out=left_out)
        yield key, slot, contents.of((ASSERTIONS, key, suite, slot.digest, by_dbt, left_out), make)


def _facts(dataset: AssetKey, suite: str, facet: Text, contents: Contents, *, by_dbt: bool, left_out: bool) -> Facts:
    """What one facet says; nothing if it takes itself back. `left_out`: dbt aborted the run, for what it tests was not built."""
    value = contents.reader.read(Place.INPUT, ASSERTIONS, facet).value
    if not isinstance(value, facet_types.DataQualityAssertions) or value.deleted is True:
        return Facts()
    checks = [_check(dataset, suite, assertion, by_dbt=by_dbt, left_out=left_out) for assertion in value.assertions or ()]
    return facts(named(checks, [""] * len(checks)))


def _check(dataset: AssetKey, suite: str, said: facet_types.Assertion, *, by_dbt: bool, left_out: bool) -> Check:
    skipped = left_out and not said.success
    kind = said.assertion.strip() or "assertion"
    return Check(
        of=model.build_column_key(dataset, said.column) if said.column else dataset,
        name=said.name or (f"{kind}({said.column})" if said.column else kind),
        kind=kind,
        outcome=Outcome.SKIPPED if skipped else _outcome(said, by_dbt=by_dbt),
        suite=suite,
        expected=_text(said.expected),
        observed=None if skipped else _text(said.actual),  # dbt-ol gives a 0 that nobody counted
        message=first_line(said.description),
    )


def _outcome(said: facet_types.Assertion, *, by_dbt: bool) -> Outcome:
    if said.success:
        return Outcome.PASSED
    if by_dbt and said.params is not None and said.actual is None:
        return Outcome.SKIPPED  # dbt-ol has no other word for a test that was not run, because what it tests was not built
    return Outcome.WARNED if str(said.severity or "").lower().startswith("warn") else Outcome.FAILED


def _text(value: Json) -> Json:
    return value if value is None or isinstance(value, str | int | float | bool) else msgspec.json.encode(value).decode()


def _integration(state: RunState, contents: Contents) -> str:
    slot = state.job_facets.get("jobType")
    value = contents.reader.read(Place.JOB, "jobType", slot).value if slot else None
    return (value.integration or "").upper() if isinstance(value, facet_types.JobType) else ""

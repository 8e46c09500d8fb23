"""Data tests and the freshness of sources -> checks of datasets and columns.

dbt keeps only the results of the last command, which may concern a few nodes; the results of the others are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, Json, drop_empty_attributes, to_micros
from meshline.graph.quality import CHECKS, QUALITY, Outcome
from meshline.ingest import check_facts
from meshline.ingest.check_facts import Check
from meshline.ingest.sources.base import Entry
from meshline.ingest.sources.dbt.artifacts import Config, Result, Test
from meshline.ingest.sources.dbt.facts import Table, find_freshness_limits
from meshline.ingest.sources.dbt.parse import Artifacts

_OUTCOMES = {
    "pass": Outcome.PASSED,
    "fail": Outcome.FAILED,
    "warn": Outcome.WARNED,
    "error": Outcome.ERROR,
    "runtime error": Outcome.ERROR,
    "skipped": Outcome.SKIPPED,
}
_RESULT = "result:"  # in the memory: (_RESULT + unique id) of a test or source -> _Kept


class _KnownResult(msgspec.Struct, array_like=True, frozen=True):
    """A known result. `at`: its time, in microseconds since the epoch."""

    outcome: Outcome
    at: int
    observed: Any = None
    message: str | None = None


class DefinedCheck(NamedTuple):
    """A check by the unique id of its node."""

    id: str
    check: Check


class Checks:
    """The checks of a project with their last results."""

    def __init__(self, artifacts: Artifacts, tables: Mapping[str, Table], column_of: Callable[[Table, str], str], suite: str) -> None:
        """`column_of`: returns a column's name as its table spells it."""
        self._artifacts = artifacts
        self._tables = tables
        self._column_of = column_of
        self._suite = suite
        self._known: dict[str, _KnownResult] = {}

    def build_entries(self, memory: Mapping[str, str], time: int) -> Iterator[Entry]:
        """The checks of each dataset, and their results. `time`: of the manifest, in microseconds."""
        defined = self.list_defined()
        self._known = self._merge_results(memory, {one.id for one in defined})
        of_dataset: dict[AssetKey, list[DefinedCheck]] = {}
        for one in defined:
            of_dataset.setdefault(model.build_dataset_key(*one.check.subject.parts[:2]), []).append(one)
        for key, checks in of_dataset.items():
            expected = check_facts.build_expectation_facts((one.check for one in checks), model.build_consumer_key(self._suite), ())
            yield Entry((CHECKS, self._suite, *key.parts), encode_facts(expected), time)
            results = [_apply_result(check, self._known[id_]) for id_, check in checks if id_ in self._known]
            if results:
                yield Entry(
                    (QUALITY, self._suite, *key.parts),
                    encode_facts(check_facts.build_result_facts(results)),
                    max(one.at or 0 for one in results),
                )

    def build_memory(self) -> dict[str, str]:
        """The known results, for the memory of the next reading. Call it after `build_entries`."""
        return {_RESULT + id_: msgspec.json.encode(kept).decode() for id_, kept in self._known.items()}

    def list_defined(self) -> list[DefinedCheck]:
        """The checks of the project's tables, each once."""
        checks = [(id_, check) for id_, test in self._artifacts.tests.items() for check in self._build_test_checks(test)]
        checks += [(id_, check) for id_, check in self._build_freshness_checks()]
        named = check_facts.name_checks([check for _, check in checks], [id_.rpartition(".")[2] for id_, _ in checks])
        return [DefinedCheck(id_, check) for (id_, _), check in zip(checks, named, strict=True)]

    def _build_test_checks(self, test: Test) -> Iterator[Check]:
        """The checks of a test, for the table that it is attached to; a singular test is a check of every table that it reads."""
        references = test.depends_on.nodes if test.depends_on is not None else []
        attached = [test.attached_node] if test.attached_node is not None else references
        generic = test.test_metadata
        if generic is not None and test.attached_node is None:
            attached = _find_attached(test, references)
        for table in (self._tables[id_] for id_ in dict.fromkeys(attached) if id_ in self._tables):
            of = model.build_column_key(table.key, self._column_of(table, test.column_name)) if test.column_name else table.key
            kind = "singular" if generic is None else ".".join(part for part in (generic.namespace, generic.name) if part)
            yield Check(of, test.name, kind, Outcome.NOT_RUN, self._suite, _build_expected(test))

    def _build_freshness_checks(self) -> Iterator[tuple[str, Check]]:
        for table in self._tables.values():
            expected: Json = find_freshness_limits(table.node)
            if expected:
                yield table.id, Check(table.key, "freshness", "freshness", Outcome.NOT_RUN, self._suite, expected)

    def _merge_results(self, memory: Mapping[str, str], wanted: set[str]) -> dict[str, _KnownResult]:
        """The newest result of each check."""
        found = _decode_memory(memory)
        for id_, kept in (*self._list_run_results(), *self._list_freshness_results()):
            if id_ not in found or found[id_].at <= kept.at:
                found[id_] = kept
        return {id_: kept for id_, kept in found.items() if id_ in wanted}

    def _list_run_results(self) -> Iterator[tuple[str, _KnownResult]]:
        for result in self._artifacts.results:
            outcome = _OUTCOMES.get(result.status)
            if outcome is not None:
                at = parse_time(_find_end(result) or self._artifacts.results_at)
                if at is not None:
                    yield result.unique_id, _KnownResult(outcome, at, result.failures, check_facts.extract_first_line(result.message))

    def _list_freshness_results(self) -> Iterator[tuple[str, _KnownResult]]:
        for result in self._artifacts.freshness:
            outcome = _OUTCOMES.get(result.status or "")
            at = parse_time(result.snapshotted_at or self._artifacts.results_at)
            if outcome is not None and at is not None:
                observed: Json = drop_empty_attributes(max_loaded_at=result.max_loaded_at, age_seconds=result.max_loaded_at_time_ago_in_s)
                yield result.unique_id, _KnownResult(outcome, at, observed, check_facts.extract_first_line(result.error))


def _apply_result(check: Check, kept: _KnownResult) -> Check:
    return check._replace(outcome=kept.outcome, observed=kept.observed, message=kept.message, at=kept.at)


def _decode_memory(memory: Mapping[str, str]) -> dict[str, _KnownResult]:
    """The remembered results by unique id; empty if another version of this code wrote them."""
    decoder = msgspec.json.Decoder(_KnownResult)
    try:
        return {key.removeprefix(_RESULT): decoder.decode(text) for key, text in memory.items() if key.startswith(_RESULT)}
    except msgspec.MsgspecError:
        return {}


def _find_attached(test: Test, references: list[str]) -> list[str]:
    """The node of a generic test without `attached_node` (a test of a source, or of an older dbt), by the name in its argument
    `model`.
    """
    argument = str(test.test_metadata.kwargs.get("model", "")) if test.test_metadata is not None else ""
    named = [id_ for id_ in references if f"'{id_.split('.')[-1]}'" in argument.replace('"', "'")]
    return named[:1] or references[:1]


def _build_expected(test: Test) -> dict[str, Json]:
    """The arguments of a test, and its severity."""
    config = test.config or Config()
    arguments = test.test_metadata.kwargs if test.test_metadata is not None else {}
    return {
        **{name: value for name, value in arguments.items() if name not in ("model", "column_name")},
        **drop_empty_attributes(severity=(config.severity or "error").lower(), where=config.where),
    }


def _find_end(result: Result) -> str | None:
    return next((timing.completed_at for timing in reversed(result.timing) if timing.completed_at), None)


def parse_time(text: str) -> int | None:
    """A time as dbt writes it (ISO 8601), in microseconds since the epoch; None if the text is no time."""
    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        return None

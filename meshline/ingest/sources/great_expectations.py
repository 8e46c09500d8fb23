"""Great Expectations: validation results, checkpoint results and expectation suites, as JSON of versions 0.13 to 1.x."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import ClassVar, NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetKey, Json
from meshline.ingest.check_facts import Check, Outcome, extract_first_line, name_checks
from meshline.ingest.sources.base import Refusal
from meshline.ingest.sources.check_results import (
    CheckFile,
    CheckFiles,
    DatasetResolver,
    SuiteDefinition,
    SuiteRun,
    clean_text,
    find_member,
    parse_json_file,
    parse_run_time,
)

ACCEPTED = "accepted are a validation result, a checkpoint result or an expectation suite of Great Expectations, as JSON"
_NOT_EXPECTED = frozenset({"column", "batch_id", "result_format", "include_config", "catch_exceptions", "auto", "profiler_config"})
_COUNTS = ("element_count", "unexpected_count", "unexpected_percent", "missing_count")
_LISTS = {"expect_table_columns_to_match_set": "column_set", "expect_table_columns_to_match_ordered_list": "column_list"}
_OF_ONE = frozenset({"expect_column_to_exist", "expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"})


class GreatExpectations(CheckFiles):
    """A result is the last run of a suite on a dataset; a suite alone states what is expected."""

    kind: ClassVar[str] = "gx"

    def parse(self, file: CheckFile, datasets: DatasetResolver) -> Iterator[SuiteRun | SuiteDefinition | Refusal]:
        value = parse_json_file(file)
        for where, part in _list_parts(value, file.name):
            try:
                if isinstance(part, dict) and isinstance(part.get("expectations"), list) and "success" not in part:
                    yield from self._parse_suite(part, where, datasets)
                else:
                    yield from self._parse_validation(part, where, file.name, datasets)
            except InvalidInput as error:
                yield Refusal(error)

    def _parse_validation(self, part: Json, where: str, file: str, datasets: DatasetResolver) -> Iterator[SuiteRun | Refusal]:
        items = find_member(part, "results")
        listed = items if isinstance(items, list) else find_member(part, "expectations")
        if not isinstance(listed, list):
            raise InvalidInput(f"the object has neither results nor expectations; {ACCEPTED}", where)
        meta = find_member(part, "meta")
        at = parse_run_time(
            find_member(meta, "run_id", "run_time")
            or find_member(meta, "validation_time")
            or find_member(meta, "batch_markers", "ge_load_time"),
            where,
        )
        suite = (
            self.suite
            or clean_text(find_member(part, "suite_name"))
            or clean_text(find_member(meta, "expectation_suite_name"))
            or PurePath(file).stem
        )
        dataset = _resolve_dataset(meta, listed, where, datasets)
        checks = _BatchChecks(dataset, suite)
        yield from checks.parse(listed, where)
        yield SuiteRun(suite, dataset, at, checks.list_named())

    def _parse_suite(self, part: Mapping[str, Json], where: str, datasets: DatasetResolver) -> Iterator[SuiteDefinition | Refusal]:
        suite = self.suite or clean_text(part.get("name")) or clean_text(part.get("expectation_suite_name"))
        if suite is None:
            raise InvalidInput("the suite has no name; accepted are the keys name and expectation_suite_name, and the option suite", where)
        listed = part["expectations"]
        assert isinstance(listed, list)
        dataset = _resolve_dataset(_find_batch_request(part), listed, where, datasets)
        checks = _BatchChecks(dataset, suite)
        yield from checks.parse(listed, where)
        yield SuiteDefinition(suite, checks.list_named(), [model.build_column_key(dataset, name) for name in checks.needs])


def _list_parts(value: Json, where: str) -> Iterator[tuple[str, Json]]:
    """The validation results and suites in a file, each with its place."""
    if isinstance(value, list):
        if not value:
            raise InvalidInput(f"the list is empty; {ACCEPTED}", where)
        for position, part in enumerate(value):
            yield from _list_parts(part, f"{where}: $[{position}]")
        return
    results, described = find_member(value, "run_results"), find_member(value, "validation_results")
    if isinstance(results, dict):
        for name, part in results.items():
            inner = find_member(part, "validation_result")
            yield f"{where}: $.run_results[{name!r}]", part if inner is None else inner
    elif isinstance(described, list):
        for position, part in enumerate(described):
            yield f"{where}: $.validation_results[{position}]", part
    elif isinstance(value, dict):
        yield where, value
    else:
        raise InvalidInput(f"found {type(value).__name__}; {ACCEPTED}", where)


def _find_batch_request(suite: Mapping[str, Json]) -> Json:
    """The names of the data with which an interactive session wrote a suite (versions before 1.0)."""
    citations = find_member(suite.get("meta"), "citations")
    for citation in reversed(citations) if isinstance(citations, list) else ():
        request = find_member(citation, "batch_request") or find_member(citation, "batch_kwargs")
        if isinstance(request, dict):
            return {"active_batch_definition": request, "batch_spec": request}
    return None


def _resolve_dataset(meta: Json, items: list[Json], where: str, datasets: DatasetResolver) -> AssetKey:
    """The dataset of a batch, found by the table or file that was read, by the data asset's name, or by the batch's id."""
    spec, batch = find_member(meta, "batch_spec") or find_member(meta, "batch_kwargs"), find_member(meta, "active_batch_definition")
    table = clean_text(find_member(spec, "table_name")) or clean_text(find_member(spec, "table"))
    schema = clean_text(find_member(spec, "schema_name")) or clean_text(find_member(spec, "schema"))
    asset = clean_text(find_member(batch, "data_asset_name")) or clean_text(find_member(spec, "data_asset_name"))
    origin = clean_text(find_member(batch, "datasource_name")) or clean_text(find_member(spec, "datasource"))
    batch_id = next((found for item in items if (found := clean_text(find_member(_get_config(item), "kwargs", "batch_id")))), None)
    of_batch = [batch_id[at + 1 :] for at, mark in enumerate(batch_id) if mark == "-"] if batch_id else []  # datasource-asset
    names = [
        f"{schema}.{table}" if schema and table else table,
        f"{origin}.{asset}" if origin and asset and f"{origin}.{asset}" in datasets.source.datasets else None,
        batch_id if batch_id in datasets.source.datasets else None,
        asset,
        *of_batch,
    ]
    path = clean_text(find_member(spec, "path")) or clean_text(find_member(spec, "s3")) or ""
    return datasets.resolve(list(dict.fromkeys(name for name in names if name)), where, path)


def _get_config(item: Json) -> Json:
    inner = find_member(item, "expectation_config")
    return item if inner is None else inner


class _ParsedCheck(NamedTuple):
    check: Check
    arguments: str  # distinguishes expectations of one type and column


class _BatchChecks:
    """The checks of one batch. `needs`: the columns that must exist."""

    def __init__(self, dataset: AssetKey, suite: str) -> None:
        self._dataset = dataset
        self._suite = suite
        self._checks: list[_ParsedCheck] = []
        self.needs: list[str] = []

    def parse(self, items: list[Json], where: str) -> Iterator[Refusal]:
        for position, item in enumerate(items):
            config = _get_config(item)
            kind = clean_text(find_member(config, "type")) or clean_text(find_member(config, "expectation_type"))
            kwargs = find_member(config, "kwargs")
            if kind is None or not isinstance(kwargs, dict | None):
                error = InvalidInput(
                    "not an expectation; accepted is an object with type (or expectation_type) and kwargs", f"{where}: [{position}]"
                )
                yield Refusal(error)
                continue
            self._checks.append(self._build_check(item, config, kind, kwargs or {}))

    def list_named(self) -> list[Check]:
        return name_checks((one.check for one in self._checks), [one.arguments for one in self._checks])

    def _build_check(self, item: Json, config: Json, kind: str, kwargs: Mapping[str, Json]) -> _ParsedCheck:
        column = clean_text(kwargs.get("column"))
        listed = kwargs.get(_LISTS.get(kind, ""))
        self.needs += [column] if column and kind in _OF_ONE else [str(name) for name in listed] if isinstance(listed, list) else []
        expected: dict[str, Json] = {name: value for name, value in kwargs.items() if name not in _NOT_EXPECTED and value is not None}
        meta = find_member(config, "meta")
        check = Check(
            subject=model.build_column_key(self._dataset, column) if column else self._dataset,
            name=f"{kind}({column})" if column else kind,
            kind=kind,
            outcome=_decide_outcome(item, clean_text(find_member(config, "severity"))),
            suite=self._suite,
            expected=expected or None,
            observed=_summarise_result(find_member(item, "result"), of_column=column is not None),
            message=_find_message(find_member(item, "exception_info")),
            labels=meta if isinstance(meta, dict) else {},
        )
        return _ParsedCheck(check, msgspec.json.encode(expected, order="sorted").decode()[:200] if expected else "")


def _decide_outcome(item: Json, severity: str | None) -> Outcome:
    if not isinstance(item, dict) or "success" not in item:
        return Outcome.NOT_RUN
    if _list_exceptions(item.get("exception_info")):
        return Outcome.ERROR
    if item["success"] is None:
        return Outcome.SKIPPED
    if item["success"] is True:
        return Outcome.PASSED
    return Outcome.WARNED if severity in ("warning", "info") else Outcome.FAILED


def _list_exceptions(info: Json) -> list[Mapping[str, Json]]:
    """The raised exceptions: that of the expectation, or (since version 0.14) those of its metrics."""
    if not isinstance(info, dict):
        return []
    parts = [info] if "raised_exception" in info else [part for part in info.values() if isinstance(part, dict)]
    return [part for part in parts if part.get("raised_exception") is True]


def _find_message(info: Json) -> str | None:
    return next((line for part in _list_exceptions(info) if (line := extract_first_line(part.get("exception_message")))), None)


def _summarise_result(result: Json, *, of_column: bool) -> Json:
    """Figures of a result, never rows. A list of a column's values is data, so only its length is used."""
    if not isinstance(result, dict):
        return None
    value = result.get("observed_value")
    if isinstance(value, list | dict) and of_column and not _is_figures(value):
        value = {"values": len(value)}
    counts: dict[str, Json] = {name: result[name] for name in _COUNTS if result.get(name) is not None}
    if not counts:
        return value
    return counts if value is None else {"observed_value": value, **counts}


def _is_figures(value: Json) -> bool:
    if isinstance(value, dict):
        return all(_is_figures(part) for part in value.values())
    if isinstance(value, list):
        return all(_is_figures(part) for part in value)
    return value is None or isinstance(value, bool | int | float)

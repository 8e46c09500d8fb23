"""Soda: results of scans (JSON), and files of checks in SodaCL (YAML)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import ClassVar

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetKey, Json
from meshline.ingest.check_facts import Check, Outcome, name_checks
from meshline.ingest.documents import Document, Path, parse_yaml
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
from meshline.ingest.sources.sodacl import SCHEMA, ParsedCheck, parse_check, parse_section
from meshline.words import suggest_closest

_OUTCOMES = {"pass": Outcome.PASSED, "fail": Outcome.FAILED, "warn": Outcome.WARNED}
_MILLISECONDS = 1000

# Sections of a file of checks that contain no checks of a named dataset.
_OTHER_SECTIONS = (
    "filter ",
    "for each dataset ",
    "for each table ",
    "discover datasets",
    "discover tables",
    "profile columns",
    "sample datasets",
    "automated monitoring",
    "configurations for ",
    "reconciliation ",
    "variables",
    "templates",
    "notifications",
)


class Soda(CheckFiles):
    """A scan's result is the last run of a file of checks on a dataset; a file of checks alone states what is expected.

    The file consumes the columns of its schema checks: they fail if one of these columns is dropped.
    """

    kind: ClassVar[str] = "soda"

    def parse(self, file: CheckFile, datasets: DatasetResolver) -> Iterator[SuiteRun | SuiteDefinition | Refusal]:
        if file.data.lstrip()[:1] == b"{":
            yield from self._parse_scan(parse_json_file(file), file, datasets)
        else:
            yield from self._parse_checks(parse_yaml(file.data, file.name), datasets)

    # -- results

    def _parse_scan(self, scan: Json, file: CheckFile, datasets: DatasetResolver) -> Iterator[SuiteRun | Refusal]:
        listed = find_member(scan, "checks")
        if not isinstance(listed, list):
            raise InvalidInput("the scan has no list of checks; accepted are a scan's result (JSON) and a file of checks (YAML)", file.name)
        monitored = find_member(scan, "automatedMonitoringChecks")
        items = [*listed, *(monitored if isinstance(monitored, list) else ())]
        at = parse_run_time(
            find_member(scan, "scanStartTimestamp") or find_member(scan, "dataTimestamp"), f"{file.name}: $.scanStartTimestamp"
        )
        if not items:
            raise InvalidInput("the scan has no checks, so it states nothing about any dataset; accepted is a scan with checks", file.name)
        found: dict[tuple[str, AssetKey], list[tuple[Check, str]]] = {}
        known: dict[str, AssetKey | InvalidInput] = {}
        for position, item in enumerate(items):
            where = f"{file.name}: $.checks[{position}]"
            try:
                dataset = _resolve_dataset(item, where, datasets, known)
            except InvalidInput as error:
                yield Refusal(error)
                continue
            if dataset is not None:
                suite = self.suite or _find_check_file(item) or file.name
                check = _build_result(item, dataset, suite, failed=find_member(scan, "hasErrors") is True)
                found.setdefault((suite, dataset), []).append((check, clean_text(find_member(item, "identity")) or ""))
        for (suite, dataset), checks in found.items():
            yield SuiteRun(suite, dataset, at, name_checks((check for check, _ in checks), [identity for _, identity in checks]))

    # -- checks

    def _parse_checks(self, file: Document, datasets: DatasetResolver) -> Iterator[SuiteDefinition | Refusal]:
        if not isinstance(file.value, dict):
            raise InvalidInput("the file has no sections; accepted are sections such as `checks for orders:`", file.format_place(()))
        suite = self.suite or file.file
        checks: list[Check] = []
        needs: list[AssetKey] = []
        refused = False
        for section, items in file.value.items():
            try:
                name = _parse_section(section, file)
                if name is None:
                    continue
                dataset = datasets.resolve([name], file.format_place((section,)))
                for one in _parse_items(section, items, file):
                    if isinstance(one, Refusal):
                        yield one
                        continue
                    checks.append(_build_definition(one, dataset, suite))
                    needs += [model.build_column_key(dataset, column) for column in one.needs]
            except InvalidInput as error:
                refused = True
                yield Refusal(error)
        if checks or not refused:  # else the checks that are known stay
            yield SuiteDefinition(suite, name_checks(checks, [""] * len(checks)), needs)


def _resolve_dataset(item: Json, where: str, datasets: DatasetResolver, known: dict[str, AssetKey | InvalidInput]) -> AssetKey | None:
    """The dataset of a scan's check; None if its table was refused already, as each table is refused once. Raises InvalidInput."""
    table, source = clean_text(find_member(item, "table")), clean_text(find_member(item, "dataSource"))
    if table is None:
        raise InvalidInput("the check names no table", where)
    name = f"{source}.{table}" if source and f"{source}.{table}" in datasets.source.datasets else table
    if name not in known:
        try:
            known[name] = datasets.resolve([name], where)
        except InvalidInput as error:
            known[name] = error
            raise
    found = known[name]
    return None if isinstance(found, InvalidInput) else found


def _find_check_file(item: Json) -> str | None:
    """The path of the file of checks, as the scan recorded it; of an absolute path the last part."""
    path = clean_text(find_member(item, "location", "filePath"))
    return PurePath(path).name if path and PurePath(path).is_absolute() else path


def _build_result(item: Json, dataset: AssetKey, suite: str, *, failed: bool) -> Check:
    """A check with its outcome. `failed`: whether the scan ended with errors, so that it did not evaluate all checks."""
    meant = _parse_definition(clean_text(find_member(item, "definition")))
    column = clean_text(find_member(item, "column")) or (meant.column if meant else "")
    outcome = _OUTCOMES.get(str(find_member(item, "outcome")), Outcome.ERROR if failed else Outcome.SKIPPED)
    kind = meant.kind if meant else clean_text(find_member(item, "type")) or "check"
    return Check(
        subject=model.build_column_key(dataset, column) if column else dataset,
        name=clean_text(find_member(item, "name")) or kind,
        kind=kind,
        outcome=outcome,
        suite=suite,
        expected=meant.expected if meant else None,
        observed=_summarise_diagnostics(find_member(item, "diagnostics"), kind),
        labels=_collect_labels(find_member(item, "resourceAttributes")),
    )


def _parse_definition(definition: str | None) -> ParsedCheck | None:
    """The check that a result repeats as SodaCL; None if it cannot be read."""
    try:
        sections = parse_yaml((definition or "").encode(), "").value
    except InvalidInput:
        return None
    item = next(iter(sections.values()), None) if isinstance(sections, dict) else None
    if isinstance(item, list):
        item = item[0] if item else None
    if isinstance(item, dict) and item:
        line, settings = next(iter(item.items()))
        return parse_check(line, settings)
    return parse_check(item) if isinstance(item, str) else None


def _summarise_diagnostics(diagnostics: Json, kind: str) -> Json:
    """Figures and names of columns from a check's diagnostics, never rows."""
    value = find_member(diagnostics, "value")
    if kind == SCHEMA:
        wrong = find_member(diagnostics, "column_type_mismatches")
        parts: dict[str, Json] = {
            "missing": find_member(diagnostics, "missing_column_names"),
            "forbidden": find_member(diagnostics, "present_column_names"),
            "types": {name: find_member(one, "actual_type") for name, one in wrong.items()} if isinstance(wrong, dict) else None,
        }
        found: dict[str, Json] = {name: part for name, part in parts.items() if part}
        return found or None
    if find_member(diagnostics, "measure") == "time" and isinstance(value, int | float):
        return {"max_loaded_at": find_member(diagnostics, "maxColumnTimestampUtc"), "age_seconds": value / _MILLISECONDS}
    return value if isinstance(value, bool | int | float | str) else None


def _collect_labels(attributes: Json) -> Mapping[str, Json]:
    if not isinstance(attributes, list):
        return {}
    return {name: find_member(one, "value") for one in attributes if (name := clean_text(find_member(one, "name")))}


def _parse_section(section: str, file: Document) -> str | None:
    """The dataset of a section; None for sections that contain no checks of a named dataset. Raises InvalidInput."""
    name = parse_section(section)
    if name is not None or section.startswith(_OTHER_SECTIONS):
        return name
    hint = suggest_closest(section, ["checks for orders", *_OTHER_SECTIONS])
    raise InvalidInput(
        f"unknown section {section!r}{hint}; accepted are sections such as `checks for orders:`", file.format_place((section,))
    )


def _parse_items(section: str, items: Json, file: Document) -> Iterator[ParsedCheck | Refusal]:
    path: Path = (section,)
    if not isinstance(items, list):
        raise InvalidInput("the section is not a list; accepted is a list of checks, each after a dash", file.format_place(path))
    for position, item in enumerate(items):
        found = None
        if isinstance(item, str):
            found = parse_check(item)
        elif isinstance(item, dict) and len(item) == 1:
            found = parse_check(*next(iter(item.items())))
        if found is None:
            message = "not a check; accepted are `- row_count > 0`, and `- missing_count(id) = 0:` with indented settings below it"
            yield Refusal(InvalidInput(message, file.format_place((*path, position))))
        else:
            yield found


def _build_definition(one: ParsedCheck, dataset: AssetKey, suite: str) -> Check:
    of = model.build_column_key(dataset, one.column) if one.column else dataset
    return Check(of, one.name, one.kind, Outcome.NOT_RUN, suite, one.expected, labels=one.labels)

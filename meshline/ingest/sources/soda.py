"""Soda: results of scans (JSON), and files of checks in SodaCL (YAML)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import ClassVar

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetKey, Json
from meshline.ingest.check_facts import Check, Outcome, named
from meshline.ingest.documents import Document, Path, document
from meshline.ingest.sources.base import Refused
from meshline.ingest.sources.check_results import CheckedFiles, Datasets, File, Run, Written, json_value, member, run_time, text
from meshline.ingest.sources.sodacl import SCHEMA, Expected, dataset_of, expected
from meshline.words import suggest_closest

_OUTCOMES = {"pass": Outcome.PASSED, "fail": Outcome.FAILED, "warn": Outcome.WARNED}
_MILLISECONDS = 1000

# Sections of a file of checks that hold no checks of a named dataset.
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


class Soda(CheckedFiles):
    """Results are the last scan of a file of checks on a dataset; a file of checks alone says what is expected.

    The columns of its schema checks are consumed by the file: who drops one of them breaks it.
    """

    kind: ClassVar[str] = "soda"

    def parsed(self, file: File, datasets: Datasets) -> Iterator[Run | Written | Refused]:
        if file.data.lstrip()[:1] == b"{":
            yield from self._scan(json_value(file), file, datasets)
        else:
            yield from self._checks(document(file.data, file.name), datasets)

    # -- results

    def _scan(self, scan: Json, file: File, datasets: Datasets) -> Iterator[Run | Refused]:
        listed = member(scan, "checks")
        if not isinstance(listed, list):
            raise InvalidInput("found no checks; accepted are a scan's result (JSON) and a file of checks (YAML)", file.name)
        monitored = member(scan, "automatedMonitoringChecks")
        items = [*listed, *(monitored if isinstance(monitored, list) else ())]
        at = run_time(member(scan, "scanStartTimestamp") or member(scan, "dataTimestamp"), f"{file.name}: $.scanStartTimestamp")
        if not items:
            raise InvalidInput("the scan has no checks, so it states nothing of any dataset; accepted is a scan with checks", file.name)
        found: dict[tuple[str, AssetKey], list[tuple[Check, str]]] = {}
        known: dict[str, AssetKey | InvalidInput] = {}
        for position, item in enumerate(items):
            where = f"{file.name}: $.checks[{position}]"
            try:
                dataset = _scanned(item, where, datasets, known)
            except InvalidInput as error:
                yield Refused(error)
                continue
            if dataset is not None:
                suite = self.suite or _file(item) or file.name
                check = _result(item, dataset, suite, failed=member(scan, "hasErrors") is True)
                found.setdefault((suite, dataset), []).append((check, text(member(item, "identity")) or ""))
        for (suite, dataset), told in found.items():
            yield Run(suite, dataset, at, named((check for check, _ in told), [identity for _, identity in told]))

    # -- checks

    def _checks(self, file: Document, datasets: Datasets) -> Iterator[Written | Refused]:
        if not isinstance(file.value, dict):
            raise InvalidInput("found no sections; accepted are sections such as `checks for orders:`", file.where(()))
        suite = self.suite or file.file
        checks: list[Check] = []
        needs: list[AssetKey] = []
        refused = False
        for section, items in file.value.items():
            try:
                name = _section(section, file)
                if name is None:
                    continue
                dataset = datasets.find([name], file.where((section,)))
                for one in _listed(section, items, file):
                    if isinstance(one, Refused):
                        yield one
                        continue
                    checks.append(_written(one, dataset, suite))
                    needs += [model.build_column_key(dataset, column) for column in one.needs]
            except InvalidInput as error:
                refused = True
                yield Refused(error)
        if checks or not refused:  # else what is known stays
            yield Written(suite, named(checks, [""] * len(checks)), needs)


def _scanned(item: Json, where: str, datasets: Datasets, known: dict[str, AssetKey | InvalidInput]) -> AssetKey | None:
    """The dataset of a check of a scan; None if it was refused before: once for each table is enough."""
    table, source = text(member(item, "table")), text(member(item, "dataSource"))
    if table is None:
        raise InvalidInput("the check names no table", where)
    name = f"{source}.{table}" if source and f"{source}.{table}" in datasets.source.datasets else table
    if name not in known:
        try:
            known[name] = datasets.find([name], where)
        except InvalidInput as error:
            known[name] = error
            raise
    found = known[name]
    return None if isinstance(found, InvalidInput) else found


def _file(item: Json) -> str | None:
    """The file of checks, as the scan was told of it; where that names a machine's folders, the file alone."""
    path = text(member(item, "location", "filePath"))
    return PurePath(path).name if path and PurePath(path).is_absolute() else path


def _result(item: Json, dataset: AssetKey, suite: str, *, failed: bool) -> Check:
    """`failed`: whether errors kept the scan from evaluating checks."""
    meant = _defined(text(member(item, "definition")))
    column = text(member(item, "column")) or (meant.column if meant else "")
    outcome = _OUTCOMES.get(str(member(item, "outcome")), Outcome.ERROR if failed else Outcome.SKIPPED)
    kind = meant.kind if meant else text(member(item, "type")) or "check"
    return Check(
        of=model.build_column_key(dataset, column) if column else dataset,
        name=text(member(item, "name")) or kind,
        kind=kind,
        outcome=outcome,
        suite=suite,
        expected=meant.expected if meant else None,
        observed=_observed(member(item, "diagnostics"), kind),
        labels=_labels(member(item, "resourceAttributes")),
    )


def _defined(definition: str | None) -> Expected | None:
    """The check that a result repeats as SodaCL; None if it cannot be read."""
    try:
        sections = document((definition or "").encode(), "").value
    except InvalidInput:
        return None
    item = next(iter(sections.values()), None) if isinstance(sections, dict) else None
    if isinstance(item, list):
        item = item[0] if item else None
    if isinstance(item, dict) and item:
        line, settings = next(iter(item.items()))
        return expected(line, settings)
    return expected(item) if isinstance(item, str) else None


def _observed(diagnostics: Json, kind: str) -> Json:
    """Figures and names of columns; never rows."""
    value = member(diagnostics, "value")
    if kind == SCHEMA:
        wrong = member(diagnostics, "column_type_mismatches")
        parts: dict[str, Json] = {
            "missing": member(diagnostics, "missing_column_names"),
            "forbidden": member(diagnostics, "present_column_names"),
            "types": {name: member(one, "actual_type") for name, one in wrong.items()} if isinstance(wrong, dict) else None,
        }
        found: dict[str, Json] = {name: part for name, part in parts.items() if part}
        return found or None
    if member(diagnostics, "measure") == "time" and isinstance(value, int | float):
        return {"max_loaded_at": member(diagnostics, "maxColumnTimestampUtc"), "age_seconds": value / _MILLISECONDS}
    return value if isinstance(value, bool | int | float | str) else None


def _labels(attributes: Json) -> Mapping[str, Json]:
    if not isinstance(attributes, list):
        return {}
    return {name: member(one, "value") for one in attributes if (name := text(member(one, "name")))}


def _section(section: str, file: Document) -> str | None:
    """The dataset of a section; None for sections that hold no checks of a named dataset."""
    name = dataset_of(section)
    if name is not None or section.startswith(_OTHER_SECTIONS):
        return name
    hint = suggest_closest(section, ["checks for orders", *_OTHER_SECTIONS])
    raise InvalidInput(f"found the section {section!r}{hint}; accepted are sections such as `checks for orders:`", file.where((section,)))


def _listed(section: str, items: Json, file: Document) -> Iterator[Expected | Refused]:
    path: Path = (section,)
    if not isinstance(items, list):
        raise InvalidInput("accepted is a list of checks, each after a dash", file.where(path))
    for position, item in enumerate(items):
        found = None
        if isinstance(item, str):
            found = expected(item)
        elif isinstance(item, dict) and len(item) == 1:
            found = expected(*next(iter(item.items())))
        if found is None:
            message = "found no check; accepted are `- row_count > 0`, and `- missing_count(id) = 0:` with settings below it, further in"
            yield Refused(InvalidInput(message, file.where((*path, position))))
        else:
            yield found


def _written(one: Expected, dataset: AssetKey, suite: str) -> Check:
    of = model.build_column_key(dataset, one.column) if one.column else dataset
    return Check(of, one.name, one.kind, Outcome.NOT_RUN, suite, one.expected, labels=one.labels)

"""SodaCL, the language of Soda's checks: parses one check, its line and its settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from meshline.graph.model import Json

SCHEMA = "schema"
SCHEMA_NAME = "Schema Check"  # as Soda calls one that has no name
_QUOTES = "\"`'[]"

_SECTION = re.compile(r"checks for (?P<dataset>.+?)(?:\s+\[(?P<filter>[^\]]+)\])?")
_METRIC = re.compile(r"(?P<kind>[\w ]*?\w)\s*\((?P<arguments>[^)]*)\)\s*(?P<rest>.*)", re.DOTALL)
_CHANGE = re.compile(r"(?P<kind>change|anomaly score|anomaly detection)\b(?P<how>.*?)\bfor (?P<of>.+)", re.DOTALL)
_REFERENCE = re.compile(r"values in \(?(?P<columns>[^()]+?)\)? must (?P<rest>(?:not )?exist in .+)", re.DOTALL)
_OLD_FRESHNESS = re.compile(r"freshness using (?P<column>\S+)(?: with \S+)?\s*(?P<rest>.*)", re.DOTALL)
_PLAIN = re.compile(r"(?P<kind>\w+)\s*(?P<rest>.*)", re.DOTALL)
_NUMBER = re.compile(r"[-+]?[0-9.]+")
_OF_ROWS = frozenset({"failed rows", "group by", "group evolution"})
_NOT_EXPECTED = frozenset({"name", "attributes", "samples limit", "samples columns", "identity"})

# Rule of a schema check in SodaCL -> its name in our checks.
_SCHEMA_RULES = {
    "when required column missing": "required",
    "when forbidden column present": "forbidden",
    "when wrong column type": "types",
    "when wrong column index": "positions",
    "when schema changes": "changes",
}


class ParsedCheck(NamedTuple):
    """One check. `column`: empty unless it is about exactly one column. `needs`: the columns that it fails without."""

    name: str
    kind: str
    column: str
    expected: Json
    needs: tuple[str, ...] = ()
    labels: Mapping[str, Json] = {}


def parse_section(section: str) -> str | None:
    """The dataset of a section `checks for DATASET [filter]`; None for sections of another kind."""
    match = _SECTION.fullmatch(section.strip())
    return None if match is None else ".".join(part.strip(_QUOTES) for part in match["dataset"].strip().split("."))


def parse_check(line: str, settings: Json = None) -> ParsedCheck | None:
    """A check; None if the line is none. `settings`: the mapping below its line."""
    options = settings if isinstance(settings, dict) else {}
    name = options.get("name")
    labels = options.get("attributes")
    own = {key: value for key, value in options.items() if key not in _NOT_EXPECTED and value is not None}
    line = line.strip()
    if not line:
        return None
    if line == SCHEMA:
        rules = _parse_schema_rules(own)
        needs = (*_list_names(rules.get("required")), *_list_names(rules.get("types")))
        found = ParsedCheck(SCHEMA_NAME, SCHEMA, "", dict(rules), tuple(dict.fromkeys(needs)))
    else:
        kind, column, condition = _parse_line(line)
        found = ParsedCheck(line, kind, column, {**({"condition": condition} if condition else {}), **own} if own else condition or None)
    return found._replace(
        name=name.strip() if isinstance(name, str) and name.strip() else found.name, labels=labels if isinstance(labels, dict) else {}
    )


def _parse_line(line: str) -> tuple[str, str, str]:
    """(kind, column, condition) of a line."""
    if match := _REFERENCE.fullmatch(line):
        return "reference", _find_only_column(match["columns"]), match["rest"].strip()
    if match := _OLD_FRESHNESS.fullmatch(line):
        return "freshness", _clean_column(match["column"]), match["rest"].strip()
    if match := _CHANGE.fullmatch(line):
        kind, column, condition = _parse_line(match["of"].strip())
        return f"{match['kind']} for {kind}", column, f"{match['how'].strip()} {condition}".strip()
    if match := _METRIC.fullmatch(line):
        return match["kind"].strip(), _find_only_column(match["arguments"]), match["rest"].strip()
    if line in _OF_ROWS:
        return line, "", ""
    match = _PLAIN.fullmatch(line)
    return (match["kind"], "", match["rest"].strip()) if match else (line, "", "")


def _find_only_column(arguments: str) -> str:
    """The only column among arguments that may also be numbers; empty if there are several, as in a check of the dataset."""
    columns = [column for part in arguments.split(",") if (column := _clean_column(part)) and not _NUMBER.fullmatch(column)]
    return columns[0] if len(columns) == 1 else ""


def _clean_column(text: str) -> str:
    return text.strip().strip(_QUOTES)


def _parse_schema_rules(options: Mapping[str, Json]) -> dict[str, Json]:
    """The rules of a schema check, both those that fail it and those that warn."""
    rules: dict[str, Json] = {}
    for key, value in _list_rules(options):
        called = _SCHEMA_RULES.get(key)
        if called is None:
            continue
        known = rules.get(called)
        if isinstance(known, list) and isinstance(value, list):
            rules[called] = [*known, *(one for one in value if one not in known)]
        elif isinstance(known, dict) and isinstance(value, dict):
            rules[called] = {**value, **known}
        elif known is None:
            rules[called] = value
    return rules


def _list_rules(options: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """(rule, value) of each: `fail: {when ...: }`, `warn: {when ...: }`, or both parts in one key."""
    for severity in ("fail", "warn"):
        inner = options.get(severity)
        if isinstance(inner, dict):
            yield from inner.items()
        for key, value in options.items():
            if key.startswith(f"{severity} when "):
                yield key.removeprefix(f"{severity} "), value


def _list_names(value: Json) -> list[str]:
    """Names of columns: a list of them, or the keys of a mapping. Names with a wildcard are left out."""
    names = value if isinstance(value, list) else list(value) if isinstance(value, dict) else []
    return [name for name in names if isinstance(name, str) and name and "%" not in name]

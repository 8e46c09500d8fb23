"""Changes by hand, and what the gate makes of them."""

from __future__ import annotations

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.governance.gate import Mode, Options, judge_changes
from meshline.governance.report import Finding, Report
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Json


def build_change(
    rule: str, *assets: AssetKey, before: Json = None, after: Json = None, consumers: tuple[AssetKey, ...] = (), **details: Json
) -> Change:
    """A change of a table, named by its first asset."""
    first = assets[0]
    part = ("field", first.name) if first.kind is AssetKind.COLUMN else ()
    subject = Subject(SubjectKind.TABLE, "/".join(first.parts[:2]), part)
    return Change(rule, subject, before, after, assets, consumers, {"field": first.name, "table": first.name, **details})


def build_report(graph: LiveGraph, *changes: Change, **options: object) -> Report:
    return judge_changes(graph, graph.index, changes, Options(**options))  # type: ignore[arg-type]


def judge_change(graph: LiveGraph, one: Change, **options: object) -> Finding:
    (found,) = build_report(graph, one, **options).findings
    return found


def judge_modes(graph: LiveGraph, one: Change) -> tuple[str, str]:
    """In `strict`, and in `usage`."""
    return judge_change(graph, one).verdict, judge_change(graph, one, mode=Mode.USAGE).verdict


def describe_hits(found: Finding) -> dict[str, str]:
    """By consumer: `breaking DIRECT 1 masked`."""
    return {hit.consumer.name: f"{hit.verdict} {hit.reach} {hit.distance}{' masked' if hit.masked else ''}" for hit in found.hits}

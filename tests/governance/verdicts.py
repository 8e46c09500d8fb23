"""Changes by hand, and what the gate makes of them."""

from __future__ import annotations

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.governance.gate import Mode, Options, judge_changes
from meshline.governance.report import Finding, Report
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Json


def change(
    rule: str, *assets: AssetKey, before: Json = None, after: Json = None, consumers: tuple[AssetKey, ...] = (), **told: Json
) -> Change:
    """A change of a table, named by its first asset."""
    first = assets[0]
    part = ("field", first.name) if first.kind is AssetKind.COLUMN else ()
    subject = Subject(SubjectKind.TABLE, "/".join(first.parts[:2]), part)
    return Change(rule, subject, before, after, assets, consumers, {"field": first.name, "table": first.name, **told})


def report(graph: LiveGraph, *changes: Change, **options: object) -> Report:
    return judge_changes(graph, graph.index, changes, Options(**options))  # type: ignore[arg-type]


def finding(graph: LiveGraph, one: Change, **options: object) -> Finding:
    (found,) = report(graph, one, **options).findings
    return found


def verdicts(graph: LiveGraph, one: Change) -> tuple[str, str]:
    """In `strict`, and in `usage`."""
    return finding(graph, one).verdict, finding(graph, one, mode=Mode.USAGE).verdict


def hits(found: Finding) -> dict[str, str]:
    """By consumer: `breaking DIRECT 1 masked`."""
    return {hit.consumer.name: f"{hit.verdict} {hit.reach} {hit.distance}{' masked' if hit.masked else ''}" for hit in found.hits}

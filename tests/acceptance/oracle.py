"""An independent reading of the rules: OpenLineage events -> every column's impact, slowly and plainly.

Shares no code with the product but the normalising of names. No store, no statements, no index: events
are grouped by run, runs give edges, edges give a graph, and each question walks it anew.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from meshline.graph.naming import Naming

Dataset = tuple[str, str]
Column = tuple[str, str, str]
Event = dict[str, Any]
DIRECT, INDIRECT, POSSIBLE = 0, 1, 2
TERMINAL = {"COMPLETE": 1, "ABORT": 2, "FAIL": 3}
HOISTED = {"JOIN", "FILTER", "GROUP_BY", "SORT"}
_naming = Naming()


def key(node: Event) -> Dataset:
    parts = _naming.dataset(node["namespace"], node["name"]).parts
    return parts[0], parts[1]


def time_of(event: Event) -> datetime:
    text = event["eventTime"].replace("Z", "+00:00")
    head, dot, tail = text.partition(".")
    if dot:
        digits = "".join(c for c in tail[:9] if c.isdigit())
        zone = tail[len(tail) - len(tail.lstrip("0123456789")) :]
        text = f"{head}.{digits[:6].ljust(6, '0')}{zone}"
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def pseudo(name: str) -> bool:
    return name in {"_file", "_pos", "_metadata"} or name.startswith("_metadata.")


class Flow(NamedTuple):
    """Between columns, from a column into a dataset as a whole (a start of three parts, an end of two), or between datasets."""

    start: tuple[str, ...]
    end: tuple[str, ...]
    kind: int
    masked: bool
    subtype: str
    job: tuple[str, ...]  # empty: none


@dataclass
class Says:
    """What one run (or job event) says of one output: edges to hold from a time on."""

    at: datetime
    settled: bool
    until: datetime | None
    run: tuple[str, str]  # the run, or the parent whose runs cover pairs for each other
    job: tuple[str, ...] = ()
    columns: set[Flow] = field(default_factory=set)
    pairs: set[tuple[Dataset, Dataset]] = field(default_factory=set)


class Oracle:
    """The graph of some events."""

    def __init__(self, events: Iterable[Event]) -> None:
        events = list({json.dumps(e, sort_keys=True): e for e in events}.values())
        events.sort(key=lambda e: (time_of(e), TERMINAL.get(e.get("eventType") or "", 0)))
        self.schemas: dict[Dataset, tuple[datetime, list[str]]] = {}
        self.symlinks: dict[Dataset, tuple[datetime, list[Dataset]]] = {}
        self.scopes: dict[tuple[str, ...], list[Says]] = defaultdict(list)
        self.covered_by: dict[tuple[str, str], set[tuple[Dataset, Dataset]]] = defaultdict(set)
        runs: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
        for event in events:
            if "run" in event and "job" in event:
                runs[event["job"]["namespace"], event["job"]["name"], event["run"]["runId"]].append(event)
            else:
                self._static(event)
        for name, of_run in runs.items():
            self._run(name, of_run)
        self._fold()

    # --- events -> what is said

    def _facets(self, node: Event, at: datetime, *, schema: bool) -> None:
        facets = node.get("facets") or {}
        dataset = key(node)
        if schema and isinstance(facets.get("schema"), dict):
            names = list(_flatten(facets["schema"].get("fields") or []))
            if dataset not in self.schemas or at >= self.schemas[dataset][0]:
                self.schemas[dataset] = (at, [n for n in names if not pseudo(n)])
        if isinstance(facets.get("symlinks"), dict):
            to = [key(i) for i in facets["symlinks"].get("identifiers") or []]
            if dataset not in self.symlinks or at >= self.symlinks[dataset][0]:
                self.symlinks[dataset] = (at, to)

    def _static(self, event: Event) -> None:
        at = time_of(event)
        if "job" in event:
            nodes = (event.get("inputs") or [], event.get("outputs") or [])
            for node in (*nodes[0], *nodes[1]):
                self._facets(node, at, schema=True)
            says = Says(at, settled=True, until=None, run=("declared", str(at)), job=(event["job"]["namespace"], event["job"]["name"]))
            for output in nodes[1]:
                self._lineage(says, output, nodes[0], {key(n): n for n in (*nodes[0], *nodes[1])}, {})
            self.scopes["declared", event["job"]["namespace"], event["job"]["name"]].append(says)
        elif "dataset" in event:
            node = event["dataset"]
            self._facets(node, at, schema=True)
            if "columnLineage" in (node.get("facets") or {}):
                says = Says(at, settled=True, until=None, run=("dataset", str(at)))
                self._lineage(says, node, [], {key(node): node}, {})
                says.pairs = set()
                self.scopes["dataset", *key(node)].append(says)

    def _run(self, name: tuple[str, str, str], events: list[Event]) -> None:
        failed = [time_of(e) for e in events if e.get("eventType") in {"FAIL", "ABORT"}]
        completed = [time_of(e) for e in events if e.get("eventType") == "COMPLETE"]
        types = [(e["job"].get("facets") or {}).get("jobType") or {} for e in events]
        streaming = any((t.get("processingType") or "").upper() in {"STREAMING", "SERVICE"} for t in types)
        inputs: dict[Dataset, Event] = {}
        outputs: dict[Dataset, Event] = {}
        lineage: dict[Dataset, Event] = {}
        seen: dict[Dataset, datetime] = {}
        last: dict[Dataset, datetime] = {}
        links: dict[Dataset, set[Dataset]] = defaultdict(set)
        parent = ""
        for event in events:
            at = time_of(event)
            facet = (event["run"].get("facets") or {}).get("parent")
            parent = facet["run"]["runId"] if facet else parent
            for node in event.get("inputs") or []:
                inputs.setdefault(key(node), node)
                self._facets(node, at, schema=True)
            for node in event.get("outputs") or []:
                outputs.setdefault(key(node), node)
                seen.setdefault(key(node), at)
                last[key(node)] = at
                self._facets(node, at, schema=not failed)
                facet = (node.get("facets") or {}).get("columnLineage") or {}
                if facet.get("fields") or facet.get("dataset"):  # inside a run, empty never means none
                    lineage[key(node)] = node
            for node in (*(event.get("inputs") or []), *(event.get("outputs") or [])):
                for link in ((node.get("facets") or {}).get("symlinks") or {}).get("identifiers") or []:
                    links[key(node)].add(key(link))
        group = ("parent", parent) if parent else ("run", str(name))
        for dataset, node in outputs.items():
            if not inputs and dataset not in lineage:
                continue
            for settled in (False, True):
                if settled and (not (completed or streaming) or (failed and not streaming)):
                    continue
                at = (seen[dataset] if streaming or not completed else min(completed)) if settled else seen[dataset]
                says = Says(at, settled=settled, until=min(failed) if failed and not settled else None, run=group, job=name[:2])
                self._lineage(says, lineage.get(dataset, node), list(inputs.values()), inputs | outputs, links)
                self.scopes["run", name[0], name[1], *dataset].append(says)
                if settled and streaming:  # takes effect at every event: said again at the last that names the output
                    self.scopes["run", name[0], name[1], *dataset].append(replace(says, at=last[dataset]))
                if not failed or streaming:
                    self.covered_by[group] |= _covered(says)

    def _lineage(
        self, says: Says, output: Event, inputs: list[Event], known: dict[Dataset, Event], links: dict[Dataset, set[Dataset]]
    ) -> None:
        target = key(output)
        facet = (output.get("facets") or {}).get("columnLineage") or {}
        entries: list[tuple[tuple[str, ...], tuple[str, ...], int, str, bool]] = []
        fields = facet.get("fields") or {}
        for name, entry in fields.items():
            old = (entry.get("transformationType") or "").upper()
            for source in entry.get("inputFields") or []:
                column: tuple[str, ...] = (*_resolve(key(source), known, links), source["field"])
                if pseudo(column[2]) or pseudo(name):
                    continue
                for kind, subtype, masked in _transformations(source, masked=old == "MASKED"):
                    entries.append((column, (*target, name), kind, subtype, masked))
        listed = {(*target, name) for name in fields if not pseudo(name)}
        by_cause: dict[tuple[tuple[str, ...], str], dict[tuple[str, ...], list[bool]]] = defaultdict(lambda: defaultdict(list))
        for column, to, kind, subtype, masked in entries:
            if kind == INDIRECT and subtype in HOISTED:
                by_cause[column, subtype][to].append(masked)
        hoisted = {cause: all(all(m) for m in tos.values()) for cause, tos in by_cause.items() if set(tos) == listed}
        for column, to, kind, subtype, masked in entries:
            if kind == INDIRECT and (column, subtype) in hoisted:
                says.columns.add(Flow(column, target, INDIRECT, hoisted[column, subtype], subtype, says.job))
            else:
                says.columns.add(Flow(column, to, kind, masked, subtype, says.job))
        for source in facet.get("dataset") or []:
            influence: tuple[str, ...] = (*_resolve(key(source), known, links), source["field"])
            if not pseudo(influence[2]):
                for _, subtype, masked in _transformations(source, masked=False):
                    says.columns.add(Flow(influence, target, INDIRECT, masked, subtype, says.job))
        for node in inputs:
            says.pairs.add((key(node), target))

    # --- what is said -> what holds

    def _fold(self) -> None:
        self.column_edges: set[Flow] = set()
        self.dataset_edges: set[Flow] = set()
        for said in self.scopes.values():
            settled = [s for s in said if s.settled]
            held = settled or [s for s in said if s.until is None]
            if held:
                now = max(held, key=lambda s: s.at)
                self.column_edges |= now.columns
                covered = _covered(now) | self.covered_by.get(now.run, set())
                self.dataset_edges |= {Flow(a, b, POSSIBLE, masked=False, subtype="", job=now.job) for a, b in now.pairs - covered}
        self._identity()

    def _identity(self) -> None:
        group: dict[Dataset, Dataset] = {}

        def find(d: Dataset) -> Dataset:
            while group.setdefault(d, d) != d:
                d = group[d]
            return d

        for dataset, (_, others) in self.symlinks.items():
            for other in others:
                group[find(dataset)] = find(other)
        self.find = find
        self.columns: dict[Dataset, set[str]] = defaultdict(set)
        exact: dict[Dataset, set[str]] = defaultdict(set)
        for dataset, (_, names) in self.schemas.items():
            folded = [n.casefold() for n in names]
            exact[find(dataset)] |= {f for f in folded if folded.count(f) > 1}
        self.exact = exact
        for dataset, (_, names) in self.schemas.items():
            self.columns[find(dataset)] |= {self.column((*dataset, n))[2] for n in names}
        for start, end, *_ in self.column_edges:
            for node in (start, end):
                if len(node) == 3:
                    self.columns[find(node[:2])].add(self.column(node)[2])
        self.out: dict[Column, set[tuple[tuple[str, ...], int, bool]]] = defaultdict(set)
        for start, end, kind, masked, *_ in self.column_edges:
            to = self.column(end) if len(end) == 3 else find((end[0], end[1]))
            self.out[self.column(start)].add((to, kind, masked))
        self.dataset_out: dict[Dataset, set[Dataset]] = defaultdict(set)
        for a, b, *_ in self.dataset_edges:
            self.dataset_out[find((a[0], a[1]))].add(find((b[0], b[1])))

    def column(self, node: tuple[str, ...]) -> Column:
        dataset = self.find((node[0], node[1]))
        fold = node[2].casefold()
        return (*dataset, node[2] if fold in self.exact.get(dataset, ()) else fold)

    # --- questions

    def all_columns(self) -> Iterator[Column]:
        for dataset, names in self.columns.items():
            for name in names:
                yield (*dataset, name)

    def impact(self, start: Column) -> dict[Column, tuple[int, int, bool]]:
        """Every other column reached: (reach class, distance, masked)."""
        result: dict[Column, tuple[int, int, bool]] = {}
        for reach in (DIRECT, INDIRECT, POSSIBLE):
            unmasked = self._walk(start, reach, masked=False)
            for node, distance in self._walk(start, reach, masked=True).items():
                if len(node) == 3 and node != start and node not in result:
                    result[node] = (reach, distance, node not in unmasked)
        return result

    def _walk(self, start: Column, reach: int, *, masked: bool) -> dict[tuple[str, ...], int]:
        seen: dict[tuple[str, ...], int] = {start: 0}
        queue: deque[tuple[str, ...]] = deque([start])

        def visit(node: tuple[str, ...], distance: int) -> None:
            if node not in seen:
                seen[node] = distance
                queue.append(node)
                if len(node) == 2:
                    for name in self.columns.get(node, ()):
                        visit((*node, name), distance)

        while queue:
            node = queue.popleft()
            distance = seen[node] + 1
            if len(node) == 3:
                for to, kind, hides in self.out.get(node, ()):
                    if kind <= reach and (masked or not hides):
                        visit(to, distance)
            if reach == POSSIBLE:
                for other in self.dataset_out.get((node[0], node[1]), ()):
                    visit(other, distance)
        return seen


def _covered(says: Says) -> set[tuple[Dataset, Dataset]]:
    return {((s[0], s[1]), (e[0], e[1])) for s, e, *_ in says.columns}


def _flatten(fields: list[Event], prefix: str = "") -> Iterator[str]:
    for f in fields:
        yield prefix + f["name"]
        yield from _flatten(f.get("fields") or [], f"{prefix}{f['name']}.")


def _transformations(source: Event, *, masked: bool) -> Iterator[tuple[int, str, bool]]:
    found = source.get("transformations") or []
    if not found:
        yield DIRECT, "", masked
    for t in found:
        kind = INDIRECT if (t.get("type") or "DIRECT").upper() == "INDIRECT" else DIRECT
        yield kind, (t.get("subtype") or "").upper(), bool(t.get("masking"))


def _resolve(named: Dataset, known: dict[Dataset, Event], links: dict[Dataset, set[Dataset]]) -> Dataset:
    if named in known:
        return named
    by_link = [d for d in known if named in links.get(d, ())]
    by_case = [d for d in known if (d[0].casefold(), d[1].casefold()) == (named[0].casefold(), named[1].casefold())]
    by_last = [d for d in known if _last(d) == _last(named)]
    for candidates in (by_link, by_case, by_last):
        if candidates:
            return candidates[0] if len(candidates) == 1 else named
    return named


def _last(dataset: Dataset) -> str:
    return dataset[1].replace("/", ".").rsplit(".", 1)[-1].casefold()

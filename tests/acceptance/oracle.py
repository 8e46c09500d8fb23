"""An independent reading of the rules: OpenLineage events -> every column's impact, slowly and plainly.

Shares no code with the product but the normalising of names. No store, no statements, no index: events
are grouped by run, runs give edges, edges give a graph, and each question walks it again.
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


def build_key(node: Event) -> Dataset:
    parts = _naming.normalise_dataset(node["namespace"], node["name"]).parts
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


def is_of_a_session(symlink: Event) -> bool:
    """Flink's in-memory catalogs end with the session; a broker knows no tables."""
    in_memory = symlink["name"].split(".")[:2] == ["default_catalog", "default_database"]
    return in_memory or (symlink["namespace"].partition(":")[0] == "kafka" and symlink.get("type") == "TABLE")


def is_pseudo(name: str) -> bool:
    return name in {"_file", "_pos", "_metadata", "$row_id", "$path"} or name.startswith("_metadata.")


class Flow(NamedTuple):
    """Between columns, from a column into a dataset as a whole (a start of three parts, an end of two), or between datasets."""

    start: tuple[str, ...]
    end: tuple[str, ...]
    kind: int
    masked: bool
    subtype: str
    job: tuple[str, ...]  # empty: none


@dataclass
class OutputStatement:
    """What one run (or job event) states about one output: edges that are current from a time on."""

    at: datetime
    settled: bool
    until: datetime | None
    run: tuple[str, str]  # the run, or the parent whose runs cover pairs for each other
    job: tuple[str, ...] = ()
    columns: set[Flow] = field(default_factory=set)
    pairs: set[tuple[Dataset, Dataset]] = field(default_factory=set)
    replaceable: Dataset | None = None  # what a query writes, until a query replaces it
    contradicted: set[Dataset] = field(default_factory=set)  # outputs whose schemas lack columns that their lineage names


class Oracle:
    """The graph of some events."""

    def __init__(self, events: Iterable[Event]) -> None:
        events = list({json.dumps(e, sort_keys=True): e for e in events}.values())
        events.sort(key=lambda e: (time_of(e), TERMINAL.get(e.get("eventType") or "", 0)))
        self.schemas: dict[Dataset, tuple[datetime, list[str]]] = {}
        self.parts: dict[Dataset, dict[str, tuple[datetime, list[str]]]] = defaultdict(dict)  # schemas that may lack columns
        self.symlinks: dict[Dataset, tuple[datetime, list[Dataset]]] = {}
        self.scopes: dict[tuple[str, ...], list[OutputStatement]] = defaultdict(list)
        self.replaced: dict[Dataset, datetime] = {}  # when a query last replaced the content
        self.covered_by: dict[tuple[str, str], set[tuple[Dataset, Dataset]]] = defaultdict(set)
        runs: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
        for event in events:
            if "run" in event and "job" in event:
                runs[event["job"]["namespace"], event["job"]["name"], event["run"]["runId"]].append(event)
            else:
                self._read_static(event)
        for name, of_run in runs.items():
            self._run(name, of_run)
        self._fold()

    # --- events -> statements

    def _read_schema(self, node: Event, at: datetime, *, whole: bool) -> None:
        facet = (node.get("facets") or {}).get("schema")
        if not isinstance(facet, dict) or not facet.get("fields"):
            return
        dataset, names = build_key(node), [n for n in _flatten(facet["fields"]) if not is_pseudo(n)]
        if not whole:
            text = json.dumps(facet, sort_keys=True)
            self.parts[dataset][text] = max((at, names), self.parts[dataset].get(text, (at, names)))
        elif dataset not in self.schemas or at >= self.schemas[dataset][0]:
            self.schemas[dataset] = (at, names)

    def _read_facets(self, node: Event, at: datetime) -> None:
        facets = node.get("facets") or {}
        dataset = build_key(node)
        if isinstance(facets.get("symlinks"), dict):
            to = [build_key(i) for i in facets["symlinks"].get("identifiers") or [] if not is_of_a_session(i)]
            if dataset not in self.symlinks or at >= self.symlinks[dataset][0]:
                self.symlinks[dataset] = (at, to)

    def _read_static(self, event: Event) -> None:
        at = time_of(event)
        if "job" in event:
            nodes = (event.get("inputs") or [], event.get("outputs") or [])
            for role, of_role in enumerate(nodes):
                for node in of_role:
                    self._read_facets(node, at)
                    self._read_schema(node, at, whole=_is_whole(node, [event], is_output=role == 1))
            statement = OutputStatement(
                at, settled=True, until=None, run=("declared", str(at)), job=(event["job"]["namespace"], event["job"]["name"])
            )
            for output in nodes[1]:
                schema = output if _is_whole(output, [event], is_output=True) else None
                self._read_lineage(statement, output, nodes[0], {build_key(n): n for n in (*nodes[0], *nodes[1])}, {}, schema)
            self.scopes["declared", event["job"]["namespace"], event["job"]["name"]].append(statement)
        elif "dataset" in event:
            node = event["dataset"]
            self._read_facets(node, at)
            self._read_schema(node, at, whole=True)
            if "columnLineage" in (node.get("facets") or {}):
                statement = OutputStatement(at, settled=True, until=None, run=("dataset", str(at)))
                self._read_lineage(statement, node, [], {build_key(node): node}, {}, node)
                self.scopes["dataset", *build_key(node)].append(statement)

    def _run(self, name: tuple[str, str, str], events: list[Event]) -> None:
        failed = [time_of(e) for e in events if e.get("eventType") in {"FAIL", "ABORT"}]
        aborted = [time_of(e) for e in events if e.get("eventType") == "ABORT"]
        completed = [time_of(e) for e in events if e.get("eventType") == "COMPLETE"]
        types = [(e["job"].get("facets") or {}).get("jobType") or {} for e in events]
        streaming = any((t.get("processingType") or "").upper() in {"STREAMING", "SERVICE"} for t in types)
        cancelled = streaming and not completed and aborted and min(aborted) == min(failed)  # as streams end
        tests = any((t.get("integration"), t.get("jobType")) == ("DBT", "TEST") for t in types)  # their outputs are no tables
        inputs: dict[Dataset, Event] = {}
        outputs: dict[Dataset, Event] = {}
        lineage: dict[Dataset, Event] = {}
        seen: dict[Dataset, datetime] = {}
        last: dict[Dataset, datetime] = {}
        links: dict[Dataset, set[Dataset]] = defaultdict(set)
        schemas: dict[tuple[Dataset, bool], tuple[datetime, Event]] = {}  # the newest of each role
        parent = ""
        for event in events:
            at = time_of(event)
            facet = (event["run"].get("facets") or {}).get("parent")
            parent = facet["run"]["runId"] if facet else parent
            for node in event.get("inputs") or []:
                inputs.setdefault(build_key(node), node)
                self._read_facets(node, at)
                if ((node.get("facets") or {}).get("schema") or {}).get("fields"):
                    schemas[build_key(node), False] = at, node
            for node in () if tests else event.get("outputs") or []:
                outputs.setdefault(build_key(node), node)
                seen.setdefault(build_key(node), at)
                last[build_key(node)] = at
                self._read_facets(node, at)
                if ((node.get("facets") or {}).get("schema") or {}).get("fields"):
                    schemas[build_key(node), True] = at, node
                facet = (node.get("facets") or {}).get("columnLineage") or {}
                if facet.get("fields") or facet.get("dataset"):  # inside a run, empty never means none
                    lineage[build_key(node)] = node
            for node in (*(event.get("inputs") or []), *(event.get("outputs") or [])):
                for link in ((node.get("facets") or {}).get("symlinks") or {}).get("identifiers") or []:
                    links[build_key(node)].add(build_key(link))
        for (_, is_output), (at, node) in sorted(schemas.items(), key=lambda one: (one[1][0], one[0][1])):
            if not (is_output and failed and not cancelled):
                self._read_schema(node, at, whole=_is_whole(node, events, is_output=is_output))
        indexes = [((e["run"].get("facets") or {}).get("airflow_mappedTask") or {}).get("mapIndex") for e in events]
        mapped = [str(index) for index in indexes if index is not None][-1:]
        group = ("parent", parent) if parent else ("run", str(name))
        for dataset, node in outputs.items():
            if completed and not failed and _find_integration(events) == "TRINO" and _replaces_content(node, events):
                self.replaced[dataset] = max(min(completed), self.replaced.get(dataset, min(completed)))
        for dataset, node in outputs.items():
            if not inputs and dataset not in lineage:
                continue
            _, schema = schemas.get((dataset, True), (None, None))
            if schema is not None and not _is_whole(schema, events, is_output=True):
                schema = None
            for settled in (False, True):
                if settled and (not (completed or streaming) or (failed and not streaming)):
                    continue
                at = (seen[dataset] if streaming or not completed else min(completed)) if settled else seen[dataset]
                statement = OutputStatement(
                    at, settled=settled, until=min(failed) if failed and not settled else None, run=group, job=name[:2]
                )
                statement.replaceable = dataset if _find_integration(events) == "TRINO" else None
                self._read_lineage(statement, lineage.get(dataset, node), list(inputs.values()), inputs | outputs, links, schema)
                self.scopes["run", name[0], name[1], *dataset, *mapped].append(statement)
                if settled and streaming:  # takes effect at every event: stated again at the last one that names the output
                    self.scopes["run", name[0], name[1], *dataset, *mapped].append(replace(statement, at=last[dataset]))
                if not failed or streaming:
                    self.covered_by[group] |= _list_covered(statement)

    def _read_lineage(
        self,
        statement: OutputStatement,
        output: Event,
        inputs: list[Event],
        known: dict[Dataset, Event],
        links: dict[Dataset, set[Dataset]],
        schema: Event | None,
    ) -> None:
        """`schema`: the output with the schema that lists all of its columns, if there is one."""
        target = build_key(output)
        facet = (output.get("facets") or {}).get("columnLineage") or {}
        entries: list[tuple[tuple[str, ...], tuple[str, ...], int, str, bool]] = []
        fields = facet.get("fields") or {}
        for name, entry in fields.items():
            old = (entry.get("transformationType") or "").upper()
            for source in entry.get("inputFields") or []:
                column: tuple[str, ...] = (*_resolve(build_key(source), known, links), source["field"])
                if is_pseudo(column[2]) or is_pseudo(name):
                    continue
                for kind, subtype, masked in _parse_transformations(source, masked=old == "MASKED"):
                    entries.append((column, (*target, name), kind, subtype, masked))
        listed = {(*target, name) for name in fields if not is_pseudo(name)}
        by_cause: dict[tuple[tuple[str, ...], str], dict[tuple[str, ...], list[bool]]] = defaultdict(lambda: defaultdict(list))
        for column, to, kind, subtype, masked in entries:
            if kind == INDIRECT and subtype in HOISTED:
                by_cause[column, subtype][to].append(masked)
        hoisted = {cause: all(all(m) for m in tos.values()) for cause, tos in by_cause.items() if set(tos) == listed}
        for column, to, kind, subtype, masked in entries:
            if kind == INDIRECT and (column, subtype) in hoisted:
                statement.columns.add(Flow(column, target, INDIRECT, hoisted[column, subtype], subtype, statement.job))
            else:
                statement.columns.add(Flow(column, to, kind, masked, subtype, statement.job))
        for source in facet.get("dataset") or []:
            influence: tuple[str, ...] = (*_resolve(build_key(source), known, links), source["field"])
            if not is_pseudo(influence[2]):
                for _, subtype, masked in _parse_transformations(source, masked=False):
                    statement.columns.add(Flow(influence, target, INDIRECT, masked, subtype, statement.job))
        for node in inputs:
            statement.pairs.add((build_key(node), target))
        facet = ((schema or {}).get("facets") or {}).get("schema") or {}
        if facet.get("fields"):
            names = {name.casefold() for name in _flatten(facet["fields"])}
            own = {f for f in statement.columns if (f.end[0], f.end[1]) == target}
            foreign = {f for f in own if len(f.end) == 3 and not _contains_name(names, f.end[2].casefold())}
            if foreign:
                statement.contradicted.add(target)
                statement.pairs |= {((f.start[0], f.start[1]), target) for f in own}
                statement.columns -= foreign

    # --- statements -> current edges

    def _fold(self) -> None:
        self.column_edges: set[Flow] = set()
        self.dataset_edges: set[Flow] = set()
        named: set[tuple[str, ...]] = set()  # by statements that are no longer current
        for statements in self.scopes.values():
            settled = [s for s in statements if s.settled]
            current = settled or [s for s in statements if s.until is None]
            if current:
                now = max(current, key=lambda s: s.at)
                if now.replaceable in self.replaced and now.at < self.replaced[now.replaceable]:
                    named |= {node for flow in now.columns for node in (flow.start, flow.end)}
                    continue
                self.column_edges |= now.columns
                covered = _list_covered(now) | self.covered_by.get(now.run, set())
                self.dataset_edges |= {Flow(a, b, POSSIBLE, masked=False, subtype="", job=now.job) for a, b in now.pairs - covered}
        self._resolve_identity(named)

    def _resolve_identity(self, named: set[tuple[str, ...]]) -> None:
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
        for dataset, of_dataset in self.parts.items():
            for _, names in of_dataset.values():
                folded = [n.casefold() for n in names]
                exact[find(dataset)] |= {f for f in folded if folded.count(f) > 1}
        self.exact = exact
        confirmed: dict[Column, datetime] = {}
        listed: set[Column] = set()
        for dataset, (_, names) in self.schemas.items():
            listed |= {self.resolve_column((*dataset, n)) for n in names}
        for dataset, of_dataset in self.parts.items():
            for at, names in of_dataset.values():
                for column in {self.resolve_column((*dataset, n)) for n in names}:
                    confirmed[column] = max(at, confirmed.get(column, at))
        for column in (*listed, *confirmed):
            self.columns[column[:2]].add(column[2])
        whole: dict[Dataset, datetime] = {}
        for dataset, (at, _) in self.schemas.items():
            whole[find(dataset)] = max(at, whole.get(find(dataset), at))
        self.unlisted = {c for c, at in confirmed.items() if c not in listed and c[:2] in whole and at < whole[c[:2]]}
        named = named | {node for flow in self.column_edges for node in (flow.start, flow.end)}
        for node in named:
            if len(node) == 3:
                self.columns[find((node[0], node[1]))].add(self.resolve_column(node)[2])
        self.out: dict[Column, set[tuple[tuple[str, ...], int, bool]]] = defaultdict(set)
        for start, end, kind, masked, *_ in self.column_edges:
            to = self.resolve_column(end) if len(end) == 3 else find((end[0], end[1]))
            self.out[self.resolve_column(start)].add((to, kind, masked))
        self.dataset_out: dict[Dataset, set[Dataset]] = defaultdict(set)
        for a, b, *_ in self.dataset_edges:
            self.dataset_out[find((a[0], a[1]))].add(find((b[0], b[1])))

    def resolve_column(self, node: tuple[str, ...]) -> Column:
        dataset = self.find((node[0], node[1]))
        fold = node[2].casefold()
        return (*dataset, node[2] if fold in self.exact.get(dataset, ()) else fold)

    # --- questions

    def list_columns(self) -> Iterator[Column]:
        """All columns except those that a newer schema of the whole dataset no longer lists."""
        for dataset, names in self.columns.items():
            for name in names:
                if (*dataset, name) not in self.unlisted:
                    yield (*dataset, name)

    def compute_impact(self, start: Column) -> dict[Column, tuple[int, int, bool]]:
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


def _list_covered(statement: OutputStatement) -> set[tuple[Dataset, Dataset]]:
    return {((s[0], s[1]), (e[0], e[1])) for s, e, *_ in statement.columns if (e[0], e[1]) not in statement.contradicted}


def _find_integration(events: list[Event]) -> str:
    facets = [e["job"].get("facets") or {} for e in events]
    return next((f["jobType"].get("integration") or "" for f in reversed(facets) if "jobType" in f), "")


def _read_sql_words(events: list[Event]) -> list[str]:
    """The first words of the SQL of a run."""
    facets = [e["job"].get("facets") or {} for e in events]
    return next((f["sql"].get("query") or "" for f in reversed(facets) if "sql" in f), "").upper().split()[:6]


def _replaces_content(node: Event, events: list[Event]) -> bool:
    """Whether the content of an output is replaced."""
    change = ((node.get("facets") or {}).get("lifecycleStateChange") or {}).get("lifecycleStateChange")
    sql = _read_sql_words(events)
    return change in {"CREATE", "OVERWRITE", "TRUNCATE"} or (sql[:1] == ["CREATE"] and "EXISTS" not in sql)


def _is_whole(node: Event, events: list[Event], *, is_output: bool) -> bool:
    """Whether the schema of an input or output lists all columns; `events`: those of the run."""
    integration = _find_integration(events)
    if not is_output:
        return integration == "AIRFLOW" or (integration == "SPARK" and not node["namespace"].startswith(("postgres:", "mysql:", "trino:")))
    if integration == "DBT":
        return False
    if _replaces_content(node, events):
        return True
    if integration == "TRINO":
        return False
    return integration in {"AIRFLOW", "SPARK"} or not set(_read_sql_words(events)[:1]) & {"UPDATE", "MERGE", "DELETE"}


def _contains_name(listed: set[str], name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:n]) in listed for n in range(1, len(parts) + 1))


def _flatten(fields: list[Event], prefix: str = "") -> Iterator[str]:
    for f in fields:
        yield prefix + f["name"]
        yield from _flatten(f.get("fields") or [], f"{prefix}{f['name']}.")


def _parse_transformations(source: Event, *, masked: bool) -> Iterator[tuple[int, str, bool]]:
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
    by_last = [d for d in known if _find_last_part(d) == _find_last_part(named)]
    for candidates in (by_link, by_case, by_last):
        if candidates:
            return candidates[0] if len(candidates) == 1 else named
    return named


def _find_last_part(dataset: Dataset) -> str:
    return dataset[1].replace("/", ".").rsplit(".", 1)[-1].casefold()

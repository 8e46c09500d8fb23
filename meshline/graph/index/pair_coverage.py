"""Pairs of datasets for which a run states no columns, although the dbt project that the run builds does.

A dbt project knows from compiled SQL which columns flow into a node. Runs that build the node (dbt-ol) name the same pairs of
datasets, without columns where their producer could not read the SQL. Then the lineage of the project replaces the possible lineage, but

- only for runs (job-output heads) of a job that names the node which it builds (attribute `dbt_id`): another job that writes
  the same pair stays possible. A job that is stated to build several nodes is covered by no project;
- only for a pair of which the project knows all columns: it states the pair as covered, and no source states the pair of the node
  without columns as well. Datasets are compared by identity class.

Such a pair is marked like a pair that its own head states as covered. The mark depends on the heads only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from meshline.graph.index.arrays import CLASS, COVERED, NONE
from meshline.graph.index.heads import FLOWS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.model import DBT, DBT_ID, DBT_LINEAGE, Json, parse_source_kind
from meshline.graph.store.head_table import HeadTable, format_scope, parse_scope

_Pair: TypeAlias = tuple[int, int]

_STATED = 4  # FlowKinds.flags: covered
_PAIR = 2  # the class of a flow between datasets
_NODE = format_scope((DBT, ""))[:-2]  # the beginning of the text of a scope of a dbt node


class PairCoverage:
    """Keeps the mark COVERED of the flows of runs in step with the dbt projects that they build."""

    SAVED: ClassVar[Mapping[str, Any]] = {
        "_lineages": dict[str, dict[int, None]],
        "_node_of": dict[int, str],
        "_builds": dict[int, dict[int, str]],
        "_builders": dict[str, set[int]],
        "_stating": dict[int, list[int]],
        "_names": dict[str, int],
    }

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._lineages: dict[str, dict[int, None]] = defaultdict(dict)  # dbt node -> scope ids of its lineage
        self._node_of: dict[int, str] = {}  # the reverse
        self._builds: dict[int, dict[int, str]] = defaultdict(dict)  # job -> scope id -> the dbt node that it is stated to build
        self._builders: dict[str, set[int]] = defaultdict(set)  # dbt node -> jobs
        self._stating: dict[int, list[int]] = {}  # scope id -> jobs of which it states what they build
        self._names: dict[str, int] = {}  # by `Heads.parse_job`: every job that was ever stated to build a node
        self._unsettled: set[int] = set()  # jobs

    # -- what heads state

    def record_lineages(self, heads: HeadTable) -> None:
        """Record the lineages of dbt nodes among heads that were just read."""
        if not any(parse_source_kind(source) == DBT for source in set(heads.sources)):
            return
        for scope_id, source, text in zip(heads.scope_ids, heads.sources, heads.scopes, strict=True):
            if text.startswith(_NODE) and parse_source_kind(source) == DBT:
                scope = parse_scope(text)
                if len(scope) == 3 and scope[2] == DBT_LINEAGE:
                    self._lineages[scope[1]][scope_id] = None
                    self._node_of[scope_id] = scope[1]
                    self._unsettled.update(self._builders.get(scope[1], ()))

    def record_build(self, scope_id: int, job: int, attributes: Mapping[str, Json]) -> None:
        """Record the dbt node that a head states a job to build."""
        node = attributes.get(DBT_ID)
        if isinstance(node, str) and node:
            self._builds[job][scope_id] = node
            self._builders[node].add(job)
            self._stating.setdefault(scope_id, []).append(job)
            self._names[self._format_name(job)] = job
            self._unsettled.add(job)

    def withdraw(self, scope_id: int) -> None:
        """Forget what the head of a scope stated."""
        node = self._node_of.pop(scope_id, None)
        if node is not None:
            del self._lineages[node][scope_id]
            if not self._lineages[node]:
                del self._lineages[node]
            self._unsettled.update(self._builders.get(node, ()))
        for job in self._stating.pop(scope_id, ()):
            node = self._builds[job].pop(scope_id)
            if node not in self._builds[job].values():
                self._builders[node].discard(job)
                if not self._builders[node]:
                    del self._builders[node]
            if not self._builds[job]:
                del self._builds[job]
            self._unsettled.add(job)

    # -- what must be marked again

    def invalidate_jobs(self, names: Iterable[str]) -> None:
        """Mark the flows of these jobs (see `Heads.parse_job`) again: their runs state other flows than before."""
        self._unsettled.update(job for name in names if (job := self._names.get(name)) is not None)

    def invalidate_datasets(self, datasets: Iterable[int]) -> None:
        """Mark the flows of these datasets again: they may be in other identity classes."""
        tables = self._tables
        for dataset in datasets if self._lineages and self._names else ():
            rows = [*tables.list_flow_rows(dataset), *tables.list_flow_rows(dataset, incoming=True)]
            for head in set(tables.find_heads([row for row in rows if tables.flows.flags[row] & CLASS == _PAIR], FLOWS)):
                self._invalidate_head(head)

    def invalidate_scopes(self, scope_ids: Iterable[int]) -> None:
        """Mark the flows of the heads of these scopes again: they may refer to other datasets."""
        for scope_id in scope_ids if self._lineages and self._names else ():
            head = self._tables.heads.find_current(scope_id)
            if head != NONE:
                self._invalidate_head(head)

    def _invalidate_head(self, head: int) -> None:
        heads = self._tables.heads
        name = heads.find_job(head)
        if name is not None:
            self.invalidate_jobs([name])
        node = self._node_of.get(int(heads.scope_id[head]))
        if node is not None:
            self._unsettled.update(self._builders.get(node, ()))

    def settle(self) -> None:
        """Mark the flows of runs that are covered, and unmark all others."""
        for job in self._unsettled:
            covered = self._collect_covered(job)
            for head in self._tables.heads.list_outputs(self._format_name(job)):
                self._mark(head, job, covered)
        self._unsettled.clear()

    # -- inside

    def _mark(self, head: int, job: int, covered: set[_Pair]) -> None:
        tables, refollowed = self._tables, False
        for row in self._list_rows(head):
            kind = tables.flows.kind[row]
            if tables.kinds.job[kind] == job and not tables.kinds.flags[kind] & _STATED:
                now = COVERED if self._get_pair(row) in covered else 0
                if tables.flows.flags[row] & COVERED != now:
                    tables.reflag_row(row, COVERED, now)
                    refollowed = True
        if refollowed:
            tables.heads.refollowed[head] += 1

    def _collect_covered(self, job: int) -> set[_Pair]:
        """The pairs of datasets between which data flows when the job runs, and whose columns are all known."""
        tables = self._tables
        known: set[_Pair] = set()
        unknown: set[_Pair] = set()
        nodes = set(self._builds.get(job, {}).values())
        for scope_id in self._lineages.get(nodes.pop(), ()) if len(nodes) == 1 else ():
            for row in self._list_rows(tables.heads.find_current(scope_id)):
                is_stated = tables.kinds.flags[tables.flows.kind[row]] & _STATED
                (known if is_stated else unknown).add(self._get_pair(row))
        return known - unknown

    def _get_pair(self, row: int) -> _Pair:
        """The representatives of the two datasets of a flow."""
        tables = self._tables
        return int(tables.nodes.rep[tables.flows.start[row]]), int(tables.nodes.rep[tables.flows.end[row]])

    def _list_rows(self, head: int) -> list[int]:
        """The flows of a head between datasets."""
        tables = self._tables
        first, last = int(tables.heads.starts[head, FLOWS]), int(tables.heads.starts[head + 1, FLOWS])
        found: list[int] = (np.flatnonzero(tables.flows.flags[first:last] & CLASS == _PAIR) + first).tolist()
        return found

    def _format_name(self, job: int) -> str:
        """The text that identifies the job in the scopes of its outputs."""
        return self._tables.heads.format_job_name(self._tables.get_parts(job))

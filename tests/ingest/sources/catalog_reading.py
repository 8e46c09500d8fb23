"""What a source of a database reads, as tests look at it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from meshline.graph.content import decode_facts
from meshline.graph.model import AssetFact, AssetKind, EdgeType, Facts, Json
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Entry, Refusal, Source, SourceConfig, Unchanged


class CatalogReading:
    """One reading. Names are those within the namespace."""

    def __init__(self, source: SourceConfig, folder: Path, memory: Mapping[str, str] | None = None, **variables: str) -> None:
        assert isinstance(source, Source)
        reading = source.read(Context(Naming(), folder, memory=memory or {}, variables=variables.get))
        found = list(reading.items)
        self.facts = {one.scope: decode_facts(one.content.blob) for one in found if isinstance(one, Entry)}
        self.times = {one.scope: one.time for one in found if isinstance(one, Entry)}
        self.refused = [str(one.error) for one in found if isinstance(one, Refusal)]
        self.unchanged = [one.scope for one in found if isinstance(one, Unchanged)]
        self.warnings = list(reading.warnings)
        self.memory = dict(reading.remember()) if reading.remember is not None else {}

    @property
    def tables(self) -> dict[str, list[str]]:
        """The columns of all tables in order."""
        return {
            scope[2]: [edge.end.name for edge in sorted(facts.edges, key=lambda edge: str(edge.attributes.get("position")).zfill(6))]
            for scope, facts in self.facts.items()
            if scope[0] == "table"
            for facts in [facts._replace(edges=tuple(edge for edge in facts.edges if edge.type is EdgeType.HAS_COLUMN))]
        }

    def describe(self, name: str) -> dict[str, Json]:
        """The attributes of a table, or of a column as `table:column`."""
        table, _, column = name.partition(":")
        return dict(next(fact.attributes for fact in self._get_assets(table) if _is_about(fact, column)))

    def _get_assets(self, table: str) -> tuple[AssetFact, ...]:
        return next(facts.assets for scope, facts in self.facts.items() if scope[0] == "table" and scope[2] == table)

    def list_owners(self, table: str) -> list[str]:
        facts = next(facts for scope, facts in self.facts.items() if scope[0] == "table" and scope[2] == table)
        return [edge.start.name for edge in facts.edges if edge.type is EdgeType.OWNS]

    def get_size(self, table: str) -> dict[str, Json]:
        return next(
            dict(facts.assets[0].attributes) for scope, facts in self.facts.items() if scope[0] == "table-size" and scope[2] == table
        )

    def list_view_flows(self, view: str) -> set[tuple[str, str, str]]:
        return list_flows(next(facts for scope, facts in self.facts.items() if scope[0] == "view-lineage" and scope[2] == view))

    def list_queries(self) -> dict[str, set[tuple[str, str, str]]]:
        """The flows of each query, by its text."""
        return {str(facts.assets[0].attributes["sql"]): list_flows(facts) for scope, facts in self.facts.items() if scope[0] == "query"}


def _is_about(fact: AssetFact, column: str) -> bool:
    return fact.key.name == column if column else fact.key.kind is AssetKind.DATASET


def list_flows(facts: Facts) -> set[tuple[str, str, str]]:
    """(from, to, subtype or type), columns as `table:column`; `possible` if nothing is known but the tables."""
    found: set[tuple[str, str, str]] = set()
    for flow in facts.flows:
        whole = flow.start.kind is AssetKind.DATASET
        if whole and flow.covered:
            continue
        ends = [":".join(key.parts[1:]) for key in (flow.start, flow.end)]
        found.add((ends[0], ends[1], "possible" if whole else flow.subtype or str(flow.type)))
    return found

"""The lineage of queries by Spark's OpenLineage listener, and our lineage of the same queries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.openlineage.column_lineage import from_column_lineage
from meshline.ingest.openlineage.facet_types import ColumnLineage
from meshline.sql.script import ScriptReader
from meshline.sql.statement_lineage import Relation

# Views of the recorded pipeline, which the events do not mention.
VIEWS = """
CREATE TEMPORARY VIEW lake.mart.v_gold AS SELECT customer_id, total_amount FROM lake.mart.customer_orders WHERE tier = 'gold';
CREATE TEMPORARY VIEW lake.mart.customer_value AS SELECT customer_id, ltv FROM lake.mart.customer_ltv;
"""
TARGET = ("written",)
PYTHON = "adaptive_spark_plan"  # in the job's name: the query is in Python, and its `sql` facet is only a part of it


class Edge(NamedTuple):
    """`dataset`: schema and table. `target` None: the output as a whole."""

    dataset: str
    column: str
    target: str | None
    subtype: str
    masking: bool


class Query(NamedTuple):
    """One query as it ran. `written`: its output."""

    sql: str
    written: str
    spark: frozenset[Edge]
    ours: frozenset[Edge]


def read_queries(file: Path) -> Iterator[Query]:
    """The queries of a file of events that Spark described column by column, each once."""
    columns: dict[str, list[str]] = {}
    seen: set[str] = set()
    for line in file.read_text().splitlines():
        event = json.loads(line)
        for mentioned in (*event["inputs"], *event["outputs"]):
            schema = mentioned.get("facets", {}).get("schema")
            if schema is not None:
                columns[shorten_path(mentioned["name"])] = [field["name"] for field in schema["fields"]]
        sql = event["job"].get("facets", {}).get("sql", {}).get("query")
        for output in event["outputs"]:
            facet = output.get("facets", {}).get("columnLineage")
            key = json.dumps([sql, output["name"], facet], sort_keys=True)
            if sql and facet and PYTHON not in event["job"]["name"] and key not in seen:
                seen.add(key)
                written = shorten_path(output["name"])
                yield Query(sql, written, list_spark_edges(facet), list_our_edges(sql, columns, list_landed_views(event)))


def list_spark_edges(facet: Mapping[str, Any]) -> frozenset[Edge]:
    described = from_column_lineage(msgspec.convert(facet, ColumnLineage), frozenset())
    assert described is not None
    return frozenset(
        Edge(shorten_path(name[1]), column, target, kind.subtype, kind.masking)
        for (name, kind), pairs in described.flows.items()
        for column, target in pairs
    )


def list_our_edges(sql: str, columns: Mapping[str, list[str]], landed: Mapping[str, str]) -> frozenset[Edge]:
    def name(relation: Relation) -> str:
        short = ".".join(relation[-2:])
        return landed.get(short, short)

    edges: set[Edge] = set()
    for found in ScriptReader("spark", lambda relation: columns.get(name(relation), ())).read_script(VIEWS + sql, target=TARGET):
        assert not isinstance(found, InvalidInput), found
        assert not found.unresolved, found.unresolved
        edges |= {Edge(name(edge.source), str(edge.column), edge.target, edge.subtype, edge.masking) for edge in found.edges}
    return frozenset(edges)


def list_landed_views(event: Mapping[str, Any]) -> dict[str, str]:
    """The temporary views `landed_orders` of files in `landing/shop/orders`."""
    names = [shorten_path(mentioned["name"]) for mentioned in event["inputs"] if "/landing/" in mentioned["name"]]
    return {f"landed_{name.partition('.')[2]}": name for name in names}


def shorten_path(path: str) -> str:
    return ".".join(path.strip("/").split("/")[-2:])

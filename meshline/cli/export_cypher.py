"""The exported graph as a Cypher script, which `cypher-shell` or Neo4j Browser loads: statements that end with `;`, in batches.

Nodes and relationships are merged by their ids, so that a script may be loaded again. Their labels and names are those of the store in
Neo4j (docs/neo4j.md), but a script is for another database than one that is a store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from meshline.app.exported_graph import ExportedGraph, Row
from meshline.graph.model import AssetKind, Json

TOGETHER = 500  # nodes or relationships in one statement
LABELS = {
    AssetKind.DOMAIN: "Domain",
    AssetKind.DATA_PRODUCT: "DataProduct",
    AssetKind.DATASET: "Dataset",
    AssetKind.COLUMN: "Column",
    AssetKind.JOB: "Job",
    AssetKind.CONSUMER: "Consumer",
    AssetKind.OWNER: "Owner",
    AssetKind.CONTRACT: "Contract",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def format_cypher(graph: ExportedGraph) -> Iterator[bytes]:
    """The script, statement by statement."""
    yield b"CREATE CONSTRAINT meshline_export IF NOT EXISTS FOR (asset:Asset) REQUIRE asset.id IS UNIQUE;\n"
    for kind, nodes in groupby(graph.iterate_nodes(), key=lambda node: AssetKind(str(node["kind"]))):
        for batch in _split_batches([_build_node(node) for node in nodes]):
            yield _format_statement(batch, f"MERGE (asset:Asset {{id: row.id}}) SET asset:{LABELS[kind]}, asset += row.properties")
    edges = sorted(graph.list_edges(), key=lambda edge: str(edge["type"]))
    for type_, found in groupby(edges, key=lambda edge: str(edge["type"])):
        for batch in _split_batches([_build_relationship(edge) for edge in found]):
            ends = "MATCH (start:Asset {id: row.start}), (end:Asset {id: row.end})"
            yield _format_statement(batch, f"{ends} MERGE (start)-[edge:{type_} {{key: row.key}}]->(end) SET edge += row.properties")


def _split_batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), TOGETHER):
        yield rows[start : start + TOGETHER]


def _format_statement(rows: Sequence[Row], action: str) -> bytes:
    lines = ",\n  ".join(_format_literal(row) for row in rows)
    return f"UNWIND [\n  {lines}\n] AS row\n{action};\n".encode()


def _build_node(node: Row) -> Row:
    attributes = node["attributes"]
    assert isinstance(attributes, Mapping)
    own: Row = {"name": node["name"], "qualifiedName": node["qualified_name"]}
    return {"id": node["id"], "properties": {**_build_properties(attributes), **own}}


def _build_relationship(edge: Row) -> Row:
    """`key`: what distinguishes it from other relationships of its type between the same two nodes."""
    attributes = edge.get("attributes")
    own = {name: value for name, value in edge.items() if name not in ("source", "target", "type", "attributes", "said_by")}
    own = {"type" if name == "flow" else name: value for name, value in own.items()}
    if isinstance(attributes, Mapping):
        own = {**attributes, **own}
    properties = {**_build_properties(own), "source": edge["said_by"]}
    distinct = {name: value for name, value in properties.items() if name not in ("since", "provisional")}
    key = msgspec.json.encode(distinct, order="sorted").decode()
    return {"start": edge["source"], "end": edge["target"], "key": key, "properties": properties}


def _build_properties(attributes: Mapping[str, Json]) -> Row:
    """Attributes as properties in camelCase: texts, numbers, flags and lists of texts; other values as JSON, and nulls left out."""
    found: Row = {}
    for name, value in attributes.items():
        plain = isinstance(value, str | int | float | bool)
        texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if value is not None and _NAME.fullmatch(name):
            words = name.split("_")
            found[words[0] + "".join(word.capitalize() for word in words[1:])] = (
                value if plain or texts else msgspec.json.encode(value).decode()
            )
    return found


def _format_literal(value: Json) -> str:
    """A value as Cypher writes it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'`{name}`: {_format_literal(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_format_literal, value))}]"
    if isinstance(value, str):
        return _quote_text(value)
    if isinstance(value, float) and not (value == value and abs(value) != float("inf")):  # noqa: PLR0124 - NaN
        return "null"
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return _quote_text(str(value))
    return msgspec.json.encode(value).decode()


def _quote_text(text: str) -> str:
    """A text in quotes. Cypher reads \\uXXXX before all else, so a backslash is written in that way, too, and never before a `u`."""
    escaped = text.replace("\\", "\x00").replace("'", "\\'").replace("\x00", "\\u005C\\u005C") if "\x00" not in text else None
    if escaped is None:  # no property can contain NUL in a script
        return _quote_text(text.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    return f"'{_CONTROL.sub(_escape_control, escaped)}'"


def _escape_control(found: re.Match[str]) -> str:
    sign = found[0]
    return "\N{REPLACEMENT CHARACTER}" if "\ud800" <= sign <= "\udfff" else f"\\u{ord(sign):04X}"

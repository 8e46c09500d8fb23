"""Golden pairs: text files of three parts, divided by lines of `---`.

The first part names the dialect, the tables that are known, and what a bare SELECT defines:

    dialect trino
    table lake.orders (id, amount)
    target report

The second is SQL. The third is what comes of it, statement by statement: the target with its columns as far as
all are known, then one line for each edge. `*` is the target as a whole, `?` an edge between tables, and `!` what could
not be resolved.

    report (id, total)
      id <- lake.orders.id IDENTITY
      total <- lake.orders.amount AGGREGATION
      * <- lake.orders.status FILTER
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.sql.script import ScriptReader
from meshline.sql.statement_lineage import ColumnEdge, Lineage, Relation

FOLDER = Path(__file__).parent / "golden"


class Pair(NamedTuple):
    dialect: str
    tables: dict[Relation, list[str]]
    target: Relation | None
    sql: str
    expected: str


def parse_pair(text: str) -> Pair:
    head, sql, expected = (part.strip("\n") for part in text.split("\n---\n"))
    dialect, tables, target = "", {}, None
    for line in head.splitlines():
        word, _, rest = line.partition(" ")
        if word == "dialect":
            dialect = rest
        elif word == "table":
            name, _, columns = rest.partition(" (")
            tables[tuple(name.split("."))] = columns.rstrip(")").split(", ")
        elif word == "target":
            target = tuple(rest.split("."))
        else:
            raise ValueError(line)
    return Pair(dialect, tables, target, sql, expected)


def format_actual(pair: Pair) -> str:
    found = ScriptReader(pair.dialect, lambda relation: pair.tables.get(relation, ())).read_script(pair.sql, target=pair.target)
    return "\n".join(line for one in found for line in format_lines(one))


def format_lines(found: Lineage | InvalidInput) -> Iterable[str]:
    if isinstance(found, InvalidInput):
        return [f"refused {found}"]
    columns = f" ({', '.join(found.columns)})" if found.columns else ""
    head = ".".join(found.target) + columns if found.target else "nothing"
    reads = [f"  reads {'.'.join(relation)}" for relation in sorted(set(found.reads) - {edge.source for edge in found.edges})]
    return [head, *sorted({format_edge(edge) for edge in found.edges}), *reads, *[f"  ! {what}" for what in sorted(found.unresolved)]]


def format_edge(edge: ColumnEdge) -> str:
    if edge.column is None:
        return f"  ? <- {'.'.join(edge.source)}"
    return f"  {edge.target or '*'} <- {'.'.join(edge.source)}.{edge.column} {edge.subtype}{' masking' if edge.masking else ''}"

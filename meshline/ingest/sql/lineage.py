"""What SQL statements read and write, column by column: parsed by sqlglot, resolved against known columns."""

from __future__ import annotations

from meshline.errors import InvalidInput
from meshline.ingest.sql.script import Reader
from meshline.ingest.sql.shape import ColumnEdge, ColumnsOf, Lineage, Relation

__all__ = ["ColumnEdge", "ColumnsOf", "Lineage", "Relation", "lineage_of"]


def lineage_of(sql: str, dialect: str, columns: ColumnsOf, target: Relation | None = None) -> list[Lineage]:
    """The lineage of the statements in a text that read or write.

    `target`: what a bare SELECT defines (a dbt model, a view). Raises InvalidInput with `line:column` for SQL that
    cannot be parsed.
    """
    found: list[Lineage] = []
    for one in Reader(dialect, columns).read(sql, target=target):
        if isinstance(one, InvalidInput):
            raise one
        found.append(one)
    return found

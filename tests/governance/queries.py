"""Two versions of a query, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshline.governance.changes import Change, ChangeBuilder, SubjectKind
from meshline.governance.diff.sql import compare_queries
from meshline.graph.contracts import Definition, Field, Model, Version
from meshline.graph.model import build_dataset_key

TABLE = build_dataset_key("wh", "mart.t")
Columns = Mapping[str, Sequence[str]]


def compare_texts(
    before: str, after: str, dialect: str = "duckdb", reads: Columns | None = None, columns: Sequence[str] = ()
) -> list[Change]:
    """`reads`: columns of tables; `columns`: of what is defined."""
    model = Model("mart.t", fields=tuple(Field(name) for name in columns))
    known = {name: tuple(of) for name, of in (reads or {}).items()}
    old, new = (Definition(model, sql=sql, dialect=dialect, reads=known) for sql in (before, after))
    draft = ChangeBuilder(SubjectKind.TABLE, TABLE.qualified_name, Version(old), Version(new), (TABLE,))
    return compare_queries(draft, old, new)


def list_rules(before: str, after: str, dialect: str = "duckdb", reads: Columns | None = None) -> list[tuple[str, object, object]]:
    """Rules, with what was and what is."""
    return [(change.rule, change.before, change.after) for change in compare_texts(before, after, dialect, reads)]

"""Which tables are known: from the graph, from statements read before, and temporary ones of the same script."""

from __future__ import annotations

from collections.abc import Sequence

from meshline.sql.query_scopes import Leaf, Table, build_base_table
from meshline.sql.statement_lineage import ColumnsOf, Relation

_SESSIONS = frozenset({("global_temp",), ("pg_temp",), ("_session",), ("_SESSION",)})  # schemas of temporary tables


class KnownTables:
    """`defaults`: the outer parts that a name may leave out, '' for one that is not known.
    `made`: the columns of tables that statements have made.
    `temporary`: tables of one script, by the name that it uses; what is read from them comes from what they were made of.
    `nested`: the columns within a column, as dotted paths. `stale`: something was read before a statement that makes
    it another one: reading all once more gives another answer.
    """

    def __init__(self, columns: ColumnsOf, defaults: Relation = ()) -> None:
        self._columns = columns
        self._tables: dict[Relation, Table] = {}
        self.defaults = defaults
        self.made: dict[Relation, tuple[str, ...]] = {}
        self.temporary: dict[Relation, Table] = {}
        self.nested: dict[Leaf, tuple[str, ...]] = {}
        self.stale = False

    def complete_name(self, relation: Relation) -> Relation:
        """A name with the parts that it leaves out, as far as they are known: an empty part of `defaults` is not."""
        missing = len(self.defaults) + 1 - len(relation)
        return (*filter(None, self.defaults[:missing]), *relation) if missing > 0 else relation

    def use_schema(self, parts: Relation, kind: str) -> None:
        """`USE lake.orders`, `USE SCHEMA orders`, `USE DATABASE lake`: what names leave out from now on."""
        if len(parts) > 1:
            self.defaults = parts
        elif kind in ("CATALOG", "DATABASE") and len(self.defaults) > 1:
            self.defaults = (*parts, *[""] * (len(self.defaults) - 1))
        else:
            self.defaults = (*self.defaults[:-1], *parts)

    def get_table(self, relation: Relation) -> Table:
        """A table as SQL names it."""
        temporary = self.temporary.get(relation[-1:] if relation[:-1] in _SESSIONS else relation)
        if temporary is not None:
            return temporary
        return self._get_real(self.complete_name(relation))

    def _get_real(self, full: Relation) -> Table:
        known = self._tables.get(full)
        if known is None:
            known = self._tables[full] = build_base_table(full, self._list_top_columns(full))
        return known

    def list_names(self, relation: Relation) -> Sequence[str]:
        """The columns of a table in order, without nested ones; empty if they are not known."""
        table = self.get_table(relation)
        return [column.name for column in table.columns] if table.gap is None else ()

    def define_table(self, relation: Relation, names: Sequence[str]) -> None:
        """A table has these columns from now on; without any, those that the graph knows."""
        full = self.complete_name(relation)
        before = self._tables.pop(full, None)
        if names:
            self.made[full] = tuple(names)
        else:
            self.made.pop(full, None)
        if before is not None and before.columns != self._get_real(full).columns:
            self.stale = True

    def _list_top_columns(self, full: Relation) -> Sequence[str]:
        """The columns of a table, of which the nested ones are put aside."""
        made = self.made.get(full)
        names = tuple(self._columns(full)) if made is None else made
        if not any("." in name for name in names):
            return names
        listed = set(names)
        nested: dict[str, list[str]] = {}
        top: list[str] = []
        for name in names:
            around = [name[:i] for i, character in enumerate(name) if character == "." and name[:i] in listed]
            for outer in around:
                nested.setdefault(outer, []).append(name)
            if not around:
                top.append(name)
        self.nested.update({(full, outer): tuple(inner) for outer, inner in nested.items()})
        return top

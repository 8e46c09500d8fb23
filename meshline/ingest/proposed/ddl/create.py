"""CREATE TABLE and CREATE VIEW: what is defined."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlglot import exp

from meshline.graph.definitions import Definition
from meshline.graph.promises import Field, Model
from meshline.ingest.proposed.ddl.columns import field_of, partitions_of
from meshline.ingest.proposed.ddl.tables import Tables
from meshline.ingest.proposed.tables import Table
from meshline.sql.dialects import Rules
from meshline.sql.script import Piece, Reader
from meshline.sql.statement_lineage import Lineage


class Creating:
    """Definitions within a script. `warnings`: what could not be told."""

    def __init__(self, rules: Rules, tables: Tables, warnings: list[str]) -> None:
        self._rules = rules
        self._tables = tables
        self._warnings = warnings

    def definition(self, node: exp.Expr, piece: Piece, old: Table | None) -> Definition:
        """What a CREATE defines. `old`: what had the name."""
        schema = node.this if isinstance(node.this, exp.Schema) else None
        relation = self._tables.full(self._rules.relation(node.this if schema is None else schema.this))
        kind = str(node.args["kind"]).lower()
        query = node.args.get("expression")
        format_ = self._format(node, old)
        fields = [one for each in (schema.expressions if schema is not None else ()) for one in self._declared(each, format_)]
        properties = node.args.get("properties")
        for one in properties.expressions if properties is not None else ():
            if isinstance(one, exp.PartitionedByProperty) and isinstance(one.this, exp.Schema):
                fields += [field_of(each, self._rules, format_) for each in one.this.expressions if isinstance(each, exp.ColumnDef)]
            elif isinstance(one, exp.LikeProperty):
                fields += self._declared(one, format_)
        if isinstance(query, exp.Query):
            fields = self._of_query(piece, [field.name for field in fields], ".".join(relation), old)
        elif (clone := node.args.get("clone")) is not None:
            fields = list(self._tables.table(self._rules.relation(clone.this)).definition.model.fields)
        materialized = properties is not None and properties.find(exp.MaterializedProperty) is not None
        view = query if kind == "view" and isinstance(query, exp.Query) else None
        return Definition(
            Model(name=".".join(relation), fields=tuple({field.name: field for field in fields}.values())),
            format=format_,
            kind="materialized view" if materialized else kind,
            partitioning=tuple(partitions_of(node, self._rules)),
            sql=view.sql(self._rules.dialect) if view is not None else "",
            dialect=self._rules.name if view is not None else "",
        )

    def _format(self, node: exp.Expr, old: Table | None) -> str:
        """Iceberg or Delta where the statement says so, or the table was; else types are in the words of the dialect."""
        properties = node.args.get("properties")
        said = [one.this.name.lower() for one in properties.find_all(exp.FileFormatProperty)] if properties is not None else []
        known = [] if said or old is None or old.now is None else [old.now.format]
        return next((one for one in (*said, *known) if one in ("iceberg", "delta")), self._rules.name)

    def _declared(self, node: exp.Expr, format: str) -> list[Field]:  # noqa: A002 - as Definition calls it
        if isinstance(node, exp.LikeProperty):
            return list(self._tables.table(self._rules.relation(node.this)).definition.model.fields)
        if isinstance(node, exp.Identifier):  # of a view
            return [Field(name=self._rules.column(node))]
        return [field_of(node, self._rules, format)] if isinstance(node, exp.ColumnDef) else []

    def _of_query(self, piece: Piece, names: Sequence[str], name: str, old: Table | None) -> list[Field]:
        """The columns that a query gives, of which the types are not told by it: those of before, where names are the same."""
        before = {field.name.casefold(): field for field in (old.before_fields() if old is not None else ())}
        if not names:
            reader = Reader(self._rules.name, self._tables.columns, self._tables.defaults)
            found = [one for one in reader.read(piece.text, piece.file) if isinstance(one, Lineage)]
            names = next((one.columns for one in found if one.columns), ())
        if not names:
            self._warnings.append(f"{piece.where}: the columns of {name} are not known, and not compared")
            return list(before.values())
        return [msgspec.structs.replace(before.get(one.casefold(), Field(name=one)), name=one) for one in names]

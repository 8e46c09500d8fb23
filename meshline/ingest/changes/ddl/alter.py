"""ALTER TABLE: the effect of each action on a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from meshline.errors import InvalidInput
from meshline.ingest.changes.alignment import parse_partition
from meshline.ingest.changes.ddl.create import Constraint, build_field, format_type, get_column_name, read_constraints
from meshline.ingest.changes.edited_tables import EditedTable
from meshline.sql.dialects import DialectRules


class TableAlteration:
    """Applies actions to one table, all on one line of the file. `known`: the constraints whose names are known."""

    def __init__(self, table: EditedTable, rules: DialectRules, line: int, known: dict[str, Constraint]) -> None:
        self._table = table
        self._rules = rules
        self._line = line
        self._constraints = known

    def apply(self, node: exp.Expr, options: list[exp.Expr]) -> None:
        """Apply an action; renames of the table itself are handled by the script. Raises InvalidInput if it is not understood."""
        step = next((step for class_, step in _ACTIONS.items() if isinstance(node, class_)), None)
        if step is None:
            raise InvalidInput(f"ALTER TABLE: {node.sql(self._rules.dialect)[:100]!r} is not understood")
        if isinstance(node, exp.AlterRename) and options:  # Postgres: RENAME x TO y
            new = options[0].this
            self._rename(self._rules.spell_column(node.this.this), self._rules.spell_column(new.this))
            return
        step(self, node)

    def apply_text(self, text: str) -> bool:
        """Apply an action that sqlglot leaves as text. Returns whether it is understood."""
        for pattern, step in _TEXTS:
            if match := re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.DOTALL):
                if step is not None:
                    step(self, match)
                return True
        return False

    def constrain(self, found: Constraint) -> None:
        for name, values in found.columns.items():
            self._mark(self._table.get_column(name).name)
            self._table.change_column(name, **values)
        if found.name:
            self._constraints[found.name.casefold()] = found
        if found.unread:
            self._table.warnings.append(f"{found.unread} of {self._table.name} is not compared")

    def add(self, node: exp.Expr) -> None:
        assert isinstance(node, exp.ColumnDef)
        field = build_field(node, self._rules, self._table.definition.format)
        if node.args.get("exists") and self._table.has_column(field.name):
            return
        position = node.args.get("position")
        after = None
        if position is not None:
            after = "" if str(position.args.get("position")).upper() == "FIRST" else get_column_name(position.this, self._rules)
        self._table.add_column(field, after)
        self._mark(field.name)

    def add_several(self, node: exp.Expr) -> None:
        for one in node.expressions:
            if not isinstance(one, exp.ColumnDef):
                raise InvalidInput(f"ALTER TABLE: {one.sql(self._rules.dialect)[:100]!r} is not understood")
            self.add(one)

    def drop(self, node: exp.Expr) -> None:
        kind = str(node.args.get("kind") or "").upper()
        names = [one for each in node.args.get("tables") or () for one in (each.expressions if isinstance(each, exp.Schema) else [each])]
        if kind == "CONSTRAINT":
            for one in names:
                self._drop_constraint(self._rules.spell_column(one.this), exists=bool(node.args.get("exists")))
            return
        if kind not in ("COLUMN", "COLUMNS"):
            if kind not in ("INDEX", "PARTITION", "DEFAULT"):
                raise InvalidInput(f"ALTER TABLE ... DROP {kind} is not understood")
            return
        for one in names:
            name = get_column_name(one, self._rules)
            if node.args.get("exists") and not self._table.has_column(name):
                continue
            self._mark(self._table.get_column(name).name)
            self._table.drop_column(name)

    def rename_column(self, node: exp.Expr) -> None:
        old = get_column_name(node.this, self._rules)
        if not (node.args.get("exists") and not self._table.has_column(old)):
            self._rename(old, get_column_name(node.args["to"], self._rules))

    def alter_column(self, node: exp.Expr) -> None:
        name = self._table.get_column(get_column_name(node.this, self._rules)).name
        self._mark(name)
        changed: dict[str, Any] = {}
        if (kind := node.args.get("dtype")) is not None:
            changed["type"] = format_type(kind, self._rules, self._table.definition.format)
        if (allowed := node.args.get("allow_null")) is not None:
            changed["required"] = not allowed
        elif kind is not None and self._rules.name in ("tsql", "fabric"):  # where a type without NOT NULL means NULL
            changed["required"] = False
        if changed:
            self._table.change_column(name, **changed)
        if (new := node.args.get("rename_to")) is not None:
            self._rename(name, get_column_name(new, self._rules))

    def modify_column(self, node: exp.Expr) -> None:
        """MySQL's MODIFY and CHANGE, which define the whole column again."""
        field = build_field(node.this, self._rules, self._table.definition.format)
        if (old := node.args.get("rename_from")) is not None:
            self._rename(get_column_name(old, self._rules), field.name)
        name = self._table.get_column(field.name).name
        self._mark(name)
        self._table.change_column(name, type=field.type, required=field.required, enum=field.enum)

    def add_constraint(self, node: exp.Expr) -> None:
        for one in read_constraints(node.expressions, self._rules):
            self.constrain(one)

    def drop_primary_key(self, _: exp.Expr) -> None:
        for field in self._table.definition.model.fields:
            if field.primary_key:
                self._mark(field.name)
                self._table.change_column(field.name, primary_key=None)

    def ignore(self, _: exp.Expr) -> None:
        """Ignore an action that changes no schema."""

    def add_partition(self, match: re.Match[str]) -> None:
        self._set_partitioning([*self._table.definition.partitioning, parse_partition(match["new"])])

    def drop_partition(self, match: re.Match[str]) -> None:
        self._set_partitioning([one for one in self._table.definition.partitioning if one != self._find_partition(match["old"])])

    def replace_partition(self, match: re.Match[str]) -> None:
        old, new = self._find_partition(match["old"]), parse_partition(match["new"])
        self._set_partitioning([new if one == old else one for one in self._table.definition.partitioning])

    def set_partitioning(self, match: re.Match[str]) -> None:
        """Trino: ARRAY['day(created_at)', 'region']."""
        self._set_partitioning([parse_partition(one) for one in re.findall(r"'([^']*)'", match["all"])])

    def set_identifiers(self, match: re.Match[str]) -> None:
        for one in match["all"].split(","):
            name = self._table.get_column(_strip_quotes(one)).name
            self._mark(name)
            self._table.change_column(name, primary_key=True if match["what"].upper() == "SET" else None)

    def move_column(self, match: re.Match[str]) -> None:
        name = self._table.get_column(_strip_quotes(match["name"])).name
        self._mark(name)
        self._table.move_column(name, _strip_quotes(match["after"] or ""))

    def _set_partitioning(self, partitioning: list[str]) -> None:
        self._table.partition(list(dict.fromkeys(partitioning)))
        self._table.mark(self._line, "partitioning")

    def _find_partition(self, text: str) -> str:
        """A partition field by its transform, or by its name in Iceberg: `created_at_day`. Raises InvalidInput."""
        wanted = parse_partition(text)
        for one in self._table.definition.partitioning:
            transform, _, inside = one.rstrip(")").partition("(")
            column = inside.rpartition(",")[2].strip()
            names = {one, f"{column}_{transform.removesuffix('s')}", f"{column}_{_SHORT.get(transform, transform)}"} if inside else {one}
            if wanted in names:
                return one
        has = ", ".join(self._table.definition.partitioning) or "none"
        raise InvalidInput(f"{self._table.name} is not partitioned by {wanted!r}; known partition fields: {has}")

    def _drop_constraint(self, name: str, *, exists: bool) -> None:
        found = self._constraints.pop(name.casefold(), None)
        if found is not None:
            for column, values in found.columns.items():
                if self._table.has_column(column):
                    self._mark(self._table.get_column(column).name)
                    self._table.change_column(column, **{key: _EMPTY.get(key) for key in values if key != "required"})
        elif name.casefold().endswith("_pkey"):  # the default name in Postgres
            self.drop_primary_key(exp.DropPrimaryKey())
        elif not exists:
            self._table.warnings.append(f"the constraint {name} of {self._table.name} is not known, so its removal is not compared")

    def _rename(self, old: str, new: str) -> None:
        own = self._table.get_column(old).name
        outer = own.rpartition(".")[0]
        if outer and "." not in new:
            new = f"{outer}.{new}"
        self._table.rename_column(own, new)
        self._mark(own)
        self._mark(new)

    def _mark(self, name: str) -> None:
        self._table.mark(self._line, "field", name)


def _strip_quotes(text: str) -> str:
    return ".".join(part.strip().strip('`"') for part in text.split(".")) if text.strip() else ""


_EMPTY: Mapping[str, Any] = {"enum": (), "references": ()}
_SHORT = {"truncate": "trunc"}
_ACTIONS: Mapping[type[exp.Expr], Callable[[TableAlteration, exp.Expr], None]] = {
    exp.ColumnDef: TableAlteration.add,
    exp.Schema: TableAlteration.add_several,
    exp.Drop: TableAlteration.drop,
    exp.RenameColumn: TableAlteration.rename_column,
    exp.AlterColumn: TableAlteration.alter_column,
    exp.ModifyColumn: TableAlteration.modify_column,
    exp.AddConstraint: TableAlteration.add_constraint,
    exp.DropPrimaryKey: TableAlteration.drop_primary_key,
    exp.AlterRename: TableAlteration.ignore,
    exp.AlterSet: TableAlteration.ignore,
    exp.AddPartition: TableAlteration.ignore,
    exp.DropPartition: TableAlteration.ignore,
    exp.AlterDistStyle: TableAlteration.ignore,
    exp.AlterSortKey: TableAlteration.ignore,
}
_NAME = r'(?:[\w.$]|`[^`]+`|"[^"]+")+'
_TEXTS: tuple[tuple[str, Callable[[TableAlteration, re.Match[str]], None] | None], ...] = (
    (r"ADD\s+PARTITION\s+FIELD\s+(?P<new>.+?)(\s+AS\s+\S+)?", TableAlteration.add_partition),
    (r"DROP\s+PARTITION\s+FIELD\s+(?P<old>.+)", TableAlteration.drop_partition),
    (r"REPLACE\s+PARTITION\s+FIELD\s+(?P<old>.+?)\s+WITH\s+(?P<new>.+?)(\s+AS\s+\S+)?", TableAlteration.replace_partition),
    (r"SET\s+PROPERTIES\s+.*\bpartitioning\s*=\s*ARRAY\s*\[(?P<all>[^\]]*)\].*", TableAlteration.set_partitioning),
    (r"(?P<what>SET|DROP)\s+IDENTIFIER\s+FIELDS\s+(?P<all>.+)", TableAlteration.set_identifiers),
    (rf"(ALTER|CHANGE)\s+(COLUMN\s+)?(?P<name>{_NAME})\s+(FIRST|AFTER\s+(?P<after>{_NAME}))", TableAlteration.move_column),
    (r"(SET|UNSET)\s+(PROPERTIES|TBLPROPERTIES|SERDEPROPERTIES|TAGS?|OPTIONS|LOCATION|STATISTICS|TABLESPACE)\b.*", None),
    (rf"ALTER\s+(COLUMN\s+)?{_NAME}\s+(SET|UNSET|DROP)\s+(DEFAULT|TAGS?|STATISTICS|STORAGE|MASKING\s+POLICY|OPTIONS|IDENTITY)\b.*", None),
    (r"(OWNER\s+TO|ENABLE|DISABLE|FORCE|NO\s+FORCE|VALIDATE|WRITE|CLUSTER|SUSPEND|RESUME|RECOVER|REPAIR|EXECUTE|COMPACT|TOUCH)\b.*", None),
    (r"(ADD|DROP|ATTACH|DETACH|TRUNCATE|REORGANIZE|EXCHANGE)\s+(IF\s+(NOT\s+)?EXISTS\s+)?PARTITION\b.*", None),
)

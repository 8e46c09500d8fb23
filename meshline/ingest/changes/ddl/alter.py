"""ALTER TABLE: what each action does to a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from meshline.errors import InvalidInput
from meshline.ingest.changes.alignment import by_text
from meshline.ingest.changes.ddl.create import Constraint, constraints, field_of, name_of, type_text
from meshline.ingest.changes.edited_tables import Table
from meshline.sql.dialects import Rules


class Altering:
    """Actions on one table, on a line of the file. `constraints`: those of which the names are known."""

    def __init__(self, table: Table, rules: Rules, line: int, known: dict[str, Constraint]) -> None:
        self._table = table
        self._rules = rules
        self._line = line
        self._constraints = known

    def action(self, node: exp.Expr, options: list[exp.Expr]) -> None:
        """Raises InvalidInput for what is not understood. A rename of the table itself is not for here."""
        step = next((step for class_, step in _ACTIONS.items() if isinstance(node, class_)), None)
        if step is None:
            raise InvalidInput(f"ALTER TABLE: {node.sql(self._rules.dialect)[:100]!r} is not understood")
        if isinstance(node, exp.AlterRename) and options:  # Postgres: RENAME x TO y
            new = options[0].this
            self._rename(self._rules.column(node.this.this), self._rules.column(new.this))
            return
        step(self, node)

    def text(self, text: str) -> bool:
        """An action that sqlglot leaves as text; whether it is understood."""
        for pattern, step in _TEXTS:
            if match := re.fullmatch(pattern, text.strip(), re.IGNORECASE | re.DOTALL):
                if step is not None:
                    step(self, match)
                return True
        return False

    def constrain(self, found: Constraint) -> None:
        for name, said in found.columns.items():
            self._at(self._table.column(name).name)
            self._table.change_column(name, **said)
        if found.name:
            self._constraints[found.name.casefold()] = found
        if found.unread:
            self._table.warnings.append(f"{found.unread} of {self._table.name} is not compared")

    def add(self, node: exp.Expr) -> None:
        assert isinstance(node, exp.ColumnDef)
        field = field_of(node, self._rules, self._table.definition.format)
        if node.args.get("exists") and self._table.has(field.name):
            return
        position = node.args.get("position")
        after = None
        if position is not None:
            after = "" if str(position.args.get("position")).upper() == "FIRST" else name_of(position.this, self._rules)
        self._table.add_column(field, after)
        self._at(field.name)

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
                self._drop_constraint(self._rules.column(one.this), exists=bool(node.args.get("exists")))
            return
        if kind not in ("COLUMN", "COLUMNS"):
            if kind not in ("INDEX", "PARTITION", "DEFAULT"):
                raise InvalidInput(f"ALTER TABLE ... DROP {kind} is not understood")
            return
        for one in names:
            name = name_of(one, self._rules)
            if node.args.get("exists") and not self._table.has(name):
                continue
            self._at(self._table.column(name).name)
            self._table.drop_column(name)

    def rename_column(self, node: exp.Expr) -> None:
        old = name_of(node.this, self._rules)
        if not (node.args.get("exists") and not self._table.has(old)):
            self._rename(old, name_of(node.args["to"], self._rules))

    def alter_column(self, node: exp.Expr) -> None:
        name = self._table.column(name_of(node.this, self._rules)).name
        self._at(name)
        changed: dict[str, Any] = {}
        if (kind := node.args.get("dtype")) is not None:
            changed["type"] = type_text(kind, self._rules, self._table.definition.format)
        if (allowed := node.args.get("allow_null")) is not None:
            changed["required"] = not allowed
        elif kind is not None and self._rules.name in ("tsql", "fabric"):  # where a type without NOT NULL means NULL
            changed["required"] = False
        if changed:
            self._table.change_column(name, **changed)
        if (new := node.args.get("rename_to")) is not None:
            self._rename(name, name_of(new, self._rules))

    def modify_column(self, node: exp.Expr) -> None:
        """MySQL's MODIFY and CHANGE: the column as a whole is said again."""
        field = field_of(node.this, self._rules, self._table.definition.format)
        if (old := node.args.get("rename_from")) is not None:
            self._rename(name_of(old, self._rules), field.name)
        name = self._table.column(field.name).name
        self._at(name)
        self._table.change_column(name, type=field.type, required=field.required, enum=field.enum)

    def add_constraint(self, node: exp.Expr) -> None:
        for one in constraints(node.expressions, self._rules):
            self.constrain(one)

    def drop_primary_key(self, _: exp.Expr) -> None:
        for field in self._table.definition.model.fields:
            if field.primary_key:
                self._at(field.name)
                self._table.change_column(field.name, primary_key=None)

    def nothing(self, _: exp.Expr) -> None:
        """It changes no schema."""

    def partition_added(self, said: re.Match[str]) -> None:
        self._partition([*self._table.definition.partitioning, by_text(said["new"])])

    def partition_dropped(self, said: re.Match[str]) -> None:
        self._partition([one for one in self._table.definition.partitioning if one != self._partition_called(said["old"])])

    def partition_replaced(self, said: re.Match[str]) -> None:
        old, new = self._partition_called(said["old"]), by_text(said["new"])
        self._partition([new if one == old else one for one in self._table.definition.partitioning])

    def partitioning(self, said: re.Match[str]) -> None:
        """Trino: ARRAY['day(created_at)', 'region']."""
        self._partition([by_text(one) for one in re.findall(r"'([^']*)'", said["all"])])

    def identifiers(self, said: re.Match[str]) -> None:
        for one in said["all"].split(","):
            name = self._table.column(_plain(one)).name
            self._at(name)
            self._table.change_column(name, primary_key=True if said["what"].upper() == "SET" else None)

    def moved(self, said: re.Match[str]) -> None:
        name = self._table.column(_plain(said["name"])).name
        self._at(name)
        self._table.move_column(name, _plain(said["after"] or ""))

    def _partition(self, partitioning: list[str]) -> None:
        self._table.partition(list(dict.fromkeys(partitioning)))
        self._table.at(self._line, "partitioning")

    def _partition_called(self, text: str) -> str:
        """By its transform, or by the name that Iceberg gives it: `created_at_day`. Raises InvalidInput."""
        wanted = by_text(text)
        for one in self._table.definition.partitioning:
            transform, _, inside = one.rstrip(")").partition("(")
            column = inside.rpartition(",")[2].strip()
            names = {one, f"{column}_{transform.removesuffix('s')}", f"{column}_{_SHORT.get(transform, transform)}"} if inside else {one}
            if wanted in names:
                return one
        has = ", ".join(self._table.definition.partitioning) or "none"
        raise InvalidInput(f"{self._table.name} is not partitioned by {wanted!r}; by what is known: {has}")

    def _drop_constraint(self, name: str, *, exists: bool) -> None:
        found = self._constraints.pop(name.casefold(), None)
        if found is not None:
            for column, said in found.columns.items():
                if self._table.has(column):
                    self._at(self._table.column(column).name)
                    self._table.change_column(column, **{key: _UNSAID.get(key) for key in said if key != "required"})
        elif name.casefold().endswith("_pkey"):  # as Postgres calls it
            self.drop_primary_key(exp.DropPrimaryKey())
        elif not exists:
            self._table.warnings.append(
                f"what the constraint {name} of {self._table.name} says is not known, so that nothing of it is compared"
            )

    def _rename(self, old: str, new: str) -> None:
        own = self._table.column(old).name
        outer = own.rpartition(".")[0]
        if outer and "." not in new:
            new = f"{outer}.{new}"
        self._table.rename_column(own, new)
        self._at(own)
        self._at(new)

    def _at(self, name: str) -> None:
        self._table.at(self._line, "field", name)


def _plain(text: str) -> str:
    return ".".join(part.strip().strip('`"') for part in text.split(".")) if text.strip() else ""


_UNSAID: Mapping[str, Any] = {"enum": (), "references": ()}
_SHORT = {"truncate": "trunc"}
_ACTIONS: Mapping[type[exp.Expr], Callable[[Altering, exp.Expr], None]] = {
    exp.ColumnDef: Altering.add,
    exp.Schema: Altering.add_several,
    exp.Drop: Altering.drop,
    exp.RenameColumn: Altering.rename_column,
    exp.AlterColumn: Altering.alter_column,
    exp.ModifyColumn: Altering.modify_column,
    exp.AddConstraint: Altering.add_constraint,
    exp.DropPrimaryKey: Altering.drop_primary_key,
    exp.AlterRename: Altering.nothing,
    exp.AlterSet: Altering.nothing,
    exp.AddPartition: Altering.nothing,
    exp.DropPartition: Altering.nothing,
    exp.AlterDistStyle: Altering.nothing,
    exp.AlterSortKey: Altering.nothing,
}
_NAME = r'(?:[\w.$]|`[^`]+`|"[^"]+")+'
_TEXTS: tuple[tuple[str, Callable[[Altering, re.Match[str]], None] | None], ...] = (
    (r"ADD\s+PARTITION\s+FIELD\s+(?P<new>.+?)(\s+AS\s+\S+)?", Altering.partition_added),
    (r"DROP\s+PARTITION\s+FIELD\s+(?P<old>.+)", Altering.partition_dropped),
    (r"REPLACE\s+PARTITION\s+FIELD\s+(?P<old>.+?)\s+WITH\s+(?P<new>.+?)(\s+AS\s+\S+)?", Altering.partition_replaced),
    (r"SET\s+PROPERTIES\s+.*\bpartitioning\s*=\s*ARRAY\s*\[(?P<all>[^\]]*)\].*", Altering.partitioning),
    (r"(?P<what>SET|DROP)\s+IDENTIFIER\s+FIELDS\s+(?P<all>.+)", Altering.identifiers),
    (rf"(ALTER|CHANGE)\s+(COLUMN\s+)?(?P<name>{_NAME})\s+(FIRST|AFTER\s+(?P<after>{_NAME}))", Altering.moved),
    (r"(SET|UNSET)\s+(PROPERTIES|TBLPROPERTIES|SERDEPROPERTIES|TAGS?|OPTIONS|LOCATION|STATISTICS|TABLESPACE)\b.*", None),
    (rf"ALTER\s+(COLUMN\s+)?{_NAME}\s+(SET|UNSET|DROP)\s+(DEFAULT|TAGS?|STATISTICS|STORAGE|MASKING\s+POLICY|OPTIONS|IDENTITY)\b.*", None),
    (r"(OWNER\s+TO|ENABLE|DISABLE|FORCE|NO\s+FORCE|VALIDATE|WRITE|CLUSTER|SUSPEND|RESUME|RECOVER|REPAIR|EXECUTE|COMPACT|TOUCH)\b.*", None),
    (r"(ADD|DROP|ATTACH|DETACH|TRUNCATE|REORGANIZE|EXCHANGE)\s+(IF\s+(NOT\s+)?EXISTS\s+)?PARTITION\b.*", None),
)

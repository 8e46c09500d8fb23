"""What the statements of a script write: lineages, and tables that later statements know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlglot import exp

from meshline.graph.model import FlowType
from meshline.sql.dialects import DialectRules
from meshline.sql.flow_kinds import COPY, list_flow_types
from meshline.sql.known_tables import KnownTables
from meshline.sql.queries import QueryReader
from meshline.sql.query_scopes import Column, CTEs, Leaf, Notes, Scope, Sources, Table, blur_sources, format_tables, join_sources
from meshline.sql.statement_lineage import ColumnEdge, Lineage, Relation


def build_edges(columns: Iterable[Column], rows: Sources, nested: Mapping[Leaf, tuple[str, ...]]) -> tuple[ColumnEdge, ...]:
    """The edges of a statement. A column without a name represents all columns of the target whose names are not known."""
    edges: dict[ColumnEdge, None] = {}
    tables: dict[Relation, None] = {}
    for target, sources in [*columns, Column("", rows)]:
        whole = sources is rows
        for (relation, column), bits in sources.items():
            if column is None or (not target and not whole):
                tables[relation] = None
                continue
            name = None if whole else target
            for kind in list_flow_types(bits):
                edges[ColumnEdge(relation, column, name, *kind)] = None
            for inner in nested.get((relation, column), ()):
                _add_nested(edges, relation, column, inner, name, bits)
    return (*edges, *[ColumnEdge(relation, None, None, FlowType.DIRECT, "", masking=False) for relation in tables])


def _add_nested(edges: dict[ColumnEdge, None], relation: Relation, column: str, inner: str, target: str | None, bits: int) -> None:
    """What flows from a column flows from the columns within it: in a copy each into its like."""
    if target is not None and bits & COPY:
        edges[ColumnEdge(relation, inner, target + inner[len(column) :], FlowType.DIRECT, "IDENTITY", masking=False)] = None
        bits &= ~COPY
    for kind in list_flow_types(bits):
        edges[ColumnEdge(relation, inner, target, *kind)] = None


class ScriptEffects:
    """The effects of the statements of one script. `statement`: reads any statement; `found`: their lineage, in order."""

    def __init__(self, rules: DialectRules, known: KnownTables, statement: Callable[[ScriptEffects, exp.Expr], None]) -> None:
        self.rules = rules
        self.known = known
        self.notes = Notes(known.nested)
        self.queries = QueryReader(rules, self.notes, known.get_table, self._read_inner)
        self.found: list[Lineage] = []
        self._statement = statement
        self._ctes: CTEs = {}  # around the statement, if it is one itself

    def _read_inner(self, node: exp.Expr, ctes: CTEs) -> Table:
        """A statement within WITH: what it writes is a statement of its own; what it returns is not followed."""
        around, self._ctes = self._ctes, ctes
        self._statement(self, node)
        self._ctes = around
        if node.args.get("returning") is not None:
            self.notes.record_gap("RETURNING is not followed")
        return Table((), gap=0)

    def build_scope(self, node: exp.Expr) -> Scope:
        """The outermost scope of a statement."""
        return Scope(self.rules, self.notes, self.queries.add_ctes(node, self._ctes))

    def record_statement(
        self,
        target: Relation | None,
        reads: Iterable[Relation] = (),
        columns: Iterable[Column] = (),
        rows: Sources | None = None,
        names: Iterable[str] = (),
        defines: str = "",
    ) -> None:
        """One statement is done. What it changes it reads as well only if something flows from there."""
        full = None if target is None else self.known.complete_name(target)
        edges = build_edges(columns, rows or {}, self.known.nested)
        used = {edge.source for edge in edges}
        read = tuple(relation for relation in reads if relation != full or relation in used)
        self.found.append(Lineage(full, read, edges, tuple(names), tuple(self.notes.unresolved), defines))
        self.notes.unresolved = {}

    def define_table(
        self, target: Relation, table: Table, names: Sequence[str] = (), *, kind: str = "TABLE", temporary: bool = False
    ) -> None:
        """A table or a view is what a query gives, under names of its own if it has any."""
        table = table.rename_columns(names)
        if temporary:
            self.known.temporary[target] = table
            return
        columns = list(table.columns)
        for position, column in enumerate(columns):
            if not column.name and column.sources:
                self.notes.record_gap(f"column {position + 1} has no name")
        if table.gap is not None:
            columns.append(Column("", table.collect_everything(())))
            self.notes.record_gap(
                f"the columns of {format_tables(columns[-1].sources) or 'what it reads'} are not known, and all are asked for"
            )
        listed = table.gap is None and all(column.name for column in columns)
        listing = [column.name for column in columns] if listed else []
        self.known.define_table(target, listing)
        self.record_statement(target, table.reads, columns, table.rows, listing, kind)

    def write_columns(self, target: Relation, columns: Sequence[Column], rows: Sources, reads: Iterable[Relation]) -> None:
        """Something goes into a table that is there. A column without a name: into which one is not known."""
        old = self.known.temporary.get(target)
        if old is None:
            self.record_statement(target, reads, columns, rows)
            return
        new = Table([column for column in columns if column.name])
        somewhere = next((column.sources for column in columns if not column.name), {})
        merged = [
            Column(
                column.name,
                join_sources(join_sources(column.sources, new.find(column.name) or {}), {} if new.has(column.name) else somewhere),
            )
            for column in old.columns
        ]
        self.known.temporary[target] = Table(
            merged,
            gap=old.gap,
            open_=old.open,
            blur=join_sources(old.blur, somewhere),
            rows=join_sources(old.rows, rows),
            reads=[*old.reads, *reads],
        )

    def place_columns(self, target: Relation, names: Sequence[str], table: Table) -> list[Column]:
        """The columns of a query by position, under the names of the target's; what cannot be placed without a name."""
        name = ".".join(target)
        known = len(table.columns) if table.gap is None else table.gap
        columns = [Column(name, column.sources) for name, column in zip(names, table.columns[:known], strict=False)]
        rest = table.columns[len(columns) :]
        left = blur_sources(table.collect_everything(rest)) if rest or table.gap is not None else {}
        if left:
            if not names:
                self.notes.record_gap(f"the columns of {name} are not known, and are written by position")
            elif table.gap is not None:
                self.notes.record_gap(f"the columns of {format_tables(left)} are not known, and go into {name} by position")
            else:
                self.notes.record_gap(f"{len(table.columns)} columns go into {name}, which has {len(names)}")
        return [*columns, Column("", left)]

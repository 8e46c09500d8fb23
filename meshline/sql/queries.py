"""Queries: what each output column comes from, and what decides about the rows. Scope by scope, inside out, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp

from meshline.sql.dialects import DialectRules
from meshline.sql.expressions import Expressions
from meshline.sql.flow_kinds import FILTER, GROUP_BY, IDENTITY, SORT
from meshline.sql.from_clause import FromReader
from meshline.sql.name_resolution import (
    Star,
    StarPattern,
    find_output_identifier,
    find_star,
    parse_position,
    parse_star_modifiers,
)
from meshline.sql.query_scopes import Column, CTEs, Notes, Scope, Sources, Table, add_sources, blur_sources, format_tables, join_sources
from meshline.sql.statement_lineage import Relation


def unite_tables(node: exp.Expr, left: Table, right: Table, notes: Notes) -> Table:
    """The result of a set operation, under the names of the left query."""
    rows = join_sources(left.rows, right.rows)
    reads = {**left.reads, **right.reads}
    if not isinstance(node, exp.Union):  # EXCEPT, INTERSECT: whole rows are compared, and values come from the left
        add_sources(rows, left.collect_everything(), FILTER)
        add_sources(rows, right.collect_everything(), FILTER)
        return Table(left.columns, gap=left.gap, open_=left.open, blur=left.blur, rows=rows, reads=reads)
    if node.args.get("by_name"):
        return _unite_by_name(left, right, rows, reads)
    return _unite_by_position(left, right, rows, reads, notes)


def _unite_by_position(left: Table, right: Table, rows: Sources, reads: Mapping[Relation, None], notes: Notes) -> Table:
    """From the first column that is not known on, any of the right may go with any of the left."""
    known = min(len(table.columns) if table.gap is None else table.gap for table in (left, right))
    columns = [
        Column(column.name, join_sources(column.sources, other.sources))
        for column, other in zip(left.columns[:known], right.columns[:known], strict=True)
    ]
    unknown = left.gap is not None or right.gap is not None
    rest = blur_sources(right.collect_everything(right.columns[known:])) if unknown or len(right.columns) > known else {}
    if unknown and rest:
        notes.record_gap(
            f"the columns of {format_tables(rest)} go by position with those of another part of a UNION, and not all are known"
        )
    elif len(left.columns) != len(right.columns):
        notes.record_gap(f"the parts of a UNION have {len(left.columns)} and {len(right.columns)} columns")
    columns += [Column(column.name, join_sources(column.sources, rest)) for column in left.columns[known:]]
    if left.gap is None:
        return Table(columns, rows=rows, reads=reads)
    return Table(columns, gap=known, open_=left.open, blur=join_sources(left.blur, rest), rows=rows, reads=reads)


def _unite_by_name(left: Table, right: Table, rows: Sources, reads: Mapping[Relation, None]) -> Table:
    columns = [Column(column.name, join_sources(column.sources, right.find(column.name) or {})) for column in left.columns]
    columns += [column for column in right.columns if not left.has(column.name)]
    gaps = [table.gap for table in (left, right) if table.gap is not None]
    several = blur_sources((relation, None) for relation in right.open) if left.open else {}
    return Table(
        columns,
        gap=min(gaps) if gaps else None,
        open_=left.open or right.open,
        blur=join_sources(join_sources(left.blur, right.blur), several),
        rows=rows,
        reads=reads,
    )


def expand_star(star: Star, scope: Scope, sources: Callable[[exp.Expr], Sources]) -> Iterator[Table]:
    """The tables that a star shows. `sources`: those of an expression."""
    hidden, replacements, renamed = parse_star_modifiers(star.node, scope.rules.spell_column, scope.fold)
    replaced = {folded: Column(name, sources(expression)) for folded, (name, expression) in replacements.items()}
    for whole in _list_shown(star.item, scope):
        table = whole if star.pattern is None else _select_columns(whole, star.pattern, scope)
        if hidden or replaced or renamed:
            columns = [
                Column(renamed.get(folded, column.name), replaced[folded].sources if folded in replaced else column.sources)
                for column in table.columns
                if (folded := column.name.casefold()) not in hidden
            ]
            if table.gap is not None:  # what is replaced is known by that
                columns += [column for column in replaced.values() if not table.has(column.name)]
            gap = None if table.gap is None else min(table.gap, len(columns))
            yield Table(columns, gap=gap, open_=table.open, blur=table.blur)
        else:
            yield table


def _select_columns(table: Table, pattern: StarPattern, scope: Scope) -> Table:
    """The columns whose names match; from the first one on for which that is not known, the positions of columns are not known."""
    columns: list[Column] = []
    gap: int | None = None
    for position, column in enumerate(table.columns):
        match = pattern.is_match(column.name)
        if gap is None and (match is None or position == table.gap):
            gap = len(columns)
        if match is not False:
            columns.append(column)
    if gap is None and table.gap is not None:
        gap = len(columns)
    if gap is not None:
        scope.notes.record_gap(f"{pattern.text}: which columns it shows is not known")
    return Table(columns, gap=gap, open_=table.open, blur=table.blur)


def _list_shown(item: exp.Expr, scope: Scope) -> Iterator[Table]:
    if isinstance(item, exp.Column):
        parts = [part for part in (item.args.get("catalog"), item.args.get("db"), item.args.get("table")) if part is not None]
        table = scope.find_qualified(parts)
        yield _build_unknown_fields(".".join(part.name for part in parts), scope) if table is None else table
    elif isinstance(item, exp.Dot):
        yield _build_unknown_fields(item.this.sql(), scope)
    else:
        for source, shown in scope.list_starred():
            columns = [Column(*column) for column in shown] if scope.united else ()
            if source is None:
                yield Table(columns)
            elif scope.united:
                gap = None if source.gap is None else min(source.gap, len(columns))
                yield Table(columns, gap=gap, open_=source.open, blur=source.blur)
            else:
                yield source


def _build_unknown_fields(what: str, scope: Scope) -> Table:
    """`column.*`: which fields a column has is not known."""
    scope.notes.record_gap(f"{what}.*: its fields are not known")
    return Table((), gap=0, blur=scope.collect_everywhere())


MAX_ROUNDS = 20  # of a recursive query, until nothing new flows


class QueryReader:
    """Reads queries. `table`: a table by its name. `statement`: reads a CTE that writes."""

    def __init__(
        self, rules: DialectRules, notes: Notes, table: Callable[[Relation], Table], statement: Callable[[exp.Expr, CTEs], Table]
    ) -> None:
        self.rules = rules
        self.notes = notes
        self.froms = FromReader(self, table)
        self._statement = statement

    def read_subquery(self, node: exp.Expr, outer: Scope) -> Table:
        """What a query within an expression gives."""
        return self.read_query(node, outer.ctes, outer)

    def build_expressions(self, scope: Scope) -> Expressions:
        return Expressions(scope, self.read_subquery)

    def read_query(self, node: exp.Expr, ctes: CTEs, outer: Scope | None = None) -> Table:
        """What a query gives."""
        self.notes.count_steps(1)
        ctes = self.add_ctes(node, ctes, outer)
        scope = Scope(self.rules, self.notes, ctes, outer)
        for kind, step in (
            (exp.Select, self._read_select),
            (exp.SetOperation, self._read_set_operation),
            (exp.Subquery, self._read_parenthesised),
            (exp.Values, self.froms.read_values),
            (exp.Table, self._read_joined),
            (exp.DML, self._read_write),
        ):
            if isinstance(node, kind):
                return step(node, scope)
        self.notes.record_gap(f"{node.key.upper()} in place of a query is not read")
        return Table((), gap=0)

    def _read_parenthesised(self, node: exp.Expr, scope: Scope) -> Table:
        return self._read_sorted(node, self.read_query(node.this, scope.ctes, scope.outer), scope)

    def _read_joined(self, node: exp.Expr, scope: Scope) -> Table:
        """`a JOIN b` in parentheses."""
        self.froms.read_item(node, scope)
        return self._read_projection([exp.Star()], scope, {})

    def _read_write(self, node: exp.Expr, scope: Scope) -> Table:
        return self._statement(node, scope.ctes)

    # WITH

    def add_ctes(self, node: exp.Expr, ctes: CTEs, outer: Scope | None = None) -> CTEs:
        """The common table expressions that a statement may name, with its own."""
        with_ = node.args.get("with_")
        if with_ is None:
            return ctes
        known = dict(ctes)
        for cte in with_.expressions:
            alias = cte.args.get("alias")
            name = self.rules.spell_table(alias.this).casefold() if alias is not None else ""
            may_recur = (with_.args.get("recursive") or self.rules.implicit_recursion) and isinstance(cte.this, exp.SetOperation)
            if may_recur and _uses_table(cte.this, name):
                known[name] = self._read_recursive(cte, name, known, outer)
            else:
                known[name] = self.read_query(cte.this, known, outer).rename_columns(self.rules.list_columns(alias))
        return known

    def _read_recursive(self, cte: exp.Expr, name: str, ctes: CTEs, outer: Scope | None) -> Table:
        """First what does not refer to itself, then again and again with what came out, until nothing is new."""
        names = self.rules.list_columns(cte.args.get("alias"))
        first = cte.this
        while isinstance(first, exp.SetOperation) and _uses_table(first, name):
            first = first.this
        result = self.read_query(first, self.add_ctes(cte.this, ctes, outer), outer).rename_columns(names)
        for _ in range(MAX_ROUNDS):
            more = self.read_query(cte.this, {**ctes, name: result}, outer).rename_columns(names)
            same = [column.sources for column in more.columns] == [column.sources for column in result.columns]
            if same and more.rows == result.rows:
                return more
            result = more
        self.notes.record_gap(f"{name}: it refers to itself in more ways than are followed")
        return result

    # SELECT

    def _read_select(self, node: exp.Expr, scope: Scope) -> Table:
        if (from_ := node.args.get("from_")) is not None:
            self.froms.read_item(from_.this, scope)
        self.froms.read_joins(node, scope)
        for lateral in node.args.get("laterals") or ():
            self.froms.read_item(lateral, scope)
        if (match := node.args.get("match")) is not None:
            self.notes.record_gap("MATCH_RECOGNIZE is not followed")
            scope.tables = [(self.froms.find_alias(match), Table((), gap=0, blur=scope.collect_everywhere()))]
        for window in node.args.get("windows") or ():
            scope.windows[window.name.casefold()] = window
        expressions = self.build_expressions(scope)
        for key in ("connect", "where"):
            if (clause := node.args.get(key)) is not None:
                expressions.collect(clause, FILTER, scope.rows)
        aliases: dict[str, Sources] = {}
        result = self._read_projection(node.expressions, scope, aliases)
        scope.aliases = aliases
        self._read_grouping(node, expressions, scope, result)
        for key in ("having", "qualify"):
            if (clause := node.args.get(key)) is not None:
                expressions.collect(clause, FILTER, scope.rows)
        distinct = node.args.get("distinct")
        if distinct is not None and (on := distinct.args.get("on")) is not None:
            expressions.collect(on, GROUP_BY, scope.rows)
        self._read_order(node, expressions, scope, result)
        return result.adopt_rows(scope)

    def _read_projection(self, items: Sequence[exp.Expr], scope: Scope, aliases: dict[str, Sources]) -> Table:
        """The SELECT list. `aliases`: gets the columns that have a name of their own."""
        columns: list[Column] = []
        gap: int | None = None
        open_: list[Relation] = []
        blur: Sources = {}
        expressions = self.build_expressions(scope)
        if self.rules.lateral_aliases:
            scope.aliases = aliases
        for item in items:
            star = find_star(item)
            if star is None:
                sources = expressions.collect_sources(item, IDENTITY)
                for name in self._list_output_names(item, len(columns)):
                    columns.append(Column(name, sources))
                    if isinstance(item, exp.Alias | exp.Aliases):
                        aliases.setdefault(name.casefold(), sources)
                continue
            for table in expand_star(star, scope, lambda each: expressions.collect_sources(each, IDENTITY)):
                if table.gap is not None:
                    gap = len(columns) + table.gap if gap is None else gap
                    open_ += table.open
                    add_sources(blur, table.blur)
                self.notes.count_steps(len(table.columns))
                columns += table.columns
        return Table(columns, gap=gap, open_=dict.fromkeys(open_), blur=blur).adopt_rows(scope)

    def _list_output_names(self, item: exp.Expr, position: int) -> list[str]:
        if isinstance(item, exp.Alias):
            return [self.rules.spell_column(item.args["alias"])]
        if isinstance(item, exp.Aliases):
            return [self.rules.spell_column(alias) for alias in item.args["expressions"]]
        if (identifier := find_output_identifier(item)) is not None:
            return [self.rules.spell_column(identifier)]
        return [self.rules.unnamed(position) if self.rules.unnamed is not None else ""]

    # GROUP BY and ORDER BY

    def _read_grouping(self, node: exp.Expr, expressions: Expressions, scope: Scope, result: Table) -> None:
        group = node.args.get("group")
        if group is None:
            return
        if group.args.get("all"):
            for item in node.expressions:
                if item.find(exp.AggFunc) is None:
                    expressions.collect(item, GROUP_BY, scope.rows)
        for each in (*group.expressions, *_list_grouping_sets(group)):
            self._collect_key(each, GROUP_BY, expressions, scope, result)

    def _read_order(self, node: exp.Expr, expressions: Expressions, scope: Scope, result: Table) -> None:
        for clause in (node.args.get("order"), node.args.get("sort")):
            for each in clause.expressions if clause is not None else ():
                by = each.this if isinstance(each, exp.Ordered) else each
                name = self.rules.spell_column(by.this).casefold() if isinstance(by, exp.Column) and by.args.get("table") is None else ""
                if name in scope.aliases:  # here the SELECT list comes first
                    add_sources(scope.rows, scope.aliases[name], SORT)
                elif isinstance(by, exp.Var) and by.name.upper() == "ALL":
                    add_sources(scope.rows, result.collect_everything(), SORT)
                else:
                    self._collect_key(by, SORT, expressions, scope, result)

    def _collect_key(self, node: exp.Expr, kind: int, expressions: Expressions, scope: Scope, result: Table) -> None:
        """An expression, or the position of an output column."""
        number = parse_position(node)
        if number is None:
            expressions.collect(node, kind, scope.rows)
            return
        position = number - 1
        if result.gap is not None and position >= result.gap:
            self.notes.record_gap(f"{node.name}: which column is at this position is not known")
            add_sources(scope.rows, result.collect_everything(result.columns[result.gap :]), kind)
        elif 0 <= position < len(result.columns):
            add_sources(scope.rows, result.columns[position].sources, kind)

    def _read_sorted(self, node: exp.Expr, inner: Table, scope: Scope) -> Table:
        """A query in parentheses, or of several parts, in an order: by its own columns."""
        if node.args.get("order") is None:
            return inner
        scope.add_table("", inner)
        self._read_order(node, self.build_expressions(scope), scope, inner)
        return inner.adopt_rows(scope)

    # UNION and the like

    def _read_set_operation(self, node: exp.Expr, scope: Scope) -> Table:
        """All parts: a chain of a thousand is no deep recursion."""
        chain = [node]
        ctes = scope.ctes
        while isinstance(chain[-1].this, exp.SetOperation) and chain[-1].this.args.get("order") is None:
            chain.append(chain[-1].this)
            ctes = self.add_ctes(chain[-1], ctes, scope.outer)
        result = self.read_query(chain[-1].this, ctes, scope.outer)
        for each in reversed(chain):
            result = unite_tables(each, result, self.read_query(each.expression, ctes, scope.outer), self.notes)
        return self._read_sorted(node, result, scope)


def _list_grouping_sets(group: exp.Expr) -> Iterator[exp.Expr]:
    """What is in ROLLUP, CUBE and GROUPING SETS."""
    for key in ("rollup", "cube", "grouping_sets"):
        value = group.args.get(key)
        for each in value if isinstance(value, list) else ():
            yield from each.expressions


def _uses_table(query: exp.Expr, name: str) -> bool:
    """Whether a query names a table."""
    return any(table.name.casefold() == name and table.args.get("db") is None for table in query.find_all(exp.Table))

"""Queries: what each output column comes from, and what decides about the rows. Scope by scope, inside out, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp

from meshline.sql.dialects import Rules
from meshline.sql.expressions import Expressions
from meshline.sql.flow_kinds import FILTER, GROUP_BY, IDENTITY, SORT
from meshline.sql.from_clause import Froms
from meshline.sql.name_scope import find_output_identifier, find_star, parse_position, parse_star_modifiers
from meshline.sql.scopes import Column, CTEs, Notes, Scope, Sources, Table, add, blurred, joined, tables_of
from meshline.sql.statement_lineage import Relation


def united(node: exp.Expr, left: Table, right: Table, notes: Notes) -> Table:
    """What two queries give together, under the names of the left one."""
    rows = joined(left.rows, right.rows)
    reads = {**left.reads, **right.reads}
    if not isinstance(node, exp.Union):  # EXCEPT, INTERSECT: whole rows are compared, and values come from the left
        add(rows, left.everything(), FILTER)
        add(rows, right.everything(), FILTER)
        return Table(left.columns, gap=left.gap, open_=left.open, blur=left.blur, rows=rows, reads=reads)
    if node.args.get("by_name"):
        return _by_name(left, right, rows, reads)
    return _by_position(left, right, rows, reads, notes)


def _by_position(left: Table, right: Table, rows: Sources, reads: Mapping[Relation, None], notes: Notes) -> Table:
    """From the first column that is not known on, any of the right may go with any of the left."""
    known = min(len(table.columns) if table.gap is None else table.gap for table in (left, right))
    columns = [
        Column(column.name, joined(column.sources, other.sources))
        for column, other in zip(left.columns[:known], right.columns[:known], strict=True)
    ]
    unknown = left.gap is not None or right.gap is not None
    rest = blurred(right.everything(right.columns[known:])) if unknown or len(right.columns) > known else {}
    if unknown and rest:
        notes.say(f"the columns of {tables_of(rest)} go by position with those of another part of a UNION, and not all are known")
    elif len(left.columns) != len(right.columns):
        notes.say(f"the parts of a UNION have {len(left.columns)} and {len(right.columns)} columns")
    columns += [Column(column.name, joined(column.sources, rest)) for column in left.columns[known:]]
    if left.gap is None:
        return Table(columns, rows=rows, reads=reads)
    return Table(columns, gap=known, open_=left.open, blur=joined(left.blur, rest), rows=rows, reads=reads)


def _by_name(left: Table, right: Table, rows: Sources, reads: Mapping[Relation, None]) -> Table:
    columns = [Column(column.name, joined(column.sources, right.find(column.name) or {})) for column in left.columns]
    columns += [column for column in right.columns if not left.has(column.name)]
    gaps = [table.gap for table in (left, right) if table.gap is not None]
    several = blurred((relation, None) for relation in right.open) if left.open else {}
    return Table(
        columns,
        gap=min(gaps) if gaps else None,
        open_=left.open or right.open,
        blur=joined(joined(left.blur, right.blur), several),
        rows=rows,
        reads=reads,
    )


def starred(item: exp.Expr, star: exp.Expr, scope: Scope, sources: Callable[[exp.Expr], Sources]) -> Iterator[Table]:
    """The tables that a star shows. `sources`: those of an expression."""
    hidden, replacements, renamed = parse_star_modifiers(star, scope.rules.column, scope.fold)
    replaced = {folded: Column(name, sources(expression)) for folded, (name, expression) in replacements.items()}
    for table in _shown(item, scope):
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


def _shown(item: exp.Expr, scope: Scope) -> Iterator[Table]:
    if isinstance(item, exp.Column):
        parts = [part for part in (item.args.get("catalog"), item.args.get("db"), item.args.get("table")) if part is not None]
        table = scope.qualified(parts)
        yield _fields(".".join(part.name for part in parts), scope) if table is None else table
    elif isinstance(item, exp.Dot):
        yield _fields(item.this.sql(), scope)
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


def _fields(what: str, scope: Scope) -> Table:
    """`column.*`: which fields a column has is not known."""
    scope.notes.say(f"{what}.*: its fields are not known")
    return Table((), gap=0, blur=scope.everywhere())


MAX_ROUNDS = 20  # of a recursive query, until nothing new flows


class Queries:
    """Reads queries. `table`: a table by its name. `statement`: reads a CTE that writes."""

    def __init__(
        self, rules: Rules, notes: Notes, table: Callable[[Relation], Table], statement: Callable[[exp.Expr, CTEs], Table]
    ) -> None:
        self.rules = rules
        self.notes = notes
        self.froms = Froms(self, table)
        self._statement = statement

    def query(self, node: exp.Expr, outer: Scope) -> Table:
        """What a query within an expression gives."""
        return self.read(node, outer.ctes, outer)

    def expressions(self, scope: Scope) -> Expressions:
        return Expressions(scope, self.query)

    def read(self, node: exp.Expr, ctes: CTEs, outer: Scope | None = None) -> Table:
        """What a query gives."""
        self.notes.step(1)
        ctes = self.with_(node, ctes, outer)
        scope = Scope(self.rules, self.notes, ctes, outer)
        for kind, step in (
            (exp.Select, self._select),
            (exp.SetOperation, self._united),
            (exp.Subquery, self._parenthesised),
            (exp.Values, self.froms.values),
            (exp.Table, self._table),
            (exp.DML, self._written),
        ):
            if isinstance(node, kind):
                return step(node, scope)
        self.notes.say(f"{node.key.upper()} in place of a query is not read")
        return Table((), gap=0)

    def _parenthesised(self, node: exp.Expr, scope: Scope) -> Table:
        return self._sorted(node, self.read(node.this, scope.ctes, scope.outer), scope)

    def _table(self, node: exp.Expr, scope: Scope) -> Table:
        """`a JOIN b` in parentheses."""
        self.froms.item(node, scope)
        return self._projected([exp.Star()], scope, {})

    def _written(self, node: exp.Expr, scope: Scope) -> Table:
        return self._statement(node, scope.ctes)

    # WITH

    def with_(self, node: exp.Expr, ctes: CTEs, outer: Scope | None = None) -> CTEs:
        """The common table expressions that a statement may name, with its own."""
        with_ = node.args.get("with_")
        if with_ is None:
            return ctes
        known = dict(ctes)
        for cte in with_.expressions:
            alias = cte.args.get("alias")
            name = self.rules.table(alias.this).casefold() if alias is not None else ""
            may_recur = (with_.args.get("recursive") or self.rules.implicit_recursion) and isinstance(cte.this, exp.SetOperation)
            if may_recur and _names(cte.this, name):
                known[name] = self._recursive(cte, name, known, outer)
            else:
                known[name] = self.read(cte.this, known, outer).renamed(self.rules.columns(alias))
        return known

    def _recursive(self, cte: exp.Expr, name: str, ctes: CTEs, outer: Scope | None) -> Table:
        """First what does not refer to itself, then again and again with what came out, until nothing is new."""
        names = self.rules.columns(cte.args.get("alias"))
        first = cte.this
        while isinstance(first, exp.SetOperation) and _names(first, name):
            first = first.this
        result = self.read(first, self.with_(cte.this, ctes, outer), outer).renamed(names)
        for _ in range(MAX_ROUNDS):
            more = self.read(cte.this, {**ctes, name: result}, outer).renamed(names)
            same = [column.sources for column in more.columns] == [column.sources for column in result.columns]
            if same and more.rows == result.rows:
                return more
            result = more
        self.notes.say(f"{name}: it refers to itself in more ways than are followed")
        return result

    # SELECT

    def _select(self, node: exp.Expr, scope: Scope) -> Table:
        if (from_ := node.args.get("from_")) is not None:
            self.froms.item(from_.this, scope)
        self.froms.joins(node, scope)
        for lateral in node.args.get("laterals") or ():
            self.froms.item(lateral, scope)
        if (match := node.args.get("match")) is not None:
            self.notes.say("MATCH_RECOGNIZE is not followed")
            scope.tables = [(self.froms.alias(match), Table((), gap=0, blur=scope.everywhere()))]
        for window in node.args.get("windows") or ():
            scope.windows[window.name.casefold()] = window
        expressions = self.expressions(scope)
        for key in ("connect", "where"):
            if (clause := node.args.get(key)) is not None:
                expressions.collect(clause, FILTER, scope.rows)
        aliases: dict[str, Sources] = {}
        result = self._projected(node.expressions, scope, aliases)
        scope.aliases = aliases
        self._grouped(node, expressions, scope, result)
        for key in ("having", "qualify"):
            if (clause := node.args.get(key)) is not None:
                expressions.collect(clause, FILTER, scope.rows)
        distinct = node.args.get("distinct")
        if distinct is not None and (on := distinct.args.get("on")) is not None:
            expressions.collect(on, GROUP_BY, scope.rows)
        self._ordered(node, expressions, scope, result)
        return result.within(scope)

    def _projected(self, items: Sequence[exp.Expr], scope: Scope, aliases: dict[str, Sources]) -> Table:
        """The SELECT list. `aliases`: gets the columns that have a name of their own."""
        columns: list[Column] = []
        gap: int | None = None
        open_: list[Relation] = []
        blur: Sources = {}
        expressions = self.expressions(scope)
        if self.rules.lateral_aliases:
            scope.aliases = aliases
        for item in items:
            star = find_star(item)
            if star is None:
                sources = expressions.sources(item, IDENTITY)
                for name in self._output_names(item, len(columns)):
                    columns.append(Column(name, sources))
                    if isinstance(item, exp.Alias | exp.Aliases):
                        aliases.setdefault(name.casefold(), sources)
                continue
            for table in starred(item, star, scope, lambda each: expressions.sources(each, IDENTITY)):
                if table.gap is not None:
                    gap = len(columns) + table.gap if gap is None else gap
                    open_ += table.open
                    add(blur, table.blur)
                self.notes.step(len(table.columns))
                columns += table.columns
        return Table(columns, gap=gap, open_=dict.fromkeys(open_), blur=blur).within(scope)

    def _output_names(self, item: exp.Expr, position: int) -> list[str]:
        if isinstance(item, exp.Alias):
            return [self.rules.column(item.args["alias"])]
        if isinstance(item, exp.Aliases):
            return [self.rules.column(alias) for alias in item.args["expressions"]]
        if (identifier := find_output_identifier(item)) is not None:
            return [self.rules.column(identifier)]
        return [self.rules.unnamed(position) if self.rules.unnamed is not None else ""]

    # GROUP BY and ORDER BY

    def _grouped(self, node: exp.Expr, expressions: Expressions, scope: Scope, result: Table) -> None:
        group = node.args.get("group")
        if group is None:
            return
        if group.args.get("all"):
            for item in node.expressions:
                if item.find(exp.AggFunc) is None:
                    expressions.collect(item, GROUP_BY, scope.rows)
        for each in (*group.expressions, *_sets(group)):
            self._by(each, GROUP_BY, expressions, scope, result)

    def _ordered(self, node: exp.Expr, expressions: Expressions, scope: Scope, result: Table) -> None:
        for clause in (node.args.get("order"), node.args.get("sort")):
            for each in clause.expressions if clause is not None else ():
                by = each.this if isinstance(each, exp.Ordered) else each
                name = self.rules.column(by.this).casefold() if isinstance(by, exp.Column) and by.args.get("table") is None else ""
                if name in scope.aliases:  # here the SELECT list comes first
                    add(scope.rows, scope.aliases[name], SORT)
                elif isinstance(by, exp.Var) and by.name.upper() == "ALL":
                    add(scope.rows, result.everything(), SORT)
                else:
                    self._by(by, SORT, expressions, scope, result)

    def _by(self, node: exp.Expr, kind: int, expressions: Expressions, scope: Scope, result: Table) -> None:
        """An expression, or the position of an output column."""
        number = parse_position(node)
        if number is None:
            expressions.collect(node, kind, scope.rows)
            return
        position = number - 1
        if result.gap is not None and position >= result.gap:
            self.notes.say(f"{node.name}: which column is at this position is not known")
            add(scope.rows, result.everything(result.columns[result.gap :]), kind)
        elif 0 <= position < len(result.columns):
            add(scope.rows, result.columns[position].sources, kind)

    def _sorted(self, node: exp.Expr, inner: Table, scope: Scope) -> Table:
        """A query in parentheses, or of several parts, in an order: by its own columns."""
        if node.args.get("order") is None:
            return inner
        scope.put("", inner)
        self._ordered(node, self.expressions(scope), scope, inner)
        return inner.within(scope)

    # UNION and the like

    def _united(self, node: exp.Expr, scope: Scope) -> Table:
        """All parts: a chain of a thousand is no deep recursion."""
        chain = [node]
        ctes = scope.ctes
        while isinstance(chain[-1].this, exp.SetOperation) and chain[-1].this.args.get("order") is None:
            chain.append(chain[-1].this)
            ctes = self.with_(chain[-1], ctes, scope.outer)
        result = self.read(chain[-1].this, ctes, scope.outer)
        for each in reversed(chain):
            result = united(each, result, self.read(each.expression, ctes, scope.outer), self.notes)
        return self._sorted(node, result, scope)


def _sets(group: exp.Expr) -> Iterator[exp.Expr]:
    """What is in ROLLUP, CUBE and GROUPING SETS."""
    for key in ("rollup", "cube", "grouping_sets"):
        value = group.args.get(key)
        for each in value if isinstance(value, list) else ():
            yield from each.expressions


def _names(query: exp.Expr, name: str) -> bool:
    """Whether a query names a table."""
    return any(table.name.casefold() == name and table.args.get("db") is None for table in query.find_all(exp.Table))

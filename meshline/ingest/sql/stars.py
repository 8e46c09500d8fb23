"""`*`, `t.*`, and what EXCEPT, REPLACE and RENAME make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from meshline.ingest.sql.dialects import Rules
from meshline.ingest.sql.scopes import Scope
from meshline.ingest.sql.tables import Column, Sources, Table


def star_of(item: exp.Expr) -> exp.Expr | None:
    """The star of `*`, `t.*` and `a.b.*`; None for anything else."""
    if isinstance(item, exp.Star):
        return item
    last = item.this if isinstance(item, exp.Column) else item.expression if isinstance(item, exp.Dot) else None
    return last if isinstance(last, exp.Star) else None


def starred(item: exp.Expr, star: exp.Expr, scope: Scope, sources: Callable[[exp.Expr], Sources]) -> Iterator[Table]:
    """The tables that a star shows. `sources`: those of an expression."""
    rules = scope.rules
    hidden = {_name(each, rules) for each in star.args.get("except_") or ()}
    replaced = {_name(each, rules): Column(rules.column(each.args["alias"]), sources(each)) for each in star.args.get("replace") or ()}
    renamed = {_name(each.this, rules): rules.column(each.args["alias"]) for each in star.args.get("rename") or ()}
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
    elif scope.united:
        yield Table([Column(name, sources) for name, sources in scope.united.values()])
        for table in scope.visible():
            columns = [column for column in table.columns if column.name.casefold() not in scope.united]
            yield Table(columns, gap=None if table.gap is None else min(table.gap, len(columns)), open_=table.open, blur=table.blur)
    else:
        yield from scope.visible()


def _fields(what: str, scope: Scope) -> Table:
    """`column.*`: which fields a column has is not known."""
    scope.notes.say(f"{what}.*: its fields are not known")
    return Table((), gap=0, blur=scope.everywhere())


def _name(node: exp.Expr, rules: Rules) -> str:
    if isinstance(node, exp.Alias):
        return rules.column(node.args["alias"]).casefold()
    return rules.column(node.this if isinstance(node, exp.Column) else node).casefold()

"""The SELECT list: what each column is computed from."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from meshline.governance.diff.sql.expressions import Normal, Term, name
from meshline.governance.diff.sql.reader import CTEs, Reader
from meshline.governance.diff.sql.shapes import star_of
from meshline.governance.diff.sql.sources import Identify, Output, Scope


def projected(reader: Reader, node: exp.Select, scope: Scope, ctes: CTEs) -> list[Output]:
    """The columns of a SELECT. The scope gets the names that it gives them."""
    normal = reader.normal(scope, ctes, node)
    outputs: list[Output] = []
    for item in node.expressions:
        star = star_of(item)
        if star is not None:
            outputs += _starred(reader, item, star, scope, normal, ctes)
        elif isinstance(item, exp.Aliases):
            term = normal.term(item.this)
            outputs += (Output(reader.identify(alias), _part(term, i)) for i, alias in enumerate(item.args["expressions"]))
        elif isinstance(item, exp.Alias):
            outputs.append(Output(reader.identify(item.args["alias"]), normal.term(item.this)))
            scope.aliases.setdefault(outputs[-1].name, outputs[-1].term)
        else:
            outputs.append(Output(_name(item, len(outputs), reader.identify), normal.term(item)))
    return outputs


def _part(term: Term, i: int) -> Term:
    return Term(exp.Dot(this=term.node.copy(), expression=name(str(i))), term.partitions)


def _name(item: exp.Expr, position: int, identify: Identify) -> str:
    """The name of a column that is given none: its own, else its position."""
    while isinstance(item, exp.Paren):
        item = item.this
    last = item.this if isinstance(item, exp.Column) else item.expression if isinstance(item, exp.Dot) else None
    return identify(last) if isinstance(last, exp.Identifier) else f"#{position + 1}"


def _starred(reader: Reader, item: exp.Expr, star: exp.Star, scope: Scope, normal: Normal, ctes: CTEs) -> Iterator[Output]:
    """The columns for which `*` or `t.*` stands."""
    of = reader.identify(item.args["table"]) if isinstance(item, exp.Column) and item.args.get("table") else None
    without = {reader.identify(_bare(one)) for one in star.args.get("except_") or ()}
    instead = {reader.identify(one.args["alias"]): normal.term(one.this) for one in star.args.get("replace") or ()}
    renamed = {reader.identify(_bare(one.this)): reader.identify(one.args["alias"]) for one in star.args.get("rename") or ()}
    found = list(scope.starred(of))
    if not found or star.args.get("ilike"):
        yield Output("*", Term(name(f"?.{reader.plain(item, ctes)}")), open=True)
        return
    shown: set[str] = set()
    for source in found:
        if source.open:
            said = [f"without {one}" for one in sorted(without)] + [f"{one} as {other}" for one, other in sorted(renamed.items())]
            said += [f"{one} is {reader.written(term)}" for one, term in sorted(instead.items())]
            yield Output("*", Term(name(f"{source.key}.*" + (f" ({', '.join(said)})" if said else ""))), open=True)
        for column, term in source.columns.items():
            joined = of is None and column in scope.using and column in shown
            if column not in without and not joined:
                shown.add(column)
                yield Output(renamed.get(column, column), instead.get(column, term))


def _bare(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Column) else node

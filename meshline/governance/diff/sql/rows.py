"""What decides which rows there are: WHERE, HAVING, QUALIFY, GROUP BY, DISTINCT, LIMIT."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from meshline.governance.diff.sql.expressions import Normal, Term, text_of
from meshline.governance.diff.sql.reader import FILTER, GROUPING, JOIN, Block, CTEs, Reader
from meshline.governance.diff.sql.shapes import aggregates
from meshline.governance.diff.sql.sources import Output, Scope


def filtered(reader: Reader, node: exp.Select, scope: Scope, ctes: CTEs, block: Block) -> None:
    of_rows = reader.normal(scope, ctes, node)
    of_groups = reader.normal(scope.with_aliases(), ctes, node)
    for clause, normal in (("prewhere", of_rows), ("where", of_rows), ("having", of_groups), ("qualify", of_groups)):
        if (given := node.args.get(clause)) is not None:
            block.filters.extend(normal.terms(given.this))


def grouped(reader: Reader, node: exp.Select, scope: Scope, ctes: CTEs, place: str, outputs: Sequence[Output]) -> None:
    """GROUP BY and DISTINCT."""
    normal = reader.normal(scope.with_aliases(), ctes, node)
    distinct, group = node.args.get("distinct"), node.args.get("group")
    if distinct is not None and (on := distinct.args.get("on")) is not None:
        keys = ", ".join(sorted(_listed(reader, on, normal, outputs)))
        reader.say(GROUPING, place, f"DISTINCT ON ({keys}){ordered(reader, node, scope, ctes, outputs)}")
    elif distinct is not None:
        reader.say(GROUPING, place, f"DISTINCT {told_apart(reader, outputs)}")
    if group is not None:
        keys_ = set(_listed(reader, group, normal, outputs))
        if group.args.get("all"):
            keys_ |= {reader.written(output.term) for item, output in zip(node.expressions, outputs, strict=False) if not aggregates(item)}
        for key in sorted(keys_) or ["()"]:
            reader.say(GROUPING, place, f"GROUP BY {key}")
        if group.args.get("totals"):
            reader.say(GROUPING, place, "WITH TOTALS")
    elif node.args.get("having") is not None or any(aggregates(item) for item in node.expressions):
        reader.say(GROUPING, place, "one row of all")


def told_apart(reader: Reader, outputs: Sequence[Output]) -> str:
    """The columns by which rows are told apart: whatever they are computed from decides how many there are."""
    return ", ".join(sorted(reader.written(one.term) for one in outputs))


def _listed(reader: Reader, clause: exp.Expr, normal: Normal, outputs: Sequence[Output]) -> Iterator[str]:
    """Expressions, columns of the SELECT list by position, and what ROLLUP, CUBE and GROUPING SETS have of them."""
    items = list(clause.expressions)
    for argument in ("rollup", "cube", "grouping_sets"):
        value = clause.args.get(argument)
        items += value if isinstance(value, list) else []
    for item in items:
        yield reader.written(_positioned(item, outputs) or normal.term(item))


def _positioned(item: exp.Expr, outputs: Sequence[Output]) -> Term | None:
    """The column of the SELECT list that a number stands for."""
    if not isinstance(item, exp.Literal) or item.is_string or not item.name.isdecimal():
        return None
    before = outputs[: int(item.name)]
    return before[-1].term if len(before) == int(item.name) > 0 and not any(one.open for one in before) else None


def ordered(reader: Reader, node: exp.Expr, scope: Scope, ctes: CTEs, outputs: Sequence[Output]) -> str:
    """ORDER BY, where it matters; empty if there is none."""
    order = node.args.get("order")
    if order is None:
        return ""
    normal = reader.normal(scope.with_aliases(), ctes, node)
    said: list[str] = []
    for one in order.expressions:
        by = one.this if isinstance(one, exp.Ordered) else one
        nulls = {True: " NULLS FIRST", False: " NULLS LAST"}.get(one.args.get("nulls_first"), "")
        said.append(f"{reader.written(_positioned(by, outputs) or normal.term(by))}{' DESC' if one.args.get('desc') else ''}{nulls}")
    return f" ORDER BY {', '.join(said)}"


def cut(reader: Reader, node: exp.Expr, scope: Scope, ctes: CTEs, place: str, outputs: Sequence[Output]) -> None:
    """LIMIT and OFFSET; an order only matters with them."""
    cuts = [node.args[argument] for argument in ("limit", "offset") if node.args.get(argument) is not None]
    if cuts:
        text = " ".join(one.sql(reader.settings.dialect, comments=False).strip() for one in cuts)
        reader.say(FILTER, place, text + ordered(reader, node, scope, ctes, outputs))


def close(reader: Reader, block: Block) -> None:
    """Say what the block filters and joins. Inner joins may stand in any order, so their conditions count by themselves."""
    for term in block.filters:
        reader.say(FILTER, block.place, text_of(term.node, reader.settings.dialect))
        for one in term.partitions:
            reader.say(GROUPING, block.place, f"OVER (PARTITION BY {one})" if one else "OVER ()")
    inner = all(kind in ("FROM", "JOIN") for kind, _, _ in block.joins)
    for i, (kind, what, conditions) in enumerate(block.joins):
        text = f"{kind} {what}{_on(conditions)}"
        reader.joins.append(text)
        for said in (what, *(f"ON {one}" for one in conditions)) if inner else (text,):
            reader.say(JOIN, block.place if inner else f"{block.place}, {i}", said)


def _on(conditions: Sequence[str]) -> str:
    return f" ON {' AND '.join(sorted(set(conditions)))}" if conditions else ""

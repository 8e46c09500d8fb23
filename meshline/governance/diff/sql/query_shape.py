"""What can be seen of a query by its parse tree alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp

SET_OPERATION = frozenset({"with_", "this", "expression", "distinct", "by_name", "side", "kind", "on", "order"})
_ORDERS = frozenset({"order", "sort", "cluster", "distribute", "hint", "locks"})  # without LIMIT they do not matter
_CHOOSING = frozenset({"with_", "expressions", "from_", *_ORDERS})
UNDERSTOOD = frozenset(
    {
        *("joins", "laterals", "prewhere", "where", "group", "having", "qualify", "windows", "distinct", "limit", "offset"),
        *_CHOOSING,
        *SET_OPERATION,
    }
)
_VOLATILE = (exp.Rand, exp.Randn, exp.Uuid)


def modified(node: exp.Expr, besides: Collection[str]) -> bool:
    """Whether it has other parts than these."""
    return any(value and argument not in besides and argument != "this" for argument, value in node.args.items())


def only_chooses(node: exp.Select) -> bool:
    """Whether it only chooses and names columns of one source."""
    if node.args.get("from_") is None or modified(node, _CHOOSING):
        return False
    bare = [item.this if isinstance(item, exp.Alias) else item for item in node.expressions]
    return all(isinstance(item, exp.Column | exp.Star) for item in bare)


def merges(node: exp.Select, *, into_join: bool) -> bool:
    """Whether it only chooses, computes, filters and joins row by row, so that it may be a part of the query around it.
    `into_join`: where that joins it, and does not begin with it.
    """
    joins = node.args.get("joins") or []
    if node.args.get("from_") is None or modified(node, {"joins", "where", *_CHOOSING}):
        return False
    if any(join.side in ("RIGHT", "FULL") or join.args.get("method") for join in joins):
        return False
    if into_join and any(kind_of(join) != "JOIN" for join in joins):
        return False
    return not any(item.find(exp.AggFunc, exp.Window, exp.UDTF, exp.Explode, exp.Posexplode, *_VOLATILE) for item in node.expressions)


def aggregates(item: exp.Expr) -> bool:
    """Whether it makes one row of many: what is over a window does not, nor within another query, unless it is of columns of ours."""
    return any(_is_ours(one, item) for one in item.find_all(exp.AggFunc))


def _is_ours(function: exp.Expr, item: exp.Expr) -> bool:
    """Whether a function that aggregates does so over the rows of the query that has the item in its list."""
    inside: set[str] = set()  # sources of queries between
    node, is_inside = function, False
    while node is not item and node.parent is not None:
        node = node.parent
        if isinstance(node, exp.Window) and not is_inside:
            return False
        if isinstance(node, exp.Select):
            is_inside = True
            sources = [node.args.get("from_"), *(node.args.get("joins") or ())]
            inside |= {one.this.alias_or_name.casefold() for one in sources if one is not None}
    columns = list(function.find_all(exp.Column))
    return not is_inside or (bool(columns) and all(one.table and one.table.casefold() not in inside for one in columns))


def kind_of(join: exp.Join) -> str:
    """`JOIN` of inner joins, however they are written; `LEFT JOIN`, `NATURAL FULL JOIN`, `LEFT SEMI JOIN`."""
    kind = "" if join.kind in ("INNER", "CROSS", "OUTER") else join.kind
    return " ".join(filter(None, (join.method, join.side, kind, "JOIN")))


def set_kind_of(node: exp.SetOperation) -> str:
    """`UNION ALL`, `EXCEPT`, `UNION BY NAME`."""
    words = (node.args.get("side"), node.args.get("kind"), type(node).__name__.upper(), "" if node.args.get("distinct") else "ALL")
    return " ".join(str(word) for word in words if word) + (" BY NAME" if node.args.get("by_name") else "")


def star_of(item: exp.Expr) -> exp.Star | None:
    """The star of `*` and `t.*`."""
    found = item.this if isinstance(item, exp.Column) else item
    return found if isinstance(found, exp.Star) else None


def is_bare_table(item: exp.Expr) -> bool:
    """Whether it is a name and an alias, and nothing else."""
    return isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier) and not modified(item, {"db", "catalog", "alias"})


def unwrapped(item: exp.Expr) -> exp.Expr | None:
    """The query in parentheses that stands in place of a table."""
    plain = isinstance(item, exp.Subquery) and isinstance(item.this, exp.Query) and not modified(item, {"alias", "with_"})
    return item.this if plain else None


def first_table(query: exp.Expr, named: Mapping[str, exp.Expr]) -> str:
    """The name of the first table that a query reads. `named`: common table expressions, by names in lower case."""
    for _ in range(100):
        if (with_ := query.args.get("with_")) is not None:
            named = {**named, **{cte.alias.casefold(): cte.this for cte in with_.expressions}}
        if isinstance(query, exp.Select):
            if (from_ := query.args.get("from_")) is None:
                return "row"
            query = from_.this
        elif isinstance(query, exp.Table):
            called = query.name or query.this.key
            cte = named.get(called.casefold()) if not query.args.get("db") else None
            if cte is None:
                return called.casefold()
            query = cte
        elif isinstance(query, exp.Subquery | exp.SetOperation):
            query = query.this
        else:
            return query.key
    return "query"

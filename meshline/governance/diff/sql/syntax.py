"""The syntax of a query: what its parse tree alone shows, and expressions in one form.

Two expressions are equal in that form if they certainly mean the same: without redundant parentheses and comments, operands of AND,
OR, = in one order, each column as the expression that computes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from sqlglot import exp

MAX_NODES = 400  # of an expression that is written out; beyond, its digest replaces it


class Term(NamedTuple):
    """An expression in normal form. `partitions`: of the windows in it, in order, which the expression itself leaves out."""

    node: exp.Expr
    partitions: tuple[str, ...] = ()


class Normalizer:
    """Brings expressions of one query into normal form. `column`: the term of a column; `query`: a query within an
    expression, as one text; `window`: a window by its name.
    """

    def __init__(
        self,
        dialect: str,
        column: Callable[[exp.Column], Term],
        query: Callable[[exp.Expr], Term],
        window: Callable[[str], exp.Expr | None],
    ) -> None:
        self._dialect = dialect
        self._column = column
        self._query = query
        self._window = window

    def normalize(self, node: exp.Expr) -> Term:
        """The normal form of an expression."""
        partitions: list[str] = []
        return Term(bound_node(self._normalize(node, partitions), self._dialect), tuple(partitions))

    def normalize_conjuncts(self, node: exp.Expr) -> Iterator[Term]:
        """Each of what AND joins."""
        for one in _list_operands(node, exp.And):
            yield self.normalize(one)

    def format_text(self, node: exp.Expr) -> str:
        """An expression in normal form as SQL."""
        return format_node(node, self._dialect)

    def _normalize(self, node: exp.Expr, partitions: list[str]) -> exp.Expr:
        if isinstance(node, exp.Paren):
            return self._normalize(node.this, partitions)
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return self._insert_term(self._column(node), partitions)
        if isinstance(node, exp.Query):
            return self._insert_term(self._query(node), partitions)
        if isinstance(node, exp.And | exp.Or):
            return self._normalize_connector(node, partitions)
        if isinstance(node, exp.Window):
            return self._normalize_window(node, partitions)
        return _normalize_order(self._copy_node(node, partitions), self._dialect)

    def _insert_term(self, term: Term, partitions: list[str]) -> exp.Expr:
        partitions += term.partitions
        return term.node.copy()

    def _copy_node(self, node: exp.Expr, partitions: list[str]) -> exp.Expr:
        """The node with its parts in normal form, and without comments."""
        made = type(node)()
        for name, value in node.args.items():
            if isinstance(value, exp.Expr):
                made.set(name, self._normalize(value, partitions))
            elif isinstance(value, list):
                made.set(name, [self._normalize(one, partitions) if isinstance(one, exp.Expr) else one for one in value])
            else:
                made.set(name, value)
        if isinstance(made, exp.Anonymous) and isinstance(made.this, str):
            made.set("this", made.this.upper())
        return made

    def _normalize_connector(self, node: exp.Expr, partitions: list[str]) -> exp.Expr:
        kind = type(node)
        found: dict[str, tuple[exp.Expr, list[str]]] = {}
        for one in _list_operands(node, kind):
            inner: list[str] = []
            made = self._normalize(one, inner)
            found.setdefault(self.format_text(made), (made, inner))
        operands = [found[text] for text in sorted(found)]
        for _, inner in operands:
            partitions += inner
        result = operands[0][0]
        for made, _ in operands[1:]:
            result = kind(this=result, expression=made)
        return result

    def _normalize_window(self, node: exp.Expr, partitions: list[str]) -> exp.Expr:
        """A window without its partition. A named one is written out."""
        named = self._window(node.alias) if node.alias else None
        parts = dict(node.args)
        if named is not None:
            inherited = self._window(named.alias) if named.alias else None
            for name in ("partition_by", "order", "spec"):
                parts[name] = parts.get(name) or named.args.get(name) or (inherited.args.get(name) if inherited is not None else None)
            parts["alias"] = None
        by = parts.pop("partition_by", None) or ()
        own = sorted(self.format_text(self._normalize(one, partitions)) for one in by)
        made = self._copy_node(type(node)(**{name: _detach_part(value) for name, value in parts.items()}), partitions)
        partitions.append(", ".join(own))
        return made


def _detach_part(value: object) -> object:
    """A copy of a part, so that the query keeps its own."""
    if isinstance(value, exp.Expr):
        return value.copy()
    return [_detach_part(one) for one in value] if isinstance(value, list) else value


def _list_operands(node: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    """What a chain of AND, or of OR, joins. A chain of thousands is no deep recursion."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        while isinstance(one, exp.Paren):
            one = one.this
        if isinstance(one, kind):
            waiting += [one.expression, one.this]
        else:
            yield one


_MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE}
_SYMMETRIC = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
_NEGATED: dict[type[exp.Expr], type[exp.Expr]] = {exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}


def _normalize_order(node: exp.Expr, dialect: str) -> exp.Expr:
    """What can be written in two ways, in one: comparisons have their constant on the right."""
    kind = type(node)
    if kind in _MIRRORED or kind in _SYMMETRIC:
        sides = sorted((node.this, node.expression), key=lambda side: (isinstance(side, exp.Literal), format_node(side, dialect)))
        same = sides[0] is node.this
        return (kind if same or kind in _SYMMETRIC else _MIRRORED[kind])(this=sides[0], expression=sides[1])
    if kind is exp.Not and type(node.this) in _NEGATED:
        return _NEGATED[type(node.this)](this=node.this.this, expression=node.this.expression)
    if kind is exp.Not and type(node.this) is exp.Not:
        inner: exp.Expr = node.this.this
        return inner
    if kind is exp.In and node.expressions and all(isinstance(one, exp.Literal) for one in node.expressions):
        listed = {format_node(one, dialect): one for one in node.expressions}
        node.set("expressions", [listed[text] for text in sorted(listed)])
    if kind is exp.Ordered:
        node.set("desc", node.args.get("desc") or None)
    if kind is exp.Count and isinstance(node.this, exp.Literal):
        node.set("this", exp.Star())
    return node


_OPERATORS = (exp.Binary, exp.Unary, exp.Between, exp.In)


def format_node(node: exp.Expr, dialect: str) -> str:
    """A node in normal form as SQL, with the parentheses that show its structure."""
    made = node.copy()
    for one in reversed(list(made.walk())):  # what is inside comes first
        if _needs_parentheses(one, one.parent):
            around = exp.Paren()
            one.replace(around)
            around.set("this", one)
    return made.sql(dialect, comments=False)


def _needs_parentheses(node: exp.Expr, parent: exp.Expr | None) -> bool:
    if not isinstance(node, _OPERATORS) or not isinstance(parent, (*_OPERATORS, exp.Bracket)) or isinstance(node, exp.Dot):
        return False
    return not isinstance(parent, exp.Connector) or (isinstance(node, exp.Connector) and type(node) is not type(parent))


def bound_node(node: exp.Expr, dialect: str) -> exp.Expr:
    """The node, or its digest in its place if it is too large: so that it can be inserted many times."""
    for count, _ in enumerate(node.walk()):
        if count > MAX_NODES:
            return build_name(f"#{digest_text(format_node(node, dialect))}")
    return node


def digest_text(text: str) -> str:
    """A digest of 16 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def build_name(text: str) -> exp.Expr:
    """Something by its name, as it is."""
    return exp.Var(this=text)


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


def has_other_parts(node: exp.Expr, besides: Collection[str]) -> bool:
    """Whether it has other parts than these."""
    return any(value and argument not in besides and argument != "this" for argument, value in node.args.items())


def is_projection(node: exp.Select) -> bool:
    """Whether it only chooses and names columns of one source."""
    if node.args.get("from_") is None or has_other_parts(node, _CHOOSING):
        return False
    bare = [item.this if isinstance(item, exp.Alias) else item for item in node.expressions]
    return all(isinstance(item, exp.Column | exp.Star) for item in bare)


def can_merge(node: exp.Select, *, into_join: bool) -> bool:
    """Whether it only chooses, computes, filters and joins row by row, so that it may be a part of the query around it.
    `into_join`: where that joins it, and does not begin with it.
    """
    joins = node.args.get("joins") or []
    if node.args.get("from_") is None or has_other_parts(node, {"joins", "where", *_CHOOSING}):
        return False
    if any(join.side in ("RIGHT", "FULL") or join.args.get("method") for join in joins):
        return False
    if into_join and any(format_join_kind(join) != "JOIN" for join in joins):
        return False
    return not any(item.find(exp.AggFunc, exp.Window, exp.UDTF, exp.Explode, exp.Posexplode, *_VOLATILE) for item in node.expressions)


def is_aggregate(item: exp.Expr) -> bool:
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


def format_join_kind(join: exp.Join) -> str:
    """`JOIN` of inner joins, however they are written; `LEFT JOIN`, `NATURAL FULL JOIN`, `LEFT SEMI JOIN`."""
    kind = "" if join.kind in ("INNER", "CROSS", "OUTER") else join.kind
    return " ".join(filter(None, (join.method, join.side, kind, "JOIN")))


def format_set_kind(node: exp.SetOperation) -> str:
    """`UNION ALL`, `EXCEPT`, `UNION BY NAME`."""
    words = (node.args.get("side"), node.args.get("kind"), type(node).__name__.upper(), "" if node.args.get("distinct") else "ALL")
    return " ".join(str(word) for word in words if word) + (" BY NAME" if node.args.get("by_name") else "")


def is_bare_table(item: exp.Expr) -> bool:
    """Whether it is a name and an alias, and nothing else."""
    return isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier) and not has_other_parts(item, {"db", "catalog", "alias"})


def unwrap_query(item: exp.Expr) -> exp.Expr | None:
    """The query in parentheses in place of a table."""
    plain = isinstance(item, exp.Subquery) and isinstance(item.this, exp.Query) and not has_other_parts(item, {"alias", "with_"})
    return item.this if plain else None


def find_first_table(query: exp.Expr, named: Mapping[str, exp.Expr]) -> str:
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

"""Where the value of an expression comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from sqlglot import exp

from meshline.sql.flow_kinds import AGGREGATION, CONDITIONAL, MASKED, TRANSFORMATION, WINDOW, merged
from meshline.sql.scopes import Scope, Sources, Table, add

# What cannot be told back from its result, as the Spark listener sees it: hashes, masks, and count().
_MASKING = (
    exp.Count, exp.CountIf, exp.MD5, exp.MD5Digest, exp.MD5NumberLower64, exp.MD5NumberUpper64, exp.SHA, exp.SHA1Digest, exp.SHA2,
    exp.SHA2Digest, exp.StandardHash, exp.FarmFingerprint, exp.CityHash64, exp.HashAgg,
)  # fmt: skip
_MASKING_NAMES = frozenset({
    "checksum", "crc32", "digest", "farm_fingerprint", "fnv_hash", "hash", "hashbytes", "hmac_md5", "hmac_sha1", "hmac_sha256",
    "hmac_sha512", "mask", "mask_hash", "md5", "murmur3", "murmur_hash3_32", "sha", "sha1", "sha224", "sha256", "sha384", "sha512",
    "spooky_hash_v2_32", "spooky_hash_v2_64", "standard_hash", "xxhash64", "xxhash",
})  # fmt: skip
# Window functions whose arguments are no part of the result.
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile)
_NEIGHBOURS = (exp.Lag, exp.Lead, exp.NthValue)  # values of other rows, not sums of them
_PLAIN = (exp.Alias, exp.Paren, exp.Distinct, exp.Ordered, exp.Order, exp.Where, exp.Having, exp.Qualify, exp.Tuple, exp.Group,
          exp.IgnoreNulls, exp.RespectNulls, exp.Aliases, exp.Any, exp.All, exp.Lambda)  # fmt: skip
_NO_COLUMNS = (exp.Literal, exp.Identifier, exp.DataType, exp.Null, exp.Boolean, exp.Var, exp.Parameter, exp.Placeholder,
               exp.SessionParameter, exp.ColumnDef, exp.JSONPath)  # fmt: skip

Pending: TypeAlias = list[tuple[exp.Expr, int]]
Step: TypeAlias = Callable[["Expressions", exp.Expr, int, Pending], None]


class Expressions:
    """Collects sources within one scope. `query`: what a query in an expression gives."""

    def __init__(self, scope: Scope, query: Callable[[exp.Expr, Scope], Table]) -> None:
        self._scope = scope
        self._query = query
        self._to: Sources = {}

    def sources(self, node: exp.Expr, kind: int) -> Sources:
        """Where the value of an expression comes from, when it is used in a way."""
        to: Sources = {}
        self.collect(node, kind, to)
        return to

    def collect(self, node: exp.Expr, kind: int, to: Sources) -> None:
        """Add the sources of an expression. Without recursion but for queries: long chains of AND and || are deep trees."""
        before, self._to = self._to, to
        pending: Pending = [(node, kind)]
        while pending:
            node, kind = pending.pop()
            _step(type(node))(self, node, kind, pending)
        self._to = before

    def column(self, node: exp.Expr, kind: int, _: Pending) -> None:
        assert isinstance(node, exp.Column)
        this = node.this
        if isinstance(this, exp.Star):
            table = self._scope.alias(self._scope.rules.table(node.args["table"]))
            if table is not None:
                add(self._to, table.everything(), kind)
        elif isinstance(this, exp.Identifier):
            found = self._scope.column(node)
            self._scope.notes.step(len(found))
            add(self._to, found, kind)
        else:  # Snowflake's t.$2: a column by its position
            add(self._to, self._scope.everywhere(), kind)

    def star(self, _: exp.Expr, kind: int, __: Pending) -> None:
        for table in self._scope.list_visible():
            add(self._to, table.everything(), kind)

    def plain(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        pending += [(child, kind) for child in node.iter_expressions()]

    def nothing(self, _: exp.Expr, __: int, ___: Pending) -> None:
        """It has no columns."""

    def transformation(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        kind = merged(kind, TRANSFORMATION)
        pending += [(child, kind) for child in node.iter_expressions()]

    def named_function(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        masking = node.name.lower() in _MASKING_NAMES
        kind = merged(kind, TRANSFORMATION + (MASKED if masking else 0))
        pending += [(child, kind) for child in node.iter_expressions()]

    def masking(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        kind = merged(kind, (AGGREGATION if isinstance(node, exp.AggFunc) else TRANSFORMATION) + MASKED)
        counted = node.this
        if not isinstance(counted, exp.Star):
            pending += [(child, kind) for child in node.iter_expressions()]

    def aggregation(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        kind = merged(kind, AGGREGATION)
        pending += [(child, kind) for child in node.iter_expressions()]

    def filtered(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`sum(x) FILTER (WHERE y)`."""
        pending.append((node.this, kind))
        pending.append((node.expression, merged(kind, CONDITIONAL)))

    def within_group(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`percentile_cont(0.5) WITHIN GROUP (ORDER BY x)`: what is ordered is what is aggregated."""
        pending += [(child, merged(kind, AGGREGATION)) for child in node.iter_expressions()]

    def case(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        condition = merged(kind, CONDITIONAL)
        if node.this is not None:
            pending.append((node.this, condition))
        for branch in node.args["ifs"]:
            pending += [(branch.this, condition), (branch.args["true"], kind)]
        if (default := node.args.get("default")) is not None:
            pending.append((default, kind))

    def if_(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`IF(a, b, c)` and `NVL2(a, b, c)`."""
        pending.append((node.this, merged(kind, CONDITIONAL)))
        pending += [(branch, kind) for name in ("true", "false") if (branch := node.args.get(name)) is not None]

    def coalesce(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """Each value is one, and decides by being null."""
        for value in (node.this, *node.expressions):
            pending += [(value, kind), (value, merged(kind, CONDITIONAL))]

    def nullif(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        condition = merged(kind, CONDITIONAL)
        pending += [(node.this, kind), (node.this, condition), (node.expression, condition)]

    def decode(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`DECODE(value, search, result, ..., default)`."""
        condition = merged(kind, CONDITIONAL)
        value, *rest = node.expressions
        pending.append((value, condition))
        for position, each in enumerate(rest):
            is_result = position % 2 == 1 or position == len(rest) - 1
            pending.append((each, kind if is_result else condition))

    def window(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        function = node.this
        while isinstance(function, exp.IgnoreNulls | exp.RespectNulls):
            function = function.this
        if not isinstance(function, _RANKS):
            pending.append((function, merged(kind, TRANSFORMATION)))
        pending += [(part, merged(kind, WINDOW)) for part in self._over(node)]

    def _over(self, node: exp.Expr) -> Iterator[exp.Expr]:
        """What a window is by; of a named one, what its definition says."""
        name = node.args.get("alias")
        known = self._scope.windows.get(name.name.casefold()) if name is not None else None
        for window in (node, known):
            if window is not None:
                yield from window.args.get("partition_by") or ()
                yield from (part for key in ("order", "spec") if (part := window.args.get(key)) is not None)

    def query(self, node: exp.Expr, kind: int, _: Pending) -> None:
        """What a query gives, and what decides about its rows."""
        table = self._query(node, self._scope)
        add(self._to, table.everything(), kind)
        self._decided(table, kind)

    def exists(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """Only which rows there are counts; with a lambda it is a function of arrays."""
        if isinstance(node.this, exp.Query):
            self._decided(self._query(node.this, self._scope), kind)
        else:
            self.transformation(node, kind, pending)

    def _decided(self, table: Table, kind: int) -> None:
        add(self._to, table.rows, kind)
        self._scope.reads.update(table.reads)


def _step(kind: type[exp.Expr]) -> Step:
    """What to do with a kind of node: the first row whose classes it is of."""
    step = _known.get(kind)
    if step is None:
        step = next((step for classes, step in _STEPS if issubclass(kind, classes)), Expressions.transformation)
        _known[kind] = step
    return step


_known: dict[type[exp.Expr], Step] = {}
_STEPS: tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Step], ...] = (
    (exp.Column, Expressions.column),
    ((exp.Star, exp.Columns), Expressions.star),
    (_NO_COLUMNS, Expressions.nothing),
    (_PLAIN, Expressions.plain),
    (exp.Case, Expressions.case),
    ((exp.If, exp.Nvl2), Expressions.if_),
    (exp.Coalesce, Expressions.coalesce),
    (exp.Nullif, Expressions.nullif),
    (exp.DecodeCase, Expressions.decode),
    (exp.Window, Expressions.window),
    (exp.Filter, Expressions.filtered),
    (exp.WithinGroup, Expressions.within_group),
    (exp.Exists, Expressions.exists),
    ((exp.Query, exp.Values), Expressions.query),
    (_MASKING, Expressions.masking),
    (_NEIGHBOURS, Expressions.transformation),
    (exp.AggFunc, Expressions.aggregation),
    (exp.Anonymous, Expressions.named_function),
)

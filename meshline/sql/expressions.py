"""The columns from which the value of an expression comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from sqlglot import exp

from meshline.sql.flow_kinds import AGGREGATION, CONDITIONAL, MASKED, TRANSFORMATION, WINDOW, combine_kinds
from meshline.sql.query_scopes import Scope, Sources, Table, add_sources

# Functions whose argument cannot be recovered from the result, by the rules of the Spark listener: hashes, masks, and count().
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

    def collect_sources(self, node: exp.Expr, kind: int) -> Sources:
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
            _find_step(type(node))(self, node, kind, pending)
        self._to = before

    def follow_column(self, node: exp.Expr, kind: int, _: Pending) -> None:
        """The sources of a column, or of all columns of a table for `t.*`."""
        assert isinstance(node, exp.Column)
        this = node.this
        if isinstance(this, exp.Star):
            table = self._scope.find_by_alias(self._scope.rules.spell_table(node.args["table"]))
            if table is not None:
                add_sources(self._to, table.collect_everything(), kind)
        elif isinstance(this, exp.Identifier):
            found = self._scope.resolve_column(node)
            self._scope.notes.count_steps(len(found))
            add_sources(self._to, found, kind)
        else:  # Snowflake's t.$2: a column by its position
            add_sources(self._to, self._scope.collect_everywhere(), kind)

    def follow_star(self, _: exp.Expr, kind: int, __: Pending) -> None:
        """All columns of the visible tables."""
        for table in self._scope.list_visible():
            add_sources(self._to, table.collect_everything(), kind)

    def follow_plain(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """The value of each part, unchanged."""
        pending += [(child, kind) for child in node.iter_expressions()]

    def skip_node(self, _: exp.Expr, __: int, ___: Pending) -> None:
        """It has no columns."""

    def follow_transformation(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """A value computed from each part."""
        kind = combine_kinds(kind, TRANSFORMATION)
        pending += [(child, kind) for child in node.iter_expressions()]

    def follow_named_function(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """A function that sqlglot does not know: a transformation, and masking by its name."""
        masking = node.name.lower() in _MASKING_NAMES
        kind = combine_kinds(kind, TRANSFORMATION + (MASKED if masking else 0))
        pending += [(child, kind) for child in node.iter_expressions()]

    def follow_masking(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """A function whose argument cannot be recovered from its result; `count(*)` has no argument."""
        kind = combine_kinds(kind, (AGGREGATION if isinstance(node, exp.AggFunc) else TRANSFORMATION) + MASKED)
        counted = node.this
        if not isinstance(counted, exp.Star):
            pending += [(child, kind) for child in node.iter_expressions()]

    def follow_aggregation(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """A value computed from the values of several rows."""
        kind = combine_kinds(kind, AGGREGATION)
        pending += [(child, kind) for child in node.iter_expressions()]

    def follow_filter(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`sum(x) FILTER (WHERE y)`."""
        pending.append((node.this, kind))
        pending.append((node.expression, combine_kinds(kind, CONDITIONAL)))

    def follow_within_group(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`percentile_cont(0.5) WITHIN GROUP (ORDER BY x)`: what is ordered is what is aggregated."""
        pending += [(child, combine_kinds(kind, AGGREGATION)) for child in node.iter_expressions()]

    def follow_case(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """The branches are values; the conditions decide between them."""
        condition = combine_kinds(kind, CONDITIONAL)
        if node.this is not None:
            pending.append((node.this, condition))
        for branch in node.args["ifs"]:
            pending += [(branch.this, condition), (branch.args["true"], kind)]
        if (default := node.args.get("default")) is not None:
            pending.append((default, kind))

    def follow_if(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`IF(a, b, c)` and `NVL2(a, b, c)`."""
        pending.append((node.this, combine_kinds(kind, CONDITIONAL)))
        pending += [(branch, kind) for name in ("true", "false") if (branch := node.args.get(name)) is not None]

    def follow_coalesce(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """Each value is one, and decides by being null."""
        for value in (node.this, *node.expressions):
            pending += [(value, kind), (value, combine_kinds(kind, CONDITIONAL))]

    def follow_nullif(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """The first value, and a condition over both."""
        condition = combine_kinds(kind, CONDITIONAL)
        pending += [(node.this, kind), (node.this, condition), (node.expression, condition)]

    def follow_decode(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """`DECODE(value, search, result, ..., default)`."""
        condition = combine_kinds(kind, CONDITIONAL)
        value, *rest = node.expressions
        pending.append((value, condition))
        for position, each in enumerate(rest):
            is_result = position % 2 == 1 or position == len(rest) - 1
            pending.append((each, kind if is_result else condition))

    def follow_window(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """The value of the function, and the expressions of its window, which decide about it."""
        function = node.this
        while isinstance(function, exp.IgnoreNulls | exp.RespectNulls):
            function = function.this
        if not isinstance(function, _RANKS):
            pending.append((function, combine_kinds(kind, TRANSFORMATION)))
        pending += [(part, combine_kinds(kind, WINDOW)) for part in self._list_window_parts(node)]

    def _list_window_parts(self, node: exp.Expr) -> Iterator[exp.Expr]:
        """The expressions of a window: PARTITION BY, ORDER BY and the frame, also those of the definition of a named window."""
        name = node.args.get("alias")
        known = self._scope.windows.get(name.name.casefold()) if name is not None else None
        for window in (node, known):
            if window is not None:
                yield from window.args.get("partition_by") or ()
                yield from (part for key in ("order", "spec") if (part := window.args.get(key)) is not None)

    def follow_query(self, node: exp.Expr, kind: int, _: Pending) -> None:
        """What a query gives, and what decides about its rows."""
        table = self._query(node, self._scope)
        add_sources(self._to, table.collect_everything(), kind)
        self._add_rows(table, kind)

    def follow_exists(self, node: exp.Expr, kind: int, pending: Pending) -> None:
        """Only which rows there are counts; with a lambda it is a function of arrays."""
        if isinstance(node.this, exp.Query):
            self._add_rows(self._query(node.this, self._scope), kind)
        else:
            self.follow_transformation(node, kind, pending)

    def _add_rows(self, table: Table, kind: int) -> None:
        add_sources(self._to, table.rows, kind)
        self._scope.reads.update(table.reads)


def _find_step(kind: type[exp.Expr]) -> Step:
    """What to do with a kind of node: the first row whose classes it is of."""
    step = _known.get(kind)
    if step is None:
        step = next((step for classes, step in _STEPS if issubclass(kind, classes)), Expressions.follow_transformation)
        _known[kind] = step
    return step


_known: dict[type[exp.Expr], Step] = {}
_STEPS: tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Step], ...] = (
    (exp.Column, Expressions.follow_column),
    ((exp.Star, exp.Columns), Expressions.follow_star),
    (_NO_COLUMNS, Expressions.skip_node),
    (_PLAIN, Expressions.follow_plain),
    (exp.Case, Expressions.follow_case),
    ((exp.If, exp.Nvl2), Expressions.follow_if),
    (exp.Coalesce, Expressions.follow_coalesce),
    (exp.Nullif, Expressions.follow_nullif),
    (exp.DecodeCase, Expressions.follow_decode),
    (exp.Window, Expressions.follow_window),
    (exp.Filter, Expressions.follow_filter),
    (exp.WithinGroup, Expressions.follow_within_group),
    (exp.Exists, Expressions.follow_exists),
    ((exp.Query, exp.Values), Expressions.follow_query),
    (_MASKING, Expressions.follow_masking),
    (_NEIGHBOURS, Expressions.follow_transformation),
    (exp.AggFunc, Expressions.follow_aggregation),
    (exp.Anonymous, Expressions.follow_named_function),
)

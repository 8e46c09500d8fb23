"""FROM and JOIN: the sources of a SELECT, and how they are put together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from meshline.governance.diff.sql.columns import projected
from meshline.governance.diff.sql.expressions import Term, digest, name, text_of
from meshline.governance.diff.sql.reader import OTHER, Block, CTEs, Inner, Reader
from meshline.governance.diff.sql.shapes import is_bare_table, kind_of, merges, modified, only_chooses
from meshline.governance.diff.sql.sources import Output, Scope, Source, derived

MAX_WRITTEN = 200  # characters of what a column of an inner query is computed from; beyond, a digest


def opened(reader: Reader, node: exp.Select, ctes: CTEs, block: Block, outer: Scope | None) -> Scope:
    """The sources of a SELECT."""
    return _Froms(reader, ctes, block, reader.scope(outer)).opened(node)


class _Froms:
    def __init__(self, reader: Reader, ctes: CTEs, block: Block, scope: Scope) -> None:
        self._reader = reader
        self._ctes = ctes
        self._block = block
        self._scope = scope

    def opened(self, node: exp.Select, kind: str = "FROM", conditions: list[str] | None = None) -> Scope:
        """`kind`, `conditions`: how the whole is joined, if it is a part of another SELECT."""
        joins = node.args.get("joins") or []
        kinds = {kind_of(join) for join in joins}
        if (from_ := node.args.get("from_")) is not None:
            kept = kind in ("FROM", "JOIN") and not any(join.side in ("RIGHT", "FULL") for join in joins)
            self._item(from_.this, kind, [] if conditions is None else conditions, merged=kept)
        for join in joins:
            self._join(join, merged=kinds == {"JOIN"})
        for lateral in node.args.get("laterals") or ():
            self._item(lateral, "LATERAL", [], merged=False)
        return self._scope

    def _join(self, join: exp.Join, *, merged: bool) -> None:
        reader, kind = self._reader, kind_of(join)
        before = list(self._scope.sources.values())
        conditions: list[str] = []
        self._item(join.this, kind, conditions, merged=merged)
        added = [source for source in self._scope.sources.values() if not any(source is one for one in before)]
        shared = [reader.identify(column) for column in join.args.get("using") or ()]
        conditions.extend(self._using(column, before, added, kept=kind in ("JOIN", "LEFT JOIN")) for column in shared)
        if (on := join.args.get("on")) is not None:
            conditions.extend(reader.written(term) for term in reader.normal(self._scope, self._ctes).terms(on))
        for argument in ("match_condition", "expressions", "pivots"):
            if value := join.args.get(argument):
                reader.say(OTHER, self._block.place, f"{argument} {reader.listing(value, self._ctes)}")

    def _using(self, column: str, before: Sequence[Source], added: Sequence[Source], *, kept: bool) -> str:
        """The condition that USING stands for, where it is sure which columns it means."""
        left = [source for source in before if column in source.columns] or (list(before) if len(before) == 1 else [])
        right = added[-1].column(column) if added else None
        term = self._scope.using.get(column) or (left[0].column(column) if len(left) == 1 else None)
        if term is None or right is None or not kept:
            self._scope.using[column] = Term(name(f"USING({column})"))
            return f"USING({column})"
        self._scope.using[column] = term
        dialect = self._reader.settings.dialect
        sides = sorted((term.node, right.node), key=lambda node: text_of(node, dialect))
        return text_of(exp.EQ(this=sides[0].copy(), expression=sides[1].copy()), dialect)

    def _item(self, item: exp.Expr, kind: str, conditions: list[str], *, merged: bool) -> None:
        """Something that is read. `merged`: a query in its place may be made a part of this one."""
        inner = self._reader.inner(item, self._ctes)
        if inner is not None:
            source = self._inner(inner, kind, conditions, merged=merged)
            self._scope.sources[inner.called or source.key] = source
        elif isinstance(item, exp.Subquery) and isinstance(item.this, exp.Table) and not modified(item, {"alias"}):
            table = item.this.copy()
            table.set("joins", None)
            self._item(table, kind, conditions, merged=False)
            for join in item.this.args.get("joins") or ():
                self._join(join, merged=False)
        elif isinstance(item, exp.Table) and is_bare_table(item):
            self._table(item, kind, conditions)
        else:
            self._other(item, kind, conditions)

    def _table(self, item: exp.Table, kind: str, conditions: list[str]) -> None:
        reader = self._reader
        called, columns = reader.alias(item)
        parts = [reader.identify(part) for part in item.parts]
        written = ".".join(parts)
        if reader.cte(item, self._ctes) is None:
            reader.tables.add(written)
        key = self._block.keys.of(reader.settings.called.get(written, parts[-1]))
        known = reader.settings.columns.get(written.casefold())
        listed = [reader.identify(exp.to_identifier(one, quoted=False)) for one in known or ()]
        source = Source(key, {one: Term(name(f"{key}.{one}")) for one in listed}, open=known is None)
        self._scope.sources[called or parts[-1]] = source.renamed(columns)
        self._block.joins.append((kind, written if key == parts[-1] else f"{written} AS {key}", conditions))
        if columns and source.open:
            reader.say(OTHER, self._block.place, f"{key} ({', '.join(columns)})")

    def _other(self, item: exp.Expr, kind: str, conditions: list[str]) -> None:
        """UNNEST, LATERAL, VALUES, functions, samples, pivots. Columns that are named are those of their positions."""
        reader = self._reader
        called, columns = reader.alias(item)
        bare = item.copy()
        bare.set("alias", None)
        if isinstance(item, exp.Table):
            what = reader.plain(bare, self._ctes)
        else:
            what = reader.written(reader.normal(self._scope, self._ctes).term(bare))
        key = self._block.keys.of(reader.identify(item.this) if isinstance(item, exp.Table) else item.key)
        offset = item.args.get("offset")
        names = [*columns, *([reader.identify(offset)] if isinstance(offset, exp.Identifier) else ())]
        self._scope.sources[called or key] = Source(key, {one: Term(name(f"{key}.{i}")) for i, one in enumerate(names)}, open=not names)
        self._block.joins.append((kind, f"{what} AS {key}", conditions))

    def _inner(self, inner: Inner, kind: str, conditions: list[str], *, merged: bool) -> Source:
        """A query in place of a table: a part of this one, or one that is read by itself."""
        reader, block = self._reader, self._block
        query, ctes = inner.query, reader.with_(inner.query, inner.ctes, block.place)
        while isinstance(query, exp.Subquery) and not modified(query, {"with_"}):
            query = query.this
            ctes = reader.with_(query, ctes, block.place)
        if isinstance(query, exp.Select) and self._is_part(query, ctes, kind, merged=merged):
            scope = _Froms(reader, ctes, block, reader.scope(None)).opened(query, kind, conditions)
            outputs = projected(reader, query, scope, ctes)
            if (where := query.args.get("where")) is not None:
                block.filters += reader.normal(scope, ctes, query).terms(where.this)
            return derived(outputs, reader.written).renamed(inner.columns)
        key = block.keys.of(reader.first_table(query, ctes))
        outputs = reader.query(query, ctes, f"{block.place}/{key}", None)
        block.joins.append((kind, f"({key})", conditions))
        found = derived([one if one.open else self._of(key, one) for one in outputs], reader.written)
        return found._replace(key=f"{key}[{found.key}]" if found.open else key).renamed(inner.columns)

    def _is_part(self, query: exp.Select, ctes: CTEs, kind: str, *, merged: bool) -> bool:
        """Whether a query can be a part of this one: beside an outer join only what chooses columns of a table."""
        if merged:
            return merges(query, into_join=kind == "JOIN")
        return only_chooses(query) and self._reader.wrapped(query, ctes) is None

    def _of(self, key: str, output: Output) -> Output:
        """A column of an inner query, by what it is computed from."""
        text = text_of(output.term.node, self._reader.settings.dialect)
        short = text if len(text) <= MAX_WRITTEN else f"#{digest(text)}"
        return output._replace(term=Term(name(f"{key}[{short}]"), output.term.partitions))

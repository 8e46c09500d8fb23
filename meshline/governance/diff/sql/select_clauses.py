"""The clauses of a SELECT: its list, FROM and JOIN, and those that decide which rows there are (WHERE, HAVING, QUALIFY, GROUP BY,
DISTINCT, LIMIT).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from meshline.governance.diff.sql.query_reader import (
    FILTER,
    GROUPING,
    JOIN,
    OTHER,
    Block,
    CTEs,
    Inner,
    Output,
    Reader,
    Scope,
    Source,
    derived,
)
from meshline.governance.diff.sql.syntax import (
    Normal,
    Term,
    aggregates,
    digest,
    is_bare_table,
    kind_of,
    merges,
    modified,
    name,
    only_chooses,
    text_of,
)
from meshline.sql.dialects import Rules
from meshline.sql.name_scope import find_output_identifier, find_star, parse_position, parse_star_modifiers


def projected(reader: Reader, node: exp.Select, scope: Scope, ctes: CTEs) -> list[Output]:
    """The columns of a SELECT. The scope gets the names that it gives them."""
    normal = reader.normal(scope, ctes, node)
    outputs: list[Output] = []
    for item in node.expressions:
        star = find_star(item)
        if star is not None:
            outputs += _starred(reader, item, star, scope, normal, ctes)
        elif isinstance(item, exp.Aliases):
            term = normal.term(item.this)
            outputs += (Output(reader.rules.key(alias), _part(term, i)) for i, alias in enumerate(item.args["expressions"]))
        elif isinstance(item, exp.Alias):
            outputs.append(Output(reader.rules.key(item.args["alias"]), normal.term(item.this)))
            scope.aliases.setdefault(outputs[-1].name, outputs[-1].term)
        else:
            outputs.append(Output(_name(item, len(outputs), reader.rules), normal.term(item)))
    return outputs


def _part(term: Term, i: int) -> Term:
    return Term(exp.Dot(this=term.node.copy(), expression=name(str(i))), term.partitions)


def _name(item: exp.Expr, position: int, rules: Rules) -> str:
    """The name of a column that is given none: its own, else its position."""
    identifier = find_output_identifier(item)
    return rules.key(identifier) if identifier is not None else f"#{position + 1}"


def _starred(reader: Reader, item: exp.Expr, star: exp.Expr, scope: Scope, normal: Normal, ctes: CTEs) -> Iterator[Output]:
    """The columns for which `*` or `t.*` stands."""
    hidden, replacements, renamed = parse_star_modifiers(star, reader.rules.key, scope.fold)
    replaced = {column: normal.term(expression) for column, (_, expression) in replacements.items()}
    shown = _shown(reader, item, scope)
    if not shown or star.args.get("ilike"):
        yield Output("*", Term(name(f"?.{reader.plain(item, ctes)}")), open=True)
        return
    for source, columns in shown:
        if source is not None and source.open:
            said = [f"without {one}" for one in sorted(hidden)] + [f"{one} as {other}" for one, other in sorted(renamed.items())]
            said += [f"{one} is {reader.written(term)}" for one, term in sorted(replaced.items())]
            yield Output("*", Term(name(f"{source.key}.*" + (f" ({', '.join(said)})" if said else ""))), open=True)
        for column, term in columns:
            if column not in hidden:
                yield Output(renamed.get(column, column), replaced.get(column, term))


def _shown(reader: Reader, item: exp.Expr, scope: Scope) -> Sequence[tuple[Source | None, Sequence[tuple[str, Term]]]]:
    """The sources that a star shows, each with its known columns; none if they cannot be found."""
    if isinstance(item, exp.Star):
        return list(scope.list_starred())
    located = scope.locate_table([reader.rules.key(part) for part in item.parts[:-1]]) if isinstance(item, exp.Column) else None
    return [(located[0], located[0].list_columns())] if located is not None and located[1] == 0 else []


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
        before = [source for _, source in self._scope.tables]
        conditions: list[str] = []
        self._item(join.this, kind, conditions, merged=merged)
        added = [source for _, source in self._scope.tables[len(before) :]]
        if join.kind in ("SEMI", "ANTI"):
            self._scope.hidden.update(range(len(before), len(self._scope.tables)))
        shared = [reader.rules.key(column) for column in join.args.get("using") or ()]
        conditions.extend(self._using(column, before, added, kept=kind in ("JOIN", "LEFT JOIN")) for column in shared)
        if (on := join.args.get("on")) is not None:
            conditions.extend(reader.written(term) for term in reader.normal(self._scope, self._ctes).terms(on))
        for argument in ("match_condition", "expressions", "pivots"):
            if value := join.args.get(argument):
                reader.say(OTHER, self._block.place, f"{argument} {reader.listing(value, self._ctes)}")

    def _using(self, column: str, before: Sequence[Source], added: Sequence[Source], *, kept: bool) -> str:
        """The condition that USING stands for, where it is sure which columns it means."""
        left = [source for source in before if column in source.columns] or (list(before) if len(before) == 1 else [])
        right = added[-1].find_or_guess(column) if added else None
        united = self._scope.united.get(column)
        term = united[1] if united is not None else left[0].find_or_guess(column) if len(left) == 1 else None
        if term is None or right is None or not kept:
            self._scope.united[column] = column, Term(name(f"USING({column})"))
            return f"USING({column})"
        self._scope.united[column] = column, term
        dialect = self._reader.settings.dialect
        sides = sorted((term.node, right.node), key=lambda node: text_of(node, dialect))
        return text_of(exp.EQ(this=sides[0].copy(), expression=sides[1].copy()), dialect)

    def _item(self, item: exp.Expr, kind: str, conditions: list[str], *, merged: bool) -> None:
        """Something that is read. `merged`: a query in its place may be made a part of this one."""
        inner = self._reader.inner(item, self._ctes)
        if inner is not None:
            source = self._inner(inner, kind, conditions, merged=merged)
            self._scope.tables.append((inner.called or source.key, source))
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
        parts = [reader.rules.key(part) for part in item.parts]
        written = ".".join(parts)
        if reader.cte(item, self._ctes) is None:
            reader.tables.add(written)
        key = self._block.keys.of(reader.settings.called.get(written, parts[-1]))
        known = reader.settings.columns.get(written.casefold())
        listed = [reader.rules.key(exp.to_identifier(one, quoted=False)) for one in known or ()]
        source = Source(key, {one: Term(name(f"{key}.{one}")) for one in listed}, open=known is None, relation=tuple(parts))
        self._scope.tables.append((called or parts[-1], source.renamed(columns)))
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
        elif isinstance(item, exp.Lateral) and item.args.get("view"):  # Hive, Spark: sqlglot cannot write one without an alias
            function = reader.written(reader.normal(self._scope, self._ctes).term(item.this))
            what = f"VIEW {'OUTER ' if item.args.get('outer') else ''}{function}"
        else:
            what = reader.written(reader.normal(self._scope, self._ctes).term(bare))
        key = self._block.keys.of(reader.rules.key(item.this) if isinstance(item, exp.Table) else item.key)
        offset = item.args.get("offset")
        names = [*columns, *([reader.rules.key(offset)] if isinstance(offset, exp.Identifier) else ())]
        made = Source(key, {one: Term(name(f"{key}.{i}")) for i, one in enumerate(names)}, open=not names)
        self._scope.tables.append((called or key, made))
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
    position = parse_position(item)
    before = outputs[:position] if position else ()
    return before[-1].term if position and len(before) == position and not any(one.open for one in before) else None


def _named(item: exp.Expr, scope: Scope, reader: Reader) -> Term | None:
    """The column of the SELECT list that a name in ORDER BY stands for: there it comes before columns of tables."""
    return scope.aliases.get(reader.rules.key(item.this)) if isinstance(item, exp.Column) and not item.args.get("table") else None


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
        term = _positioned(by, outputs) or _named(by, scope, reader) or normal.term(by)
        said.append(f"{reader.written(term)}{' DESC' if one.args.get('desc') else ''}{nulls}")
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

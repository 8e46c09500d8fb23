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
    InnerQuery,
    Output,
    Reader,
    Scope,
    Source,
    build_source,
)
from meshline.governance.diff.sql.syntax import (
    Normalizer,
    Term,
    build_name,
    can_merge,
    digest_text,
    format_join_kind,
    format_node,
    has_other_parts,
    is_aggregate,
    is_bare_table,
    is_projection,
)
from meshline.sql.dialects import DialectRules
from meshline.sql.name_resolution import Star, find_output_identifier, find_star, parse_position, parse_star_modifiers


def read_projection(reader: Reader, node: exp.Select, scope: Scope, ctes: CTEs) -> list[Output]:
    """The columns of a SELECT. The scope gets the names that it gives them."""
    normal = reader.build_normalizer(scope, ctes, node)
    outputs: list[Output] = []
    for item in node.expressions:
        star = find_star(item)
        if star is not None:
            outputs += _expand_star(reader, star, scope, normal, ctes)
        elif isinstance(item, exp.Aliases):
            term = normal.normalize(item.this)
            outputs += (Output(reader.rules.fold_name(alias), _build_part(term, i)) for i, alias in enumerate(item.args["expressions"]))
        elif isinstance(item, exp.Alias):
            outputs.append(Output(reader.rules.fold_name(item.args["alias"]), normal.normalize(item.this)))
            scope.aliases.setdefault(outputs[-1].name, outputs[-1].term)
        else:
            outputs.append(Output(_find_name(item, len(outputs), reader.rules), normal.normalize(item)))
    return outputs


def _build_part(term: Term, i: int) -> Term:
    return Term(exp.Dot(this=term.node.copy(), expression=build_name(str(i))), term.partitions)


def _find_name(item: exp.Expr, position: int, rules: DialectRules) -> str:
    """The name of a column that is given none: its own, else its position."""
    identifier = find_output_identifier(item)
    return rules.fold_name(identifier) if identifier is not None else f"#{position + 1}"


def _expand_star(reader: Reader, star: Star, scope: Scope, normal: Normalizer, ctes: CTEs) -> Iterator[Output]:
    """The columns that `*` or `t.*` includes. Where a pattern is not understood, it is compared as it is written."""
    hidden, replacements, renamed = parse_star_modifiers(star.node, reader.rules.fold_name, scope.fold)
    replaced = {column: normal.normalize(expression) for column, (_, expression) in replacements.items()}
    shown, pattern = _list_shown(reader, star.item, scope), star.pattern
    if not shown:
        yield Output("*", Term(build_name(f"?.{reader.format_plain(star.item, ctes)}")), open=True)
        return
    if pattern is not None and any(pattern.is_match(column) is None for _, columns in shown for column, _ in columns):
        yield Output("*", Term(build_name(f"?.{pattern.text}")), open=True)
    for source, columns in shown:
        if source is not None and source.open:
            parts = [f"without {one}" for one in sorted(hidden)] + [f"{one} as {other}" for one, other in sorted(renamed.items())]
            parts += [pattern.text] if pattern is not None else []
            parts += [f"{one} is {reader.format_term(term)}" for one, term in sorted(replaced.items())]
            yield Output("*", Term(build_name(f"{source.key}.*" + (f" ({', '.join(parts)})" if parts else ""))), open=True)
        for column, term in columns:
            if column not in hidden and (pattern is None or pattern.is_match(column) is not False):
                yield Output(renamed.get(column, column), replaced.get(column, term))


def _list_shown(reader: Reader, item: exp.Expr, scope: Scope) -> Sequence[tuple[Source | None, Sequence[tuple[str, Term]]]]:
    """The sources that a star shows, each with its known columns; none if they cannot be found."""
    if isinstance(item, exp.Star):
        return list(scope.list_starred())
    located = scope.locate_table([reader.rules.fold_name(part) for part in item.parts[:-1]]) if isinstance(item, exp.Column) else None
    return [(located[0], located[0].list_columns())] if located is not None and located[1] == 0 else []


MAX_WRITTEN = 200  # characters of what a column of an inner query is computed from; beyond, a digest


def read_from(reader: Reader, node: exp.Select, ctes: CTEs, block: Block, outer: Scope | None) -> Scope:
    """The sources of a SELECT."""
    return _FromReader(reader, ctes, block, reader.build_scope(outer)).read_from(node)


class _FromReader:
    def __init__(self, reader: Reader, ctes: CTEs, block: Block, scope: Scope) -> None:
        self._reader = reader
        self._ctes = ctes
        self._block = block
        self._scope = scope

    def read_from(self, node: exp.Select, kind: str = "FROM", conditions: list[str] | None = None) -> Scope:
        """`kind`, `conditions`: how the whole is joined, if it is a part of another SELECT."""
        joins = node.args.get("joins") or []
        kinds = {format_join_kind(join) for join in joins}
        if (from_ := node.args.get("from_")) is not None:
            kept = kind in ("FROM", "JOIN") and not any(join.side in ("RIGHT", "FULL") for join in joins)
            self._read_item(from_.this, kind, [] if conditions is None else conditions, merged=kept)
        for join in joins:
            self._read_join(join, merged=kinds == {"JOIN"})
        for lateral in node.args.get("laterals") or ():
            self._read_item(lateral, "LATERAL", [], merged=False)
        return self._scope

    def _read_join(self, join: exp.Join, *, merged: bool) -> None:
        reader, kind = self._reader, format_join_kind(join)
        before = [source for _, source in self._scope.tables]
        conditions: list[str] = []
        self._read_item(join.this, kind, conditions, merged=merged)
        added = [source for _, source in self._scope.tables[len(before) :]]
        if join.kind in ("SEMI", "ANTI"):
            self._scope.hidden.update(range(len(before), len(self._scope.tables)))
        shared = [reader.rules.fold_name(column) for column in join.args.get("using") or ()]
        if (join.args.get("method") or "").upper() == "NATURAL":
            shared = [column for column in self._list_left(before) if any(column in source.columns for source in added)]
            conditions.extend(self._list_natural_inputs([*before, *added]))
        kept = kind.removeprefix("NATURAL ") in ("JOIN", "LEFT JOIN")
        conditions.extend(self._unite_column(column, before, added, kept=kept) for column in shared)
        if (on := join.args.get("on")) is not None:
            conditions.extend(reader.format_term(term) for term in reader.build_normalizer(self._scope, self._ctes).normalize_conjuncts(on))
        for argument in ("match_condition", "expressions", "pivots"):
            if value := join.args.get(argument):
                reader.record_fact(OTHER, self._block.place, f"{argument} {reader.format_listing(value, self._ctes)}")

    def _unite_column(self, column: str, before: Sequence[Source], added: Sequence[Source], *, kept: bool) -> str:
        """The condition that USING means, where its columns are known for sure."""
        left = [source for source in before if column in source.columns] or (list(before) if len(before) == 1 else [])
        right = added[-1].find_or_guess(column) if added else None
        united = self._scope.united.get(column)
        term = united[1] if united is not None else left[0].find_or_guess(column) if len(left) == 1 else None
        if term is not None and right is not None and kept:
            self._scope.united[column] = column, term
            dialect = self._reader.settings.dialect
            sides = sorted((term.node, right.node), key=lambda node: format_node(node, dialect))
            return format_node(exp.EQ(this=sides[0].copy(), expression=sides[1].copy()), dialect)
        computed = [text for one in (term, right) if one is not None and (text := self._format_column(column, one)) != column]
        text = f"USING({', '.join([column, *computed])})"
        self._scope.united[column] = column, Term(build_name(text))
        return text

    def _list_left(self, before: Sequence[Source]) -> Sequence[str]:
        """The names of the columns that a NATURAL JOIN finds on its left."""
        shown = [source for position, source in enumerate(before) if position not in self._scope.hidden]
        return list(dict.fromkeys([*self._scope.united, *(column for source in shown for column in source.columns)]))

    def _list_natural_inputs(self, sources: Sequence[Source]) -> Iterator[str]:
        """Where not all columns are known, any of those that are may be one by which a NATURAL JOIN joins."""
        known = sorted({self._format_column(column, term) for source in sources for column, term in source.columns.items()})
        if known and any(source.open for source in sources):
            yield f"NATURAL({', '.join(known)})"

    def _format_column(self, column: str, term: Term) -> str:
        """The name of a column, with the expression that computes it unless it is a column of a table with the same name."""
        text = self._reader.format_term(term)
        table, _, name = text.rpartition(".")
        return column if name == column and not set(table) & set("([ ") else f"{text} AS {column}"

    def _read_item(self, item: exp.Expr, kind: str, conditions: list[str], *, merged: bool) -> None:
        """Something that is read. `merged`: a query in its place may be made a part of this one."""
        inner = self._reader.find_inner(item, self._ctes)
        if inner is not None:
            source = self._read_inner(inner, kind, conditions, merged=merged)
            self._scope.tables.append((inner.called or source.key, source))
        elif isinstance(item, exp.Subquery) and isinstance(item.this, exp.Table) and not has_other_parts(item, {"alias"}):
            table = item.this.copy()
            table.set("joins", None)
            self._read_item(table, kind, conditions, merged=False)
            for join in item.this.args.get("joins") or ():
                self._read_join(join, merged=False)
        elif isinstance(item, exp.Table) and is_bare_table(item):
            self._read_table(item, kind, conditions)
        else:
            self._read_other(item, kind, conditions)

    def _read_table(self, item: exp.Table, kind: str, conditions: list[str]) -> None:
        reader = self._reader
        called, columns = reader.parse_alias(item)
        parts = [reader.rules.fold_name(part) for part in item.parts]
        written = ".".join(parts)
        if reader.find_cte(item, self._ctes) is None:
            reader.tables.add(written)
        key = self._block.keys.allocate_key(reader.settings.called.get(written, parts[-1]))
        known = reader.settings.columns.get(written.casefold())
        listed = [reader.rules.fold_name(exp.to_identifier(one, quoted=False)) for one in known or ()]
        source = Source(key, {one: Term(build_name(f"{key}.{one}")) for one in listed}, open=known is None, relation=tuple(parts))
        self._scope.tables.append((called or parts[-1], source.rename_columns(columns)))
        self._block.joins.append((kind, written if key == parts[-1] else f"{written} AS {key}", conditions))
        if columns and source.open:
            reader.record_fact(OTHER, self._block.place, f"{key} ({', '.join(columns)})")

    def _read_other(self, item: exp.Expr, kind: str, conditions: list[str]) -> None:
        """UNNEST, LATERAL, VALUES, functions, samples, pivots. Columns that are named are those of their positions."""
        reader = self._reader
        called, columns = reader.parse_alias(item)
        bare = item.copy()
        bare.set("alias", None)
        if isinstance(item, exp.Table):
            what = reader.format_plain(bare, self._ctes)
        elif isinstance(item, exp.Lateral) and item.args.get("view"):  # Hive, Spark: sqlglot cannot write one without an alias
            function = reader.format_term(reader.build_normalizer(self._scope, self._ctes).normalize(item.this))
            what = f"VIEW {'OUTER ' if item.args.get('outer') else ''}{function}"
        else:
            what = reader.format_term(reader.build_normalizer(self._scope, self._ctes).normalize(bare))
        key = self._block.keys.allocate_key(reader.rules.fold_name(item.this) if isinstance(item, exp.Table) else item.key)
        offset = item.args.get("offset")
        names = [*columns, *([reader.rules.fold_name(offset)] if isinstance(offset, exp.Identifier) else ())]
        made = Source(key, {one: Term(build_name(f"{key}.{i}")) for i, one in enumerate(names)}, open=not names)
        self._scope.tables.append((called or key, made))
        self._block.joins.append((kind, f"{what} AS {key}", conditions))

    def _read_inner(self, inner: InnerQuery, kind: str, conditions: list[str], *, merged: bool) -> Source:
        """A query in place of a table: a part of this one, or one that is read by itself."""
        reader, block = self._reader, self._block
        query, ctes = inner.query, reader.add_ctes(inner.query, inner.ctes, block.place)
        while isinstance(query, exp.Subquery) and not has_other_parts(query, {"with_"}):
            query = query.this
            ctes = reader.add_ctes(query, ctes, block.place)
        if isinstance(query, exp.Select) and self._is_part(query, ctes, kind, merged=merged):
            scope = _FromReader(reader, ctes, block, reader.build_scope(None)).read_from(query, kind, conditions)
            outputs = read_projection(reader, query, scope, ctes)
            if (where := query.args.get("where")) is not None:
                block.filters += reader.build_normalizer(scope, ctes, query).normalize_conjuncts(where.this)
            return build_source(outputs, reader.format_term).rename_columns(inner.columns)
        key = block.keys.allocate_key(reader.find_first_table(query, ctes))
        outputs = reader.read_query(query, ctes, f"{block.place}/{key}", None)
        block.joins.append((kind, f"({key})", conditions))
        found = build_source([one if one.open else self._build_inner_column(key, one) for one in outputs], reader.format_term)
        return found._replace(key=f"{key}[{found.key}]" if found.open else key).rename_columns(inner.columns)

    def _is_part(self, query: exp.Select, ctes: CTEs, kind: str, *, merged: bool) -> bool:
        """Whether a query can be a part of this one: beside an outer join only what chooses columns of a table."""
        if merged:
            return can_merge(query, into_join=kind == "JOIN")
        return is_projection(query) and self._reader.find_wrapped(query, ctes) is None

    def _build_inner_column(self, key: str, output: Output) -> Output:
        """A column of an inner query, by what it is computed from."""
        text = format_node(output.term.node, self._reader.settings.dialect)
        short = text if len(text) <= MAX_WRITTEN else f"#{digest_text(text)}"
        return output._replace(term=Term(build_name(f"{key}[{short}]"), output.term.partitions))


def read_filters(reader: Reader, node: exp.Select, scope: Scope, ctes: CTEs, block: Block) -> None:
    """WHERE, HAVING and QUALIFY, condition by condition."""
    of_rows = reader.build_normalizer(scope, ctes, node)
    of_groups = reader.build_normalizer(scope.expose_aliases(), ctes, node)
    for clause, normal in (("prewhere", of_rows), ("where", of_rows), ("having", of_groups), ("qualify", of_groups)):
        if (given := node.args.get(clause)) is not None:
            block.filters.extend(normal.normalize_conjuncts(given.this))


def read_grouping(reader: Reader, node: exp.Select, scope: Scope, ctes: CTEs, place: str, outputs: Sequence[Output]) -> None:
    """GROUP BY and DISTINCT."""
    normal = reader.build_normalizer(scope.expose_aliases(), ctes, node)
    distinct, group = node.args.get("distinct"), node.args.get("group")
    if distinct is not None and (on := distinct.args.get("on")) is not None:
        keys = ", ".join(sorted(_list_keys(reader, on, normal, outputs)))
        reader.record_fact(GROUPING, place, f"DISTINCT ON ({keys}){format_order(reader, node, scope, ctes, outputs)}")
    elif distinct is not None:
        reader.record_fact(GROUPING, place, f"DISTINCT {format_distinct(reader, outputs)}")
    if group is not None:
        keys_ = set(_list_keys(reader, group, normal, outputs))
        if group.args.get("all"):
            keys_ |= {
                reader.format_term(output.term) for item, output in zip(node.expressions, outputs, strict=False) if not is_aggregate(item)
            }
        for key in sorted(keys_) or ["()"]:
            reader.record_fact(GROUPING, place, f"GROUP BY {key}")
        if group.args.get("totals"):
            reader.record_fact(GROUPING, place, "WITH TOTALS")
    elif node.args.get("having") is not None or any(is_aggregate(item) for item in node.expressions):
        reader.record_fact(GROUPING, place, "one row of all")


def format_distinct(reader: Reader, outputs: Sequence[Output]) -> str:
    """The columns that distinguish rows: the expressions that compute them decide how many rows there are."""
    return ", ".join(sorted(reader.format_term(one.term) for one in outputs))


def _list_keys(reader: Reader, clause: exp.Expr, normal: Normalizer, outputs: Sequence[Output]) -> Iterator[str]:
    """Expressions, columns of the SELECT list by position, and what ROLLUP, CUBE and GROUPING SETS have of them."""
    items = list(clause.expressions)
    for argument in ("rollup", "cube", "grouping_sets"):
        value = clause.args.get(argument)
        items += value if isinstance(value, list) else []
    for item in items:
        yield reader.format_term(_find_by_position(item, outputs) or normal.normalize(item))


def _find_by_position(item: exp.Expr, outputs: Sequence[Output]) -> Term | None:
    """The column of the SELECT list at a position."""
    position = parse_position(item)
    before = outputs[:position] if position else ()
    return before[-1].term if position and len(before) == position and not any(one.open for one in before) else None


def _find_by_alias(item: exp.Expr, scope: Scope, reader: Reader) -> Term | None:
    """The column of the SELECT list that a name in ORDER BY means: there it comes before columns of tables."""
    return scope.aliases.get(reader.rules.fold_name(item.this)) if isinstance(item, exp.Column) and not item.args.get("table") else None


def format_order(reader: Reader, node: exp.Expr, scope: Scope, ctes: CTEs, outputs: Sequence[Output]) -> str:
    """ORDER BY, where it matters; empty if there is none."""
    order = node.args.get("order")
    if order is None:
        return ""
    normal = reader.build_normalizer(scope.expose_aliases(), ctes, node)
    parts: list[str] = []
    for one in order.expressions:
        by = one.this if isinstance(one, exp.Ordered) else one
        nulls = {True: " NULLS FIRST", False: " NULLS LAST"}.get(one.args.get("nulls_first"), "")
        term = _find_by_position(by, outputs) or _find_by_alias(by, scope, reader) or normal.normalize(by)
        parts.append(f"{reader.format_term(term)}{' DESC' if one.args.get('desc') else ''}{nulls}")
    return f" ORDER BY {', '.join(parts)}"


def read_limit(reader: Reader, node: exp.Expr, scope: Scope, ctes: CTEs, place: str, outputs: Sequence[Output]) -> None:
    """LIMIT and OFFSET; an order only matters with them."""
    cuts = [node.args[argument] for argument in ("limit", "offset") if node.args.get(argument) is not None]
    if cuts:
        text = " ".join(one.sql(reader.settings.dialect, comments=False).strip() for one in cuts)
        reader.record_fact(FILTER, place, text + format_order(reader, node, scope, ctes, outputs))


def record_block(reader: Reader, block: Block) -> None:
    """Record what the block filters and joins. Inner joins may be in any order, so their conditions are facts of their own."""
    for term in block.filters:
        reader.record_fact(FILTER, block.place, format_node(term.node, reader.settings.dialect))
        for one in term.partitions:
            reader.record_fact(GROUPING, block.place, f"OVER (PARTITION BY {one})" if one else "OVER ()")
    inner = all(kind in ("FROM", "JOIN") for kind, _, _ in block.joins)
    for i, (kind, what, conditions) in enumerate(block.joins):
        text = f"{kind} {what}{_format_conditions(conditions)}"
        reader.joins.append(text)
        for fact in (what, *(f"ON {one}" for one in conditions)) if inner else (text,):
            reader.record_fact(JOIN, block.place if inner else f"{block.place}, {i}", fact)


def _format_conditions(conditions: Sequence[str]) -> str:
    return f" ON {' AND '.join(sorted(set(conditions)))}" if conditions else ""

"""No influence is missed: SQLite runs made-up queries, before and after a column of a table has other values.

An output column of which the values differ must have an edge from that column, or the output as a whole has.
"""

from __future__ import annotations

import sqlite3
from random import Random
from typing import NamedTuple

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from meshline.sql.script import Lineage, read_lineage
from tests.sizes import count_examples

TABLES = {"a": ["id", "x", "y"], "b": ["id", "z", "w"], "c": ["k", "v"]}
ROWS = 8
MANY = 2_000  # rows of a result: queries that give more are passed over


class Made(NamedTuple):
    """A query, and the names of what it gives."""

    sql: str
    columns: list[str]


class Maker:
    """Makes up queries."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._names = 0
        self._ctes: list[Made] = []

    def name(self) -> str:
        self._names += 1
        return f"n{self._names}"

    def query(self, depth: int) -> Made:
        if depth and self._random.random() < 0.25:
            return self._build_union(depth)
        if depth and self._random.random() < 0.3:
            inner, name = self.query(depth - 1), self.name()
            self._ctes.append(Made(name, inner.columns))
            outer = self._select(depth - 1)
            self._ctes.pop()
            return Made(f"WITH {name} AS ({inner.sql}) {outer.sql}", outer.columns)
        return self._select(depth)

    def _build_union(self, depth: int) -> Made:
        left, right = self.query(depth - 1), self.query(depth - 1)
        names = [self.name() for _ in range(min(len(left.columns), len(right.columns)))]
        first = ", ".join(f"{old} AS {new}" for old, new in zip(left.columns, names, strict=False))
        word = self._random.choice(["UNION ALL", "UNION ALL", "EXCEPT", "INTERSECT"])
        return Made(f"SELECT {first} FROM ({left.sql}) {word} SELECT {', '.join(right.columns[: len(names)])} FROM ({right.sql})", names)

    def _build_source(self, depth: int) -> Made:
        choice = self._random.random()
        if depth and choice < 0.4:
            inner = self.query(depth - 1)
            return Made(f"({inner.sql})", inner.columns)
        if self._ctes and choice < 0.7:
            return self._random.choice(self._ctes)
        name = self._random.choice(list(TABLES))
        return Made(name, TABLES[name])

    def _select(self, depth: int) -> Made:
        sources = [(self.name(), self._build_source(depth)) for _ in range(self._random.choice([1, 1, 2]))]
        known = [f"{alias}.{column}" for alias, source in sources for column in source.columns]
        alias, first = sources[0]
        from_ = f"{first.sql} AS {alias}"
        for other, source in sources[1:]:
            left = self._random.choice([f"{alias}.{column}" for column in first.columns])
            right = self._random.choice([f"{other}.{column}" for column in source.columns])
            from_ += f" {self._random.choice(['JOIN', 'LEFT JOIN'])} {source.sql} AS {other} ON {left} = {right}"
        where = f" WHERE {self._build_condition(known, depth)}" if self._random.random() < 0.5 else ""
        names = [self.name() for _ in range(self._random.randint(1, 3))]
        if self._random.random() < 0.3:
            keys = self._random.sample(known, k=min(len(known), self._random.randint(1, 2)))
            items = [*keys, *[self._aggregate(known) for _ in names]]
            names = [self.name() for _ in items]
            tail = f"{where} GROUP BY {', '.join(keys)}"
            if self._random.random() < 0.3:
                tail += f" HAVING {self._aggregate(known)} > 2"
        elif self._random.random() < 0.15 and len(sources) == 1:
            return Made(f"SELECT * FROM {from_}{where}", first.columns)
        else:
            items, tail = [self._build_value(known, depth) for _ in names], where
        listed = ", ".join(f"{item} AS {name}" for item, name in zip(items, names, strict=True))
        return Made(f"SELECT {listed} FROM {from_}{tail}", names)

    def _build_condition(self, known: list[str], depth: int) -> str:
        one, other = self._random.choice(known), self._random.choice(known)
        if depth and self._random.random() < 0.4:
            inner, name = self.query(0), self.name()
            column = f"{name}.{self._random.choice(inner.columns)}"
            query = f"SELECT {column} FROM ({inner.sql}) AS {name}"
            greatest = f"(SELECT max({column}) FROM ({query}) AS {name})"
            return self._random.choice([f"{one} IN ({query})", f"EXISTS ({query} WHERE {column} = {one})", f"{one} <= {greatest}"])
        return self._random.choice([f"{one} > 3", f"{one} <> {other}", f"{one} IS NOT NULL AND {other} < 5", f"{one} IN (1, 2, {other})"])

    def _aggregate(self, known: list[str]) -> str:
        one, other = self._random.choice(known), self._random.choice(known)
        filtered = f"sum({one}) FILTER (WHERE {other} > 3)"
        return self._random.choice([f"sum({one})", f"count({one})", f"max({one} + {other})", "count(*)", filtered])

    def _build_value(self, known: list[str], depth: int) -> str:
        one, other, third = (self._random.choice(known) for _ in range(3))
        made = [
            one,
            f"{one} + {other}",
            f"CASE WHEN {one} > 4 THEN {other} ELSE {third} END",
            f"CASE {one} WHEN 1 THEN {other} END",
            f"coalesce({one}, {other})",
            f"nullif({one}, {other})",
            f"iif({one} > 2, {other}, 0)",
            f"sum({one}) OVER (PARTITION BY {other} ORDER BY {third})",
            f"count(*) OVER (PARTITION BY {other})",
            f"dense_rank() OVER (ORDER BY {one})",
        ]
        if depth:
            inner, name = self.query(0), self.name()
            column = f"{name}.{self._random.choice(inner.columns)}"
            made += [f"(SELECT max({column}) FROM ({inner.sql}) AS {name} WHERE {column} <= {one})"] * 3
        return self._random.choice(made)


def draw_values(random: Random) -> dict[tuple[str, str], list[int | None]]:
    return {
        (table, column): [random.choice([None, *range(8)]) for _ in range(ROWS)] for table, columns in TABLES.items() for column in columns
    }


def run_query(sql: str, of: dict[tuple[str, str], list[int | None]]) -> list[list[int | None]]:
    """The values of each output column, whatever the order of rows."""
    database = sqlite3.connect(":memory:")
    for table, columns in TABLES.items():
        database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        rows = zip(*[of[table, column] for column in columns], strict=True)
        database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
    database.set_progress_handler(lambda: 1, 500_000)  # a query that takes longer ends with an error
    try:
        found = database.execute(sql).fetchmany(MANY)
    except sqlite3.OperationalError as error:
        assume(str(error) != "interrupted")
        raise
    finally:
        database.close()
    assume(len(found) < MANY)
    return [sorted((row[i] for row in found), key=lambda value: (value is None, value or 0)) for i in range(len(found[0]) if found else 0)]


@settings(max_examples=count_examples(100), deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.randoms(use_true_random=False))
def test_each_input_that_changes_the_result_has_an_edge(random: Random) -> None:
    made = Maker(random).query(2)
    [lineage] = read_lineage(made.sql, "sqlite", lambda relation: TABLES.get(relation[-1], ()), ("out",))
    assert isinstance(lineage, Lineage)
    assert not lineage.unresolved, made.sql
    assert list(lineage.columns) == made.columns, made.sql
    stated = {(edge.source[-1], edge.column, edge.target) for edge in lineage.edges}
    before = draw_values(random)
    usual = run_query(made.sql, before)
    for table, column in before:
        other = run_query(made.sql, {**before, (table, column): [random.choice([None, *range(8)]) for _ in range(ROWS)]})
        for i, name in enumerate(made.columns):
            if (usual[i] if usual else []) != (other[i] if other else []):
                assert not stated.isdisjoint({(table, column, name), (table, column, None)}), f"{table}.{column} -> {name}: {made.sql}"

"""Nothing that changes is missed: SQLite runs made-up queries before and after an edit.

Where no change is found, the rows are the same; where only columns are reported as changed, the other columns have the same rows.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from random import Random

import sqlglot
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from sqlglot import exp

from tests.governance.queries import compare_texts
from tests.ingest.sql.test_against_a_database import MANY, TABLES, Maker, draw_values
from tests.sizes import count_examples

TRIES = 3  # tables of other values


def edit_query(query: exp.Expr, random: Random) -> str:
    """The query with one edit; many of them change nothing."""
    made = query.copy()
    one = random.choice([node for node in made.walk() if _list_edits(node)])
    kind, edit = random.choice(_list_edits(one))
    if kind == "part":
        one.set(edit, None)
    elif kind == "swap":
        first, second = one.this.copy(), one.expression.copy()
        one.set("this", second)
        one.set("expression", first)
    elif kind == "value":
        one.replace(exp.Literal.number(random.randint(0, 6)))
    elif kind == "side":
        one.set("side", None if one.args.get("side") else "LEFT")
    elif kind == "name":
        beside = (other for other in made.find_all(exp.Column) if other.parent_select is one.parent_select)
        others = [other for other in beside if other.sql() != one.sql()]
        assume(others)
        one.replace(random.choice(others).copy())
    elif kind == "kind":
        one.replace(random.choice([exp.And, exp.Or])(this=one.this.copy(), expression=one.expression.copy()))
    elif kind == "distinct":
        one.set("distinct", None if one.args.get("distinct") else exp.Distinct())
    elif kind == "table":
        one.set("this", exp.to_identifier(random.choice(list(TABLES))))
    return made.sql("sqlite")


def _list_edits(node: exp.Expr) -> list[tuple[str, str]]:
    """What can be edited in a node."""
    found = []
    if isinstance(node, exp.Select):
        found += [("part", part) for part in ("where", "having", "group") if node.args.get(part)]
        found += [("distinct", "")]
    if isinstance(node, exp.EQ | exp.Add | exp.And | exp.GT | exp.LT | exp.NEQ | exp.Union | exp.Except):
        found += [("swap", "")]
    if isinstance(node, exp.And):
        found += [("kind", "")]
    if isinstance(node, exp.Literal):
        found += [("value", "")]
    if isinstance(node, exp.Join):
        found += [("side", "")]
    if isinstance(node, exp.Column):
        found += [("name", "")]
    if isinstance(node, exp.Table) and node.name in TABLES:
        found += [("table", "")]
    if isinstance(node, exp.Window):
        found += [("part", part) for part in ("partition_by", "order") if node.args.get(part)]
    return found


def read_rows(sql: str, of: dict[tuple[str, str], list[int | None]]) -> tuple[list[str], list[tuple[int | None, ...]]]:
    """The names of the columns, and all rows."""
    database = sqlite3.connect(":memory:")
    for table, columns in TABLES.items():
        database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        filled = zip(*[of[table, column] for column in columns], strict=True)
        database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", filled)
    database.set_progress_handler(lambda: 1, 500_000)  # a query that takes longer ends with an error
    try:
        cursor = database.execute(sql)
        found = cursor.fetchmany(MANY)
        names = [column[0] for column in cursor.description]
    except sqlite3.OperationalError:  # too long, or the edit made a column ambiguous or unknown
        reject()
    finally:
        database.close()
    assume(len(found) < MANY)
    return names, found


@settings(max_examples=count_examples(60), deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.booleans())
def test_what_is_not_reported_as_changed_does_not_change(random: Random, known: bool) -> None:  # noqa: FBT001 - drawn
    query = sqlglot.parse_one(Maker(random).query(2).sql, dialect="sqlite")
    before, after = query.sql("sqlite"), edit_query(query, random)
    found = compare_texts(before, after, "sqlite", TABLES if known else None)
    if any(change.rule != "projection-changed" for change in found):
        return
    moved = {change.details["field"] for change in found}
    for _ in range(TRIES):
        data = draw_values(random)
        (names, usual), (others, other) = read_rows(before, data), read_rows(after, data)
        assert names == others
        kept = [i for i, name in enumerate(names) if name.lower() not in moved]
        was, now = (Counter(tuple(row[i] for i in kept) for row in of) for of in (usual, other))
        assert was == now, f"{sorted(map(str, moved))}\n{before}\n{after}"

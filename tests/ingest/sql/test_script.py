"""Texts that are large, deep, broken or hostile; and what one statement knows of another."""

from __future__ import annotations

import sys
import threading

import pytest

from meshline.errors import InvalidInput
from meshline.sql.script import MAX_CHARACTERS, MAX_DEPTH, Found, Lineage, ScriptReader, read_lineage

DEEP = {
    "parentheses": ("(", "1", ")"),
    "functions": ("f(", "a", ")"),
    "cases": ("case when a then ", "1", " end"),
    "arrays": ("[", "1", "]"),
    "queries": ("(select ", "1", ")"),
    "exists": ("not exists (select 1 where ", "true", ")"),
}


def read_script(sql: str, dialect: str = "duckdb") -> list[Found]:
    return list(ScriptReader(dialect, lambda _: ("a", "b")).read_script(sql, "x.sql", ("target",)))


def catch_refusal(sql: str) -> str:
    [found] = read_script(sql)
    assert isinstance(found, InvalidInput), found
    return str(found)


@pytest.mark.parametrize("kind", DEEP)
def test_nested_as_deep_as_is_accepted(kind: str) -> None:
    opening, middle, closing = DEEP[kind]
    depth = MAX_DEPTH
    [found] = read_script(f"select {opening * depth}{middle}{closing * depth} as x from t")
    assert isinstance(found, Lineage)


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000])
def test_nested_too_deep(kind: str, depth: int) -> None:
    opening, middle, closing = DEEP[kind]
    assert catch_refusal(f"select {opening * depth}{middle}{closing * depth} as x from t").startswith("x.sql:1:1: it is nested ")


def test_types_within_types() -> None:
    assert "it is nested" in catch_refusal("select cast(a as " + "array<" * 5_000 + "int" + ">" * 5_000 + ") from t")


@pytest.mark.parametrize("word", ["not ", "interval "])
def test_deep_without_parentheses(word: str) -> None:
    assert catch_refusal(f"select {word * 50_000}1").endswith("it is nested too deeply")


def test_the_recursion_limit_is_as_before_in_whatever_thread() -> None:
    before = sys.getrecursionlimit()
    found: list[list[Found]] = []
    threads = [
        threading.Thread(target=lambda: found.append(read_script("select " + "(" * 90 + "a" + ")" * 90 + " from t"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [isinstance(one, Lineage) for [one] in found] == [True] * 4
    assert sys.getrecursionlimit() == before


@pytest.mark.parametrize(
    "sql",
    [
        "select a from t where " + " and ".join(["a < 1"] * 3_000),
        "select " + " || ".join(["a"] * 3_000) + " as x from t",
        " union all ".join(["select a from t"] * 1_000),
        "with c0 as (select a from t)" + "".join(f", c{i} as (select a from c{i - 1})" for i in range(1, 500)) + " select a from c499",
        "select a from t where a in (" + ", ".join(["1"] * 10_000) + ")",
    ],
    ids=["and", "concatenation", "union", "ctes", "in"],
)
def test_long_is_not_deep(sql: str) -> None:
    [found] = read_script(sql)
    assert isinstance(found, Lineage)
    assert ("t",) in found.reads
    assert found.edges


def test_columns_that_double_at_each_step_have_an_end() -> None:
    steps = "".join(f", c{i} as (select p.*, q.* from c{i - 1} p, c{i - 1} q)" for i in range(1, 40))
    assert catch_refusal(f"with c0 as (select a, b from t){steps} select * from c39").startswith("x.sql:1:1: more than ")


def test_too_long() -> None:
    assert catch_refusal(" " * (MAX_CHARACTERS + 1)) == f"x.sql: it has more than {MAX_CHARACTERS} characters"


@pytest.mark.parametrize("sql", ["", ";;;", "-- nothing", "/* nothing */ ;"])
def test_nothing(sql: str) -> None:
    assert read_script(sql) == []


@pytest.mark.parametrize("sql", ["select 'hunter2", "select /* hunter2", 'select "hunter2'])
def test_what_has_no_end_is_refused_without_being_shown(sql: str) -> None:
    assert "a quote or a comment that has no end" in catch_refusal(sql)
    assert "hunter2" not in catch_refusal(sql)


def test_functions_are_named_without_their_arguments() -> None:
    [found] = read_script("select x from postgres_scan('host=db password=hunter2', 't')")
    assert isinstance(found, Lineage)
    assert found.unresolved == ("postgres_scan: what it reads is not known",)


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("select a from t;\nselect a,\n  from where x", "x.sql:3:8"),
        ("select 1;\n  create view v as select a from (select b from t", "x.sql:2:49"),
        ("insert into t selec a from b", "x.sql:1:15"),
    ],
)
def test_the_place_of_a_mistake(sql: str, place: str) -> None:
    [error] = [one for one in read_script(sql, "trino") if isinstance(one, InvalidInput)]
    assert str(error).startswith(f"{place}: "), error


def test_the_line_and_the_text_of_a_statement() -> None:
    first, second = read_script("-- one\nselect a from t;\n\n  select b\nfrom t  ;")
    assert isinstance(first, Lineage)
    assert isinstance(second, Lineage)
    assert (first.line, first.sql) == (2, "select a from t")
    assert (second.line, second.sql) == (4, "select b\nfrom t")


def test_one_interface_for_a_single_text() -> None:
    [found] = read_lineage("select a from t", "duckdb", lambda _: (), ("x",))
    assert (found.target, found.columns) == (("x",), ("a",))
    with pytest.raises(InvalidInput, match=r"^2:1: "):
        read_lineage("select a from t;\n(", "duckdb", lambda _: ())
    with pytest.raises(InvalidInput, match="accepted: athena, "):
        read_lineage("select 1", "klingon", lambda _: ())


def test_variables_are_no_columns() -> None:
    reader = ScriptReader("bigquery", lambda _: ())
    found = list(reader.read_script("DECLARE since DATE DEFAULT '2024-01-01'; INSERT d.t (a) SELECT a FROM d.u WHERE at > since"))
    [lineage] = [one for one in found if isinstance(one, Lineage)]
    assert {edge.column for edge in lineage.edges} == {"a", "at"}
    [lineage] = [one for one in reader.read_script("INSERT d.t (a) SELECT since FROM d.u") if isinstance(one, Lineage)]
    assert {edge.column for edge in lineage.edges} == {"since"}


def test_temporary_tables_end_with_their_text() -> None:
    reader = ScriptReader("postgres", lambda _: ())
    [first] = reader.read_script("CREATE TEMP TABLE t AS SELECT a FROM real; CREATE TABLE x AS SELECT a FROM t")
    [second] = reader.read_script("CREATE TABLE y AS SELECT a FROM t")
    assert isinstance(first, Lineage)
    assert isinstance(second, Lineage)
    assert (first.reads, second.reads) == ((("real",),), (("t",),))


def test_altered_columns_are_known_by_the_next_statement() -> None:
    sql = "CREATE TABLE t (a int, b int); ALTER TABLE t ADD COLUMN c int; ALTER TABLE t DROP COLUMN a; ALTER TABLE t RENAME COLUMN b TO d;"
    *_, last = ScriptReader("trino", lambda _: ()).read_script(f"{sql} INSERT INTO t SELECT x, y FROM u")
    assert isinstance(last, Lineage)
    assert {(edge.column, edge.target) for edge in last.edges} == {("x", "d"), ("y", "c")}


def test_defaults_fill_what_a_name_leaves_out() -> None:
    reader = ScriptReader("trino", lambda _: (), ("lake", "raw"))
    *_, last = reader.read_script("SELECT x FROM t; USE other.place; CREATE VIEW gold.b AS SELECT t.x FROM t JOIN c.d.e ON e.y = t.y")
    assert isinstance(last, Lineage)
    assert last.target == ("other", "gold", "b")
    assert set(last.reads) == {("other", "place", "t"), ("c", "d", "e")}
    [again] = reader.read_script("SELECT x FROM t")
    assert isinstance(again, Lineage)
    assert again.reads == (("lake", "raw", "t"),)

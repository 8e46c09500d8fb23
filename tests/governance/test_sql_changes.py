"""What differs in how a table is computed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.model import build_column_key
from tests.governance.queries import TABLE, compare_texts, list_rules
from tests.sizes import count_examples

EXAMPLE = Path(__file__).parents[2] / "examples" / "mesh" / "dbt" / "target" / "manifest.json"
COMPILED = [node["compiled_code"] for node in json.loads(EXAMPLE.read_text())["nodes"].values() if node["resource_type"] == "model"]

SAME = {
    "layout, comments, order of AND": (
        "select a, b from t where x = 1 and y = 2",
        "SELECT a, /* the second */ b\nFROM t -- all\nWHERE (y = 2) AND ((1 = x));",
    ),
    "quotes": ("select a from t", 'select "t"."a" as "a" from "t"'),
    "a query in place of a table": ("select a from t where b > 1", "select s.a from (select * from t) as s where 1 < s.b"),
    "names of queries": (
        "with one as (select a, sum(b) as c from t group by a) select a, c from one where c > 2",
        "with two as (select a, sum(b) as d from t group by a) select x.a, x.d as c from two as x where x.d > 2",
    ),
    "a query around": (
        "select k, sum(v) as s from t group by k",
        "with src as (select * from t), final as (select k, sum(v) as s from src group by 1) select * from final",
    ),
    "a joined query that chooses columns": (
        "select o.a, p.b from o left join p on o.id = p.id and p.x = 1",
        "with payments as (select id, b, x from p) select o.a, q.b from o left join payments as q on 1 = q.x and q.id = o.id",
    ),
    "a joined query that filters": (
        "select o.a, p.b from o join p on o.id = p.id where p.x > 1",
        "with paid as (select id, b from p where x > 1) select o.a, paid.b from o join paid using (id)",
    ),
    "order of inner joins": (
        "select t.a from t join u on t.i = u.i join v on v.j = t.j",
        "select t.a from t inner join v on t.j = v.j inner join u on (u.i = t.i)",
    ),
    "order of keys": ("select a, b, sum(c) as c from t group by a, b", "select a, b, sum(c) as c from t group by 2, 1"),
    "order of rows": ("select a from t", "select a from t order by a desc"),
    "branches as queries": (
        "select a from t union all select b from u",
        "with x as (select a from t), y as (select b from u), all_ as (select * from x union all select * from y) select * from all_",
    ),
    "partitions": (
        "select a from t qualify row_number() over (partition by k, l order by d) = 1",
        "select a from t qualify 1 = row_number() over w window w as (partition by l, k order by d asc)",
    ),
    "subqueries": (
        "select a from t where exists (select 1 from u where u.i = t.i)",
        "select z.a from t as z where exists (select 1 from u as w where z.i = w.i)",
    ),
    "negation": ("select a from t where not (b = 1)", "select a from t where b <> 1"),
    "counting rows": ("select count(*) as n from t", "select count(1) as n from t"),
    "types": ("select cast(a as decimal(18, 2)) as a from t", "select a::numeric(18,2) as a from t"),
    "what cannot be parsed": ("selec a frm t", "selec  a\nfrm t -- no query"),
    "a template": ("select a from {{ ref('t') }}", "select a\nfrom {{ ref('t') }}"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_matter_is_no_change(name: str) -> None:
    assert compare_texts(*SAME[name]) == []
    before, after = SAME[name]
    assert compare_texts(after, before) == []


CHANGED = {
    "an expression": (
        ("select a, b + 1 as b from t", "select a, b + 2 as b from t"),
        [("projection-changed", "t.b + 1", "t.b + 2")],
    ),
    "precedence": (
        ("select (a + b) * c as z from t", "select a + b * c as z from t"),
        [("projection-changed", "(t.a + t.b) * t.c", "t.a + (t.b * t.c)")],
    ),
    "an expression two queries further in": (
        (
            "with x as (select a, b * 2 as c from t), y as (select a, c + 1 as d from x) select a, d from y",
            "with x as (select a, b * 3 as c from t), y as (select a, c + 1 as d from x) select a, d from y",
        ),
        [("projection-changed", "(t.b * 2) + 1", "(t.b * 3) + 1")],
    ),
    "an aggregate further in": (
        (
            "with x as (select k, sum(v) as s, max(w) as m from t group by k) select k, s, m from x join u using (k)",
            "with x as (select k, sum(v + 1) as s, max(w) as m from t group by k) select k, s, m from x join u using (k)",
        ),
        [("projection-changed", "t[SUM(t.v)]", "t[SUM(t.v + 1)]")],
    ),
    "a column of one branch": (
        ("select a, b from t union all select a, b from u", "select a, b from t union all select a, -b as b from u"),
        [("projection-changed", "UNION(t.b, u.b)", "UNION(t.b, -u.b)")],
    ),
    "a filter": (
        ("select a from t where x = 1 and y = 2", "select a from t where x = 1 and y = 3"),
        [("filter-changed", "t.y = 2", "t.y = 3")],
    ),
    "a filter further in": (
        (
            "with x as (select k, sum(v) as s from t where f group by k) select k, s from x join u using (k)",
            "with x as (select k, sum(v) as s from t where g group by k) select k, s from x join u using (k)",
        ),
        [("filter-changed", "t.f", "t.g")],
    ),
    "no filter any more": (("select a from t where x", "select a from t"), [("filter-changed", "t.x", None)]),
    "a subquery in a filter": (
        ("select a from t where i in (select i from u)", "select a from t where i in (select i from u where u.b)"),
        [("filter-changed", "t.i IN (SELECT u.i AS i | JOIN query: u)", "t.i IN (SELECT u.i AS i | FILTER query: u.b | JOIN query: u)")],
    ),
    "who a correlated column belongs to": (
        (
            "select a from t where exists (select 1 from t as u where u.i = t.i)",
            "select a from t where exists (select 1 from t as u where u.i = u.i)",
        ),
        [
            (
                "filter-changed",
                "EXISTS((SELECT 1 AS #1 | FILTER query: OUTER(t.i) = t.i | JOIN query: t))",
                "EXISTS((SELECT 1 AS #1 | FILTER query: t.i = t.i | JOIN query: t))",
            )
        ],
    ),
    "LIMIT": (("select a from t limit 5", "select a from t limit 6"), [("filter-changed", "LIMIT 5", "LIMIT 6")]),
    "the order before LIMIT": (
        ("select a from t order by a limit 5", "select a from t order by b limit 5"),
        [("filter-changed", "LIMIT 5 ORDER BY t.a NULLS LAST", "LIMIT 5 ORDER BY t.b NULLS LAST")],
    ),
    "the kind of a join": (
        ("select o.a from o join p on o.i = p.i", "select o.a from o left join p on o.i = p.i"),
        [("join-changed", "JOIN p ON o.i = p.i", "LEFT JOIN p ON o.i = p.i")],
    ),
    "the condition of a join": (
        ("select o.a from o left join p on o.i = p.i", "select o.a from o left join p on o.i = p.i and p.x"),
        [("join-changed", "LEFT JOIN p ON o.i = p.i", "LEFT JOIN p ON o.i = p.i AND p.x")],
    ),
    "one more join": (("select o.a from o", "select o.a from o join p using (i)"), [("join-changed", None, "JOIN p ON o.i = p.i")]),
    "the order of outer joins": (
        (
            "select t.a from t left join u on t.i = u.i left join v on t.j = v.j",
            "select t.a from t left join v on t.j = v.j left join u on t.i = u.i",
        ),
        [("join-changed", "LEFT JOIN u ON t.i = u.i; LEFT JOIN v ON t.j = v.j", "LEFT JOIN u ON t.i = u.i; LEFT JOIN v ON t.j = v.j")],
    ),
    "another table": (("select a, b from t", "select a, b from u"), [("join-changed", "FROM t", "FROM u")]),
    "a table of another schema": (("select a from s.t", "select a from z.t"), [("join-changed", "FROM s.t", "FROM z.t")]),
    "one more branch": (
        ("select a, b from t union all select a, b from u", "select a, b from v union all select a, b from t union all select a, b from u"),
        [("join-changed", None, "FROM v")],
    ),
    "the first branch": (("select a from t", "select a from t union all select a from u"), [("join-changed", None, "FROM u")]),
    "UNION for UNION ALL": (
        ("select a from t union all select a from u", "select a from t union select a from u"),
        [("grouping-changed", None, "UNION UNION(t.a, u.a)")],
    ),
    "DISTINCT": (("select a from t", "select distinct a from t"), [("grouping-changed", None, "DISTINCT t.a")]),
    "GROUP BY": (
        ("select a, sum(b) as b from t group by a", "select a, sum(b) as b from t group by a, c"),
        [("grouping-changed", None, "GROUP BY t.c")],
    ),
    "a partition that decides about rows": (
        (
            "with r as (select *, row_number() over (partition by k order by d) as n from t) select a from r where n = 1",
            "with r as (select *, row_number() over (partition by k, l order by d) as n from t) select a from r where n = 1",
        ),
        [("grouping-changed", "OVER (PARTITION BY t.k)", "OVER (PARTITION BY t.k, t.l)")],
    ),
    "the rows that are unnested": (
        ("select v from t, unnest(t.l) as u(v)", "select v from t, unnest(t.m) as u(v)"),
        [("join-changed", "JOIN UNNEST(t.l) AS unnest", "JOIN UNNEST(t.m) AS unnest")],
    ),
    "a query that refers to itself": (
        (
            "with recursive r as (select 1 as n union all select n + 1 from r where n < 5) select n from r",
            "with recursive r as (select 1 as n union all select n + 1 from r where n < 6) select n from r",
        ),
        [
            (
                "query-changed",
                "r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5)",
                "r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 6)",
            )
        ],
    ),
    "a star of what is not known": (
        ("select * from t", "select * exclude (b) from t"),
        [("query-changed", "t.*", "t.* (without b)")],
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_matters_is_a_change_of_its_rule(name: str) -> None:
    versions, expected = CHANGED[name]
    assert list_rules(*versions) == expected


def test_lateral_views_are_compared() -> None:
    before = "select o.id, x.sku from orders as o lateral view explode(o.items) x as sku"
    assert compare_texts(before, "select o.id, y.s as sku from orders as o lateral view explode(o.items) y as s", "spark") == []
    changed = [("join-changed", "LATERAL VIEW EXPLODE(orders.items) AS lateral", "LATERAL VIEW EXPLODE(orders.parts) AS lateral")]
    assert list_rules(before, before.replace("o.items", "o.parts"), "spark") == changed
    outer = [("join-changed", "LATERAL VIEW EXPLODE(orders.items) AS lateral", "LATERAL VIEW OUTER EXPLODE(orders.items) AS lateral")]
    assert list_rules(before, before.replace("view explode", "view outer explode"), "spark") == outer


def test_a_star_of_a_known_table_means_its_columns() -> None:
    reads = {"t": ("a", "b")}
    assert list_rules("select * from t", "select a, b from t", reads=reads) == []
    assert list_rules("select * from t", "select a, -b as b from t", reads=reads) == [("projection-changed", "t.b", "-t.b")]


READS = {"a": ("id", "x"), "b": ("id", "y"), "c": ("y", "id")}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "select * from a full join b using (id)",
            "select a.id, a.x, b.y from a full join b using (id)",
            [("projection-changed", "USING(id)", "a.id")],
        ),
        (
            "select y, id, x from c join a using (id) union all select 1, 2, 3",
            "select * from c join a using (id) union all select 1, 2, 3",
            [("projection-changed", "UNION(c.y, 1)", "UNION(c.y, 2)"), ("projection-changed", "UNION(c.id, 2)", "UNION(c.id, 1)")],
        ),
        (
            "select -x as x, id from a order by x limit 5",
            "select x as x, id from a order by x limit 5",
            [
                ("filter-changed", "LIMIT 5 ORDER BY -a.x NULLS LAST", "LIMIT 5 ORDER BY a.x NULLS LAST"),
                ("projection-changed", "-a.x", "a.x"),
            ],
        ),
        ("select * from a semi join b on a.id = b.id", "select a.* from a semi join b on a.id = b.id", []),
        (
            "select s.t.i, z.t.i as j from s.t join z.t on s.t.k = z.t.k",
            "select s.t.i, s.t.i as j from s.t join z.t on s.t.k = z.t.k",
            [("projection-changed", "t@2.i", "t.i")],
        ),
    ],
    ids=["a star of FULL JOIN USING", "USING comes first in a star", "ORDER BY an alias", "a star of SEMI JOIN", "one name in two schemas"],
)
def test_a_name_is_the_column_that_the_database_takes(before: str, after: str, expected: list[tuple[str, object, object]]) -> None:
    assert list_rules(before, after, reads=READS) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "select * ilike 'x%' from (select id, x + 1 as x from a) as s",
            "select * ilike 'x%' from (select id, x + 2 as x from a) as s",
            [("projection-changed", "a.x + 1", "a.x + 2")],
        ),
        (
            "select * like 'x%' from (select id, x + 1 as x from a) as s",
            "select * like 'x%' from (select id + 1 as id, x + 2 as x from a) as s",
            [("projection-changed", "a.x + 1", "a.x + 2")],
        ),
        ("select * ilike 'x' from a", "select x from a", []),
        ("select * ilike 'u%' from u", "select * ilike 'v%' from u", [("query-changed", "u.* (* ILIKE 'u%')", "u.* (* ILIKE 'v%')")]),
        (
            "select * similar to 'x.*' from (select x + 1 as x from a) as s",
            "select * similar to 'x.*' from (select x + 2 as x from a) as s",
            [("projection-changed", "a.x + 1", "a.x + 2")],
        ),
        (
            "select * similar to 'x.*' from a",
            "select * similar to 'y.*' from a",
            [("query-changed", "?.* SIMILAR TO 'x.*'", "?.* SIMILAR TO 'y.*'")],
        ),
    ],
    ids=[
        "ILIKE",
        "LIKE",
        "the same as the column",
        "a table of unknown columns",
        "a pattern that is not understood",
        "another such pattern",
    ],
)
def test_a_star_with_a_pattern_is_the_columns_that_match(before: str, after: str, expected: list[tuple[str, object, object]]) -> None:
    assert list_rules(before, after, reads=READS) == expected


KEYED = "(select id + 1 as id, x from a) as s"


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        ("x, y from {} natural join b", [("join-changed", "NATURAL JOIN b ON (a.id + 1) = b.id", "NATURAL JOIN b ON (a.id + 2) = b.id")]),
        (
            "id from {} natural join b",
            [
                ("join-changed", "NATURAL JOIN b ON (a.id + 1) = b.id", "NATURAL JOIN b ON (a.id + 2) = b.id"),
                ("projection-changed", "a.id + 1", "a.id + 2"),
            ],
        ),
        (
            "y from b natural left join {}",
            [("join-changed", "NATURAL LEFT JOIN (a) ON a[a.id + 1] = b.id", "NATURAL LEFT JOIN (a) ON a[a.id + 2] = b.id")],
        ),
        (
            "y from {} natural join u",
            [("join-changed", "NATURAL JOIN u ON NATURAL(a.id + 1 AS id, x)", "NATURAL JOIN u ON NATURAL(a.id + 2 AS id, x)")],
        ),
        (
            "y from {} right join b using (id)",
            [("join-changed", "RIGHT JOIN b ON USING(id, a[a.id + 1] AS id)", "RIGHT JOIN b ON USING(id, a[a.id + 2] AS id)")],
        ),
        (
            "id from {} full join b using (id)",
            [
                ("join-changed", "FULL JOIN b ON USING(id, a[a.id + 1] AS id)", "FULL JOIN b ON USING(id, a[a.id + 2] AS id)"),
                ("projection-changed", "USING(id, a[a.id + 1] AS id)", "USING(id, a[a.id + 2] AS id)"),
            ],
        ),
    ],
    ids=["NATURAL", "its column", "NATURAL LEFT", "NATURAL with unknown columns", "RIGHT USING", "FULL USING"],
)
def test_a_key_that_both_sides_share_by_name_counts_by_what_computes_it(join: str, expected: list[tuple[str, object, object]]) -> None:
    before, after = (f"select {join.format(keyed)}" for keyed in (KEYED, KEYED.replace("+ 1", "+ 2")))
    assert list_rules(before, after, reads=READS) == expected
    assert list_rules(before, before.replace(" as s", " as other"), reads=READS) == []


def test_a_natural_join_unites_columns() -> None:
    assert list_rules("select * from a natural join b", "select a.id, a.x, b.y from a natural join b", reads=READS) == []
    moved = [("projection-changed", "UNION(c.y, 1)", "UNION(c.y, 2)"), ("projection-changed", "UNION(c.id, 2)", "UNION(c.id, 1)")]
    before, after = (
        "select y, id, x from c natural join a union all select 1, 2, 3",
        "select * from c natural join a union all select 1, 2, 3",
    )
    assert list_rules(before, after, reads=READS) == moved


def test_a_dialect_that_is_unknown_is_a_finding() -> None:
    [change] = compare_texts("select a from t", "select b from t", "some-engine")
    assert (change.rule, str(change.details["detail"])[:50]) == ("query-changed", "it cannot be compared (dialect: found 'some-engine")
    assert compare_texts("select a from t", "select a from t", "some-engine") == []


def test_columns_that_only_the_query_states_are_not_lost() -> None:
    [change] = compare_texts("select a, b from t", "select a, c from t")
    assert (change.rule, change.before, change.after) == ("query-changed", "b", "c")
    assert compare_texts("select a, b from t", "select a, c from t", columns=("a", "b")) == []


def test_a_projection_names_the_column_of_the_table() -> None:
    [change] = compare_texts("select a, b from t", "select a, b + 1 as b from t", columns=("A", "B"))
    assert (change.details["field"], change.assets, change.subject.part) == ("B", (build_column_key(TABLE, "B"),), ("field", "B"))
    [change] = compare_texts("select a from t", "select a from t where b", columns=("A",))
    assert (change.details["table"], change.assets, change.subject.part) == ("mart.t", (TABLE,), ("sql", "filter"))


# Each query names the one before it twice.
DOUBLED = "with c0 as (select a from t group by a), {} select a from c14".format(
    ", ".join(f"c{i + 1} as (select a from c{i} union all select a from c{i})" for i in range(14))
)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("selec a frm t", "selec b frm t", "it cannot be compared (1:9: it is no duckdb: Invalid expression"),
        ("select a from {{ ref('t') }}", "select b from {{ ref('t') }}", "it cannot be compared (a template that is not compiled)"),
        ("select a from t", "select a from t; select b from t", "it cannot be compared (it is not one query)"),
        ("select a from t", "import pandas", "it cannot be compared"),
        ("select a from t", "", "there is SQL of one version only"),
        ("select " + "(" * 3_000 + "a" + ")" * 3_000 + " as a from t", "select a from t", "it cannot be compared"),
        (DOUBLED, DOUBLED + " where a > 1", "names other queries more than"),
    ],
    ids=["no SQL", "a template", "two statements", "Python", "nothing", "too deep", "too much"],
)
def test_unreadable_queries_are_never_equal(before: str, after: str, why: str) -> None:
    [change] = compare_texts(before, after)
    assert change.rule == "query-changed"
    assert why in str(change.details["detail"])
    assert change.before != change.after


def test_long_parts_are_shown_in_short_and_stay_apart() -> None:
    before = "select a from t where x in (" + ", ".join(f"'{i}'" for i in range(5_000)) + ")"
    [first], [second] = (compare_texts(before, before.replace("'4711'", other)) for other in ("'x'", "'y'"))
    assert len(str(first.before)) <= 500 >= len(str(first.after))
    assert first.fingerprint != second.fingerprint


def test_a_fingerprint_does_not_depend_on_other_edits() -> None:
    [alone] = compare_texts("select a, b from t where x = 1", "select a, b from t where x = 2")
    both = compare_texts("select a, b from t where x = 1 and z", "select a, -b as b from t where z and 2 = x")
    assert alone.fingerprint in {change.fingerprint for change in both}


# -- in other words


@pytest.mark.parametrize("sql", COMPILED)
@pytest.mark.parametrize("dialect", ["duckdb", "trino", "postgres", "spark", "bigquery"])
def test_reformatted_compiled_models_are_the_same(sql: str, dialect: str) -> None:
    written = sqlglot.transpile(sql, read="duckdb", write=dialect)[0]
    reformatted = sqlglot.transpile(written, read=dialect, write=dialect, pretty=True, identify=True, leading_comma=True)[0]
    assert compare_texts(written, reformatted.replace("\n", "\n /* again */ "), dialect) == []


class Parts(NamedTuple):
    """A query in its parts, one edit of each: rule -> the query with it."""

    before: str
    edits: dict[str, str]


@st.composite
def draw_query(draw: st.DrawFn) -> Parts:
    """A query over a joined table, grouped or not, its source perhaps in a query of its own."""
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=4, unique=True))
    values = draw(
        st.lists(st.sampled_from(["{} + 1", "coalesce({}, 0)", "upper({})", "case when {} > 1 then 1 end"]), min_size=4, max_size=4)
    )
    filters = draw(
        st.lists(st.sampled_from(["o.x = 1", "o.y > 2 or o.z", "o.w in (1, 2)", "p.v is not null"]), min_size=1, max_size=3, unique=True)
    )
    kind = draw(st.sampled_from(["join", "left join"]))
    wrapped, grouped = draw(st.booleans()), draw(st.booleans())

    def query(**instead: str) -> str:
        items = [f"{value.format(f'o.{name}')} as {name}" for name, value in zip(names, values, strict=False)]
        items = [f"max({item.rpartition(' as ')[0]}) as {item.rpartition(' as ')[2]}" if grouped else item for item in items]
        items[0] = instead.get("item", items[0])
        source = "(select * from orders) as o" if wrapped else "orders as o"
        join = instead.get("join", f"{kind} payments as p on o.id = p.id")
        where = " and ".join(f"({one})" for one in [*filters[1:], instead.get("filter", filters[0])])
        keys = instead.get("keys", " group by o.k" if grouped else "")
        return f"select {', '.join(items)} from {source} {join} where {where}{keys}"

    edits = {
        "projection-changed": query(item=f"{'max' if grouped else ''}(o.{names[0]} * 7) as {names[0]}"),
        "filter-changed": query(filter="o.other = 5"),
        "join-changed": query(join=f"{kind} payments as p on o.id = p.order_id"),
        "grouping-changed": query(keys=" group by o.k, o.l") if grouped else query().replace("select ", "select distinct ", 1),
    }
    return Parts(query(), edits)


@settings(max_examples=count_examples(40), deadline=None)
@given(draw_query(), st.randoms(use_true_random=False))
def test_an_edit_of_one_part_is_its_rule_however_all_is_written(parts: Parts, random: Random) -> None:
    def write_sql(sql: str) -> str:
        options = {
            "pretty": random.random() < 0.5,
            "identify": random.random() < 0.5,
            "normalize_functions": random.choice(["upper", "lower"]),
        }
        text = sqlglot.transpile(sql, read="duckdb", write="duckdb", **options)[0]  # type: ignore[arg-type]
        return text.replace(" FROM ", " /* from */ FROM ")

    assert compare_texts(parts.before, write_sql(parts.before)) == []
    for rule, edited in parts.edits.items():
        assert {change.rule for change in compare_texts(write_sql(parts.before), write_sql(edited))} == {rule}

"""Power BI: a change of a column names the semantic models, reports and dashboards that it reaches. Scans are written after its
documentation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_consumer_key, build_dataset_key
from meshline.ingest.sources.dashboards.power_query import MAX_CHARACTERS, parse_expression
from meshline.ingest.sources.dashboards.table_origins import OriginFinder, Place, PlaceColumn, Server, Table
from tests.ingest.sources.consumer_loading import find_reached, list_refusals, list_warnings, read_facts, sync_files
from tests.ingest.sources.fake_source import open_graph

SALES = "powerbi://api.powerbi.com/v1.0/myorg/Finance ✓/Sales"
MSSQL = "mssql://db01.internal:1433"
ORDERS = """let
    Source = Sql.Database(Server & ".internal", "shop"),
    dbo_orders = Source{[Schema="dbo",Item="orders"]}[Data],
    #"Changed Type" = Table.TransformColumnTypes(dbo_orders,{{"id", Int64.Type}, {"amount", type nullable number}}),
    #"Renamed Columns" = Table.RenameColumns(#"Changed Type",{{"amount", "Amount"}}),
    #"Added Custom" = Table.AddColumn(#"Renamed Columns", "Net", each [Amount] - [tax], type number), // a comment
    #"Merged Queries" = Table.NestedJoin(#"Added Custom", {"customer_id"}, Customers, {"id"}, "c", JoinKind.LeftOuter),
    #"Expanded c" = Table.ExpandTableColumn(#"Merged Queries", "c", {"country"}, {"c.country"}),
    #"Filtered Rows" = Table.SelectRows(#"Expanded c", each [status] = "PAID")
in
    #"Filtered Rows\""""
CUSTOMERS = """let
    Source = Snowflake.Databases("acme-eu.snowflakecomputing.com","WH",[Role="READER"]),
    Database = Source{[Name="SHOP",Kind="Database"]}[Data],
    Schema = Database{[Name="PUBLIC",Kind="Schema"]}[Data],
    Customers = Schema{[Name="CUSTOMERS",Kind="Table"]}[Data]
in
    Customers"""
NATIVE = """let
    Source = Value.NativeQuery(PostgreSQL.Database("pg.internal:5433", "web"),
        "SELECT v.page, count(*) AS visits#(lf)FROM public.visits v WHERE v.bot = false GROUP BY 1", null, [EnableFolding=true])
in
    Source"""
PIVOTED = """let
    Source = PostgreSQL.Database("pg.internal:5433", "web"),
    t = Source{[Schema="public",Item="visits"]}[Data],
    p = Table.Pivot(t, List.Distinct(t[page]), "page", "visits")
in
    p"""


def make_column(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "dataType": "String", "isHidden": False, "columnType": "Data", **more}


SCAN: dict[str, Any] = {
    "workspaces": [
        {
            "id": "w1",
            "name": "Finance ✓",
            "type": "Workspace",
            "state": "Active",
            "reports": [
                {"id": "r1", "name": "Overview", "datasetId": "m1", "reportType": "PowerBIReport", "createdBy": "bob@company.com",
                 "modifiedDateTime": "2026-05-01T10:00:00.1",
                 "endorsementDetails": {"endorsement": "Certified", "certifiedBy": "cfo@company.com"},
                 "users": [{"emailAddress": "ada@company.com", "reportUserAccessRight": "Owner", "principalType": "User"},
                           {"emailAddress": "eve@company.com", "reportUserAccessRight": "Read", "principalType": "User"}]},
                {"id": "r2", "name": "Overview", "datasetId": "elsewhere", "createdBy": "bob@company.com"},
                {"id": "r3", "name": "[App] Overview", "datasetId": "m1", "appId": "a1"},
            ],
            "dashboards": [{"id": "d1", "displayName": "Board", "tiles": [{"reportId": "r1"}, {"datasetId": "m2"}]}],
            "datasets": [
                {"id": "m1", "name": "Sales", "configuredBy": "carol@company.com", "tables": [
                    {"name": "Orders", "source": [{"expression": ORDERS}],
                     "columns": [make_column("id"), make_column("Amount"), make_column("Net"), make_column("c.country"),
                                 make_column("Double", columnType="Calculated", expression="'Orders'[Amount] * 2 // [id]")],
                     "measures": [{"name": "Revenue", "expression": 'CALCULATE(SUM(Orders[Amount]), Customers[COUNTRY] = "[Net]")'},
                                  {"name": "Growth", "expression": "DIVIDE([Revenue], 2)"}]},
                    {"name": "Customers", "source": [{"expression": CUSTOMERS}], "columns": [make_column("COUNTRY"), make_column("EMAIL")]},
                    {"name": "LocalDateTable_5", "source": [{"expression": "Calendar(1, 2)"}], "columns": [make_column("Date")]}],
                 "expressions": [{"name": "Server", "expression": '"db01" meta [IsParameterQuery=true, Type="Text"]'}]},
                {"id": "m2", "name": "Web", "tables": [
                    {"name": "Visits", "source": [{"expression": NATIVE}], "columns": [make_column("page"), make_column("visits")]},
                    {"name": "Pages", "source": [{"expression": PIVOTED}], "columns": [make_column("/home")]},
                    {"name": "File", "source": [{"expression": 'let S = Excel.Workbook(File.Contents("C:\\a.xlsx")) in S'}],
                     "columns": [make_column("x")]}]},
            ],
        },
        {"id": "w2", "name": "Gone", "state": "Deleted", "reports": [{"id": "r9", "name": "Old", "datasetId": "m1"}]},
    ],
    "datasourceInstances": [{"datasourceType": "Sql", "connectionDetails": {"server": "db01.internal", "database": "shop"}}],
}  # fmt: skip
VIEWS = {"activityEventEntities": [
    {"Id": "1", "Activity": "ViewReport", "CreationTime": "2026-05-03T08:00:00Z", "ReportId": "r1", "UserId": "eve@company.com"},
    {"Id": "2", "Activity": "ViewReport", "CreationTime": "2026-05-02T08:00:00Z", "ReportId": "r1"},
    {"Id": "3", "Activity": "ExportReport", "CreationTime": "2026-05-09T08:00:00Z", "ReportId": "r1"}]}  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveGraph, list[str]]]:
    with open_graph() as live:
        done = sync_files(live, "powerbi", tmp_path_factory.mktemp("powerbi"), SCAN)
        yield live, list_warnings(done)


def test_columns_flow_into_semantic_models_and_on_to_reports(loaded: tuple[LiveGraph, list[str]]) -> None:
    live, warnings = loaded
    both = {"Finance ✓ / Overview": "POSSIBLE", "Finance ✓ / Board": "POSSIBLE"}  # a scan does not state which columns a report shows
    assert find_reached(live, MSSQL.removesuffix(":1433"), "shop.dbo.orders", "amount") == both
    columns = find_reached(live, MSSQL.removesuffix(":1433"), "shop.dbo.orders", "amount", "COLUMN")
    assert {name.removeprefix(f"{SALES}.Orders."): reach for name, reach in columns.items() if reach == "DIRECT"} == dict.fromkeys(
        ("Amount", "Net", "Double", "Revenue", "Growth"), "DIRECT"
    )
    filtered = find_reached(live, MSSQL.removesuffix(":1433"), "shop.dbo.orders", "status", "COLUMN")
    assert set(filtered.values()) == {"INDIRECT"}
    joined = find_reached(live, "snowflake://acme-eu", "SHOP.PUBLIC.CUSTOMERS", "country", "COLUMN")
    assert joined[f"{SALES}.Orders.c.country"] == "DIRECT"
    assert "report 'Overview': its semantic model elsewhere is in no scanned workspace" in warnings


def test_native_queries_are_read_and_unknown_steps_are_possible(loaded: tuple[LiveGraph, list[str]]) -> None:
    live, _ = loaded
    web = "powerbi://api.powerbi.com/v1.0/myorg/Finance ✓/Web"
    found = find_reached(live, "postgres://pg.internal:5433", "web.public.visits", "page", "COLUMN")
    assert found[f"{web}.Visits.page"] == "DIRECT"
    assert found[f"{web}.Pages./home"] == "POSSIBLE"
    assert set(find_reached(live, "postgres://pg.internal:5433", "web.public.visits", "bot", "COLUMN").values()) == {"INDIRECT", "POSSIBLE"}
    assert find_reached(live, "postgres://pg.internal:5433", "web.public.visits", "bot") == {"Finance ✓ / Board": "INDIRECT"}


def test_what_is_known_of_a_report(loaded: tuple[LiveGraph, list[str]]) -> None:
    live, _ = loaded
    facts, owners = read_facts(live, build_consumer_key("Finance ✓ / Overview").id)
    assert owners == ["ada@company.com"]
    assert (facts["endorsement"], facts["certified_by"], facts["workspace"]) == ("Certified", "cfo@company.com", "Finance ✓")
    assert facts["url"] == "https://app.powerbi.com/groups/w1/reports/r1"
    assert read_facts(live, build_consumer_key("Finance ✓ / Overview (report/r2)").id)[1] == ["bob@company.com"]
    assert live.index.assets.find_by_key(build_consumer_key("Finance ✓ / [App] Overview")) is None
    assert live.index.assets.find_by_key(build_consumer_key("Gone / Old")) is None
    table = build_dataset_key(SALES.rpartition("/")[0], "Sales.Orders")
    assert read_facts(live, table.id)[1] == ["carol@company.com"]
    assert read_facts(live, build_column_key(table, "Revenue").id)[0]["type"] == "MEASURE"


def test_last_views_and_stated_servers(tmp_path: Path) -> None:
    answer = copy.deepcopy({**SCAN, **VIEWS})
    with open_graph() as live:
        named = {"db01.internal/shop": {"namespace": "lake", "catalog": ""}}
        assert list_refusals(sync_files(live, "powerbi", tmp_path, answer, databases=named)) == []
        assert find_reached(live, "lake", "dbo.orders", "amount")
        assert read_facts(live, build_consumer_key("Finance ✓ / Overview").id)[0]["last_viewed"] == "2026-05-03T08:00:00Z"
        answer["workspaces"][0]["reports"] = []
        again = sync_files(live, "powerbi", tmp_path, answer, databases=named).loading
        assert again is not None
        assert (again.new, again.changed, again.retracted) == (0, 1, 2), "the board has fewer tables, two reports are gone"


SERVER = Server("mssql", "s", "d")
BASE = 'let S = Sql.Database("s", "d"), t = S{[Schema="x",Item="t"]}[Data], u = S{[Schema="x",Item="u"]}[Data], r = STEP in r'


def find_origin(step: str, queries: dict[str, str] | None = None) -> Table:
    return OriginFinder({"q": BASE.replace("STEP", step), **(queries or {})}).find_table("q")


def build_columns(*names: str) -> frozenset[PlaceColumn]:
    """`t.a`: column a of the table x.t."""
    return frozenset(PlaceColumn(Place(SERVER, ("x", name.partition(".")[0])), name.partition(".")[2]) for name in names)


@pytest.mark.parametrize(
    ("step", "column", "expected"),
    [
        ("t", "a", ["t.a"]),
        ('Table.RenameColumns(t, {"a", "b"})', "b", ["t.a"]),
        ('Table.RenameColumns(Table.RenameColumns(t, {{"a", "b"}}), {{"b", "c"}, {"d", "e"}})', "c", ["t.a"]),
        ('Table.AddColumn(t, "n", each if [a] = null then 0 else [b c] + _[d])', "n", ["t.a", "t.b c", "t.d"]),
        ('Table.AddColumn(t, "n", each Record.FieldCount(_))', "n", None),
        ('Table.DuplicateColumn(t, "a", "a copy")', "a copy", ["t.a"]),
        ('Table.CombineColumns(t, {"a", "b"}, Combiner.CombineTextByDelimiter(" "), "ab")', "ab", ["t.a", "t.b"]),
        ('Table.SplitColumn(t, "a", Splitter.SplitTextByDelimiter(","), {"a.1", "a.2"})', "a.2", ["t.a"]),
        ('Table.Group(t, {"k"}, {{"total", each List.Sum([a]), type number}, {"n", each Table.RowCount(_)}})', "total", ["t.a"]),
        ('Table.Group(t, {"k"}, {{"total", each List.Sum([a]), type number}, {"n", each Table.RowCount(_)}})', "n", None),
        ('Table.Group(t, {"k"}, {{"total", each List.Sum([a]), type number}})', "a", None),
        ("Table.Combine({t, u})", "a", ["t.a", "u.a"]),
        ("t & u", "a", ["t.a", "u.a"]),
        ('Table.ExpandTableColumn(Table.NestedJoin(t, "k", u, "k", "j"), "j", {"a"})', "a", ["u.a"]),
        ("Table.Transpose(t)", "a", None),
        ("Table.Buffer(Table.FirstN(t, 5))", "a", ["t.a"]),
        ("if true then t else u", "a", None),
        ("Other", "a", ["t.a"]),
        ("Loop", "a", None),
        ("#shared", "a", None),
    ],
)
def test_steps_of_power_query(step: str, column: str, expected: list[str] | None) -> None:
    others = {"Other": BASE.replace("STEP", "t"), "Loop": "let a = Loop2 in a", "Loop2": "Loop"}
    assert find_origin(step, others).find([column]) == (None if expected is None else build_columns(*expected))


def test_the_tables_before_an_unknown_step_are_known() -> None:
    assert find_origin("Table.FuzzyJoin(t, {}, u, {})").places == {Place(SERVER, ("x", "t")), Place(SERVER, ("x", "u"))}
    assert find_origin('Table.SelectRows(t, each [a] > List.Max(u[b]) and [c] = "x")').conditions >= build_columns("t.a", "t.c")


@pytest.mark.parametrize(
    "text",
    ["", "(" * 5000, "{" * 5000, "a" + "{0}" * 500, "let " * 1000, '"' + "x" * 1000, "let x = in x",
     "each each", "let a = 1 b = 2 in a", "\u202e", "x" * (MAX_CHARACTERS + 1), "[a=", "f(1,", "#date(", "/* " * 1000],
)  # fmt: skip
def test_text_that_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_expression(text)


def test_tables_that_are_combined_without_end_stay_small() -> None:
    steps = ", ".join(f'v{n + 1} = Table.Combine({{v{n}, Table.RenameColumns(v{n}, {{"a", "b"}})}})' for n in range(200))
    found = OriginFinder({"q": f'let S = Sql.Database("s", "d"), v0 = S{{[Schema="x",Item="t"]}}[Data], {steps} in v200'}).find_table("q")
    assert found.find(["a"]) is None
    assert found.places == {Place(SERVER, ("x", "t"))}


@pytest.mark.parametrize(
    ("document", "part"),
    [
        (b"", "no answer of Power BI"),
        (b"<html>", "no answer of Power BI"),
        (b"\xff\xfe", "no answer of Power BI"),
        (b"[" * 100_000, "no answer of Power BI"),
        ({}, "found neither workspaces nor activityEventEntities"),
        ({"error": {"code": "PowerBINotAuthorizedException"}}, "found neither"),
        ({"workspaces": [{"name": "without an id"}]}, "no answer of Power BI"),
        ({"workspaces": [{"id": "w", "datasets": [{"id": "m", "tables": [{"name": 5}]}]}]}, "no answer of Power BI"),
    ],
)
def test_what_is_no_scan_is_refused(tmp_path: Path, document: object, part: str) -> None:
    with open_graph() as live:
        assert part in list_refusals(sync_files(live, "powerbi", tmp_path, document))[0]


def test_a_hostile_workspace_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    table = {"name": "T\u202e", "columns": [make_column("a"), make_column("a"), make_column("")],
             "source": [{"expression": "let " * 500}], "measures": [{"name": "m", "expression": "'" * 1000 + "[" * 1000}]}  # fmt: skip
    workspace = {"id": "w", "name": None, "reports": None, "dashboards": [{"id": "d", "tiles": None}], "datasets": [
        {"id": "m", "name": "Sales", "tables": [table, {"name": ""}]}, {"id": "n", "name": "Sales", "tables": [table]}]}  # fmt: skip
    with open_graph() as live:
        done = sync_files(live, "powerbi", tmp_path, {"workspaces": [workspace, workspace]})
        assert list_refusals(done) == []
        assert any("query 'T\\u202e'" in warning for warning in list_warnings(done))
        assert live.index.assets.find_by_key(build_dataset_key("powerbi://api.powerbi.com/v1.0/myorg/w", "Sales (n).T\u202e")) is not None

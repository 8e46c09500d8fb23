"""Evidence: a change of a column names the pages whose SQL reads it. The project is written by hand after its documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_consumer_key
from tests.ingest.sources.consumer_loading import find_reached, list_refusals, list_warnings, read_facts, sync_keys
from tests.ingest.sources.fake_source import open_graph

SHOP = "postgres://db.internal"
PROJECT = {
    "sources/shop/connection.yaml": "name: shop\ntype: postgres\noptions:\n  host: db.internal\n  port: 5432\n  database: shop\n",
    "sources/shop/connection.options.yaml": "password: czNjcmV0\n",
    "sources/shop/orders.sql": "SELECT o.id, o.amount - o.tax AS net, c.country"
    " FROM public.orders o JOIN public.customers c ON c.id = o.customer_id",
    "sources/shop/visits.sql": "select * from web.visits where not bot",
    "sources/files/connection.yaml": "name: files\ntype: csv\noptions: {}\n",
    "sources/files/budget.sql": "select * from budget",
    "queries/by_country.sql": "select Country, sum(NET) as revenue from shop.orders group by 1",
    "pages/index.md": "---\ntitle: Überblick ✓\nowner: ada@company.com\nqueries:\n  - by_country.sql\n---\n\n# Hi\n\n"
    "```sql top\nselect * from ${by_country} where country = '${inputs.country.value}' limit 5;\n```\n\n```sql\nselect no from name\n```\n",
    "pages/web/index.md": "```sql hits\r\nselect page, count(*) from shop.visits group by all\r\n```\r\n\n"
    "~~~sql again\nselect * from ${hits}\n~~~\n",
    "pages/web/[page].md": "```js\nconst x = 1\n```\n",
    "pages/broken.md": "```sql bad\nselec from (\n```\n```sql loop\nselect * from ${loop}\n```\n",
}  # fmt: skip


def write_project(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / "reports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveGraph, list[str]]]:
    folder = tmp_path_factory.mktemp("evidence")
    write_project(folder, PROJECT)
    with open_graph() as live:
        yield live, list_warnings(sync_keys(live, "evidence", folder, {}, path="reports", url="https://bi/", owner="team:web"))


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("public.orders", "amount", {"reports / Überblick ✓": "DIRECT"}),
        ("public.customers", "country", {"reports / Überblick ✓": "DIRECT"}),
        ("public.orders", "customer_id", {"reports / Überblick ✓": "INDIRECT"}),
        ("web.visits", "bot", {"reports / web": "INDIRECT"}),
    ],
)
def test_a_column_reaches_the_pages_that_read_it(
    loaded: tuple[LiveGraph, list[str]], table: str, column: str, expected: dict[str, str]
) -> None:
    assert find_reached(loaded[0], SHOP, f"shop.{table}", column) == expected


def test_what_is_known_of_a_page(loaded: tuple[LiveGraph, list[str]]) -> None:
    live, warnings = loaded
    facts, owners = read_facts(live, build_consumer_key("reports / Überblick ✓").id)
    assert (facts["consumer_type"], facts["url"], facts["file"], facts["charts"]) == ("report", "https://bi", "pages/index.md", 2)
    assert owners == ["ada@company.com"]
    facts, owners = read_facts(live, build_consumer_key("reports / web").id)
    assert (facts["url"], owners) == ("https://bi/web", ["team:web"])
    assert live.index.assets.find_by_key(build_consumer_key("reports / web/[page]")) is not None
    assert any(warning.startswith("pages/broken.md: query 'bad'") for warning in warnings)
    assert any(warning.startswith("source 'files'") for warning in warnings)
    assert not any("czNjcmV0" in warning for warning in warnings)


def test_a_page_that_is_removed_is_retracted_and_one_that_cannot_be_read_stays(tmp_path: Path) -> None:
    write_project(tmp_path, PROJECT)
    with open_graph() as live:
        sync_keys(live, "evidence", tmp_path, {}, path="reports")
        again = sync_keys(live, "evidence", tmp_path, {}, path="reports").loading
        assert again is not None
        assert (again.new, again.changed, again.retracted) == (0, 0, 0)
        (tmp_path / "reports/pages/web/index.md").unlink()
        sync_keys(live, "evidence", tmp_path, {}, path="reports")
        assert live.index.assets.find_by_key(build_consumer_key("reports / web")) is None
        (tmp_path / "reports/pages/index.md").write_text("---\n[: {\n---\n")
        assert "pages/index.md" in list_refusals(sync_keys(live, "evidence", tmp_path, {}, path="reports"))[0]
        assert live.index.assets.find_by_key(build_consumer_key("reports / Überblick ✓")) is not None


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with open_graph() as live:
        assert "it has no pages" in list_refusals(sync_keys(live, "evidence", tmp_path, {}, path="reports"))[0]


def test_queries_that_refer_to_each_other_without_end_end(tmp_path: Path) -> None:
    fences = "".join(f"```sql q{n}\nselect * from ${{q{n + 1}}} a, ${{q{n + 1}}} b\n```\n" for n in range(20))
    many = "".join(f"```sql q{n}\nselect 1\n```\n" for n in range(501))
    write_project(tmp_path, {"pages/index.md": fences, "pages/many.md": many, "pages/large.md": "`" * 50_000 + "\n" + "```sql x\n" * 500})
    with open_graph() as live:
        assert "more than 500 queries" in list_refusals(sync_keys(live, "evidence", tmp_path, {}, path="reports"))[0]

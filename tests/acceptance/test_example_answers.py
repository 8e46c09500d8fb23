"""The answers that examples/mesh/README.md gives are the product's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.service import Service
from tests.acceptance.test_stores_agree import EXAMPLE, LAKE, example

QUERY = """query($id:ID!){impact(of:[$id]){
  assets(kinds:[COLUMN,CONSUMER],first:500){nodes{reach distance masked node{kind name ... on Column{dataset{name}}}}}}}"""


def read_table(heading: str) -> list[list[str]]:
    """The cells of the table of the page with this heading."""
    lines = (EXAMPLE / "README.md").read_text(encoding="utf-8").splitlines()
    begin = lines.index(heading) + 2
    end = next(i for i in range(begin, len(lines)) if not lines[i].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[begin:end]]


@pytest.fixture(scope="module")
def affected() -> Iterator[list[dict[str, Any]]]:
    with example("sqlite://:memory:") as service:
        yield read_assets(service)


def read_assets(service: Service) -> list[dict[str, Any]]:
    email = service.list_columns(LAKE, "customers.customers")["email"]
    found = service.ask(QUERY, id=email)["impact"]["assets"]["nodes"]
    assert isinstance(found, list)
    return found


def shorten_name(column: dict[str, Any]) -> str:
    """As the page writes names: `exports/x.c`, `schema.table.c`."""
    return f"{column['dataset']['name'].removeprefix('/warehouse/')}.{column['name']}"


def test_columns(affected: list[dict[str, Any]]) -> None:
    left = {
        shorten_name(a["node"]): (a["reach"], str(a["distance"]), "yes" if a["masked"] else "no")
        for a in affected
        if a["node"]["kind"] == "COLUMN"
    }
    for name, *expected in read_table("| reached | reach | distance | masked |"):
        dataset, comma, _ = name.partition(",")
        names = [column for column in left if column.startswith(f"{dataset}.") and comma] or [name]
        for column in names:
            assert left.pop(column) == tuple(expected), column
    assert left == {}


def test_consumers(affected: list[dict[str, Any]]) -> None:
    found = {a["node"]["name"]: a["reach"] + (", masked" if a["masked"] else "") for a in affected if a["node"]["kind"] == "CONSUMER"}
    expected = {name: reach for name, reach, _ in read_table("| consumer | reach | why |")}
    assert found == expected

"""The lists, the tabs of each kind of asset and the forms of a change show what the server answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.explorer.server import Server
from tests.explorer.window import Window, open_windows

MESH = Path(__file__).resolve().parents[2] / "examples" / "mesh"
JUDGE = """query($change: ChangeInput!) { blastRadius(change: $change) {
  verdict findings { hits { name } } notify { name } violations { fingerprint } } }"""


@pytest.fixture(scope="module")
def window(example: Server, browser: Browser) -> Iterator[Window]:
    """One for all: these tests only read."""
    with open_windows(browser) as open_window:
        yield open_window(example.address)


def list_names(value: Any) -> list[str]:
    """All names in an answer."""
    if isinstance(value, list):
        return [name for one in value for name in list_names(one)]
    return [name for one in value.values() for name in list_names(one)] if isinstance(value, dict) else [value] if value else []


@pytest.mark.parametrize("kind", ["domains", "products", "jobs", "consumers", "contracts"])
def test_a_list_has_what_the_server_lists_and_its_total(example: Server, window: Window, kind: str) -> None:
    known = example.ask(f"{{ {kind}(first: 100) {{ totalCount nodes {{ name }} }} }}")[kind]
    page = window.open(f"/{kind}")
    expect(page.get_by_role("status").filter(has_text=re.compile(f"^{known['totalCount']} {kind}"))).to_be_visible()
    shown = page.locator("main").inner_text()
    assert [one["name"] for one in known["nodes"] if one["name"] not in shown] == []
    assert known["totalCount"] == len(known["nodes"]) > 1


# An asset of each kind, and what its first tab lists.
KINDS = {
    "customers.customers": "... on Dataset { columns(first: 100) { nodes { name dataType } } }",
    "customers.email": "... on Column { dataset { name } dataType }",
    "product:customer-orders": "... on DataProduct { datasets { nodes { name } } }",
    "domain:finance": "... on Domain { products { name } datasets { nodes { name } } }",
    "job": "... on Job { reads { name } writes { name } }",
    "owner:orders-engineering": "",
    "consumer:support-desk": "... on Consumer { consumes { asset { name } } }",
    "contract:customer-orders-contract-v2": "... on Contract { versions { version } governs { name } }",
}


@pytest.mark.parametrize("name", KINDS)
def test_each_tab_of_an_asset_opens_and_the_first_lists_what_the_server_answers(example: Server, window: Window, name: str) -> None:
    if name == "job":
        jobs = example.ask("{ jobs(first: 100) { nodes { id reads { id } writes { id } } } }")["jobs"]["nodes"]
        of = next(one["id"] for one in jobs if one["reads"] and one["writes"])
    else:
        of = example.resolve(name)
    if name.startswith("owner:"):
        answer = example.ask("query($of: ID!) { ownedBy(owner: $of, kinds: [DATASET], first: 20) { nodes { name } } }", of=of)["ownedBy"]
    else:
        answer = example.ask(f"query($id: ID!) {{ node(id: $id) {{ {KINDS[name]} }} }}", id=of)["node"]
    names = list_names(answer)
    assert names
    page = window.open(f"/a/{of}")
    details = page.get_by_role("region", name="Details")
    shown = details.text_content() or ""  # with what is folded
    if name == "customers.email":
        shown = page.locator("main").inner_text()
    assert [one for one in names if one not in shown] == []
    tabs = details.get_by_role("navigation").get_by_role("link")
    for tab in tabs.all()[1:]:
        tab.click()
        expect(details.get_by_role("heading", level=2, name=tab.inner_text(), exact=True)).to_be_visible()
        window.wait_for_page()
        expect(page.get_by_role("alert")).to_have_count(0)
    assert tabs.count() > 1


def build_changes() -> dict[str, dict[str, str]]:
    """For each form of a change but words, its fields."""
    whole = json.loads((MESH / "dbt" / "target" / "manifest.json").read_text("utf-8"))
    dropped = next(key for key, node in whole["nodes"].items() if node["resource_type"] == "model")
    fewer = whole | {"nodes": {key: node for key, node in whole["nodes"].items() if key != dropped}}
    field = {"name": "email", "type": "string", "nullable": True, "metadata": {}}
    kept = {"name": "customer_id", "type": "long", "nullable": True, "metadata": {}}
    schemas = [json.dumps({"type": "struct", "fields": fields}) for fields in ([field, kept], [kept])]
    return {
        "ddl": {"text": "ALTER TABLE customers.customers DROP COLUMN email", "dialect": "trino"},
        "contract": {"before": (MESH / "contracts" / "customer_orders_v2.yaml").read_text("utf-8"), "after": ""},
        "schema": {"before": schemas[0], "after": schemas[1], "dataset": "customers.customers"},
        "product": {"before": (MESH / "products" / "customer-orders.yaml").read_text("utf-8"), "after": ""},
        "dbt": {"before": json.dumps(whole), "after": json.dumps(fewer)},
    }


@pytest.mark.parametrize("form", ["ddl", "contract", "schema", "product", "dbt"])
def test_a_change_of_each_form_has_the_verdict_of_the_server(example: Server, window: Window, form: str) -> None:
    """Texts are written; manifests, which are too long to paste, are chosen as files."""
    texts = build_changes()[form]
    known = example.ask(JUDGE, change={form: {name: text or None for name, text in texts.items()}})["blastRadius"]
    page = window.open(f"/change?form={form}")
    fields = page.locator(f"form.card {'input[type=file]' if form == 'dbt' else 'textarea'}")
    fields.first.wait_for()
    for field, name in zip(fields.all(), ["text"] if form == "ddl" else ["before", "after"], strict=True):
        if form == "dbt":
            field.set_input_files({"name": "manifest.json", "mimeType": "application/json", "buffer": texts[name].encode()})
        else:
            field.fill(texts[name])
    for name in ("dataset", "dialect"):
        if name in texts:
            page.locator("form.card input:not([type=file])").fill(texts[name])
    page.get_by_role("button", name="Check it").click()
    expect(page.locator("#verdict")).to_contain_text(re.compile(known["verdict"], re.IGNORECASE))
    hits = {hit["name"] for finding in known["findings"] for hit in finding["hits"]}
    found, hit, notify, broken = (len(one) for one in (known["findings"], hits, known["notify"], known["violations"]))
    assert found > 0
    expected = f"{found} changes? found, {hit} consumers? hit, {notify} recipients? to notify, {broken} violations? of policies"
    expect(page.get_by_role("status").filter(has_text=re.compile(expected))).to_be_visible()


def test_the_search_names_the_words_that_were_found_for_others(example: Server, window: Window) -> None:
    found = example.ask('{ search(text: "identifier", first: 50) { edges { why { word found meaning } node { id } } } }')["search"]["edges"]
    first = found[0]
    (why,) = first["why"]
    assert why == {"word": "identifier", "found": "id", "meaning": "ABBREVIATION"}
    page = window.open("/search?q=identifier")
    row = page.get_by_role("listitem").filter(has=page.locator(f'a[href*="{first["node"]["id"]}"]')).first
    expect(row).to_contain_text("found by id for identifier (abbreviation)")

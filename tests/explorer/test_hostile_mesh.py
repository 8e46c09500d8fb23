"""The hostile mesh on every route: whatever its names are, they are text, and nothing of them runs, loads, hides or breaks the layout."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import expect

from meshline.api.explorer import ROUTES
from tests.explorer.hostile_mesh import LABELS, NAMESPACE, OWNED, STRANGER, TEXTS, fill_server
from tests.explorer.server import Server, run_server
from tests.explorer.window import OpenWindow

SHOWN = (0, 7, 9, 13, 19)  # the texts whose dataset is opened: script, bidi, formula, mermaid, 4,000 characters
# What a page that takes a name for markup would have, or hide from the reader.
FIND_HARM = f"""() => {{
  const found = [];
  if (window[{OWNED!r}] !== undefined) found.push('a script of a name ran');
  if (document.title === {OWNED!r}) found.push('a script of a name changed the title');
  for (const element of document.querySelectorAll('*')) {{
    const name = element.tagName.toUpperCase();
    if (element.id === {OWNED!r} || ['IFRAME', 'OBJECT', 'EMBED', 'FOREIGNOBJECT'].includes(name)) found.push(element.outerHTML);
    for (const attribute of element.attributes) {{
      if (attribute.name.startsWith('on')) found.push('a handler: ' + element.outerHTML.slice(0, 200));
      if (['href', 'src', 'action', 'xlink:href'].includes(attribute.name)) {{
        const url = new URL(attribute.value, location.href), start = attribute.value.slice(0, 200);
        if (url.protocol === 'javascript:') found.push('a link that runs: ' + start);
        if (url.origin !== location.origin && element.rel !== 'noopener noreferrer') found.push('a link with a referrer: ' + start);
      }}
    }}
  }}
  const hidden = document.body.innerText.match(/[\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff\\u00ad]/);
  if (hidden) found.push('a character that hides or turns: U+' + hidden[0].codePointAt(0).toString(16));
  const width = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (width > 0) found.push('the page is ' + width + ' pixels wider than the window');
  return found;
}}"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server(f"sqlite:///{tmp_path_factory.mktemp('hostile')}/hostile.db") as server:
        fill_server(server)
        yield server


def list_paths(server: Server) -> dict[str, list[str]]:
    """For each route, addresses that show hostile assets, and that are hostile themselves."""
    names = "query($ns: String!, $n: String!) { dataset(namespace: $ns, name: $n) { id columns(first: 1) { nodes { id } } } }"
    datasets = [server.ask(names, ns=NAMESPACE, n=LABELS[n] if n != 19 else TEXTS[19][:4_000])["dataset"] for n in SHOWN]
    kinds = ["products", "owners", "consumers", "contracts", "domains", "jobs"]
    others = server.ask("{" + " ".join(f"{kind}(first: 2) {{ nodes {{ id }} }}" for kind in kinds) + "}")
    column = datasets[0]["columns"]["nodes"][0]["id"]
    runs = [
        job["lastRun"]["id"] for job in server.ask("{ jobs(first: 12) { nodes { lastRun { id } } } }")["jobs"]["nodes"] if job["lastRun"]
    ]
    assets = [one["id"] for one in datasets] + [column] + [node["id"] for found in others.values() for node in found["nodes"]]
    of = {"of": datasets[0]["id"]}
    wrong = [dict.fromkeys(("q", "kind", "of", "from", "to", "asOf", "g", "dir", "reach", "view", "tag"), text) for text in LABELS[:2]]
    parameters: dict[str, list[dict[str, str]]] = {
        "/search": [{"q": text} for text in LABELS[:1] + LABELS[7:10]],
        "/lineage": [of, {"of": datasets[2]["id"]}, {"of": column, "g": "column"}, *wrong],
        "/impact": [of, {"of": column}, *wrong[:1]],
        "/why": [{"from": datasets[0]["id"], "to": datasets[1]["id"]}, *wrong[:1]],
        "/change": [{"words": f"drop {text}"} for text in LABELS[:1]],
        "/diff": [{"from": "2026-01-01T00:00:00Z", "to": "2026-03-03T00:00:00Z"}, *wrong[:1]],
    }
    return {
        "/": ["/"],
        **{route: [f"{route}?{urlencode(one)}" if one else route for one in parameters.get(route, [{}])] for route in ROUTES},
        "/a/{id}": [f"/a/{quote(one, safe='')}" for one in [*assets, LABELS[0], LABELS[7]]],
        "/runs/{id}": [f"/runs/{quote(one, safe='')}" for one in [*runs[:3], LABELS[0]]],
    }


@pytest.fixture(scope="module")
def paths(hostile: Server) -> dict[str, list[str]]:
    return list_paths(hostile)


@pytest.mark.parametrize("route", ["/", *ROUTES])
def test_hostile_names_are_text(hostile: Server, paths: dict[str, list[str]], open_window: OpenWindow, route: str) -> None:
    window = open_window(hostile.address)
    harm = {}
    for path in paths[route]:
        page = window.open(path)
        if found := page.evaluate(FIND_HARM):
            harm[path] = found
        assert page.locator("body").inner_text(), path
    assert harm == {}


def test_the_search_shows_what_a_name_hides(hostile: Server, open_window: OpenWindow) -> None:
    page = open_window(hostile.address).open("/search?" + urlencode({"q": "invoice"}))
    expect(page.get_by_role("region").get_by_text("U+202E").first).to_be_visible()
    assert STRANGER not in page.content().split("<main", 1)[0]


@pytest.fixture
def save_picture(hostile: Server, paths: dict[str, list[str]], open_window: OpenWindow) -> Callable[[str, int], Path]:
    """A function that saves the picture of a lineage in a format. 0: of a dataset whose name is a script; 1: whose name is a formula."""
    window = open_window(hostile.address)

    def save(file_format: str, number: int) -> Path:
        page = window.open(paths["/lineage"][number])
        expect(page.get_by_role("treeitem").nth(1)).to_be_visible()
        with page.expect_download() as download:
            page.locator("select", has=page.locator("option[value=mermaid]")).select_option(file_format)
        assert re.fullmatch(r"[\w.-]+", download.value.suggested_filename), download.value.suggested_filename
        return download.value.path()

    return save


def test_a_saved_drawing_runs_and_loads_nothing(save_picture: Callable[[str, int], Path], open_window: OpenWindow, tmp_path: Path) -> None:
    text = save_picture("svg", 0).read_text("utf-8")
    assert "onerror" in text
    elements = list(ET.fromstring(text).iter())  # fails unless it is well-formed
    assert {element.tag.rpartition("}")[2] for element in elements} <= {
        "svg",
        "title",
        "desc",
        "g",
        "rect",
        "path",
        "text",
        "line",
        "style",
        "defs",
    }
    attributes = [(name.rpartition("}")[2], value) for element in elements for name, value in element.items()]
    assert [(name, value) for name, value in attributes if name.startswith("on") or name in ("href", "src") or "url(" in value] == []
    (tmp_path / "saved.svg").write_text(text, "utf-8")
    window = open_window("file://")  # opened by itself no policy protects it
    window.page.goto((tmp_path / "saved.svg").as_uri())
    assert window.page.evaluate(f"window[{OWNED!r}] === undefined")


def test_saved_tables_run_no_formula(save_picture: Callable[[str, int], Path]) -> None:
    cells = read_cells(save_picture("csv", 1))
    assert any("HYPERLINK" in cell for cell in cells)
    assert any("cmd|" in cell for cell in cells)
    assert find_formulas(cells) == []


def read_cells(file: Path) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(file.read_text("utf-8-sig"))) for cell in row]


def find_formulas(cells: list[str]) -> list[str]:
    return [cell for cell in cells if re.match(r"\s*[=+\-@%|]", cell) and not re.fullmatch(r"-?\d+|[+-]", cell)]


@pytest.mark.parametrize("route", ["/impact", "/diff", "/datasets", "/owners"])
def test_saved_lists_run_no_formula(hostile: Server, paths: dict[str, list[str]], open_window: OpenWindow, route: str) -> None:
    page = open_window(hostile.address).open(paths[route][0])
    buttons = page.get_by_role("button", name="Save as CSV")
    expect(buttons.first).to_be_visible()
    for button in buttons.all():
        with page.expect_download() as download:
            button.click()
        cells = read_cells(download.value.path())
        assert any("cmd|" in cell or "HYPERLINK" in cell or "stranger" in cell for cell in cells), "no hostile name is in it"
        assert find_formulas(cells) == []


def test_saved_text_can_be_read_again(save_picture: Callable[[str, int], Path]) -> None:
    assert isinstance(json.loads(save_picture("json", 0).read_text("utf-8")), dict)
    assert save_picture("png", 0).read_bytes().startswith(b"\x89PNG\r\n")
    lines = save_picture("mermaid", 0).read_text("utf-8").splitlines()
    assert any("onerror" in line for line in lines)
    drawn = [line for line in lines if not line.startswith("%%")]
    assert drawn[0] == "flowchart LR"
    for line in drawn[1:]:
        assert re.match(r"  (n\d+|subgraph|end|class|style|linkStyle)", line), line
        assert not re.search(r"^\s*click|javascript:alert\(1\)\";", line), line


def test_suggestions_are_text(hostile: Server, open_window: OpenWindow) -> None:
    page = open_window(hostile.address).open("/")
    page.locator("input[role=combobox]").fill("img")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_be_visible()
    assert page.evaluate(FIND_HARM) == []


def test_the_columns_of_a_wide_dataset_are_narrowed_by_name(hostile: Server, paths: dict[str, list[str]], open_window: OpenWindow) -> None:
    page = open_window(hostile.address).open(paths["/lineage"][0])
    page.locator("[role=treeitem][tabindex='0']").focus()
    page.keyboard.press("o")
    expect(page.locator("#canvas-columns-count")).to_have_text(re.compile(r"^\d\d of \d\d$"))
    page.locator("[role=treeitem][tabindex='0']").focus()
    page.keyboard.press("s")
    page.keyboard.type("HYPERLINK(")
    expect(page.locator("#canvas-columns-count")).to_have_text(re.compile(r"^1 of \d\d$"))
    page.keyboard.press("Enter")
    expect(page.locator("[role=treeitem]:focus")).to_have_attribute("aria-label", re.compile("HYPERLINK.*, column"))
    assert "HYPERLINK" in page.url
    assert page.evaluate(FIND_HARM) == []

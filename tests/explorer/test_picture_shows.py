"""What the picture shows of its nodes is what the server answers: the cone, masking, groups, blocks when it is small, and the overlays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.explorer.server import Server
from tests.explorer.window import Window, open_windows

NODES = """query($of: [ID!]!, $granularity: Granularity!, $depth: Int!) { lineage(
  of: $of, direction: DOWNSTREAM, granularity: $granularity, depth: $depth
) { nodes { masked asset { id name lastObserved domain { id name } product { id name } owners { owner { name } }
  ... on Dataset { qualityCounts { passed failed errors warned skipped notRun } } } } edges { masking from { id } to { id name } } } }"""
CONE = (
    "query($of: [ID!]!, $to: Direction!) { lineage(of: $of, direction: $to, granularity: COLUMN, limit: 1000) { nodes { asset { id } } } }"
)
DEEP = 20  # hops, which is further than the example goes
DAY = 86_400
MANY = 10  # colours of domains
COLOURS = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const counts = {};
  for (let i = 0; i < data.length; i += 4) {
    const colour = data.slice(i, i + 3).join();
    counts[colour] = (counts[colour] ?? 0) + 1;
  }
  return counts;
}"""

# The canvas itself knows what is under a point, and shows it by the shape of the pointer.
FIND_BOX = """(canvas) => {
  const box = canvas.getBoundingClientRect();
  for (let x = 40; x < 400; x += 40)
    for (let y = 10; y < box.height; y += 4) {
      const at = { clientX: box.left + x, clientY: box.top + y };
      canvas.dispatchEvent(new PointerEvent('pointermove', { ...at, bubbles: true }));
      if (canvas.style.cursor === 'pointer') return [at.clientX, at.clientY];
    }
  return null;
}"""


@pytest.fixture(scope="module")
def window(example: Server, browser: Browser) -> Iterator[Window]:
    """One for all: these tests only read."""
    with open_windows(browser) as open_window:
        yield open_window(example.address)


@pytest.fixture(scope="module")
def of(example: Server) -> str:
    return example.resolve("customers.customers")


@pytest.fixture(scope="module")
def nodes(example: Server, of: str) -> list[dict[str, Any]]:
    """Everything downstream."""
    found: list[dict[str, Any]] = example.ask(NODES, of=[of], granularity="DATASET", depth=DEEP)["lineage"]["nodes"]
    return found


def read_rows(page: Page) -> dict[str, str]:
    """The rows of the tree beside the picture: by id, what a screen reader reads."""
    rows = page.get_by_role("treeitem").evaluate_all("(rows) => rows.map((row) => [row.dataset.id, row.getAttribute('aria-label')])")
    return dict(rows)


def is_cone_of(request: Request, of: str) -> bool:
    asked = (request.post_data_json if request.url.endswith("/graphql") else None) or {}
    return asked.get("operationName") == "Cone" and asked["variables"]["of"] == [of]


def find_box(page: Page) -> list[float]:
    """A point in the first box of the picture, which is its focus where only downstream is shown: just below the box's upper edge."""
    found: list[float] | None = page.locator("canvas[data-cards]").evaluate(FIND_BOX)
    assert found, "no box is under any point"
    return found


def test_a_column_under_the_pointer_lights_all_that_the_server_reaches(example: Server, window: Window, of: str) -> None:
    email = example.resolve("customers.email")
    page = window.open(f"/lineage?of={of}&dir=down&open={of}:c")
    canvas = page.locator("canvas[data-cards]")
    expect(page.locator(f"[data-id='{email}']")).to_be_visible()
    window.wait_for_page()
    shown = read_rows(page)
    columns = [one for one, label in shown.items() if ", column" in label]
    x, top = find_box(page)
    zoom = float(canvas.get_attribute("data-zoom") or 0)
    # Below the head of 52 pixels, each column has 22.
    with page.expect_request(lambda request: is_cone_of(request, email)):
        page.mouse.move(x + 30, top + (52 + 22 * (columns.index(email) + 0.3)) * zoom)
    for side, to in (("up", "UPSTREAM"), ("down", "DOWNSTREAM")):
        cone = {node["asset"]["id"] for node in example.ask(CONE, of=[email], to=to)["lineage"]["nodes"]} - {email}
        missing = len(cone - shown.keys())
        assert missing > 0
        expect(page.locator(f".canvas-chip.{side}")).to_contain_text(f"{missing} not in the picture")
    page.mouse.move(0, 0)
    expect(page.locator(".canvas-chip")).to_have_count(0)


def test_a_right_click_on_a_box_or_a_column_opens_its_menu(example: Server, window: Window, of: str) -> None:
    email = example.resolve("customers.email")
    page = window.open(f"/lineage?of={of}&dir=down&open={of}:c")
    expect(page.locator(f"[data-id='{email}']")).to_be_visible()
    columns = [one for one, label in read_rows(page).items() if ", column" in label]
    zoom = float(page.locator("canvas[data-cards]").get_attribute("data-zoom") or 0)
    x, top = find_box(page)
    menu = page.get_by_role("menu")
    page.mouse.click(x + 30, top + 20 * zoom, button="right")
    expect(page.get_by_role("menu", name="Actions for customers.customers", exact=True)).to_be_visible()
    expect(menu.locator("[role^=menuitem]").first).to_be_focused()
    expect(menu.get_by_role("menuitem", name="Drop it")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    page.mouse.click(x + 30, top + (52 + 22 * (columns.index(email) + 0.5)) * zoom, button="right")
    expect(page.get_by_role("menu", name="Actions for email", exact=True)).to_be_visible()
    expect(menu.get_by_role("menuitem", name="Drop it")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(f"[data-id='{email}']")).to_be_focused()
    frame = page.locator(".canvas-frame").bounding_box()
    assert frame
    page.mouse.click(frame["x"] + 5, frame["y"] + frame["height"] - 5, button="right")  # there is nothing
    expect(menu).to_have_count(0)


def test_what_is_masked_is_marked_and_the_masking_line_too(example: Server, window: Window, of: str, nodes: list[dict[str, Any]]) -> None:
    page = window.open(f"/lineage?of={of}&dir=down&depth={DEEP}")
    masked = {node["asset"]["id"] for node in nodes if node["masked"]}
    assert {one for one, label in read_rows(page).items() if "masked on every path" in label} == masked
    assert 0 < len(masked) < len(nodes)
    email = example.resolve("customers.email")
    edges = example.ask(NODES, of=[email], granularity="COLUMN", depth=DEEP)["lineage"]["edges"]
    start = next(edge["from"]["id"] for edge in edges if edge["masking"])
    lines = Counter((edge["to"]["name"], edge["masking"]) for edge in edges if edge["from"]["id"] == start)
    page = window.open(f"/lineage?of={start}&g=column&dir=down")
    texts = page.locator(".canvas-details li", has=page.locator(".canvas-link")).all_inner_texts()
    assert len([text for text in texts if ", masking" in text]) == sum(count for (_, masking), count in lines.items() if masking)


@pytest.mark.parametrize("by", ["domain", "product"])
def test_boxes_are_grouped_by_hand(window: Window, of: str, nodes: list[dict[str, Any]], by: str) -> None:
    page = window.open(f"/lineage?of={of}&dir=down&depth={DEEP}&group={by}&closed=*")
    members = Counter(node["asset"][by]["name"] for node in nodes if node["asset"][by])
    labels = list(read_rows(page).values())
    closed = {label.split(",")[0]: int(found[1]) for label in labels if (found := re.search(r"(\d+) inside", label))}
    assert closed == members
    assert len(labels) == len(members) + sum(1 for node in nodes if not node["asset"][by])
    name = max(members, key=lambda one: members[one])
    page.get_by_role("treeitem", name=re.compile(f"^{re.escape(name)},")).focus()
    page.keyboard.press("Enter")
    rows = page.get_by_role("treeitem")
    expect(rows).to_have_count(len(labels) - 1 + members[name])
    page.locator(".canvas-more > summary").click()
    for chosen in ("none", by):  # groups that are chosen by hand are open, and hide nothing
        page.get_by_role("combobox", name="Group by").select_option(chosen)
        expect(page).to_have_url(re.compile(f"[?&]group={chosen}"))
        expect(rows).to_have_count(len(nodes))


def test_small_boxes_are_blocks_in_the_colours_of_their_domains(window: Window, of: str, nodes: list[dict[str, Any]]) -> None:
    page = window.open(f"/lineage?of={of}&dir=down&depth={DEEP}")
    canvas = page.locator("canvas[data-cards]")
    for _ in range(5):
        page.get_by_role("button", name="Zoom out").click()
    expect(canvas).to_have_attribute("data-zoom", re.compile(r"0\.[12]"))
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(canvas).to_have_attribute("data-cards", str(len(nodes)))
    wide = sorted((count for count in canvas.evaluate(COLOURS).values() if count > 400), reverse=True)[1:]  # the first is the ground
    one = min(wide)  # a single box
    boxes = Counter(number_colour(node["asset"]["domain"]["id"]) for node in nodes)
    assert [round(count / one) for count in wide] == sorted(boxes.values(), reverse=True)


def number_colour(of: str) -> int:
    """Which of the colours a domain has: there are fewer colours than domains, and each block has the first letter of its domain, too."""
    total = 0
    for letter in of:
        total = (total * 31 + ord(letter)) & 0xFFFFFFFF
    return total % MANY


def mark_quality(asset: dict[str, Any]) -> tuple[str, str]:
    counts = asset["qualityCounts"]
    if failed := counts["failed"] + counts["errors"]:
        return "failing", f"{failed} of {sum(counts.values())} checks failing"
    if counts["passed"]:
        return "passing" if sum(counts.values()) == counts["passed"] else "passing in part", f"{counts['passed']} checks passed"
    return "without result", "checks without result" if sum(counts.values()) else "no checks"


def mark_freshness(asset: dict[str, Any]) -> tuple[str, str]:
    if asset["lastObserved"] is None:
        return "never observed", "never observed"
    age = (datetime.now(UTC) - datetime.fromisoformat(asset["lastObserved"])).total_seconds()
    tone = "within a day" if age < DAY else "within a week" if age < 7 * DAY else "older"
    return tone, f"observed {age / DAY:.0f} days ago" if age > 2 * DAY else "observed"


def mark_owner(asset: dict[str, Any]) -> tuple[str, str]:
    owners = ", ".join(one["owner"]["name"] for one in asset["owners"])
    return ("owned", owners) if owners else ("no owner", "no owner")


@pytest.mark.parametrize(("overlay", "mark"), [("quality", mark_quality), ("freshness", mark_freshness), ("owner", mark_owner)])
def test_an_overlay_marks_each_dataset_and_counts_the_marks(
    window: Window, of: str, nodes: list[dict[str, Any]], overlay: str, mark: Callable[[dict[str, Any]], tuple[str, str]]
) -> None:
    page = window.open(f"/lineage?of={of}&dir=down&depth={DEEP}&overlay={overlay}")
    marks = {node["asset"]["id"]: mark(node["asset"]) for node in nodes}
    shown = read_rows(page)
    assert shown.keys() == marks.keys()
    assert [label for one, label in shown.items() if f", {marks[one][1]}" not in label] == []
    legend = page.locator(f"[data-legend={overlay}]").inner_text().split(" · ")
    assert sorted(legend) == sorted(f"{count} {tone}" for tone, count in Counter(tone for tone, _ in marks.values()).items())


def test_the_overlay_of_policies_marks_what_breaks_one(example: Server, window: Window, of: str) -> None:
    violations = example.ask("{ policyViolations(first: 500) { totalCount nodes { fingerprint asset { id } } } }")["policyViolations"]
    assert violations["totalCount"] == len(violations["nodes"]) > 0
    broken = Counter(of for _, of in {(one["fingerprint"], one["asset"]["id"]) for one in violations["nodes"] if one["asset"]})
    page = window.open(f"/lineage?of={of}&g=product&dir=down&depth={DEEP}&overlay=policy")
    shown = read_rows(page)
    for one, label in shown.items():
        count = broken[one]
        words = "no policy broken" if count == 0 else "broken: " if count == 1 else f"{count} violations of policies"
        assert f", {words}" in label
    bad = sum(1 for one in shown if broken[one])
    assert bad > 0
    expect(page.locator("[data-legend=policy]")).to_contain_text(f"{bad} broken")

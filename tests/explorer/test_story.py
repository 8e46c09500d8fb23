"""The README's story in a real browser: who breaks if customers.email goes, why, who is notified, may it ship, and a link to the answer."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.explorer.server import Server
from tests.explorer.window import OpenWindow

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
AFFECTED = re.search(r"customers\.customers\.email affects (\d+) assets", README)
RECIPIENTS = re.search(r"Notify (\d+) consumers and (\d+) owners", README)
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}, "200 % zoom": {"width": 720, "height": 450}}


def find_choices(page: Page) -> Locator:
    return page.get_by_role("listbox").get_by_role("option")


def fill_search(page: Page) -> None:
    page.locator("input[role=combobox]").fill("customers.email")
    expect(find_choices(page).first).to_contain_text("customers.customers.email")


@pytest.mark.parametrize("size", SIZES)
def test_who_breaks_is_answered_in_three_clicks(example: Server, open_window: OpenWindow, size: str) -> None:
    assert AFFECTED
    assert RECIPIENTS
    window = open_window(example.address, viewport=SIZES[size], reduced_motion="reduce")
    page = window.open("/")
    fill_search(page)
    find_choices(page).first.click()  # one
    window.wait_for_page()
    expect(page.locator("h1")).to_contain_text("email")
    expect(page.locator("main")).to_contain_text("data-protection")  # whose it is
    names = page.locator("a[href^='/change']").all_text_contents()
    assert [name.strip() for name in names] == ["Check a change"] * 2, "of the menu, and of the page"
    page.get_by_role("main").get_by_role(
        "link", name=re.compile("^(See )?(what breaks|who breaks|all)", re.IGNORECASE)
    ).first.click()  # two
    window.wait_for_page()
    expect(page.get_by_text(f"{AFFECTED[1]} assets")).to_be_visible()
    expect(page.get_by_role("heading", name=f"Notify {RECIPIENTS[1]} consumers and {RECIPIENTS[2]} owners")).to_be_visible()
    mailer = page.get_by_role("row").filter(has=page.get_by_role("link", name="campaign-mailer", exact=True)).first
    expect(mailer).to_contain_text("marketing-engineering@company.com")  # of its owner: it has none of its own
    expect(page.get_by_text("Owners of what is changed itself: data-protection.")).to_be_visible()
    expect(page.get_by_text("1 pair of datasets without column lineage").first).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, f"{size}: the page is {width} pixels wider than the window"


def test_the_answer_can_be_shared(example: Server, open_window: OpenWindow) -> None:
    path = f"/impact?of={example.resolve('customers.email')}&reach=direct&kind=consumer"
    window = open_window(example.address, permissions=["clipboard-read", "clipboard-write"])
    page = window.open(path)
    shown = page.get_by_role("table", name="What is affected").inner_text()
    page.get_by_role("button", name="Copy link").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    other = open_window(example.address)
    other.page.goto(copied)
    other.wait_for_page()
    assert other.page.get_by_role("table", name="What is affected").inner_text() == shown
    assert "campaign-mailer" in shown
    assert "fraud-scoring" not in shown, "reached possibly"


def test_why_it_breaks_is_shown_step_by_step_with_the_sql(example: Server, open_window: OpenWindow) -> None:
    start, end = example.resolve("customers.email"), example.resolve("marketing.campaign_audience.email")
    page = open_window(example.address).open(f"/why?from={start}&to={end}")
    expect(page.get_by_role("heading", name="Path 1").first).to_be_visible()
    expect(page.locator("ol.steps").first).to_contain_text("direct")
    expect(page.locator("ol.steps").first).to_contain_text("marketing.campaign_audience")


def test_the_drop_is_judged_and_the_command_asks_the_same(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.open("/change")
    page.get_by_role("textbox", name="The change").fill("drop customers.customers.email")
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("heading", name=re.compile("BREAKING")).first).to_be_visible()
    window.wait_for_page()
    expect(page.get_by_text("campaign-mailer").first).to_be_visible()
    expect(page.get_by_text(re.compile("The number contains the owners of what is changed.*data-protection"))).to_be_visible()
    command = "meshline check change 'drop customers.customers.email' --server " + example.address
    expect(page.locator("pre")).to_have_text(command)
    page.go_back()
    expect(page.get_by_role("heading", name=re.compile("BREAKING"))).to_have_count(0)
    page.go_forward()
    expect(page.get_by_role("heading", name=re.compile("BREAKING")).first).to_be_visible()


def test_the_saved_list_is_the_whole_answer(example: Server, open_window: OpenWindow) -> None:
    assert AFFECTED
    page = open_window(example.address).open(f"/impact?of={example.resolve('customers.email')}")
    affected = page.get_by_role("region", name="What is affected")
    with page.expect_download() as saved:
        affected.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.reader(io.StringIO(saved.value.path().read_text("utf-8-sig"))))
    assets = [row for row in rows if re.match(r"(col|ds|dom|prod|con|job|ctr|[a-z]+)_[0-9a-f]{32}$", row[-1])]
    assert len(assets) == int(AFFECTED[1])
    assert any(row[0] == "# completeness" and "possibleOnly 1," in row[1] for row in rows), "what is not certain is in the file"


def test_the_story_needs_no_mouse(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.open("/")
    expect(page.locator("input[role=combobox]")).to_be_focused()
    page.keyboard.type("customers.email")
    expect(find_choices(page).first).to_contain_text("customers.customers.email")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("listbox").get_by_role("option", selected=True)).to_have_count(1)
    page.keyboard.press("Enter")
    window.wait_for_page()
    expect(page.locator("h1")).to_be_focused()
    press_until(page, "See all who break, and whose it is")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("What breaks if")
    window.wait_for_page()
    expect(page.locator("h1")).to_be_focused()
    page.goto(example.address + "/change")
    window.wait_for_page()
    press_until(page, "The change")
    page.keyboard.type("drop customers.customers.email")
    press_until(page, "Check it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("BREAKING")).first).to_be_visible()


READ_FOCUS = """() => {
  const element = document.activeElement;
  const outline = getComputedStyle(element);
  const seen = outline.outlineStyle !== 'none' || outline.boxShadow !== 'none';
  return [(element.labels?.[0] ?? element).innerText ?? '', element === document.body || seen];
}"""


def press_until(page: Page, name: str) -> None:
    """Tab to the control of this name; every control on the way shows that it has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        text, seen = page.evaluate(READ_FOCUS)
        assert seen, f"the focus of {text!r} is not visible"
        if text.strip().startswith(name):
            return
    pytest.fail(f"{name} is not reached by the keyboard")


def test_the_first_key_leads_past_the_menu(example: Server, open_window: OpenWindow) -> None:
    page = open_window(example.address).open("/datasets")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_tree_beside_the_picture_is_one_tab_stop(example: Server, open_window: OpenWindow) -> None:
    page = open_window(example.address, viewport=SIZES["wide"]).open(f"/lineage?of={example.resolve('customers.customers')}")
    items = page.get_by_role("treeitem")
    expect(items.nth(3)).to_be_visible()
    assert items.evaluate_all("(items) => items.filter((one) => one.tabIndex === 0).length") <= 1
    expect(page.locator("canvas").first).to_have_attribute("aria-hidden", "true")
    assert all(label and "dataset" in label for label in items.evaluate_all("(items) => items.slice(0, 4).map((one) => one.ariaLabel)"))
    controls = (page.get_by_role("searchbox", name="Find"), page.get_by_role("combobox", name="Save"))
    find, save = (control.first.evaluate("(one) => one.getBoundingClientRect().y") for control in controls)
    assert abs(find - save) < 16, "all controls are in one line"


@pytest.mark.parametrize("path", ["/", "/change"])
def test_forced_colours_leave_everything_visible(example: Server, open_window: OpenWindow, path: str) -> None:
    window = open_window(example.address, forced_colors="active", reduced_motion="reduce")
    page = window.open(path)
    assert window.find_barriers() == []
    moving = page.evaluate("document.getAnimations().filter((one) => one.effect.getTiming().duration > 1).length")
    assert moving == 0, "reduced motion"


def test_an_owner_is_not_shown_as_if_it_lacked_one(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address, viewport=SIZES["wide"])
    owner = example.resolve("owner:customers-engineering")
    for path in (f"/a/{owner}", "/search?q=customers-engineering&kind=owner"):
        page = window.open(path)
        expect(page.get_by_text("customers-engineering").first).to_be_visible()
        expect(page.get_by_text("no owner")).to_have_count(0)

"""The time that all pages show, the picture at two times and for a typed change, and pictures of more nodes than a reader can look at."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from meshline.api.explorer import ROUTES
from tests.explorer.server import Server
from tests.explorer.test_picture import read_parameter
from tests.explorer.test_routes import list_paths
from tests.explorer.window import OpenWindow

BEFORE = "2020-01-01T00:00:00Z"


def find_banner(page: Page) -> Locator:
    return page.locator(".notice.past")


def test_the_time_is_set_once_and_every_page_follows_it(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.open("/datasets")
    total = example.ask("{ datasets { totalCount } }")["datasets"]["totalCount"]
    expect(page.get_by_role("status").filter(has_text=f"{total} datasets")).to_be_visible()
    page.get_by_role("button", name="Time", exact=True).press("Enter")
    words = page.get_by_role("textbox", name="In words")
    words.fill("the day before the flood")
    words.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This is no time")
    assert window.find_barriers() == []
    words.fill("2020-01-01")
    words.press("Enter")
    expect(find_banner(page)).to_contain_text("2020")
    expect(page.get_by_role("status").filter(has_text="0 datasets")).to_be_visible()
    page.get_by_role("button", name="The mesh").click()
    page.get_by_role("link", name="Owners", exact=True).click()
    window.wait_for_page()
    expect(find_banner(page)).to_contain_text("2020")
    page.goto(f"{example.address}/sources?asOf={BEFORE}")
    expect(page.get_by_role("status").filter(has_text="This page shows the present")).to_be_visible()
    page.get_by_role("button", name="Show the present").last.click()
    expect(find_banner(page)).to_have_count(0)
    assert read_parameter(page, "asOf") == ""


def test_what_is_behind_a_gap_is_listed(example: Server, open_window: OpenWindow) -> None:
    email = example.resolve("customers.email")
    items = "items(gap: POSSIBLE_ONLY, first: 10) { flows { to { id } } }"
    asked = f"query($of: [ID!]!) {{ impact(of: $of) {{ completeness {{ possibleOnly {items} }} }} }}"
    known = example.ask(asked, of=[email])["impact"]["completeness"]
    page = open_window(example.address).open(f"/impact?of={email}")
    line = page.locator("[data-completeness=gaps]").first
    line.locator("summary").first.click()
    gap = line.locator("li", has_text="without column lineage").first
    gap.locator("summary").click()
    expect(gap.locator("tbody tr")).to_have_count(len(known["items"]["flows"]))
    assert known["possibleOnly"] == len(known["items"]["flows"]) > 0
    target = gap.locator("tbody tr").first.get_by_role("link").last.get_attribute("href")
    assert target is not None
    assert any(flow["to"]["id"] in target for flow in known["items"]["flows"])


def test_a_verdict_is_copied_as_markdown_and_as_a_command(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address, permissions=["clipboard-read", "clipboard-write"])
    page = window.open("/change?words=drop%20customers.customers.email")
    page.get_by_role("button", name="Copy the command").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = "navigator.clipboard.readText()"
    assert page.evaluate(copied) == f"meshline check change 'drop customers.customers.email' --server {example.address}"
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(page.get_by_role("button", name="Copied").first).to_be_visible()
    answer = example.ask('{ blastRadius(change: {words: ["drop customers.customers.email"]}) { markdown } }')["blastRadius"]["markdown"]
    page.wait_for_function("async (text) => (await navigator.clipboard.readText()) === text", arg=answer)
    assert "BREAKING" in answer.upper()


def test_a_typed_change_is_judged_in_the_picture(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.open(f"/lineage?of={example.resolve('customers.customers')}&overlay=change")
    page.get_by_role("textbox", name="Change").fill("drop customers.customers.email")
    page.get_by_role("textbox", name="Change").press("Enter")
    verdict = page.locator("[data-notice=verdict]")
    expect(verdict).to_contain_text("BREAKING")
    expect(page.locator("[data-legend=change]")).to_contain_text(re.compile(r"\d+ break"))
    expect(page.get_by_role("treeitem", name=re.compile("BREAKS")).first).to_be_visible()
    assert read_parameter(page, "change") == "drop customers.customers.email"
    assert window.find_barriers() == []


def test_two_times_are_compared_in_the_picture_and_saved_as_lines(example: Server, open_window: OpenWindow) -> None:
    of = example.resolve("customers.customers")
    window = open_window(example.address)
    page = window.open(f"/lineage?of={of}&compare={BEFORE}")
    notice = page.locator("[data-notice=difference]")
    expect(notice).to_contain_text(re.compile(r"flows added on [1-9]\d* lines"))
    expect(notice).to_contain_text("0 lines gone, 0 unchanged")
    assert window.find_barriers() == []
    with page.expect_download() as download:
        page.locator("select", has=page.locator("option[value=mermaid]")).select_option("csv of lines")
    rows = list(csv.reader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    head = next(number for number, row in enumerate(rows) if row[0] == "from id")
    lines = [dict(zip(rows[head], row, strict=True)) for row in rows[head + 1 :]]
    drawn = re.search(r"added on (\d+) lines", notice.inner_text())
    assert drawn
    assert len([line for line in lines if line["change"] == "added"]) == int(drawn[1]) == len(lines)
    assert any(of in (line["from id"], line["to id"]) for line in lines)


def test_the_time_line_sets_the_time_that_is_shown(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.page
    page.clock.set_fixed_time("2026-03-09T09:00:00Z")  # the time line is of the year before now
    window.open(f"/lineage?of={example.resolve('customers.customers')}&compare={BEFORE}")
    page.get_by_text("Time line", exact=True).click()
    slider = page.get_by_role("slider", name="Shown")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^now"))
    assert window.find_barriers() == []
    page.clock.resume()
    slider.press("Home")
    expect(find_banner(page)).to_be_visible()
    first = read_parameter(page, "asOf")
    assert first.startswith("202")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("added"))
    page.wait_for_function("(first) => new URL(location).searchParams.get('asOf') > first", arg=first)
    slider.press("End")
    expect(find_banner(page)).to_have_count(0)
    other = page.get_by_role("slider", name="Compared with")
    expect(other).to_have_value("0")  # that time is before all changes
    other.press("End")
    expect(page).not_to_have_url(re.compile("compare="))
    expect(other).to_have_attribute("aria-valuetext", re.compile("^nothing"))
    other.press("ArrowLeft")
    expect(page).to_have_url(re.compile("compare=202"))
    expect(page.locator("[data-notice=difference]")).to_be_visible()


def test_rows_fold_the_list_is_alone_and_help_opens_by_keys(example: Server, open_window: OpenWindow) -> None:
    page = open_window(example.address).open(f"/lineage?of={example.resolve('customers.customers')}")
    items = page.get_by_role("treeitem")
    page.locator("[role=treeitem][aria-expanded=true]").first.focus()
    before = items.count()
    page.keyboard.press("x")
    expect(page.locator("[role=treeitem]:focus")).to_have_attribute("aria-expanded", "false")
    assert items.count() < before
    page.keyboard.press("x")
    expect(items).to_have_count(before)
    page.keyboard.press("l")
    expect(page.locator(".canvas-frame")).to_be_hidden()
    page.keyboard.press("l")
    expect(page.locator(".canvas-frame")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_label("Single letters act")).to_be_visible()


def test_a_line_leads_to_the_run_that_stated_it(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.open(f"/lineage?of={example.resolve('customers.customers')}")
    page.locator(".canvas-details .canvas-link").first.click()
    run = page.locator(".canvas-details").get_by_role("link", name="run complete").first
    expect(run).to_be_visible()
    run.click()
    window.wait_for_page()
    expect(page.locator(".kicker")).to_have_text("Run")
    expect(page.get_by_role("region", name="About it")).to_contain_text("complete")


def answer_many(route: Route, many: int) -> None:
    """The server's answer in short, with as many datasets downstream as this, in three domains."""
    if (route.request.post_data_json or {}).get("operationName") != "CompactPicture":
        route.continue_()
        return
    response = route.fetch()
    body = response.json()
    part = body["data"]["downstream"]
    start = part["start"].index(True)
    part["domains"] = [{"id": f"dom_{number}", "name": f"domain {number}"} for number in range(3)]
    usual = {"kinds": "DATASET", "reach": "DIRECT", "masked": False, "start": False, "product": -1, "dataset": -1}
    part["ids"] = [part["ids"][start], *(f"ds_{number:032x}" for number in range(many))]
    for name, value in usual.items():
        part[name] = [part[name][start], *[value] * many]
    part["names"] = [part["names"][start], *(f"table_{number}" for number in range(many))]
    part["qualifiedNames"] = [part["qualifiedNames"][start], *(f"made/table_{number}" for number in range(many))]
    part["domain"] = [0, *(number % 3 for number in range(many))]
    part["edges"] = {"from": [0] * many, "to": list(range(1, many + 1)), "bits": [0] * many, "count": [1] * many, "hidden": [0] * many}
    part["completeness"]["total"] = many + 1
    route.fulfill(response=response, body=json.dumps(body))


@pytest.mark.parametrize("many", [1500, 6000])
def test_many_nodes_are_listed_first_and_more_are_grouped(example: Server, open_window: OpenWindow, many: int) -> None:
    window = open_window(example.address)
    page = window.page
    page.route("**/graphql", lambda route: answer_many(route, many))
    window.open(f"/lineage?of={example.resolve('customers.customers')}&dir=down")
    line = page.locator("[data-completeness]").first
    if many > 5000:
        expect(line).to_contain_text("grouped by domain")
        expect(page.locator(".canvas-frame")).to_be_visible()
        expect(page.get_by_role("treeitem", name=re.compile("domain 1"))).to_be_visible()
        assert window.find_barriers() == []
        return
    notice = page.locator("[data-notice=list-first]")
    expect(notice).to_contain_text(re.compile("the list comes first"))
    expect(page.locator(".canvas-frame")).to_be_hidden()
    assert page.get_by_role("treeitem").count() < 200, "rows outside the window are not in the document"
    page.get_by_role("searchbox", name="Find").fill("table_1499")
    expect(page.get_by_text("1 found")).to_be_visible()
    notice.get_by_role("button", name="Draw the picture").click()
    expect(page.locator(".canvas-frame")).to_be_visible()
    window.wait_for_page()


def test_forced_colours_and_200_percent_break_no_route(example: Server, open_window: OpenWindow) -> None:
    # 200 % of a window of 1280 pixels: half as many pixels of CSS, each twice as large.
    window = open_window(
        example.address, forced_colors="active", viewport={"width": 640, "height": 450}, device_scale_factor=2, color_scheme="dark"
    )
    paths = list_paths(example)
    assert set(paths) == {"/", *ROUTES}
    faults = {}
    for route, found in paths.items():
        page = window.open(found[-1] if route == "/lineage" else found[min(1, len(found) - 1)])
        assert page.evaluate("matchMedia('(forced-colors: active)').matches && devicePixelRatio === 2")
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        lost = page.evaluate(LOST)
        if route == "/lineage":
            lost += page.evaluate(UNSEEN)
        if wider > 0 or lost:
            faults[route] = (wider, lost)
    assert faults == {}


# Buttons and fields whose edge is gone where the system chooses the colours: nothing shows that they can be used.
LOST = """[...document.querySelectorAll('main button, main input, main select, main textarea')].filter((one) => {
  const style = getComputedStyle(one);
  return one.checkVisibility() && !['checkbox', 'radio', 'range'].includes(one.type) && one.className !== 'canvas-link'
    && style.borderStyle === 'none' && style.textDecorationLine === 'none';
}).map((one) => one.outerHTML.slice(0, 120))"""


# What is set apart by its background only: the row that is selected, and the chip that counts what is outside of the picture.
UNSEEN = """(() => {
  const [chosen, tree] = ['.canvas-row[aria-selected="true"]', '.canvas-tree'].map((one) => document.querySelector(one));
  const chip = Object.assign(document.createElement('div'), { className: 'canvas-chip' });
  document.body.append(chip);
  const shown = { background: getComputedStyle(chosen).backgroundColor !== getComputedStyle(tree).backgroundColor,
    edge: getComputedStyle(chip).borderStyle === 'solid' };
  chip.remove();
  return Object.keys(shown).filter((name) => !shown[name]);
})()"""

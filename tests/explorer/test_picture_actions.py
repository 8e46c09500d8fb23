"""What can be done with what is in the focus of the picture: the menu of a right click, a typed change, the time, and what is not known."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.explorer.server import Server
from tests.explorer.window import OpenWindow, Window


@pytest.fixture
def window(example: Server, open_window: OpenWindow) -> Window:
    found = open_window(example.address)
    orders = example.resolve("orders.customer_orders")
    page = found.open(f"/lineage?of={orders}&open={orders}:c")
    expect(page.get_by_role("treeitem", name=re.compile("^total_amount, column"))).to_be_visible()
    page.locator("[role=treeitem][tabindex='0']").focus()
    return found


def test_the_menu_of_a_node_has_its_actions_by_key_and_by_right_click(window: Window) -> None:
    page = window.page
    menu = page.get_by_role("menu", name="Actions for")
    row = page.get_by_role("treeitem", name=re.compile("^total_amount, column"))
    row.focus()
    page.keyboard.press("Shift+F10")
    items = menu.locator("[role^=menuitem]")
    expect(items.first).to_be_focused()
    assert window.find_barriers() == []
    page.keyboard.press("End")
    expect(items.last).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(items.first).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(row).to_be_focused()
    page.keyboard.press("ContextMenu")
    page.keyboard.press("p")
    expect(menu.get_by_role("menuitemcheckbox", name="Pin")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"[?&]pin="))
    row.click(button="right")
    menu.get_by_role("menuitem", name="Drop it").click()
    expect(page.locator("[data-notice=verdict]")).to_contain_text("drop orders.customer_orders.total_amount")
    expect(page.locator("[data-legend=change]")).to_be_visible()
    row.click(button="right")
    menu.get_by_role("menuitem", name="Rename it").click()
    expect(page.get_by_role("textbox", name="Change")).to_be_focused()
    expect(page.get_by_role("textbox", name="Change")).to_have_value("rename orders.customer_orders.total_amount to ")


def test_what_is_not_known_is_listed_and_the_frame_has_the_only_time(window: Window) -> None:
    page = window.page
    line = page.locator("[data-completeness]")
    line.locator("summary").first.click()
    gap = line.locator("li", has_text="without column lineage").first
    gap.locator("summary").click()
    expect(gap.locator("tbody tr")).to_have_count(1)
    assert window.find_barriers() == []
    page.get_by_role("treeitem").first.focus()
    page.keyboard.press("t")
    expect(page.locator("#page-time")).to_be_focused()
    expect(page.get_by_label("As of", exact=True)).to_have_count(0)


def test_jobs_and_consumers_are_nodes_of_their_own(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.open(f"/lineage?of={example.resolve('customers.customers')}")
    items = page.get_by_role("treeitem")
    expect(items.nth(3)).to_be_visible()
    before = items.count()
    page.locator(".canvas-more > summary").click()
    page.get_by_role("checkbox", name="Jobs").check()
    page.get_by_role("checkbox", name="Consumers").check()
    expect(page).to_have_url(re.compile("with=job%2Cconsumer"))
    support = page.get_by_role("treeitem", name=re.compile("^support-desk, consumer"))
    expect(support).to_be_visible()
    job = page.get_by_role("treeitem", name=re.compile("^campaigns.overwrite.*, job"))
    assert items.count() > before + 5
    job.focus()
    page.keyboard.press("w")
    details = page.locator(".canvas-details")
    expect(details.get_by_text(re.compile("The job (reads|writes) it"))).to_be_visible()
    window.wait_for_page()
    assert window.find_barriers() == []
    page.reload()
    expect(support).to_be_visible()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_boxes_slide_to_their_places_unless_motion_is_reduced(example: Server, open_window: OpenWindow, motion: str) -> None:
    page = open_window(example.address, reduced_motion=motion).open(f"/lineage?of={example.resolve('customers.customers')}")
    items = page.get_by_role("treeitem")
    expect(page.locator("canvas[data-cards]")).to_have_count(1)
    before = items.count()
    page.get_by_role("treeitem", name=re.compile("^orders.customer_orders")).focus()
    page.keyboard.press("e")
    page.wait_for_function("(before) => document.querySelectorAll('[role=treeitem]').length > before", arg=before)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))")
    slid = page.locator("canvas[data-slides]")
    expect(slid).to_have_count(1 if motion == "no-preference" else 0)

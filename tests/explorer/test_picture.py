"""The picture of lineage by keyboard, in the tree beside it: hops, columns, pins, finding, why a line is there, level, reach and link."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.explorer.server import Server
from tests.explorer.window import OpenWindow, Window


@pytest.fixture
def window(example: Server, open_window: OpenWindow) -> Window:
    found = open_window(example.address, permissions=["clipboard-read", "clipboard-write"])
    page = found.open(f"/lineage?of={example.resolve('customers.customers')}")
    expect(page.get_by_role("treeitem").nth(3)).to_be_visible()
    page.locator("[role=treeitem][tabindex='0']").focus()
    return found


def find_focus(page: Page) -> Locator:
    return page.locator("[role=treeitem]:focus")


def read_parameter(page: Page, name: str) -> str:
    value = page.evaluate("(name) => new URL(location.href).searchParams.get(name)", name)
    return value or ""


def press(page: Page, key: str, done: Callable[[], bool]) -> None:
    """Press a key, and wait for what it causes."""
    page.keyboard.press(key)
    for _ in range(1200):  # a minute
        if done():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{key} changed nothing: {page.url}")


def test_hops_and_columns_open_and_close_by_keys(window: Window) -> None:
    page = window.page
    items = page.get_by_role("treeitem")
    start = find_focus(page).get_attribute("data-id")
    press(page, "ArrowRight", lambda: find_focus(page).get_attribute("data-id") != start)
    expect(find_focus(page)).to_have_attribute("aria-label", re.compile("1 hop downstream"))
    page.get_by_role("treeitem", name=re.compile("^orders.customer_orders")).focus()
    before = items.count()
    press(page, "e", lambda: "d" in read_parameter(page, "open") and items.count() > before)
    opened = items.count()
    press(page, "-", lambda: items.count() < opened)
    press(page, "ArrowLeft", lambda: find_focus(page).get_attribute("data-id") == start)
    press(page, "o", lambda: page.locator("[role=treeitem][aria-label*=', column']").count() > 0)
    assert window.find_barriers() == []


def test_a_line_is_explained_and_a_node_is_pinned_and_found_by_keys(window: Window) -> None:
    page = window.page
    details = page.locator(".canvas-details")
    press(page, "w", lambda: details.get_attribute("data-details") == "why")
    expect(details.get_by_role("heading", name="Why this line is here")).to_be_visible()
    expect(details.get_by_text("statement").first).to_be_visible()
    window.wait_for_page()
    assert window.find_barriers() == []
    press(page, "Escape", lambda: details.get_attribute("data-details") == "card")
    press(page, " ", lambda: read_parameter(page, "pin") != "")
    press(page, "Escape", lambda: read_parameter(page, "pin") == "")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Find")).to_be_focused()
    page.keyboard.type("campaign_audience")
    expect(page.get_by_text("1 found")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("[role=treeitem][tabindex='0']")).to_contain_text("marketing.campaign_audience")


def test_level_reach_and_link_follow_keys(window: Window) -> None:
    page = window.page
    press(page, "c", lambda: page.evaluate("navigator.clipboard.readText()") == page.url)
    press(page, "r", lambda: read_parameter(page, "reach") == "direct")
    expect(page.get_by_role("checkbox", name="Possible")).not_to_be_checked()
    press(page, "g", lambda: read_parameter(page, "g") == "column")
    window.wait_for_page()
    expect(page.get_by_role("radio", name="Column")).to_be_checked()
    page.go_back()
    expect(page.get_by_role("radio", name="Dataset")).to_be_checked()

"""What is round every page: the theme, the token, the menu, and how much the first page weighs."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.explorer.server import Server
from tests.explorer.window import COLOURS, OpenWindow

MOST_BYTES = 150_000  # of the first page with all its files, as they are sent
READ_BYTES = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter((one) => !one.name.endsWith('/graphql')).map((one) => [one.name, one.encodedBodySize, one.decodedBodySize])"""
READ_COLOUR = "getComputedStyle(document.body).backgroundColor"


def test_the_theme_is_chosen_in_the_page_and_kept(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address, color_scheme="light")
    page = window.open(f"/lineage?of={example.resolve('customers.customers')}")
    light = page.evaluate(READ_COLOUR)
    theme = page.get_by_role("combobox", name="Theme")
    theme.select_option("dark")
    dark = page.evaluate(READ_COLOUR)
    assert dark != light
    assert window.find_barriers(COLOURS) == []
    page.reload()
    window.wait_for_page()
    assert page.evaluate(READ_COLOUR) == dark
    theme.select_option("system")
    assert page.evaluate(READ_COLOUR) == light


def test_the_dialog_of_the_token_gives_the_focus_back(example: Server, open_window: OpenWindow) -> None:
    window = open_window(example.address)
    page = window.open("/sources")
    button = page.get_by_role("button", name="Token")
    button.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Token")).to_be_focused()
    assert window.find_barriers() == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_the_first_page_is_small_and_compressed(example: Server, open_window: OpenWindow) -> None:
    page = open_window(example.address).open("/")
    files = page.evaluate(READ_BYTES)
    assert len(files) >= 3, files
    assert sum(sent for _, sent, _ in files) <= MOST_BYTES, files
    plain = [name for name, sent, size in files if size > 10_000 and sent > 0.6 * size]
    assert plain == [], "not compressed"

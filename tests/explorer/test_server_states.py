"""What the page shows while its server is slow, away, started again, asks for a token, or has a newer graph."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from meshline.app.tokens import Role
from tests.api.test_auth import SECRETS, TOKENS
from tests.api.test_ingest import build_event
from tests.explorer.server import Server, run_server
from tests.explorer.window import OpenWindow

AWAY = "The server cannot be reached"
NO_ANSWER = r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 503"  # the last: started, and not ready
READER = SECRETS[Role.READER]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two datasets. Each test leaves it running."""
    with run_server(f"sqlite:///{tmp_path_factory.mktemp('states')}/mesh.db") as found:
        found.post("/api/v1/lineage", build_event())
        yield found


def find_search(page: Page) -> Locator:
    return page.locator("input[role=combobox]")


def look_again(page: Page) -> None:
    """The page looks for a newer revision when its window is shown again; here without the wait for that."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_while_the_server_is_slow_the_page_shows_that_it_loads(server: Server, open_window: OpenWindow) -> None:
    page = open_window(server.address).page
    waiting: list[Route] = []
    slow = True
    page.route("**/graphql", lambda route: waiting.append(route) if slow else route.continue_())
    page.goto(server.address + "/search?q=orders")
    expect(page.get_by_text("Loading").first).to_be_visible()
    expect(page.locator("h1")).to_be_visible()
    slow = False
    for route in waiting:
        route.continue_()
    expect(page.get_by_text("Loading")).to_have_count(0)


def test_a_server_that_comes_back_is_asked_again(server: Server, open_window: OpenWindow) -> None:
    window = open_window(server.address)
    page = window.open("/")
    window.accept_problem(NO_ANSWER)
    window.accept_problem("Failed to fetch dynamically imported module")  # a page that was not opened before is not loaded yet
    server.kill()
    look_again(page)
    expect(page.get_by_role("alert").filter(has_text=AWAY)).to_be_visible()
    expect(page.locator("h1")).to_be_visible()
    find_search(page).fill("zzz")
    find_search(page).press("Enter")
    again = page.get_by_role("button", name="Try again").first
    expect(again).to_be_visible()
    server.start()
    again.click()
    expect(page.get_by_text("0 results")).to_be_visible()
    look_again(page)
    expect(page.get_by_text(AWAY)).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_newer_graph_is_offered_and_not_forced(server: Server, open_window: OpenWindow) -> None:
    window = open_window(server.address)
    page = window.open("/")
    shown = page.locator("footer").get_by_text("Revision")
    before = shown.inner_text()
    server.post("/api/v1/lineage", build_event(7))
    look_again(page)
    offer = page.get_by_role("button", name="Show the current graph")
    expect(offer).to_be_visible()
    expect(shown).to_have_text(before)
    offer.click()
    expect(shown).not_to_have_text(before)
    expect(offer).to_have_count(0)


def test_a_token_is_asked_for_and_kept_in_memory_only(tmp_path_factory: pytest.TempPathFactory, open_window: OpenWindow) -> None:
    with run_server(f"sqlite:///{tmp_path_factory.mktemp('tokens')}/mesh.db", tokens=TOKENS) as server:
        window = open_window(server.address)
        window.accept_problem("401")
        page = window.page
        page.goto(server.address + "/")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        assert window.find_barriers() == []
        dialog.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_be_visible()
        dialog.get_by_label("Token").fill(READER)
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.locator("footer")).to_contain_text("Revision")
        kept = page.evaluate(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, document.documentElement.outerHTML])"
        )
        assert READER not in kept
        page.reload()
        expect(dialog).to_be_visible()

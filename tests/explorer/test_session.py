"""A person signs in at the page: a real browser, the form of a real identity provider, a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from meshline.cli.demo import fill_store
from tests.api.conftest import URL
from tests.explorer.server import Server
from tests.explorer.window import OpenWindow
from tests.oidc.provider import WEB_CLIENT, WEB_SECRET, Provider, run_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with run_provider() as found:
        yield found


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = f"sqlite:///{tmp_path_factory.mktemp('session')}/mesh.db"
    fill_store(store)
    found = Server(
        store,
        oidc_issuer=provider.issuer,
        oidc_audience=URL,
        oidc_web_client=WEB_CLIENT,
        oidc_web_secret=WEB_SECRET,
        web_address=provider.web,
        grants=[{"group": "stewards", "role": "admin"}],
    )
    found.port, found.address = int(provider.web.rpartition(":")[2]), provider.web
    try:
        found.start()
        yield found
    finally:
        found.kill()
        found.log.close()


def sign_in_at_provider(page: Page, person: str) -> None:
    """Its two pages: who it is, and what the page may know."""
    page.get_by_placeholder("Enter any login").fill(person)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_a_person_signs_in_at_the_page(server: Server, provider: Provider, open_window: OpenWindow) -> None:
    window = open_window(server.address)
    window.accept_problem(f"request to another host: {provider.issuer}/|{provider.issuer}/.*favicon|401|fonts.googleapis")
    page = window.page
    page.goto(server.address + "/search?q=customers")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Sign in")).to_be_visible()
    assert window.find_barriers() == []
    dialog.get_by_role("link", name="Sign in").click()
    sign_in_at_provider(page, "ann")
    page.wait_for_url(server.address + "/search?q=customers")
    window.wait_for_page()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("banner")).to_contain_text("ann of the tests")
    expect(page.get_by_role("main")).to_contain_text("customers.customers")
    (cookie,) = [one for one in page.context.cookies(server.address) if one["name"].startswith("meshline")]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert cookie["value"] not in kept, "no script can read it"

    page.context.clear_cookies(name=cookie["name"])  # as if the session had ended
    page.get_by_role("combobox", name="Search").first.fill("orders")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Your session has ended")
    here = page.url
    assert "orders" in here
    dialog.get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name="Continue").click()  # the session at the provider goes on: it does not ask who it is
    page.wait_for_url(here)
    expect(page.get_by_role("banner")).to_contain_text("ann of the tests")

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(server.address + "/")
    expect(page.get_by_role("dialog").get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.get_by_role("banner")).not_to_contain_text("ann of the tests")

"""Every route of the page in a real browser: it opens without a fault, asks no other host, and axe finds no barrier in either theme."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import expect

from meshline.api.explorer import ROUTES
from tests.explorer.server import Server
from tests.explorer.window import COLOURS, OpenWindow

ASSETS = """{
  datasets(first: 1) { nodes { id } } products(first: 1) { nodes { id } } domains(first: 1) { nodes { id } } jobs(first: 1) { nodes { id } }
  owners(first: 1) { nodes { id } } consumers(first: 1) { nodes { id } } contracts(first: 1) { nodes { id } }
}"""

RUN = "{ jobs(first: 1, orderBy: LAST_OBSERVED) { nodes { lastRun { id } } } }"

# Some of each page: a list of events has a body of 30 kB behind each.
UNFOLD = "[...document.querySelectorAll('details')].slice(0, 6).forEach((one) => { one.open = true })"


def list_paths(server: Server) -> dict[str, list[str]]:
    """Addresses of the example for each route of the page, which shows that none is left out."""
    email, revenue = server.resolve("customers.email"), server.resolve("finance.revenue_daily.revenue")
    firsts = [found["nodes"][0]["id"] for found in server.ask(ASSETS).values()]
    parameters: dict[str, list[dict[str, str]]] = {
        "/search": [{}, {"q": "customers"}, {"q": "no such name at all"}, {"q": "email", "kind": "column"}],
        "/lineage": [{}, {"of": email, "g": "column"}, {"of": firsts[0]}],
        "/impact": [{}, {"of": email}, {"of": revenue}],
        "/why": [{}, {"from": server.resolve("orders.customer_orders.total_amount"), "to": revenue}],
        "/change": [{}],
        "/datasets": [{}, {"asOf": "yesterday"}],
        "/diff": [{}, {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}],
    }
    found = {"/": ["/"]}
    for route in ROUTES:
        if route == "/a/{id}":
            found[route] = [f"/a/{quote(one, safe='')}" for one in (email, *firsts)]
        elif route == "/runs/{id}":
            found[route] = [f"/runs/{quote(server.ask(RUN)['jobs']['nodes'][0]['lastRun']['id'], safe='')}", "/runs/none"]
        else:
            found[route] = [f"{route}?{urlencode(one)}" if one else route for one in parameters.get(route, [{}])]
    return found


@pytest.fixture(scope="module")
def paths(example: Server) -> dict[str, list[str]]:
    return list_paths(example)


@pytest.mark.parametrize("route", ["/", *ROUTES])
def test_a_route_opens_without_faults_and_barriers(
    example: Server, paths: dict[str, list[str]], open_window: OpenWindow, route: str
) -> None:
    window = open_window(example.address, color_scheme="light")
    page = window.page
    barriers = {}
    for path in paths[route]:
        window.open(path)
        expect(page.locator("h1")).to_have_count(1)
        expect(page.get_by_role("heading", name="There is no such page")).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)
        page.evaluate(UNFOLD)
        window.wait_for_page()  # what opens may ask
        if found := window.find_barriers():
            barriers[path, "light"] = found
        page.emulate_media(color_scheme="dark")
        if found := window.find_barriers(COLOURS):
            barriers[path, "dark"] = found
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 320, "height": 700})  # WCAG 1.4.10; also the width of 1280 pixels at 400 %
        if (wider := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
            barriers[path, "narrow"] = [f"{wider} pixels wider than the window"]
        page.set_viewport_size({"width": 1440, "height": 900})
    assert barriers == {}

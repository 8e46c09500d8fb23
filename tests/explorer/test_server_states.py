"""What the page shows while its server is slow, away, started again, asks for a token, or has a newer graph."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from meshline.app.tokens import Role, generate_token, hash_token
from meshline.cli.demo import fill_store
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


def test_an_answer_that_a_change_overtook_is_followed_by_an_offer(server: Server, open_window: OpenWindow) -> None:
    window = open_window(server.address)
    page = window.open("/")
    expect(page.locator("footer").get_by_text("Revision")).to_be_visible()  # the page knows of which revision it is before there is another
    waiting: list[Route] = []
    slow = True
    page.route("**/graphql", lambda route: waiting.append(route) if slow and is_search(route) else route.continue_())
    find_search(page).fill("zzz")
    find_search(page).press("Enter")
    expect(page.get_by_text("Loading").first).to_be_visible()
    server.post("/api/v1/lineage", build_event(8))
    look_again(page)
    offer = page.get_by_role("button", name="Show the current graph")
    expect(offer).to_be_visible()
    slow = False
    waiting[-1].continue_()
    expect(page.get_by_text("0 results")).to_be_visible()
    expect(offer).to_be_visible()  # the answer may be of either revision: the offer stays until it is used
    offer.click()
    expect(page.get_by_text("0 results")).to_be_visible()
    expect(offer).to_have_count(0)


def is_search(route: Route) -> bool:
    return "Search" in str((route.request.post_data_json or {}).get("operationName"))


def test_statements_by_hand_are_confirmed_refused_and_retracted(server: Server, open_window: OpenWindow) -> None:
    window = open_window(server.address)
    dataset = server.resolve("wh/b")
    page = window.open(f"/a/{dataset}")
    page.get_by_text("State something about it by hand").click()
    uses = "... on Dataset { consumers { purpose consumer { name } } }"
    asked = f"query($id: ID!) {{ node(id: $id) {{ description tags {{ key }} owners {{ owner {{ name }} }} {uses} }} }}"
    for form, label, value in (
        ("tag", "Tag: key or key=value", "checked"),
        ("description", "Description", "What the warehouse\nwrites"),
        ("owner", "Owner: a person or a team", "team-a"),
        ("consumer", "Consumer: who uses it", "churn"),
    ):
        page.get_by_role("combobox", name="What", exact=True).select_option(form)
        field = page.get_by_role("textbox", name=label)
        field.fill(" " if form == "consumer" else value)
        page.get_by_role("textbox", name="Your name").fill("kim")
        page.get_by_role("button", name="Continue").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("in the name of kim")
        if form == "tag":
            assert window.find_barriers() == []
            dialog.get_by_role("button", name="Cancel").click()
            assert server.ask(asked, id=dataset)["node"]["tags"] == []
            page.get_by_role("button", name="Continue").click()
        if form == "consumer":  # what the server refuses is shown where it was typed
            dialog.get_by_role("button", name="State it").click()
            expect(field).to_be_focused()
            expect(field).to_have_accessible_description("give 1 to 500 printable characters")
            field.fill(value)
            page.get_by_role("textbox", name="Purpose").fill("to plan")
            page.get_by_role("button", name="Continue").click()
            expect(dialog).to_contain_text("No source knows a consumer churn yet")
        dialog.get_by_role("button", name="State it").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("table", name="Stated by persons")).to_contain_text(value.split("\n")[0])
    stated = server.ask(asked, id=dataset)["node"]
    assert stated == {
        "description": "What the warehouse\nwrites",
        "tags": [{"key": "checked"}],
        "owners": [{"owner": {"name": "team-a"}}],
        "consumers": [{"purpose": "to plan", "consumer": {"name": "churn"}}],
    }
    for value in ("team-a", "churn: to plan"):
        row = page.get_by_role("table", name="Stated by persons").get_by_role("row").filter(has_text=value)
        row.get_by_role("button", name="Retract").click()
        expect(page.get_by_role("dialog")).to_contain_text("Retract what kim stated")
        page.get_by_role("dialog").get_by_role("button", name="State it").click()
        expect(row).to_have_count(0)
    left = server.ask(asked, id=dataset)["node"]
    assert (left["owners"], left["consumers"]) == ([], [])
    window.open("/audit")
    entries = page.get_by_role("table", name="Entries of the audit log").locator("tbody tr")
    expect(entries).to_have_count(6)
    expect(entries.first).to_contain_text("kim")
    window.open("/audit?actor=stranger")
    expect(page.get_by_role("status").filter(has_text="0 entries")).to_be_visible()


def test_two_names_are_joined_and_parted_by_hand(server: Server, open_window: OpenWindow) -> None:
    server.post("/api/v1/lineage", build_event(30, inputs=[], outputs=[{"namespace": "wh", "name": "feed"}]))
    ids = [server.resolve(name) for name in ("wh/b", "wh/feed")]
    names = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Dataset { identity { members { name { name } } } } } }"

    def list_members() -> list[list[str]]:
        return [[one["name"]["name"] for one in node["identity"]["members"]] for node in server.ask(names, ids=ids)["nodes"]]

    window = open_window(server.address)
    page = window.open(f"/a/{ids[0]}?tab=identity")
    dialog = page.get_by_role("dialog")
    members = page.get_by_role("table", name="Names", exact=True)

    def confirm(*outcomes: str) -> None:
        for outcome in outcomes:
            expect(dialog).to_contain_text(outcome)
        dialog.get_by_role("button", name="State it").click()
        expect(dialog).to_be_hidden()

    search = page.get_by_role("combobox", name="Find the other dataset")
    reason = page.get_by_role("textbox", name="Reason")
    reason.fill(" ")
    page.get_by_role("textbox", name="Your name").fill("kim")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose the other dataset")
    search.fill("wh/feed")
    page.get_by_role("option", name="wh/feed").click()
    page.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("in the name of kim that wh/b is the same dataset as wh/feed")
    assert window.find_barriers() == []
    confirm("They become one dataset with these names: wh/b and wh/feed.")
    expect(reason).to_be_focused()  # the server wants a reason
    expect(reason).to_have_accessible_description("give 1 to 500 printable characters")
    assert list_members() == [["b"], ["feed"]]
    reason.fill("one feed " + "x" * 400)
    page.get_by_role("button", name="Continue").click()
    confirm("because: “one feed")
    expect(members).to_contain_text("wh/feed")
    assert list_members() == [["b", "feed"]] * 2

    page.get_by_role("combobox", name="What about its names").select_option("part")
    reason.fill("two feeds")
    page.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("Without effect then: person/kim states that wh/b is wh/feed (one feed xxx")
    assert dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")
    confirm("wh/b is not the same dataset as wh/feed", "One dataset: wh/b.", "Another dataset: wh/feed.")
    expect(members).not_to_contain_text("wh/feed")
    assert list_members() == [["b"], ["feed"]]

    def retract(why: str) -> None:
        page.get_by_role("row").filter(has_text=why).filter(has_not_text="overruled").get_by_role("button", name="Retract").click()

    retract("different from")
    confirm("person/kim states that wh/b is not wh/feed (two feeds)", "What joins the two names otherwise applies again.")
    expect(members).to_contain_text("wh/feed")
    assert list_members() == [["b", "feed"]] * 2
    retract("same as")
    confirm("One dataset: wh/b.", "Another dataset: wh/feed.")
    expect(members).not_to_contain_text("wh/feed")
    assert list_members() == [["b"], ["feed"]]


def test_two_names_that_are_probably_one_are_shown_with_their_catalogs(server: Server, open_window: OpenWindow) -> None:
    fields = [{"name": f"column_{number}", "type": "int"} for number in range(8)]
    facets = {"schema": {"fields": fields}}
    ends = [{"namespace": f"postgres://{host}", "name": "shop.public.invoices", "facets": facets} for host in ("one", "two")]
    for number, end in enumerate(ends):
        server.post("/api/v1/lineage", build_event(20 + number, inputs=[end], outputs=[]))
    known = server.ask("{ identityConflicts(first: 5) { totalCount nodes { kind names { name } } } }")["identityConflicts"]
    assert known["totalCount"] == 1
    page = open_window(server.address).open("/identity")
    found = page.get_by_role("region", name="Doubtful identities")
    expect(found).to_contain_text("Two datasets with the same table name and mostly the same columns")
    expect(found).to_contain_text("100% of their columns in common")
    for end in ends:
        expect(found).to_contain_text(f"{end['namespace']}/{end['name']}")


def test_who_may_not_see_everything(tmp_path_factory: pytest.TempPathFactory, open_window: OpenWindow) -> None:
    """The first page, a picture and a search show what access rules permit, and name what is missing."""
    folder = tmp_path_factory.mktemp("access")
    (folder / "access.yaml").write_text("version: 1\ndefault: own\n", "utf-8")
    token = generate_token()
    tokens = [*TOKENS, {"name": "omar", "role": "reader", "hash": hash_token(token), "groups": ["orders-engineering"]}]
    store = f"sqlite:///{folder}/mesh.db"
    fill_store(store)
    with run_server(store, tokens=tokens, access=str(folder / "access.yaml")) as server:
        window = open_window(server.address)
        window.accept_problem("401")
        page = window.page
        page.goto(server.address + "/")
        page.get_by_role("dialog").get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="orders", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name="payments", exact=True)).to_have_count(0)
        expect(page.get_by_role("main")).to_contain_text("is answered only to callers who may see every asset (access rules)")
        assert window.find_barriers() == []
        server.token = SECRETS[Role.ADMIN]
        domains = server.ask("{ domains { nodes { name datasets(first: 1) { nodes { id } } } } }")["domains"]["nodes"]
        foreign = next(one["datasets"]["nodes"][0]["id"] for one in domains if one["name"] == "payments")
        server.token = token
        id_ = server.ask('{ resolve(name: "orders.customer_orders") { id } }')["resolve"]["id"]
        page.evaluate(
            "(address) => { history.pushState(null, '', address); dispatchEvent(new PopStateEvent('popstate')); }", f"/impact?of={id_}"
        )
        expect(page.get_by_role("main")).to_contain_text("assets that you may not see")
        assert "payments" not in page.get_by_role("main").inner_text()
        before = server.ask("{ domains { totalCount } }")
        (folder / "access.yaml").write_text("version: 1\ndefault: domains\n", "utf-8")
        end = time.monotonic() + 60
        while server.ask("{ domains { totalCount } }") == before:  # until the rules are read again
            assert time.monotonic() < end
            page.wait_for_timeout(100)
        page.evaluate(
            "(address) => { history.pushState(null, '', address); dispatchEvent(new PopStateEvent('popstate')); }", f"/a/{foreign}"
        )
        expect(page.get_by_role("main")).to_contain_text("You may see that it exists, and not what is in it")
        expect(page.get_by_role("navigation", name="Details").get_by_role("link")).to_have_text(["What breaks", "Lineage"])
        assert window.find_barriers() == []

"""Requests for access at the page: one asks from the sentence of hidden assets, an owner decides."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from meshline.app.tokens import Role, generate_token, hash_token
from meshline.cli.demo import fill_store
from tests.explorer.server import run_server
from tests.explorer.window import OpenWindow

RULES = """
version: 1
default: own
grants: [{who: "group:orders-engineering", on: "product:customer-profiles"}]
"""


def sign_in(page: Page, token: str) -> None:
    page.get_by_role("dialog").get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()


def go(page: Page, address: str) -> None:
    """To another address of the page, which keeps the token."""
    page.evaluate("(address) => { history.pushState(null, '', address); dispatchEvent(new PopStateEvent('popstate')); }", address)


def test_access_is_asked_for_and_granted_at_the_page(tmp_path: Path, open_window: OpenWindow) -> None:
    (tmp_path / "access.yaml").write_text(RULES, "utf-8")
    groups = {"olga": "orders-engineering", "cleo": "customers-engineering"}
    secrets = {name: generate_token() for name in groups}
    tokens = [{"name": name, "role": Role.READER, "hash": hash_token(secrets[name]), "groups": [group]} for name, group in groups.items()]
    fill_store(f"sqlite:///{tmp_path}/mesh.db")
    with run_server(f"sqlite:///{tmp_path}/mesh.db", tokens=tokens, access=str(tmp_path / "access.yaml")) as server:
        window = open_window(server.address)
        window.accept_problem("401")
        page = window.page
        page.goto(server.address + "/requests")
        sign_in(page, secrets["olga"])
        server.token = secrets["olga"]
        go(page, f"/lineage?of={server.resolve('orders.customer_orders')}")
        page.get_by_text("that you may not see").first.click()
        page.get_by_role("link", name="Ask for access to customers").first.click()
        form = page.get_by_role("form", name="Ask for access")
        expect(form.get_by_label("A domain, product or dataset")).to_have_value("domain:customers")
        form.get_by_label("What it is needed for").fill("why do orders lack customers")
        form.get_by_role("button", name="Ask").click()
        row = page.get_by_role("table", name="Requests for access").get_by_role("row").filter(has_text="why do orders")
        expect(row).to_contain_text("customers-engineering")
        expect(row.get_by_role("button", name="Approve")).to_have_count(0)
        assert window.find_barriers() == []

        page.reload()
        sign_in(page, secrets["cleo"])
        row.get_by_role("button", name="Approve").click()
        expect(row).to_contain_text("granted")
        assert window.find_barriers() == []
        assert server.resolve("customers.customers")
        row.get_by_label("Reason").fill("done")
        row.get_by_role("button", name="Revoke").click()
        expect(row).to_contain_text("revoked")

"""GraphiQL at /graphql, as strictly confined as the page: no style, script, font or request of its packages is refused, as none is made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, expect

from meshline.app.tokens import Role
from tests.api.test_auth import SECRETS, TOKENS
from tests.api.test_ingest import build_event
from tests.explorer.server import run_server
from tests.explorer.window import OpenWindow

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# A tab is a list item with a button; CodeMirror scrolls by keys of its own; its hints are beside the page.
OF_THE_LIBRARY = re.compile(r"nested-interactive|scrollable-region-focusable|region: .*CodeMirror-info")
STORED = "JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie"


def write_editor(page: Page, editor: str, text: str) -> None:
    page.locator(f"{editor} .graphiql-editor:not(.hidden) .CodeMirror, {editor}.graphiql-query-editor .CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def test_graphiql_asks_with_the_token_of_its_headers(tmp_path: Path, open_window: OpenWindow) -> None:
    with run_server(f"sqlite:///{tmp_path}/mesh.db", tokens=TOKENS) as server:
        server.token = SECRETS[Role.WRITER]
        event = build_event()
        server.post("/api/v1/lineage", event)
        window = open_window(server.address)
        window.accept_problem("status of 401")  # the schema is asked for at once
        page = window.page
        page.goto(server.address + "/graphql")
        expect(page.locator(".result-window")).to_contain_text("UNAUTHENTICATED")

        write_editor(page, "[aria-label=Headers]", json.dumps({"Authorization": f"Bearer {SECRETS[Role.READER]}"}))
        page.get_by_role("button", name="Re-fetch GraphQL schema").click()
        page.get_by_role("button", name="Show Documentation Explorer").click()
        documentation = page.locator(".graphiql-doc-explorer")
        documentation.get_by_role("link", name="Query", exact=True).click()
        expect(documentation).to_contain_text("An asset by its id, or by the id of any of its names")
        expect(documentation.locator("code", has_text="completeness.knownLater")).to_be_visible()  # Markdown is drawn

        write_editor(page, "[aria-label='Query Editor']", "{ datasets { nodes { qualifiedName } } }")
        expect(page.locator(".graphiql-tab").first).to_contain_text("<untitled>")  # it has noticed that the operation is another one
        page.keyboard.press("Control+Enter")
        expect(page.locator(".result-window")).to_contain_text('"qualifiedName"')
        page.locator("[aria-label='Query Editor'] .cm-property", has_text="datasets").hover()
        expect(page.locator(".CodeMirror-info")).to_contain_text("DatasetConnection!")
        page.get_by_role("button", name="Open settings dialog").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        expect(page.locator("body")).to_have_css("overflow", "hidden")  # by the sheet that takes the place of a <style>
        page.keyboard.press("Escape")
        assert SECRETS[Role.READER] not in page.evaluate(STORED), "a token is kept in memory only"

        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            barriers = [barrier for barrier in window.find_barriers() if not OF_THE_LIBRARY.match(barrier)]
            assert not barriers, "\n".join(barriers)
        page.set_viewport_size({"width": 390, "height": 844})
        pane = documentation.bounding_box()
        assert pane is not None
        assert pane["width"] > 300, "an open pane has the whole width"
        page.get_by_role("button", name="Hide Documentation Explorer").click()
        places = [page.locator(part).bounding_box() for part in (".graphiql-editors", ".graphiql-response")]
        above, below = (place for place in places if place is not None)
        assert below["y"] >= above["y"] + above["height"]
        assert min(above["width"], below["width"]) > 300
        expect(page.get_by_role("link", name="meshline")).to_have_attribute("href", "/")

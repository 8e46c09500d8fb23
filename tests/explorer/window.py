"""A window of a real browser that remembers everything which must not happen on a page."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Playwright, Request, expect

ROOT = Path(__file__).resolve().parents[2]
AXE = (ROOT / "explorer" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
WAIT_MS = 60_000  # much more than it takes, for machines that are busy
expect.set_options(timeout=WAIT_MS)
# Nothing but the page itself may cause a request, so whatever goes to another host is a fault of the page.
FLAGS = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-default-apps", "--disable-breakpad"),
)
REPORT_VIOLATIONS = """addEventListener('securitypolicyviolation', (report) =>
  console.error(`CSP report: ${report.violatedDirective} ${report.blockedURI} ${report.sample}`))"""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A colour that is still on its way to that of another theme is not the one that a reader sees.
SETTLE = "new Promise(requestAnimationFrame).then(() => Promise.allSettled(document.getAnimations().map((one) => one.finished)))"
COLOURS = ["color-contrast", "link-in-text-block"]  # the rules whose result depends on the theme


def launch_browser(playwright: Playwright) -> Browser:
    """Chromium of this system with a new, empty profile. Installs it where that is possible."""
    found = subprocess.run([ROOT / "scripts" / "browser"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has none for root
    return playwright.chromium.launch(executable_path=found.stdout.strip(), args=[*FLAGS, *sandbox])


class Window:
    """One page, and what went wrong in it: errors, policy reports, dialogs, failed requests, requests to other hosts."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.problems: list[str] = []
        self._accepted: list[re.Pattern[str]] = []
        page.set_default_timeout(WAIT_MS)
        page.add_init_script(REPORT_VIOLATIONS)
        page.on("console", self._hear_console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", self._hear_dialog)
        page.on("request", self._hear_request)
        page.on("popup", lambda popup: self.problems.append(f"another window: {popup.url}"))

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _hear_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _hear_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and f"{url.scheme}://{url.netloc}" != self.address:
            self.problems.append(f"request to another host: {request.url}")

    def accept_problem(self, pattern: str) -> None:
        """From here on, problems that contain this are what the test provokes."""
        self._accepted.append(re.compile(pattern))

    def list_problems(self) -> list[str]:
        """What went wrong, in order, without what the test provokes."""
        return [problem for problem in self.problems if not any(pattern.search(problem) for pattern in self._accepted)]

    def open(self, path: str) -> Page:
        """Open an address of the server, and wait until the page has what it asked for."""
        self.page.goto(self.address + path, wait_until="load")
        return self.wait_for_page()

    def wait_for_page(self) -> Page:
        """Until a heading is there and nothing is loading."""
        expect(self.page.locator("h1").first).to_be_visible()
        expect(self.page.locator(".busy, [aria-busy=true]")).to_have_count(0)
        return self.page

    def find_barriers(self, rules: list[str] = WCAG) -> list[str]:
        """What axe finds on the page as it is, by these tags or rules: the rule, and the elements that break it."""
        # Over the protocol of the developer tools, because the policy of the page rightly forbids scripts of others.
        session = self.page.context.new_cdp_session(self.page)
        if not session.send("Runtime.evaluate", {"expression": "'axe' in window"})["result"]["value"]:
            session.send("Runtime.evaluate", {"expression": AXE})
        run = f"{SETTLE}.then(() => axe.run(document, {{runOnly: {rules}, resultTypes: ['violations']}}))"
        answer = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        session.detach()
        found: dict[str, Any] = answer["result"]["value"]
        return [
            f"{violation['id']}: {violation['help']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]


OpenWindow = Callable[..., Window]


@contextmanager
def open_windows(browser: Browser) -> Iterator[OpenWindow]:
    """A function that opens windows, each with storage of its own; at the end all are closed, and none may have had a problem."""
    windows: list[Window] = []

    def open_window(address: str, **options: Any) -> Window:
        usual = {
            "viewport": {"width": 1440, "height": 900},
            "locale": "en-GB",
            "reduced_motion": "reduce",
        }  # nothing moves: a test sees the end
        context = browser.new_context(**(usual | options))
        windows.append(Window(context.new_page(), address))
        return windows[-1]

    try:
        yield open_window
        problems = {window.page.url: found for window in windows if (found := window.list_problems())}
        assert not problems, problems  # pytest explains asserts of test files only
    finally:
        for window in windows:
            window.page.context.close()

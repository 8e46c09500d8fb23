"""A real browser for the tests of this folder, and the example mesh. Nothing is skipped: what is missing is a failure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from meshline.api.explorer import FOLDER, HOW_TO, SHELL
from tests.explorer.server import Server, run_example
from tests.explorer.window import OpenWindow, launch_browser, open_windows


# Of the package and not of the session: Playwright keeps an event loop running, which other tests of the same process must not find.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    assert (FOLDER / SHELL).is_file(), HOW_TO
    with sync_playwright() as playwright:
        launched = launch_browser(playwright)
        yield launched
        launched.close()


@pytest.fixture
def open_window(browser: Browser) -> Iterator[OpenWindow]:
    with open_windows(browser) as found:
        yield found


@pytest.fixture(scope="package")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The example mesh, for tests that change nothing."""
    with run_example(tmp_path_factory.mktemp("example")) as server:
        yield server

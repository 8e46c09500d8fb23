"""A real OpenID provider for tests: npm's oidc-provider, run once for the session, and a person who signs in at its pages."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import URL
from tests.api.test_serve import free_port
from tests.npm import install_packages

FOLDER = Path(__file__).parent
SERVICE, SECRET = "airflow", "a-secret-of-this-test"
CLIENT = "meshline-cli"
AGENT = "agent"  # a service, with the same secret
DESKTOP, REDIRECT = "desktop", "http://127.0.0.1:9/callback"  # a program of a person, and where it waits for the code
WEB_CLIENT, WEB_SECRET = "meshline-web", "a-secret-of-this-test, too: +/%"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
STEPS = 8  # at most, of pages until a person is signed in
_FORM = re.compile(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(name|value)="([^"]*)"')


class Provider:
    """A running provider. Its tokens are for `URL`. `web`: where a server may listen at whose page people sign in."""

    def __init__(self, issuer: str, web: str) -> None:
        self.issuer = issuer
        self.web = web
        self.endpoints: dict[str, Any] = httpx.get(f"{issuer}/.well-known/openid-configuration").json()

    def get_service_token(self, client: str = SERVICE, **asked: str) -> httpx.Response:
        """The answer to a service that asks for a token with its secret."""
        return httpx.post(self.endpoints["token_endpoint"], data={"grant_type": "client_credentials", **asked}, auth=(client, SECRET))

    def sign_in_device(self, person: str, resource: str = URL) -> dict[str, Any]:
        """The tokens of a person who signs in by the device flow, for a server."""
        given = {"client_id": CLIENT, "scope": "openid", "resource": resource}
        began = httpx.post(self.endpoints["device_authorization_endpoint"], data=given).json()
        approve_device(began["verification_uri_complete"], person)
        asked = {"grant_type": DEVICE_CODE, "device_code": began["device_code"], "client_id": CLIENT}
        answer: dict[str, Any] = httpx.post(self.endpoints["token_endpoint"], data=asked).json()
        return answer


def approve_device(address: str, person: str) -> None:
    """Confirm the code of a device as a person would."""
    with httpx.Client() as browser:
        page = fill_forms(browser, follow_redirects(browser, browser.get(address)), person)
    assert "Sign-in Success" in page.text, page.text


def sign_in(address: str, person: str) -> str:
    """Sign in as a person would. Returns the address to which the provider sends the browser in the end, at the program of the person."""
    with httpx.Client() as browser:
        return str(fill_forms(browser, follow_redirects(browser, browser.get(address)), person).headers["location"])


def follow_redirects(browser: httpx.Client, page: httpx.Response) -> httpx.Response:
    """The page to which the provider leads; the last redirection if that leads to the program of the person."""
    while page.is_redirect and not page.headers["location"].startswith(REDIRECT):
        page = browser.get(page.url.join(page.headers["location"]))
    return page


def fill_forms(browser: httpx.Client, page: httpx.Response, person: str) -> httpx.Response:
    """Fill in the forms of the provider: sign in, consent. Returns the page behind the last one."""
    for _ in range(STEPS):
        form = _FORM.search(page.text)
        if form is None:
            return page
        inputs = (dict(_ATTRIBUTE.findall(one)) for one in _INPUT.findall(form[2]))
        fields = {one["name"]: one.get("value", "") for one in inputs if "name" in one}
        if "login" in fields:
            fields.update(login=person, password="any")
        if "op.logoutForm" in page.text:
            fields["logout"] = "yes"  # one of its two buttons
        page = follow_redirects(browser, browser.post(page.url.join(form[1]), data=fields))
    pytest.fail(f"the provider asked for more than {STEPS} forms")


@contextmanager
def run_provider() -> Iterator[Provider]:
    install_packages(FOLDER)
    web = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        ["node", "provider.mjs", URL, web], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = next((line for line in process.stdout if line.startswith("{")), None)
        assert line is not None, "the provider has not begun"
        yield Provider(json.loads(line)["issuer"], web)
    finally:
        process.stdin.close()  # at which it ends
        process.wait(timeout=60)
        process.stdout.close()

"""A real OpenID provider for tests: npm's oidc-provider, run once for the session, and a person who signs in at its pages."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import URL

FOLDER = Path(__file__).parent
INSTALL = ["npm", "ci", "--ignore-scripts", "--loglevel=error", "--prefer-offline"]
SERVICE, SECRET = "airflow", "a-secret-of-this-test"
CLIENT = "meshline-cli"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
STEPS = 8  # at most, of pages until a person is signed in
_FORM = re.compile(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(name|value)="([^"]*)"')


class Provider:
    """A running provider. Its tokens are for `URL`."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.endpoints: dict[str, Any] = httpx.get(f"{issuer}/.well-known/openid-configuration").json()

    def get_service_token(self, **asked: str) -> httpx.Response:
        """The answer to a service that asks for a token with its secret."""
        return httpx.post(self.endpoints["token_endpoint"], data={"grant_type": "client_credentials", **asked}, auth=(SERVICE, SECRET))

    def sign_in_device(self, person: str) -> dict[str, Any]:
        """The tokens of a person who signs in by the device flow."""
        given = {"client_id": CLIENT, "scope": "openid", "resource": URL}
        began = httpx.post(self.endpoints["device_authorization_endpoint"], data=given).json()
        approve_device(began["verification_uri_complete"], person)
        asked = {"grant_type": DEVICE_CODE, "device_code": began["device_code"], "client_id": CLIENT}
        answer: dict[str, Any] = httpx.post(self.endpoints["token_endpoint"], data=asked).json()
        return answer


def approve_device(address: str, person: str) -> None:
    """Fill in the forms of the provider as a person would: confirm the code, sign in, consent."""
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(address)
        for _ in range(STEPS):
            form = _FORM.search(page.text)
            if form is None:
                assert "Sign-in Success" in page.text, page.text
                return
            inputs = (dict(_ATTRIBUTE.findall(one)) for one in _INPUT.findall(form[2]))
            fields = {one["name"]: one.get("value", "") for one in inputs if "name" in one}
            if "login" in fields:
                fields.update(login=person, password="any")
            page = browser.post(page.url.join(form[1]), data=fields)
    pytest.fail(f"the provider asked for more than {STEPS} forms")


def install_provider() -> None:
    """Install the packages of package-lock.json, unless they are there; one process at a time."""
    lock = (FOLDER / "package-lock.json").read_bytes()
    with (FOLDER / "package-lock.json").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        stamp = FOLDER / "node_modules" / ".installed"
        if not (stamp.is_file() and stamp.read_bytes() == lock):
            assert shutil.which("npm"), "the tests with an identity provider need npm, as the page does"
            subprocess.run(INSTALL, cwd=FOLDER, check=True)
            stamp.write_bytes(lock)


@contextmanager
def run_provider() -> Iterator[Provider]:
    install_provider()
    process = subprocess.Popen(
        ["node", "provider.mjs", URL], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = next((line for line in process.stdout if line.startswith("{")), None)
        assert line is not None, "the provider has not begun"
        yield Provider(json.loads(line)["issuer"])
    finally:
        process.stdin.close()  # at which it ends
        process.wait(timeout=10)
        process.stdout.close()

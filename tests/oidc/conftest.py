from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from meshline.app import provider as provider_
from tests.api.conftest import move_clock, run_application
from tests.oidc.issuer import ScriptedIssuer, run_issuer
from tests.oidc.provider import Provider, run_provider
from tests.oidc.scripted_sign_in import SignInIssuer, build_settings


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """A real OpenID provider, for the whole session."""
    with run_provider() as found:
        yield found


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application waits for an identity provider for a minute: a loaded machine may need more than its five seconds."""
    monkeypatch.setattr(provider_, "ANSWER_SECONDS", 60.0)


@pytest.fixture
def issuer() -> Iterator[ScriptedIssuer]:
    with run_issuer() as found:
        yield found


@pytest.fixture
def sign_in_issuer() -> Iterator[SignInIssuer]:
    with run_issuer() as found:
        found.__class__ = SignInIssuer
        assert isinstance(found, SignInIssuer)
        found.describe()
        yield found


@pytest.fixture
def browser(sign_in_issuer: SignInIssuer) -> Iterator[TestClient]:
    with run_application(**build_settings(sign_in_issuer)) as found:
        found.follow_redirects = False
        yield found


__all__ = ["move_clock"]

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oidc.issuer import ScriptedIssuer, run_issuer
from tests.oidc.provider import Provider, run_provider


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """A real OpenID provider, for the whole session."""
    with run_provider() as found:
        yield found


@pytest.fixture
def issuer() -> Iterator[ScriptedIssuer]:
    with run_issuer() as found:
        yield found

"""Every request to every address is answered as the OpenAPI document describes, never with an internal error (Schemathesis)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks

from meshline.api.addresses import REST
from meshline.api.app import ADDRESSES
from meshline.api.openapi import OPERATIONS, build_document
from meshline.app.tokens import Role
from tests.api.conftest import serve_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization
from tests.sizes import choose_size

WANTED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.allow_header_conformance,
    checks.unsupported_method,
    checks.ignored_auth,
]
EXAMPLES = choose_size(15, 200)  # for each operation
ADMIN = build_authorization(SECRETS[Role.ADMIN])


DOCUMENT = schemathesis.openapi.from_dict(json.loads(build_document(ADDRESSES)))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An application with tokens, served as it is in earnest."""
    with serve_application(lambda _url: {"tokens": TOKENS}) as url:
        yield url


WITHOUT_PARAMETERS = {
    *("/", "/healthz", "/readyz", "/.well-known/oauth-protected-resource", "/explorer/{file:path}", "/session", "/sign-out"),
}


def list_modes(path: str) -> list[GenerationMode]:
    """Requests as the document has them, and, where it asks for anything, requests that it forbids."""
    return [GenerationMode.POSITIVE] if path in WITHOUT_PARAMETERS else list(GenerationMode)


@pytest.mark.parametrize(("path", "method", "mode"), [(*operation, mode) for operation in OPERATIONS for mode in list_modes(operation[0])])
def test_any_request(url: str, path: str, method: str, mode: GenerationMode) -> None:
    @given(case=DOCUMENT[path.replace(REST, "")][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def send_request(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=url, headers=ADMIN, checks=WANTED)

    send_request()

"""`/mcp`: agents over HTTP, with the tokens, the limits and the access rules of every address."""

from __future__ import annotations

import gzip
import json
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.testclient import TestClient

from meshline.api import mcp_endpoint
from meshline.app.tokens import AccessScope, Role, generate_token, hash_token
from tests.api.conftest import URL, run_application
from tests.api.test_access import AS_SALES, client  # noqa: F401 - an application with access rules
from tests.api.test_auth import SECRETS, build_authorization

READER = build_authorization(SECRETS[Role.READER])
VERSION = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
ASKED: dict[str, dict[str, Any]] = {
    "find": {"query": "orders"},
    "describe": {"asset": "wh/sales.orders"},
    "impact": {"asset": "wh/sales.orders"},
    "trace": {"asset": "wh/sales.orders"},
    "paths": {"source": "wh/sales.raw", "target": "wh/sales.orders"},
    "owners": {"assets": ["wh/sales.orders"]},
    "check": {"change": "drop wh/sales.orders"},
    "history": {"asset": "wh/sales.orders"},
    "violations": {},
}
PLAIN = generate_token()
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def build_call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def call(client: TestClient, headers: dict[str, str], name: str, **arguments: Any) -> dict[str, Any]:  # noqa: F811
    """The answer of a tool, or its error."""
    answer = client.post("/mcp", json=build_call(name, **arguments), headers={**VERSION, **headers})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.json()["result"]["content"][0]["text"])
    return found


def test_the_client_of_the_sdk(client: TestClient) -> None:  # noqa: F811
    """Both eras of the protocol, through all layers of the application."""

    async def converse(mode: Any) -> tuple[str, dict[str, Any]]:
        transport = httpx2.ASGITransport(app=client.app)
        http = httpx2.AsyncClient(transport=transport, headers=READER)
        async with http, Client(streamable_http_client(f"{URL}/mcp", http_client=http), mode=mode) as agent:
            assert len((await agent.list_tools()).tools) == 10
            result = await agent.call_tool("describe", {"asset": "wh/sales.orders"})
            assert not result.is_error
            return agent.protocol_version, json.loads(result.content[0].text)  # type: ignore[union-attr]

    (new, described), (old, same) = anyio.run(converse, "auto"), anyio.run(converse, "legacy")
    assert (new, old) == ("2026-07-28", "2025-11-25")
    assert described == same
    assert described["name"] == "wh/sales.orders"


def test_who_may_asks_for_access(client: TestClient) -> None:  # noqa: F811
    """The tool is shown to callers with the scope and a name only, and others cannot call it."""
    listed = client.post("/mcp", json=LIST, headers={**VERSION, **READER})
    assert len(listed.content) <= 8_000
    assert [tool["name"] for tool in listed.json()["result"]["tools"] if not tool["annotations"]["readOnlyHint"]] == ["request_access"]
    asked = call(client, AS_SALES, "request_access", asset="domain:sales", purpose="a report", days=7)
    assert (asked["state"], asked["assetName"], asked["approvers"]) == ("open", "sales", ["administrators"])
    assert call(client, AS_SALES, "request_access", asset="domain:sales", purpose="again")["error"]["code"] == "INVALID_INPUT"
    secret, missing = (
        call(client, AS_SALES, "request_access", asset=name, purpose="x")["error"] for name in ("wh/salaries.paid", "wh/salaries.gone")
    )
    assert secret["code"] == missing["code"] == "NOT_FOUND"
    plain = run_application(tokens=[{"name": "plain", "role": Role.READER, "scopes": [AccessScope.READ], "hash": hash_token(PLAIN)}])
    with plain as other:
        headers = {**VERSION, **build_authorization(PLAIN)}
        assert "request_access" not in other.post("/mcp", json=LIST, headers=headers).text
        refused = other.post("/mcp", json=build_call("request_access", asset="x", purpose="y"), headers=headers).json()
        assert "there is no tool" in refused["error"]["message"]


def test_without_a_token_nothing_is_answered(client: TestClient) -> None:  # noqa: F811
    refused = client.post("/mcp", json=LIST, headers=VERSION)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.post("/mcp", json=LIST, headers={**VERSION, **READER}).status_code == 200


def test_what_the_caller_may_not_see_is_counted_and_never_named(client: TestClient) -> None:  # noqa: F811
    whole = call(client, READER, "impact", asset="wh/sales.orders", limit=100)
    seen = call(client, AS_SALES, "impact", asset="wh/sales.orders", limit=100)
    assert any("salaries" in one["name"] for one in whole["assets"])
    assert "salaries" not in json.dumps(seen)
    (hidden,) = [reason for reason in seen["completeness"]["because"] if "you may not see" in reason]
    assert hidden.startswith(f"{whole['page']['total'] - seen['page']['total']} further asset")
    assert not seen["completeness"]["sure"]
    missing, secret = (call(client, AS_SALES, "describe", asset=name)["error"] for name in ("wh/salaries.gone", "wh/salaries.paid"))
    assert missing["code"] == secret["code"] == "NOT_FOUND"
    assert missing["message"].count("salaries") == secret["message"].count("salaries") == 1, "the name that was asked for"


def test_every_tool_answers_callers_who_see_a_part(client: TestClient) -> None:  # noqa: F811
    found = {name: call(client, AS_SALES, name, **arguments) for name, arguments in ASKED.items()}
    assert {name: answer["error"] for name, answer in found.items() if "error" in answer} == {}
    assert "salaries" not in str(found)
    assert all("may see every asset" in answer["error"]["message"] for answer in found.values() if "error" in answer)
    assert "salaries" not in json.dumps(found)


@pytest.mark.parametrize(
    ("origin", "status"),
    [(URL, 200), ("https://evil.example.com", 403), ("null", 403), ("http://127.0.0.1:9", 403), ("http://evil.example.com:8080", 403)],
)
def test_pages_of_other_sites_may_not_ask(client: TestClient, origin: str, status: int) -> None:  # noqa: F811
    answer = client.post("/mcp", json=LIST, headers={**VERSION, **READER, "Origin": origin})
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["code"] == "WRONG_ORIGIN"


def test_a_page_of_an_allowed_host_may_ask() -> None:
    with run_application(allowed_hosts=["agents.company.com"]) as open_client:
        headers = {**VERSION, "Origin": "https://agents.company.com"}
        assert open_client.post("/mcp", json=LIST, headers=headers).status_code == 200
        assert open_client.post("/mcp", json=LIST, headers={**VERSION, "Host": "evil.example.com"}).status_code == 421


def test_requests_that_are_not_of_the_protocol(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    headers = {**VERSION, **READER}
    post = client.post
    assert post("/mcp", content=b"{", headers={**headers, "Content-Type": "application/json"}).status_code == 400
    assert post("/mcp", json=[LIST], headers=headers).status_code == 400
    assert post("/mcp", content=json.dumps(LIST), headers={**headers, "Content-Type": "text/plain"}).status_code == 415
    assert post("/mcp", json=LIST, headers={**headers, "Accept": "text/html"}).status_code == 406
    assert client.get("/mcp", headers=headers).status_code == 405
    packed = gzip.compress(json.dumps(LIST).encode())
    zipped = {**headers, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert len(post("/mcp", content=packed, headers=zipped).json()["result"]["tools"]) == 10
    assert post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers).status_code == 202
    modern = {**headers, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    listen = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {"_meta": meta, "notifications": {}}}
    assert "Method not found" in post("/mcp", json=listen, headers=modern).text  # and it ends
    monkeypatch.setattr(mcp_endpoint, "MAX_BODY", 100)
    assert post("/mcp", json=build_call("find", query="x" * 200), headers=headers).status_code == 413


def test_errors_of_tools_are_answers(client: TestClient) -> None:  # noqa: F811
    found = call(client, READER, "impact", asset="wh/sales.orders", depth=3)
    assert "`depth`" in found["error"]["message"]
    unknown = client.post("/mcp", json=build_call("nothing"), headers={**VERSION, **READER}).json()
    assert "accepted are find, describe" in unknown["error"]["message"]

"""The configurations of docs/agents.md connect, and the conversation there is what the tools answer."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from meshline.app.agents.tools import BY_NAME
from meshline.app.tokens import Role, generate_token, hash_token
from meshline.cli.mcp import open_ask
from tests.agents.questions import Agent
from tests.api.conftest import serve_application
from tests.cli.command import find_executable
from tests.sizes import ALL

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")
BLOCKS = [(language, text) for language, text in re.findall(r"^```(json|toml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
SERVERS = ("mcpServers", "servers", "mcp_servers")  # what the programs call them
ENTRIES = [
    parsed[name]["meshline"]
    for parsed in (tomllib.loads(text) if language == "toml" else json.loads(text) for language, text in BLOCKS)
    for name in SERVERS
    if name in parsed
]
TOKEN = generate_token()
REST = "..."  # what the page leaves out


@pytest.fixture(scope="module")
def server(example: str) -> Iterator[str]:
    tokens = [{"name": "agent", "role": Role.READER, "scopes": ["read"], "hash": hash_token(TOKEN)}]
    with serve_application(lambda _url: {"store": example, "tokens": tokens}) as url:
        yield url


def fill(entry: dict[str, Any], server: str, example: str) -> dict[str, Any]:
    """A configuration of the page with the addresses and the token of this test."""
    text = json.dumps(entry).replace("https://meshline.company.com", server).replace("sqlite:////srv/meshline/meshline.db", example)
    found: dict[str, Any] = json.loads(re.sub(r"\$\{[^}]*\}|meshline_\.\.\.", TOKEN, text))
    return found


async def list_tools(entry: dict[str, Any]) -> list[str]:
    """The names of the tools, as a program with this configuration gets them."""
    if "command" in entry:
        program = StdioServerParameters(command=find_executable(), args=entry["args"], env=entry.get("env"))
        async with Client(program, read_timeout_seconds=60) as client:
            return [tool.name for tool in (await client.list_tools()).tools]
    headers = entry.get("headers") or {"Authorization": f"Bearer {TOKEN}"}  # else the program reads it from its environment
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(entry.get("httpUrl") or entry["url"], http_client=http)) as client,
    ):
        return [tool.name for tool in (await client.list_tools()).tools]


def test_each_configuration_connects(server: str, example: str) -> None:
    assert len(ENTRIES) == 7
    for entry in ENTRIES:
        filled = fill(entry, server, example)
        assert "company" not in json.dumps(filled)
        if ALL or "--store" not in filled.get("args", ()):  # which is tested by tests/cli/test_mcp.py in every run
            assert anyio.run(list_tools, filled) == list(BY_NAME), entry


def test_the_conversation_is_what_the_tools_answer(example: str) -> None:
    turns = [json.loads(text) for language, text in BLOCKS if language == "json"]
    asked = [place for place, turn in enumerate(turns) if "tool" in turn]
    assert len(asked) >= 2
    with open_ask(example, None) as ask:
        agent = Agent(ask)
        for place in asked:
            check_shown(turns[place + 1], agent.call(turns[place]["tool"], **turns[place]["arguments"]))


def check_shown(shown: Any, answer: Any) -> None:
    """What the page shows is in the answer; whole, unless it names a rest."""
    if isinstance(shown, dict):
        assert REST in shown or shown.keys() == answer.keys()
        for name, value in shown.items():
            if name != REST:
                check_shown(value, answer[name])
    elif isinstance(shown, list):
        whole = [one for one in shown if one != REST]
        assert len(whole) == len(answer) or REST in shown
        for one, other in zip(whole, answer, strict=False):
            check_shown(one, other)
    else:
        assert shown == answer

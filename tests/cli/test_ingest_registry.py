"""`meshline ingest registry`: as the documentation shows it, from a real registry (Apicurio), by a mesh file, and to a server."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from tests.cli.command import run_command, run_successfully
from tests.cli.test_server import run_server
from tests.docs.test_docs import parse_commands
from tests.ingest.sources.test_schema_registry import build_order
from tests.schema_registry import RegistryServer

PAGE = Path(__file__).parents[2] / "docs" / "sources" / "registry.md"
SHOWN = "http://schema-registry:8081"  # what the page calls the registry
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = "registry/default: 2 of 2 statements read, 0 unchanged, 2 new, 0 changed, 0 retracted, 0 refused\n"
AGAIN = "registry/default: 0 of 2 statements read, 2 unchanged, 0 new, 0 changed, 0 retracted, 0 refused\n"


@pytest.fixture(scope="module", autouse=True)
def subjects(registry: RegistryServer) -> None:
    registry.register("shop.orders-value", build_order())
    registry.register("shop.orders-key", {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]})
    registry.register("shop.customers-value", {"type": "object", "properties": {"email": {"type": "string"}}}, "JSON")


def test_the_page(new: str, registry: RegistryServer) -> None:
    commands = [one for block in BLOCK.findall(PAGE.read_text("utf-8")) for one in parse_commands(block)]
    assert len(commands) == 3
    for command in commands:
        program, *words = command.line.replace(SHOWN, registry.url).split()
        assert program == "meshline"
        ran = run_successfully(*words, "--store", new)
        shown = f"{ran.err}{ran.out}".replace(registry.url, SHOWN)
        assert doctest.OutputChecker().check_output(command.output, shown, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE), shown


def test_an_entry_of_the_mesh_file(new: str, registry: RegistryServer) -> None:
    Path("mesh.yaml").write_text(
        f"version: 1\nsource: shop\nsources:\n  - {{kind: registry, url: '{registry.url}', namespace: 'kafka://kafka:9092', every: 10m}}\n"
    )
    assert LINE in run_successfully("sync", "--store", new).err
    assert AGAIN in run_successfully("sync", "--strict", "--store", new).err
    shown = run_successfully("sources", "--store", new).out
    assert "registry/default" in shown


def test_options(new: str, registry: RegistryServer) -> None:
    given = ("--namespace", "lab:9092", "--subject", "shop.customers*", "--topic", "shop.customers-value=people", "--context", ".x=x:1")
    assert "1 of 1 statements read" in run_successfully("ingest", "registry", registry.url, *given, "--store", new).err
    assert "kafka://lab/people" in run_successfully("search", "people", "--store", new).out
    for options, message in (
        (("--topic", "x"), "--topic: found 'x'; accepted is SUBJECT=TOPIC"),
        (("--context", "=x"), "--context: found '=x'; accepted is CONTEXT=NAMESPACE"),
        (("--token", "${NOT_SET_HERE}"), "token: the environment variable NOT_SET_HERE is not set"),
        (("--user", "a", "--token", "b"), "token: found a token and a user; accepted is one of them"),
    ):
        ran = run_command("ingest", "registry", registry.url, "--namespace", "kafka:9092", *options, "--store", new)
        assert message in ran.err
        assert ran.code != 0


def test_to_a_server(new: str, registry: RegistryServer) -> None:
    given = ("ingest", "registry", registry.url, "--namespace", "kafka://kafka:9092")
    with run_server("serve", "--store", new) as server:
        assert run_successfully(*given, "--server", server).err == LINE
        assert run_successfully(*given, "--server", server).err == AGAIN

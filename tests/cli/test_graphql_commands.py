"""The command line has all that GraphQL has: the table in docs/command-line.md names the command of each field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
import typer
from graphql import FieldNode, GraphQLObjectType, OperationDefinitionNode, build_schema, parse

from meshline.cli.app import app
from tests.cli.command import ROOT

ROW = re.compile(r"^\| `(\w+)` \| (?:`([a-z -]+)`|none: (.+)) \|$", re.MULTILINE)
ASKED_ELSEWHERE = {"blastRadius"}  # `check` answers it in this process, or asks a server by POST /api/v1/check


def list_commands(group: typer.Typer, prefix: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield prefix + (command.name or command.callback.__name__.replace("_", "-"))
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield f"{prefix}{inner.name}"
        yield from list_commands(inner.typer_instance, f"{prefix}{inner.name} ")


@pytest.fixture(scope="module")
def fields() -> set[str]:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    types = (schema.query_type, schema.mutation_type)
    return {name for type_ in types if isinstance(type_, GraphQLObjectType) for name in type_.fields}


@pytest.fixture(scope="module")
def table() -> dict[str, tuple[str, str]]:
    """The command of each field, or the reason why it has none."""
    found = ROW.findall((ROOT / "docs" / "command-line.md").read_text())
    assert len({field for field, _, _ in found}) == len(found), "each field once"
    return {field: (command, reason) for field, command, reason in found}


def test_each_field_has_a_command_or_a_reason(fields: set[str], table: dict[str, tuple[str, str]]) -> None:
    assert sorted(table) == sorted(fields)
    commands = {command for command, _ in table.values() if command}
    assert commands - set(list_commands(app)) == set()


def test_the_commands_ask_these_fields(fields: set[str], table: dict[str, tuple[str, str]]) -> None:
    """A row of the table is no proof: some query of the command line has to ask the field."""
    asked: set[str] = set()
    for path in (files("meshline.cli") / "queries").iterdir():
        for definition in parse(path.read_text("utf-8")).definitions:
            if isinstance(definition, OperationDefinitionNode):
                asked |= {one.name.value for one in definition.selection_set.selections if isinstance(one, FieldNode)}
    without = {field for field, (command, _) in table.items() if not command}
    assert fields - asked - ASKED_ELSEWHERE <= without
    assert without & asked <= {"suggest"}, "this has a query, so the table should name its command"


def test_each_query_is_asked_by_a_command() -> None:
    code = "".join(path.read_text() for path in (ROOT / "meshline").rglob("*.py"))
    names = sorted(path.name.removesuffix(".graphql") for path in (files("meshline.cli") / "queries").iterdir())
    dynamic = {"tags", "namespaces"}  # `list` reads them by their names
    assert [name for name in names if f'"{name}"' not in code and f"{name}.graphql" not in code and name not in dynamic] == []

"""The questions that the command line asks fit the schema."""

from __future__ import annotations

from importlib.resources import files

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from meshline.api.graphql.schema import print_schema
from meshline.cli.client import read_query

NAMES = sorted(path.name.removesuffix(".graphql") for path in (files("meshline.cli") / "queries").iterdir())


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(print_schema())


@pytest.mark.parametrize("name", NAMES)
def test_a_question_fits_the_schema(schema: GraphQLSchema, name: str) -> None:
    assert [error.message for error in validate(schema, parse(read_query(name)))] == []

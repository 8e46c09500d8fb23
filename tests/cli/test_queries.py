"""The questions that the command line asks fit the schema."""

from __future__ import annotations

from importlib.resources import files

import pytest
from graphql import build_schema, parse, validate

from meshline.api.graphql.schema import print_schema
from meshline.cli.client import read_query

NAMES = sorted(path.name.removesuffix(".graphql") for path in (files("meshline.cli") / "queries").iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_question_fits_the_schema(name: str) -> None:
    assert [error.message for error in validate(build_schema(print_schema()), parse(read_query(name)))] == []

"""Limits on what a GraphQL request may look like, measured without executing it."""

from __future__ import annotations

import time

from graphql import GraphQLError, parse, validate

from meshline.api.graphql.schema import QueryLimitRule, build_schema

SCHEMA = build_schema(depth=5, aliases=3, tokens=1000)


class Limits(QueryLimitRule):
    max_depth = 5
    max_aliases = 3


def list_refusals(query: str) -> list[GraphQLError]:
    return validate(SCHEMA._schema, parse(query, no_location=True), [Limits])


def build_nested_query(levels: int) -> str:
    return "{ node(id: 1) " + "{ domain " * levels + "{ id }" + "}" * levels + "}"


def test_depth() -> None:
    assert list_refusals(build_nested_query(3)) == []
    (error,) = list_refusals(build_nested_query(4))
    assert error.message == "the request nests 6 levels deep; 5 are allowed"


def test_depth_through_fragments() -> None:
    query = "{ node(id: 1) { ...a } } fragment a on Asset { domain { ...b } } fragment b on Asset { domain { domain { domain { id } } } }"
    assert [error.message for error in list_refusals(query)] == ["the request nests 6 levels deep; 5 are allowed"]


def test_aliases() -> None:
    assert list_refusals("{ a: about { version } b: about { version } c: about { version } about { version } }") == []
    (error,) = list_refusals("{ " + " ".join(f"a{n}: about {{ version }}" for n in range(4)) + " }")
    assert error.message == "the request has 4 aliases; 3 are allowed"


def test_aliases_count_at_every_spread() -> None:
    query = "{ one: about { ...f } two: about { ...f } about { ...f } } fragment f on About { v: version }"
    assert [error.message for error in list_refusals(query)] == ["the request has 5 aliases; 3 are allowed"]


def test_fragments_that_spread_fragments_take_no_exponential_time() -> None:
    fragments = " ".join(f"fragment f{n} on Asset {{ a: domain {{ ...f{n + 1} }} b: domain {{ ...f{n + 1} }} }}" for n in range(60))
    query = f"{{ node(id: 1) {{ ...f0 }} }} {fragments} fragment f60 on Asset {{ id }}"
    began = time.thread_time()
    assert len(list_refusals(query)) == 2
    assert time.thread_time() - began < 1


def test_cycles_end() -> None:
    """The server's own rules refuse them; this one ends, and counts the fields of a fragment once."""
    query = "{ node(id: 1) { ...a } } fragment a on Asset { domain { ...b } } fragment b on Asset { domain { ...a } }"
    began = time.thread_time()
    assert list_refusals(query) == []
    (error, *_) = validate(SCHEMA._schema, parse(query, no_location=True))
    assert error.message == "Cannot spread fragment 'a' within itself via 'b'."
    assert time.thread_time() - began < 1

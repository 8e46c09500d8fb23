"""Every query that the schema allows is answered, or refused with a code; there is no internal error."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    build_schema,
    get_named_type,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meshline.api.graphql import Bounds
from meshline.api.graphql.schema import print_schema
from meshline.graph.model import EdgeType, build_column_key, build_dataset_key
from tests.api.conftest import AskGraph
from tests.queries import mesh
from tests.sizes import count_examples

KEYS = (mesh.EMAIL, mesh.HASH, mesh.CUSTOMERS, mesh.ORDERS, mesh.REVENUE, mesh.REPORT, mesh.SUM, mesh.COMMERCE, mesh.REVENUE_PRODUCT)
MORE = (mesh.DASHBOARD, mesh.SHOP_TEAM, mesh.ANN, build_column_key(mesh.REVENUE, "total"), build_dataset_key("s3://lake", "orders"))
VALUES = {
    "ID": [f'"{key.id}"' for key in (*KEYS, *MORE)] + ['"nope"', '"st_1"', '"st_12"'],
    "String": ['"orders"', '"email"', '"wh"', '"pii"', '""', '"sales.orders"', '"a\\u0000b"', '"pg/shop.customers"'],
    "Int": ["0", "1", "2", "50", "-1"],
    "Boolean": ["true", "false"],
    "DateTime": ['"2023-11-14T22:13:20Z"', '"2023-11-14T22:13:19"', '"2030-01-01T00:00:00+02:00"'],
}
LEVELS = 6


@functools.cache
def build_full_schema() -> GraphQLSchema:
    return build_schema(print_schema())


class QueryWriter:
    """Draws a request from the schema."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def draw_selection(self, of: GraphQLOutputType, levels: int) -> str:
        named = get_named_type(of)
        if isinstance(named, GraphQLObjectType):
            return self.draw_fields(named, levels)
        if isinstance(named, GraphQLInterfaceType):
            kind = self.draw(st.sampled_from(build_full_schema().get_possible_types(named)))
            return f"{{ __typename id ... on {kind.name} {self.draw_fields(kind, levels)} }}"
        return ""

    def draw_fields(self, of: GraphQLObjectType, levels: int) -> str:
        simple = [name for name, field in of.fields.items() if levels > 0 or self.has_no_selection(field.type)]
        names = self.draw(st.lists(st.sampled_from(simple), min_size=1, max_size=4, unique=True)) if simple else ["__typename"]
        return "{ " + " ".join(self.draw_field(of, name, levels) for name in names) + " }"

    def draw_field(self, of: GraphQLObjectType, name: str, levels: int) -> str:
        if name == "__typename":
            return name
        field = of.fields[name]
        arguments = ", ".join(self.draw_arguments(field.args))
        return f"{name}{f'({arguments})' if arguments else ''} {self.draw_selection(field.type, levels - 1)}"

    def draw_arguments(self, args: dict[str, GraphQLArgument]) -> Iterator[str]:
        for name, argument in args.items():
            required = isinstance(argument.type, GraphQLNonNull) and argument.default_value in (None, ...)
            if required or self.draw(st.integers(0, 3)) == 0 or isinstance(argument.type, GraphQLNonNull):
                yield f"{name}: {self.draw_value(argument.type)}"

    def draw_value(self, of: GraphQLInputType) -> str:
        if isinstance(of, GraphQLNonNull):
            return self.draw_value(of.of_type)
        if isinstance(of, GraphQLList):
            return "[" + ", ".join(self.draw_value(of.of_type) for _ in range(self.draw(st.integers(1, 2)))) + "]"
        if isinstance(of, GraphQLEnumType):
            return str(self.draw(st.sampled_from(sorted(of.values))))
        if isinstance(of, GraphQLInputObjectType):
            needed = {name for name, field in of.fields.items() if isinstance(field.type, GraphQLNonNull)}
            names = sorted({*needed, *self.draw(st.lists(st.sampled_from(sorted(of.fields)), max_size=2, unique=True))})
            return "{" + ", ".join(f"{name}: {self.draw_value(of.fields[name].type)}" for name in names) + "}"
        return self.draw(st.sampled_from(VALUES[get_named_type(of).name]))

    def has_no_selection(self, of: GraphQLOutputType) -> bool:
        return not isinstance(get_named_type(of), GraphQLObjectType | GraphQLInterfaceType)


@st.composite
def draw_query(draw: st.DrawFn) -> str:
    query = build_full_schema().query_type
    assert query is not None
    return QueryWriter(draw).draw_fields(query, LEVELS)


@st.composite
def draw_mutation(draw: st.DrawFn) -> str:
    mutation = build_full_schema().mutation_type
    assert mutation is not None
    return "mutation " + QueryWriter(draw).draw_fields(mutation, 3)


@pytest.fixture(scope="module")
def asking() -> Iterator[AskGraph]:
    same = mesh.build_edge_statement(EdgeType.SAME_AS, build_dataset_key("s3://lake", "orders"), mesh.ORDERS, why="location")
    graph = mesh.build_graph(*mesh.build_mesh(), same)
    yield AskGraph(graph, Bounds(depth=50, aliases=500))
    graph.store.close()


def check_error_codes(asking: AskGraph, query: str) -> None:
    for error in asking.graphql.execute(query).body.get("errors", ()):
        assert error["extensions"]["code"] in {"NOT_FOUND", "INVALID_INPUT", "AMBIGUOUS", "LIMIT_EXCEEDED"}, (error, query)


@settings(max_examples=count_examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(query=draw_query())
@example(query="{ about { assets { kind count } } }")
def test_any_query(asking: AskGraph, query: str) -> None:
    check_error_codes(asking, query)


@settings(max_examples=count_examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(query=draw_mutation())
def test_any_mutation(asking: AskGraph, query: str) -> None:
    check_error_codes(asking, query)

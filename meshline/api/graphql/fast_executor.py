"""Completes answers with many objects by plans, each of which is built once for all objects of a selection.

graphql-core determines for every field of every object its type, its position, whether it is awaitable and
which middleware applies: about 30 µs for each object, more than all other work of an answer with a thousand
groups. If a selection has only plain fields (attributes, and values that are computed from the object alone,
without arguments and without awaiting), all this is known before the first object. Everything else, and every
object that does not fit (an error, a null in a non-null field, another class), is left to graphql-core, which
then reports the error and its place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import Enum
from operator import attrgetter
from types import FunctionType
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    Undefined,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from meshline.errors import MeshlineError

log = logging.getLogger("meshline.api")

# From the value of a resolver to its part of the answer. A plan is never called with None, unless it is made by `_allow_null`.
Plan: TypeAlias = Callable[[Any], Any]

_DEFINITION = GraphQLCoreConverter.DEFINITION_BACKREF
_INT = range(-(2**31), 2**31)


class PlanMismatch(Exception):
    """The plan does not fit this value."""


_EXPECTED_ERRORS = (PlanMismatch, GraphQLError, MeshlineError)  # graphql-core finds these again, or a resolver raises them on purpose


class PlanningExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes one request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._failed = False
        # The list of fields is kept so that no other list gets its id.
        self._plans: dict[tuple[GraphQLOutputType, int], tuple[FieldDetailsList, Plan | None]] = {}
        self._fields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, Plan | None]] = {}

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """Made when a resolver needs them: kept here, they and this object would refer to each other, see `build_response`."""
        return GraphQLResolveInfoHelpers(gather=self.gather_async_work, track=self.track_async_work)

    @async_helpers.setter
    def async_helpers(self, value: GraphQLResolveInfoHelpers) -> None:
        """What graphql-core makes at the beginning is not kept."""

    def build_response(self, data: Any) -> Any:
        """At the end of the request. Plans are forgotten, since they refer to this object: what refers to itself is freed only when garbage
        is collected, a hundred requests' at once, for which all others wait.
        """
        response = super().build_response(data)
        self._plans.clear()
        self._fields.clear()
        return response

    def execute_field(self, parent_type: GraphQLObjectType, source: Any, field_details_list: FieldDetailsList, *rest: Any) -> Any:
        key = (parent_type, id(field_details_list))
        known = self._fields.get(key)
        if known is None:
            known = self._fields[key] = (field_details_list, self._plan_field(parent_type, field_details_list))
        if known[1] is not None:
            try:
                return known[1](source)
            except Exception as error:  # noqa: BLE001 - graphql-core finds the error again, with its place in the answer
                self._log_first_failure(error)
        return super().execute_field(parent_type, source, field_details_list, *rest)

    def complete_list_value(self, return_type: Any, field_details_list: FieldDetailsList, *rest: Any) -> Any:
        return self._complete_value(super().complete_list_value, return_type, field_details_list, *rest)

    def complete_object_value(self, return_type: Any, field_details_list: FieldDetailsList, *rest: Any) -> Any:
        return self._complete_value(super().complete_object_value, return_type, field_details_list, *rest)

    def _complete_value(
        self,
        otherwise: Callable[..., Any],
        type_: GraphQLOutputType,
        details: FieldDetailsList,
        info: Any,
        path: Any,
        result: Any,
        *rest: Any,
    ) -> Any:
        plan = self._find_plan(type_, details)
        if plan is not None:
            try:
                return plan(result)
            except Exception as error:  # noqa: BLE001 - graphql-core finds the error again, with its place in the answer
                self._log_first_failure(error)
        return otherwise(type_, details, info, path, result, *rest)

    def _log_first_failure(self, error: Exception) -> None:
        """Log the first unexpected error: graphql-core completes the field in its own way and may succeed, so no answer might show it."""
        if not (self._failed or isinstance(error, _EXPECTED_ERRORS)):
            self._failed = True
            log.error("a plan failed; graphql-core completes its field instead", exc_info=error)

    def _find_plan(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Plan | None:
        """The plan for this type at this place of the request; None if it needs graphql-core."""
        key = (type_, id(details))
        known = self._plans.get(key)
        if known is None:
            known = self._plans[key] = (details, self._build_plan(type_, details))
        return known[1]

    def _build_plan(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Plan | None:
        if isinstance(type_, GraphQLNonNull):
            return self._find_plan(type_.of_type, details)
        if isinstance(type_, GraphQLList):
            item = self._plan_nullable(type_.of_type, details)
            return None if item is None else _plan_list(item)
        if is_leaf_type(type_):
            return _plan_leaf(type_)
        if isinstance(type_, GraphQLInterfaceType):
            return self._plan_interface(type_, details)
        return self._plan_object(type_, details) if isinstance(type_, GraphQLObjectType) else None

    def _plan_nullable(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Plan | None:
        plan = self._find_plan(type_, details)
        return plan if plan is None or isinstance(type_, GraphQLNonNull) else _allow_null(plan)

    def _plan_object(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Plan | None:
        class_ = _find_class(type_)
        selected, deferred, _ = self.collect_subfields(type_, details)
        if class_ is None or deferred:
            return None
        fields: list[tuple[str, Plan]] = []
        for name, of_field in selected.items():
            plan = self._plan_field(type_, of_field)
            if plan is None:
                return None
            fields.append((name, plan))

        def complete(value: Any) -> dict[str, Any]:
            if type(value) is not class_:
                raise PlanMismatch
            return {name: plan(value) for name, plan in fields}

        return complete

    def _plan_field(self, parent: GraphQLObjectType, details: FieldDetailsList) -> Plan | None:
        """The plan from the object to the completed field."""
        node = details[0].node
        if node.name.value == "__typename":
            return lambda _: parent.name
        field = self.schema.get_field(parent, node.name.value)
        if field is None or node.arguments:
            return None
        get = _find_getter(field)
        plan = None if get is None else self._plan_nullable(field.type, details)
        return None if get is None or plan is None else _compose_plans(get, plan)

    def _plan_interface(self, type_: GraphQLInterfaceType, details: FieldDetailsList) -> Plan:
        """A plan for each class, built when its first object comes."""
        classes = _map_classes(self.schema, type_)
        plans: dict[type, Plan | None] = {}

        def complete(value: Any) -> Any:
            class_ = type(value)
            if class_ not in plans:
                plans[class_] = self._find_plan(classes[class_], details)
            plan = plans[class_]
            if plan is None:
                raise PlanMismatch
            return plan(value)

        return complete


def _find_class(type_: GraphQLObjectType) -> type | None:
    """The class whose instances have this type, if there is exactly one."""
    definition = type_.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.concrete_of is not None or definition.type_var_map:
        return None
    return definition.origin


def _map_classes(schema: GraphQLSchema, interface: GraphQLInterfaceType) -> Mapping[type, GraphQLObjectType]:
    found = {_find_class(type_): type_ for type_ in schema.get_possible_types(interface)}
    return {class_: type_ for class_, type_ in found.items() if class_ is not None}


def _find_getter(field: GraphQLField) -> Plan | None:
    """A function that computes the field from the object alone; None if it needs more."""
    definition = field.extensions.get(_DEFINITION)
    if not isinstance(definition, StrawberryField) or field.args or definition.extensions or definition.is_async:
        return None
    resolver = definition.base_resolver
    if resolver is None:
        return attrgetter(definition.python_name)
    if resolver.info_parameter is not None or resolver.self_parameter is None:
        return None
    method = resolver.wrapped_func
    return method if isinstance(method, FunctionType) else None


def _compose_plans(get: Plan, plan: Plan) -> Plan:
    return lambda value: plan(get(value))


def _allow_null(plan: Plan) -> Plan:
    return lambda value: None if value is None else plan(value)


def _plan_list(item: Plan) -> Plan:
    def complete(values: Any) -> list[Any]:
        if not isinstance(values, (list, tuple)):
            raise PlanMismatch
        return [item(value) for value in values]

    return complete


def _plan_leaf(type_: GraphQLLeafType) -> Plan:
    """Coerce as graphql-core does; a value that needs no coercion is passed on."""
    coerce = type_.coerce_output_value
    names: dict[Enum, str] = {}

    def complete(value: Any) -> Any:
        coerced = None if value is None else coerce(value)
        if coerced is None or coerced is Undefined:
            raise PlanMismatch
        return coerced

    def complete_enum(value: Any) -> Any:
        if value not in names:
            names[value] = complete(value)
        return names[value]

    if isinstance(type_, GraphQLEnumType):
        return complete_enum
    if type_.name in ("String", "ID"):
        return lambda value: value if type(value) is str else complete(value)
    if type_.name == "Int":
        return lambda value: value if type(value) is int and value in _INT else complete(value)
    return complete

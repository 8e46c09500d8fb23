"""Every address: who may use it, by which methods, and what answers. What is not in this table is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from meshline.api.front_page import front_page
from meshline.api.graphql.http import graphql
from meshline.api.health import healthz, readyz
from meshline.api.metrics import metrics
from meshline.api.openapi import openapi
from meshline.api.rest.check import post_check
from meshline.api.rest.mesh import put_mesh
from meshline.api.rest.openlineage import post_batch, post_event
from meshline.api.rest.sources import source
from meshline.app.tokens import Role


class Address(NamedTuple):
    """`role`: the least that somebody needs to be; None: nobody is asked. Mutations need more: see `graphql.http`."""

    path: str
    methods: tuple[str, ...]
    role: Role | None
    endpoint: Callable[[Request], Awaitable[Response]]


ADDRESSES = (
    Address("/", ("GET",), Role.READER, front_page),
    Address("/healthz", ("GET",), None, healthz),
    Address("/readyz", ("GET",), None, readyz),
    Address("/metrics", ("GET",), Role.READER, metrics),
    Address("/openapi.json", ("GET",), Role.READER, openapi),
    Address("/graphql", ("GET", "POST"), Role.READER, graphql),
    Address("/api/v1/check", ("POST",), Role.READER, post_check),
    Address("/api/v1/lineage", ("POST",), Role.WRITER, post_event),
    Address("/api/v1/lineage/batch", ("POST",), Role.WRITER, post_batch),
    Address("/api/v1/mesh", ("PUT",), Role.WRITER, put_mesh),
    Address("/api/v1/sources", ("GET", "PUT"), Role.WRITER, source),
)
QUIET = ("/healthz", "/readyz", "/metrics")  # what machines ask all the time

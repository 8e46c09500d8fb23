"""`GET /healthz` and `GET /readyz`: whether the process runs, and whether it can answer."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from meshline import __version__
from meshline.api.errors import JSON, RETRY_AFTER
from meshline.api.permissions import get_actor
from meshline.app.reader_pool import ReaderPool
from meshline.app.service import LOADING, Service
from meshline.app.tokens import Role


class Alive(msgspec.Struct, frozen=True, omit_defaults=True):
    """The process runs. `version` is given to callers with the role reader, `problems` to those with the role admin.

    `problems`: why the file of access rules is not in effect as it is now: the rules from before are.
    """

    status: Literal["ok"]
    version: str = ""
    problems: list[str] = []


class ReaderHealth(msgspec.Struct, frozen=True):
    """A process that answers questions. `revision`: null while it loads the graph. `lag`: the seconds for which a change is not applied
    there; after two the server answers in its place. `memory`: bytes.
    """

    revision: int | None
    lag: float
    memory: int


class Ready(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The graph is loaded and the store answers. `revision` and `readers`, if there are any, are given to callers with the role reader.

    `projected_revision`, of a store in Neo4j: the newest revision that its graph for people shows as a whole.
    """

    status: Literal["ready"]
    revision: int | None = None
    projected_revision: int | None = None
    readers: list[ReaderHealth] = []


class NotReadyYet(msgspec.Struct, frozen=True, omit_defaults=True):
    """The server cannot answer yet. `reasons` are given to callers with the role reader."""

    status: Literal["not ready"]
    reasons: list[str] = []


async def get_healthz(request: Request) -> Response:
    """200 as long as the process runs."""
    actor, access = get_actor(request), request.app.state.access
    problem = "" if access is None or actor is None or not actor.role.includes(Role.ADMIN) else access.problem
    return _build_response(Alive("ok", version=__version__ if actor is not None else "", problems=[problem] if problem else []))


async def get_readyz(request: Request) -> Response:
    """200 once the index is loaded and while the store answers; else 503, with the reasons for callers with the role reader."""
    service: Service = request.app.state.service
    known = get_actor(request) is not None
    opened = service.resources_or_none
    answered = service.waiting_for or (await opened.probe.read_revision() if opened is not None else LOADING)
    if isinstance(answered, str) or opened is None:
        return _build_response(NotReadyYet("not ready", reasons=[str(answered)] if known else []), 503, {"Retry-After": str(RETRY_AFTER)})
    if not known:
        return _build_response(Ready("ready"))
    projection = opened.probe.projection
    pool: ReaderPool = request.app.state.readers
    readers = [ReaderHealth(one.revision, round(one.lag, 3), one.memory) for one in pool.list_states()]
    return _build_response(Ready("ready", opened.live.index.revision, None if projection is None else projection.drawn, readers))


def _build_response(answer: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(answer), status, headers, JSON)

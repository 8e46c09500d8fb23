"""`PUT /api/v1/mesh`: loads a mesh file; its statements replace those of its earlier version."""

from __future__ import annotations

from functools import partial

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.errors import JSON
from meshline.api.rest.request_body import check_media, read_body
from meshline.app.parser_process import parse_mesh
from meshline.app.service import Resources, Service
from meshline.app.threads import Lane
from meshline.errors import InvalidInput
from meshline.graph.model import get_current_micros
from meshline.ingest import mesh
from meshline.ingest.sources.sync import sync_or_raise
from meshline.ingest.sources.target import LocalTarget

# JSON is YAML. A web page cannot send any of these across origins without asking first.
MEDIA = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", JSON})
DEFAULT_NAME = "mesh.yaml"  # names the source if neither the file nor `?name=` does


class MeshAnswer(msgspec.Struct, frozen=True):
    """The result of loading a file, in entries. `new`: those of the changed ones that did not exist before."""

    source: str
    revision: int
    changed: int
    new: int
    unchanged: int
    retracted: int
    warnings: list[str]


async def put_mesh(request: Request) -> Response:
    """200 with what changed; 400 with `path` (line and column) if the file or one of its entries is invalid.

    `?name=` names the file for messages and, if it names no source itself, its source.
    """
    service: Service = request.app.state.service
    opened = service.resources
    check_media(request, MEDIA)
    body = await read_body(request, service.settings.max_body_bytes)
    name = request.query_params.get("name") or DEFAULT_NAME

    lane: Lane = request.app.state.checks  # shared with checks: it bounds the number of parser processes
    file = await lane.run(partial(parse_mesh, body, name, service.settings.check_seconds))

    def load() -> mesh.Loading:
        warnings = _store_configuration(file, opened)
        take = partial(mesh.load_mesh, opened.live, file, opened.naming, get_current_micros())
        loading = sync_or_raise(LocalTarget(opened.live, opened.naming), file.source, take)
        return loading._replace(warnings=(*loading.warnings, *warnings))

    loading = await run_in_threadpool(load)
    counts = (loading.new + loading.changed, loading.new, loading.unchanged, loading.retracted)
    answer = MeshAnswer(loading.source, loading.revision, *counts, list(loading.warnings))
    return Response(msgspec.json.encode(answer), media_type=JSON)


def _store_configuration(file: mesh.Mesh, opened: Resources) -> list[str]:
    """Store the rules of the file that a running server can change. Returns warnings about the others. Raises InvalidInput."""
    naming, precedence = mesh.build_configuration(file)
    store = opened.live.store
    if naming is not None and naming.digest != opened.naming.digest and store.read_revision() == 0:
        raise InvalidInput(
            "this server was started without the file's naming rules: start it with `meshline serve --mesh FILE`,"
            " or load the file with `meshline ingest mesh FILE` before it starts",
            "naming",
        )
    if precedence is None or precedence == mesh.read_stored_rules(store)[1]:
        return []
    mesh.configure_store(store, None, precedence)
    return ["precedence: takes effect when each server is restarted"]

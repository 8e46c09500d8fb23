"""`GET /api/v1/export`: the graph that the caller may see, as lines of JSON; `/api/v1/export/events`: the events that it was made from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from meshline.app.exported_graph import Graph, build_graph, iterate_events, restrict_graph
from meshline.app.service import Resources, Service
from meshline.app.threads import Lane
from meshline.app.tokens import Actor
from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import to_micros
from meshline.graph.queries.assets import select_attributes
from meshline.ingest.mesh import read_stored_rules

LINES = "application/x-ndjson"
DIRECTIONS = ("upstream", "downstream", "both")
MAX_STARTS = 1_000
MAX_DEPTH = 1_000_000


class Asked(NamedTuple):
    """What is asked for. `of`: ids; `as_of` in microseconds."""

    of: tuple[str, ...]
    upstream: bool
    downstream: bool
    depth: int | None
    as_of: int | None


async def get_export(request: Request) -> Response:
    """200 with a line for each node and then for each edge; 400 with `path` for invalid parameters."""
    service: Service = request.app.state.service
    actor: Actor = request.state.actor
    find_graph: Callable[[Actor], LiveGraph] = request.app.state.find_graph
    lane: Lane = request.app.state.exports
    asked = _parse_parameters(request.query_params)
    graph = await lane.run(partial(_collect_graph, partial(find_graph, actor), service.resources, asked, service.settings.check_seconds))
    return StreamingResponse(_iterate_lines(graph), media_type=LINES)


async def get_events(request: Request) -> Response:
    """200 with the raw events in order of arrival, one on each line."""
    service: Service = request.app.state.service
    return StreamingResponse(iterate_events(service.resources.live.store), media_type=LINES)


def _parse_parameters(given: QueryParams) -> Asked:
    """Raises InvalidInput."""
    known = {"of", "direction", "depth", "asOf"}
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise InvalidInput(f"unknown parameter; accepted: {', '.join(sorted(known))}", unknown[:200])
    of = tuple(given.getlist("of"))
    if len(of) > MAX_STARTS:
        raise InvalidInput(f"{len(of)} assets are too many; the maximum is {MAX_STARTS}", "of")
    direction = given.get("direction", "both")
    if direction not in DIRECTIONS:
        raise InvalidInput(f"found {direction[:50]!r}; accepted: {', '.join(DIRECTIONS)}", "direction")
    depth = given.get("depth")
    if depth is not None and not (depth.isascii() and depth.isdigit() and int(depth[:9]) <= MAX_DEPTH and len(depth) < 9):
        raise InvalidInput(f"found {depth[:50]!r}; accepted is a whole number from 0", "depth")
    as_of = given.get("asOf")
    return Asked(
        of,
        direction != "downstream",
        direction != "upstream",
        None if depth is None else int(depth),
        None if as_of is None else _parse_time(as_of),
    )


def _parse_time(text: str) -> int:
    """Raises InvalidInput."""
    try:
        return to_micros(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"found {text[:50]!r}; accepted is a time in ISO 8601, such as 2026-03-01T10:00:00Z", "asOf") from error


def _collect_graph(find_graph: Callable[[], LiveGraph], opened: Resources, asked: Asked, seconds: float) -> Graph:
    """The graph without the assets that the caller may not read, with their edges; a flow keeps no name of a job that is not read."""
    live = find_graph()
    deadline = time.monotonic() + seconds
    index = live.get_index(asked.as_of, revision=live.index.revision, deadline=deadline)
    _, precedence = read_stored_rules(opened.live.store)
    graph = build_graph(opened.live.store, precedence, asked.as_of)
    if index.is_restricted:
        with live.lock.set_deadline(deadline), live.lock:
            found = {key: index.assets.find_by_key(key) for key in graph.list_keys()}
            readable = {key: node for key, node in found.items() if node is not None and index.may_read(node)}
            graph.keep({key.id for key in readable})
            graph.select_attributes(lambda key, names: select_attributes(index, readable[key], names))
    if asked.of:
        restrict_graph(graph, asked.of, upstream=asked.upstream, downstream=asked.downstream, depth=asked.depth)
    return graph


def _iterate_lines(graph: Graph) -> Iterator[bytes]:
    yield from (msgspec.json.encode({"node": node}) + b"\n" for node in graph.iterate_nodes())
    yield from (msgspec.json.encode({"edge": edge}) + b"\n" for edge in graph.list_edges())

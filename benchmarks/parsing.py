"""The reference of `http_ingest`: a Starlette application that parses JSON, and no more. `python -m benchmarks.parsing PORT`."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def parse_bodies(request: Request) -> Response:
    await request.json()
    return Response(status_code=201)


async def report_ready(_request: Request) -> Response:
    return Response()


if __name__ == "__main__":
    routes = [Route("/api/v1/lineage", parse_bodies, methods=["POST"]), Route("/readyz", report_ready)]
    uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), access_log=False, server_header=False, log_level="warning")

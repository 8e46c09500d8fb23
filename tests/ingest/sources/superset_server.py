"""A recorded Superset behind an address: the answers of a real one, recorded by scripts/record-superset."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.ingest.sources.dashboards.superset import Superset
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget
from tests.ingest.sources.answer_server import Request, serve_answers

ANSWERS = Path(__file__).parent / "superset_answers.json.gz"
DATABASE = "postgres://db.internal"  # where the recorded database seems to be

Answer = Callable[[str, str], tuple[int, str]]  # (method, address) -> status, body


def read_answers() -> dict[str, str]:
    """The recording: bodies by method and address."""
    found: dict[str, str] = json.loads(gzip.decompress(ANSWERS.read_bytes()))
    return found


def replay(answers: dict[str, str]) -> Answer:
    return lambda method, address: (200, answers[f"{method} {address}"]) if f"{method} {address}" in answers else (404, "{}")


def serve(answer: Answer) -> AbstractContextManager[str]:
    """The address of a server that answers so."""

    def encode(request: Request) -> tuple[int, bytes]:
        status, body = answer(request.method, request.address)
        return status, body.encode()

    return serve_answers(encode)


def read_superset(live: LiveGraph, url: str, **keys: object) -> SyncOutcome:
    source = Superset.model_validate({"url": url, "user": "admin", "password": "${PASSWORD}", **keys})
    return sync_source(LocalTarget(live, Naming()), source, Path(), variables={"PASSWORD": "admin"}.get)

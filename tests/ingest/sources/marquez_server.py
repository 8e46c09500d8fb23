"""A recorded Marquez behind an address: the answers of a real one, recorded by scripts/record-marquez."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.marquez import event_history, marquez_client
from meshline.ingest.sources.marquez.source import Marquez
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget
from tests.ingest.sources import answer_server
from tests.ingest.sources.fake_source import open_graph

__all__ = ["open_graph"]

ANSWERS = Path(__file__).parent / "marquez_answers.json.gz"
EVENTS_ON_A_PAGE, ENTRIES_ON_A_PAGE = 40, 10  # so that the recording has several pages of each

Answer = Callable[[str, Mapping[str, str]], tuple[int, bytes]]  # (address, headers in lower case) -> status, body


def read_answers() -> dict[str, tuple[int, bytes]]:
    """The recording: (status, body) by address. Marquez ignores `declared`, which it was not asked when it was recorded."""
    found = json.loads(gzip.decompress(ANSWERS.read_bytes()))
    answers = {address: (status, body.encode()) for address, (status, body) in found.items()}
    return answers | {f"{address}&declared=true": answer for address, answer in answers.items() if "/events/lineage?" in address}


@contextmanager
def set_pages() -> Iterator[None]:
    """Pages as small as in the recording, and no waiting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_history, "PAGE", EVENTS_ON_A_PAGE)
        patch.setattr(marquez_client, "PAGE", ENTRIES_ON_A_PAGE)
        patch.setattr(http_reader, "WAITS", (0.0, 0.0))
        yield


def serve_answers(answer: Answer) -> AbstractContextManager[str]:
    """The address of a server that answers so."""
    return answer_server.serve_answers(lambda request: answer(request.address, request.headers))


def import_marquez(live: LiveGraph, url: str, *, strict: bool = False, **keys: object) -> SyncOutcome:
    variables = {"MARQUEZ_TOKEN": "secret-of-a-proxy"}
    source = Marquez.model_validate({"url": url, **keys})
    return sync_source(LocalTarget(live, Naming()), source, Path(), variables=variables.get, strict=strict)

"""The import from Marquez on a real Neo4j."""

from __future__ import annotations

import pytest

from tests.cli.command import run_successfully
from tests.cli.test_ingest_marquez import AGAIN, FIRST
from tests.ingest.sources.marquez_server import read_answers, serve_answers, set_pages
from tests.servers import Neo4jServer

pytestmark = pytest.mark.server


def test_an_import_again_has_nothing_new(neo4j: Neo4jServer) -> None:
    answers = read_answers()
    with set_pages(), serve_answers(lambda address, _: answers.get(address, (404, b"{}"))) as url:
        assert run_successfully("ingest", "marquez", url, "--store", neo4j.url).err == FIRST
        assert run_successfully("ingest", "marquez", url, "--store", neo4j.url).err == AGAIN

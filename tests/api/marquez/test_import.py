"""What `meshline ingest marquez URL` takes from another meshline: afterwards Marquez's addresses answer as they did there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from meshline.ingest.sources.http_reader import HttpReader
from meshline.ingest.sources.marquez.facts import PRODUCER
from meshline.ingest.sources.marquez.marquez_client import PROGRAM, MarquezClient
from meshline.ingest.sources.secrets import Redaction
from tests.api.conftest import URL, run_application
from tests.api.marquez import schemas
from tests.api.marquez.conftest import CUSTOMERS, JOBS, LAKE, ORDERS, PG, REPORT, Marquez, build_dataset, build_event, build_facet
from tests.api.marquez.test_writes import NS, declare_mesh
from tests.cli.command import run_successfully

DECLARED_RUN = "0190a7b2-0000-7000-8000-0000000000fe"
# Times of arrival, and what docs/coming-from-marquez.md lists as not imported.
LEFT_OUT = frozenset({"createdAt", "updatedAt", "sourceName"})


def fill_mesh(marquez: Marquez) -> None:
    """Events, and all that Marquez's clients declare and state by hand."""
    owners = build_facet(owners=[{"name": "team:orders", "type": "OWNER"}])
    tags = build_facet(tags=[{"key": "GOLD", "value": "true", "source": "USER"}])
    place = build_dataset(LAKE, "orders", **{**ORDERS["facets"], "ownership": owners, "tags": tags})
    marquez.send_events(
        build_event(1, "load.orders", [CUSTOMERS], type_="START", run=1),
        build_event(2, "load.orders", [CUSTOMERS], [place], run=1, documentation=build_facet(description="Loads orders"), ownership=owners),
        build_event(3, "report", [place], [REPORT], run=3),
        build_event(4, "report", [place], [REPORT], run=4, type_="FAIL"),
    )
    declare_mesh(marquez)
    marquez.send(schemas.RUN, "POST", "namespaces", NS, "jobs", "count", "runs", body={"id": DECLARED_RUN, "args": {"a": "b"}}, status=201)
    marquez.send(schemas.RUN, "POST", "jobs", "runs", DECLARED_RUN, "start")
    marquez.send(schemas.RUN, "POST", "jobs", "runs", DECLARED_RUN, "complete")
    marquez.send(schemas.DATASET, "POST", "namespaces", LAKE, "datasets", "report", "tags", "SILVER")
    marquez.send(schemas.DATASET, "POST", "namespaces", LAKE, "datasets", "orders", "fields", "email", "tags", "PII")
    marquez.send(schemas.JOB, "POST", "namespaces", JOBS, "jobs", "report", "tags", "NIGHTLY")


@contextmanager
def answer_in_process(marquez: Marquez, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The import asks this application, without a server."""

    @contextmanager
    def connect(url: str, _token: str | None, redact: Redaction) -> Iterator[MarquezClient]:
        yield MarquezClient(HttpReader(marquez.client, PROGRAM, url, redact))  # type: ignore[arg-type]  # it is a client of a compatible library

    with patch.context() as here:
        here.setattr(MarquezClient, "connect", staticmethod(connect))
        yield


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Marquez, Marquez]]:
    """A meshline, and one that has imported it."""
    store = f"sqlite:///{tmp_path_factory.mktemp('import')}/new.db"
    with run_application() as client, pytest.MonkeyPatch.context() as patch:
        old = Marquez(client)
        fill_mesh(old)
        with answer_in_process(old, patch):
            assert run_successfully("ingest", "marquez", URL, "--store", store).err.endswith(" 0 refused\n")
        with run_application(store=store) as other:
            yield old, Marquez(other)


def strip(answer: Any) -> Any:
    """An answer without what is left out. The import states tags by hand as a facet; they are in the answer's own list of tags too."""
    if isinstance(answer, dict):
        kept = {name: value for name, value in answer.items() if name not in LEFT_OUT}
        if isinstance(kept.get("facets"), dict):
            kept["facets"] = {name: value for name, value in kept["facets"].items() if value.get("_producer") != PRODUCER}
        return {name: strip(value) for name, value in kept.items()}
    return [strip(one) for one in answer] if isinstance(answer, list) else answer


def get(marquez: Marquez, address: str) -> Any:
    answer = marquez.client.get(address)
    assert answer.status_code == 200, answer.text
    return strip(answer.json())


def quote_name(name: str) -> str:
    return quote(name, safe="")


SPACES = [f"/api/v1/namespaces/{quote_name(name)}" for name in (PG, LAKE, JOBS, NS)]
LISTS: dict[str, Callable[[], list[str]]] = {
    "datasets": lambda: [f"{space}/datasets" for space in SPACES],
    "jobs": lambda: [f"{space}/jobs" for space in SPACES],
    "events": lambda: ["/api/v1/events/lineage?sortDirection=asc"],
    "tags": lambda: ["/api/v1/tags"],
    "lineage": lambda: [
        f"/api/v1/lineage?nodeId={quote_name(node)}&depth=9"
        for node in (f"dataset:{PG}:shop.customers", f"dataset:{LAKE}:orders", f"job:{NS}:count")
    ],
    "columns": lambda: [f"/api/v1/column-lineage?nodeId={quote_name(f'dataset:{LAKE}:orders')}&withDownstream=true"],
    "runs": lambda: [
        f"/api/v1/namespaces/{quote_name(space)}/jobs/{job}/runs" for space, job in ((JOBS, "load.orders"), (JOBS, "report"), (NS, "count"))
    ],
    "versions": lambda: [f"/api/v1/namespaces/{quote_name(LAKE)}/datasets/orders/versions"],
}


@pytest.mark.parametrize("list_", LISTS)
def test_addresses_answer_as_those_of_the_meshline_that_was_imported(both: tuple[Marquez, Marquez], list_: str) -> None:
    """Lineage, columns, descriptions, owners, tags, runs and events."""
    old, new = both
    for address in LISTS[list_]():
        found = get(old, address)
        assert found, address
        assert get(new, address) == found

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from starlette.testclient import TestClient

from tests.api.conftest import run_application
from tests.api.marquez.schemas import ERROR, Schema, check_shape

PG = "postgres://shop:5433"  # with a port and slashes, so that its ids have colons
LAKE = "s3://lake"
JOBS = "airflow"
COLUMNS = ("id", "email", "total")
RUN = "0190a7b2-0000-7000-8000-00000000000{}"


def build_facet(**members: object) -> dict[str, object]:
    return {"_producer": "https://example.org/producer", "_schemaURL": "https://example.org/facet.json", **members}


def build_dataset(namespace: str, name: str, columns: Sequence[str] = COLUMNS, **facets: object) -> dict[str, Any]:
    fields = [{"name": column, "type": "VARCHAR", "description": f"the {column}"} for column in columns]
    return {"namespace": namespace, "name": name, "facets": {"schema": build_facet(fields=fields), **facets}}


def build_column_lineage(start: Mapping[str, Any], columns: Mapping[str, str], *filters: str) -> dict[str, object]:
    """A facet: each column of the output with the column of `start` that it is a copy of; and columns of `start` that filter the rows."""
    place = {"namespace": start["namespace"], "name": start["name"]}
    copy, condition = {"type": "DIRECT", "subtype": "IDENTITY"}, {"type": "INDIRECT", "subtype": "FILTER"}
    return build_facet(
        fields={output: {"inputFields": [{**place, "field": of, "transformations": [copy]}]} for output, of in columns.items()},
        dataset=[{**place, "field": of, "transformations": [condition]} for of in filters],
    )


def build_event(
    number: int,
    job: str,
    inputs: Sequence[Mapping[str, Any]] = (),
    outputs: Sequence[Mapping[str, Any]] = (),
    *,
    type_: str = "COMPLETE",
    namespace: str = JOBS,
    run: int | None = None,
    run_facets: Mapping[str, object] | None = None,
    **job_facets: object,
) -> dict[str, Any]:
    """An event of a run, `number` minutes after noon. `run`: its number; None: that of the event."""
    return {
        "eventTime": f"2026-03-08T12:{number:02}:00Z",
        "eventType": type_,
        "producer": "https://example.org/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": RUN.format(number % 10 if run is None else run), "facets": dict(run_facets or {})},
        "job": {"namespace": namespace, "name": job, "facets": job_facets},
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


class Marquez:
    """The application, asked as Marquez's clients ask: each name is percent-encoded once."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def send_events(self, *events: Mapping[str, Any]) -> None:
        for event in events:
            answer = self.client.post("/api/v1/lineage", content=msgspec.json.encode(event), headers={"Content-Type": "application/json"})
            assert answer.status_code == 201, answer.text

    def get(self, schema: Schema, *segments: str, **query: object) -> Any:
        """The answer, which has this shape."""
        answer = self.client.get(build_path(*segments), params={name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        check_shape(found, schema)
        return found

    def send(self, schema: Schema, method: str, *segments: str, body: object = None, status: int = 200, **query: object) -> Any:
        """The answer to a request that writes, which has this shape."""
        answer = self.request(method, *segments, body=body, **query)
        assert answer.status_code == status, answer.text
        found = answer.json()
        check_shape(found, schema)
        return found

    def send_error(self, status: int, method: str, *segments: str, body: object = None, **query: object) -> str:
        """The message of an error of a request that writes."""
        answer = self.request(method, *segments, body=body, **query)
        assert answer.status_code == status, answer.text
        check_shape(answer.json(), ERROR)
        return str(answer.json()["message"])

    def request(self, method: str, *segments: str, body: object = None, **query: object) -> Any:
        """The response to a request that writes."""
        content = {} if body is None else {"content": msgspec.json.encode(body), "headers": {"Content-Type": "application/json"}}
        params = {name: str(value) for name, value in query.items()}
        return self.client.request(method, build_path(*segments), params=params, **content)  # type: ignore[arg-type]

    def get_error(self, status: int, *segments: str, **query: object) -> str:
        """The message of an error."""
        answer = self.client.get(build_path(*segments), params={name: str(value) for name, value in query.items()})
        assert answer.status_code == status, answer.text
        found = answer.json()
        check_shape(found, ERROR)
        assert found["code"] == status
        return str(found["message"])


def build_path(*segments: str) -> str:
    return ("/api/" if segments[0] == "v2beta" else "/api/v1/") + "/".join(quote(segment, safe="") for segment in segments)


CUSTOMERS = build_dataset(PG, "shop.customers")
ORDERS = build_dataset(
    LAKE,
    "orders",
    columnLineage=build_column_lineage(CUSTOMERS, {"id": "id", "email": "email"}, "total"),
    documentation=build_facet(description="One row for each order"),
)
REPORT = build_dataset(LAKE, "report", ("total",), columnLineage=build_column_lineage(ORDERS, {"total": "total"}))


def build_events() -> list[dict[str, Any]]:
    """customers --load.orders--> orders --report--> report; the job load.orders is a part of load."""
    parent = build_facet(run={"runId": RUN.format(9)}, job={"namespace": JOBS, "name": "load"})
    sql = build_facet(query="INSERT INTO orders SELECT * FROM shop.customers")
    location = build_facet(type="git", url="https://example.org/load.py")
    return [
        build_event(1, "load.orders", [CUSTOMERS], [ORDERS], run_facets={"parent": parent}, sql=sql, sourceCodeLocation=location),
        build_event(2, "report", [ORDERS], [REPORT]),
    ]


@pytest.fixture
def empty() -> Iterator[Marquez]:
    with run_application() as client:
        yield Marquez(client)


@pytest.fixture
def marquez(empty: Marquez) -> Marquez:
    empty.send_events(*build_events())
    return empty


@pytest.fixture(scope="session")
def known() -> Iterator[Marquez]:
    """The same graph for all tests that only read."""
    with run_application() as client:
        found = Marquez(client)
        found.send_events(*build_events())
        yield found


@pytest.fixture(scope="session")
def nothing() -> Iterator[Marquez]:
    """The same empty graph for all tests that only read."""
    with run_application() as client:
        yield Marquez(client)

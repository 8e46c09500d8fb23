"""The example mesh on SQLite and on a real Neo4j: every question of the command line has the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.ingest.openlineage.event_files import read_events
from tests.acceptance.service import IMPACT, Service, run_service
from tests.servers import Neo4jServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "mesh"
LAKE = "http://iceberg-rest.internal:8181"


@contextmanager
def example(store: str) -> Iterator[Service]:
    with run_service(store, mesh=EXAMPLE / "mesh.yaml") as service:
        events = []
        for found in read_events([str(EXAMPLE / "events")]):
            assert not isinstance(found, InvalidInput)
            events.append(found[1])
        body = b"[" + b",".join(events) + b"]"
        answer = service.client.post("/api/v1/lineage/batch", content=body, headers={"Content-Type": "application/json"})
        assert answer.json()["status"] == "success", answer.text
        yield service


def read_query(name: str) -> str:
    return (files("meshline.cli") / "queries" / f"{name}.graphql").read_text("utf-8")


def collect_answers(service: Service) -> dict[str, Any]:
    """What a person may ask of the example. Revisions differ with the batching, so they are left out."""
    ids = {
        table: service.list_columns(LAKE, table)
        for table in ("customers.customers", "orders.customer_orders", "marketing.campaign_audience")
    }
    columns = [column for of_table in ids.values() for column in of_table.values()]
    asked: dict[str, Any] = {"ids": ids}
    for column in columns:
        asked[f"impact {column}"] = service.ask(IMPACT, id=column)
        asked[f"full {column}"] = service.ask(read_query("impact"), of=[column], reach="POSSIBLE", limit=500)
    email = ids["customers.customers"]["email"]
    for direction in ("DOWNSTREAM", "UPSTREAM"):
        for granularity in ("COLUMN", "DATASET", "PRODUCT", "DOMAIN"):
            asked[f"lineage {direction} {granularity}"] = service.ask(
                read_query("lineage"), of=[email], direction=direction, granularity=granularity, reach="POSSIBLE", limit=500
            )
    for text in ("email", "customer", "revenue daily", "every confirmed"):
        asked[f"search {text}"] = service.ask("query($t:String!){search(text:$t,first:100){totalCount nodes{id qualifiedName}}}", t=text)
    asked["resolve"] = service.ask(read_query("resolve"), name="customers.email")
    return {question: remove_revision(answer) for question, answer in asked.items()}


def remove_revision(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: remove_revision(part) for key, part in value.items() if key != "revision"}
    return [remove_revision(part) for part in value] if isinstance(value, list) else value


@pytest.mark.server
def test_the_same_answers(neo4j: Neo4jServer) -> None:
    with ExitStack() as stack:
        embedded, shared = (stack.enter_context(example(store)) for store in ("sqlite://:memory:", neo4j.url))
        one, other = collect_answers(embedded), collect_answers(shared)
    assert one.keys() == other.keys()
    for question, answer in one.items():
        assert answer == other[question], question
    assert one["resolve"]["resolve"]["id"] == one["ids"]["customers.customers"]["email"]

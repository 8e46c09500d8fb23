"""The product as a client sees it: events in over HTTP, questions in GraphQL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.testclient import TestClient

from meshline.api.app import create_app
from meshline.app.settings import load_settings
from tests.acceptance.oracle import Column, Event, Oracle
from tests.servers import PATIENCE

IMPACT = """query($id:ID!,$after:String){impact(of:[$id]){total byKind{key count}
  assets(kinds:[COLUMN],first:500,after:$after){
    nodes{reach distance masked node{... on Column{name dataset{namespace name}}}} pageInfo{hasNextPage endCursor}}
  completeness{truncated possibleOnly undescribed staleEdges}}}"""
COLUMNS = "query($ns:String!,$n:String!){dataset(namespace:$ns,name:$n){id columns(first:500){nodes{id name}}}}"
CLASSES = {"DIRECT": 0, "INDIRECT": 1, "POSSIBLE": 2}


class Service:
    """One running application."""

    def __init__(self, client: TestClient | httpx.Client) -> None:
        self.client = client

    def post(self, events: Iterable[Event]) -> None:
        for event in events:
            answer = self.client.post("/api/v1/lineage", content=json.dumps(event))
            assert answer.status_code == 201, (answer.status_code, answer.text)

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = self.client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        data = answer["data"]
        assert isinstance(data, dict)
        return data

    def list_columns(self, namespace: str, name: str) -> dict[str, str]:
        """Column name -> id."""
        found = self.ask(COLUMNS, ns=namespace, n=name)["dataset"]
        return {c["name"]: c["id"] for c in found["columns"]["nodes"]} if found else {}

    def read_impact(self, column_id: str, oracle: Oracle) -> dict[Column, tuple[int, int, bool]]:
        """In the oracle's terms."""
        result: dict[Column, tuple[int, int, bool]] = {}
        after = None
        while True:
            assets = self.ask(IMPACT, id=column_id, after=after)["impact"]["assets"]
            for found in assets["nodes"]:
                node = found["node"]
                column = oracle.resolve_column((node["dataset"]["namespace"], node["dataset"]["name"], node["name"]))
                assert column not in result, f"{column} twice"
                result[column] = (CLASSES[found["reach"]], found["distance"], found["masked"])
            if not assets["pageInfo"]["hasNextPage"]:
                return result
            after = assets["pageInfo"]["endCursor"]


@contextmanager
def run_service(store: str = "sqlite://:memory:", **settings: object) -> Iterator[Service]:
    """The application over a store, its index loaded."""
    with TestClient(create_app(load_settings(store=store, **settings)), base_url="http://127.0.0.1") as client:
        end = time.monotonic() + PATIENCE
        while (ready := client.get("/readyz")).status_code != 200:
            assert time.monotonic() < end, ready.text
            time.sleep(0.005)
        yield Service(client)


def find_differences(service: Service, oracle: Oracle) -> list[str]:
    """Where the service answers otherwise than the oracle: every column of every dataset, and what it reaches."""
    result = []
    for column in sorted(set(oracle.list_columns())):
        ids = {oracle.resolve_column((*column[:2], name)): i for name, i in service.list_columns(*column[:2]).items()}
        if column not in ids:
            result.append(f"{column} is missing; there are {sorted(ids)}")
            continue
        expected, found = oracle.compute_impact(column), service.read_impact(ids[column], oracle)
        result += [
            f"{column} -> {other}: expected {expected.get(other)}, found {found.get(other)}"
            for other in sorted(expected.keys() | found.keys())
            if expected.get(other) != found.get(other)
        ]
    return result

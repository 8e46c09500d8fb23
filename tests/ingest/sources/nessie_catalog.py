"""A Nessie for tests: a real one with an S3 of moto, and a recorded one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
from moto.server import ThreadedMotoServer

from tests.ingest.sources.json_server import Asked, Failure, serve_json
from tests.servers import PATIENCE, run_server_script

RECORDED = Path(__file__).parent / "nessie_answers.json"
ADDRESS = "http://nessie.internal:19120"  # in the recorded answers
FIELDS = [
    {"id": 1, "name": "sku", "type": "string", "required": True, "doc": "the key"},
    {"id": 2, "name": "price", "type": "double", "required": False},
]
VIEW = "SELECT sku, price * 2 AS twice FROM items WHERE price > 1"


@contextmanager
def run_nessie(home: Path) -> Iterator[str]:
    """Run a Nessie, and yield its address; a missing requirement is a failure, not a skip."""
    storage = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    storage.start()
    host, port = storage.get_host_and_port()
    s3 = f"http://{host}:{port}"
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=s3, aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket="lake")
    try:
        with run_server_script("nessie_server", home, NESSIE_S3=f"{s3}/") as url:
            yield url
    finally:
        storage.stop()


def fill_nessie(url: str) -> None:
    """A table and a view on the branch main; the branch dev, where the table has a column more and another name for one."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:

        def post(path: str, body: Any) -> Any:
            answer = client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        post("/iceberg/v1/main/namespaces", {"namespace": ["shop"], "properties": {"owner": "ann@example.com"}})
        schema = {"type": "struct", "schema-id": 0, "fields": FIELDS}
        table = {
            "name": "items", "schema": {**schema, "identifier-field-ids": []}, "partition-spec": {"spec-id": 0, "fields": []},
            "write-order": {"order-id": 0, "fields": []}, "stage-create": False, "properties": {"comment": "what is sold"},
        }  # fmt: skip
        post("/iceberg/v1/main/namespaces/shop/tables", table)
        fields = [
            {"id": 1, "name": "sku", "type": "string", "required": True},
            {"id": 2, "name": "twice", "type": "double", "required": False},
        ]
        version = {
            "version-id": 1, "timestamp-ms": 1_700_000_000_000, "schema-id": 0, "summary": {"engine-name": "trino"},
            "representations": [{"type": "sql", "sql": VIEW, "dialect": "trino"}], "default-namespace": ["shop"],
        }  # fmt: skip
        view = {"name": "dear", "schema": {"type": "struct", "schema-id": 0, "fields": fields}, "view-version": version, "properties": {}}
        post("/iceberg/v1/main/namespaces/shop/views", view)
        main = client.get("/api/v2/trees/main").json()["reference"]
        post("/api/v2/trees?name=dev&type=BRANCH", {"type": "BRANCH", "name": "main", "hash": main["hash"]})
        changed = [FIELDS[0], {**FIELDS[1], "name": "unit_price"}, {"id": 3, "name": "pieces", "type": "long", "required": False}]
        updates = [
            {"action": "add-schema", "schema": {"type": "struct", "schema-id": 1, "fields": changed}, "last-column-id": 3},
            {"action": "set-current-schema", "schema-id": -1},
        ]
        post("/iceberg/v1/dev/namespaces/shop/tables/items", {"requirements": [], "updates": updates})


@contextmanager
def record_nessie(url: str, answers: dict[str, Any]) -> Iterator[str]:
    """Pass requests on to a Nessie, and note its answers by path and parameters. Yields the address to ask."""

    def pass_on(asked: Asked) -> Any:
        found = httpx.get(url + asked.path, params=dict(asked.parameters), timeout=PATIENCE)
        body = json.loads(found.text.replace(url, own)) if found.text else None
        text = re.sub(r"http://127\.0\.0\.1:\d+/?(?=\")", "http://s3.internal/", found.text.replace(url, ADDRESS))
        answers[format_request(asked)] = [found.status_code, json.loads(text) if text else None]
        return body if found.status_code == 200 else Failure(found.status_code, body)

    with serve_json(pass_on) as own:
        yield own


@contextmanager
def replay_nessie() -> Iterator[str]:
    """A server that answers as the recorded Nessie did."""
    text = RECORDED.read_text(encoding="utf-8")

    def answer(asked: Asked) -> Any:
        status, body = json.loads(text.replace(ADDRESS, own)).get(format_request(asked), [404, None])
        return body if status == 200 else Failure(status, body)

    with serve_json(answer) as own:
        yield own


def format_request(asked: Asked) -> str:
    return f"{asked.path}?{'&'.join(f'{name}={value}' for name, value in sorted(asked.parameters.items()))}"

"""A schema registry that answers what a test wrote, and what tests do with a registry."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from meshline.graph.content import decode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType, Json, build_dataset_key
from meshline.graph.naming import Naming
from meshline.ingest.sources.reading_loader import Loading
from meshline.ingest.sources.schema_registry.source import SchemaRegistry
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget

KAFKA = "kafka://kafka:9093"


Answer = tuple[int, object]  # status, and the body: bytes as they are, other values as JSON


@contextmanager
def serve_registry(answer: Callable[[str, Mapping[str, str]], Answer]) -> Iterator[str]:
    """The address of a registry that answers what `answer` returns for (decoded path and query, headers in lower case)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(unquote(self.path), {name.lower(): value for name, value in self.headers.items()})
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", data.decode())
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class WrittenRegistry:
    """The answers of a registry as Confluent documents them, from subjects that a test wrote: by hand, for no Confluent can run here.

    `subjects`: the versions of each, as the registry answers them, without the keys that follow from the place. `asked`: all requests.
    """

    def __init__(self, subjects: Mapping[str, Sequence[Mapping[str, Any]]], config: Mapping[str, str] | None = None, page: int = 0) -> None:
        self.subjects = {name: [dict(one) for one in versions] for name, versions in subjects.items()}
        self.config = dict(config or {"": "BACKWARD"})
        self.page = page
        self.asked: list[str] = []
        self.answers: dict[str, Answer] = {}  # instead of the usual ones, by path

    def __call__(self, address: str, _headers: Mapping[str, str]) -> Answer:
        self.asked.append(address)
        path = urlsplit(address).path
        if path in self.answers:
            return self.answers[path]
        match path.strip("/").split("/"):
            case ["subjects"]:
                return 200, self._page([*self.subjects], address)
            case ["subjects", subject, "versions"] if subject in self.subjects:
                return 200, [one.get("version", i) for i, one in enumerate(self.subjects[subject], 1)]
            case ["subjects", subject, "versions", version] if subject in self.subjects:
                found = {str(one.get("version", i)): one for i, one in enumerate(self.subjects[subject], 1)}
                if version in found:
                    return 200, {"subject": subject, "version": int(version), "id": 1, **found[version]}
            case ["config"]:
                return 200, {"compatibilityLevel": self.config[""]}
            case ["config", subject] if subject in self.config:
                return 200, {"compatibilityLevel": self.config[subject]}
        return 404, {"error_code": 40401, "message": f"not found: {path}"}

    def _page(self, names: list[str], address: str) -> list[str]:
        if not self.page:
            return names
        query = dict(pair.split("=") for pair in urlsplit(address).query.split("&"))
        offset = int(query["offset"])
        return names[offset : offset + min(self.page, int(query["limit"]))]


def sync_registry(live: LiveGraph, url: str, **keys: object) -> SyncOutcome:
    source = SchemaRegistry.model_validate({"url": url, "namespace": KAFKA, **keys})
    variables = {"REGISTRY_PASSWORD": "secret-of-the-registry", "REGISTRY_TOKEN": "token-of-the-registry"}
    return sync_source(LocalTarget(live, Naming()), source, Path(), variables=variables.get)


def sync_successfully(live: LiveGraph, url: str, **keys: object) -> Loading:
    done = sync_registry(live, url, **keys)
    assert done.error is None, done.error
    assert done.loading is not None
    assert done.loading.refused == ()
    return done.loading


def count_outcomes(loading: Loading) -> tuple[int, int, int, int]:
    """New, changed, unchanged, retracted."""
    return loading.new, loading.changed, loading.unchanged, loading.retracted


class TopicFacts(NamedTuple):
    """What a registry states about a topic: its attributes, and those of its columns in their order."""

    attributes: dict[str, Json]
    columns: dict[str, dict[str, Json]]
    owners: list[str]


def read_topic(live: LiveGraph, topic: str, namespace: str = KAFKA) -> TopicFacts:
    key = build_dataset_key(namespace, topic)
    [known] = [one for scope, one in live.index.changes.list_statements("registry/default").items() if scope == ("topic", *key.parts)]
    [head] = live.store.read_heads([known.scope_id])
    assert head.content is not None
    facts = decode_facts(head.content.blob)
    stated = {fact.key: dict(fact.attributes) for fact in facts.assets}
    listed = sorted((edge.attributes["position"], edge.end.name, edge.end) for edge in facts.edges if edge.type is EdgeType.HAS_COLUMN)
    owners = [edge.start.name for edge in facts.edges if edge.type is EdgeType.OWNS]
    assert all(key.kind in (AssetKind.DATASET, AssetKind.COLUMN, AssetKind.OWNER) for key in stated)
    return TopicFacts(stated[key], {name: stated.get(column, {}) for _, name, column in listed}, owners)

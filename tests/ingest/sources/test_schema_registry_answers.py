"""What a Confluent Schema Registry answers and Apicurio does not (times, tags, pages), and answers that are wrong, hostile or missing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from meshline.errors import StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_dataset_key
from meshline.graph.queries.schema_history import read_schemas
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.schema_registry import registry_client
from meshline.ingest.sources.schema_registry.source import SchemaRegistry
from tests.ingest.sources.fake_source import open_graph
from tests.ingest.sources.registry_server import (
    KAFKA,
    Answer,
    WrittenRegistry,
    count_outcomes,
    read_topic,
    serve_registry,
    sync_registry,
    sync_successfully,
)

DAY = 86_400_000  # milliseconds
BEGUN = 1_767_225_600_000  # 2026-01-01


def build_record(*fields: str, name: str = "V", **more: object) -> dict[str, Any]:
    """A registered version with a record of these fields of the type string."""
    schema = {"type": "record", "name": name, "fields": [{"name": one, "type": "string"} for one in fields]}
    return {"schema": json.dumps(schema), **more}


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as graph:
        yield graph


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "WAITS", (0.0, 0.0))


def list_refusals(live: LiveGraph, url: str, **keys: object) -> list[str]:
    done = sync_registry(live, url, **keys)
    assert done.loading is not None, done.error
    return [str(error) for error in done.loading.refused]


def list_topics(live: LiveGraph) -> list[str]:
    return sorted(scope[-1] for scope in live.index.changes.list_statements("registry/default"))


def test_times_of_versions(live: LiveGraph) -> None:
    written = WrittenRegistry(
        {
            "t-value": [build_record("id", ts=BEGUN), build_record("id", "a", ts=BEGUN + 2 * DAY)],
            "t-key": [build_record("id", ts=BEGUN + DAY)],
        }
    )
    with serve_registry(written) as url:
        sync_successfully(live, url)
    node = live.index.assets.find_by_key(build_dataset_key(KAFKA, "t"))
    assert node is not None
    found = [
        (schema.since // 1000, [column.name for column in schema.columns]) for schema in reversed(read_schemas(live, live.index, node))
    ]
    assert found == [(BEGUN, ["id"]), (BEGUN + 2 * DAY, ["id", "a"])]


def test_a_newest_version_that_is_deleted_ends(live: LiveGraph) -> None:
    written = WrittenRegistry({"t-value": [build_record("a"), build_record("a", "b")]})
    with serve_registry(written) as url:
        sync_successfully(live, url)
        written.subjects["t-value"].pop()
        assert count_outcomes(sync_successfully(live, url)) == (0, 1, 0, 0)
        assert [*read_topic(live, "t").columns] == ["a"]
        written.asked.clear()
        assert count_outcomes(sync_successfully(live, url)) == (0, 0, 1, 0)
    assert not [one for one in written.asked if "/versions/" in one]


def test_only_what_is_new_is_read(live: LiveGraph) -> None:
    written = WrittenRegistry({"t-value": [build_record("a"), build_record("b")], "u-value": [build_record("a")]})
    with serve_registry(written) as url:
        sync_successfully(live, url)
        written.asked.clear()
        written.subjects["t-value"].append(build_record("c"))
        assert count_outcomes(sync_successfully(live, url)) == (0, 1, 1, 0)
    assert sorted(one for one in written.asked if "/versions/" in one) == ["/subjects/t-value/versions/2", "/subjects/t-value/versions/3"]


def test_other_namespaces_are_read_anew(live: LiveGraph) -> None:  # codespell:ignore anew
    written = WrittenRegistry({"t-value": [build_record("a")]})
    with serve_registry(written) as url:
        sync_successfully(live, url)
        assert count_outcomes(sync_successfully(live, url, namespace="kafka://other:1")) == (1, 0, 0, 1)


def test_tags_and_properties_of_metadata(live: LiveGraph) -> None:
    address = {"type": "record", "name": "shop.Address", "fields": [{"name": "city", "type": "string"}, {"name": "zip", "type": "string"}]}
    order = {
        "type": "record",
        "name": "shop.Order",
        "fields": [{"name": "email", "type": "string"}, {"name": "ship_to", "type": address}],
    }
    metadata = {
        "tags": {
            "shop.Order.email": ["PII"],
            "shop.Address.city": ["GEO"],
            "**.zip": ["PII", "GEO"],
            "shop.Order": ["GOLD"],
            "*" * 40 + "x": ["NO"],
        },
        "properties": {"owner": "Ana", "email": "ana@shop.com", "tier": "1", "api_password": "hunter2"},
    }
    with serve_registry(WrittenRegistry({"t-value": [{"schema": json.dumps(order), "metadata": metadata}]})) as url:
        sync_successfully(live, url)
    topic = read_topic(live, "t")
    assert {name: column.get("tags") for name, column in topic.columns.items()} == {
        "email": ["PII"], "ship_to": None, "ship_to.city": ["GEO"], "ship_to.zip": ["PII", "GEO"],
    }  # fmt: skip
    assert (topic.owners, topic.attributes["tags"], topic.attributes["properties"]) == (["ana@shop.com"], ["GOLD"], {"tier": "1"})


@pytest.mark.parametrize("page", [0, 2, 3])
def test_pages_of_subjects(live: LiveGraph, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """`page` 0: the registry ignores that pages are asked for."""
    monkeypatch.setattr(registry_client, "PAGE", page or 6)
    written = WrittenRegistry({f"t{i}-value": [build_record("a")] for i in range(6)}, page=page)
    with serve_registry(written) as url:
        sync_successfully(live, url)
    assert list_topics(live) == [f"t{i}" for i in range(6)]


def test_too_many_subjects(live: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_client, "MAX_SUBJECTS", 3)
    with serve_registry(WrittenRegistry({f"t{i}-value": [build_record("a")] for i in range(4)})) as url:
        assert "the registry has more than 3 subjects" in str(sync_registry(live, url).error)


@pytest.mark.parametrize(
    ("keys", "header"),
    [
        ({"user": "ana", "password": "${REGISTRY_PASSWORD}"}, "Basic YW5hOnNlY3JldC1vZi10aGUtcmVnaXN0cnk="),
        ({"token": "${REGISTRY_TOKEN}"}, "Bearer token-of-the-registry"),
        ({}, None),
    ],
)
def test_accounts(live: LiveGraph, keys: Mapping[str, str], header: str | None) -> None:
    written = WrittenRegistry({"t-value": [build_record("a")]})
    found: set[str | None] = set()

    def answer(address: str, headers: Mapping[str, str]) -> Answer:
        found.add(headers.get("authorization"))
        return written(address, headers)

    with serve_registry(answer) as url:
        sync_successfully(live, url, **keys)
    assert found == {header}


def test_mistakes_in_the_keys(live: LiveGraph) -> None:
    for keys, message in (
        ({"token": "${NOT_SET}"}, "token: the environment variable NOT_SET is not set"),
        ({"token": "x", "user": "y"}, "found a token and a user; accepted is one of them"),
        ({"url": "http://ana:hunter2@registry"}, "the address has a user or a password in it; set the keys user and password instead"),
        ({"url": "registry:8081"}, "accepted is the address of a schema registry's API"),
        ({"url": "http://127.0.0.1:9"}, "a schema registry does not answer at http://127.0.0.1:9"),
        ({"contexts": {"lab": "kafka://x"}}, "found 'lab'; accepted is the name of a context, which begins with a dot"),
        ({"token": "a\nb"}, "characters that no header may have"),
    ):
        done = sync_registry(
            live, str(keys.get("url", "http://127.0.0.1:9")), **{key: value for key, value in keys.items() if key != "url"}
        )
        assert message in str(done.error)
        assert "hunter2" not in str(done.error)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b"<html>not a registry</html>"), "does not answer like a schema registry"),
        ((200, {"subjects": []}), "does not answer like a schema registry"),
        ((200, [1, 2]), "does not answer like a schema registry"),
        ((200, b"[" * 100_000), "does not answer like a schema registry"),
        (
            (401, {"error_code": 401, "message": "no token-of-the-registry"}),
            "refuses access (HTTP status 401: no ***); set the keys user and password",
        ),
        ((403, b""), "refuses access (HTTP status 403)"),
        ((404, {"message": "no such thing"}), "answers HTTP status 404"),  # codespell:ignore thing
        ((500, {"error_code": 50001, "message": "Error in the backend"}), "answers HTTP status 500: Error in the backend"),
        ((503, b""), "a schema registry does not answer"),
        ((302, b"http://127.0.0.1:9/elsewhere"), "answers HTTP status 302"),
    ],
)
def test_a_list_of_subjects_that_is_none(live: LiveGraph, answer: Answer, message: str) -> None:
    """Nothing is retracted, and no redirect is followed: it could lead an account elsewhere."""
    written = WrittenRegistry({"t-value": [build_record("a")]})
    with serve_registry(written) as url:
        sync_successfully(live, url, token="${REGISTRY_TOKEN}")
        written.answers["/subjects"] = answer
        done = sync_registry(live, url, token="${REGISTRY_TOKEN}")
    assert message in str(done.error)
    assert "token-of-the-registry" not in str(done.error)
    assert list_topics(live) == ["t"]


VERSION = "/subjects/t-value/versions/1"
DEEP = json.dumps({"type": "record", "name": "R0", "fields": [{"name": "x", "type": "string"}]})
for _number in range(1, 60):
    DEEP = json.dumps({"type": "record", "name": f"R{_number}", "fields": [{"name": "x", "type": json.loads(DEEP)}]})


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"schema": "{"}, "t-value version 1"),
        ({"schema": "{}"}, "it is no schema of Avro"),
        ({"schema": "[]"}, None),
        ({"schema": DEEP}, "nested more than 24 levels deep"),
        ({"schema": '{"type":' * 5_000 + '"string"' + "}" * 5_000}, "t-value version 1"),
        ({"schema": build_record(*(f"f{i}" for i in range(20_001)))["schema"]}, "more than 20000 fields"),
        ({"schema": "x" * (4 * 2**20 + 1)}, "at most 4,194,304 are read"),
        ({"schema": '{"type": "record", "name": "A", "fields": [{"name": "b", "type": "B"}]}'}, "the type 'B' is not defined"),
        ({"schema": "{}", "schemaType": "THRIFT"}, "found a schema of the type 'THRIFT'; accepted: AVRO, JSON, PROTOBUF"),
        ({"schema": "[]", "schemaType": "JSON"}, "a schema is an object"),
        ({"schema": "message {", "schemaType": "PROTOBUF"}, "t-value version 1:1: "),
        ({"schema": 'syntax = "proto3"; import "/etc/passwd";', "schemaType": "PROTOBUF"}, "it imports '/etc/passwd', which is not given"),
        ({"schema": 'syntax = "proto3"; enum E { A = 0; }', "schemaType": "PROTOBUF"}, None),
        ({"schema": "", "schemaType": "PROTOBUF"}, None),
        ({"schema": '{"type": "object", "properties": []}', "schemaType": "JSON"}, None),
        ({"schema": '{"$ref": "#"}', "schemaType": "JSON"}, "a table is an object with properties"),
        ({"schema": '{"type": "object", "properties": {"a": {"$ref": "http://169.254.169.254/x.json"}}}', "schemaType": "JSON"}, None),
    ],
)
def test_a_schema_that_cannot_be_used(live: LiveGraph, schema: Mapping[str, Any], message: str | None) -> None:
    """It is refused by its subject and version, and the others are ingested; `message` None: it is ingested, with what is known."""
    with serve_registry(WrittenRegistry({"t-value": [schema], "u-value": [build_record("a")]})) as url:
        refused = list_refusals(live, url)
    if message is None:
        assert (refused, list_topics(live)) == ([], ["t", "u"])
    else:
        assert message in "".join(refused)
        assert "t-value" in refused[0]
        assert (len(refused), list_topics(live)) == (1, ["u"])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b"nothing"), "does not answer like a schema registry"),
        ((200, {"id": "one", "version": 1, "schema": "{}"}), "Expected `int`, got `str`"),
        ((200, {"id": 1, "version": 1, "schema": {"type": "string"}}), "Expected `str`, got `object`"),
        ((200, {"id": 1, "version": 1, "schema": '"string"', "references": [{"name": 1}]}), "Expected `str`, got `int`"),
        ((500, {"message": "broken"}), "answers HTTP status 500: broken"),
        ((401, b""), "refuses access (HTTP status 401)"),
        ((302, b"http://127.0.0.1:9/"), "answers HTTP status 302"),
    ],
)
def test_a_version_that_cannot_be_read(live: LiveGraph, answer: Answer, message: str) -> None:
    """What was stated about its topic remains; when it can be read again, it is."""
    written = WrittenRegistry({"t-value": [build_record("a")], "u-value": [build_record("a")]})
    with serve_registry(written) as url:
        sync_successfully(live, url)
        written.subjects["t-value"].append(build_record("a", "b"))
        written.answers["/subjects/t-value/versions/2"] = answer
        [refused] = list_refusals(live, url)
        assert message in refused
        assert list_topics(live) == ["t", "u"]
        assert [*read_topic(live, "t").columns] == ["a"]
        del written.answers["/subjects/t-value/versions/2"]
        assert count_outcomes(sync_successfully(live, url)) == (0, 1, 1, 0)
    assert [*read_topic(live, "t").columns] == ["a", "b"]


@pytest.mark.parametrize("whole", [False, True])
def test_a_registry_that_is_slow(live: LiveGraph, monkeypatch: pytest.MonkeyPatch, *, whole: bool) -> None:
    """`whole`: each part of an answer is in time, and all of it is not."""
    monkeypatch.setattr(registry_client, "PROGRAM", registry_client.PROGRAM._replace(seconds=60.0 if whole else 0.05))
    monkeypatch.setattr(http_reader, "ANSWER_SECONDS", -1.0 if whole else 60.0)
    written, over = WrittenRegistry({"t-value": [build_record("a")]}), threading.Event()

    def answer(address: str, headers: Mapping[str, str]) -> Answer:
        over.wait(0.0 if whole else 60.0)
        return written(address, headers)

    with serve_registry(answer) as url:
        done = sync_registry(live, url)
        over.set()
    assert isinstance(done.error, StoreUnavailable)
    assert ("the answer took more than" if whole else "timed out") in str(done.error)


def test_a_subject_that_is_deleted_while_it_is_read(live: LiveGraph) -> None:
    written = WrittenRegistry({"t-value": [build_record("a")], "u-value": [build_record("a")]})
    written.answers[VERSION] = 404, {"error_code": 40402, "message": "Version 1 not found."}
    with serve_registry(written) as url:
        sync_successfully(live, url)
    assert list_topics(live) == ["u"]


def test_a_registry_that_goes_away(live: LiveGraph) -> None:
    """What was read is kept, what was not remains as it was."""
    written = WrittenRegistry({f"t{i}-value": [build_record("a")] for i in range(3)})
    with serve_registry(written) as url:
        sync_successfully(live, url)
        written.subjects = {name: [build_record("a"), build_record("b")] for name in (*written.subjects, "new-value")}
        written.answers["/subjects/t1-value/versions/2"] = 503, b""
        [refused] = list_refusals(live, url, parallel=1)
        assert "a schema registry does not answer" in refused
        assert list_topics(live) == ["t0", "t1", "t2"]
        written.answers.clear()
        loading = sync_successfully(live, url)
        assert (loading.new, loading.changed) == (1, 3)


def test_an_account_that_may_not_read_modes(live: LiveGraph) -> None:
    written = WrittenRegistry({"t-value": [build_record("a")]})
    written.answers |= {"/config/t-value": (403, b""), "/config": (403, b"")}
    with serve_registry(written) as url:
        sync_successfully(live, url)
    assert "compatibility" not in read_topic(live, "t").attributes


def refer(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "subject": name, "version": 1} for name in names]


def test_circles_of_references(live: LiveGraph) -> None:
    written = WrittenRegistry(
        {
            "t-value": [build_record("a", references=refer("A"))],
            "A": [build_record("a", name="A", references=refer("B"))],
            "B": [build_record("a", name="B", references=refer("A"))],
            "u-value": [build_record("a", references=refer("u-value"))],
        }
    )
    with serve_registry(written) as url:
        refused = list_refusals(live, url, subjects=["*-value"])
    assert sorted(refused) == [
        "t-value version 1: its references form a circle: t-value 1 -> A 1 -> B 1 -> A 1",
        "u-value version 1: its references form a circle: u-value 1 -> u-value 1",
    ]


def test_references_without_end(live: LiveGraph) -> None:
    written = WrittenRegistry({"t-value": [build_record("a", references=refer("r0"))]})

    def answer(address: str, headers: Mapping[str, str]) -> Answer:
        part = address.split("/")[2] if address.startswith("/subjects/r") else ""
        if part:
            return 200, {"id": 1, "version": 1, **build_record("a", name=f"R{part[1:]}", references=refer(f"r{int(part[1:]) + 1}"))}
        return written(address, headers)

    with serve_registry(answer) as url:
        assert list_refusals(live, url) == ["t-value version 1: it refers to more than 200 schemas"]


def test_files_of_protobuf_that_no_registry_has(live: LiveGraph) -> None:
    """Confluent's serializers have these files themselves."""
    text = """
syntax = "proto3";
package shop;
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
message Order {
  string email = 1 [(confluent.field_meta) = { tags: "PII" }];
  confluent.type.Decimal amount = 2 [(confluent.field_meta) = { params: [{ key: "precision", value: "8" }] }];
}
"""
    with serve_registry(WrittenRegistry({"t-value": [{"schema": text, "schemaType": "PROTOBUF"}]})) as url:
        sync_successfully(live, url)
    assert [*read_topic(live, "t").columns] == ["email", "amount", "amount.precision", "amount.scale", "amount.value"]


def test_a_reference_to_nothing(live: LiveGraph) -> None:
    with serve_registry(WrittenRegistry({"t-value": [build_record("a", references=refer("gone"))]})) as url:
        [refused] = list_refusals(live, url)
    assert refused == "t-value version 1: it refers to gone version 1, which the registry does not have"
    assert list_topics(live) == []


def test_older_versions_that_cannot_be_used_are_left_out(live: LiveGraph) -> None:
    written = WrittenRegistry({"t-value": [{"schema": "{}"}, build_record("a"), build_record("b")]})
    with serve_registry(written) as url:
        loading = sync_successfully(live, url)
    assert [warning.partition(":")[0] for warning in loading.warnings] == ["t-value version 1"]
    assert loading.warnings[0].endswith("this older version is not in the history")
    node = live.index.assets.find_by_key(build_dataset_key(KAFKA, "t"))
    assert node is not None
    assert len(read_schemas(live, live.index, node)) == 2


def test_names_of_subjects(live: LiveGraph) -> None:
    subjects: Sequence[str] = ["-value", "-key", "bücher ä-value", "a b-value", ":.:default-value", "x" * 1_001, "%2F-value", ".-value"]
    with serve_registry(WrittenRegistry({name: [build_record("a")] for name in subjects})) as url:
        done = sync_registry(live, url)
    assert done.loading is not None
    assert done.loading.refused == ()
    assert list_topics(live) == ["%2F", ".", "a b", "bücher ä", "default"]
    assert any("a subject has 1 to 1000 characters" in warning for warning in done.loading.warnings)


def test_an_error_is_an_outcome(live: LiveGraph) -> None:
    done = sync_registry(live, "http://127.0.0.1:9")
    assert isinstance(done.error, StoreUnavailable)
    assert SchemaRegistry(url="http://x", namespace="kafka://x").source == "registry/default"

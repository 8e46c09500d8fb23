"""Schema registries out of files: recorded answers of a real one give what the running one gave, and what files cannot have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from meshline.graph.live_graph import LiveGraph
from meshline.ingest.sources.schema_registry.source import SchemaRegistry
from tests.cli.command import run_command
from tests.ingest.sources.fake_source import open_graph
from tests.ingest.sources.registry_server import (
    WrittenRegistry,
    count_outcomes,
    read_topic,
    serve_registry,
    sync_registry,
    sync_successfully,
)

RECORD: dict[str, Any] = {"type": "record", "name": "Placed", "fields": [{"name": "id", "type": "long"}]}
MORE = {**RECORD, "fields": [*RECORD["fields"], {"name": "note", "type": "string", "default": ""}]}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
SUBJECTS: dict[str, list[dict[str, Any]]] = {
    "orders-value": [{"schema": json.dumps(RECORD)}, {"schema": json.dumps(MORE)}],
    "orders-key": [{"schema": json.dumps(KEY)}],
    "price": [{"schema": json.dumps({"type": "record", "name": "Price", "fields": [{"name": "cents", "type": "int"}]})}],
    "items-value": [
        {
            "schema": json.dumps({"type": "record", "name": "Item", "fields": [{"name": "price", "type": "Price"}]}),
            "references": [{"name": "Price", "subject": "price", "version": 1}],
        }
    ],
}


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as graph:
        yield graph


def list_answers(subjects: Mapping[str, Any] = SUBJECTS) -> list[dict[str, Any]]:
    """As of `GET /schemas`."""
    return [
        {"subject": name, "version": number, "id": 1, **one}
        for name, versions in subjects.items()
        for number, one in enumerate(versions, 1)
    ]


def write(folder: Path, answers: object, name: str = "schemas.json") -> tuple[str, ...]:
    file = folder / name
    file.write_bytes(answers if isinstance(answers, bytes) else json.dumps(answers).encode())
    return (str(file),)


def list_refusals(live: LiveGraph, files: tuple[str, ...]) -> list[str]:
    done = sync_registry(live, "", files=files)
    assert done.loading is not None, done.error
    return [str(error) for error in done.loading.refused]


def test_files_give_what_a_running_registry_gives(live: LiveGraph, tmp_path: Path) -> None:
    sync_successfully(live, "", files=write(tmp_path, list_answers()))
    with open_graph() as other, serve_registry(WrittenRegistry(SUBJECTS)) as url:
        sync_successfully(other, url)
        for topic in ("orders", "items"):
            found, expected = read_topic(live, topic), read_topic(other, topic)
            assert found.columns == expected.columns
            assert {**found.attributes, "compatibility": "BACKWARD"} | {"key_compatibility": "BACKWARD"} == {
                **expected.attributes,
                "key_compatibility": "BACKWARD",
            }, "files do not have the modes"


def test_a_file_for_each_version(live: LiveGraph, tmp_path: Path) -> None:
    for number, one in enumerate(list_answers()):
        write(tmp_path, one, f"{number}.json")
    sync_successfully(live, "", files=(str(tmp_path / "*.json"),))
    assert [*read_topic(live, "orders").columns] == ["id", "note"]
    assert [*read_topic(live, "items").columns] == ["price", "price.cents"]


def test_the_same_files_change_nothing_and_others_do(live: LiveGraph, tmp_path: Path) -> None:
    files = write(tmp_path, list_answers())
    assert count_outcomes(sync_successfully(live, "", files=files)) == (2, 0, 0, 0)
    assert count_outcomes(sync_successfully(live, "", files=files)) == (0, 0, 2, 0)
    changed = {**SUBJECTS, "orders-value": [{"schema": json.dumps(RECORD)}, {"schema": json.dumps(RECORD)}]}
    write(tmp_path, list_answers(changed))
    assert count_outcomes(sync_successfully(live, "", files=files)) == (0, 1, 1, 0), "though no version has another number"
    del changed["items-value"]
    write(tmp_path, list_answers(changed))
    assert count_outcomes(sync_successfully(live, "", files=files)) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "these are no versions"),
        (b'["orders-value"]', "these are no versions"),
        (b"\xff\xfe", "these are no versions"),
        (b'{"id": 1, "version": 1, "schema": "{}"}', "a version has no subject"),
        (json.dumps({"subject": "a-value", "id": 1, "version": 1, "schema": "x" * (4 * 2**20 + 1)}).encode(), "a-value: the schema has"),
    ],
)
def test_a_file_that_has_no_versions_is_refused(live: LiveGraph, tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path, list_answers())
    write(tmp_path, content, "wrong.json")
    [refusal] = list_refusals(live, (str(tmp_path / "*.json"),))
    assert message in refusal
    assert "wrong.json" in refusal
    assert [*read_topic(live, "orders").columns] == ["id", "note"], "the other file is read"


def test_a_missing_file_and_a_missing_reference_are_refused(live: LiveGraph, tmp_path: Path) -> None:
    assert "no file matches" in list_refusals(live, ("gone.json",))[0]
    [refusal] = list_refusals(live, write(tmp_path, [one for one in list_answers() if one["subject"] != "price"]))
    assert "refers to price version 1, which the files do not have" in refusal


@pytest.mark.parametrize(
    "keys",
    [{}, {"url": "http://registry:8081", "files": ["a.json"]}, {"files": ["a.json"], "user": "u", "password": "p"}],
)
def test_a_source_is_a_registry_or_files(keys: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"give either the url|without an account"):
        SchemaRegistry.model_validate({"namespace": "kafka://kafka:9093", **keys})


def test_the_command_takes_an_address_or_files(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/files.db"
    [file] = write(tmp_path, list_answers())
    ran = run_command("ingest", "registry", file, "--namespace", "kafka://kafka:9093", "--store", store)
    assert (ran.code, "2 of 2 statements read" in ran.err + ran.out) == (0, True), ran
    ran = run_command("ingest", "registry", "http://registry:8081", file, "--namespace", "kafka://kafka:9093", "--store", store)
    assert ran.code != 0
    assert "accepted is one address, or files" in ran.err

"""Schemas are read from folders and from live tables."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

from meshline.errors import InvalidInput, MeshlineError, NotFound
from meshline.ingest.changes.schema import find_schema_file, read_live_table
from tests.ingest.changes.conftest import EXAMPLE, Ask
from tests.ingest.changes.proposals import get_versions, list_renamed_columns


def find_no_variable(name: str) -> None:
    del name


def test_the_folder_of_a_delta_table() -> None:
    table = EXAMPLE / "delta" / "customer_orders"
    assert find_schema_file(table) == find_schema_file(table / "_delta_log") == table / "_delta_log" / "00000000000000000001.json"
    assert find_schema_file(EXAMPLE / "mesh.yaml") == EXAMPLE / "mesh.yaml"


def test_the_folder_of_an_iceberg_table(tmp_path: Path) -> None:
    for name in ("v9.metadata.json", "v10.metadata.json", "00003-abc.metadata.json", "snap-1.avro"):
        (tmp_path / "metadata").mkdir(exist_ok=True)
        (tmp_path / "metadata" / name).write_text("{}")
    assert find_schema_file(tmp_path).name == "v10.metadata.json"


def test_a_folder_of_no_table(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has neither"):
        find_schema_file(tmp_path)
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / "0.json").write_text('{"commitInfo": {}}')
    with pytest.raises(InvalidInput, match="no commit in it has metadata"):
        find_schema_file(tmp_path)


def test_a_live_table_beside_its_proposed_schema(tmp_path: Path, ask: Ask) -> None:
    uri = f"sqlite:///{tmp_path}/catalog.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        catalog = load_catalog(
            "default", uri=uri, warehouse=f"file://{tmp_path}/warehouse", **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}
        )
        catalog.create_namespace("s")
        table = catalog.create_table("s.t", Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "name", StringType())))
        schema = json.loads(table.schema().model_dump_json())
        catalog.close()
    schema["fields"][1]["name"] = "title"
    live = read_live_table(uri, "s.t", find_no_variable)
    found = ask("schema", json.dumps(schema), before=live.data)
    assert list_renamed_columns(found) == {"name": "title"}
    assert get_versions(found)[0].value.partitioning == get_versions(found)[1].value.partitioning == ()
    with pytest.raises(NotFound, match=r"has no table 's.u'"):
        read_live_table(uri, "s.u", find_no_variable)


def test_the_message_of_a_catalog_without_an_answer_has_no_secret(tmp_path: Path) -> None:
    with pytest.raises(MeshlineError) as raised:
        read_live_table(f"postgresql://u:hunter22@127.0.0.1:1/{tmp_path.name}", "s.t", find_no_variable)
    assert "hunter22" not in str(raised.value)

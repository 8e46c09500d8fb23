"""`meshline ingest hive`, `glue`, `unity` and `gravitino` as a person runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import run_command
from tests.ingest.sources.metastore_server import VERSIONS, RecordedMetastore, serve_metastore


def test_a_metastore_is_loaded_and_what_its_views_read_is_found(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mesh.db"
    given = ("--namespace", "hive://metastore:9083", "--property", "py-io-impl=pyiceberg.io.fsspec.FsspecFileIO", "--store", store)
    with serve_metastore(RecordedMetastore(VERSIONS[1])) as uri:
        first = run_command("ingest", "hive", uri, *given)
        again = run_command("ingest", "hive", uri, *given)
        part = run_command("ingest", "hive", uri, "--name", "part", "--table", "shop.seen*", *given)
    assert first.code == 0
    assert first.err.endswith("11 of 11 statements read, 0 unchanged, 11 new, 0 changed, 0 retracted, 0 refused\n")
    assert again.err == "hive/default: 0 of 11 statements read, 11 unchanged, 0 new, 0 changed, 0 retracted, 0 refused\n"
    assert part.err.startswith("hive/part: 4 of 4 statements read")
    assert "shop.seen: address" in run_command("impact", "shop.clicks.url", "--store", store).out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hive metastore:9083", "uri: accepted is the address of a Hive metastore such as thrift://metastore:9083"),
        ("hive thrift://127.0.0.1:1 --property x", "--property: accepted are settings such as KEY=VALUE"),
        ("hive thrift://127.0.0.1:1 --storage-option =x", "--storage-option: accepted are settings such as KEY=VALUE"),
        ("glue --account 7", "account"),
        (
            "unity unity.internal",
            "url: accepted is the address of Unity Catalog, such as https://catalog.internal:8080, without credentials",
        ),
        ("unity http://127.0.0.1:1 --token ${MESHLINE_TEST_NOT_SET}", "the environment variable MESHLINE_TEST_NOT_SET is not set"),
        ("gravitino http://me:hunter22@127.0.0.1:1 demo", "url: accepted is the address of Gravitino"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, line: str, message: str) -> None:
    done = run_command("ingest", *line.split(), "--store", f"sqlite:///{tmp_path}/mesh.db")
    assert done.code != 0
    assert message in done.err
    assert "hunter22" not in done.err

"""`meshline ingest`, `export` and `replay` over a real store."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import networkx as nx
import pytest

from meshline.ingest.openlineage import event_files
from meshline.ingest.openlineage.event_files import Found
from tests.cli.command import EXAMPLE, find_executable, run_command, run_successfully

EVENT = {
    "eventType": "COMPLETE",
    "eventTime": "2024-03-01T12:00:00Z",
    "producer": "https://example.org",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": "0192f3a4-0000-7000-8000-000000000001"},
    "job": {"namespace": "spark", "name": "copy"},
    "inputs": [{"namespace": "s3://lake", "name": "raw/orders/dt=2024-03-01"}],
    "outputs": [{"namespace": "s3://lake", "name": "clean/orders"}],
}
LINE = json.dumps(EVENT)


def test_good_events_are_ingested_and_bad_ones_are_named(tmp_path: Path, new: str) -> None:
    (tmp_path / "a.ndjson").write_text(f"{LINE}\nno json\n{LINE}\n")
    ran = run_command("ingest", "openlineage", tmp_path / "a.ndjson", tmp_path / "missing", "--store", new)
    assert ran.code == 1
    assert ran.out == ""
    assert f"refused: {tmp_path}/a.ndjson:2: " in ran.err
    assert f"refused: {tmp_path}/missing: cannot be read: No such file or directory" in ran.err
    assert ran.err.endswith("2 events ingested, 2 refused\n")


def test_strict_writes_nothing(tmp_path: Path, new: str) -> None:
    (tmp_path / "a.ndjson").write_text(f"{LINE}\nno json\n")
    ran = run_command("ingest", "openlineage", tmp_path / "a.ndjson", "--strict", "--store", new)
    assert ran.code == 1
    assert ran.err.startswith(f"refused: {tmp_path}/a.ndjson:2: ")
    assert not (tmp_path / "new.db").exists()


def test_standard_input_compressed(new: str) -> None:
    command = [find_executable(), "ingest", "openlineage", "-", "--store", new]
    ran = subprocess.run(command, input=gzip.compress(LINE.encode()), capture_output=True, check=False)
    assert (ran.returncode, ran.stderr.decode()) == (0, "1 event ingested\n")


def test_export_openlineage_gives_the_events_back(tmp_path: Path, new: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps([EVENT, EVENT], indent=2))
    run_successfully("ingest", "openlineage", tmp_path / "a.json", "--store", new)
    assert [json.loads(line) for line in run_successfully("export", "openlineage", "--store", new).out.splitlines()] == [EVENT, EVENT]


def test_export_networkx_and_graphml_are_the_same_graph(tmp_path: Path, example: str) -> None:
    run_successfully("export", "networkx", "--store", example, "-o", tmp_path / "g.json")
    run_successfully("export", "graphml", "--store", example, "-o", tmp_path / "g.graphml")
    linked = nx.node_link_graph(json.loads((tmp_path / "g.json").read_text()), edges="edges")
    marked = nx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    assert set(linked.nodes) == set(marked.nodes)
    assert linked.number_of_edges() == marked.number_of_edges() > 500
    products = [node for node, attributes in linked.nodes(data=True) if attributes["kind"] == "DATA_PRODUCT"]
    assert products
    assert all(marked.nodes[node]["name"] == linked.nodes[node]["name"] for node in products)


def test_export_as_of(tmp_path: Path, new: str) -> None:
    (tmp_path / "a.ndjson").write_text(LINE)
    run_successfully("ingest", "openlineage", tmp_path / "a.ndjson", "--store", new)
    assert run_successfully("export", "networkx", "--store", new, "--as-of", "2024-02-01").json["nodes"] == []
    assert run_successfully("export", "networkx", "--store", new, "--as-of", "2024-03-02").json["nodes"] != []


def test_replay_makes_the_same_graph(new: str, example: str) -> None:
    ran = run_successfully("replay", "--store", example, "--to", new)
    assert "events replayed" in ran.err
    assert run_successfully("export", "networkx", "--store", new).out == run_successfully("export", "networkx", "--store", example).out
    again = run_command("replay", "--store", example, "--to", new)
    assert (again.code, again.err) == (2, "meshline: --to: the store to replay into is not empty: name a new one\n")


def test_replay_keeps_the_statements_of_events_that_are_no_longer_kept(new: str, example: str, tmp_path: Path) -> None:
    old = str(tmp_path / "old.db")
    shutil.copy(example.removeprefix("sqlite:///"), old)
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("DELETE FROM raw WHERE position < (SELECT max(position) - 9 FROM raw)")
    ran = run_successfully("replay", "--store", f"sqlite:///{old}", "--to", new)
    assert "10 events replayed" in ran.err
    asked = ["impact", "customers.customers.email", "--format", "json", "--store"]
    before, after = run_successfully(*asked, example).json, run_successfully(*asked, new).json
    assert [before[part] for part in ("total", "byKind", "byReach")] == [after[part] for part in ("total", "byKind", "byReach")]


def test_naming_rules_are_the_store_s_and_replay_changes_them(tmp_path: Path, new: str) -> None:
    (tmp_path / "a.ndjson").write_text(LINE)
    rules = tmp_path / "mesh.yaml"
    rules.write_text("version: 1\nnaming: {trimmers: [{pattern: '/dt=[^/]*$'}]}\ndomains: [{name: d, datasets: ['s3://lake/*']}]\n")
    run_successfully("ingest", "openlineage", tmp_path / "a.ndjson", "--store", new)
    ran = run_command("ingest", "mesh", rules, "--store", new)
    assert ran.code == 2
    assert "`meshline replay --mesh FILE --to NEW_STORE`" in ran.err
    other = f"sqlite:///{tmp_path / 'other.db'}"
    run_successfully("replay", "--mesh", rules, "--store", new, "--to", other)
    run_successfully("ingest", "mesh", rules, "--store", other)
    run_successfully("ingest", "openlineage", tmp_path / "a.ndjson", "--store", other)  # without the file: the store knows its rules
    names = {node["name"] for node in run_successfully("export", "networkx", "--store", other).json["nodes"] if node["kind"] == "DATASET"}  # type: ignore[index,union-attr,call-overload]
    assert names == {"raw/orders", "clean/orders"}


@pytest.mark.parametrize("command", [["search", "x"], ["impact", "x"], ["export", "networkx"], ["replay", "--to", "sqlite:///y.db"]])
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, new: str, command: list[str]) -> None:
    ran = run_command(*command, "--store", new)
    assert ran.code == 2
    assert (
        ran.err
        == f"meshline: there is no store at {tmp_path}/new.db: `meshline ingest` and `meshline serve` make one, --store names another\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_default_store(tmp_path: Path, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.ndjson").write_text(LINE)
    run_successfully("ingest", "openlineage", "a.ndjson")
    assert (tmp_path / "meshline.db").exists()
    monkeypatch.setenv("MESHLINE_STORE", new)
    run_successfully("ingest", "openlineage", "a.ndjson")
    assert (tmp_path / "new.db").exists()


def test_a_mesh_file_that_is_wrong(tmp_path: Path, new: str) -> None:
    (tmp_path / "mesh.yaml").write_text("version: 1\nteams: [{name: t}]\ndomains:\n  - {name: d, ownr: t}\n  - {name: e, owner: tt}\n")
    ran = run_command("ingest", "mesh", "mesh.yaml", "--store", new)
    assert ran.code == 1
    assert ran.err == (
        "refused: mesh.yaml:4: ownr: unknown key 'ownr'; did you mean 'owner'?;"
        " accepted: name, title, description, parent, owner, tags, datasets, domains\n"
        "warning: mesh.yaml:5: the owner 'tt' is not declared in this file; did you mean 't'?\n"
        "mesh/mesh: 2 entries changed, 0 unchanged, 0 retracted\n"
    )
    strict = run_command("ingest", "mesh", "mesh.yaml", "--strict", "--store", f"{new}2")
    assert strict.code == 1
    assert strict.err.startswith("refused: mesh.yaml:4: ownr")
    assert not (tmp_path / "new.db2").exists()
    assert run_command("ingest", "mesh", "nothing.yaml", "--store", new) == (
        2,
        "",
        "meshline: nothing.yaml: the mesh file cannot be read: No such file or directory\n",
    )


def test_loading_the_example_again_changes_nothing(example: str) -> None:
    ran = run_successfully("ingest", "mesh", EXAMPLE / "mesh.yaml", "--store", example)
    assert "mesh/example-mesh: 0 entries changed" in ran.err
    assert ", 0 retracted" in ran.err


def test_an_interrupted_ingest_reports_its_progress_and_ends(new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a large file: no traceback, a count, and the rest can be ingested afterwards."""
    events = [*event_files.read_events([str(EXAMPLE / "events")])]

    def read_until_interrupted(_: Sequence[str]) -> Iterator[Found]:
        yield from events[:60]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(event_files, "read_events", read_until_interrupted)
        ran = run_command("ingest", "openlineage", "endless.ndjson", "--store", new)
    assert ran.code == 130
    assert re.fullmatch(
        r"interrupted: at least [0-9]+ events? ingested; the same command again ingests the rest, and none twice\n", ran.err
    )
    assert "170 events ingested" in run_successfully("ingest", "openlineage", EXAMPLE / "events", "--store", new).err
    assert run_successfully("store", "check", "--store", new).code == 0


def test_nothing_to_ingest_is_no_success(new: str, tmp_path: Path) -> None:
    (tmp_path / "empty.ndjson").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("no events")
    for name in ("empty.ndjson", "folder"):
        ran = run_command("ingest", "openlineage", tmp_path / name, "--store", new)
        assert ran.code == 2
        assert f"no events in {tmp_path / name}: accepted are files with events" in ran.err


def test_repaired_parts_of_an_event_are_warnings(new: str, tmp_path: Path) -> None:
    event = json.loads((EXAMPLE.parent / "event.json").read_text())
    event["outputs"][0].setdefault("facets", {})["catalog"] = {"framework": "iceberg", "name": "lake"}
    (tmp_path / "event.ndjson").write_text("\n".join([json.dumps(event)] * 30))
    ran = run_successfully("ingest", "openlineage", tmp_path / "event.ndjson", "--store", new)
    place = f"warning: {tmp_path / 'event.ndjson'}:1: $.outputs[0].facets.catalog: Object missing required field `type`"
    assert place in ran.err
    assert ran.err.count("warning: ") == 20
    assert "and 10 warnings more\n30 events ingested" in ran.err


def test_orphans_are_listed_without_their_columns(new: str) -> None:
    run_successfully("ingest", "openlineage", EXAMPLE.parent / "event.json", "--store", new)
    orphans = run_successfully("owners", "--orphans", "--store", new).out
    assert {line.split()[0] for line in orphans.splitlines()[:-1]} == {"dataset", "job"}
    assert orphans.endswith("the columns of these datasets have no owner either: --kind column lists them\n")
    columns = run_successfully("owners", "--orphans", "--kind", "column", "--store", new).out
    assert {line.split()[0] for line in columns.splitlines()} == {"column"}

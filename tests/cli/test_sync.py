"""`meshline sync` and `meshline sources`: a mesh file and all its sources, into a store and to a server."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Precedence
from meshline.graph.store.factory import open_store
from tests.cli.command import EXAMPLE, Ran, find_executable, run_command, run_successfully
from tests.cli.test_server import run_server
from tests.ingest.sources.fake_source import remove_times
from tests.sizes import ALL

MESH = "version: 1\nsource: shop\nteams: [{name: a}]\nsources:\n"
EVENTS = "  - kind: openlineage\n    name: example\n    files: [events]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a mesh file and the events of the example, in which commands run."""
    shutil.copytree(EXAMPLE / "events", tmp_path / "events")
    (tmp_path / "mesh.yaml").write_text(MESH + EVENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MESHLINE_STORE", f"sqlite:///{tmp_path / 'x.db'}")
    return tmp_path


def list_error_lines(ran: Ran) -> list[str]:
    return ran.err.splitlines()


def test_twice_in_a_row_changes_nothing(folder: Path) -> None:
    del folder
    assert list_error_lines(run_successfully("sync")) == [
        "mesh/shop: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 0 refused",
        "openlineage/example: 170 of 170 events read, 0 unchanged, 170 new, 0 changed, 0 retracted, 0 refused",
    ]
    assert list_error_lines(run_successfully("sync", "mesh.yaml")) == [
        "mesh/shop: 1 of 1 statements read, 1 unchanged, 0 new, 0 changed, 0 retracted, 0 refused",
        "openlineage/example: 0 of 170 events read, 170 unchanged, 0 new, 0 changed, 0 retracted, 0 refused",
    ]


def test_a_file_that_changed_is_read_again(folder: Path) -> None:
    run_successfully("sync")
    events = (folder / "events/dbt.ndjson").read_text().splitlines()
    (folder / "events/dbt.ndjson").write_text("\n".join(events[:10]))
    assert "10 of 136 events read, 126 unchanged, 10 new" in run_successfully("sync").err
    (folder / "events/dbt.ndjson").unlink()
    assert "0 of 126 events read, 126 unchanged, 0 new" in run_successfully("sync").err
    assert "dataset" in run_successfully("search", "revenue_daily").out, "an event that was ingested stays"


def test_a_bad_source_does_not_stop_the_others(folder: Path) -> None:
    bad = "  - kind: opnlineage\n  - kind: openlineage\n    files: [nothing/*.json]\n"
    (folder / "mesh.yaml").write_text(MESH + bad + EVENTS)
    for _ in range(2):
        ran = run_command("sync")
        assert ran.code == 1
        assert list_error_lines(ran)[0].startswith(
            "refused: mesh.yaml:5: kind: found 'opnlineage'; did you mean 'openlineage'?; accepted: "
        )
        assert "1 refused" in list_error_lines(ran)[1]
        assert (
            list_error_lines(ran)[2] == "refused: nothing/*.json: no file matches; accepted are files and patterns such as contracts/*.yaml"
        )
        assert list_error_lines(ran)[3] == "openlineage/default: 0 of 0 events read, 0 unchanged, 0 new, 0 changed, 0 retracted, 1 refused"
        assert list_error_lines(ran)[4].startswith("openlineage/example: ")


def test_bad_events_are_refused_each_time(folder: Path) -> None:
    with (folder / "events/dbt.ndjson").open("a") as file:
        file.write("\n{}\n")
    for read in ("171 of 171 events read, 0 unchanged", "45 of 171 events read, 126 unchanged"):
        ran = run_command("sync")
        assert ran.code == 1
        assert f"refused: {folder}/events/dbt.ndjson:" in ran.err
        assert read in ran.err
        assert "1 refused" in ran.err


def test_strict_writes_nothing_of_what_is_refused(folder: Path) -> None:
    with (folder / "events/dbt.ndjson").open("a") as file:
        file.write("\n{}\n")
    (folder / "mesh.yaml").write_text(MESH + EVENTS + EVENTS.replace("example", "after"))
    ran = run_command("sync", "--strict")
    assert ran.code == 1
    assert [line.split(":")[0] for line in list_error_lines(ran)] == ["mesh/shop", "openlineage/example"]
    assert json.loads(run_successfully("sources", "--format", "json").out)[-1]["statements"] == 0
    (folder / "mesh.yaml").write_text(MESH + EVENTS + "  - kind: x\n")
    ran = run_command("sync", "--strict")
    assert (ran.code, len(list_error_lines(ran))) == (1, 1)
    assert "refused: mesh.yaml:8: " in ran.err


def test_a_file_that_is_not_there(folder: Path) -> None:
    (folder / "mesh.yaml").unlink()
    ran = run_command("sync")
    assert (ran.code, list_error_lines(ran)) == (2, ["meshline: mesh.yaml: the mesh file cannot be read: No such file or directory"])


def test_sources_lists_the_datasets_of_each_source(folder: Path) -> None:
    assert list_error_lines(run_command("sources"))[0].startswith("meshline: there is no store at ")
    (folder / "mesh.yaml").write_text(MESH + EVENTS + "  - kind: openlineage\n    files: [none.json]\n")
    assert run_command("sync").code == 1
    rows = [line.split() for line in run_successfully("sources").out.splitlines()]
    assert rows[0][:4] == ["source", "datasets", "statements", "last"]
    assert [row[0] for row in rows[1:]] == ["mesh/shop", "openlineage/default", "openlineage/example"]
    found = json.loads(run_successfully("sources", "--format", "json").out)
    example = found[2]
    assert (example["kind"], example["datasets"] > 20, example["statements"] > 100) == ("openlineage", True, True)
    usual = Precedence()
    places = {"structure": usual.structure.index("openlineage") + 1, "people": usual.people.index("openlineage") + 1}
    assert example["precedence"] == places
    assert (example["lastSync"]["new"], example["lastSync"]["error"], example["next"]) == (170, None, None)
    assert 0 <= example["lag"] < 300
    assert (found[1]["lastSync"]["refused"], found[1]["datasets"]) == (1, 0)


def test_to_a_server(folder: Path) -> None:
    store = f"sqlite:///{folder / 'served.db'}"
    (folder / "mesh.yaml").write_text(MESH + EVENTS + "catalogs: [{names: file, also: [x]}]\n")
    with run_server("serve", "--store", store) as url:
        first, again = (list_error_lines(run_successfully("sync", "--server", url)) for _ in range(2))
        assert first == [
            "mesh/shop: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 0 refused",
            "openlineage/example: 170 of 170 events read, 0 unchanged, 170 new, 0 changed, 0 retracted, 0 refused",
        ]
        assert again == [
            "mesh/shop: 1 of 1 statements read, 1 unchanged, 0 new, 0 changed, 0 retracted, 0 refused",
            "openlineage/example: 0 of 170 events read, 170 unchanged, 0 new, 0 changed, 0 retracted, 0 refused",
        ]
        served = json.loads(run_successfully("sources", "--format", "json", "--server", url).out)
        assert [source["name"] for source in served] == ["mesh/shop", "openlineage/example"]
        assert [source["lastSync"]["unchanged"] for source in served] == [1, 170]
    assert list_error_lines(run_successfully("sync", "--store", store))[1].startswith(
        "openlineage/example: 0 of 170 events read, 170 unchanged"
    ), "it is the same source"


def test_a_server_that_is_away(folder: Path) -> None:
    del folder
    ran = run_command("sync", "--server", "http://127.0.0.1:9")
    assert ran.code == 1
    assert list_error_lines(ran)[0].startswith("mesh/shop: not read: no answer from http://127.0.0.1:9")


@pytest.mark.parametrize("seconds", [0.5, 0.8, 1.1, 1.4] if ALL else [0.6, 1.2])
def test_killed_and_done_again_ends_the_same(folder: Path, seconds: float) -> None:
    for i in range(8):  # more to do
        shutil.copytree(EXAMPLE / "events", folder / f"events/more{i}")
    killed = f"sqlite:///{folder / 'killed.db'}"
    process = subprocess.Popen([find_executable(), "sync", "--store", killed], cwd=folder, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    process.wait()
    for store in (killed, f"sqlite:///{folder / 'whole.db'}"):
        run_successfully("sync", "--store", store)
        assert "0 of 1530 events read, 1530 unchanged" in run_successfully("sync", "--store", store).err
    dumps = [LiveGraph.open(open_store(f"sqlite:///{folder / name}")).index.dump() for name in ("killed.db", "whole.db")]
    assert remove_times(dumps[0]) == remove_times(dumps[1])


def test_served_on_a_schedule(folder: Path) -> None:
    store = f"sqlite:///{folder / 'served.db'}"
    (folder / "mesh.yaml").write_text(MESH + EVENTS + "    every: 1s\n" + "  - kind: openlineage\n    files: [none.json]\n    every: 1s\n")
    with run_server("serve", "--store", store, "--mesh", str(folder / "mesh.yaml")) as url:
        end = time.monotonic() + 60
        while True:
            served = {source["name"]: source for source in json.loads(run_successfully("sources", "--format", "json", "--server", url).out)}
            example, wrong = served.get("openlineage/example"), served.get("openlineage/default")
            if example and wrong and example["lastSync"] and example["lastSync"]["unchanged"] == 170 and example["next"]:
                break
            assert time.monotonic() < end, served
            time.sleep(0.2)
        assert wrong["lastSync"]["refused"] == 1
        assert served["mesh/shop"]["lastSync"]["read"] == 1


def test_warnings_about_events_are_shown(folder: Path) -> None:
    event = json.loads((EXAMPLE.parent / "event.json").read_text())
    event["outputs"][0].setdefault("facets", {})["catalog"] = {"framework": "iceberg", "name": "lake"}
    (folder / "events.ndjson").write_text("\n".join([json.dumps(event)] * 25))
    (folder / "mesh.yaml").write_text(MESH + EVENTS.replace("[events]", "[events.ndjson]"))
    err = run_successfully("sync").err
    assert f"warning: {folder / 'events.ndjson'}:1: $.outputs[0].facets.catalog: Object missing required field `type`" in err
    assert err.count("$.outputs[0].facets.catalog") == 20
    assert "warning: 5 more warnings about events\n" in err

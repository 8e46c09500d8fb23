"""`meshline policies`: what it shows, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import ROOT, run_command, run_successfully

EXAMPLES = ROOT / "examples" / "policies"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/graph.db"


def load_example(example: str, store: str) -> None:
    run_successfully("ingest", "mesh", EXAMPLES / example / "mesh.yaml", "--store", store)


@pytest.mark.parametrize(("example", "code"), [("retention-minimum/fails", 1), ("slo-minimum/fails", 0), ("retention-minimum/passes", 0)])
def test_an_error_is_exit_code_1(example: str, code: int, store: str) -> None:
    load_example(example, store)
    ran = run_command("policies", "--violations", "--policy", example.split("/", maxsplit=1)[0], "--store", store)
    assert ran.code == code, ran.out + ran.err
    assert ("no policy is broken" in ran.out) == example.endswith("passes")


def test_json_is_what_the_schema_gives(store: str) -> None:
    load_example("retention-minimum/fails", store)
    policies = json.loads(run_successfully("policies", "--format", "json", "--store", store).out)
    assert {one["id"]: one["violations"] for one in policies}["retention-minimum"] == 1
    ran = run_command("policies", "--violations", "--format", "json", "--store", store)
    assert ("retention-minimum", "error", "BREAKING") in [(one["policy"], one["severity"], one["verdict"]) for one in json.loads(ran.out)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policy", "retention"), "there is no policy 'retention'; did you mean"),
        (("--policies", "nowhere"), "there is no 'nowhere'; accepted is a file of policies, or a folder"),
        (("--policies", ".", "--server", "http://127.0.0.1:1"), "give either --server or --policies"),
        (("--server", "http://127.0.0.1:1"), "127.0.0.1:1"),
    ],
)
@pytest.mark.parametrize("violations", [True, False])
def test_an_unavailable_answer_is_exit_code_2(arguments: tuple[str, ...], message: str, violations: bool, store: str) -> None:  # noqa: FBT001
    load_example("retention-minimum/fails", store)
    where = () if "--server" in arguments else ("--store", store)
    ran = run_command("policies", *(("--violations",) if violations else ()), *arguments, *where)
    assert (ran.code, message in ran.err) == (2, True), ran.err


def test_policies_of_ones_own_are_a_file_or_a_folder(store: str, tmp_path: Path) -> None:
    load_example("retention-minimum/fails", store)
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "mine.yaml"
    file.write_text("id: slo-minimum\noff: we promise nothing\n", "utf-8")
    for given in (file, file.parent):
        shown = json.loads(run_successfully("policies", "--policies", given, "--format", "json", "--store", store).out)
        assert {one["id"]: one["off"] for one in shown}["slo-minimum"] == "we promise nothing"


def test_a_parameter_that_nothing_reads_is_refused_with_those_that_are_read(store: str, tmp_path: Path) -> None:
    load_example("retention-minimum/fails", store)
    file = tmp_path / "mine.yaml"
    file.write_text("id: slo-minimum\nparameters:\n  freshness_seconds: 60\n  freshness_secs: 60\n", "utf-8")
    ran = run_command("policies", "--policies", file, "--store", store)
    assert ran.code == 2
    assert "mine.yaml:4: slo-minimum: nothing in the policy reads the parameter 'freshness_secs'; accepted: accuracy" in ran.err

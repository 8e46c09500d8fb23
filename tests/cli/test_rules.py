"""`meshline rules`."""

from __future__ import annotations

import json

import pytest

from meshline.governance.rules import RULES
from tests.cli.command import run_command, run_successfully


def test_list() -> None:
    lines = run_successfully("rules").out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == list(RULES)


def test_one() -> None:
    output = run_successfully("rules", "required-column-added").out
    assert "conditional in mesh, compatible in consumer" in output
    assert "compatible for readers" in output


def test_json() -> None:
    found = json.loads(run_successfully("rules", "--format", "json").out)
    assert [one["id"] for one in found] == list(RULES)
    assert run_successfully("rules", "slo-tightened", "--format", "json").json["verdicts"] == {
        "mesh": "breaking",
        "consumer": "compatible",
        "full": "breaking",
    }


@pytest.mark.parametrize("name", ["colum-removed", ""])
def test_an_unknown_rule(name: str) -> None:
    ran = run_command("rules", name)
    assert (ran.code, ran.out) == (2, "")
    assert "there is no rule" in ran.err

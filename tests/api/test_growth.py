"""Queries take no memory after they are answered."""

from __future__ import annotations

import gc
import itertools
import resource
from pathlib import Path

import pytest

from meshline.app.check import run_check
from meshline.app.check_texts import CheckInput, CheckRequest, File
from meshline.app.policy_service import PolicyService
from meshline.governance.change_impact import ChangeImpact
from meshline.governance.gate import Options, judge_changes
from meshline.graph import live_graph
from meshline.graph.naming import Naming
from meshline.graph.queries.impact import Impact
from tests.api.conftest import AskGraph
from tests.governance.verdicts import build_change
from tests.queries import mesh

PATHS = f'{{ impact(of: ["{mesh.EMAIL.id}"]) {{ assets {{ nodes {{ node {{ id }} via {{ asset {{ id }} }} }} }} }} }}'


def count_objects(*types: type) -> int:
    """How many objects of these types there are."""
    gc.collect()
    return sum(issubclass(type(one), types) for one in gc.get_objects())  # isinstance would ask what weak proxies stand for


def test_an_impact_ends_with_its_answer(ask: AskGraph) -> None:
    assert ask(PATHS)["impact"]["assets"]["nodes"]
    assert count_objects(Impact) == 0


def test_objects_of_a_check_are_freed_with_its_report(ask: AskGraph) -> None:
    report = judge_changes(ask.graph, ask.graph.index, [build_change("column-removed", mesh.EMAIL)], Options())
    assert report.findings[0].contracts
    assert count_objects(Impact, ChangeImpact) == 0


def test_memory_stays_level(ask: AskGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over hundreds of impacts, checks and questions as of times, of names and times that were never asked for before."""
    monkeypatch.setattr(live_graph, "SPARE_NODES", 400)
    governing = PolicyService(ask.graph)
    numbers = itertools.count()

    def round_of(questions: int) -> None:
        for number in itertools.islice(numbers, questions):
            ask(PATHS)
            ask(f'{{ impact(of: ["{mesh.EMAIL.id}"], asOf: "2024-01-01T00:00:00.{number:06}Z") {{ total }} }}')
            ddl = File("a.sql", f"CREATE TABLE t{number} (c{number} INT);\nALTER TABLE sales.orders ADD COLUMN d{number} INT;")
            asked = CheckRequest(inputs=(CheckInput("ddl", None, ddl, {"dialect": "postgres", "namespace": "wh"}),))
            assert run_check(ask.graph, Naming(), asked, policies=governing).checked == 2
            ask.graph.renew()

    round_of(40)
    before = count_objects(object), read_resident_memory()
    round_of(120)
    after = count_objects(object), read_resident_memory()
    assert ask.graph.index.changes.count_nodes() < 900
    assert after[0] - before[0] < 20_000, "more than what caches may hold of 360 answers"
    assert after[1] - before[1] < 50_000_000


def read_resident_memory() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

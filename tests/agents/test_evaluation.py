"""The plan of each question reaches the answer that the library computes, by few and small calls. The answers are kept in answers.json,
for those who ask a model: it is right if it names the same.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from meshline.app.agents.tool_assets import Ask
from meshline.app.tokens import Role, generate_token, hash_token
from meshline.cli.mcp import open_ask
from tests.agents.questions import LATER, QUESTIONS, Agent, Library
from tests.api.conftest import serve_application
from tests.cli.command import run_successfully

ANSWERS = Path(__file__).parent / "answers.json"
CALLERS = {"": (Role.READER, "stewards"), "omar": (Role.READER, "orders-engineering")}  # their roles, and their groups in the mesh
RULES = "version: 1\ndefault: own\ngrants: [{who: group:stewards, on: everything}]\n"


@pytest.fixture(scope="module")
def asks(example: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ask]]:
    """What answers the queries of each caller: a server with access rules."""
    folder = tmp_path_factory.mktemp("evaluation")
    store = f"sqlite:///{folder / 'mesh.db'}"
    run_successfully("store", "backup", folder / "mesh.db", "--store", example)
    (folder / "later.json").write_text(json.dumps(LATER), "utf-8")
    run_successfully("ingest", "openlineage", folder / "later.json", "--store", store)
    (folder / "access.yaml").write_text(RULES, "utf-8")
    secrets = {name: generate_token() for name in CALLERS}
    tokens = [
        {"name": name or "everything", "role": role, "groups": [group], "hash": hash_token(secrets[name])}
        for name, (role, group) in CALLERS.items()
    ]
    with ExitStack() as opened:
        given = {"store": store, "tokens": tokens, "access": folder / "access.yaml"}
        url = opened.enter_context(serve_application(lambda _url: given))
        patch = opened.enter_context(pytest.MonkeyPatch.context())
        asks = {}
        for name, secret in secrets.items():
            patch.setenv("MESHLINE_TOKEN", secret)
            asks[name] = opened.enter_context(open_ask(None, url))
        yield asks


def test_every_plan_reaches_the_answer_of_the_library(asks: dict[str, Ask]) -> None:
    kept = {one["question"]: one for one in json.loads(ANSWERS.read_text("utf-8"))}
    whole = Library(asks[""])
    costs = []
    found: list[dict[str, Any]] = []
    for question in QUESTIONS:
        agent = Agent(asks[question.caller])
        answer = question.plan(agent)
        assert answer == question.truth(Library(asks[question.caller], whole)), question
        costs.append((agent.calls, agent.bytes))
        found.append({"kind": question.kind, "question": question.text, "caller": question.caller, "answer": answer})
    assert found == list(kept.values()), json.dumps(found, indent=1)
    assert statistics.median(calls for calls, _ in costs) <= 2
    assert statistics.median(size for _, size in costs) <= 6_000


def test_the_set_has_questions_of_each_kind() -> None:
    assert len(QUESTIONS) >= 40
    kinds = Counter(question.kind for question in QUESTIONS)
    assert min(kinds[kind] for kind in ("fact", "walk", "count", "honesty")) >= 8
    assert sum(question.caller != "" for question in QUESTIONS) >= 4

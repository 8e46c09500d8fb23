"""What a caller sees of an asset that he may browse and not read, over HTTP: with real runs and checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.app.agents.asset_questions import describe_asset
from meshline.app.agents.tool_arguments import DescribeArguments
from meshline.app.tokens import Role
from tests.api.conftest import run_application
from tests.api.test_access import MESH, YAML, build_event
from tests.api.test_auth import SECRETS, TOKENS, build_authorization

RULES = """
version: 1
default: {browse: everything, read: nothing}
grants:
  - {who: token:the-reader, on: domain:sales}
"""
FACETS = {"_producer": "https://example.org", "_schemaURL": "https://example.org"}
WHOLE = {"assertion": "row_count", "success": False}
CHECK = {"dataQualityAssertions": {**FACETS, "assertions": [{"assertion": "not_null", "success": False, "column": "iban"}, WHOLE]}}
SCHEMA = {"schema": {**FACETS, "fields": [{"name": "iban", "type": "string"}]}}
QUERY = """{ datasets { nodes { name access description lastObserved described inferred location facts { attribute } owners { type }
    domain { name } columns { totalCount } schemas { totalCount } runs { totalCount } lastWritten { at } quality { name }
    quality_: qualityCounts { failed } writtenBy { name } readBy { name } consumers { purpose } contracts { name } aliases { name }
    identity { reasons { why } } } }
    jobs { nodes { name access reads { name access } lastRun { withheld inputs { name facets } } } }
    qualityFailures { totalCount } coverage { total { datasets } } }"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    rules = tmp_path_factory.mktemp("levels") / "access.yaml"
    rules.write_text(RULES, "utf-8")
    paid = build_event("pay", ["sales.raw"], "salaries.paid")
    paid["outputs"][0]["facets"] = SCHEMA
    bonus = build_event("bonus", ["sales.raw", "salaries.paid"], "sales.bonus")
    bonus["inputs"][1] |= {"inputFacets": CHECK, "facets": SCHEMA}
    with run_application(tokens=TOKENS, access=rules) as found:
        admin = build_authorization(SECRETS[Role.ADMIN])
        assert found.put("/api/v1/mesh", content=MESH, headers={**admin, **YAML}).status_code == 200
        for event in (paid, bonus):
            assert found.post("/api/v1/lineage", json=event, headers=admin).status_code < 300
        yield found


@pytest.fixture
def answers(client: TestClient) -> dict[Role, dict[str, Any]]:
    """The answers to `QUERY`, by the role of the caller."""
    return {role: ask(client, role, QUERY, {}) for role in (Role.ADMIN, Role.READER)}


def ask(client: TestClient, role: Role, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
    body = client.post("/graphql", json={"query": query, "variables": variables}, headers=build_authorization(SECRETS[role])).json()
    assert "errors" not in body, body["errors"]
    data: dict[str, Any] = body["data"]
    return data


def test_what_may_be_browsed(answers: dict[Role, dict[str, Any]]) -> None:
    every, some = answers[Role.ADMIN], answers[Role.READER]
    (known,) = (node for node in every["datasets"]["nodes"] if node["name"] == "salaries.paid")
    assert (known["columns"]["totalCount"], known["runs"]["totalCount"], known["quality_"]["failed"]) == (1, 1, 2)
    assert known["access"] == "READ_SQL"
    assert known["lastWritten"] is not None
    (found,) = (node for node in some["datasets"]["nodes"] if node["name"] == "salaries.paid")
    left_out = ("facts", "owners", "quality", "writtenBy", "consumers", "contracts", "aliases")
    assert found == {
        "name": "salaries.paid",
        "access": "BROWSE",
        "domain": {"name": "salaries"},
        "described": False,
        "inferred": False,
        **dict.fromkeys(("description", "lastObserved", "location", "lastWritten")),
        **{name: [] for name in left_out},
        **{name: {"totalCount": 0} for name in ("columns", "schemas", "runs")},
        "quality_": {"failed": 0},
        "readBy": [{"name": "bonus"}],  # which the caller may read
        "identity": {"reasons": []},
    }
    assert (every["qualityFailures"]["totalCount"], some["qualityFailures"]["totalCount"]) == (2, 0)
    assert (every["coverage"]["total"]["datasets"], some["coverage"]["total"]["datasets"]) == (3, 2)
    assert "iban" in str(every)
    assert "iban" not in str(some)


def test_a_run_that_reads_what_may_be_browsed(answers: dict[Role, dict[str, Any]]) -> None:
    (job,) = answers[Role.READER]["jobs"]["nodes"]
    assert (job["name"], job["access"]) == ("bonus", "READ")
    assert job["reads"] == [{"name": "salaries.paid", "access": "BROWSE"}, {"name": "sales.raw", "access": "READ_SQL"}]
    assert job["lastRun"]["withheld"]
    assert [(one["name"], one["facets"]) for one in job["lastRun"]["inputs"]] == [("salaries.paid", {}), ("sales.raw", {})]


def test_an_agent_learns_what_it_may_not_read(client: TestClient) -> None:
    """Nothing that is left out is stated as absent."""
    of = DescribeArguments(asset="wh/salaries.paid")
    some, every = (describe_asset(partial(ask, client, role), of) for role in (Role.READER, Role.ADMIN))
    assert some.sentence == '"wh/salaries.paid" is a dataset.'
    assert list(some.because) == [
        "You may see that it exists, and not what is in it (access rules): what is not here may be there. Ask its owners."
    ]
    assert some.facts == {
        "name": "wh/salaries.paid",
        "id": some.facts["id"],
        "kind": "dataset",
        "domain": "salaries",
        "readBy": ["air/bonus"],
    }
    assert every.sentence == '"wh/salaries.paid" is a dataset, columns: 1.'

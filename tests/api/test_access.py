"""Access rules of a server: which addresses and records a caller gets who may see only some assets, and mistakes in the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from meshline.api.app import ADDRESSES
from meshline.api.etags import ETags
from meshline.app.access_file import read_access_rules
from meshline.app.settings import load_settings
from meshline.app.tokens import Actor, Role, generate_token, hash_token
from meshline.errors import InvalidInput
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.graph.queries.visibility import Rights
from tests.api.conftest import run_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization, use_address

SALES, SALES_WRITER = generate_token(), generate_token()
RULES = """
version: 1
default: nothing
grants:
  - {who: group:sales, on: domain:sales}
  - {who: token:the-reader, on: everything}
restrict:
  - {on: "tag:nowhere", except: [token:the-reader]}
"""
MESH = """
version: 1
source: test
domains:
  - {name: sales, datasets: ["wh/sales.*"]}
  - {name: salaries, datasets: ["wh/salaries.*"]}
namespaces: {wh: wh}
"""
YAML = {"Content-Type": "application/yaml"}
AS_SALES = build_authorization(SALES)


def build_event(job: str, inputs: list[str], output: str) -> dict[str, Any]:
    def build_dataset(name: str) -> dict[str, Any]:
        return {"namespace": "wh", "name": name}

    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-01T00:00:00Z",
        "producer": "https://example.org",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": f"0198a000-0000-7000-8000-{abs(hash(job)) % 10**12:012}", "facets": {}},
        "job": {
            "namespace": "air",
            "name": job,
            "facets": {"sql": {"_producer": "https://example.org", "_schemaURL": "https://example.org", "query": f"SELECT FROM {inputs}"}},
        },
        "inputs": [build_dataset(name) for name in inputs],
        "outputs": [build_dataset(output)],
    }


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    rules = tmp_path_factory.mktemp("access") / "access.yaml"
    rules.write_text(RULES, "utf-8")
    tokens = [
        *TOKENS,
        {"name": "sally", "role": Role.READER, "hash": hash_token(SALES), "groups": ["sales"]},
        {"name": "sender", "role": Role.WRITER, "hash": hash_token(SALES_WRITER), "groups": ["sales"]},
    ]
    with run_application(tokens=tokens, access=rules) as found:
        writer = build_authorization(SECRETS[Role.ADMIN])
        assert found.put("/api/v1/mesh", content=MESH, headers={**writer, **YAML}).status_code == 200
        for event in (
            build_event("orders", ["sales.raw"], "sales.orders"),
            build_event("bonus", ["sales.orders", "salaries.paid"], "sales.bonus"),
            build_event("pay", ["sales.orders"], "salaries.paid"),
        ):
            assert found.post("/api/v1/lineage", json=event, headers=writer).status_code < 300
        yield found


def test_callers_learn_that_they_see_a_part(client: TestClient) -> None:
    query = "{ about { restricted } }"
    found = [ask(client, query, secret)["data"]["about"]["restricted"] for secret in (SALES, *(SECRETS[role] for role in Role))]
    assert found == [True, False, True, False]


def ask(client: TestClient, query: str, secret: str = SALES) -> dict[str, Any]:
    body: dict[str, Any] = client.post("/graphql", json={"query": query}, headers=build_authorization(secret)).json()
    return body


def test_every_other_address_is_refused(client: TestClient) -> None:
    """By whatever role: what is not marked as restricted answers with more than the caller may see."""
    refused = 0
    for address in ADDRESSES:
        for method in address.methods:
            status = use_address(client, address.path, method, build_authorization(SALES_WRITER))
            if address.role in (Role.READER, Role.WRITER) and not address.restricted:
                refused += 1
                assert status == 403, (method, address.path)
            elif address.role is not Role.ADMIN:
                assert status not in (401, 403), (method, address.path)
    assert refused > 10
    answer = client.put("/api/v1/mesh", headers=build_authorization(SALES_WRITER))
    assert answer.json()["error"] == {
        "code": "FORBIDDEN",
        "message": "this address answers only callers who may see every asset (access rules): ask /graphql",
        "path": "",
    }
    for role in (Role.READER, Role.ADMIN):  # a grant of everything, against which nothing is restricted; and the role
        assert client.get("/metrics", headers=build_authorization(SECRETS[role])).status_code == 200


def test_lists_have_what_the_caller_may_see(client: TestClient) -> None:
    query = "{ datasets { totalCount nodes { name } } domains { nodes { name } } jobs { nodes { name } } about { assets { kind count } } }"
    some, every = ask(client, query)["data"], ask(client, query, SECRETS[Role.ADMIN])["data"]
    assert [node["name"] for node in some["domains"]["nodes"]] == ["sales"]
    assert [node["name"] for node in some["datasets"]["nodes"]] == ["sales.bonus", "sales.orders", "sales.raw"]
    assert [node["name"] for node in some["jobs"]["nodes"]] == ["bonus", "orders"]
    assert {one["kind"]: one["count"] for one in some["about"]["assets"]}["DATASET"] == 3
    assert "salaries.paid" in [node["name"] for node in every["datasets"]["nodes"]]
    assert ask(client, query, SECRETS[Role.READER])["data"] == every


def test_impact_goes_through_what_is_hidden(client: TestClient) -> None:
    query = """{ resolve(name: "sales.orders") { id } impact(of: ["%s"]) { total assets { nodes { node { name } } }
        completeness { hidden { count domain { name } } } } }"""
    id_ = ask(client, '{ resolve(name: "sales.orders") { id } }')["data"]["resolve"]["id"]
    found = ask(client, query % id_)["data"]["impact"]
    assert sorted(node["node"]["name"] for node in found["assets"]["nodes"]) == ["bonus", "sales", "sales.bonus"]
    assert found["completeness"]["hidden"] == [{"count": 3, "domain": None}]  # the table, its domain and the job that fills it


def test_the_texts_and_runs_of_a_job_that_uses_a_hidden_table(client: TestClient) -> None:
    query = """{ jobs { nodes { name sql facts { attribute } reads { name } lastRun { withheld inputs { name } outputs { name } jobFacets
        error facets } } } datasets(filter: {text: "sales.orders"}) { nodes { runs(role: READS) { totalCount nodes { jobName } } } } }"""
    found = ask(client, query)["data"]
    bonus, orders = found["jobs"]["nodes"]
    assert (bonus["sql"], [name["name"] for name in bonus["reads"]]) == (None, ["sales.orders"])
    assert "salaries" not in str(found)
    assert bonus["lastRun"] == {
        "withheld": True,
        "inputs": [{"name": "sales.orders"}],
        "outputs": [{"name": "sales.bonus"}],
        "jobFacets": {},
        "facets": {},
        "error": None,
    }
    assert orders["sql"] == "SELECT FROM ['sales.raw']"
    assert (orders["lastRun"]["withheld"], list(orders["lastRun"]["jobFacets"])) == (False, ["sql"])
    assert found["datasets"]["nodes"][0]["runs"] == {"totalCount": 1, "nodes": [{"jobName": "bonus"}]}
    every = ask(client, query, SECRETS[Role.ADMIN])["data"]
    assert every["datasets"]["nodes"][0]["runs"]["totalCount"] == 2
    runs = ask(client, "{ jobs { nodes { name lastRun { id } } } }", SECRETS[Role.ADMIN])["data"]["jobs"]["nodes"]
    ids = {job["name"]: job["lastRun"]["id"] for job in runs if job["lastRun"]}
    known = {name: ask(client, f'{{ run(id: "{id_}") {{ jobName }} }}')["data"]["run"] for name, id_ in ids.items()}
    assert (known["orders"], known["pay"]) == ({"jobName": "orders"}, None)


def test_a_hidden_name_is_answered_as_one_that_nothing_has(client: TestClient) -> None:
    hidden = ask(client, '{ resolve(name: "wh/salaries.paid") { id } }', SECRETS[Role.ADMIN])["data"]["resolve"]["id"]
    for query in ('{ node(id: "%s") { id } }', '{ impact(of: ["%s"]) { total } }', '{ ownedBy(owner: "%s") { totalCount } }'):
        one = str(ask(client, query % hidden))
        assert one == str(ask(client, query % f"ds_{'0' * 32}")).replace(f"ds_{'0' * 32}", hidden)
    for name in ("wh/salaries.paid", "salaries.paid", "salaries", "salaries.pain"):
        (error,) = ask(client, f'{{ resolve(name: "{name}") {{ id }} }}')["errors"]
        assert (error["extensions"]["code"], error["message"].count("salar")) == ("NOT_FOUND", 1)
        found = ask(client, f'{{ search(text: "{name}") {{ nodes {{ name }} }} suggest(text: "{name}") {{ name }} }}')["data"]
        assert "salar" not in str(found)


def test_an_answer_of_the_cache_is_the_callers(client: TestClient) -> None:
    query = {"query": "{ datasets { totalCount } }"}
    answer = client.get("/graphql", params=query, headers=build_authorization(SECRETS[Role.READER]))
    other = client.get("/graphql", params=query, headers={**AS_SALES, "If-None-Match": answer.headers["etag"]})
    assert (other.status_code, other.json()["data"]) == (200, {"datasets": {"totalCount": 3}})


def test_an_etag_is_of_the_groups_of_a_caller() -> None:
    """The groups of one name may differ from one access token to the next."""
    etags = ETags()

    def build_etag(*groups: str) -> str:
        scope = {"type": "http", "path": "/graphql", "query_string": b"", "headers": []}
        request = Request({**scope, "state": {"actor": Actor("user ann", Role.READER, groups=groups)}})
        return etags.build(request, "application/json", 7)

    assert build_etag("sales") == build_etag("sales") != build_etag() != build_etag("sales", "stewards")


def test_a_selector_that_chooses_nothing_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = tmp_path / "access.yaml"
    rules.write_text(RULES, "utf-8")
    with run_application(tokens=TOKENS, access=rules):
        found = [record.getMessage() for record in caplog.records if record.name == "meshline.access"]
    assert found == [f"{rules}:5: domain:sales chooses nothing in the graph", f"{rules}:8: tag:nowhere chooses nothing in the graph"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\ndefault: {browse: everything}", ":2: give `read` with `browse` and `read_sql`: one includes the other"),
        ("version: 1\ngrants:\n- {who: everyone, on: 'tag:a', may: audit}", ":3: `audit` is granted on everything"),
        ("version: 1\ndefault: {ingest: own}", ":2: `ingest` is everything, nothing, not 'own'"),
        (
            "version: 1\ndefault: {write: own}",
            ":2: there is no key 'write' here; there are audit, browse, decide, ingest, read, read_sql, state, waive",
        ),
        ("version: 1\ndefault: {read: all}", ":2: `read` is everything, own, nothing, not 'all'"),
        (
            "version: 1\ngrants:\n- {who: everyone, on: everything, may: write}",
            ":3: `may` is browse, read, read_sql, ingest, state, waive, decide, audit, or a list of these, not 'write'",
        ),
        ("version: 1\ngrants:\n- {who: everyone, on: everything, may: []}", ":3: `may` is empty"),
        (
            "version: 1\ngrants:\n- {who: everyone, on: 'tag:a', may: [ingest]}",
            ":3: `ingest` is granted on everything or namespace:PATTERN",
        ),
        (
            "version: 1\nrestrict:\n- {on: everything, may: ingest}",
            ":3: `may` is browse, read, read_sql, state, decide, or a list of these, not 'ingest'",
        ),
        ("grants: []", ":1: `version` is 1"),
        ("version: 2", ":1: `version` is 1"),
        (
            "version: 1\ndefault: all",
            ":2: `default` is open, domains, closed, everything, own, nothing, or a mapping of actions to one of the last three, not 'all'",
        ),
        ("version: 1\ngrant: []", ":2: there is no key 'grant' here; there are default, grants, restrict, rules, version"),
        ("version: 1\ngrants: {}", ":2: `grants` is a list of at most 10000 entries"),
        ("version: 1\ngrants:\n- {on: everything}", ":3: an entry has `who` and `on`"),
        ("version: 1\nrestrict:\n- {except: everyone}", ":3: an entry has `on`"),
        ("version: 1\ngrants:\n- {who: [], on: everything}", ":3: `who` is empty"),
        ("version: 1\nrestrict:\n- {on: []}", ":3: `on` is empty"),
        (
            "version: 1\ngrants:\n- {who: sales, on: everything}",
            ":3: `who` names everyone, group:NAME, user:NAME, service:NAME or token:NAME, not 'sales'",
        ),
        ("version: 1\nrestrict:\n- {on: everything, who: everyone}", ":3: there is no key 'who' here; there are except, may, on"),
        ("version: 1\ngrants:\n- {who: everyone, on: 7}", ":3: `on` is a text or a list of texts"),
        *(
            (
                f'version: 1\ngrants:\n- {{who: everyone, on: "{on}"}}',
                ":3: `on` is everything, domain:NAME, product:NAME, tag:KEY, tag:KEY=VALUE, namespace:PATTERN or dataset:ID, not "
                + repr(on),
            )
            for on in ("sales", "domain:", "domain", "everything:", "everything:x", "owner:x", "")
        ),
        ("[1]", ":1: a mapping with default, grants, restrict, rules, version is expected here"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InvalidInput) as error:
        read_access_rules(path)
    assert str(error.value) == f"{path}{message}"
    with pytest.raises(InvalidInput), run_application(tokens=TOKENS, access=path):
        pass


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere.yaml: cannot be read \(No such file or directory\): it is the file of access rules"):
        read_access_rules(tmp_path / "nowhere.yaml")
    assert load_settings(access=tmp_path / "nowhere.yaml").access is not None


@pytest.mark.parametrize(
    ("text", "actor", "expected"),
    [
        ("version: 1", Actor("a", Role.READER), None),
        ("version: 1\ndefault: nothing", Actor("a", Role.ADMIN), None),
        ("version: 1\ndefault: own", Actor("a", Role.WRITER, groups=("g",)), ([], [], {"a", "g"})),
        ("version: 1\ndefault: nothing", Actor("a", Role.WRITER, groups=("g",)), ([], [], set())),
        ("version: 1\ndefault: own", Actor("user ann lee", Role.READER), ([], [], {"ann lee"})),
        *(
            (
                f"version: 1\ndefault: nothing\ngrants: [{{who: '{who}', on: 'tag:a'}}]",
                Actor(name, Role.READER),
                (["tag:a"] if fits else [], [], set()),
            )
            for who, name, fits in (
                ("user:ann", "user ann", True),
                ("service:ann", "user ann", False),
                ("token:ann", "user ann", False),
                ("token:user ann", "user ann", False),
                ("user:ann", "ann", False),
                ("token:ann", "ann", True),
            )
        ),
        ('version: 1\nrestrict: [{on: "tag:pii"}]', Actor("a", Role.READER), (["everything"], ["tag:pii"], {"a"})),
        ('version: 1\nrestrict: [{on: "tag:pii", except: "token:a"}]', Actor("a", Role.READER), None),
        ('version: 1\nrestrict: [{on: "tag:pii", except: "group:a"}]', Actor("a", Role.READER), (["everything"], ["tag:pii"], {"a"})),
        (
            'version: 1\ndefault: nothing\ngrants: [{who: "group:g", on: ["domain:x"]}, {who: everyone, on: "product:y"}]',
            Actor("a", Role.READER, groups=("g",)),
            (["domain:x", "product:y"], [], set()),
        ),
        (
            'version: 1\ndefault: nothing\ngrants: [{who: "token:g", on: "domain:x"}]',
            Actor("a", Role.READER, groups=("g",)),
            ([], [], set()),
        ),
    ],
)
def test_the_rights_of_a_caller(tmp_path: Path, text: str, actor: Actor, expected: tuple[list[str], list[str], set[str]] | None) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(text, "utf-8")

    def parse(texts: list[str]) -> frozenset[Selector]:
        return frozenset(Selector(SelectorKind(text.partition(":")[0]), text.partition(":")[2]) for text in texts)

    wanted = None if expected is None else Rights(parse(expected[0]), parse(expected[1]), frozenset(expected[2]))
    assert read_access_rules(path).find_rights(actor) == wanted

"""Access rules in Cedar: what a server does by them, mistakes in their files, and files and callers that would do harm."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.app import access_file, cedar_policies
from meshline.app.access_file import AccessFile, read_access_rules
from meshline.app.access_rules import AccessRules, Action, Default
from meshline.app.cedar_policies import ACTIONS, DEEPEST, LONGEST_POLICY, MOST_POLICIES, Caller, CedarPolicies, Rulings
from meshline.app.policy_choices import MOST_CHOICES
from meshline.app.tokens import Actor, Role, generate_token, hash_token
from meshline.errors import InvalidInput, MissingExtra
from meshline.graph.queries.visibility import Rights
from tests.api.conftest import run_application
from tests.api.test_access import MESH, YAML, build_event
from tests.api.test_access_actions import get_code
from tests.api.test_auth import SECRETS, TOKENS, build_authorization

DOCS = Path(__file__).parents[2] / "docs" / "access.md"
LIST = """
version: 1
default: {read: nothing, state: nothing}
grants:
  - {who: "token:olga", on: everything}
rules: [rules/*.cedar]
"""
POLICIES = """
// who may see what
permit(principal in Group::"sales", action in [Action::"browse", Action::"read", Action::"state"], resource in Domain::"sales");
forbid(principal, action, resource)
when { resource.tags.contains("closed") }
unless { principal in Group::"stewards" };
permit(principal, action == Action::"browse", resource is Domain);
"""
NAMES = {"sally": ["sales"], "olga": [], "sue": ["sales", "stewards"]}
PEOPLE = {name: generate_token() for name in NAMES}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.cedar").write_text(POLICIES, "utf-8")
    (tmp_path / "access.yaml").write_text(LIST, "utf-8")
    return tmp_path / "access.yaml"


@pytest.fixture
def client(rules: Path) -> Iterator[TestClient]:
    tokens = [{"name": name, "role": Role.WRITER, "hash": hash_token(secret), "groups": NAMES[name]} for name, secret in PEOPLE.items()]
    with run_application(tokens=[*TOKENS, *tokens], access=rules) as found:
        admin = build_authorization(SECRETS[Role.ADMIN])
        assert found.put("/api/v1/mesh", content=MESH, headers={**admin, **YAML}).status_code == 200
        for event in (build_event("orders", ["sales.raw"], "sales.orders"), build_event("pay", ["sales.orders"], "salaries.paid")):
            assert found.post("/api/v1/lineage", json=event, headers=admin).status_code < 300
        yield found


def ask(client: TestClient, query: str, who: str) -> dict[str, Any]:
    secret = SECRETS[Role.ADMIN] if who == "admin" else PEOPLE[who]
    body: dict[str, Any] = client.post("/graphql", json={"query": query}, headers=build_authorization(secret)).json()
    return body


def list_names(client: TestClient, who: str) -> dict[str, list[str]]:
    data = ask(client, "{ datasets { nodes { name } } domains { nodes { name } } jobs { nodes { name } } }", who)["data"]
    return {kind: sorted(node["name"] for node in found["nodes"]) for kind, found in data.items()}


def add_tag(client: TestClient, name: str, tag: str, who: str) -> dict[str, Any]:
    id_ = ask(client, f'{{ resolve(name: "{name}") {{ id }} }}', "admin")["data"]["resolve"]["id"]
    return ask(client, f'mutation {{ addTag(asset: "{id_}", tag: "{tag}") {{ statement }} }}', who)


def test_what_policies_permit_and_forbid(client: TestClient) -> None:
    sales = {"datasets": ["sales.orders", "sales.raw"], "domains": ["salaries", "sales"], "jobs": ["orders"]}
    assert list_names(client, "sally") == list_names(client, "sue") == sales
    assert list_names(client, "olga")["datasets"] == ["salaries.paid", "sales.orders", "sales.raw"]
    assert "errors" not in add_tag(client, "sales.raw", "closed", "admin")
    hidden = {"datasets": ["sales.orders"], "domains": ["salaries", "sales"], "jobs": ["orders"]}
    assert list_names(client, "sally") == hidden
    assert list_names(client, "sue") == sales
    assert list_names(client, "olga")["datasets"] == ["salaries.paid", "sales.orders"]  # the list grants her everything
    assert list_names(client, "admin")["datasets"] == ["salaries.paid", "sales.orders", "sales.raw"]
    assert get_code(ask(client, '{ resolve(name: "sales.raw") { id } }', "sally")) == "NOT_FOUND"


def test_statements_by_hand_are_judged_before_and_after(client: TestClient) -> None:
    assert "errors" not in add_tag(client, "sales.orders", "good", "sally")
    (error,) = add_tag(client, "sales.orders", "closed", "sally")["errors"]
    assert error["message"] == "'sally' may make no statements about 'wh/sales.orders' as it would be after this (access rules)"
    assert "errors" not in add_tag(client, "sales.orders", "closed", "sue")
    assert add_tag(client, "sales.orders", "x", "sally")["errors"][0]["message"].startswith("no asset has the id")
    assert get_code(add_tag(client, "salaries.paid", "x", "olga")) == "FORBIDDEN"  # may state nothing


def test_a_forbidden_statement_refuses_what_states_about_everything(rules: Path) -> None:
    """Where only the role decides who sends mesh files."""
    rules.write_text("version: 1\nrules: rules/a.cedar", "utf-8")
    (rules.parent / "rules" / "a.cedar").write_text(
        'forbid(principal == Token::"sally", action == Action::"state", resource) when { resource.tags.contains("frozen") };', "utf-8"
    )
    tokens = [{"name": name, "role": Role.WRITER, "hash": hash_token(secret)} for name, secret in PEOPLE.items()]
    with run_application(tokens=[*TOKENS, *tokens], access=rules) as client:
        for name, status in (("sally", 403), ("olga", 200)):
            answer = client.put("/api/v1/mesh", content=MESH, headers={**build_authorization(PEOPLE[name]), **YAML})
            assert answer.status_code == status, answer.text


def test_policies_are_read_again(client: TestClient, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_file, "LOOK_SECONDS", 0.0)
    admin = build_authorization(SECRETS[Role.ADMIN])
    file = rules.parent / "rules" / "a.cedar"

    def write(path: Path, text: str) -> None:
        path.with_suffix(".new").write_text(text, "utf-8")
        path.with_suffix(".new").replace(path)

    def count() -> int:
        return len(list_names(client, "sally")["datasets"])

    assert count() == 2
    write(file, 'permit(principal, action == Action::"read", resource);')
    assert count() == 3
    write(file, 'permit(principal, action == Action::"read", resource) when { resource.secret };')
    assert count() == 3
    (problem,) = client.get("/healthz", headers=admin).json()["problems"]
    assert problem.startswith(f"{file}:1: attribute `secret` on entity type `Dataset` not found (entities are of User, ")
    write(file, 'permit(principal, action == Action::"read", resource);\n')
    assert "problems" not in client.get("/healthz", headers=admin).json()
    write(rules.parent / "rules" / "b.cedar", "forbid(principal, action, resource);")
    assert list_names(client, "sally") == {"datasets": [], "domains": [], "jobs": []}
    write(rules, LIST.replace("rules/*.cedar", "others/*.cedar"))
    assert count() == 0
    (problem,) = client.get("/healthz", headers=admin).json()["problems"]
    assert problem == f"{rules}:6: `rules` names 'others/*.cedar', and there is no such file"
    (rules.parent / "others").mkdir()
    write(rules.parent / "others" / "c.cedar", 'permit(principal, action == Action::"read", resource);')
    assert count() == 3  # what was missing is there: the file of the list did not change


def test_a_policy_that_chooses_nothing_is_logged(rules: Path, caplog: pytest.LogCaptureFixture) -> None:
    with run_application(tokens=TOKENS, access=rules):
        found = [record.getMessage() for record in caplog.records if record.name == "meshline.access"]
    file = rules.parent / "rules" / "a.cedar"
    assert found == [f"{file}:3: domain:sales chooses nothing in the graph", f"{file}:4: tag:closed chooses nothing in the graph"]


MISTAKES = [
    ("permit(principal, action, resource)", ":1: a policy ends with `;`"),
    ("\n// x\npermit(principal, action);", ":3: this is no policy in Cedar: "),
    ('permit(principal, action == Action::"write", resource);', ':1: unrecognized action `Action::"write"` (entities are of User, '),
    ('permit(principal, action == Action::"ingest", resource);', ':1: unrecognized action `Action::"ingest"`'),
    ('permit(principal == Robot::"x", action, resource);', ":1: unrecognized entity type `Robot`"),
    ("permit(principal, action, resource) when { context.at };", ":1: attribute `at` in context"),
    ("permit(principal, action, resource) when { resource.owners.contains(principal) };", ":1: the types Owner and "),
    ("permit(principal == ?principal, action, resource);", ":1: a policy has no slots (`?principal`, `?resource`): name who and what"),
    ('permit(principal, action, resource == Domain::"x");', ":1: compare with `resource in Domain::...`: what applies to it"),
    ('permit(principal, action, resource in Domain::"");', ":1: a name is empty here"),
    ('permit(principal == User::"", action, resource);', ":1: a name is empty here"),
    ('permit(principal, action, resource) when { principal == Token::"" };', ":1: a name is empty here"),
    *(
        (f"permit(principal, action, resource) when {{ {asked} }};", ":1: of an asset, a policy asks `resource in` a Domain, ")
        for asked in (
            'resource.tags == ["pii"]',
            "resource.tags.isEmpty()",
            "principal == resource",
            '(if true then resource else resource) in Domain::"x"',
            '{"Value": resource}.Value in Domain::"x"',
            '["pii"].containsAll(resource.tags)',
            'Owner::"x" in resource.owners',
            'resource.tags.contains(if principal is User then "a" else "b")',
            'principal in Owner::"x"',
            '{"Var": resource.tags}.Var.contains("x")',
        )
    ),
    ('permit(principal in Owner::"x", action, resource);', ":1: of an asset, a policy asks"),
    ('permit(principal is User in Owner::"x", action, resource);', ":1: of an asset, a policy asks"),
    (
        "permit(principal, action, resource) when {"
        + " || ".join(f'resource in Domain::"d{number}"' for number in range(MOST_CHOICES + 1))
        + "};",
        f":1: a policy asks at most {MOST_CHOICES} questions of an asset, and this one {MOST_CHOICES + 1}: ",
    ),
    # What Cedar's parser crashes at, or Python's for JSON, or takes long for:
    ("permit(principal, action, resource) when {" + "(" * 100_000, f":1: a policy has at most {LONGEST_POLICY} characters, and {DEEPEST} "),
    ("permit(principal, action, resource) when {" + ")" * 70 + "(" * 70, f":1: a policy has at most {LONGEST_POLICY} characters, and "),
    ("permit(principal, action, resource) // '\"\r when {" + "[" * 70, f":1: a policy has at most {LONGEST_POLICY} characters, and "),
    ("permit(principal, action, resource) when {" + "true && " * 990 + "true};", ":1: the policy has too many parts: divide it"),
    ("permit(principal, action, resource) when {" + "!" * 1000 + "true};", ":1: this is no policy in Cedar: "),
    ("permit(principal, action, resource);" * (MOST_POLICIES + 1), f":1: there are at most {MOST_POLICIES} policies, not "),
    (
        ('permit(principal, action, resource) when {resource.tags.containsAll(["' + '", "'.join(map(str, range(MOST_CHOICES))) + '"])};')
        * 100,
        ": the policies ask so much of assets that more than ",
    ),
    ("/" * 2_000_000, ": the files of policies have at most 1048576 bytes together"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_in_policies(rules: Path, text: str, message: str) -> None:
    file = rules.parent / "rules" / "a.cedar"
    file.write_text(text, "utf-8", newline="")
    with pytest.raises(InvalidInput) as error:
        read_access_rules(rules)
    assert str(error.value).startswith(f"{file}{message}")


def test_files_that_are_no_policies(rules: Path) -> None:
    file = rules.parent / "rules" / "a.cedar"
    file.write_bytes(b"\xff")
    with pytest.raises(InvalidInput, match=r"a\.cedar: the file is not UTF-8"):
        read_access_rules(rules)
    file.unlink()
    with pytest.raises(InvalidInput, match=r"access.yaml:6: `rules` names 'rules/\*.cedar', and there is no such file"):
        read_access_rules(rules)
    rules.write_text("version: 1\nrules: a.txt", "utf-8")
    with pytest.raises(
        InvalidInput, match=r"access.yaml:2: `rules` are paths of files that end in .cedar, or patterns of these, not 'a.txt'"
    ):
        read_access_rules(rules)


def test_without_the_extra(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cedarpy", None)
    with pytest.raises(MissingExtra, match="a file of access rules with `rules` needs the extra 'access'"):
        AccessFile(rules)


def find_rights(policies: str, actor: Actor, action: Action = Action.READ) -> Rights | None:
    rules = AccessRules({Action.READ: Default.NOTHING}, (), (), policies=CedarPolicies({"a.cedar": policies}))
    return rules.find_rights(actor, action)


ANN = Actor("user ann", Role.READER, groups=("team",))
SEE = "permit(principal, action, resource);"


@pytest.mark.parametrize(
    ("policies", "sees"),
    [
        (SEE, True),
        ('permit(principal == User::"ann", action, resource);', True),
        ('permit(principal == Token::"ann", action, resource);', False),
        ('permit(principal in Group::"team", action == Action::"read_sql", resource);', True),
        ('permit(principal in Group::"team", action == Action::"browse", resource);', False),
        (SEE + 'forbid(principal in Group::"others", action, resource);', True),
        (SEE + 'forbid(principal, action == Action::"browse", resource);', False),
        (SEE + 'forbid(principal, action == Action::"read_sql", resource);', True),
        (SEE + "forbid(principal, action, resource) when { 9223372036854775807 + 1 > 0 };", False),  # cannot be evaluated
        (SEE.replace(";", " when { 9223372036854775807 + 1 > 0 };"), False),
    ],
)
def test_who_may_read_everything(policies: str, *, sees: bool) -> None:
    rights = find_rights(policies, ANN)
    assert (rights is None) is sees
    assert find_rights(policies, Actor("root", Role.ADMIN)) is None


def test_a_policy_that_cannot_be_evaluated_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    rules = CedarPolicies({"a.cedar": "\nforbid(principal, action, resource) when { 9223372036854775807 + 1 > 0 };"})
    for name in ("ann", "bob"):
        (found,) = rules.find_rulings(Caller("user", name, frozenset()), ("read",), frozenset(["read"])).forbids
        assert found.chosen == b"\1"
    (record,) = caplog.records
    assert record.getMessage().startswith("a.cedar:2: the policy cannot be evaluated for some callers or assets, and it forbids then: ")


def test_an_agent_has_what_both_have() -> None:
    both = Actor("user ann by service bot", Role.READER, parties=(ANN, Actor("service bot", Role.READER)))
    assert find_rights(SEE, both) is None
    assert find_rights(SEE + 'forbid(principal == Service::"bot", action, resource);', both) is not None
    assert find_rights("permit(principal is User, action, resource);", both) is not None


@pytest.mark.parametrize("name", ["", " ", "\ud800", "a\x00b", "\u202e\n", 'x" || true || "', "*", "ann\\", "人" * 1000])
def test_names_of_callers_are_data(name: str) -> None:
    """Whatever a token has for a name or group: it is that, or nothing."""
    policies = CedarPolicies({"a.cedar": 'permit(principal == User::"ann", action, resource) unless { principal in Group::"x" };'})
    for caller in (Caller("user", name, frozenset()), Caller("user", "bob", frozenset([name])), Caller("service", name, frozenset([name]))):
        assert policies.find_rulings(caller, ACTIONS, frozenset(ACTIONS)) == Rulings()
    owned = CedarPolicies({"a.cedar": "permit(principal, action, resource) when { principal in resource.owners };"})
    assert len(owned.find_rulings(Caller("user", name, frozenset([name])), ("read",), frozenset()).permits) == 1


def test_names_in_policies_are_data(rules: Path) -> None:
    (rules.parent / "rules" / "a.cedar").write_text(
        'permit(principal in Group::"a\\"b; // c", action, resource in Domain::"x\\u{202e}\\n;") /* is no comment of Cedar */;', "utf-8"
    )
    with pytest.raises(InvalidInput):
        read_access_rules(rules)
    (rules.parent / "rules" / "a.cedar").write_text(
        'permit(principal in Group::"a\\"b; // c", action, resource in Domain::"x\\u{202e}\\n;"); // "\n'
        'forbid(principal, action, resource in Domain::"*");',
        "utf-8",
    )
    found = list(read_access_rules(rules).iterate_selectors())
    file = rules.parent / "rules" / "a.cedar"
    assert [(selector.name, place) for selector, place in found if place != f"{rules}:5"] == [
        ("x\u202e\n;", f"{file}:1"),
        ("*", f"{file}:2"),
    ]


def test_what_is_decided_is_kept_for_a_limited_number_of_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cedar_policies, "MOST_CALLERS", 2)
    policies = CedarPolicies({"a.cedar": SEE})
    for number in range(50):
        policies.find_rulings(Caller("user", str(number), frozenset()), ACTIONS, frozenset(ACTIONS))
    assert len(policies._known) == len(policies._joined) == 2 * len(ACTIONS)
    known = policies.find_rulings(Caller("user", "49", frozenset()), ACTIONS, frozenset(ACTIONS))
    assert policies.find_rulings(Caller("user", "49", frozenset()), ACTIONS, frozenset(ACTIONS)) is known


def test_the_policies_of_the_docs() -> None:
    blocks = re.findall(r"```cedar\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        assert list(CedarPolicies({"docs.cedar": block}).iterate_selectors())


def test_policies_of_a_thousand() -> None:
    """As many as are accepted: each counts."""
    text = "".join(f'permit(principal, action, resource in Domain::"d{number}");\n' for number in range(MOST_POLICIES - 1)) + SEE
    assert find_rights(text, ANN) is None
    rights = find_rights(text.removesuffix(SEE), ANN)
    assert rights is not None
    assert len(rights.permits) == MOST_POLICIES - 1

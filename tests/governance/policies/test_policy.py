"""Policies in files: what is accepted, what is refused and where, and how a user's policies change those of the product."""

from __future__ import annotations

import pytest

from meshline.app.policy_service import combine_policies
from meshline.errors import InvalidInput
from meshline.governance.policies.policy import Expression, Policy, PolicyFile, Severity
from meshline.graph.model import Json
from meshline.ingest.documents import parse_yaml

MINE: dict[str, Json] = {
    "id": "mine",
    "kind": "product",
    "require": "size(owners) > 0",
    "severity": "error",
    "message": "{name} has no owner",
}


def parse_policies(*values: Json) -> dict[str, Policy]:
    given = [PolicyFile(value, lambda path, n=n: f"{n}.yaml:{'.'.join(map(str, path))}") for n, value in enumerate(values)]  # type: ignore[misc]
    return {policy.id: policy for policy in combine_policies(given)}


def test_a_users_policy_is_added_to_those_of_the_product() -> None:
    known = parse_policies(MINE)
    assert len(known) == len(parse_policies()) + 1
    assert (known["mine"].severity, known["mine"].own, known["slo-minimum"].own) == (Severity.ERROR, True, False)


def test_a_bundled_policy_is_overridden_parameter_by_parameter() -> None:
    changed = parse_policies({"id": "slo-minimum", "parameters": {"freshness_seconds": 60}, "severity": "error"})["slo-minimum"]
    assert changed.parameters == {**parse_policies()["slo-minimum"].parameters, "freshness_seconds": 60}
    assert (changed.severity, changed.own) == (Severity.ERROR, True)
    assert changed.message.text == parse_policies()["slo-minimum"].message.text


def test_a_policy_is_switched_off_with_a_reason() -> None:
    assert parse_policies({"id": "finance-only", "off": "revenue is public"})["finance-only"].off == "revenue is public"
    with pytest.raises(InvalidInput, match="off"):
        parse_policies({"id": "finance-only", "off": ""})


def test_a_file_may_contain_several_policies() -> None:
    assert {"mine", "other"} <= parse_policies({"policies": [MINE, {**MINE, "id": "other"}]}).keys()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "0.yaml:: "),
        ({**MINE, "id": "No"}, "0.yaml:id: id: "),
        ({**MINE, "kind": "unknown"}, "0.yaml:kind: kind: "),
        ({**MINE, "severity": "bad"}, "0.yaml:severity: severity: "),
        ({**MINE, "extra": 1}, "extra: unknown key; accepted: id, title, kind"),
        ({"id": "mine"}, "kind is missing; the policy 'mine' is none of the pack"),
        ({**MINE, "require": "size(owner) > 0"}, "0.yaml:require: mine: require: owner is no field here; accepted are "),
        ({**MINE, "require": "size(owners"}, "0.yaml:require: mine: require: this is not CEL: "),
        ({**MINE, "when": "x" * 2001}, "0.yaml:when: "),
        ({**MINE, "require": "parameters.least > 1"}, "0.yaml:require: mine: require: there is no parameter 'least'"),
        ({**MINE, "message": "{unknown}"}, "0.yaml:message: mine: message: {unknown} is no field here"),
        (
            {**MINE, "parameters": {"least": 1}},
            "0.yaml:parameters.least: mine: nothing in the policy reads the parameter 'least'; it has none",
        ),
        (
            {"id": "slo-minimum", "parameters": {"freshness_secs": 1}},
            "nothing in the policy reads the parameter 'freshness_secs'; accepted: accuracy, ",
        ),
        ({**MINE, "parameters": {"no name": 1}}, "0.yaml:parameters: parameters: 'no name' is no name"),
        ({"policies": [MINE], "id": "x"}, "a file contains one policy, or the key `policies`"),
        ({"policies": [MINE, MINE]}, "0.yaml:policies.1.id: the policy 'mine' is defined twice"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(value: Json, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_policies(value)
    assert message in str(refused.value)


def test_the_place_is_the_line_of_a_file() -> None:
    read = parse_yaml(b'id: mine\nkind: product\nrequire: size(owner) > 0\nseverity: error\nmessage: "{name}"\n', "mine.yaml")
    with pytest.raises(InvalidInput, match=r"mine\.yaml:3: mine: require: owner"):
        combine_policies([PolicyFile(read.value, read.format_place)])


@pytest.mark.parametrize(
    ("source", "fields", "message"),
    [
        ("slo.freshness.seconds > 1.0", {"slo": {}}, "there is no 'freshness'"),
        ("slo > 1", {"slo": "x"}, "cannot be evaluated"),
        ("slo", {"slo": "x"}, "it gives 'x'; accepted is true or false"),
        ('slo.matches("(")', {"slo": "x"}, "cannot be evaluated"),
    ],
)
def test_what_cannot_be_evaluated_names_the_policy_and_the_field(source: str, fields: dict[str, Json], message: str) -> None:
    expression = Expression(source, ("slo",), "mine: require", "mine.yaml:3")
    with pytest.raises(InvalidInput, match=r"mine\.yaml:3: mine: require: ") as refused:
        expression.is_true(fields)
    assert message in str(refused.value)


@pytest.mark.parametrize("source", ["now() > 1", "slo.exists(a, slo.exists(b, slo.exists(c, slo.exists(d, a == d))))"])
def test_there_is_no_clock_and_no_endless_work(source: str) -> None:
    with pytest.raises(InvalidInput):
        Expression(source, ("slo",), "mine: require").is_true({"slo": ["x"]})

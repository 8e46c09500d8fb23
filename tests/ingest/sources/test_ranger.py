"""Policies of Apache Ranger, written by hand after the documented JSON of its REST API (RangerPolicy)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.content import decode_facts
from meshline.graph.model import AssetKind, EdgeType, build_dataset_key
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Entry, KnownColumn, Refusal
from meshline.ingest.sources.ranger.source import Ranger

HIVE = "hive://hms:10000"
TABLES: Mapping[str, Sequence[str]] = {
    "shop.orders": ("id", "email", "total"),
    "shop.customers": ("id", "iban"),
    "hr.salaries": ("id", "pay"),
}

Rights = dict[str, dict[str, set[str]]]  # table -> principal -> columns; '*' for all


def build_policy(resources: Mapping[str, str | Sequence[str]], **others: Any) -> dict[str, Any]:
    return {
        "service": "hive_prod",
        "serviceType": "hive",
        "policyType": 0,
        "isEnabled": True,
        "isAuditEnabled": True,
        "name": f"policy of {' '.join(map(str, resources.values()))}",
        "resources": {
            level: {"values": [values] if isinstance(values, str) else list(values), "isExcludes": False, "isRecursive": False}
            for level, values in resources.items()
        },
        **others,
    }


def allow(*principals: str, access: str = "select", **others: Any) -> dict[str, Any]:
    """An item for `user:ann`, `group:x`, `role:y`."""
    named: dict[str, list[str]] = {"users": [], "groups": [], "roles": []}
    for principal in principals:
        kind, _, name = principal.partition(":")
        named[f"{kind}s"].append(name)
    return {"accesses": [{"type": access, "isAllowed": True}], **named, "conditions": [], "delegateAdmin": False, **others}


class RangerReading:
    def __init__(self, folder: Path, policies: object, tables: Mapping[str, Sequence[str]] = TABLES, **keys: str) -> None:
        (folder / "policies.json").write_text(policies if isinstance(policies, str) else json.dumps(policies))
        known = {build_dataset_key(HIVE, name): columns for name, columns in tables.items()}
        context = Context(
            Naming(),
            folder,
            aliases={"wh": HIVE},
            columns_of=lambda key: [KnownColumn(name, "") for name in known[key]],
            datasets_in=lambda namespace: list(known) if namespace == HIVE else [],
        )
        reading = Ranger.model_validate({"files": ["policies.json"], "namespace": "wh", **keys}).read(context)
        found = list(reading.items)
        self.refused = [str(one.error) for one in found if isinstance(one, Refusal)]
        self.warnings = list(reading.warnings)
        self.rights: Rights = {}
        self.about: dict[tuple[str, str], dict[str, object]] = {}
        for entry in found:
            if isinstance(entry, Entry):
                assert entry.scope[0] == "may-read"
                for edge in decode_facts(entry.content.blob).edges:
                    assert edge.type is EdgeType.MAY_READ
                    column = edge.end.name if edge.end.kind is AssetKind.COLUMN else "*"
                    self.rights.setdefault(edge.end.parts[1], {}).setdefault(edge.start.name, set()).add(column)
                    self.about[edge.start.name, f"{edge.end.parts[1]}:{column}"] = dict(edge.attributes)


def read_rights(folder: Path, *policies: dict[str, Any]) -> Rights:
    reading = RangerReading(folder, {"policies": list(policies)})
    assert reading.refused == []
    return reading.rights


def test_tables_columns_and_patterns(tmp_path: Path) -> None:
    rights = read_rights(
        tmp_path,
        build_policy({"database": "shop", "table": "*", "column": "*"}, policyItems=[allow("group:analysts")]),
        build_policy({"database": "SHOP", "table": "order?", "column": ["id", "tot*"]}, policyItems=[allow("user:ann", "role:etl")]),
        build_policy({"database": "shop", "table": "customers"}, policyItems=[allow("user:bob", access="all")]),
        build_policy({"database": "*", "table": "*", "column": "*"}, policyItems=[allow("user:admin", access="drop")]),
        build_policy({"url": "s3://x"}, policyItems=[allow("user:eve", access="read")]),
        build_policy({"database": "shop"}, policyItems=[allow("user:eve", access="all")]),
        build_policy({"database": "shop", "udf": "*"}, policyItems=[allow("user:eve", access="all")]),
    )
    assert rights == {
        "shop.orders": {"group:analysts": {"*"}, "user:ann": {"id", "total"}, "role:etl": {"id", "total"}},
        "shop.customers": {"group:analysts": {"*"}, "user:bob": {"*"}},
    }


def test_excluded_values(tmp_path: Path) -> None:
    policy = build_policy({"database": "shop", "table": "*", "column": ["iban", "email"]}, policyItems=[allow("user:ann")])
    policy["resources"]["column"]["isExcludes"] = True
    other = build_policy({"database": "shop", "table": "*", "column": "*"}, policyItems=[allow("user:bob")])
    other["resources"]["database"]["isExcludes"] = True
    assert read_rights(tmp_path, policy, other) == {
        "shop.orders": {"user:ann": {"id", "total"}},
        "shop.customers": {"user:ann": {"id"}},
        "hr.salaries": {"user:bob": {"*"}},
    }


def test_denials_and_exceptions(tmp_path: Path) -> None:
    of_all = build_policy(
        {"database": "shop", "table": "*", "column": "*"},
        policyItems=[allow("group:analysts", "user:ann", "user:bob")],
        allowExceptions=[allow("user:bob")],
    )
    denied = build_policy(
        {"database": "shop", "table": "customers", "column": "iban"},
        denyPolicyItems=[allow("group:public")],
        denyExceptions=[allow("group:public")],
    )
    assert read_rights(tmp_path, of_all, denied)["shop.customers"] == {"group:analysts": {"*"}, "user:ann": {"*"}}
    denied["denyExceptions"] = []
    assert read_rights(tmp_path, of_all, denied) == {
        "shop.orders": {"group:analysts": {"*"}, "user:ann": {"*"}},
        "shop.customers": {"group:analysts": {"id"}, "user:ann": {"id"}},
    }, "who is denied one column may not read the whole table"
    denied["denyPolicyItems"] = [allow("user:ann")]
    assert read_rights(tmp_path, of_all, denied)["shop.customers"] == {"group:analysts": {"*"}, "user:ann": {"id"}}


def test_policies_that_override_and_those_that_deny_all_others(tmp_path: Path) -> None:
    at = {"database": "shop", "table": "customers", "column": "*"}
    usual = build_policy(at, policyItems=[allow("user:ann", "user:bob")], denyPolicyItems=[allow("user:eve")])
    override = build_policy(at, policyPriority=1, policyItems=[allow("user:eve")], denyPolicyItems=[allow("user:bob")])
    assert read_rights(tmp_path, usual, override)["shop.customers"] == {"user:ann": {"*"}, "user:eve": {"*"}}
    reserved = build_policy({**at, "column": "iban"}, isDenyAllElse=True, policyItems=[allow("user:bob")])
    assert read_rights(tmp_path, usual, reserved)["shop.customers"] == {"user:ann": {"id"}, "user:bob": {"*"}}


def test_masks_and_row_filters(tmp_path: Path) -> None:
    at = {"database": "shop", "table": "customers", "column": "*"}
    mask: dict[str, Any] = {"dataMaskInfo": {"dataMaskType": "MASK_HASH"}}
    plain: dict[str, Any] = {"dataMaskInfo": {"dataMaskType": "MASK_NONE"}}
    reading = RangerReading(
        tmp_path,
        [
            build_policy(at, policyItems=[allow("group:analysts", "user:ann")]),
            build_policy(
                {**at, "column": "iban"},
                policyType=1,
                dataMaskPolicyItems=[allow("user:ann", **plain), allow("group:analysts", "user:ann", **mask)],
            ),
            build_policy(
                {"database": "shop", "table": "customers"},
                policyType=2,
                rowFilterPolicyItems=[allow("group:analysts", rowFilterInfo={"filterExpr": "country = 'DE'"})],
            ),
        ],
    )
    assert reading.rights["shop.customers"] == {"group:analysts": {"*", "iban"}, "user:ann": {"*"}}
    policy = "policy of shop customers *"
    assert reading.about["group:analysts", "shop.customers:*"] == {"policy": policy, "row_filter": True}
    assert reading.about["group:analysts", "shop.customers:iban"] == {
        "policy": policy,
        "row_filter": True,
        "masked": True,
        "mask": "MASK_HASH",
    }
    assert reading.about["user:ann", "shop.customers:*"] == {"policy": policy}, "the first mask decides, and it is none"


def test_policies_that_are_not_in_force(tmp_path: Path) -> None:
    at = {"database": "shop", "table": "orders", "column": "*"}
    rights = read_rights(
        tmp_path,
        build_policy(at, isEnabled=False, policyItems=[allow("user:off")]),
        build_policy(
            at, validitySchedules=[{"startTime": "2020/01/01 00:00:00", "endTime": "2021/01/01 00:00:00"}], policyItems=[allow("user:old")]
        ),
        build_policy(at, validitySchedules=[{"startTime": "2020/01/01 00:00:00", "endTime": None}], policyItems=[allow("user:now")]),
        build_policy(at, policyItems=[{**allow("user:no"), "accesses": [{"type": "select", "isAllowed": False}]}]),
    )
    assert rights == {"shop.orders": {"user:now": {"*"}}}


def test_more_resources_and_services_of_trino(tmp_path: Path) -> None:
    policy = build_policy({"catalog": "lake", "schema": "shop", "table": "orders", "column": "*"}, policyItems=[allow("user:ann")])
    policy |= {
        "serviceType": "",
        "additionalResources": [{"catalog": {"values": ["lake"]}, "schema": {"values": ["hr"]}, "table": {"values": ["*"]}}],
    }
    tables = {"lake.shop.orders": ("id",), "lake.hr.pay": ("id",), "shop.orders": ("id",), "other.shop.orders": ("id",)}
    reading = RangerReading(tmp_path, {"serviceName": "trino", "policies": [{**policy, "service": ""}]}, tables)
    assert reading.rights == {"lake.shop.orders": {"user:ann": {"*"}}, "lake.hr.pay": {"user:ann": {"*"}}}


def test_what_is_not_evaluated_is_a_warning(tmp_path: Path) -> None:
    at = {"database": "shop", "table": "orders", "column": "*"}
    condition = [{"type": "ip-range", "values": ["10.*"]}]
    reading = RangerReading(
        tmp_path,
        [
            build_policy(
                at,
                name="by address",
                policyItems=[allow("user:ann", conditions=condition), allow("user:{USER}")],
                denyPolicyItems=[allow("user:ann", conditions=condition)],
            )
        ],
    )
    assert reading.rights == {"shop.orders": {"user:ann": {"*"}, "user:{USER}": {"*"}}}
    assert reading.warnings == [
        "conditions are not evaluated: what they allow counts as allowed, what they deny does not count: by address",
        "{USER} and {OWNER} are shown as they are: by address",
    ]


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ([], "files: found no policy; accepted are exported policies of Ranger"),
        ("{", "policies.json: these are no exported policies of Ranger: "),
        (
            {"policies": [{"name": 1}]},
            "policies.json: these are no exported policies of Ranger: Expected `str`, got `int` - at `$.policies[0].name`",
        ),
        ({"x": 1}, "policies.json: these are no exported policies of Ranger: Object missing required field `policies`"),
        (
            [build_policy({"database": "a", "table": "b"}), build_policy({"database": "a", "table": "b"}, service="other")],
            "service: found policies of hive_prod, other; choose one service",
        ),
        ([build_policy({"path": "/x"}, serviceType="hdfs")], "service: the service is of type hdfs; accepted: hive, trino, presto"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, policies: object, message: str) -> None:
    reading = RangerReading(tmp_path, policies)
    assert [one.startswith(message) for one in reading.refused] == [True], reading.refused
    assert reading.rights == {}


def test_one_service_of_several(tmp_path: Path) -> None:
    at = {"database": "shop", "table": "orders"}
    policies = [build_policy(at, policyItems=[allow("user:a")]), build_policy(at, service="dev", policyItems=[allow("user:b")])]
    assert RangerReading(tmp_path, policies, service="dev").rights == {"shop.orders": {"user:b": {"*"}}}

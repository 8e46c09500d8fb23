"""Small meshes, policies in Cedar and callers of any kind; and what Cedar itself decides about each asset, asked one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import cedarpy
from hypothesis import strategies as st

from meshline.graph.index import LineageIndex
from meshline.graph.model import (
    AssetKey,
    EdgeType,
    Json,
    Statement,
    build_column_key,
    build_contract_key,
    build_data_product_key,
    build_dataset_key,
    build_domain_key,
    build_owner_key,
)
from tests.queries import mesh

STRANGE = "Ü' \\\" */ 人"
DOMAINS = ("sales", "eu", STRANGE)
PRODUCTS = ("orders", STRANGE)
NAMESPACES = ("lake", "wh")
TAGS = ("pii", "pii=high", STRANGE)
OWNERS = ("ann", "team", STRANGE)
DATASETS = [build_dataset_key(namespace, f"t.{number}") for number, namespace in enumerate((*NAMESPACES, "wh"))]
COLUMNS = [build_column_key(dataset, "a") for dataset in DATASETS]
CONTAINERS = [*map(build_domain_key, DOMAINS), *map(build_data_product_key, PRODUCTS)]
ASSETS = [*DATASETS, *COLUMNS, *CONTAINERS]
EVERYONE = "permit(principal, action, resource);"


class Mesh(NamedTuple):
    """What belongs to what, by numbers, and what has which tags and owners."""

    parts: dict[int, int]  # domain to domain
    placed: dict[int, int]  # product to domain
    ports: dict[int, int]  # dataset to product
    members: dict[int, int]  # dataset to domain
    tags: dict[int, list[str]]  # by asset
    owners: dict[int, list[str]]  # by asset
    governed: dict[int, str]  # dataset to the owner of its contract

    def list_statements(self) -> Iterator[Statement]:
        for table in DATASETS:
            yield mesh.build_schema_statement(table, "a")
        for key in CONTAINERS:
            yield mesh.build_asset_statement(key, title="x")
        for part, whole in self.parts.items():
            yield mesh.build_edge_statement(EdgeType.PART_OF, build_domain_key(DOMAINS[part]), build_domain_key(DOMAINS[whole]))
        for product, domain in self.placed.items():
            yield mesh.build_edge_statement(EdgeType.PART_OF, build_data_product_key(PRODUCTS[product]), build_domain_key(DOMAINS[domain]))
        for dataset, product in self.ports.items():
            key = build_data_product_key(PRODUCTS[product])
            yield mesh.build_edge_statement(EdgeType.PORT, key, DATASETS[dataset], direction="output", name="out")
        for dataset, domain in self.members.items():
            members: Json = ["/".join(DATASETS[dataset].parts)]
            yield mesh.build_asset_statement(build_domain_key(DOMAINS[domain]), source=f"mesh/{dataset}", members=members)
        for asset, tags in self.tags.items():
            yield mesh.build_asset_statement(ASSETS[asset], source="mesh/tags", tags=list[Json](tags))
        for asset, owners in self.owners.items():
            for owner in owners:
                yield mesh.build_edge_statement(EdgeType.OWNS, build_owner_key(owner), ASSETS[asset])
        for dataset, owner in self.governed.items():
            contract = build_contract_key(f"c{dataset}")
            yield mesh.build_edge_statement(EdgeType.GOVERNS, contract, DATASETS[dataset], status="active")
            yield mesh.build_edge_statement(EdgeType.OWNS, build_owner_key(owner), contract)


def draw_meshes() -> st.SearchStrategy[Mesh]:
    domain, dataset, product = (st.integers(0, len(of) - 1) for of in (DOMAINS, DATASETS, PRODUCTS))
    asset = st.integers(0, len(ASSETS) - 1)
    return st.builds(
        Mesh,
        st.dictionaries(domain, domain, max_size=3),
        st.dictionaries(product, domain, max_size=2),
        st.dictionaries(dataset, product, max_size=2),
        st.dictionaries(dataset, domain, max_size=2),
        st.dictionaries(asset, st.lists(st.sampled_from(TAGS), min_size=1, max_size=2, unique=True), min_size=2, max_size=6),
        st.dictionaries(asset, st.lists(st.sampled_from(OWNERS), min_size=1, max_size=2, unique=True), min_size=2, max_size=5),
        st.dictionaries(dataset, st.sampled_from(OWNERS), max_size=1),
    )


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _name(type_: str, names: tuple[str, ...]) -> list[str]:
    return [f"{type_}::{quote(name)}" for name in names]


_IN = [
    *_name("Domain", DOMAINS),
    *_name("Product", PRODUCTS),
    *_name("Namespace", (*NAMESPACES, "*a*")),
    f"Dataset::{quote(DATASETS[0].id)}",
]
_ASKED = [
    *(f"resource in {one}" for one in _IN),
    f"resource in [{', '.join(_name('Domain', DOMAINS[:2]))}]",
    *(f"resource == Dataset::{quote(one.id)}" for one in DATASETS[:2]),
    f"Dataset::{quote(DATASETS[1].id)} != resource",
    *(f"resource is {one}" for one in ("Dataset", "Product", "Domain", f"Dataset in Domain::{quote(DOMAINS[0])}")),
    *(f"resource.tags.contains({quote(one)})" for one in TAGS),
    f"resource.tags.containsAny([{', '.join(map(quote, TAGS[:2]))}])",
    f"resource.tags.containsAll([{', '.join(map(quote, TAGS[1:]))}])",
    *(f"resource.owners.contains({one})" for one in _name("Owner", OWNERS)),
    f"resource.owners.containsAny([{', '.join(_name('Owner', OWNERS[:2]))}])",
    "principal in resource.owners",
    "principal is User",
    'principal in [Group::"team", Group::"stewards"]',
    'action == Action::"read"',
    '[1, 2].contains(3) || "a" like "a*"',
]
_PRINCIPALS = [
    "principal",
    'principal == User::"ann"',
    'principal in Group::"team"',
    "principal is Token",
    f"principal in Group::{quote(STRANGE)}",
]
_ACTIONS = ["action", 'action == Action::"read"', 'action in [Action::"browse", Action::"state"]', 'action == Action::"read_sql"']
_RESOURCES = [
    "resource",
    *(f"resource in {one}" for one in _IN[:4]),
    f"resource == Dataset::{quote(DATASETS[2].id)}",
    "resource is Dataset",
    f"resource is Dataset in Product::{quote(PRODUCTS[0])}",
]


def draw_conditions() -> st.SearchStrategy[str]:
    def join(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("({} && {})".format, parts, parts),
            st.builds("({} || {})".format, parts, parts),
            st.builds("!({})".format, parts),
            st.builds("(if {} then {} else {})".format, parts, parts, parts),
        )

    return st.recursive(st.sampled_from(_ASKED).map("({})".format), join, max_leaves=4)


def draw_policies(most: int = 4) -> st.SearchStrategy[list[str]]:
    clause = st.builds("{} {{ {} }}".format, st.sampled_from(["when", "unless"]), draw_conditions())
    policy = st.builds(
        "{}({}, {}, {}) {};".format,
        st.sampled_from(["permit", "permit", "forbid"]),
        *map(st.sampled_from, (_PRINCIPALS, _ACTIONS, _RESOURCES)),
        st.one_of(st.just(""), clause),
    )
    return st.lists(policy, min_size=1, max_size=most)


class Caller(NamedTuple):
    type: str  # as Cedar names it
    name: str
    groups: tuple[str, ...]

    @property
    def actor_name(self) -> str:
        return self.name if self.type == "Token" else f"{self.type.lower()} {self.name}"


def draw_callers() -> st.SearchStrategy[Caller]:
    groups = st.lists(st.sampled_from(["team", "stewards", STRANGE]), max_size=2, unique=True).map(tuple)
    return st.builds(Caller, st.sampled_from(["User", "Service", "Token"]), st.sampled_from(["ann", "bot"]), groups)


class Described(NamedTuple):
    """An asset as rules see it: with the names of itself and of all that it is in, and the tags and owners of all these."""

    type: str
    id: str
    domains: frozenset[str]
    products: frozenset[str]
    namespaces: frozenset[str]
    tags: frozenset[str]
    owners: frozenset[str]

    def has_tag(self, name: str) -> bool:
        return any(tag == name or tag.startswith(f"{name}=") for tag in self.tags)


def draw_described() -> st.SearchStrategy[Described]:
    """Assets of any kind, in anything."""

    def draw_some(values: Sequence[str]) -> st.SearchStrategy[frozenset[str]]:
        return st.frozensets(st.sampled_from(values), max_size=2)

    containing = draw_some(DOMAINS), draw_some(PRODUCTS)
    about = draw_some(TAGS), draw_some(OWNERS)
    ids = st.sampled_from([dataset.id for dataset in DATASETS])
    namespaces = st.sampled_from(NAMESPACES).map(lambda one: frozenset([one]))
    none = st.just(frozenset[str]())
    return st.one_of(
        st.builds(Described, st.just("Dataset"), ids, *containing, namespaces, *about),
        st.builds(Described, st.just("Product"), st.just(" "), *containing, none, *about),
        st.builds(Described, st.just("Domain"), st.just(" "), containing[0], none, none, *about),
    )


def describe(index: LineageIndex, drawn: Mesh, key: AssetKey) -> Described:
    """By what the index knows of its product and domains, and what was drawn of tags and owners."""
    node = index.assets.find_by_key(key)
    assert node is not None
    ring = [key]
    dataset = next((one for one, column in zip(DATASETS, COLUMNS, strict=True) if column == key), key)
    if dataset != key:
        ring.append(dataset)
    place = index.assets.find_by_key(dataset)
    assert place is not None
    product = index.ownership.find_product(place) if dataset in DATASETS else None
    if product is not None:
        ring.append(index.assets.get_key(product))
    above = [index.ownership.find_domain(one) for one in (place, product) if one is not None]
    while above:
        domain = above.pop()
        if domain is not None and index.assets.get_key(domain) not in ring:
            ring.append(index.assets.get_key(domain))
            above.append(index.ownership.find_domain(domain))
    names = [ASSETS.index(one) for one in ring]
    governing = [drawn.governed[number] for number in drawn.governed if DATASETS[number] in ring]
    return Described(
        {"DATASET": "Dataset", "COLUMN": "Dataset", "DATA_PRODUCT": "Product", "DOMAIN": "Domain"}[key.kind],
        dataset.id if dataset in DATASETS else key.name,
        frozenset(one.name for one in ring if one.kind == "DOMAIN"),
        frozenset(one.name for one in ring if one.kind == "DATA_PRODUCT"),
        frozenset([dataset.parts[0]]) if dataset in DATASETS else frozenset(),
        frozenset(tag for number in names for tag in drawn.tags.get(number, ())),
        frozenset([*(owner for number in names for owner in drawn.owners.get(number, ())), *governing]),
    )


def ask_cedar(policies: list[str], caller: Caller, action: str, asset: Described) -> tuple[bool, bool]:
    """(whether a policy permits it, whether one forbids it)."""
    uid = {"type": caller.type, "id": caller.name}
    represented = [{"type": "Owner", "id": name} for name in (caller.name, *caller.groups)]
    resource = {"type": asset.type, "id": asset.id}
    parents = [
        *({"type": "Domain", "id": name} for name in sorted(asset.domains)),
        *({"type": "Product", "id": name} for name in sorted(asset.products)),
        *({"type": "Namespace", "id": name} for name in (*NAMESPACES, "*a*") if any(fnmatchcase(one, name) for one in asset.namespaces)),
    ]
    entities: list[dict[str, Any]] = [
        {"uid": uid, "attrs": {}, "parents": [*({"type": "Group", "id": name} for name in caller.groups), *represented]},
        {
            "uid": resource,
            "attrs": {
                "tags": [tag for tag in TAGS if asset.has_tag(tag)],
                "owners": [{"__entity": {"type": "Owner", "id": name}} for name in sorted(asset.owners)],
            },
            "parents": [parent for parent in parents if parent != resource],
        },
    ]
    request = {"principal": uid, "action": {"type": "Action", "id": action}, "resource": resource}
    permits = [policy for policy in policies if policy.startswith("permit")]
    forbids = [policy for policy in policies if policy.startswith("forbid")]
    permitted = cedarpy.is_authorized(request, "\n".join(permits), entities)
    forbidden = cedarpy.is_authorized(request, "\n".join([*forbids, EVERYONE]), entities)
    assert not permitted.diagnostics.errors
    assert not forbidden.diagnostics.errors
    return permitted.allowed, not forbidden.allowed

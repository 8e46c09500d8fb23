"""Owners and consumers of a generated mesh: domains, products with ports, teams and consumers, as a mesh file would state them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.generate import START, Mesh
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, Scope, Statement

SOURCE = "mesh/generated"
DATASETS_OF_PRODUCT = 20  # one in four of them is an output port
PRODUCTS_OF_DOMAIN = 80
PRODUCTS_OF_TEAM = 8


def build_statements(mesh: Mesh) -> list[Statement]:
    """Every dataset in a product, every product in a domain and owned by a team, one consumer for each product."""
    at = model.to_micros(START)
    return [Statement(SOURCE, scope, at, encode_facts(facts)) for scope, facts in _build_facts(mesh)]


def _build_facts(mesh: Mesh) -> Iterator[tuple[Scope, Facts]]:
    products = range(0, mesh.datasets, DATASETS_OF_PRODUCT)
    for number, first in enumerate(products):
        numbers = range(first, min(first + DATASETS_OF_PRODUCT, mesh.datasets))
        datasets = [model.build_dataset_key(mesh.namespace, mesh.build_dataset_name(d)) for d in numbers]
        yield ("mesh", "product", f"product_{number}"), _build_product(number, datasets, _build_patterns(mesh, numbers))
        consumer = model.build_consumer_key(f"dashboard_{number}")
        reads = EdgeFact(EdgeType.CONSUMES, consumer, datasets[0], {"purpose": "reports"})
        yield ("mesh", "consumer", consumer.name), Facts(edges=(reads,))


def _build_patterns(mesh: Mesh, datasets: range) -> list[Json]:
    """Rules for names that fit these datasets, ten at a time, and no others."""
    tens = {(int(mesh.layer[d]), str(d)[:-1]) for d in datasets}
    return [f"{mesh.namespace}/layer{layer}.dataset_{ten}?" for layer, ten in sorted(tens)]


def _build_product(number: int, datasets: list[AssetKey], patterns: list[Json]) -> Facts:
    product = model.build_data_product_key(f"product_{number}")
    domain = model.build_domain_key(f"domain_{number // PRODUCTS_OF_DOMAIN}")
    team = model.build_owner_key(f"team:team_{number // PRODUCTS_OF_TEAM}")
    return Facts(
        assets=(AssetFact(product, {"title": f"Product {number}", "members": patterns}),),
        edges=(
            EdgeFact(EdgeType.PART_OF, product, domain),
            EdgeFact(EdgeType.OWNS, team, product, {"type": "technical"}),
            *(EdgeFact(EdgeType.PORT, product, d, {"direction": "output", "type": "table"}) for d in datasets[::4]),
        ),
    )

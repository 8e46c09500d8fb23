"""What a product's specification says of the graph."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json
from meshline.graph.owner_names import address
from meshline.graph.promises import PortSpec, Product, product_attributes
from meshline.ingest.sources.products.ports import Bound


def facts(product: Product, bound: tuple[Bound, ...]) -> Facts:
    """`bound`: the datasets of the product's ports, in their order."""
    key = model.data_product(product.name)
    assets = [AssetFact(key, product_attributes(product))]
    edges: list[EdgeFact] = []
    if product.domain:
        edges.append(EdgeFact(EdgeType.PART_OF, key, model.domain(product.domain)))
    for party in product.owners:
        owner, email = model.owner(party.name), address(party.name)
        assets.append(AssetFact(owner, _given(email=email, contact=email, title=party.title)))
        edges.append(EdgeFact(EdgeType.OWNS, owner, key, {"type": party.type}))
    for port, found in zip(product.ports, bound, strict=True):
        edges += [EdgeFact(EdgeType.PORT, key, dataset, _port(port)) for dataset in found.datasets]
        if port.direction == "output":
            assets += [note for dataset in found.datasets for note in _notes(product, port, dataset)]
    return Facts(tuple(assets), tuple(edges))


def _port(port: PortSpec) -> dict[str, Json]:
    return _given(
        direction=port.direction,
        name=port.name,
        type=port.type,
        endpoint=port.endpoint,
        format=port.format,
        description=port.description,
        refresh=port.refresh,
        version=port.version,
        contract=port.contract,
        deprecated=port.deprecated,
    )


def _notes(product: Product, port: PortSpec, dataset: AssetKey) -> Iterator[AssetFact]:
    """Tags of the port's dataset, and of its columns that hold personal data."""
    if port.tags:
        yield AssetFact(dataset, {"tags": list(port.tags)})
    for name in product.pii_columns:
        yield AssetFact(model.column(dataset, name), {"tags": ["pii"]})


def _given(**attributes: Json) -> dict[str, Json]:
    """The attributes that say something."""
    return {name: value for name, value in attributes.items() if value not in ("", None, [])}

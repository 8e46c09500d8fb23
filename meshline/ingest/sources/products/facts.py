"""The facts of a product's specification, and the datasets of its ports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.contracts import PortSpec, Product, build_product_attributes
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, drop_empty_attributes
from meshline.graph.naming import find_email
from meshline.ingest.dataset_refs import split_endpoint
from meshline.ingest.sources.base import Context

UNRESOLVED = "unresolved"  # the namespace of datasets that a port names and no source knows, until a `same_as` joins them


class BoundPort(NamedTuple):
    """The datasets of a port. `why`: the reason if they could not be resolved."""

    datasets: tuple[AssetKey, ...]
    why: str = ""


def bind_port(port: PortSpec, product: str, context: Context) -> BoundPort:
    """The datasets of a port, by its endpoint, else by its contract. If they cannot be resolved, the port has an unresolved dataset."""
    if port.endpoint:
        return bind_name(port.endpoint, context)
    if port.contract:
        governed = tuple(context.datasets_governed_by(port.contract))
        if governed:
            return BoundPort(governed)
        why = f"the contract {port.contract!r} governs no dataset; load contracts first"
        return BoundPort((context.naming.normalise_dataset(UNRESOLVED, port.contract),), why)
    why = "it has neither an endpoint nor a contract that locates its data"
    return BoundPort((context.naming.normalise_dataset(UNRESOLVED, f"{product}/{port.name or port.type or port.direction}"),), why)


def bind_name(text: str, context: Context) -> BoundPort:
    """The dataset of a name: a URL or alias, else the only known dataset of that name (`orders-db.public.orders`, `payments events`)."""
    namespace, name = split_endpoint(text, context.aliases)
    if namespace:
        return BoundPort((context.naming.normalise_dataset(namespace, name),))
    written = list(dict.fromkeys((text.strip(), text.split(maxsplit=1)[0] if text.split() else "")))
    for one in filter(None, written):
        found = _list_known(one, context) or _list_on_host(one, context)
        if len(found) == 1:
            return BoundPort((found[0],))
        if found:
            names = ", ".join(key.qualified_name for key in found[:3])
            why = f"{one!r} may be any of {len(found)} ({names}); write the full name of one of them"
            return BoundPort((context.naming.normalise_dataset(UNRESOLVED, text.strip()),), why)
    why = f"no dataset is called {text!r}; write it as scheme://host/name or alias/name"
    return BoundPort((context.naming.normalise_dataset(UNRESOLVED, text.strip()),), why)


def _list_known(text: str, context: Context) -> list[AssetKey]:
    return [key for key in context.datasets_ending_with(text) if key.parts[0] != UNRESOLVED]


def _list_on_host(text: str, context: Context) -> list[AssetKey]:
    """The known datasets of a name with a host: `orders-db.public.orders` is `public.orders` in any database on the host orders-db."""
    host, _, name = text.partition(".")
    if not host or "." not in name:
        return []
    return [key for key in _list_known(name, context) if host.casefold() in re.split(r"[:/.@]+", key.parts[0].casefold())]


def build_product_facts(product: Product, bound: tuple[BoundPort, ...]) -> Facts:
    """The facts of a product. `bound`: the datasets of its ports, in the ports' order."""
    key = model.build_data_product_key(product.name)
    assets = [AssetFact(key, build_product_attributes(product))]
    edges: list[EdgeFact] = []
    if product.domain:
        edges.append(EdgeFact(EdgeType.PART_OF, key, model.build_domain_key(product.domain)))
    for party in product.owners:
        owner, email = model.build_owner_key(party.name), find_email(party.name)
        assets.append(AssetFact(owner, drop_empty_attributes(email=email, contact=email, title=party.title)))
        edges.append(EdgeFact(EdgeType.OWNS, owner, key, {"type": party.type}))
    for port, found in zip(product.ports, bound, strict=True):
        edges += [EdgeFact(EdgeType.PORT, key, dataset, _build_port_attributes(port)) for dataset in found.datasets]
        if port.direction == "output":
            assets += [note for dataset in found.datasets for note in _build_annotations(product, port, dataset)]
    return Facts(tuple(assets), tuple(edges))


def _build_port_attributes(port: PortSpec) -> dict[str, Json]:
    return drop_empty_attributes(
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


def _build_annotations(product: Product, port: PortSpec, dataset: AssetKey) -> Iterator[AssetFact]:
    """Tags of the port's dataset, and of its columns with personal data."""
    if port.tags:
        yield AssetFact(dataset, {"tags": list(port.tags)})
    for name in product.pii_columns:
        yield AssetFact(model.build_column_key(dataset, name), {"tags": ["pii"]})

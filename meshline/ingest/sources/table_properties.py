"""Facts about owners and products from table properties: `owner`, `comment`, `data-product.*`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json
from meshline.graph.naming import find_email

_PREFIX = "data-product."
_LEVELS = (f"{_PREFIX}sla.", f"{_PREFIX}slo.")
_SECRET = re.compile(r"secret|password|token|credential|access-key|private", re.IGNORECASE)
_INTERPRETED = frozenset({"comment", "owner"})
MAX_PROPERTIES = 100
MAX_VALUE = 1_000  # characters of a property's value


def build_owner_facts(name: str, of: AssetKey) -> Facts:
    """The owner of an asset, by the name as it is written. If the name is an e-mail address, it is also the owner's address."""
    text = name.strip()
    if not text:
        return Facts()
    owner, email = model.build_owner_key(text), find_email(text)
    about = [AssetFact(owner, {"email": email, "contact": email})] if email else []
    return Facts(assets=tuple(about), edges=(EdgeFact(EdgeType.OWNS, owner, of, {"type": "technical"}),))


def build_product_facts(
    properties: Mapping[str, str], table: AssetKey, form: tuple[str, str] = ("iceberg", "Iceberg table")
) -> Iterator[Facts]:
    """The product that has a table as its output port. `form`: type and format of the port. Without a `data-product.name`, the
    owner is that of the table.
    """
    owner = properties.get(f"{_PREFIX}owner", "")
    name = properties.get(f"{_PREFIX}name", "").strip()
    if not name:
        yield build_owner_facts(owner, table)
        return
    product = model.build_data_product_key(name)
    attributes: dict[str, Json] = {
        "title": properties.get(f"{_PREFIX}title", ""),
        "description": properties.get(f"{_PREFIX}description", ""),
        "version": properties.get(f"{_PREFIX}version", ""),
        "status": properties.get(f"{_PREFIX}status", ""),
        "slo": {key.removeprefix(level): value for level in _LEVELS for key, value in properties.items() if key.startswith(level)},
        "tags": [tag for text in properties.get(f"{_PREFIX}tags", "").split(",") if (tag := text.strip())],
    }
    edges = [EdgeFact(EdgeType.PORT, product, table, {"direction": "output", "type": form[0], "format": form[1]})]
    if domain := properties.get(f"{_PREFIX}domain", "").strip():
        edges.append(EdgeFact(EdgeType.PART_OF, product, model.build_domain_key(domain)))
    yield Facts(assets=(AssetFact(product, {key: value for key, value in attributes.items() if value}),), edges=tuple(edges))
    yield build_owner_facts(owner, product)


def select_properties(properties: Mapping[str, str]) -> dict[str, Json]:
    """The properties that become attributes: no interpreted ones, and none that may be a secret."""
    shown = sorted(name for name in properties if name not in _INTERPRETED and not _SECRET.search(name))
    return {name: properties[name][:MAX_VALUE] for name in shown[:MAX_PROPERTIES]}

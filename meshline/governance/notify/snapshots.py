"""The content of a scope at a time as tables, contracts and products that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from meshline.graph.content import decode_facts
from meshline.graph.contracts import (
    AnyPair,
    Contract,
    Definition,
    Field,
    Model,
    Pair,
    Party,
    PortSpec,
    Product,
    Version,
    build_contract,
    build_port_names,
    build_product,
)
from meshline.graph.model import AssetFact, AssetKey, AssetKind, Content, EdgeFact, EdgeType, Facts, Json, parse_source_kind

# Attributes that make a fact about a dataset a definition of it, besides a list of its columns.
_DEFINING = frozenset({"partition_spec", "partition_columns", "sql"})
_COMPARED = frozenset({AssetKind.DATASET, AssetKind.CONTRACT, AssetKind.DATA_PRODUCT})


class Snapshot(NamedTuple):
    """What one content defines. `listed`: the datasets whose columns it lists."""

    tables: Mapping[AssetKey, Version[Definition]]
    contracts: Mapping[AssetKey, Version[Contract]]
    products: Mapping[AssetKey, Version[Product]]
    listed: frozenset[AssetKey]


EMPTY_SNAPSHOT = Snapshot({}, {}, {}, frozenset())


def build_snapshot(content: Content | None, source: str) -> Snapshot:
    """What a content of a source defines; nothing if it is None."""
    if content is None:
        return EMPTY_SNAPSHOT
    facts = decode_facts(content.blob)
    listed = frozenset(edge.start for edge in facts.edges if edge.type is EdgeType.HAS_COLUMN)
    about: dict[AssetKey, Mapping[str, Json]] = {}
    for fact in facts.assets:
        if fact.key.kind in _COMPARED:
            about[fact.key] = {**about.get(fact.key, {}), **fact.attributes}
    tables = {key: about.get(key, {}) for key in listed}
    tables.update((key, attributes) for key, attributes in about.items() if key.kind is AssetKind.DATASET and attributes.keys() & _DEFINING)
    contracts = {key: attributes for key, attributes in about.items() if key.kind is AssetKind.CONTRACT and _is_whole_contract(attributes)}
    products = {
        key: attributes for key, attributes in about.items() if key.kind is AssetKind.DATA_PRODUCT and _is_whole_product(key, facts)
    }
    return Snapshot(
        {key: _build_table(key, attributes, facts, source) for key, attributes in tables.items()},
        {key: _build_contract(key, attributes, facts) for key, attributes in contracts.items()},
        {key: _build_product(key, attributes, facts) for key, attributes in products.items()},
        listed,
    )


def pair_versions(before: Snapshot, after: Snapshot) -> list[AnyPair]:
    """Each table, contract and product before, with its version after. New ones are left out: they have no readers.

    A table without a list of columns is compared by its other attributes, and never counts as removed.
    """
    found: list[AnyPair] = []
    for key, table in before.tables.items():
        now = after.tables.get(key)
        if now is not None or key in before.listed:
            found.append(Pair(table, now))
    found += [Pair(contract, after.contracts.get(key)) for key, contract in before.contracts.items()]
    found += [Pair(product, after.products.get(key)) for key, product in before.products.items()]
    return found


# -- tables


def _build_table(key: AssetKey, attributes: Mapping[str, Json], facts: Facts, source: str) -> Version[Definition]:
    columns = {fact.key: fact for fact in facts.assets if fact.key.kind is AssetKind.COLUMN}
    listed = [edge for edge in facts.edges if edge.type is EdgeType.HAS_COLUMN and edge.start == key]
    fields = tuple(_build_field(edge.end, columns.get(edge.end)) for edge in sorted(listed, key=_get_column_order))
    kind = parse_source_kind(source)
    value = Definition(
        model=Model(name=key.qualified_name, physical_name=key.name, fields=fields),
        format=_get_text(attributes, "format") or ("" if kind == "openlineage" else kind),
        kind=_get_text(attributes, "dataset_type").lower(),
        partitioning=_format_partitioning(attributes),
        sql=_get_text(attributes, "sql"),
        dialect=_get_text(attributes, "dialect"),
    )
    return Version(value, {"": (key,)})


def _get_column_order(edge: EdgeFact) -> tuple[bool, int, str]:
    position = edge.attributes.get("position")
    return (not isinstance(position, int), position if isinstance(position, int) else 0, edge.end.name)


def _build_field(key: AssetKey, fact: AssetFact | None) -> Field:
    attributes: Mapping[str, Json] = {} if fact is None else fact.attributes
    nullable, number = attributes.get("nullable"), attributes.get("field_id")
    return Field(
        name=key.name,
        type=_get_text(attributes, "type"),
        id=str(number) if isinstance(number, int) else "",
        required=None if not isinstance(nullable, bool) else not nullable,
        primary_key=True if attributes.get("identifies") is True else None,
    )


def _format_partitioning(attributes: Mapping[str, Json]) -> tuple[str, ...]:
    spec, columns = attributes.get("partition_spec"), attributes.get("partition_columns")
    if isinstance(spec, list):
        return tuple(_format_partition(one) for one in spec if isinstance(one, dict))
    return tuple(map(str, columns)) if isinstance(columns, list) else ()


def _format_partition(attributes: Mapping[str, Json]) -> str:
    columns = attributes.get("columns")
    names = ", ".join(map(str, columns)) if isinstance(columns, list) else ""
    transform = _get_text(attributes, "transform")
    return names if transform in ("", "identity") else f"{transform}({names})"


# -- contracts and products


def _is_whole_contract(attributes: Mapping[str, Json]) -> bool:
    """Whether the attributes state what a contract promises, and do not only refer to it."""
    return "models" in attributes or "sla" in attributes


def _is_whole_product(key: AssetKey, facts: Facts) -> bool:
    """Whether the facts state the domain or ports of a product, and do not only refer to it."""
    return any(edge.start == key and edge.type in (EdgeType.PORT, EdgeType.PART_OF) for edge in facts.edges)


def _build_contract(key: AssetKey, attributes: Mapping[str, Json], facts: Facts) -> Version[Contract]:
    governed = [
        (str(edge.attributes.get("model") or ""), edge.end) for edge in facts.edges if edge.type is EdgeType.GOVERNS and edge.start == key
    ]
    contract = build_contract(key.name, attributes)
    owners = tuple(dict.fromkeys(_build_party(edge) for edge in facts.edges if edge.type is EdgeType.OWNS and edge.end == key))
    if owners and not contract.owners:
        contract = build_contract(key.name, {**attributes, "owners": [{"name": one.name, "type": one.type} for one in owners]})
    return Version(contract, _group_keys(governed))


def _build_product(key: AssetKey, attributes: Mapping[str, Json], facts: Facts) -> Version[Product]:
    ports: dict[PortSpec, list[AssetKey]] = {}
    for edge in facts.edges:
        if edge.type is EdgeType.PORT and edge.start == key:
            ports.setdefault(_build_port(edge), []).append(edge.end)
    owners = tuple(dict.fromkeys(_build_party(edge) for edge in facts.edges if edge.type is EdgeType.OWNS and edge.end == key))
    domain = next((edge.end.name for edge in facts.edges if edge.type is EdgeType.PART_OF and edge.start == key), "")
    product = build_product(key.name, attributes, tuple(ports), owners, domain)
    names = [f"{port.direction}/{name}" for port, name in zip(ports, build_port_names(tuple(ports)), strict=True)]
    return Version(product, {name: tuple(dict.fromkeys(keys)) for name, keys in zip(names, ports.values(), strict=True)})


def _build_party(edge: EdgeFact) -> Party:
    return Party(edge.start.name, str(edge.attributes.get("type") or "technical"))


def _build_port(edge: EdgeFact) -> PortSpec:
    attributes = edge.attributes
    return PortSpec(
        direction=_get_text(attributes, "direction") or "output",
        name=_get_text(attributes, "name"),
        type=_get_text(attributes, "type"),
        endpoint=_get_text(attributes, "endpoint"),
        format=_get_text(attributes, "format"),
        description=_get_text(attributes, "description"),
        refresh=_get_text(attributes, "refresh"),
        version=_get_text(attributes, "version"),
        contract=_get_text(attributes, "contract"),
        deprecated=True if attributes.get("deprecated") is True else None,
    )


def _group_keys(named: Iterable[tuple[str, AssetKey]]) -> dict[str, tuple[AssetKey, ...]]:
    found: dict[str, tuple[AssetKey, ...]] = {}
    for name, key in named:
        found[name] = (*found.get(name, ()), key)
    return found


def _get_text(attributes: Mapping[str, Json], name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""

"""Entries of a mesh file -> statements, one scope for each entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from glob import escape
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, Statement, drop_empty_attributes
from meshline.graph.naming import Naming, normalise_namespace
from meshline.ingest.mesh.format import (
    Consumer,
    Contract,
    DatasetName,
    DatasetNote,
    Domain,
    Entry,
    FullPattern,
    NotSameAs,
    Ownership,
    Person,
    Port,
    Product,
    SameAs,
    Team,
)
from meshline.ingest.mesh.mesh_file import Mesh, split_dataset_name
from meshline.ingest.partings import format_end


def build_statements(mesh: Mesh, naming: Naming, observed_at: int) -> list[Statement]:
    """One statement for each entry that has not ended. `observed_at`: the file's time, in microseconds since the epoch."""
    names = _Names(mesh.namespaces, mesh.emails, naming)
    today = datetime.now(UTC).date()
    return [
        Statement(mesh.source, placed.scope, observed_at, encode_facts(_build_facts(placed.entry, names)))
        for placed in mesh.entries
        if not (isinstance(placed.entry, NotSameAs) and placed.entry.until is not None and placed.entry.until < today)
    ]


class _Names(NamedTuple):
    """Converts names in the file to keys."""

    aliases: Mapping[str, str]
    emails: Mapping[str, str]
    naming: Naming

    def build_dataset_key(self, name: DatasetName) -> AssetKey:
        return self.naming.normalise_dataset(*split_dataset_name(name, self.aliases))

    def build_owner_key(self, name: str) -> AssetKey:
        return model.build_owner_key(self.emails.get(name, name))

    def build_pattern(self, written: str | FullPattern) -> str:
        """A pattern over `namespace/name` of normalised datasets."""
        if isinstance(written, FullPattern):
            namespace = normalise_namespace(self.aliases.get(written.namespace, written.namespace))[1]
            return f"{escape(namespace)}/{written.name}"
        namespace, name = split_dataset_name(written, self.aliases)
        return f"{normalise_namespace(namespace)[1]}/{name}" if namespace else written


def _build_facts(entry: Entry, names: _Names) -> Facts:  # noqa: PLR0911 - one for each kind of entry
    match entry:
        case Domain():
            return _build_domain(entry, names)
        case Team() | Person():
            return Facts(assets=(AssetFact(model.build_owner_key(entry.name), _build_owner_attributes(entry)),))
        case Product():
            return _build_product(entry, names)
        case Ownership():
            return Facts(
                edges=(EdgeFact(EdgeType.OWNS, names.build_owner_key(entry.owner), _build_owned_key(entry, names), {"type": entry.type}),)
            )
        case Contract():
            return _build_contract(entry, names)
        case Consumer():
            return _build_consumer(entry, names)
        case DatasetNote():
            return _build_dataset_note(entry, names)
        case SameAs():
            return _build_identity(EdgeType.SAME_AS, entry, names, {"why": entry.why})
        case NotSameAs():
            until = None if entry.until in (None, date.max) else format_end(entry.until + timedelta(days=1))
            return _build_identity(EdgeType.DIFFERENT_FROM, entry, names, drop_empty_attributes(why=entry.why, until=until))


def _build_identity(type_: EdgeType, entry: SameAs | NotSameAs, names: _Names, attributes: dict[str, Json]) -> Facts:
    return Facts(edges=(EdgeFact(type_, names.build_dataset_key(entry.a), names.build_dataset_key(entry.b), attributes),))


def _build_domain(entry: Domain, names: _Names) -> Facts:
    key = model.build_domain_key(entry.name)
    patterns: list[Json] = [names.build_pattern(text) for text in entry.datasets]
    return Facts(
        assets=(
            AssetFact(
                key, drop_empty_attributes(title=entry.title, description=entry.description, tags=list(entry.tags), members=patterns)
            ),
        ),
        edges=(
            *([EdgeFact(EdgeType.PART_OF, key, model.build_domain_key(entry.parent))] if entry.parent else []),
            *_build_owner_edges(entry.owner, key, names),
        ),
    )


def _build_owner_attributes(entry: Team | Person) -> dict[str, Json]:
    """The attributes of a team or person. `contact`: all addresses in one line."""
    return drop_empty_attributes(
        title=entry.title,
        description=entry.description,
        owner_type="team" if isinstance(entry, Team) else "person",
        contact=", ".join(way for way in (entry.email, entry.slack) if way),
        email=entry.email,
        slack=entry.slack,
        people=list(entry.members) if isinstance(entry, Team) else None,
    )


def _build_product(entry: Product, names: _Names) -> Facts:
    key = model.build_data_product_key(entry.name)
    attributes = drop_empty_attributes(
        title=entry.title,
        description=entry.description,
        version=entry.version,
        tags=list(entry.tags),
        slo=dict(entry.slo),
        members=[names.build_pattern(text) for text in entry.datasets],
    )
    edges = [
        *([EdgeFact(EdgeType.PART_OF, key, model.build_domain_key(entry.domain))] if entry.domain else []),
        *_build_owner_edges(entry.owner, key, names),
        *(_build_port(key, "input", port, names) for port in entry.input_ports),
        *(_build_port(key, "output", port, names) for port in entry.output_ports),
    ]
    return Facts(assets=(AssetFact(key, attributes),), edges=tuple(edges))


def _build_port(product: AssetKey, direction: str, port: Port, names: _Names) -> EdgeFact:
    attributes = drop_empty_attributes(
        direction=direction, type=port.type, endpoint=port.endpoint, format=port.format, description=port.description
    )
    return EdgeFact(EdgeType.PORT, product, names.build_dataset_key(port.dataset), attributes)


def _build_owned_key(entry: Ownership, names: _Names) -> AssetKey:
    if entry.product is not None:
        return model.build_data_product_key(entry.product)
    if entry.domain is not None:
        return model.build_domain_key(entry.domain)
    assert entry.dataset is not None
    dataset = names.build_dataset_key(entry.dataset)
    return dataset if entry.column is None else model.build_column_key(dataset, entry.column)


def _build_contract(entry: Contract, names: _Names) -> Facts:
    key = model.build_contract_key(entry.id)
    attributes = drop_empty_attributes(title=entry.title, description=entry.description, version=entry.version, status=entry.status)
    governs = EdgeFact(
        EdgeType.GOVERNS, key, names.build_dataset_key(entry.dataset), drop_empty_attributes(version=entry.version, status=entry.status)
    )
    return Facts(assets=(AssetFact(key, attributes),), edges=(governs, *_build_owner_edges(entry.owner, key, names)))


def _build_consumer(entry: Consumer, names: _Names) -> Facts:
    key = model.build_consumer_key(entry.name)
    attributes = drop_empty_attributes(title=entry.title, description=entry.description, consumer_type=entry.type, tags=list(entry.tags))
    return Facts(
        assets=(AssetFact(key, attributes),), edges=(*_build_consumes(entry, key, names), *_build_owner_edges(entry.owner, key, names))
    )


def _build_consumes(entry: Consumer, key: AssetKey, names: _Names) -> Iterator[EdgeFact]:
    for used in entry.consumes:
        attributes = drop_empty_attributes(contract=used.contract, version=used.version, purpose=used.purpose)
        if used.product is not None:
            yield EdgeFact(EdgeType.CONSUMES, key, model.build_data_product_key(used.product), attributes)
        elif used.dataset is not None:
            dataset = names.build_dataset_key(used.dataset)
            targets = [model.build_column_key(dataset, name) for name in used.columns] or [dataset]
            yield from (EdgeFact(EdgeType.CONSUMES, key, target, attributes) for target in targets)


def _build_dataset_note(entry: DatasetNote, names: _Names) -> Facts:
    key = names.build_dataset_key(entry.dataset)
    about = AssetFact(key, drop_empty_attributes(title=entry.title, description=entry.description, tags=list(entry.tags)))
    columns = [
        AssetFact(model.build_column_key(key, c.name), drop_empty_attributes(title=c.title, description=c.description, tags=list(c.tags)))
        for c in entry.columns
    ]
    return Facts(assets=(about, *columns))


def _build_owner_edges(name: str | None, of: AssetKey, names: _Names) -> list[EdgeFact]:
    return [EdgeFact(EdgeType.OWNS, names.build_owner_key(name), of, {"type": "technical"})] if name else []

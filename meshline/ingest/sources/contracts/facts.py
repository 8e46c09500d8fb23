"""The facts of a contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.contracts import Contract, Field, Model, Server, build_contract_attributes
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, drop_empty_attributes
from meshline.graph.naming import find_email, is_email
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.contracts.servers import is_production, locate_model


class BoundModel(NamedTuple):
    """A model, and its dataset on a server."""

    model: Model
    server: Server
    dataset: AssetKey


class ContractFacts(NamedTuple):
    """The facts of a contract, and warnings about models without a dataset."""

    facts: Facts
    warnings: tuple[str, ...]  # without the file's name


def build_contract_facts(contract: Contract, context: Context) -> ContractFacts:
    """The contract's own attributes, the datasets that it governs and its owners; if it is in force, also annotations of the datasets,
    and its consumers with their purpose.
    """
    key = model.build_contract_key(contract.id)
    bound, warnings = bind_models(contract, context)
    assets = [AssetFact(key, build_contract_attributes(contract))]
    edges = [
        EdgeFact(EdgeType.GOVERNS, key, dataset, _build_governs_attributes(contract, one))
        for dataset, one in {one.dataset: one for one in reversed(bound)}.items()
    ]
    for party in () if contract.has_ended else contract.owners:
        owner = model.build_owner_key(party.name)
        assets.append(AssetFact(owner, _build_owner_attributes(party.name, party.title)))
        edges.append(EdgeFact(EdgeType.OWNS, owner, key, {"type": party.type}))
    if contract.is_in_force:
        for one in bound:
            assets += _build_annotations(one)
        consumed = [one for one in bound if is_production(one.server)] or bound
        for name in contract.consumers:
            assets.append(AssetFact(model.build_consumer_key(context.resolve_person(name)), drop_empty_attributes(contact=name)))
            edges += _build_consumes_edges(contract, name, consumed, context)
    return ContractFacts(Facts(tuple(assets), tuple(edges)), tuple(warnings))


def bind_models(contract: Contract, context: Context) -> tuple[list[BoundModel], list[str]]:
    """The dataset of each model on each server, and the reasons why a server has none."""
    bound: list[BoundModel] = []
    warnings: list[str] = []
    for server in contract.servers:
        for one in contract.models:
            found = locate_model(server, one.physical_name or one.name)
            if found.why_not:
                warnings.append(f"server {server.name!r} is bound to no dataset: {found.why_not}")
                break
            bound.append(BoundModel(one, server, context.naming.normalise_dataset(context.resolve_namespace(found.namespace), found.name)))
    if contract.models and not contract.servers:
        warnings.append("the contract has no servers, so it is bound to no dataset")
    return bound, warnings


def _build_governs_attributes(contract: Contract, bound: BoundModel) -> dict[str, Json]:
    production = True if is_production(bound.server) else None
    return drop_empty_attributes(
        version=contract.version, status=contract.status, model=bound.model.name, server=bound.server.name, production=production
    )


def list_tags(field: Field) -> list[Json]:
    """The tags that a contract gives a column. `pii: false` adds no tag, and does not remove a tag of another source."""
    tags = dict.fromkeys(field.tags)
    if field.pii:
        tags["pii"] = None
    if field.classification:
        tags[f"classification={field.classification}"] = None
    return [*tags]


def _build_annotations(bound: BoundModel) -> Iterator[AssetFact]:
    """Titles, descriptions and tags of the dataset and its columns. Types and constraints are promises, which stay with the contract."""
    of_model = bound.model
    if about := drop_empty_attributes(title=of_model.title, description=of_model.description, tags=list(of_model.tags)):
        yield AssetFact(bound.dataset, about)
    for field in bound.model.fields:
        if about := drop_empty_attributes(title=field.title, description=field.description, tags=list_tags(field)):
            yield AssetFact(build_column_key(bound.dataset, field), about)


def _build_consumes_edges(contract: Contract, name: str, bound: list[BoundModel], context: Context) -> Iterator[EdgeFact]:
    consumer = model.build_consumer_key(context.resolve_person(name))
    about = drop_empty_attributes(contract=contract.id, version=contract.version, purpose=contract.terms.usage)
    if is_email(name):  # the owner of the address is notified when the contract breaks
        yield EdgeFact(EdgeType.OWNS, model.build_owner_key(name), consumer, {"type": "technical"})
    for one in bound:
        targets = [build_column_key(one.dataset, field) for field in one.model.fields] or [one.dataset]
        yield from (EdgeFact(EdgeType.CONSUMES, consumer, target, about) for target in targets)


def build_column_key(dataset: AssetKey, field: Field) -> AssetKey:
    """The key of a field's column in a dataset, by the field's physical name if it has one."""
    return model.build_column_key(dataset, field.physical_name or field.name)


def _build_owner_attributes(written: str, title: str) -> dict[str, Json]:
    return drop_empty_attributes(email=find_email(written), contact=find_email(written), title=title)

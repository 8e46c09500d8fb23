"""Exposures: who uses the project's tables."""

from __future__ import annotations

from collections.abc import Iterable

from meshline.graph import model
from meshline.graph.model import AssetFact, EdgeFact, EdgeType, Facts
from meshline.ingest.sources.dbt import owners
from meshline.ingest.sources.dbt.artifacts import Exposure
from meshline.ingest.sources.dbt.attributes import said, tags
from meshline.ingest.sources.dbt.tables import Table


def exposure_facts(id_: str, exposure: Exposure, used: Iterable[Table]) -> Facts:
    """A consumer, its owner, and the tables that it uses. dbt knows no columns of them."""
    key = model.consumer(exposure.name)
    owner = owners.of_person(exposure.owner)
    owned_by = [owner] if owner is not None else []
    attributes = said(
        title=exposure.label,
        description=exposure.description,
        consumer_type=exposure.type,
        url=exposure.url,
        maturity=exposure.maturity,
        tags=tags(exposure.tags),
        meta=dict(exposure.meta or {}),
        dbt_id=id_,
    )
    return Facts(
        assets=(AssetFact(key, attributes), *map(owners.asset, owned_by)),
        edges=(*(EdgeFact(EdgeType.CONSUMES, key, table.key) for table in used), *owners.owns(owned_by, key)),
    )

"""Functions that read the parts of a proposal."""

from __future__ import annotations

from meshline.graph.contracts import Definition, Field, Pair, Version
from meshline.graph.model import AssetKey, build_dataset_key
from meshline.ingest.changes import Proposal

LAKE = "http://iceberg-rest.internal:8181"
CUSTOMER_ORDERS = build_dataset_key(LAKE, "orders.customer_orders")
CUSTOMERS = build_dataset_key(LAKE, "customers.customers")
SHARED = build_dataset_key("file", "/warehouse/delta/customer_orders")


def get_pair(found: Proposal) -> Pair[Definition]:
    """The one pair, of a table."""
    (pair,) = found.pairs
    assert all(one is None or isinstance(one.value, Definition) for one in pair)
    return pair  # type: ignore[return-value]


def get_versions(found: Proposal) -> tuple[Version[Definition], Version[Definition]]:
    before, after = get_pair(found)
    assert before is not None
    assert after is not None
    return before, after


def list_fields(version: Version[Definition]) -> dict[str, Field]:
    return {field.name: field for field in version.value.model.fields}


def list_names(version: Version[Definition]) -> list[str]:
    return [field.name for field in version.value.model.fields]


def get_dataset(version: Version[Definition]) -> AssetKey:
    (found,) = version.datasets[""]
    return found


def list_removed_columns(found: Proposal) -> set[str]:
    """Columns of before of which no column of after is the same, by id, else by name."""
    before, after = get_versions(found)
    ids, called = {one.id for one in after.value.model.fields if one.id}, {one.name for one in after.value.model.fields if not one.id}
    return {one.name for one in before.value.model.fields if (one.id not in ids if one.id else one.name not in called)}


def list_renamed_columns(found: Proposal) -> dict[str, str]:
    before, after = get_versions(found)
    news = {one.id: one.name for one in after.value.model.fields if one.id}
    return {one.name: news[one.id] for one in before.value.model.fields if one.id in news and news[one.id] != one.name}

"""The differences between two versions of a contract, a data product or a table."""

from __future__ import annotations

from typing import cast

from meshline.governance.changes import Change
from meshline.governance.diff.contract_diff import compare_contracts
from meshline.governance.diff.product_diff import compare_products
from meshline.governance.diff.table_diff import compare_tables
from meshline.graph.contracts import AnyPair, Contract, Definition, Pair, Product


def compare_versions(pair: AnyPair) -> list[Change]:
    """The changes between two versions, each under its rule. A pair of which both are None has none."""
    version = pair.before or pair.after
    if version is None:
        return []
    if isinstance(version.value, Contract):
        return compare_contracts(cast("Pair[Contract]", pair))
    if isinstance(version.value, Product):
        return compare_products(cast("Pair[Product]", pair))
    return compare_tables(cast("Pair[Definition]", pair))

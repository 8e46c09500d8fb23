"""What differs between two versions of a thing."""

from __future__ import annotations

from typing import cast

from meshline.governance.changes import Change
from meshline.governance.diff.contract_diff import contract_changes
from meshline.governance.diff.product_diff import product_changes
from meshline.governance.diff.table_diff import table_changes
from meshline.graph.contracts import AnyPair, Contract, Definition, Pair, Product


def changes(pair: AnyPair) -> list[Change]:
    """The changes between two versions, each under its rule. A pair of which both are None has none."""
    version = pair.before or pair.after
    if version is None:
        return []
    if isinstance(version.value, Contract):
        return contract_changes(cast("Pair[Contract]", pair))
    if isinstance(version.value, Product):
        return product_changes(cast("Pair[Product]", pair))
    return table_changes(cast("Pair[Definition]", pair))

"""What differs between two versions of a thing, one by one, each under the rule that it falls under."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from meshline.graph.contracts import Part
from meshline.graph.model import AssetKey, Json


class SubjectKind(enum.StrEnum):
    CONTRACT = "contract"
    PRODUCT = "product"
    TABLE = "table"  # and views, topics, files


class Subject(NamedTuple):
    """What is changed: a part of a thing, by its stable key.

    `name`: the contract's id, the product's name, the table's qualified name. Parts: ("model", name), ("model", name, "field", name)
    of a contract; ("field", name) of a table; ("slo", name[, element]), ("port", "output" or "input", name), ("role", name),
    ("owner", name), ("rule", name), ("terms", name), ("server", name), ("partitioning",), ("sql", ...) where there are such.
    """

    kind: SubjectKind
    name: str
    part: Part = ()


class Change(NamedTuple):
    """One difference. `rule`: the id of a row of `meshline.governance.rules`.

    `before`, `after`: the values that differ, in one normal form (`decimal(18,2)`, whatever the spelling).
    `assets`: what it changes in the graph, under the names of before: columns, datasets, a product.
    `consumers`: who is bound to it by promise, whatever the lineage.
    `told`: more that rules and sentences need (`field`, `port`, `widening`, ...).
    """

    rule: str
    subject: Subject
    before: Json = None
    after: Json = None
    assets: tuple[AssetKey, ...] = ()
    consumers: tuple[AssetKey, ...] = ()
    details: Mapping[str, Json] = {}
    file: str = ""
    line: int = 0

    @property
    def fingerprint(self) -> str:
        """Says which change it is, wherever it stands and whatever else changes: 16 hexadecimal digits."""
        said = msgspec.json.encode([self.rule, *self.subject, self.before, self.after], order="deterministic")
        return hashlib.blake2b(said, digest_size=8).hexdigest()

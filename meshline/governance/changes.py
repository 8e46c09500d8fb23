"""The differences between two versions of a contract, product or table, each with its rule."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from meshline.graph.contracts import Part
from meshline.graph.model import AssetKey, Json


class SubjectKind(enum.StrEnum):
    """The kinds of objects that are compared."""

    CONTRACT = "contract"
    PRODUCT = "product"
    TABLE = "table"  # and views, topics, files


class Subject(NamedTuple):
    """What is changed: a part of a contract, product or table, by its stable key.

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
    `assets`: the changed columns, datasets or product in the graph, under their names before the change.
    `consumers`: consumers that a promise binds to it, independent of lineage.
    `details`: more values that rules and sentences need (`field`, `port`, `widening`, ...).
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
        """Identifies the change, independent of its place in a file and of other changes: 16 hexadecimal digits."""
        content = msgspec.json.encode([self.rule, *self.subject, self.before, self.after], order="deterministic")
        return hashlib.blake2b(content, digest_size=8).hexdigest()

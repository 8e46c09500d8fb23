"""The differences between two versions of a contract, product or table, each with its rule, and their builder."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from meshline.graph.contracts import Part, Version
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
    `decided`: the verdict, if a mode of compatibility decides it, and `why`.
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
    decided: str = ""
    why: str = ""

    @property
    def fingerprint(self) -> str:
        """Identifies the change, independent of its place in a file and of other changes: 16 hexadecimal digits."""
        content = msgspec.json.encode([self.rule, *self.subject, self.before, self.after], order="deterministic")
        return hashlib.blake2b(content, digest_size=8).hexdigest()


class ChangeBuilder(NamedTuple):
    """Builds the changes of one subject in two versions, under its former name. `assets`, `consumers`: those of the whole subject."""

    kind: SubjectKind
    name: str
    before: Version[Any] | None
    after: Version[Any] | None
    assets: tuple[AssetKey, ...] = ()
    consumers: tuple[AssetKey, ...] = ()

    def build_change(
        self,
        rule: str,
        part: Part = (),
        before: Json = None,
        after: Json = None,
        *,
        at: Part | None = None,
        assets: Iterable[AssetKey] | None = None,
        consumers: Iterable[AssetKey] | None = None,
        **details: Json,
    ) -> Change:
        """A change of a part, which is named as before. `at`: the part as it is named after, where that is another;
        `assets`, `consumers`: where they are not those of the whole subject.
        """
        file, line = self._find_place(part if at is None else at)
        return Change(
            rule,
            Subject(self.kind, self.name, part),
            before,
            after,
            self.assets if assets is None else deduplicate_keys(assets),
            self.consumers if consumers is None else deduplicate_keys(consumers),
            {name: value for name, value in details.items() if value is not None},
            file,
            line,
        )

    def _find_place(self, part: Part) -> tuple[str, int]:
        """File and line of the part, or of what contains it, in the new version; of a removed subject in the old one."""
        version = self.after or self.before
        return ("", 0) if version is None else (version.file, version.find_line(part))


def deduplicate_keys(keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
    """The keys in order, each once."""
    return tuple(dict.fromkeys(keys))


def fold_text(text: str) -> str:
    """A text without what does not matter in it: how it is wrapped and indented."""
    return " ".join(text.split())

"""Builds the changes of one compared subject, with its file and line, its assets and consumers; and those of its columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.governance.diff.schema_match import Column, Fold, Forms
from meshline.graph import model
from meshline.graph.contracts import Part, Version
from meshline.graph.model import AssetKey, Json


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


class TableScope(NamedTuple):
    """Builds the changes of the columns of a table.

    `part`: the part of the subject that contains the columns; `at`: the same part in the new version. `datasets`: the datasets whose
    columns they are. `table`: the table's name in sentences, if it is needed. `read`: the words in which their types are read,
    (before, after); `types`: the words in each of which they are compared; `physical`: the same for their physical types.
    `fold`: maps names that are one name to the same text. `promised`: what is not stated is not promised; otherwise it is unknown.
    """

    draft: ChangeBuilder
    part: Part = ()
    at: Part = ()
    datasets: tuple[AssetKey, ...] = ()
    table: str = ""
    read: tuple[str, str] = ("", "")
    types: Forms = (("", ""),)
    physical: Forms = (("", ""),)
    fold: Fold = str
    promised: bool = True

    def build_change(
        self,
        rule: str,
        column: Column,
        values: tuple[Json, Json] = (None, None),
        *,
        now: Column | None = None,
        of: Iterable[Column] = (),
        detail: str = "",
        **details: Json,
    ) -> Change:
        """A change of a column of before, or an added one. `now`: the same column after; `of`: what else of before is changed
        with it; `detail`: what of it, where several may change alike.
        """
        assets = [model.build_column_key(dataset, one.name) for dataset in self.datasets for one in (column, *of)]
        part = (*self.part, "field", column.path, *filter(None, (detail,)))
        at = (*self.at, "field", (now or column).path)
        change = self.draft.build_change(rule, part, *values, at=at, assets=assets)
        return change._replace(details={"field": self.format_name(column.name), **details})

    def format_name(self, name: str) -> str:
        """The name of a column in sentences."""
        return f"{self.table}.{name}" if self.table else name

"""What all changes of one compared thing have in common: whose they are, where they stand, who is bound to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.graph.definitions import Part, Version
from meshline.graph.model import AssetKey, Json


class Draft(NamedTuple):
    """A thing in two versions, under its name of before. `assets`, `consumers`: those of the whole thing."""

    kind: SubjectKind
    name: str
    before: Version[Any] | None
    after: Version[Any] | None
    assets: tuple[AssetKey, ...] = ()
    consumers: tuple[AssetKey, ...] = ()

    def change(
        self,
        rule: str,
        part: Part = (),
        before: Json = None,
        after: Json = None,
        *,
        at: Part | None = None,
        assets: Iterable[AssetKey] | None = None,
        consumers: Iterable[AssetKey] | None = None,
        **told: Json,
    ) -> Change:
        """A change of a part, which is named as before. `at`: the part as it is named after, where that is another;
        `assets`, `consumers`: where they are not those of the whole thing.
        """
        file, line = self._place(part if at is None else at)
        return Change(
            rule,
            Subject(self.kind, self.name, part),
            before,
            after,
            self.assets if assets is None else unique(assets),
            self.consumers if consumers is None else unique(consumers),
            {name: value for name, value in told.items() if value is not None},
            file,
            line,
        )

    def _place(self, part: Part) -> tuple[str, int]:
        """Where the part stands after, or what is around it; of a thing that is gone: before."""
        version = self.after or self.before
        return ("", 0) if version is None else (version.file, version.line(part))


def unique(keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
    return tuple(dict.fromkeys(keys))


def folded(text: str) -> str:
    """A text without what does not matter in it: how it is wrapped and indented."""
    return " ".join(text.split())

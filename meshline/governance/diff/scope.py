"""Where the columns are that are compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshline.governance.changes import Change
from meshline.governance.diff.columns import Column
from meshline.governance.diff.draft import Draft
from meshline.governance.diff.models import Forms
from meshline.governance.types.dialects import Fold
from meshline.graph import model
from meshline.graph.definitions import Part
from meshline.graph.model import AssetKey, Json


class Scope(NamedTuple):
    """`part` of the thing, which is `at` after; `datasets`: of which they are columns; `table`: its name in sentences, if it is needed.

    `read`: the words in which their types are read, (before, after); `types`: in each of which they are compared; `physical`: the same
    of their physical types.
    `fold`: names that are one name. `promised`: what is not said is not promised; else it is not known.
    """

    draft: Draft
    part: Part = ()
    at: Part = ()
    datasets: tuple[AssetKey, ...] = ()
    table: str = ""
    read: tuple[str, str] = ("", "")
    types: Forms = (("", ""),)
    physical: Forms = (("", ""),)
    fold: Fold = str
    promised: bool = True

    def change(
        self,
        rule: str,
        column: Column,
        said: tuple[Json, Json] = (None, None),
        *,
        now: Column | None = None,
        of: Iterable[Column] = (),
        detail: str = "",
        **told: Json,
    ) -> Change:
        """A change of a column of before, or an added one. `now`: the same column after; `of`: what else of before is changed
        with it; `detail`: what of it, where several may change alike.
        """
        assets = [model.column(dataset, one.name) for dataset in self.datasets for one in (column, *of)]
        part = (*self.part, "field", column.path, *filter(None, (detail,)))
        at = (*self.at, "field", (now or column).path)
        change = self.draft.change(rule, part, *said, at=at, assets=assets)
        return change._replace(told={"field": self.called(column.name), **told})

    def called(self, name: str) -> str:
        return f"{self.table}.{name}" if self.table else name

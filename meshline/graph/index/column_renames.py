"""Renamed and dropped columns: a fact belongs to the column that had the name at the time of the fact.

As with datasets (`meshline.graph.index.renames`), a name with steps has a node for now and one for each
stretch that ended. The columns of merged datasets are one by name, so a step that is stated for one member's column is
a step of all members' columns of that name; and it belongs to the dataset that had the dataset's name at
the step's time. What the names of one dataset's columns meant over time is computed by functions without side effects.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from meshline.graph.index.arrays import COLUMN, GONE, NONE, PAST
from meshline.graph.index.identity import Identity
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.mentions import collect_scopes_mentioning, list_mentioned
from meshline.graph.index.renames import DatasetRenames


class ColumnStep(NamedTuple):
    """From `time` (microseconds) on, a name does not mean the column that it meant before: that has another name, or is gone (None)."""

    time: int
    old: str
    new: str | None


class ColumnNames(NamedTuple):
    """All steps of the columns of one dataset, under any of its names.

    A fact means the column that had the name at its time; a fact that is observed at the time of a step
    means the column that has the name after the step.
    """

    exact: frozenset[str]  # casefolded names of which the dataset has several spellings
    steps: Mapping[str, tuple[ColumnStep, ...]]  # key -> steps of that name by time, one at each time

    @classmethod
    def from_steps(cls, stated: Iterable[ColumnStep], exact: Collection[str]) -> ColumnNames:
        """If a name has several steps at one time, one counts: a drop, else the first new name."""
        names = cls(frozenset(exact), {})
        found: dict[str, dict[int, ColumnStep]] = defaultdict(dict)
        for step in sorted(stated, key=lambda step: (step.time, step.new or "", step.old)):
            found[names.key(step.old)].setdefault(step.time, step)
        return names._replace(steps={key: tuple(by_time.values()) for key, by_time in found.items()})

    def key(self, name: str) -> str:
        """A key that is equal for names that mean the same column at one time."""
        fold = name.casefold()
        return f"={name}" if fold in self.exact else f"~{fold}"

    def has_steps(self, name: str) -> bool:
        return self.key(name) in self.steps

    def find_end(self, name: str, time: int) -> ColumnStep | None:
        """The first step of a name after a time: until then the name means what it meant at that time."""
        steps = self.steps.get(self.key(name), ())
        at = bisect_right(steps, time, key=lambda step: step.time)
        return steps[at] if at < len(steps) else None

    def find_current_name(self, step: ColumnStep) -> str | None:
        """The current name of the column that lost a name by this step; None if the column is gone."""
        following: ColumnStep | None = step
        name: str | None = step.old
        while following is not None:
            name = following.new
            following = None if name is None else self.find_end(name, following.time)
        return name

    def find_latest_name(self, name: str) -> str | None:
        """The current name of the column that last had this name; None if that is gone, or if the name has no steps."""
        steps = self.steps.get(self.key(name))
        return self.find_current_name(steps[-1]) if steps else None

    def list_former_names(self, name: str) -> list[tuple[str, int]]:
        """The earlier names of a column, each with the time until which it had it; oldest first."""
        steps = [step for of_name in self.steps.values() for step in of_name]
        return sorted(
            (
                (step.old, step.time)
                for step in steps
                if (now := self.find_current_name(step)) is not None and self.key(now) == self.key(name)
            ),
            key=lambda found: (found[1], found[0]),
        )


class ColumnRenames:
    """All renames and drops of columns that visible heads state, and the nodes of the stretches that they ended."""

    SAVED: ClassVar[Mapping[str, Any]] = {
        "_stated": dict[int, list[tuple[int, ColumnStep]]],
        "_stating": dict[int, set[int]],
        "_names": dict[int, ColumnNames],
        "_past": dict[int, dict[tuple[int, int], int]],
    }

    def __init__(self, tables: IndexTables, identity: Identity, renames: DatasetRenames) -> None:
        self._tables = tables
        self._identity = identity
        self._renames = renames
        self._stated: dict[int, list[tuple[int, ColumnStep]]] = {}  # scope id -> (base node of the dataset's name, step)
        self._stating: dict[int, set[int]] = defaultdict(set)  # base node -> scope ids
        self._names: dict[int, ColumnNames] = {}  # dataset -> what its class's names mean, if there are steps
        self._past: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)  # dataset -> (name, end of the stretch) -> its node
        self._texts: dict[int, dict[int, str | None]] = defaultdict(dict)  # dataset -> the results of `_find_stepped_text`
        self._changed: set[int] = set()

    def record(self, scope_id: int, dataset: int, step: ColumnStep) -> None:
        """Record that a head states a rename or drop of a column of a dataset."""
        base = self._renames.get_base(dataset)
        self._stated.setdefault(scope_id, []).append((base, step))
        self._stating[base].add(scope_id)
        self._changed.add(base)
        self._renames.schedule_rewrite(scope_id)

    def withdraw(self, scope_id: int) -> None:
        """Forget the steps that a head stated which is gone."""
        for base, _ in self._stated.pop(scope_id, ()):
            self._stating[base].discard(scope_id)
            if not self._stating[base]:
                del self._stating[base]
            self._changed.add(base)

    def retime(self, scope_id: int, time: int) -> None:
        """Follow a head with the same content as before and another time."""
        stated = self._stated.get(scope_id)
        if stated is not None:
            self._stated[scope_id] = [(base, step._replace(time=time)) for base, step in stated]
            self._changed |= {base for base, _ in stated}
        if self._stated:
            self._renames.schedule_rewrite(scope_id)

    def list_stating(self) -> set[int]:
        """The ids of the scopes whose heads state renames or drops of columns."""
        return {*self._stated}

    def find_names(self, dataset: int) -> ColumnNames | None:
        """What the names of a dataset's columns meant over time; None if no name has steps."""
        return self._names.get(dataset)

    def settle(self, rewritten: set[int]) -> bool:
        """Bring stretches and heads in step with the stated renames and with the classes of datasets; whether heads were rewritten.

        `rewritten`: scope ids of heads that may refer to other datasets than before, or have another time.
        """
        if not self._stated and not self._changed:
            return False
        for base in self._changed:
            for dataset in self._renames.list_stretches(base):
                self._identity.mark_columns_changed(dataset)
        self._changed.clear()
        columns = [column for members in self._identity.iterate_unsettled() for column in self._rename(members)]
        heads = [
            self._tables.heads.find_current(scope_id) for scope_id in sorted(rewritten | collect_scopes_mentioning(self._tables, columns))
        ]
        changed = [head for head in heads if head != NONE and self._rewrite_head(head)]
        return bool(changed)

    def _rename(self, members: list[int]) -> list[int]:
        """Compute what the names of a class mean now; gives the columns whose heads must be rewritten."""
        names = self._collect_names(members)
        columns: list[int] = []
        for dataset in members:
            before = self._names.pop(dataset, None)
            self._texts.pop(dataset, None)
            if names is not None:
                self._names[dataset] = names
            if before is not None or names is not None:
                self._renames.mark(dataset, moved=names is not None)
            if (before and before.steps) != (names and names.steps):
                columns += self._list_affected(dataset, before, names)
            for (name, end), node in self._past.get(dataset, {}).items():
                self._place(node, names, self._tables.get_text(name), end)
        return columns

    def _collect_names(self, members: list[int]) -> ColumnNames | None:
        """What the names of the columns of a class mean over time; None if no name has steps."""
        if self._tables.nodes.traits[members[0]] & GONE:
            return None
        steps: set[ColumnStep] = set()
        for dataset in members:
            base = self._renames.get_base(dataset)
            stated = (found for scope_id in self._stating.get(base, ()) for found in self._stated[scope_id])
            steps |= {step for of, step in stated if of == base and self._renames.find_at(base, step.time) == dataset}
        return ColumnNames.from_steps(steps, self._identity.collect_distinct_names(members)) if steps else None

    def _list_affected(self, dataset: int, *names: ColumnNames | None) -> Iterable[int]:
        """The columns of a dataset that have steps."""
        tables = self._tables
        for column in tables.list_children(dataset):
            name = tables.get_text(int(tables.nodes.part2[column]))
            if tables.nodes.traits[column] & PAST or any(known.has_steps(name) for known in names if known is not None):
                yield column

    def _place(self, node: int, names: ColumnNames | None, name: str, end: int) -> None:
        """Set the name that continues the node of a stretch, or hide the node. Without a step nothing refers to it."""
        step = None if names is None else names.find_end(name, end - 1)
        ended = names is not None and step is not None and step.time == end
        now = names.find_current_name(step) if names is not None and step is not None and ended else None
        self._identity.continue_column_as(node, now)
        traits = self._tables.nodes.traits
        gone = (ended and now is None) or traits[self._tables.nodes.part1[node]] & GONE
        traits[node] = (traits[node] | GONE) if gone else (traits[node] & (255 - GONE))

    def _rewrite_head(self, head: int) -> bool:
        """Make a head refer to the columns of its time; whether it referred to others, or to columns that are gone."""
        tables = self._tables
        time, scope_id = int(tables.heads.observed_at[head]), int(tables.heads.scope_id[head])
        ended = {(base, step.old) for base, step in self._stated.get(scope_id, ())}
        own = list_mentioned(tables, head)
        own = own[tables.nodes.kind[own] == COLUMN]
        of, past = tables.nodes.part1[own].tolist(), (tables.nodes.traits[own] & PAST != 0).tolist()
        mapping: dict[int, int] = {}
        for node, dataset, name, is_past in zip(own.tolist(), of, tables.nodes.part2[own].tolist(), past, strict=True):
            text = self._find_stepped_text(dataset, name)
            before = text is not None and (self._renames.get_base(dataset), text) in ended
            target = None if text is None else self._make_stretch(dataset, name, text, time - 1 if before else time)
            if target is not None:
                mapping[node] = target
            elif is_past:
                mapping[node] = tables.make_node(COLUMN, dataset, name)
        if mapping:
            tables.rewrite_head(head, mapping)
        return bool(mapping)

    def _make_stretch(self, dataset: int, name: int, text: str, time: int) -> int | None:
        """The node of the stretch of a column's name to which a time belongs; None: it still has the name."""
        names = self._names[dataset]
        step = names.find_end(text, time)
        if step is None:
            return None
        node = self._past[dataset].get((name, step.time))
        if node is None:
            node = self._past[dataset][name, step.time] = self._tables.make_node(COLUMN, dataset, name, past=True)
            self._place(node, names, text, step.time)
            self._identity.mark_columns_changed(dataset)
        return node

    def _find_stepped_text(self, dataset: int, name: int) -> str | None:
        """The text of a column's name if that has steps, else None."""
        names = self._names.get(dataset)
        if names is None:
            return None
        known = self._texts[dataset]
        if name not in known:
            text = self._tables.get_text(name)
            known[name] = text if names.has_steps(text) else None
        return known[name]

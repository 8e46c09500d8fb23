"""Renamed and dropped datasets: a fact belongs to the dataset that had the name at the time of the fact.

After a rename of `old` to `new` at t, facts about `old` that were observed before t are about `new`. After a drop at t,
facts that were observed up to t are gone. A name with such steps has a node for now, and one for each stretch of time
that a step ended; heads are rewritten to the node of their time. The node of a stretch is gone, or is joined to
the node that continues it (`Identity.continue_as`), so that all of it can be undone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, ClassVar, NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLLIDES, COLUMN, DATASET, GONE, MOVED, N_NODES, NONE, PAST
from meshline.graph.index.identity import Identity
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.mentions import collect_scopes_mentioning, list_mentioned


class Step(NamedTuple):
    """The rename or drop that ended a stretch of a name. Facts observed before `boundary` (microseconds) belong to the stretch."""

    time: int
    dropped: bool
    target: int  # the node of the new name, or NONE

    @property
    def boundary(self) -> int:
        return self.time + self.dropped


_NEVER = -(2**63)  # before all times


def _get_boundary(step: Step) -> int:
    return step.boundary


class DatasetRenames:
    """All renames and drops that visible heads state, and the nodes of the stretches that they ended."""

    SAVED: ClassVar[Mapping[str, Any]] = {
        "_stated": dict[int, list[tuple[int, Step]]],
        "_steps": dict[int, list[Step]],
        "_past": dict[tuple[int, int], int],
        "_ended": dict[int, Step],
        "_placed": dict[int, tuple[int | None, bool]],
        "_base": dict[int, int],
        "_stepped": set[int],
    }

    def __init__(self, tables: IndexTables, identity: Identity) -> None:
        self._tables = tables
        self._identity = identity
        self._stated: dict[int, list[tuple[int, Step]]] = {}  # scope id -> (base node of the name, step)
        self._steps: dict[int, list[Step]] = {}  # base node -> its steps by time
        self._past: dict[tuple[int, int], int] = {}  # (base node, boundary) -> the node of the stretch that ended there
        self._ended: dict[int, Step] = {}  # node of a stretch -> the step that ended it
        self._placed: dict[int, tuple[int | None, bool]] = {}  # node of a stretch -> the node that continues it, and whether it is gone
        self._base: dict[int, int] = {}  # node of a stretch -> base node
        # What is derived: settling a step costs as much as the nodes whose place changes, however many steps there are.
        self._stating: dict[tuple[int, int], Counter[Step]] = defaultdict(Counter)  # (base node, boundary) -> steps, how often stated
        self._leading: dict[int, list[tuple[int, int]]] = defaultdict(list)  # base node -> (time, node of a stretch) renamed to it, sorted
        self._continuing: dict[int, set[int]] = defaultdict(set)  # node -> the nodes of stretches that it continues
        self._changed: set[tuple[int, int]] = set()  # (base node, boundary)
        self._loose: set[int] = set()  # scope ids of heads to rewrite
        self._stepped: set[int] = set()  # datasets with renamed or dropped columns (`meshline.graph.index.column_renames`)

    def restore(self) -> None:
        """Derive the rest, after all that is `SAVED` is there."""
        for stated in self._stated.values():
            for base, step in stated:
                self._stating[base, step.boundary][step] += 1
        for node, step in self._ended.items():
            if not step.dropped:
                self._leading[step.target].append((step.time, node))
        for leading in self._leading.values():
            leading.sort()
        for node, (continued, _) in self._placed.items():
            if continued is not None:
                self._continuing[continued].add(node)

    def record_rename(self, scope_id: int, old: int, new: int, time: int) -> None:
        """Record that a head states a rename of a dataset."""
        old, new = self.get_base(old), self.get_base(new)
        if old != new:
            self._record(scope_id, old, Step(time, dropped=False, target=new))
            self._loose.add(scope_id)

    def record_drop(self, scope_id: int, dataset: int, time: int) -> None:
        """Record that a head states a drop of a dataset."""
        self._record(scope_id, self.get_base(dataset), Step(time, dropped=True, target=NONE))

    def _record(self, scope_id: int, base: int, step: Step) -> None:
        self._stated.setdefault(scope_id, []).append((base, step))
        self._stating[base, step.boundary][step] += 1
        self._changed.add((base, step.boundary))

    def withdraw(self, scope_id: int) -> None:
        """Forget the steps that a head stated which is gone."""
        for base, step in self._stated.pop(scope_id, ()):
            place = base, step.boundary
            self._changed.add(place)
            self._stating[place][step] -= 1
            if not self._stating[place][step]:
                del self._stating[place][step]
            if not self._stating[place]:
                del self._stating[place]

    def retime(self, scope_id: int, time: int) -> None:
        """Follow a head with the same content as before and another time."""
        stated = self._stated.get(scope_id)
        if stated is not None:
            self.withdraw(scope_id)
            for base, step in stated:
                self._record(scope_id, base, step._replace(time=time))
        if self._steps or self._changed:
            self._loose.add(scope_id)

    def list_stating(self) -> set[int]:
        """The ids of the scopes whose heads state renames or drops of datasets."""
        return {*self._stated}

    def collect_scopes_with_steps(self) -> set[int]:
        """The scopes whose heads mention names that mean different datasets or columns at different times."""
        nodes, n = self._tables.nodes, int(self._tables.counts[N_NODES])
        moved = nodes.traits[:n] & (MOVED | PAST) != 0
        columns = np.flatnonzero(nodes.kind[:n] == COLUMN)
        moved[columns] |= moved[nodes.part1[columns]]
        return collect_scopes_mentioning(self._tables, np.flatnonzero(moved).tolist())

    def schedule_rewrite(self, scope_id: int) -> None:
        """Have a head rewritten by the next `settle`: it mentions a name that has steps."""
        self._loose.add(scope_id)

    def get_base(self, dataset: int) -> int:
        return self._base.get(dataset, dataset)

    def settle(self) -> set[int]:
        """Bring stretches and heads in step with the stated renames; gives the scope ids of the heads that were examined."""
        if self._changed:
            changed, self._changed = self._changed, set()
            self._loose |= self._collect_scopes_mentioning(self._update_steps(changed))
        for scope_id in sorted(self._loose):
            head = self._tables.heads.find_current(scope_id)
            if head != NONE:
                self._rewrite_head(head)
        looked_at, self._loose = self._loose, set()
        return looked_at

    def list_stretches(self, base: int) -> list[int]:
        """All nodes that a name has, or had in ended stretches."""
        return [base, *(self._past[base, step.boundary] for step in self._steps.get(base, ()))]

    def mark(self, dataset: int, *, moved: bool) -> None:
        """Note whether the columns of a dataset have steps: then heads that mention its name must be rewritten."""
        (self._stepped.add if moved else self._stepped.discard)(dataset)
        self._update_mark(self.get_base(dataset))

    def _update_mark(self, base: int) -> None:
        moved = base in self._steps or not self._stepped.isdisjoint(self.list_stretches(base))
        traits = self._tables.nodes.traits
        traits[base] = (traits[base] | MOVED) if moved else (traits[base] & (255 - MOVED))

    def find_at(self, base: int, time: int) -> int:
        """The node of a name for a fact of a time."""
        steps = self._steps.get(base, [])
        return self._get_node(base, bisect_right(steps, time, key=lambda step: step.boundary))

    def find_latest(self, base: int) -> int:
        """The node that last had a name without current facts: that of its last stretch, else of the name."""
        steps = self._steps.get(base)
        return self._past[base, steps[-1].boundary] if steps else base

    def _find_after(self, base: int, time: int) -> int:
        """The node of a name after all steps up to a time: the target of a rename at that time."""
        steps = self._steps.get(base, [])
        return self._get_node(base, bisect_right(steps, time, key=lambda step: step.time))

    def _get_node(self, base: int, index: int) -> int:
        steps = self._steps.get(base, [])
        return base if index == len(steps) else self._past[base, steps[index].boundary]

    def _update_steps(self, places: Iterable[tuple[int, int]]) -> set[int]:
        """Replace the steps at these places (base node, boundary) by the stated ones; gives the nodes whose facts may belong to others."""
        affected: set[int] = set()
        unplaced: set[int] = set()  # nodes of stretches
        for base, boundary in places:
            steps = self._steps.get(base, [])
            at = bisect_left(steps, boundary, key=_get_boundary)
            before = steps[at] if at < len(steps) and steps[at].boundary == boundary else None
            now = self._choose_step(base, boundary)
            if before == now:
                continue
            node = self._make_past(base, boundary)
            if before is None or now is None:
                affected |= {node, self._get_node(base, at if before is None else at + 1)}
            steps[at : at if before is None else at + 1] = [] if now is None else [now]
            self._set_steps(base, steps)
            self._set_end(node, now)
            since = steps[at - 1].time if at else _NEVER
            until = max(step.time for step in (before, now) if step is not None)
            unplaced.add(node)
            unplaced |= {leading for _, leading in self._list_leading(base, since, until)}
        affected |= self._place_all(unplaced)
        for node in affected:
            self._identity.mark_changed(node)
        return affected

    def _choose_step(self, base: int, boundary: int) -> Step | None:
        """The step that ends a stretch. Of several that are stated, one counts: a drop, else the first target by name."""
        stated = self._stating.get((base, boundary), ())
        return min(stated, key=lambda s: (not s.dropped, () if s.target == NONE else self._tables.get_parts(s.target)), default=None)

    def _set_steps(self, base: int, steps: list[Step]) -> None:
        if steps:
            self._steps[base] = steps
        else:
            self._steps.pop(base, None)
        self._update_mark(base)

    def _set_end(self, node: int, step: Step | None) -> None:
        """Set the step that ended a stretch."""
        before = self._ended.pop(node, None)
        if before is not None and not before.dropped:
            leading = self._leading[before.target]
            del leading[bisect_left(leading, (before.time, node))]
        if step is not None:
            self._ended[node] = step
            if not step.dropped:
                insort(self._leading[step.target], (step.time, node))

    def _list_leading(self, base: int, since: int, until: int) -> list[tuple[int, int]]:
        """The stretches that were renamed to a name at these times, both included."""
        leading = self._leading.get(base, [])
        return leading[bisect_left(leading, (since, NONE)) : bisect_right(leading, until, key=lambda one: one[0])]

    def _place_all(self, nodes: set[int]) -> set[int]:
        """Place the nodes of stretches, and those that they continue where these follow; gives those that became hidden or visible."""
        switched: set[int] = set()
        todo = [(-self._ended[node].time if node in self._ended else _NEVER, node) for node in nodes]
        heapify(todo)  # the newest first: a stretch is hidden if what continues it is, and that ended later
        while todo:
            _, node = heappop(todo)
            was_gone = self._is_gone(node)
            if self._place(node, self._ended.get(node)):
                switched.add(node)
            if self._is_gone(node) != was_gone:
                for other in self._continuing.get(node, ()):
                    if other in self._ended:
                        heappush(todo, (-self._ended[other].time, other))
        return switched

    def _make_past(self, base: int, boundary: int) -> int:
        """The node of the stretch that ends there."""
        node = self._past.get((base, boundary))
        if node is None:
            nodes = self._tables.nodes
            node = self._tables.make_node(DATASET, int(nodes.part1[base]), int(nodes.part2[base]), past=True)
            self._past[base, boundary] = node
            self._base[node] = base
        return node

    def _place(self, node: int, step: Step | None) -> bool:
        """Join the node of a stretch to the node that continues it, or hide it. Without a step nothing refers to it.

        Gives whether the node became hidden or visible: another step may be at the same boundary now.
        """
        continued = None if step is None or step.dropped else self._find_after(step.target, step.time)
        gone = step is not None and (continued is None or self._is_gone(continued))
        before = self._placed.get(node)
        if before == (continued, gone):
            return False
        if before is not None and before[0] is not None:
            self._continuing[before[0]].discard(node)
        if continued is not None:
            self._continuing[continued].add(node)
        self._placed[node] = continued, gone
        self._identity.continue_as(node, None if gone else continued)
        self._mark(node, gone=gone)
        return before is not None and before[1] != gone

    def _is_gone(self, node: int) -> bool:
        """Whether the dataset of the node was dropped in the end."""
        return self._placed.get(node, (None, False))[1]

    def _mark(self, dataset: int, *, gone: bool) -> None:
        traits = self._tables.nodes.traits
        for node in (dataset, *self._tables.list_children(dataset)):
            if gone:
                traits[node] |= GONE
            else:
                traits[node] &= 255 - GONE
        self._identity.mark_changed(dataset)

    def _collect_scopes_mentioning(self, datasets: set[int]) -> set[int]:
        """The scopes whose heads mention any of these datasets or a column of them."""
        tables = self._tables
        return collect_scopes_mentioning(tables, [*datasets, *(column for dataset in datasets for column in tables.list_children(dataset))])

    def _rewrite_head(self, head: int) -> None:
        """Make a head refer to the nodes of its time."""
        tables = self._tables
        mentions = list_mentioned(tables, head)
        if not (tables.nodes.traits[mentions] & (MOVED | PAST)).any():
            return
        time = int(tables.heads.observed_at[head])
        renamed = {base for base, step in self._stated.get(int(tables.heads.scope_id[head]), ()) if not step.dropped}
        mapping: dict[int, int] = {}
        for node in mentions.tolist():
            target = self._find_target(node, time, renamed)
            if target is not None:
                mapping[node] = target
        if mapping:
            before = self._identity.collect_relations(head)
            head = tables.rewrite_head(head, mapping)
            for relation in before ^ self._identity.collect_relations(head):
                self._identity.mark_relation_changed(relation)

    def _find_target(self, node: int, time: int, renamed: Iterable[int]) -> int | None:
        """The node to which a fact of a time about a node belongs; None for nodes without steps."""
        tables = self._tables
        if tables.nodes.kind[node] == COLUMN:
            dataset = int(tables.nodes.part1[node])
            target = self._find_target(dataset, time, renamed)
            if target is None or target == dataset:
                return None if target is None else node
            column = tables.make_node(COLUMN, target, int(tables.nodes.part2[node]))
            if tables.nodes.traits[target] & GONE:
                tables.nodes.traits[column] |= GONE
            self._identity.mark_columns_changed(target)
            if tables.nodes.traits[dataset] & COLLIDES:  # a listing that distinguishes its names by case may be gone
                self._identity.mark_columns_changed(dataset)
            return column
        if tables.nodes.kind[node] != DATASET:
            return None
        base = self.get_base(node)
        if base == node and base not in self._steps:
            return None
        return self.find_at(base, time - 1 if base in renamed else time)

"""Impact: everything that some assets affect (or, upstream, come from), counted, filtered, a page at a time.

No object is made for each affected asset: counts come from `bincount`, and pages sort only what they show. Arrays are sorted
by numbers (reach, distance, kind); names are made only for the assets with equal numbers that a page reads, first of their datasets.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.graph.index import Affected, Completeness, Direction, LineageIndex, Reach, Traversal
from meshline.graph.index.results import Ints
from meshline.graph.model import KINDS, AssetKind
from meshline.graph.queries.granted_readers import Readers
from meshline.graph.queries.groups import Groups
from meshline.graph.queries.pages import KIND_ORDER, UNLIMITED, Limits, SortKey


class Number(enum.Enum):
    """A number by which assets are sorted before their names."""

    REACH = enum.auto()
    DISTANCE = enum.auto()
    KIND = enum.auto()


class Place(NamedTuple):
    """A row of `Affected` with its sort key."""

    key: SortKey
    row: int


class Ranking:
    """The order of affected assets by some numbers, then by names."""

    def __init__(self, index: LineageIndex, affected: Affected, groups: Groups, order: Sequence[Number]) -> None:
        self.index = index
        self.affected = affected
        self.groups = groups
        self.order = order

    def list_places(self, rows: Ints, after: SortKey | None) -> Iterator[Place]:
        """These rows of `affected` in order, lazily, those after a cursor's key. `rows`: int32."""
        columns = [self._get_numbers(number)[rows].astype(np.int64) for number in self.order]
        sizes = [int(column.max(initial=0)) + 1 for column in columns]
        code = np.zeros(rows.size, np.int64)
        for column, size in zip(columns, sizes, strict=True):
            code = code * size + column
        for number_code in _list_distinct(code):
            numbers = _split_code(number_code, sizes)
            if after is None or numbers >= after.numbers:
                names = after.names if after is not None and numbers == after.numbers else None
                yield from self._sort_by_name(rows[code == number_code], numbers, names)

    def _get_numbers(self, number: Number) -> Ints:
        if number is Number.DISTANCE:
            return self.affected.distance
        return (self.affected.reach if number is Number.REACH else self.groups.kind).astype(np.int32)

    def _sort_by_name(self, rows: Ints, numbers: tuple[int, ...], after: tuple[str, ...] | None) -> Iterator[Place]:
        """Rows with equal numbers, sorted by name; those after the names of a cursor's key."""
        units = self.groups.unit[rows]
        sequence = np.argsort(units, kind="stable")
        rows = rows[sequence]
        distinct, starts = np.unique(units[sequence], return_index=True)
        ends = [*starts[1:].tolist(), rows.size]
        named = sorted(
            (self._build_name(node), start, end) for node, start, end in zip(distinct.tolist(), starts.tolist(), ends, strict=True)
        )
        for name, start, end in named:
            if after is None or name >= after[: len(name)]:
                for full, row in sorted((self._build_full_name(row, name), row) for row in rows[start:end].tolist()):
                    if after is None or full > after:
                        yield Place(SortKey(numbers, full), row)

    def _build_name(self, node: int) -> tuple[str, ...]:
        """The names to sort an asset by. The namespace distinguishes `a/b` + `c` from `a` + `b/c`."""
        key = self.index.assets.get_key(node)
        return (key.qualified_name, key.parts[0], key.kind)

    def _build_full_name(self, row: int, unit: tuple[str, ...]) -> tuple[str, ...]:
        key = self.index.assets.get_key(int(self.affected.nodes[row]))
        return (*unit, key.name) if key.kind is AssetKind.COLUMN else unit


def _list_distinct(codes: npt.NDArray[np.int64]) -> list[int]:
    """The distinct codes, sorted. Codes are mostly few and small: then counting is faster than sorting."""
    few = codes.max(initial=0) < 2 * codes.size
    found: list[int] = (np.flatnonzero(np.bincount(codes)) if few else np.unique(codes)).tolist()
    return found


def _split_code(code: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """The numbers that a code was made of."""
    digits: list[int] = []
    for size in reversed(sizes):
        code, digit = divmod(code, size)
        digits.append(digit)
    return tuple(reversed(digits))


class ImpactOrder(enum.StrEnum):
    """The first criterion by which affected assets are sorted; the others follow, then kind and name."""

    REACH = "REACH"  # the surest first, then the nearest
    DISTANCE = "DISTANCE"  # the nearest first, then the surest
    KIND = "KIND"
    NAME = "NAME"


class Count(NamedTuple):
    """The number of affected assets in a group; `key` is a kind, a reach or the id of `node` (empty for assets in no group)."""

    key: str
    label: str
    node: int | None
    size: int


class Impacted(NamedTuple):
    """One affected asset. `distance`: flows on a shortest path of this reach; `masked`: all paths of this reach are masked."""

    key: SortKey
    node: int
    reach: Reach
    distance: int
    masked: bool


class ImpactPage(NamedTuple):
    """Some of the wanted assets in order. `total`: the number of all wanted assets."""

    entries: tuple[Impacted, ...]
    has_next: bool
    total: int


class ImpactFilter(NamedTuple):
    """A filter of affected assets: all given criteria must match. `domain`, `product`, `owner` and `reader` are nodes."""

    kinds: Sequence[AssetKind] = ()
    reach: Sequence[Reach] = ()
    domain: int | None = None
    product: int | None = None
    owner: int | None = None
    reader: int | None = None
    masked: bool | None = None


EVERYTHING = ImpactFilter()


def compute_impact(
    index: LineageIndex,
    starts: Sequence[int],
    direction: Direction = Direction.DOWNSTREAM,
    *,
    reach: Reach = Reach.POSSIBLE,
    depth: int | None = None,
    seen_since: int | None = None,
    promises: bool = True,
    limits: Limits = UNLIMITED,
) -> Impact:
    """What the starts affect downstream; UPSTREAM: what they come from (provenance). See `LineageFacet.traverse`."""
    found = index.lineage.traverse(
        starts,
        direction,
        reach=reach,
        depth=depth,
        max_nodes=limits.nodes,
        deadline=limits.deadline,
        seen_since=seen_since,
        promises=promises,
    )
    return Impact(index, tuple(starts), found)


class Impact:
    """The answer of one traversal, valid until the index changes."""

    def __init__(self, index: LineageIndex, starts: tuple[int, ...], traversal: Traversal) -> None:
        self.index = index
        self.starts = starts
        self.traversal = traversal

    @cached_property
    def completeness(self) -> Completeness:
        return self.traversal.completeness._replace(hidden=self.traversal.count_hidden(affected=True))

    @cached_property
    def affected(self) -> Affected:
        return self.traversal.compute_affected()

    @cached_property
    def groups(self) -> Groups:
        return Groups(self.index, self.affected.nodes)

    @cached_property
    def readers(self) -> Readers:
        return Readers(self.index, self.groups.nodes, self.groups.unit)

    @cached_property
    def _row_of(self) -> Ints:
        """By node: its row in `affected`, or -1 (int32)."""
        nodes = self.affected.nodes
        rows = np.full(int(nodes.max(initial=-1)) + 1, -1, np.int32)
        rows[nodes] = np.arange(nodes.size, dtype=np.int32)
        return rows

    def find_row(self, node: int) -> int | None:
        """The row of an asset in `affected`; None if it is not affected."""
        row = int(self._row_of[node]) if node < self._row_of.size else -1
        return None if row < 0 else row

    @property
    def total(self) -> int:
        return int(self.affected.nodes.size)

    # -- counts

    def count_by_kind(self) -> list[Count]:
        counts = np.bincount(self.groups.kind, minlength=len(KINDS)).tolist()
        return [Count(kind, kind, None, count) for kind, count in zip(KINDS, counts, strict=True) if count]

    def count_by_reach(self) -> list[Count]:
        counts = np.bincount(self.affected.reach, minlength=len(Reach)).tolist()
        return [Count(reach.name, reach.name, None, count) for reach, count in zip(Reach, counts, strict=True) if count]

    def count_by_domain(self) -> list[Count]:
        return self._list_counts(self.groups.count_by_domain(), "no domain")

    def count_by_product(self) -> list[Count]:
        return self._list_counts(self.groups.count_by_product(), "no product")

    def count_by_owner(self) -> list[Count]:
        """An asset with two owners counts for both."""
        return self._list_counts(self.groups.count_by_owner(), "no owner")

    def count_by_reader(self) -> list[Count]:
        """A dataset or column counts for each who may read it, or some of it, by the grants that sources state."""
        return self._list_counts(self.readers.count(), "no stated grant")

    def _list_counts(self, sizes: Mapping[int | None, int], nothing: str) -> list[Count]:
        """The largest group first, the assets in no group last. `nothing`: the label of these."""
        counts = [self._build_count(node, size, nothing) for node, size in sizes.items()]
        return sorted(counts, key=lambda count: (count.node is None, -count.size, count.label, count.key))

    def _build_count(self, node: int | None, size: int, nothing: str) -> Count:
        if node is None:
            return Count("", nothing, None, size)
        label = self.index.assets.get_label(node)
        return Count(label.id, label.name, node, size)

    # -- pages

    def build_page(
        self, wanted: ImpactFilter = EVERYTHING, order: ImpactOrder = ImpactOrder.REACH, *, first: int, after: SortKey | None = None
    ) -> ImpactPage:
        """The first so many wanted assets in order, after a cursor's key."""
        rows = self._filter_rows(wanted)
        ranking = Ranking(self.index, self.affected, self.groups, _ORDERS[order])
        found = tuple(self._build_impacted(place) for place in islice(ranking.list_places(rows, after), first + 1))
        return ImpactPage(found[:first], has_next=len(found) > first, total=rows.size)

    def _filter_rows(self, wanted: ImpactFilter) -> Ints:
        mask = np.ones(self.total, dtype=np.bool_)
        if wanted.kinds:
            mask &= np.isin(self.groups.kind, [KIND_ORDER[kind] for kind in wanted.kinds])
        if wanted.reach:
            mask &= np.isin(self.affected.reach, [int(reach) for reach in wanted.reach])
        if wanted.masked is not None:
            mask &= self.affected.masked == wanted.masked
        if wanted.product is not None:
            mask &= self.groups.is_in_product(wanted.product)
        if wanted.owner is not None:
            mask &= self.groups.is_owned_by(wanted.owner)
        if wanted.reader is not None:
            mask &= self.readers.mark_read_by(wanted.reader)
        if wanted.domain is not None:
            mask &= self.groups.is_in_domain(wanted.domain)
        return np.flatnonzero(mask).astype(np.int32)

    def _build_impacted(self, place: Place) -> Impacted:
        known, row = self.affected, place.row
        return Impacted(place.key, int(known.nodes[row]), Reach(int(known.reach[row])), int(known.distance[row]), bool(known.masked[row]))


_ORDERS: dict[ImpactOrder, tuple[Number, ...]] = {
    ImpactOrder.REACH: (Number.REACH, Number.DISTANCE, Number.KIND),
    ImpactOrder.DISTANCE: (Number.DISTANCE, Number.REACH, Number.KIND),
    ImpactOrder.KIND: (Number.KIND, Number.REACH, Number.DISTANCE),
    ImpactOrder.NAME: (),
}


def count_numbers(order: ImpactOrder) -> int:
    """The number of sort numbers in a cursor of this order."""
    return len(_ORDERS[order])

"""Identities that look wrong: merges of what is probably two, and names that are probably one."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from meshline.graph.index.answers import Ints
from meshline.graph.index.core import Core
from meshline.graph.index.lineage import LineageIndex
from meshline.graph.model import AssetKey, dataset
from meshline.graph.queries.likeness import ColumnSets, catalog_tables, near_misses, parted
from meshline.graph.queries.pages import SortKey

UNLIKE = 0.5  # members of one class that share less of their columns look like two tables
HELD = 0.8  # unless one has that much of the columns of the other


class ConflictKind(enum.StrEnum):
    """What looks wrong; in this order."""

    TWO_TABLES = "TWO_TABLES"  # one class, and catalogs that hold two tables of it
    UNLIKE_COLUMNS = "UNLIKE_COLUMNS"  # one class, and members with other columns
    NEAR_MISS = "NEAR_MISS"  # two classes with the same table name and mostly the same columns
    SESSION_NAME = "SESSION_NAME"  # classes that had one name in sessions of a producer: they were not joined by it


class Conflict(NamedTuple):
    """`names`: of a merge those members that do not seem to be one; of a near miss those that seem to be.

    `similarity`: how much of all their columns they have in common, 0 to 1.
    `sources`: the catalogs that hold the tables. `session_name`: what all of them were called in sessions.
    """

    kind: ConflictKind
    names: tuple[AssetKey, ...]
    similarity: float
    sources: tuple[str, ...] = ()
    session_name: AssetKey | None = None

    @property
    def key(self) -> SortKey:
        """Where it stands: what is most likely wrong comes first."""
        alike = round(self.similarity * 1000)
        doubt = -alike if self.kind is ConflictKind.NEAR_MISS else alike
        one_catalog = int(len(set(self.sources)) != 1)  # a catalog knows its tables apart
        names = (*self.names, *([self.session_name] if self.session_name else ()))
        return SortKey((_ORDER[self.kind], one_catalog, doubt), tuple(key.qualified_name for key in names))


_ORDER = {kind: place for place, kind in enumerate(ConflictKind)}


def conflicts(index: LineageIndex) -> list[Conflict]:
    """All of them, the most doubtful first. About a second for 100,000 datasets."""
    core = index.core
    sets = ColumnSets(core)
    found = [*_two_tables(core, sets), *_unlike(core, sets), *_near(core, sets), *_of_sessions(index, sets)]
    return sorted(found, key=lambda conflict: conflict.key)


def _two_tables(core: Core, sets: ColumnSets) -> Iterator[Conflict]:
    held = catalog_tables(core)
    by_class: dict[int, list[int]] = {}
    for table in held:
        by_class.setdefault(int(core.nodes.rep[table]), []).append(table)
    for tables in by_class.values():
        if len(tables) > 1:
            tables.sort(key=core.parts)
            sources = tuple(sorted({source for table in tables for source in held[table]}))
            one = next((source for source in sources if sum(source in held[table] for table in tables) > 1), None)
            yield Conflict(ConflictKind.TWO_TABLES, _keys(core, tables), sets.least_alike(tables)[0], (one,) if one else sources)


def _unlike(core: Core, sets: ColumnSets) -> Iterator[Conflict]:
    for members in sets.doubtful(UNLIKE):
        similarity, pair = sets.least_alike(members)
        if similarity < UNLIKE and sets.held(*pair) < HELD:
            yield Conflict(ConflictKind.UNLIKE_COLUMNS, _keys(core, sorted(pair, key=core.parts)), similarity)


def _near(core: Core, sets: ColumnSets) -> Iterator[Conflict]:
    apart = parted(core)
    for first, second, similarity in near_misses(core, sets):
        if frozenset((first, second)) not in apart:
            yield Conflict(ConflictKind.NEAR_MISS, _keys(core, sorted((first, second), key=core.parts)), similarity)


def _of_sessions(index: LineageIndex, sets: ColumnSets) -> Iterator[Conflict]:
    for name, datasets in index.session_names().items():
        if len(datasets) > 1:
            keys = tuple(sorted(map(index.key, datasets)))
            columns = [sets.of_class(one) for one in datasets]
            similarity = len(set.intersection(*columns)) / max(1, len(set.union(*columns)))
            yield Conflict(ConflictKind.SESSION_NAME, keys, similarity, session_name=dataset(*name))


def _keys(core: Core, nodes: list[int] | Ints) -> tuple[AssetKey, ...]:
    return tuple(core.key(node) for node in nodes)

"""From keys and ids to nodes. The key of any member finds a class; of a column also with the other names of its dataset."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import COLUMN, DATASET, MERGED, N_NODES, NONE, PAST
from meshline.graph.index.asset_names import Postings
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels import asset_ids
from meshline.graph.index.kernels.jit import is_compiled
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.results import Flags, Ints
from meshline.graph.index.snapshot_file import Array, add_prefix, select_arrays, take_array
from meshline.graph.index.suggestions import NameText
from meshline.graph.model import ID_PREFIX, KINDS, AssetKey, AssetKind, compute_asset_id
from meshline.graph.own_files import Unusable

_OF_PREFIX = {prefix: KINDS.index(kind) for kind, prefix in ID_PREFIX.items()}
Hashes: TypeAlias = npt.NDArray[np.uint64]

_ID_ARRAYS = ("hashes", "parts", "recent", "of_recent", "upto")  # in a snapshot, for each kind

_RECENT = 4096  # ids that are kept one by one before they are sorted in
_MOST_ENDINGS = 64  # last parts that a text ends with which are examined
_FOLDED = 250_000  # columns whose casefolded names are remembered, about 200 bytes each; those of any one dataset fit


class AssetLookup:
    """Finds assets by key and by id. The ids of a kind are hashed when the first id of that kind is looked up."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._shown = shown
        self._known: dict[int, _Ids] = {}
        self._folded = _FoldedNames(loader.tables, _FOLDED)
        self.names = NameText(loader.tables)
        self._by_last = Postings()  # nodes by the last part of their names
        self._visible: Flags | None = None
        self._decoys: dict[int, int] = {}  # by kind

    def copy_with(self, shown: DisplayNames, visible: Flags) -> AssetLookup:
        """The same look-up, which finds only what is visible in `shown`. Both share what they cache of names and ids.

        `visible`: of each node. What nothing has is looked up with the same steps as what is hidden, so that it takes as long.
        """
        found = copy(self)
        found._shown, found._visible, found._decoys = shown, visible, {}  # noqa: SLF001 - its own
        return found

    def find_by_key(self, key: AssetKey) -> int:
        """The representative of the visible asset with a key, or NONE."""
        is_column = key.kind is AssetKind.COLUMN
        node = self._tables.find_by_key(AssetKey(AssetKind.DATASET, key.parts[:2]) if is_column else key)
        if node != NONE:
            return self._find_present(key, node)
        decoy = self._find_decoy(DATASET if is_column else KINDS.index(key.kind))
        if decoy != NONE:
            self._find_present(key, decoy)
        return NONE

    def _find_present(self, key: AssetKey, node: int) -> int:
        """`node`: the asset with the key; of a column its dataset."""
        if key.kind is AssetKind.COLUMN:
            return self._find_column(node, key.name)
        return self._find_visible(self._resolve_dataset(node) if key.kind is AssetKind.DATASET else node)

    def _find_decoy(self, kind: int) -> int:
        """An asset of a kind that is hidden from the viewer; NONE if there is none, or nothing is hidden."""
        if self._visible is None:
            return NONE
        found = self._decoys.get(kind)
        if found is None:
            nodes = self._tables.nodes
            n = len(self._visible)
            hidden = np.flatnonzero((nodes.kind[:n] == kind) & ~self._visible & (nodes.traits[:n] & PAST == 0))
            found = self._decoys[kind] = int(hidden[0]) if len(hidden) else NONE
        return found

    def find_by_id(self, id_: str) -> int:
        """The representative of the visible asset with an id, or NONE."""
        prefix, _, digits = id_.partition("_")
        kind = _OF_PREFIX.get(prefix)
        if kind is None or len(digits) != 32 or not set(digits) <= set("0123456789abcdef"):
            return NONE
        for key in self._get_ids(kind).list_candidates(int(digits[:16], 16), self._find_decoy(kind)):
            node = self.find_by_key(key)  # of a decoy, too
            if key.id == id_ and node != NONE:
                return node
        return NONE

    def prepare_ids(self) -> None:
        """Hash the ids of columns and datasets, at which most queries start, so that the first query does not wait for it."""
        for kind in (COLUMN, DATASET):
            self._get_ids(kind).list_candidates(0)

    def collect_arrays(self) -> dict[str, Array]:
        """The hashed ids, for a snapshot: see `index_state`."""
        known: dict[str, Array] = {}
        for kind, ids in self._known.items():
            known |= add_prefix(f"ids.{kind}", ids.collect_arrays())
        return known

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Continue with these ids; those that are missing are hashed when they are needed. Raises Unusable."""
        for kind in range(len(KINDS)):
            if found := select_arrays(arrays, f"ids.{kind}"):
                self._get_ids(kind).restore(found)

    def _get_ids(self, kind: int) -> _Ids:
        ids = self._known.get(kind)
        if ids is None:
            ids = self._known[kind] = _Ids(self._loader, kind)
        return ids

    def _resolve_dataset(self, node: int) -> int:
        """The dataset that has the name now, else the one that continues the dataset that last had it."""
        return node if self._shown.is_visible(node) else self._loader.dataset_renames.find_latest(node)

    def _find_column(self, dataset: int, name: str) -> int:
        """The column that has the name now, else the column that last had it; NONE if several do."""
        members = self._tables.list_ring(self._resolve_dataset(dataset))
        found = self._find_named(members, name)
        names = self._loader.column_renames.find_names(members[0])
        if not found and names is not None and (now := names.find_latest_name(name)) is not None:
            found = self._find_named(members, now)
        return found.pop() if len(found) == 1 else NONE

    def _find_named(self, members: list[int], name: str) -> set[int]:
        """The visible columns (representatives) of a class that have a name now."""
        tables = self._tables
        number = tables.find_name(name)
        exact = [column for member in members if number != NONE and (column := tables.find_node(COLUMN, member, number)) != NONE]
        alike = exact or self._folded.find_columns(members, name.casefold())
        return {rep for column in alike if (rep := self._find_visible(column)) != NONE}

    def find_ending(self, kind: int, wanted: str) -> list[int]:
        """The visible assets of a kind of which the last part of a name ends with a text, or the text with it, in any case.

        Every asset with a name that ends with the text is among them, and a few others.
        """
        found = np.unique(self._tables.nodes.rep[self._list_named(kind, wanted)]).tolist()
        return [node for node in found if self._shown.is_visible(node)]

    def find_named(self, kind: int, wanted: str, most: int) -> list[int] | None:
        """The assets that have, or had, a name of which the last part ends with a text, or the text with it; None if it is more names."""
        named = self._list_named(kind, wanted)
        if len(named) > most:
            return None
        found = {self.find_by_key(self._tables.get_key(node)) for node in named.tolist()}
        return sorted(found - {NONE})

    def may_end(self, kind: int, wanted: str) -> bool:
        """False if no asset of a kind, also none that is not visible any more, has a name that ends with a text in any case."""
        names = np.unique(self._get_lasts(self._list_named(kind, wanted)))
        if kind != COLUMN or len(names) > _MOST_ENDINGS:
            return bool(len(names))
        folded = wanted.casefold()
        for last in (self._tables.get_text(name).casefold() for name in names.tolist()):
            before = folded.removesuffix(last) if last else ""
            if last.endswith(folded) or before in {"", "."} or (before[-1] == "." and self.may_end(DATASET, before[:-1])):
                return True
        return False

    def _list_named(self, kind: int, wanted: str) -> Ints:
        """The nodes of a kind of which the last part of the name ends with a text, or the text with it, in any case."""
        known, n = len(self._by_last), int(self._tables.counts[N_NODES])
        if known < n:
            self._by_last.add(self._get_lasts(slice(known, n)))
        found = self._by_last.find_rows(self.names.list_ending(wanted))
        return np.sort(found[self._tables.nodes.kind[found] == kind])

    def _get_lasts(self, nodes: Ints | slice) -> Ints:
        """The number of the last part of the name of each node."""
        part1, part2 = self._tables.nodes.part1[nodes], self._tables.nodes.part2[nodes]
        return np.where(part2 == NONE, part1, part2)

    def _find_visible(self, node: int) -> int:
        return int(self._tables.nodes.rep[node]) if node != NONE and self._shown.is_visible(node) else NONE


class _FoldedNames:
    """The columns of datasets by casefolded name: each name is folded once, however often missing names are looked up.

    The columns of a dataset are only ever appended, and keep their names. So cached names stay valid, and newer columns
    are added when the dataset is next looked up.
    """

    def __init__(self, tables: IndexTables, limit: int) -> None:
        """`limit`: the number of cached columns beyond which all datasets except the current one are dropped."""
        self._tables = tables
        self._limit = limit
        self._size = 0
        self._known: dict[int, tuple[int, dict[str, list[int]]]] = {}  # dataset -> (its last column, its columns by folded name)

    def find_columns(self, datasets: list[int], folded: str) -> list[int]:
        """The columns of exactly these datasets with a name in any case, except past ones."""
        traits = self._tables.nodes.traits
        return [column for dataset in datasets for column in self._get_names(dataset).get(folded, ()) if not traits[column] & PAST]

    def _get_names(self, dataset: int) -> dict[str, list[int]]:
        nodes = self._tables.nodes
        seen, names = self._known.get(dataset, (NONE, {}))
        last = int(nodes.child[dataset])
        if seen == last:
            return names
        if seen == NONE:
            new = self._tables.list_children(dataset)
        else:
            new = []
            while seen != last:
                seen = int(nodes.sibling[seen])
                new.append(seen)
        for column in new:
            names.setdefault(self._tables.get_text(int(nodes.part2[column])).casefold(), []).append(column)
        self._size += len(new)
        if self._size > self._limit:
            self._known.clear()
            self._size = sum(len(columns) for columns in names.values())
        self._known[dataset] = (last, names)
        return names


class _Ids:
    """The ids of one kind: their first 8 bytes, sorted, with the parts of the key.

    Entries are never removed: the caller compares the whole id, and looks up what the key finds now.
    """

    def __init__(self, loader: HeadLoader, kind: int) -> None:
        self._tables = loader.tables
        self._identity = loader.identity
        self._kind = kind
        self._upto = 0
        self._hashes: Hashes = np.empty(0, np.uint64)
        self._parts: Ints = np.empty((0, 2), np.int32)
        self._recent: dict[int, set[tuple[int, int]]] = {}

    def collect_arrays(self) -> dict[str, Array]:
        """All that is known, by the names of `_ID_ARRAYS`."""
        rows = [(hash_, *parts) for hash_, known in self._recent.items() for parts in known]
        recent = (np.array([row[0] for row in rows], np.uint64), np.array([row[1:] for row in rows], np.int32).reshape(-1, 2))
        return dict(zip(_ID_ARRAYS, (self._hashes, self._parts, *recent, np.array([self._upto], np.int64)), strict=True))

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Set all that was known. Raises Unusable."""
        likes: tuple[Array, ...] = (self._hashes, self._parts, self._hashes, self._parts, np.empty(0, np.int64))
        hashes, parts, recent, of_recent, upto = (take_array(arrays, name, like) for name, like in zip(_ID_ARRAYS, likes, strict=True))
        if len(hashes) != len(parts) or len(recent) != len(of_recent) or len(upto) != 1:
            raise Unusable("it is damaged: an array is not what it should be")
        self._hashes, self._parts, self._upto = hashes, parts, int(upto[0])
        for hash_, (part1, part2) in zip(recent.tolist(), of_recent.tolist(), strict=True):
            self._recent.setdefault(hash_, set()).add((part1, part2))

    def list_candidates(self, wanted: int, decoy: int = NONE) -> list[AssetKey]:
        """The keys whose ids begin with these 8 bytes; if there are none, that of a decoy, unless it is NONE."""
        self._follow()
        found = [*self._find_sorted(wanted), *self._recent.get(wanted, ())]
        if not found and decoy != NONE:
            nodes = self._tables.nodes
            found = [(int(nodes.part1[decoy]), int(nodes.part2[decoy]))]
        return [self._build_key(a, b) for a, b in found]

    def _find_sorted(self, wanted: int) -> list[tuple[int, int]]:
        hash_ = np.array([wanted], np.uint64)
        first, last = int(np.searchsorted(self._hashes, hash_)[0]), int(np.searchsorted(self._hashes, hash_, "right")[0])
        return [(a, b) for a, b in self._parts[first:last].tolist()]

    def _follow(self) -> None:
        """Hash the ids of new nodes."""
        tables = self._tables
        n = int(tables.counts[N_NODES])
        new = np.flatnonzero(tables.nodes.kind[self._upto : n] == self._kind) + self._upto
        self._upto = n
        datasets = tables.nodes.part1[new] if self._kind == COLUMN else new
        if self._kind in (COLUMN, DATASET):
            new = new[(tables.nodes.traits[datasets] | tables.nodes.traits[new]) & PAST == 0]
        parts = np.column_stack([tables.nodes.part1[new], tables.nodes.part2[new]])
        if len(new) > _RECENT and is_compiled():
            self._sort_in(self._hash_keys(parts[:, 0].copy(), parts[:, 1].copy()), parts)
        else:
            for part1, part2 in parts.tolist():
                self._add(part1, part2)
        if self._kind == COLUMN:
            self._follow_merged()

    def _follow_merged(self) -> None:
        """Columns of merged datasets have an id by every name of the dataset. Empties `Identity.grouped`, which has no other reader."""
        tables = self._tables
        grouped, self._identity.grouped = self._identity.grouped, set()
        nodes = tables.nodes
        for rep in {int(nodes.rep[dataset]) for dataset in grouped if nodes.traits[dataset] & MERGED}:
            members = np.array(tables.list_ring(rep), np.int32)
            names = np.unique(nodes.part2[tables.list_children(*members.tolist())]).tolist()
            for dataset in members[nodes.traits[members] & PAST == 0].tolist():
                for name in names:
                    if tables.find_node(COLUMN, dataset, name) == NONE:
                        self._add(dataset, name)

    def _add(self, part1: int, part2: int) -> None:
        key = self._build_key(part1, part2)
        hash_ = int(compute_asset_id(key.kind, key.parts)[-32:-16], 16)
        if (part1, part2) in self._find_sorted(hash_):  # merged datasets are grouped repeatedly
            return
        self._recent.setdefault(hash_, set()).add((part1, part2))
        if len(self._recent) > _RECENT * max(1, len(self._hashes) // 65_536):
            rows = [(hash_, *parts) for hash_, known in self._recent.items() for parts in known]
            self._recent.clear()
            self._sort_in(np.array([row[0] for row in rows], np.uint64), np.array([row[1:] for row in rows], np.int32))

    def _hash_keys(self, part1: Ints, part2: Ints) -> Hashes:
        """The first 8 bytes of the ids of many keys: uint64."""
        tables = self._tables
        is_column = self._kind == COLUMN
        first, second = (tables.nodes.part1[part1], tables.nodes.part2[part1]) if is_column else (part1, part2)
        third = part2 if is_column else np.full_like(part1, NONE)
        kind = np.frombuffer(f'["{KINDS[self._kind]}"'.encode(), np.uint8).copy()
        h, v, m = np.zeros(8, np.uint64), np.zeros(16, np.uint64), np.zeros(16, np.uint64)
        hashes = np.empty(len(part1), np.uint64)
        size, done = 1 << 16, 0
        while done < len(part1):
            message = np.empty(size, np.uint8)
            done += asset_ids.hash_keys(kind, first[done:], second[done:], third[done:], tables.names, message, h, v, m, hashes[done:])
            size *= 2
        return hashes

    def _build_key(self, part1: int, part2: int) -> AssetKey:
        tables = self._tables
        if self._kind == COLUMN:
            return AssetKey(AssetKind.COLUMN, (*tables.get_parts(part1), tables.get_text(part2)))
        parts = (tables.get_text(part1),) if part2 == NONE else (tables.get_text(part1), tables.get_text(part2))
        return AssetKey(KINDS[self._kind], parts)

    def _sort_in(self, hashes: Hashes, parts: Ints) -> None:
        hashes, parts = np.concatenate([self._hashes, hashes]), np.concatenate([self._parts, parts])
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._parts = hashes[order], parts[order]

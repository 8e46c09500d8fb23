"""What is asked about single assets: which one a name means, how it is shown, what it consists of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from meshline.graph.index.arrays import NONE
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.lookup import AssetLookup
from meshline.graph.index.results import Label
from meshline.graph.index.statistics import NameMatcher, Survey, list_tags
from meshline.graph.model import KINDS, AssetKey, AssetKind


class AssetFacet:
    """Names, kinds, columns and tags of assets. Part of `LineageIndex`, which defines nodes."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, lookup: AssetLookup) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._shown = shown
        self._lookup = lookup
        self._labels: dict[int, Label] = {}
        self._labels_version = 0

    def find(self, asset_id: str) -> int | None:
        """The visible asset of which a member has this id; None if there is none."""
        node = self._lookup.find_by_id(asset_id)
        return None if node == NONE else node

    def find_by_key(self, key: AssetKey) -> int | None:
        """The visible asset of which a member has this key; None if there is none."""
        node = self._lookup.find_by_key(key)
        return None if node == NONE else node

    def find_ending(self, kind: AssetKind, text: str, fold: Callable[[str], str]) -> list[int]:
        """All visible assets of a kind with a qualified name that, folded, ends with a text; and a few others."""
        return self._lookup.find_ending(KINDS.index(kind), text, fold)

    def get_key(self, node: int) -> AssetKey:
        """The shown name: of a dataset the output port's, else the catalog's, else the TABLE symlink's, else the
        physical one; of a column the catalog's spelling, else the newest schema's.
        """
        return self._shown.get_key(node)

    def get_column_name(self, column: int) -> str:
        """The last part of the shown name of a column."""
        return self._shown.get_column_name(column)

    def get_label(self, node: int) -> Label:
        """The id and the shown name of an asset, cached: not for datasets and columns."""
        if self._labels_version != self._loader.owners.version:  # names of owners may have changed
            self._labels_version = self._loader.owners.version
            self._labels.clear()
        label = self._labels.get(node)
        if label is None:
            key = self._shown.get_key(node)
            label = self._labels[node] = Label(key.id, key.qualified_name)
        return label

    def get_kind(self, node: int) -> AssetKind:
        """The kind of an asset."""
        kind: AssetKind = KINDS[self._tables.nodes.kind[node]]
        return kind

    def get_representative(self, node: int) -> int:
        """The node that represents the identity class of this node."""
        return int(self._tables.nodes.rep[node])

    def list_names(self, node: int, *, former: bool = False) -> list[AssetKey]:
        """The names that mean the asset, sorted. `former`: also those that it had until a rename, which may mean another asset now."""
        return [self._tables.get_key(member) for member in self._shown.list_members(node) if former or not self._shown.is_former(member)]

    def is_visible(self, node: int) -> bool:
        """Whether a head mentions it."""
        return self._shown.is_visible(node)

    def list_of_kind(self, kind: AssetKind) -> Sequence[int]:
        """The visible assets of a kind, sorted by shown qualified name, without inferred datasets and their
        columns, and without unlisted columns.
        """
        found: list[int] = self._shown.list_of_kind(kind).tolist()
        return found

    def list_columns(self, dataset: int, *, by_name: bool = False) -> list[int]:
        """The columns of a dataset by position, then name, or by name as in `list_of_kind`: with inferred ones, without unlisted ones."""
        return self._shown.list_columns_by_name(dataset) if by_name else self._shown.list_columns(dataset)

    def get_dataset(self, column: int) -> int:
        """The dataset of a column."""
        return int(self._tables.nodes.rep[self._tables.nodes.part1[column]])

    def is_inferred(self, node: int) -> bool:
        """Whether only flows mention a dataset; whether no visible head lists a column."""
        return self._shown.is_inferred(node)

    def is_unlisted(self, column: int) -> bool:
        """Whether a catalog lists the columns of its dataset without this one."""
        return self._shown.is_unlisted(column)

    def is_described(self, dataset: int) -> bool:
        """Whether a visible head lists its columns."""
        return self._shown.is_described(dataset)

    def find_position(self, column: int) -> int | None:
        """The position of a column from 1 on, by the strongest listing; None if no listing has one."""
        return self._shown.find_position(column)

    def list_tags(self, node: int) -> frozenset[str]:
        """The tags that any source gives an asset, each as `key` or `key=value`."""
        return list_tags(self._loader, node)

    def build_name_matcher(self, pattern: re.Pattern[bytes], accepts: Callable[[str], bool]) -> NameMatcher:
        """The columns whose names match, for a caller that asks again as the index changes."""
        return NameMatcher(self._tables, pattern, accepts)

    def survey(self) -> Survey:
        """What is known of the whole graph, as arrays."""
        return Survey(self._loader, self._shown)

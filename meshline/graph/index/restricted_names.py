"""The names, assets and survey of an index as a viewer sees them who may not see every asset: see `restricted_index`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NoReturn

import numpy as np

from meshline.graph.index.arrays import I64
from meshline.graph.index.display_names import DisplayNames, Listing
from meshline.graph.index.lineage_index import AssetFacet
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.lookup import AssetLookup
from meshline.graph.index.results import Flags, Ints
from meshline.graph.index.statistics import DatasetNames, ListedColumns, NameMatcher, Survey
from meshline.graph.model import KINDS, AssetKey, AssetKind


def refuse_question(*_: object, **__: object) -> NoReturn:
    """For what only sources, policies and the like ask, which act for the whole mesh. Raises RuntimeError."""
    raise RuntimeError("only what acts for the whole mesh asks this: ask the index that is not restricted")


class RestrictedNames(DisplayNames):
    """The shown names of an index, of which some assets are not visible."""

    def __init__(self, whole: DisplayNames, loader: HeadLoader, visible: Flags, readable: Flags) -> None:
        self._whole = whole
        self._loader = loader
        self._tables = loader.tables
        self._visible = visible
        self._readable = readable

    def is_visible(self, node: int) -> bool:
        if node >= len(self._visible):  # of a supposed change: it is newer than this index
            return False
        return bool(self._visible[node]) and self._whole.is_visible(node)  # first what hides it: less is done for a hidden asset

    def get_key(self, node: int) -> AssetKey:
        return self._whole.get_key(node)

    def get_column_name(self, node: int) -> str:
        return self._whole.get_column_name(node)

    def list_of_kind(self, kind: AssetKind) -> Ints:
        nodes = self._whole.list_of_kind(kind)
        return nodes[self._visible[nodes]]

    def count_of_kind(self, kind: AssetKind) -> int:
        return int(self._kind_counts[KINDS.index(kind)])

    @cached_property
    def _kind_counts(self) -> I64:
        return self._count_kinds(self._whole.get_listed()[: len(self._visible)] & self._visible)

    @cached_property
    def _folded_names(self) -> dict[AssetKind, Sequence[str]]:
        return {}

    def list_folded_names(self, kind: AssetKind) -> Sequence[str]:
        known = self._folded_names
        if kind not in known:
            places = np.flatnonzero(self._visible[self._whole.list_of_kind(kind)]).tolist()
            names = self._whole.list_folded_names(kind)
            known[kind] = [names[place] for place in places]
        return known[kind]

    def list_columns(self, dataset: int) -> list[int]:
        return [column for column in self._whole.list_columns(dataset) if self._visible[column]]

    def list_columns_by_name(self, dataset: int) -> list[int]:
        return [column for column in self._whole.list_columns_by_name(dataset) if self._visible[column]]

    def is_described(self, dataset: int) -> bool:
        return bool(self._readable[dataset]) and self._whole.is_described(dataset)

    def is_inferred(self, node: int) -> bool:
        return bool(self._readable[node]) and self._whole.is_inferred(node)

    def is_unlisted(self, column: int) -> bool:
        return self._whole.is_unlisted(column)

    def find_position(self, column: int) -> int | None:
        return self._whole.find_position(column)

    def get_listings(self, dataset: int) -> list[Listing]:
        return self._whole.get_listings(dataset)

    def list_former_names(self, column: int) -> list[tuple[str, int]]:
        return self._whole.list_former_names(column)


class RestrictedAssets(AssetFacet):
    """The visible assets: names, lists and look-ups are those of `RestrictedNames`."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, lookup: AssetLookup, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, shown, lookup)
        self._visible = visible
        self._readable = readable

    def build_name_matcher(self, pattern: re.Pattern[bytes], accepts: Callable[[str], bool]) -> NameMatcher:
        refuse_question(pattern, accepts)

    def survey(self) -> Survey:
        return RestrictedSurvey(self._loader, self._shown, self._visible, self._readable)


class RestrictedSurvey(Survey):
    """What is known of all visible assets. Arrays that are indexed by node mean visible ones only."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, shown)
        self._visible = visible
        self._readable = readable

    @cached_property
    def mentioned(self) -> list[tuple[str, Ints]]:
        found = ((source, datasets[self._readable[datasets]]) for source, datasets in super().mentioned)
        return [(source, datasets) for source, datasets in found if len(datasets)]

    @cached_property
    def names(self) -> DatasetNames:
        every = super().names
        return DatasetNames(*(column[self._visible[every.node]] for column in every))  # type: ignore[arg-type]  # each as it was

    @cached_property
    def writings(self) -> tuple[Ints, Ints]:
        return self._keep_pairs(super().writings)

    @cached_property
    def followed_pairs(self) -> tuple[Ints, Ints]:
        return self._keep_pairs(super().followed_pairs)

    @cached_property
    def job_parts(self) -> tuple[Ints, Ints]:
        return self._keep_pairs(super().job_parts)

    def find_tagged(self, is_wanted: Callable[[frozenset[str]], bool]) -> Ints:
        found = super().find_tagged(is_wanted)
        return found[self._visible[found]]

    def get_own_key(self, node: int) -> AssetKey:
        return super().get_own_key(node) if self._visible[node] else refuse_question()

    @cached_property
    def columns(self) -> ListedColumns:
        """Names are numbered by their texts: their numbers, and so what is compared, would depend on what is hidden."""
        found = super().columns
        numbers, at = np.unique(found.name, return_inverse=True)
        texts = self.read_texts(numbers)
        ranks = np.empty(len(texts), np.int32)
        ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts), dtype=np.int32)
        return found._replace(name=ranks[at])

    @cached_property
    def catalog_tables(self) -> dict[int, set[str]]:
        return {node: sources for node, sources in super().catalog_tables.items() if self._readable[node]}

    @cached_property
    def session_names(self) -> dict[tuple[str, ...], set[int]]:
        found = ((name, {node for node in nodes if self._readable[node]}) for name, nodes in super().session_names.items())
        return {name: nodes for name, nodes in found if nodes}

    @cached_property
    def different(self) -> set[frozenset[int]]:
        return {pair for pair in super().different if all(self._visible[node] for node in pair)}

    catalogued = dataset_flows = property(refuse_question)  # what only sources and policies ask

    def mark_shown(self, nodes: Ints | I64) -> Flags:
        return self._visible[nodes]

    def _keep_pairs(self, pairs: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
        kept = self._visible[pairs[0]] & self._visible[pairs[1]]
        return pairs[0][kept], pairs[1][kept]

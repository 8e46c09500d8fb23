"""What some assets reach, found out once for all the changes that are made to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.governance.report_values import AssetValues
from meshline.graph.index import LineageIndex, Reach
from meshline.graph.index.results import FlowTable, Ints
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import KINDS, AssetKey, AssetKind, EdgeType
from meshline.graph.queries.impact import Impact, impact
from meshline.graph.queries.impact_paths import Via
from meshline.graph.queries.pages import KIND_ORDER, UNLIMITED, Limits

_DATA_KINDS = frozenset({AssetKind.COLUMN, AssetKind.DATASET})


class Reached(NamedTuple):
    """An asset that is reached, and how."""

    node: int
    reach: Reach
    distance: int
    masked: bool


class ChangeImpact:
    """Some assets, and the lineage that leaves them. Valid as long as the index does not change.

    `starts`: those that the graph knows. `unknown`: the names of the others. What is reached is only possible (`vague`) where
    another stands in for one: the column around for a nested one, the dataset for a column where nobody lists its columns.
    """

    def __init__(self, live: LiveGraph, index: LineageIndex, assets: Sequence[AssetKey], limits: Limits = UNLIMITED) -> None:
        self.live = live
        self.index = index
        self.values = AssetValues(index)
        self._governing: dict[int, tuple[str, ...]] = {}
        found = {key: index.assets.find_by_key(key) for key in assets}
        around = {key: self._find_enclosing_column(key) for key, node in found.items() if node is None}
        self.unknown = tuple(key.qualified_name for key, node in around.items() if node is None)
        stand_ins = [self._find_undescribed_dataset(key) if node is None else node for key, node in around.items()]
        known = [node for node in found.values() if node is not None]
        self.vague = any(node is not None and node not in known for node in stand_ins)
        self.parent_datasets = tuple(
            dict.fromkeys(node for key in around if (node := self._find_dataset(key)) is not None)
        )  # of the unknown
        self.starts = tuple(dict.fromkeys((*known, *(node for node in stand_ins if node is not None))))
        self.downstream: Impact = impact(index, self.starts, promises=False, limits=limits)

    def _find_enclosing_column(self, key: AssetKey) -> int | None:
        """The column in which a nested one is."""
        name = key.name
        while key.kind is AssetKind.COLUMN and "." in name:
            name = name.rpartition(".")[0]
            node = self.index.assets.find_by_key(AssetKey(key.kind, (*key.parts[:2], name)))
            if node is not None:
                return node
        return None

    def _find_undescribed_dataset(self, key: AssetKey) -> int | None:
        dataset = self._find_dataset(key)
        return None if dataset is None or self.index.assets.is_described(dataset) else dataset

    def _find_dataset(self, key: AssetKey) -> int | None:
        return self.index.assets.find_by_key(AssetKey(AssetKind.DATASET, key.parts[:2])) if key.kind is AssetKind.COLUMN else None

    # -- what is reached

    def list_reached(self, *kinds: AssetKind) -> list[Reached]:
        """All that is reached of these kinds, as `impact` tells it."""
        known = self.downstream.affected
        rows = np.flatnonzero(np.isin(self.downstream.groups.kind, [KIND_ORDER[kind] for kind in kinds]))
        return [
            Reached(node, Reach.POSSIBLE if self.vague else Reach(reach), distance, masked)
            for node, reach, distance, masked in zip(*(column[rows].tolist() for column in known), strict=True)
        ]

    @cached_property
    def counts(self) -> dict[AssetKind, int]:
        """How many of each kind are reached."""
        counts = np.bincount(self.downstream.groups.kind, minlength=len(KINDS)).tolist()
        return {kind: count for kind, count in zip(KINDS, counts, strict=True) if count}

    @cached_property
    def via(self) -> Via:
        return Via(self.downstream)

    @cached_property
    def datasets(self) -> tuple[int, ...]:
        """The datasets that the starts are, or are of; of products and domains those that stand for them."""
        index = self.index
        starts = (*self.starts, *self.downstream.traversal.starts.tolist())
        held = [node for node in starts if index.assets.get_kind(node) in _DATA_KINDS]
        return tuple(
            dict.fromkeys(index.assets.get_dataset(node) if index.assets.get_kind(node) is AssetKind.COLUMN else node for node in held)
        )

    @cached_property
    def origins(self) -> frozenset[int]:
        """What the traversal began with, and the datasets of it."""
        return frozenset((*self.starts, *self.downstream.traversal.starts.tolist(), *self.datasets))

    def is_affected(self, node: int) -> bool:
        return node in self.origins or self.downstream.row(node) is not None

    # -- the flows behind it

    @cached_property
    def flows(self) -> FlowTable:
        """The flows between the starts and what is reached."""
        return self.downstream.traversal.flow_table()

    @cached_property
    def value_nodes(self) -> Ints:
        """The columns and datasets that have the values of the starts: those themselves, and what they reach DIRECT."""
        found = self.downstream.traversal
        begun = found.starts
        own = [
            column
            for start in begun.tolist()
            if self.index.assets.get_kind(start) is AssetKind.DATASET
            for column in self.index.assets.list_columns(start)
        ]
        return np.concatenate([begun, np.array(own, np.int32), found.nodes[found.reach == Reach.DIRECT]])

    @cached_property
    def reading_flows(self) -> FlowTable:
        """The flows that leave the values: each is somebody who reads them."""
        return self.flows.where(np.isin(self.flows.start, self.value_nodes))

    def list_subtypes(self, flows: FlowTable) -> list[str]:
        """The subtype of each of these flows, in capitals; empty: not said."""
        texts = {number: self.index.lineage.get_text(number).upper() for number in np.unique(flows.subtype).tolist()}
        return [texts[number] for number in flows.subtype.tolist()]

    # -- who consumes

    def list_governing_contracts(self, dataset: int) -> tuple[str, ...]:
        """The contracts that govern a dataset, by name."""
        names = self._governing.get(dataset)
        if names is None:
            edges = self.index.ownership.list_edges(dataset, EdgeType.GOVERNS, incoming=True)
            names = self._governing[dataset] = tuple(sorted({self.index.assets.get_label(edge.start).name for edge in edges}))
        return names

    def list_uses(self, consumer: int) -> list[tuple[int, str]]:
        """What a consumer uses of all that is touched, with the contract that is said to cover it, or an empty text."""
        edges = self.index.ownership.list_edges(consumer, EdgeType.CONSUMES)
        return [(edge.end, str(edge.attributes.get("contract") or "")) for edge in edges if self._is_used(edge.end)]

    def _is_used(self, node: int) -> bool:
        return self.is_affected(node) or any(self.is_affected(column) for column in self._list_columns(node))

    def _list_columns(self, node: int) -> Iterable[int]:
        return self.index.assets.list_columns(node) if self.index.assets.get_kind(node) is AssetKind.DATASET else ()

"""The names of one index whose vectors are near to that of a question, and how that counts beside the words that they share with it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import F32, I64
from meshline.graph.index.asset_names import AssetNames
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels.score import COVERED
from meshline.graph.index.name_vectors import NO_ROOM, NOT_YET, NameVectors, convert_product
from meshline.graph.index.results import Flags, Ints, Prepared
from meshline.graph.model import KINDS, AssetKind

_OF_DEVIATION = 1 / 80  # what a standard deviation above the mean counts in coverage, if no name covers anything (benchmarks/search.py)
_OF_COVERED = 0.8  # the share of this that is lost if some name covers the whole question
_FEW = 200  # names whose vectors a question makes itself, or does without until a server has made them
HAVE_VECTORS = np.array(
    [kind in (AssetKind.DATASET, AssetKind.COLUMN, AssetKind.DATA_PRODUCT, AssetKind.DOMAIN) for kind in KINDS], np.bool_
)  # by kind; names of jobs and owners are found by their words

_COLUMN = KINDS.index(AssetKind.COLUMN)


class Near(NamedTuple):
    """What the vectors of names are to that of one question. By text, as other arrays of names."""

    deviations: F32  # standard deviations of the cosine above the mean of all names that count; 0 for others
    found: Flags  # the texts that are found by it alone


class NearNames:
    """Compares names of one index with questions. Follows the names whenever it is asked."""

    def __init__(self, tables: IndexTables, names: AssetNames) -> None:
        self._tables, self._names = tables, names
        self._rows: Ints = np.empty(0, np.int32)  # by text: the place of its vector, NOT_YET or NO_ROOM
        self._counted: tuple[object, int, Flags] | None = None  # what was asked last, with the number of assets at that time

    def prepare(self, vectors: NameVectors, visible: Flags | None) -> Prepared:
        """Which of the names that count have vectors. Those of a few names are made now, others are asked for.

        `visible`: by node, what counts, if not all does: what is hidden must not change whether vectors are used, nor an order.
        """
        missing = self._list_missing(visible)
        if len(missing):
            names = self._tables.read_texts(missing)
            self._rows[missing] = vectors.find_rows(names)
            names = [name for name, row in zip(names, self._rows[missing].tolist(), strict=True) if row == NOT_YET]
            few = len(names) <= _FEW
            if vectors.is_remote or not few:
                vectors.request(names)
                if not few or 2 * len(names) > np.count_nonzero(self._mark_counted(visible)):
                    return Prepared.NOT_YET
            else:
                vectors.add(names)
                missing = missing[self._rows[missing] == NOT_YET]
                self._rows[missing] = vectors.find_rows(self._tables.read_texts(missing))
        if not vectors.is_full:
            return Prepared.ALL
        return Prepared.IN_PART if (self._rows[: self._names.texts][self._mark_counted(visible)] == NO_ROOM).any() else Prepared.ALL

    def find(self, text: str, vectors: NameVectors, visible: Flags | None) -> Near:
        """Compare a question with all names that count, which are prepared."""
        counted = np.flatnonzero(self._mark_counted(visible) & (self._rows[: self._names.texts] >= 0))
        near = Near(np.zeros(self._names.texts, np.float32), np.zeros(self._names.texts, np.bool_))
        if not len(counted):
            return near
        products = vectors.compare(text, self._rows[counted])
        number, total, squares = len(products), int(products.sum()), int((products**2).sum())
        spread = math.sqrt(number * squares - total * total)  # of whole numbers: the order in which names came changes nothing
        if spread:
            near.deviations[counted] = (products * number - total) / spread
        near.found[counted] = convert_product(products) >= vectors.least_cosine
        return near

    def is_near(self, text: str, own: int, vectors: NameVectors) -> bool:
        """Whether the vector of a name is so near to that of a question that it may be found by it."""
        row = self._rows[self._names.name[own]] if self._names.name[own] < len(self._rows) else -1
        if row < 0 or not self.mark_kinds(np.array([own]))[0]:
            return False
        return bool(convert_product(vectors.compare(text, np.array([row], np.int32)))[0] >= vectors.least_cosine)

    def mark_kinds(self, rows: Ints | I64) -> Flags:
        """Which of these assets are of a kind that is found by vectors."""
        found: Flags = HAVE_VECTORS[self._tables.nodes.kind[rows]]
        return found

    def _list_missing(self, visible: Flags | None) -> Ints:
        if len(self._rows) < self._names.texts:
            self._rows = np.concatenate([self._rows, np.full(self._names.texts - len(self._rows), NOT_YET, np.int32)])
        missing = np.flatnonzero(self._mark_counted(visible) & (self._rows[: self._names.texts] == NOT_YET)).astype(np.int32)
        if len(missing) <= _FEW:
            return missing
        nodes = self._names.nodes  # names of columns last: there may not be room for all
        of_others = self._names.name[:nodes][self._tables.nodes.kind[:nodes] != _COLUMN]
        return missing[np.argsort(~np.isin(missing, of_others), kind="stable")]

    def _mark_counted(self, visible: Flags | None) -> Flags:
        """The texts that are names of assets which count, of a kind that is found by vectors."""
        nodes, size = self._names.nodes, self._names.texts
        if self._counted is None or self._counted[0] is not visible or (self._counted[1], len(self._counted[2])) != (nodes, size):
            of_kind = HAVE_VECTORS[self._tables.nodes.kind[:nodes]]
            if visible is not None:
                of_kind = of_kind & visible[:nodes]
            texts = np.zeros(size, np.bool_)
            texts[self._names.name[:nodes][of_kind]] = True
            self._counted = visible, nodes, texts
        return self._counted[2]


def combine_scores(covered: Ints, deviations: F32, best: int) -> Ints:
    """How much each of these names covers of a question by its words (in parts of `COVERED`), with what its vector adds: the less, the
    more some name covers.
    """
    share = np.float32(_OF_DEVIATION * (1 - _OF_COVERED * min(best / COVERED, 1.0)))
    combined: Ints = np.clip(covered + np.rint(deviations * share * COVERED), 0, COVERED).astype(np.int32)
    return combined

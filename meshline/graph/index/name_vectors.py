"""The vectors of names, by which search finds names that share no word with a question. One collection for all indexes of a graph.

Vectors are of distinct texts, not of assets, and are made again at each start: nothing of another model can be among them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from meshline.graph.index.results import Ints
from meshline.graph.index.text_model import I8, SCALE, TextModel, read_model
from meshline.graph.word_forms import split_name

_BLOCK = 16_384  # vectors that are compared at once
_BATCH = 1_000  # texts that are embedded at once


class NameVectors:
    """Vectors by name. Thread-safe."""

    def __init__(self, model: TextModel) -> None:
        self.model = model
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._vectors: I8 = np.empty((0, model.dimension), np.int8)
        self._requested: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def find_rows(self, names: Sequence[str]) -> Ints:
        """The place of each name's vector, -1 where there is none yet."""
        return np.array([self._rows.get(name, -1) for name in names], np.int32)

    def add(self, names: Iterable[str]) -> None:
        """Make the vectors of names that have none."""
        new = [name for name in dict.fromkeys(names) if name not in self._rows]
        for begin in range(0, len(new), _BATCH):
            some = new[begin : begin + _BATCH]
            vectors = self.model.compute_vectors([" ".join(split_name(name)) for name in some])
            with self._lock:
                places = [place for place, name in enumerate(some) if name not in self._rows]
                used = len(self._rows)
                if used + len(places) > len(self._vectors):
                    more = np.empty((max(used, len(places)), self.model.dimension), np.int8)
                    self._vectors = np.concatenate([self._vectors[:used], more])
                self._vectors[used : used + len(places)] = vectors[places]
                self._rows.update((some[place], used + at) for at, place in enumerate(places))

    def request(self, names: Iterable[str]) -> None:
        """Let the next `add_requested` make the vectors of these names."""
        with self._lock:
            self._requested.update(dict.fromkeys(names))

    def add_requested(self) -> None:
        with self._lock:
            requested, self._requested = self._requested, {}
        self.add(requested)

    def compare(self, text: str, rows: Ints) -> npt.NDArray[np.int64]:
        """The products of a text's vector with those at these places, in parts of `SCALE` squared: exact, in whatever order."""
        asked = self.model.compute_vectors([" ".join(split_name(text))])[0].astype(np.float32)
        vectors, found = self._vectors, np.empty(len(rows), np.int64)
        for begin in range(0, len(rows), _BLOCK):
            found[begin : begin + _BLOCK] = vectors[rows[begin : begin + _BLOCK]].astype(np.float32) @ asked
        return found


def open_vectors(setting: str) -> NameVectors | None:
    """An empty collection for the model that a setting names; None if it is `off`. Raises InvalidInput, MissingExtra."""
    model = read_model(setting)
    return None if model is None else NameVectors(model)


def convert_product(product: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Products of vectors of length 1 as cosines."""
    return product / SCALE**2

"""Texts by number in one array of bytes, in place of a Python object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from meshline.graph.index.arrays import I64, U8, extend_array


class TextTable(Sequence[str]):
    """Texts that are only added. `text`: their UTF-8, one after another; `starts`: where text i begins, and the next one ends it."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.n = 0
        self.text: U8 = np.empty(0, np.uint8)
        self.starts: I64 = np.zeros(64, np.int64)
        self.add(texts)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, at: int) -> str:  # type: ignore[override]  # no slices
        return str(self.text.data[int(self.starts[at]) : int(self.starts[at + 1])], "utf-8")

    def __iter__(self) -> Iterator[str]:
        return iter(self.read(np.arange(self.n)))

    @property
    def size(self) -> int:
        """The bytes in use."""
        return int(self.starts[self.n])

    def read(self, numbers: I64) -> list[str]:
        """The texts with these numbers."""
        text = self.text.data
        ends = self.starts[numbers + 1].tolist()
        return [str(text[begin:end], "utf-8") for begin, end in zip(self.starts[numbers].tolist(), ends, strict=True)]

    def add(self, texts: Iterable[str]) -> None:
        """Add texts behind the others."""
        encoded = [text.encode() for text in texts]
        n, size = self.n + len(encoded), self.size
        ends = np.cumsum([len(one) for one in encoded], dtype=np.int64) + size
        self.starts = extend_array(self.starts, self.n + 1, n + 1)
        self.starts[self.n + 1 : n + 1] = ends
        joined = b"".join(encoded)
        self.text = extend_array(self.text, size, size + len(joined))
        self.text[size : size + len(joined)] = np.frombuffer(joined, np.uint8)
        self.n = n

    def keep(self, numbers: I64) -> None:
        """Forget all texts but these, which are numbered from 0."""
        kept = TextTable(self.read(numbers))
        self.n, self.text, self.starts = kept.n, kept.text, kept.starts

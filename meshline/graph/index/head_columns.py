"""What the index keeps of heads without an object for each: their scopes as texts, and scopes by what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

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


class ScopeGroups:
    """The ids of scopes with a current head, by the number of their group. Made from arrays when they are first asked for.

    `list_members`: the group and the scope id of each current head that is in a group, in no order.
    """

    def __init__(self, list_members: Callable[[], tuple[I64, I64]]) -> None:
        self._list_members = list_members
        self._sorted: tuple[I64, I64] | None = None  # groups, scope ids; None: not asked for yet
        self._changed: dict[int, dict[int, None]] = {}  # groups that changed since these were sorted

    def find(self, group: int) -> Collection[int]:
        """The scope ids of a group."""
        found = self._changed.get(group)
        return self._find_sorted(group) if found is None else found

    def add(self, group: int, scope_id: int) -> None:
        """Note that a scope of a group has a head now."""
        if self._sorted is not None:
            self._get_changed(group)[scope_id] = None

    def drop(self, group: int, scope_id: int) -> None:
        """Note that a scope of a group has no head any more."""
        if self._sorted is not None:
            self._get_changed(group).pop(scope_id, None)

    def _get_changed(self, group: int) -> dict[int, None]:
        found = self._changed.get(group)
        if found is None:
            found = self._changed[group] = dict.fromkeys(self._find_sorted(group))
        return found

    def _find_sorted(self, group: int) -> list[int]:
        if self._sorted is None:
            groups, scope_ids = self._list_members()
            order = np.argsort(groups, kind="stable")
            self._sorted = groups[order], scope_ids[order]
        of = self._sorted[0]
        found: list[int] = self._sorted[1][np.searchsorted(of, group) : np.searchsorted(of, group, "right")].tolist()
        return found

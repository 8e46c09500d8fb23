"""A memory of bounded size: what is forgotten is made again."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Memory(Generic[_Key, _Value]):
    """Values by key. Forgets everything when their sizes together exceed `limit`; any one value fits. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._turn = Lock()
        self._values: dict[_Key, _Value] = {}
        self.get = self._values.get  # the fast way in: a dictionary's

    def keep(self, key: _Key, value: _Value, size: int) -> _Value:
        """Remember `value`, about `size` bytes."""
        with self._turn:
            self._size += size
            if self._size > self._limit:
                self._values.clear()
                self._size = size
            self._values[key] = value
        return value

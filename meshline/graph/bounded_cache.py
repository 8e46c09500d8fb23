"""A cache of bounded size."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class BoundedCache(Generic[_Key, _Value]):
    """Values by key. It is emptied when the sizes together exceed `limit`; a single value always fits. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._turn = Lock()
        self._values: dict[_Key, _Value] = {}
        self.get = self._values.get  # a dictionary's own method: hot paths call it

    def keep(self, key: _Key, value: _Value, size: int) -> _Value:
        """Cache `value`, about `size` bytes, and return it."""
        with self._turn:
            self._size += size
            if self._size > self._limit:
                self._values.clear()
                self._size = size
            self._values[key] = value
        return value

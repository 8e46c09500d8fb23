"""Scopes by what they have in common: made from arrays when they are first asked for, so that a start need not make an object for each."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from meshline.graph.index.arrays import I64


class ScopeGroups:
    """The ids of scopes with a current head, by the number of their group.

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

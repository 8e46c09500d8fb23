"""The violations that are held, to be found by what they are about: looking through all of them would cost more than an event may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from meshline.governance.policies.passes import Breach, Breaches, Place

K = TypeVar("K")


class Held:
    """`all` by place; changed only by `replace`."""

    def __init__(self, found: Breaches) -> None:
        self.all: Breaches = {}
        self._of_policy: dict[str, set[Place]] = {}
        self._at: dict[int, set[Place]] = {}
        self.replace({}, found)

    def of_policy(self, policy: str) -> Iterable[Place]:
        return self._of_policy.get(policy, ())

    def at(self, nodes: Iterable[int]) -> Iterator[Place]:
        """Those with one of these nodes at either end; some twice."""
        for node in nodes:
            yield from self._at.get(node, ())

    def replace(self, gone: Iterable[Place], found: Breaches) -> None:
        for place in gone:
            del self.all[place]
            self._forget(place)
        for place, breach in found.items():
            self.all[place] = breach
            for kept in self._sets(place):
                kept.add(place)

    def _forget(self, place: Place) -> None:
        _discard(self._of_policy, place.policy, place)
        _discard(self._at, place.asset, place)
        _discard(self._at, place.end, place)

    def __getitem__(self, place: Place) -> Breach:
        return self.all[place]

    def _sets(self, place: Place) -> tuple[set[Place], ...]:
        at = self._at
        return (
            self._of_policy.setdefault(place.policy, set()),
            at.setdefault(place.asset, set()),
            at.setdefault(place.end, set()),
        )


def _discard(places: dict[K, set[Place]], key: K, place: Place) -> None:
    found = places.get(key)
    if found is not None:
        found.discard(place)
        if not found:
            del places[key]

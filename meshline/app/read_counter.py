"""Which restricted assets, and assets of other domains, callers read: for the audit log, found out beside the answers, not in their way."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from meshline.app.access import Access
from meshline.app.access_log import AccessLog
from meshline.app.access_rules import AccessRules, name_principal
from meshline.app.tokens import Actor
from meshline.governance.audit import AccessEvent
from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKind, EdgeType, build_owner_key
from meshline.graph.queries.selection import compute_chosen, find_selections, format_selector
from meshline.graph.queries.visibility import Ruling, select_ruled

MOST_WAITING = 10_000  # answers whose assets are not classified yet; the one beyond is kept waiting for that
_KINDS = (AssetKind.DATASET, AssetKind.COLUMN, AssetKind.DATA_PRODUCT)


class _Read(NamedTuple):
    """An answer: who got it, what for, and the ids of its assets."""

    actor: Actor
    purpose: str
    assets: frozenset[str]


class ReadCounter:
    """Counts answers with restricted assets by restriction and by policy that forbids them to any callers, and with assets of domains in
    which the caller owns nothing by domain.

    Thread-safe. Without access rules nothing is restricted, and callers without a name are all alike: neither is counted.
    """

    def __init__(self, access: Access, log: AccessLog) -> None:
        self._access = access
        self._log = log
        self._lock = threading.Lock()
        self._waiting: list[_Read] = []
        self._classes: _Classes | None = None  # used under the graph's lock

    def add(self, actor: Actor, purpose: str, assets: Collection[str]) -> None:
        """An answer to a caller. Returns at once, but when very many wait."""
        if not assets or not self.is_needed(actor):
            return
        with self._lock:
            self._waiting.append(_Read(actor, purpose, frozenset(assets)))
            full = len(self._waiting) >= MOST_WAITING
        if full:
            self.classify()

    def is_needed(self, actor: Actor) -> bool:
        """Whether what a caller reads is counted."""
        return bool(actor.name) and self._access.rules is not None

    def classify(self) -> None:
        """Count what waits, by the graph of now: `AccessLog.flush` writes it."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        rules = self._access.rules
        if not waiting or rules is None:
            return
        policies = rules.list_restricting()
        with self._access.live.lock:
            index = self._access.live.index
            if self._classes is None or not self._classes.is_of(index, rules, policies):
                self._classes = _Classes(index, rules, policies)
            counted = [(read, list(self._classes.list_subjects(read))) for read in waiting]
        for read, subjects in counted:
            for subject in subjects:
                self._log.count(AccessEvent.READ, read.actor.name, subject, read.purpose)


class _Classes:
    """What there is to count of the assets of one state of the graph."""

    def __init__(self, index: LineageIndex, rules: AccessRules, policies: Mapping[str, frozenset[Ruling]]) -> None:
        """`policies`: what each forbids, by its name."""
        self._index = index
        self._restrictions = rules.restrictions
        self._policies = policies
        self._state = (index.revision, index.changes.count_nodes())
        restricted = {selector for rule in rules.restrictions for selector in rule.selectors}
        self._masks = {format_selector(selector): compute_chosen(index, selector) for selector in restricted}
        selections = find_selections(index)
        for name, rulings in policies.items():
            found = np.zeros(selections.places.count, np.bool_)
            for ruling in rulings:
                found |= select_ruled(selections, ruling)
            self._masks[f"policy:{name}"] = found[selections.places.of_nodes]
        self._own: dict[frozenset[str], frozenset[int]] = {}

    def is_of(self, index: LineageIndex, rules: AccessRules, policies: Mapping[str, frozenset[Ruling]]) -> bool:
        """Whether it still counts."""
        return (
            index is self._index
            and rules.restrictions == self._restrictions
            and policies == self._policies
            and self._state == (index.revision, index.changes.count_nodes())
        )

    def list_subjects(self, read: _Read) -> Iterator[str]:
        """The restrictions, the policies and the foreign domains of an answer, as access rules name them."""
        index = self._index
        found = (index.assets.find(asset) for asset in read.assets)
        nodes = np.array([node for node in found if node is not None and index.assets.get_kind(node) in _KINDS], np.int32)
        if not len(nodes):
            return
        nodes = index.lineage.get_representatives(nodes)
        yield from (subject for subject, mask in self._masks.items() if mask[nodes].any())
        own = self._find_own_domains(frozenset((name_principal(read.actor)[1], *read.actor.groups)))
        for domain in sorted({domain for node in nodes.tolist() if (domain := index.ownership.find_domain(node)) is not None}):
            if own.isdisjoint(self._iterate_upwards(domain)):
                yield f"domain:{index.assets.get_key(domain).name}"

    def _find_own_domains(self, names: frozenset[str]) -> frozenset[int]:
        """The domains in which owners with these names own something, and those that they own."""
        own = self._own.get(names)
        if own is None:
            index = self._index
            owners = [node for name in names if (node := index.assets.find_by_key(build_owner_key(name))) is not None]
            owned = [edge.end for owner in owners for edge in index.ownership.list_edges(owner, EdgeType.OWNS)]
            domains = (node if index.assets.get_kind(node) is AssetKind.DOMAIN else index.ownership.find_domain(node) for node in owned)
            own = self._own[names] = frozenset(domain for domain in domains if domain is not None)
        return own

    def _iterate_upwards(self, domain: int | None) -> Iterator[int]:
        seen: set[int] = set()
        while domain is not None and domain not in seen:
            seen.add(domain)
            yield domain
            domain = self._index.ownership.find_domain(domain)

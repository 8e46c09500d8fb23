"""Which product and domain hold an asset, and who owns it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from typing import NamedTuple

from meshline.graph.index.answers import Ownership
from meshline.graph.index.feed import Feed
from meshline.graph.index.shown import Shown, is_output
from meshline.graph.index.tables import COLUMN, DATASET
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType, Precedence

_OWNS = EDGE_TYPES.index(EdgeType.OWNS)
_PART_OF = EDGE_TYPES.index(EdgeType.PART_OF)
_PORT = EDGE_TYPES.index(EdgeType.PORT)
_DOMAIN = KINDS.index(AssetKind.DOMAIN)
_DATA_PRODUCT = KINDS.index(AssetKind.DATA_PRODUCT)

_WILD = re.compile(r"[*?\[]")


class Pattern(NamedTuple):
    """One pattern over `namespace/name` of datasets, and who holds what it matches."""

    prefix: str  # what it says before the first wildcard
    matches: re.Pattern[str]
    holder: int


class Holders:
    """Products, domains and owners of assets. Memberships are kept until the graph changes."""

    def __init__(self, feed: Feed, shown: Shown, precedence: Precedence) -> None:
        self._feed = feed
        self._core = feed.core
        self._shown = shown
        self._precedence = precedence
        self._version = -1
        self._patterns: dict[int, list[Pattern]] = {}
        self._products: dict[int, int | None] = {}
        self._domains: dict[int, int | None] = {}

    def product(self, node: int) -> int | None:
        """The product of a dataset (or of a column's): by output port, else by the longest matching pattern."""
        dataset = self._dataset(node)
        if dataset is None:
            return None
        self._follow()
        if dataset not in self._products:
            ported = self._ported(dataset)
            self._products[dataset] = ported if ported is not None else self._matched(dataset, _DATA_PRODUCT)
        return self._products[dataset]

    def domain(self, node: int) -> int | None:
        """The domain of a dataset, column or product; the parent of a domain."""
        kind = self._core.nodes.kind[node]
        if kind in (_DOMAIN, _DATA_PRODUCT):
            return self._part_of(node)
        dataset = self._dataset(node)
        if dataset is None:
            return None
        self._follow()
        if dataset not in self._domains:
            product = self.product(dataset)
            domain = None if product is None else self._part_of(product)
            self._domains[dataset] = domain if domain is not None else self._matched(dataset, _DOMAIN)
        return self._domains[dataset]

    def owners(self, node: int) -> list[Ownership]:
        """The owners at the nearest level that has any."""
        for level in self.levels(node):
            found = self.direct_owners(level)
            if found:
                return found
        return []

    def direct_owners(self, node: int) -> list[Ownership]:
        """The owners said of this very asset, by the strongest source that names any; of one owner, one per type."""
        core = self._core
        rep = int(core.nodes.rep[node])
        rows = [row for member in core.ring(rep) for row in core.relation_rows(member, _OWNS, incoming=True)]
        if not rows:
            return []
        said = [(core.heads.source_of(head), head, row) for row, head in zip(rows, core.heads_of(rows, 1), strict=True)]
        strongest = min(self._precedence.rank(source, "owners") for source, _, _ in said)
        found: dict[tuple[tuple[str, ...], str], Ownership] = {}
        for source, head, row in sorted(
            said, key=lambda one: (-int(core.heads.observed_at[one[1]]), one[0], int(core.heads.scope_id[one[1]]))
        ):
            if self._precedence.rank(source, "owners") == strongest:
                owner = int(core.relations.start[row])
                type_ = self._feed.attributes(row).get("type")
                ownership = Ownership(owner, type_ if isinstance(type_, str) else "technical", rep, source, int(core.heads.scope_id[head]))
                found.setdefault((core.label(owner), ownership.type), ownership)
        return [found[key] for key in sorted(found)]

    def levels(self, node: int) -> Iterator[int]:
        """The asset itself, then what holds it, nearest first."""
        core = self._core
        rep: int | None = int(core.nodes.rep[node])
        assert rep is not None
        yield rep
        if core.nodes.kind[rep] == COLUMN:
            yield int(core.nodes.rep[core.nodes.part1[rep]])
        product = self.product(rep)
        if product is not None:
            yield product
        seen: set[int] = set()
        domain = self.domain(rep)
        while domain is not None and domain not in seen:
            seen.add(domain)
            yield domain
            domain = self._part_of(domain)

    def _dataset(self, node: int) -> int | None:
        nodes = self._core.nodes
        if nodes.kind[node] == COLUMN:
            return int(nodes.rep[nodes.part1[node]])
        return int(nodes.rep[node]) if nodes.kind[node] == DATASET else None

    def _part_of(self, node: int) -> int | None:
        """What a product or domain is part of, as the strongest source says."""
        core = self._core
        rows = core.relation_rows(node, _PART_OF)
        if not rows:
            return None

        def strength(said: tuple[int, int]) -> tuple[int, int, str, tuple[str, ...]]:
            row, head = said
            source = core.heads.source_of(head)
            return (
                self._precedence.rank(source, "domain"),
                -int(core.heads.observed_at[head]),
                source,
                core.label(int(core.relations.end[row])),
            )

        row, _ = min(zip(rows, core.heads_of(rows, 1), strict=True), key=strength)
        return int(core.relations.end[row])

    def _ported(self, dataset: int) -> int | None:
        """The product with an output port on the dataset, under any of its names: the first by name."""
        core = self._core
        products = [
            int(core.relations.start[row])
            for member in core.ring(dataset)
            for row in core.relation_rows(member, _PORT, incoming=True)
            if is_output(self._feed.attributes(row).get("direction"))
        ]
        return min(products, key=core.parts, default=None)

    def _matched(self, dataset: int, kind: int) -> int | None:
        """The holder of the longest pattern that matches any name of the dataset."""
        patterns = self._patterns.get(kind)
        if not patterns:
            return None
        names = ["/".join(self._core.parts(member)) for member in self._shown.members(dataset)]
        for pattern in patterns:
            if any(name.startswith(pattern.prefix) and pattern.matches.match(name) for name in names):
                return pattern.holder
        return None

    def _follow(self) -> None:
        if self._version == self._feed.version:
            return
        self._version = self._feed.version
        self._products.clear()
        self._domains.clear()
        self._patterns = {_DOMAIN: [], _DATA_PRODUCT: []}
        said: set[tuple[int, str]] = {
            (node, text) for node, by_scope in self._feed.patterns.items() for texts in by_scope.values() for text in texts
        }
        for node, text in sorted(said, key=lambda one: (-len(one[1]), self._core.label(one[0]), one[1])):
            wild = _WILD.search(text)
            pattern = Pattern(text[: wild.start()] if wild else text, re.compile(translate(text)), node)
            self._patterns[int(self._core.nodes.kind[node])].append(pattern)

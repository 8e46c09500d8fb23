"""What subjects read of the graph, each thing once for all policies of a pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from meshline.governance.policies.personal_data import Personal
from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Ints, Tied
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType, Json
from meshline.graph.queries.assets import Attributes, attributes
from meshline.graph.queries.contract_versions import Version, versions

MOST = 100  # of a list that a policy is given


class Ports(NamedTuple):
    """The ports of one direction, one row for each time that one is said."""

    product: Ints
    dataset: Ints
    said: Ints


class Look:
    """One look at the graph. Valid as long as it does not change; `personal` outlives it."""

    def __init__(
        self, live: LiveGraph, index: LineageIndex, now: datetime | None = None, personal: dict[str, Personal] | None = None
    ) -> None:
        self.live = live
        self.index = index
        self.now = now or datetime.now(UTC)
        self.shared: dict[object, Any] = {}  # what subjects find out, for others of the same pass
        self._personal = {} if personal is None else personal
        self._attributes: dict[int, Attributes] = {}
        self._names: dict[int, str] = {}
        self._circles: dict[int, tuple[str, ...]] = {}

    # -- edges

    @cached_property
    def outputs(self) -> Ports:
        return self._ports("output")

    @cached_property
    def inputs(self) -> Ports:
        return self._ports("input")

    @cached_property
    def consumes(self) -> Tied:
        """Consumer -> column, dataset or product."""
        return self.index.ties(EdgeType.CONSUMES)

    @cached_property
    def governs(self) -> Tied:
        """Contract -> dataset."""
        return self.index.ties(EdgeType.GOVERNS)

    @cached_property
    def exposed(self) -> frozenset[int]:
        """The datasets that are some product's output port."""
        return frozenset(self.outputs.dataset.tolist())

    def said(self, number: int) -> Mapping[str, Json]:
        return self.index.said(number)

    def _ports(self, direction: str) -> Ports:
        tied = self.index.ties(EdgeType.PORT)
        numbers = {number: _direction(self.said(number)) == direction for number in np.unique(tied.said).tolist()}
        kept = np.array([numbers[number] for number in tied.said.tolist()], np.bool_)
        return Ports(tied.start[kept], tied.end[kept], tied.said[kept])

    # -- what is said of assets

    def prefetch(self, nodes: Iterable[int]) -> None:
        """Read what is said of these in one go."""
        wanted = sorted({node for node in nodes if node not in self._attributes})
        if wanted:
            self._attributes.update(zip(wanted, attributes(self.live, self.index, wanted), strict=True))

    def known(self, node: int) -> Attributes:
        self.prefetch([node])
        return self._attributes[node]

    def versions(self, contract: int) -> list[Version]:
        return versions(self.index.label(contract).name, self.known(contract).rows)

    def name(self, node: int | None) -> str:
        """The qualified name; empty for none."""
        if node is None or node < 0:
            return ""
        found = self._names.get(node)
        if found is None:
            found = self._names[node] = self.index.key(node).qualified_name
        return found

    def tags(self, node: int | None) -> list[str]:
        return [] if node is None or node < 0 else sorted(self.index.tags(node))[:MOST]

    def owners(self, node: int) -> list[str]:
        """The names of the owners at the nearest level that has any."""
        return sorted({self.index.label(found.owner).name for found in self.index.owners(node)})[:MOST]

    def circles(self, user: int) -> tuple[str, ...]:
        """To whom a consumer or product belongs: its name, its tags, its owners, the domains that these own, its own domain."""
        found = self._circles.get(user)
        if found is None:
            found = self._circles[user] = self._circles_of(user)
        return found

    def _circles_of(self, user: int) -> tuple[str, ...]:
        index = self.index
        names = {index.label(user).name, *index.tags(user)}
        for owner in index.direct_owners(user):
            names.add(index.label(owner.owner).name)
            for edge in index.edges(owner.owner, EdgeType.OWNS):
                if index.kind(edge.end) is AssetKind.DOMAIN:
                    names.add(index.label(edge.end).name)
        if index.kind(user) is AssetKind.DATA_PRODUCT and (domain := index.domain(user)) is not None:
            names.add(index.label(domain).name)
        return tuple(sorted(name.lower() for name in names))[:MOST]

    # -- columns

    def all_of(self, kind: AssetKind) -> list[int]:
        return list(self.index.of_kind(kind))

    def personal(self, parameters: Mapping[str, Any]) -> Personal:
        """Where personal data is, by these parameters; kept from pass to pass."""
        key = Personal.key(parameters)
        found = self._personal.get(key)
        if found is None:
            found = self._personal[key] = Personal(self.index, parameters)
        return found


def _direction(said: Mapping[str, Json]) -> str:
    direction = said.get("direction", "output")
    return direction.lower() if isinstance(direction, str) else ""

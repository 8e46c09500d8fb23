"""The naming rules of catalogs, applied to all datasets of a graph: SAME_AS between names that both exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from meshline.graph import model
from meshline.graph.content import encode
from meshline.graph.model import AssetKey, EdgeFact, EdgeType, Facts, Scope
from meshline.ingest.identity.rules import Rule, remembered
from meshline.ingest.sources.base import Entry, Found, Reading, Unchanged
from meshline.ingest.sources.scope_loader import Loading, load
from meshline.ingest.times import now

if TYPE_CHECKING:
    from meshline.graph.live import LiveGraph

SOURCE = "naming/catalogs"
Spoken: TypeAlias = Mapping[str, Mapping[str, int]]  # see `meshline.graph.queries.spoken.names_spoken`


class _Link(NamedTuple):
    """A dataset, the one that it is by a rule, and the scope that says so."""

    dataset: AssetKey
    is_: AssetKey
    rule: Rule

    @property
    def scope(self) -> Scope:
        return ("same_as", str(self.rule), *self.dataset.parts)


def apply(graph: LiveGraph) -> Loading | None:
    """Say which datasets are the same by the rules that the store remembers, and retract what is so no more.

    A dataset is joined only with one of which some source speaks: no rule makes a dataset. None if there
    are no rules, and never were. Raises StoreUnavailable.
    """
    rules = remembered(graph.store)
    with graph.lock:
        known = graph.index.said_by(SOURCE)
        if not rules and not known:
            return None
        spoken = _spoken(graph, rules)
    links = {link.scope: link for link in _links(spoken, rules)}  # nobody waits while names are compared
    with graph.lock:
        since = _since(graph, [link for scope, link in links.items() if scope not in known])
    found: list[Found] = [Unchanged(scope) if scope in known else _entry(link, since) for scope, link in links.items()]
    return load(graph, Reading(SOURCE, found, complete=True), now())


def _spoken(graph: LiveGraph, rules: Sequence[Rule]) -> Spoken:
    """The names in the namespaces of the rules, by namespace."""
    from meshline.graph.queries.spoken import names_spoken  # noqa: PLC0415 - who only parses a file does not wait for the index

    return names_spoken(graph.index, {prefix.namespace for rule in rules for prefix in rule}, SOURCE)


def _links(spoken: Spoken, rules: Sequence[Rule]) -> Iterator[_Link]:
    """What the rules join now. Of several rules that mean one dataset, the one with the longest prefix holds."""
    by_namespace: dict[str, list[Rule]] = {}
    for rule in rules:
        by_namespace.setdefault(rule.also.namespace, []).append(rule)
    for namespace, of_namespace in by_namespace.items():
        for name in spoken[namespace]:
            for rule in of_namespace:
                other = rule.counterpart(name)
                if other is not None:
                    if other in spoken[rule.names.namespace] and (namespace, name) != (rule.names.namespace, other):
                        yield _Link(model.dataset(namespace, name), model.dataset(rule.names.namespace, other), rule)
                    break


def _since(graph: LiveGraph, links: Sequence[_Link]) -> dict[AssetKey, int]:
    from meshline.graph.queries.spoken import spoken_since  # noqa: PLC0415

    return spoken_since(graph.index, {key for link in links for key in link[:2]}, SOURCE) if links else {}


def _entry(link: _Link, since: dict[AssetKey, int]) -> Entry:
    """It is the same since both are known, so that answers as of the past join them, too."""
    said = {"why": "naming rule", "rule": str(link.rule)}
    content = encode(Facts(edges=(EdgeFact(EdgeType.SAME_AS, link.dataset, link.is_, said),)))
    times = [since[key] for key in link[:2] if key in since]
    return Entry(link.scope, content, past=((max(times), content),) if times else ())

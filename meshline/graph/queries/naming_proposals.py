"""Rules for `catalogs:` that the graph suggests: prefixes behind which two systems have the same tables, judged by their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex, Survey
from meshline.graph.model import AssetKey, build_dataset_key
from meshline.graph.naming_rules import KnownNames, Rule, derive_rule, split_parts
from meshline.graph.queries.identity_conflicts import COMMON, MOSTLY, OVERLAP, ColumnSets, compute_similarity, list_near_misses

EXAMPLES = 3
CANDIDATES = 20  # how many rules are judged at most, those that fit most pairs first: each looks at all names of a namespace
NAMES = 8  # how many names of one dataset are looked at, and how many datasets whose names end alike
ENGINES = ("trino://", "presto://", "dremio://", "athena://", "hive://")  # give catalogs prefixes of their own, so their names are `also`


class Proposal(NamedTuple):
    """A rule that no source states, and the pairs of datasets that it would join now.

    `alike`: how many have mostly the same columns; `unlike`: how many have not, or are copies of each other; `unknown`: of how many the
    columns are unknown. `examples`: some of those that are alike, or else of the unknown.
    """

    rule: Rule
    alike: int
    unlike: int
    unknown: int
    examples: tuple[tuple[AssetKey, AssetKey], ...]


def list_proposals(index: LineageIndex) -> list[Proposal]:
    """The rules that join more alike pairs than unlike ones, those with most alike pairs first.

    A rule all of whose alike pairs an earlier one joins, too, is left out.
    """
    survey = index.assets.survey()
    graph = _Graph(index, survey, ColumnSets(survey))
    judged = [
        (proposal, pairs) for rule in graph.list_candidates() for proposal, pairs in [graph.judge(rule)] if proposal.alike > proposal.unlike
    ]
    judged.sort(key=lambda one: (-one[0].alike, one[0].unlike, str(one[0].rule)))
    found: list[Proposal] = []
    joined: set[frozenset[int]] = set()
    for proposal, pairs in judged:
        if not pairs <= joined:
            found.append(proposal)
            joined |= pairs
    return found


class _Graph:
    """The names and columns of all datasets, as the rules are judged by them."""

    def __init__(self, index: LineageIndex, survey: Survey, sets: ColumnSets) -> None:
        self._index = index
        self._survey = survey
        self._sets = sets
        self._names: dict[int, list[tuple[str, str, int]]] = {}  # by representative: namespace, name, own node
        self._by_namespace: dict[str, dict[str, int]] = {}  # by namespace and name: representative
        names = survey.names
        current = ~names.is_former
        rows = zip(
            survey.read_texts(names.namespace[current]),
            survey.read_texts(names.name[current]),
            names.node[current].tolist(),
            names.representative[current].tolist(),
            strict=True,
        )
        for namespace, name, node, rep in rows:
            self._names.setdefault(rep, []).append((namespace, name, node))
            self._by_namespace.setdefault(namespace, {})[name] = rep
        self._known: dict[str, KnownNames] = {}
        starts, ends = survey.flows
        self._flows = np.unique(starts.astype(np.int64) << 32 | ends)

    def list_candidates(self) -> Collection[Rule]:
        """The rules that fit most near misses and pairs whose names end alike, most first."""
        found: Counter[Rule] = Counter()
        near = (frozenset((first, second)) for first, second, _ in list_near_misses(self._survey, self._sets))
        for pair in sorted({*near, *self._list_namesakes()} - self._survey.different, key=sorted):
            found.update(set(self._derive_rules(*pair)))
        return sorted(found, key=lambda rule: (-found[rule], str(rule)))[:CANDIDATES]

    def _list_namesakes(self) -> Iterator[frozenset[int]]:
        """Pairs of datasets with the same last two parts of their names whose columns are alike.

        Near misses are pairs of which all columns are known. Of what a query engine reads, often some are.
        """
        namesakes: dict[tuple[str, ...], set[int]] = {}
        for rep, names in self._names.items():
            for _, name, _ in names[:NAMES]:
                parts = tuple(split_parts(name.casefold())[-2:])
                if len(parts) == 2:
                    namesakes.setdefault(parts, set()).add(rep)
        for reps in namesakes.values():
            if 1 < len(reps) <= NAMES:
                yield from (frozenset(pair) for pair in combinations(sorted(reps), 2) if self._compare(*pair) == "alike")

    def _derive_rules(self, first: int, second: int) -> Iterator[Rule]:
        """The rules by which two classes would be one."""
        for one, other in product(self._names.get(first, [])[:NAMES], self._names.get(second, [])[:NAMES]):
            if one[0] != other[0]:
                also, names = sorted((one, other), key=self._rank_as_catalog)
                rule = derive_rule(also[:2], names[:2])
                if rule is not None:
                    yield rule

    def _rank_as_catalog(self, name: tuple[str, str, int]) -> tuple[bool, bool, str, str]:
        """Sorts the name that a catalog gives to its own table last."""
        namespace, text, node = name
        return node in self._survey.catalog_tables, not namespace.startswith(ENGINES), namespace, text

    def judge(self, rule: Rule) -> tuple[Proposal, frozenset[frozenset[int]]]:
        """What the rule would join, and the alike pairs (representatives)."""
        counts = {"alike": 0, "unlike": 0, "unknown": 0}
        examples: dict[str, list[tuple[AssetKey, AssetKey]]] = {kind: [] for kind in counts}
        alike: set[frozenset[int]] = set()
        for name, other, pair in self._list_pairs(rule):
            kind = self._compare(*pair)
            counts[kind] += 1
            if kind == "alike":
                alike.add(frozenset(pair))
            if len(examples[kind]) < EXAMPLES:
                examples[kind].append((build_dataset_key(rule.also.namespace, name), build_dataset_key(rule.names.namespace, other)))
        return Proposal(rule, **counts, examples=tuple(examples["alike"] or examples["unknown"])), frozenset(alike)

    def _list_pairs(self, rule: Rule) -> Iterator[tuple[str, str, tuple[int, int]]]:
        """The pairs of names that the rule would join and nothing joins now, with their representatives; in the order of the names."""
        also, names = (self._by_namespace.get(prefix.namespace, {}) for prefix in (rule.also, rule.names))
        if rule.names.namespace not in self._known:
            self._known[rule.names.namespace] = KnownNames(names)
        known = self._known[rule.names.namespace]
        for name in sorted(also):
            counterpart = rule.find_counterpart(name)
            other = known.find(counterpart, ignore_case=rule.ignore_case) if counterpart is not None else None
            if other is None:
                continue
            pair = also[name], names[other]
            if pair[0] != pair[1] and frozenset(pair) not in self._survey.different:
                yield name, other, pair

    def _compare(self, first: int, second: int) -> str:
        """How the columns of two classes compare: alike, unlike or unknown."""
        if self._has_flow(first, second) or self._has_flow(second, first):
            return "unlike"
        one, other = self._sets.collect_class(first), self._sets.collect_class(second)
        if not one or not other:
            return "unknown"
        common = len(one & other)
        most = compute_similarity(one, other) >= MOSTLY or common >= OVERLAP * min(len(one), len(other))
        return "alike" if common >= min(COMMON, len(one), len(other)) and most else "unlike"

    def _has_flow(self, start: int, end: int) -> bool:
        code = start << 32 | end
        at = int(np.searchsorted(self._flows, code))
        return at < len(self._flows) and int(self._flows[at]) == code

"""The lineage of a run or of a declared job, output by output.

Precedence for one output (semantics, OpenLineage): the `lineage` facet, then `columnLineage`, then
inputs x outputs. Which of these pairs are covered by column lineage depends on sibling runs as well, so
a `Target` is made without them and `content` is asked with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.content import PLAIN, Draft
from meshline.graph.model import AssetKey, Content, EdgeFact, EdgeType, Facts
from meshline.ingest.openlineage.contents import Contents
from meshline.ingest.openlineage.facets import Place, Weight
from meshline.ingest.openlineage.flows import NOTHING, Described, Name, job_name, of_dataset_lineage, together
from meshline.ingest.openlineage.resolving import Resolver
from meshline.ingest.openlineage.runs import Mention, RunState, Slot, join_slots
from meshline.ingest.openlineage.typed import LineageEntry, Symlinks

GOOD = int(Weight.GOOD)


class Side(NamedTuple):
    """A dataset as all mentions of it in one role say, under whatever spellings."""

    first: int
    last: int
    facets: Mapping[str, Slot]

    def good(self, name: str) -> Slot | None:
        slot = self.facets.get(name)
        return slot if slot is not None and slot.weight == GOOD else None


class Feed(NamedTuple):
    """An input of an output at the grain of datasets. `covered`: by the run's own column lineage."""

    dataset: AssetKey
    pair: bytes
    covered: bool


class Target(NamedTuple):
    """One output. `first` and `last`: when it was named. `source`: what its described lineage was read from."""

    key: AssetKey
    first: int
    last: int
    described: Described | None
    source: tuple[bytes | str, ...]
    resolved: Mapping[Name, AssetKey]
    feeds: tuple[Feed, ...]
    sources: frozenset[AssetKey]  # datasets with column edges into it


class Exchange(NamedTuple):
    """What a job reads and writes, in a run or as declared. `consumed`: by whom, by `lineage` entries of jobs."""

    job: AssetKey
    inputs: Mapping[AssetKey, Side]
    outputs: Mapping[AssetKey, Side]
    targets: tuple[Target, ...]
    consumed: tuple[tuple[AssetKey, AssetKey], ...]


def exchange(job: Name, state: RunState, contents: Contents) -> Exchange:
    return _Reader(job, state, contents).exchange()


class _Reader:
    """Reads one state."""

    def __init__(self, job: Name, state: RunState, contents: Contents) -> None:
        self.job = job
        self.contents = contents
        self.inputs = _sides(state.inputs, contents)
        self.outputs = _sides(state.outputs, contents)
        slot = state.job_facets.get("lineage")
        self.slot = slot if slot is not None and slot.weight == GOOD else None
        self.entries = contents.job_entries(self.slot) if self.slot else []
        self.declared = self._declared()
        self.resolver: Resolver | None = None

    def exchange(self) -> Exchange:
        targets = [self._target(key, side.first, side.last, side) for key, side in self.outputs.items()]
        if self.slot is not None:
            named = {self._key(entry.namespace, entry.name) for entry in self.entries if _is_dataset(entry)}
            targets += [self._target(key, self.slot.first, self.slot.time, None) for key in sorted(named - self.outputs.keys())]
        return Exchange(model.job(*self.job), self.inputs, self.outputs, tuple(targets), self._consumed())

    def _target(self, key: AssetKey, first: int, last: int, side: Side | None) -> Target:
        described, source = self._described(key, side)
        if described is None:
            feeds = tuple(Feed(dataset, self.contents.pair(dataset, key), covered=False) for dataset in self.inputs)
            return Target(key, first, last, None, (), {}, feeds, frozenset())
        resolved = {name: self._resolve(name) for name in described.names}
        sources = frozenset([resolved[name] for name in described.sources])
        fed: Iterable[AssetKey] = self.inputs if described.datasets is None else sorted({resolved[name] for name in described.datasets})
        feeds = tuple(Feed(dataset, self.contents.pair(dataset, key), dataset in sources) for dataset in fed)
        return Target(key, first, last, described, source, resolved, feeds, sources)

    def _described(self, key: AssetKey, side: Side | None) -> tuple[Described | None, tuple[bytes | str, ...]]:
        """By precedence; an output of which no `lineage` facet says anything falls back (specification)."""
        explicit: list[Described] = []
        source: list[bytes | str] = []
        facet = side.good("lineage") if side else None
        if facet is not None and (of_facet := self.contents.dataset_lineage(facet, self.job, self.declared)) is not None:
            explicit.append(of_facet)
            source.append(facet.digest)
        for entry in self.entries:
            if _is_dataset(entry) and self._key(entry.namespace, entry.name) == key:
                of_entry = of_dataset_lineage(entry, self.job, self.declared)
                if of_entry is not None and self.slot is not None:
                    explicit.append(of_entry)
                    source.append(self.slot.digest)
        if explicit:
            return together(explicit), (*source, *sorted(self.declared))
        facet = side.good("columnLineage") if side else None
        if facet is None:
            return None, ()
        return self.contents.column_lineage(facet, self.declared), (facet.digest, *sorted(self.declared))

    def _declared(self) -> frozenset[str]:
        declared: frozenset[str] = frozenset()
        for side in (*self.inputs.values(), *self.outputs.values()):
            schema = side.good("schema")
            if schema is not None:
                declared |= self.contents.seldom(schema)
        return declared

    def _consumed(self) -> tuple[tuple[AssetKey, AssetKey], ...]:
        """(job, dataset) of entries that say what a job consumes. Job to job has no edge, and is only kept."""
        pairs = set()
        for entry in self.entries:
            if (entry.type or "").upper() == "JOB":
                for source in entry.inputs or ():
                    if (source.type or "DATASET").upper() == "DATASET" and source.namespace is not None and source.name:
                        pairs.add((model.job(*(job_name(entry) or self.job)), self._resolve((source.namespace, source.name))))
        return tuple(sorted(pairs))

    def _resolve(self, name: Name) -> AssetKey:
        key = self.contents.naming.dataset(*name)
        if key in self.inputs or key in self.outputs:
            return key
        if self.resolver is None:
            self.resolver = Resolver({key: self._symlinks(key) for key in {**self.inputs, **self.outputs}})
        return self.resolver.resolve(key)

    def _symlinks(self, key: AssetKey) -> frozenset[AssetKey]:
        found: set[AssetKey] = set()
        for side in (self.inputs.get(key), self.outputs.get(key)):
            facet = side.good("symlinks") if side else None
            value = self.contents.reader.read(Place.DATASET, "symlinks", facet).value if facet else None
            if isinstance(value, Symlinks) and value.deleted is not True:
                found.update(self._key(identifier.namespace, identifier.name) for identifier in value.identifiers or ())
        return frozenset(found)

    def _key(self, namespace: str | None, name: str | None) -> AssetKey:
        return self.contents.naming.dataset(namespace or "", name or "")


def content(target: Target, of: Exchange, contents: Contents, covered: Callable[[bytes], bool]) -> Content:
    """What the exchange says of one output. `covered`: whether a sibling's column lineage covers a pair."""
    feeds = tuple((feed.dataset, feed.covered or covered(feed.pair)) for feed in target.feeds)
    names = tuple(target.resolved.values())
    key = (of.job, target.key, target.source, names, tuple(of.inputs), feeds)
    return contents.drafted(key, lambda: _draft(target, of, feeds))


def writes_only(target: Target, of: Exchange, contents: Contents) -> Content:
    return contents.of((of.job, target.key), lambda: Facts(edges=(EdgeFact(EdgeType.WRITES, of.job, target.key),)))


def reads(of: Exchange, contents: Contents) -> Content:
    """What is read without being said where it goes."""
    pairs = sorted({*of.consumed, *((of.job, dataset) for dataset in of.inputs if not of.targets)})
    return contents.of(("reads", *pairs), lambda: Facts(edges=tuple(EdgeFact(EdgeType.READS, job, dataset) for job, dataset in pairs)))


def _draft(target: Target, of: Exchange, feeds: Iterable[tuple[AssetKey, bool]]) -> Draft:
    draft = Draft()
    draft.add(Facts(edges=edges(target, of)))
    draw_flows(draft, target, feeds, of.job)
    return draft


def edges(target: Target, of: Exchange) -> tuple[EdgeFact, ...]:
    """What is read and written for one output."""
    job, described = of.job, target.described or NOTHING
    explicit = [target.resolved[name] for name in described.datasets or ()]
    result = [EdgeFact(EdgeType.READS, job, dataset) for dataset in sorted({*of.inputs, *explicit})]
    result += [EdgeFact(EdgeType.WRITES, model.job(*writer), target.key) for writer in described.writers]
    return (*result, EdgeFact(EdgeType.WRITES, job, target.key))


def draw_flows(draft: Draft, target: Target, feeds: Iterable[tuple[AssetKey, bool]], job: AssetKey | None) -> None:
    """What flows into one output. `feeds`: the datasets that do, and whether column lineage covers them."""
    described = target.described or NOTHING
    for dataset, is_covered in feeds:
        draft.flows(dataset, target.key, PLAIN, covered=is_covered, job=job)
    for name in described.partial:  # the column that such an input feeds is known, its own is not: no column edge can stand for it
        draft.flows(target.resolved[name], target.key, PLAIN, job=job)
    for (name, kind), pairs in described.flows.items():
        draft.flows(target.resolved[name], target.key, kind, pairs, job=job)


def _sides(mentions: Iterable[Mention], contents: Contents) -> dict[AssetKey, Side]:
    """By key, sorted."""
    sides: dict[AssetKey, Side] = {}
    for mention in mentions:
        key = contents.naming.dataset(mention.namespace, mention.name)
        known = sides.get(key)
        side = Side(mention.first, mention.last, mention.facets)
        if known is not None:
            side = Side(min(known.first, side.first), max(known.last, side.last), join_slots(known.facets, side.facets))
        sides[key] = side
    return dict(sorted(sides.items())) if len(sides) > 1 else sides


def _is_dataset(entry: LineageEntry) -> bool:
    return (entry.type or "DATASET").upper() == "DATASET" and entry.namespace is not None and bool(entry.name)

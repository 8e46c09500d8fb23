"""The lineage of a run or of a declared job, output by output.

Precedence for one output (semantics, OpenLineage): the `lineage` facet, then `columnLineage`, then
inputs x outputs. Which of these pairs are covered by column lineage depends on sibling runs as well, so
a `Target` is independent of siblings, and `build_content` is given what they cover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from meshline.graph import model
from meshline.graph.content import PLAIN, Draft
from meshline.graph.model import AssetKey, Content, EdgeFact, EdgeType, Facts, FlowType
from meshline.ingest.openlineage import debezium_topics, spark_plan
from meshline.ingest.openlineage.column_lineage import (
    NOTHING,
    Kind,
    Name,
    OutputLineage,
    build_output_lineage,
    drop_messages,
    find_dialect,
    find_job_name,
    from_dataset_lineage,
    from_messages,
    merge_lineage,
    restrict_to_columns,
)
from meshline.ingest.openlineage.facet_contents import ContentCache
from meshline.ingest.openlineage.facet_types import LineageEntry, Symlinks
from meshline.ingest.openlineage.facets import Place, Weight
from meshline.ingest.openlineage.producers import Producer, find_change, find_producer
from meshline.ingest.openlineage.run_state import Mention, RunState, Slot, join_slots


class Resolver:
    """Resolves names among the inputs and outputs of one run, with the symlinks that the run states for each."""

    def __init__(self, datasets: Mapping[AssetKey, frozenset[AssetKey]]) -> None:
        self._by_symlink: dict[AssetKey, list[AssetKey]] = {}
        self._by_case: dict[tuple[str, ...], list[AssetKey]] = {}
        self._by_last_part: dict[str, list[AssetKey]] = {}
        for dataset, symlinks in datasets.items():
            for symlink in symlinks:
                self._by_symlink.setdefault(symlink, []).append(dataset)
            self._by_case.setdefault(_fold_parts(dataset), []).append(dataset)
            self._by_last_part.setdefault(_get_last_part(dataset), []).append(dataset)

    def resolve(self, key: AssetKey) -> AssetKey:
        """The one dataset that matches by symlink, else by case, else by the last part of the name; else `key` itself.

        The first of these by which any dataset matches decides. dbt names CTEs here, which match nothing.
        """
        found = self._by_symlink.get(key) or self._by_case.get(_fold_parts(key)) or self._by_last_part.get(_get_last_part(key))
        return found[0] if found and len(found) == 1 else key


def _fold_parts(key: AssetKey) -> tuple[str, ...]:
    return tuple(part.casefold() for part in key.parts)


def _get_last_part(key: AssetKey) -> str:
    return key.name.replace("/", ".").rsplit(".", 1)[-1].casefold()


GOOD = int(Weight.GOOD)

Source: TypeAlias = tuple[bytes | str, ...]  # the digests of the facets and schemas from which lineage was read


class Side(NamedTuple):
    """A dataset in one role (input or output), all its spellings together. `first`, `last`: when it was named, in microseconds.

    `is_part`: some of the names are of a part of it (a partition).
    """

    first: int
    last: int
    facets: Mapping[str, Slot]
    is_part: bool = False

    def find_good(self, name: str) -> Slot | None:
        """The facet of this name, if it can be parsed and lists something."""
        slot = self.facets.get(name)
        return slot if slot is not None and slot.weight == GOOD else None


class Feed(NamedTuple):
    """An input of an output at the grain of datasets. `covered`: the run's own column lineage covers the pair.

    `pair`: the digest (16 bytes) that identifies input and output among sibling runs.
    """

    dataset: AssetKey
    pair: bytes
    covered: bool


class Target(NamedTuple):
    """One output. `first` and `last`: when it was named, in microseconds. `source`: the digests of what its lineage was read from."""

    key: AssetKey
    first: int
    last: int
    lineage: OutputLineage | None
    source: Source
    resolved: Mapping[Name, AssetKey]
    feeds: tuple[Feed, ...]
    sources: frozenset[AssetKey]  # datasets with column edges into it


class Exchange(NamedTuple):
    """What a job reads and writes, in a run or as declared. `consumed`: (job, dataset) by `lineage` entries of jobs."""

    job: AssetKey
    producer: Producer
    inputs: Mapping[AssetKey, Side]
    outputs: Mapping[AssetKey, Side]
    targets: tuple[Target, ...]
    consumed: tuple[tuple[AssetKey, AssetKey], ...]


def build_exchange(job: Name, state: RunState, contents: ContentCache) -> Exchange:
    """What a job reads and writes by the state of a run, or of a declared job."""
    return _ExchangeBuilder(job, state, contents).build()


class _ExchangeBuilder:
    """Reads one state."""

    def __init__(self, job: Name, state: RunState, contents: ContentCache) -> None:
        self.job = job
        self.contents = contents
        self.inputs = _group_sides(state.inputs, contents)
        self.producer = find_producer(state.job_facets, contents.reader)
        self.outputs = {} if self.producer.writes_no_datasets else _group_sides(state.outputs, contents)
        slot = state.job_facets.get("lineage")
        self.slot = slot if slot is not None and slot.weight == GOOD else None
        self.job_facets = state.job_facets
        self.run_facets = state.run_facets
        self.plan = state.run_facets.get(spark_plan.FACET)
        self.entries = contents.list_job_entries(self.slot) if self.slot else []
        self.by_target: dict[AssetKey, list[LineageEntry]] = {}
        for entry in self.entries:
            if _is_dataset(entry):
                self.by_target.setdefault(self._build_key(entry.namespace, entry.name), []).append(entry)
        self.declared = self._collect_declared()
        self.resolver: Resolver | None = None
        self.by_name: dict[AssetKey | None, list[AssetKey]] | None = None

    def build(self) -> Exchange:
        targets = [self._build_target(key, side.first, side.last, side) for key, side in self.outputs.items()]
        if self.slot is not None:
            named = sorted(self.by_target.keys() - self.outputs.keys())
            targets += [self._build_target(key, self.slot.first, self.slot.time, None) for key in named]
        return Exchange(model.build_job_key(*self.job), self.producer, self.inputs, self.outputs, tuple(targets), self._collect_consumed())

    def _build_target(self, key: AssetKey, first: int, last: int, side: Side | None) -> Target:
        lineage, source = self._find_lineage(key, side)
        lineage, whole, plan = self._add_messages(lineage)
        source = (*source, *plan)
        if lineage is None:
            by_query = self.producer.names_columns_by_select_list
            target = self._build_by_query(key, first, last, {}, ()) if by_query else self._build_by_rows(key, first, last, side)
            if target is not None:
                return target
            return Target(key, first, last, None, (), {}, self._build_feeds(key, self._find_feeding_inputs(key), frozenset()), frozenset())
        schema = find_whole_schema(side, self.producer, self.contents) if side else None
        resolved = {name: self._resolve_name(name) for name in lineage.names}
        if schema is not None:
            lineage = restrict_to_columns(lineage, self.contents.get_folded_columns(schema))
            if lineage.contradicted:
                return self._build_contradicted(key, first, last, lineage, resolved, (*source, schema.digest))
        if self.producer.names_columns_by_select_list and not _has_indirect_flows(lineage):
            target = self._build_by_query(key, first, last, resolved, source)
            if target is not None and (schema is None or all(feed.covered for feed in target.feeds)):
                return target
        sources = frozenset([resolved[name] for name in lineage.sources if name not in whole])
        fed: Iterable[AssetKey] = self.inputs if lineage.datasets is None else sorted({resolved[name] for name in lineage.datasets})
        feeds = tuple(Feed(dataset, self.contents.get_pair_digest(dataset, key), dataset in sources) for dataset in fed)
        return Target(key, first, last, lineage, source, resolved, feeds, sources)

    def _add_messages(self, lineage: OutputLineage | None) -> tuple[OutputLineage | None, frozenset[Name], Source]:
        """The lineage of an output with what flows out of messages; the topics of which that covers not all; the digest of what was read.

        A plan does not name its topics: it is used if the run reads only one.
        """
        topics = [key for key in self.inputs if self.producer.has_messages(key.parts[0])]
        if not topics or (lineage is not None and lineage.datasets is not None):
            return lineage, frozenset(), ()
        if lineage is not None:
            lineage = drop_messages(lineage, {name for name in lineage.sources if self._resolve_name(name) in topics})
        found = self.contents.get_message_flows(self.plan) if self.plan is not None and len(topics) == len(self.outputs) == 1 else None
        if found is None or self.plan is None:
            return lineage, frozenset(), ()
        topic: Name = (topics[0].parts[0], topics[0].name)
        stated = from_messages(topic, found)
        merged = stated if lineage is None else merge_lineage([lineage, stated])._replace(datasets=None)
        return merged, frozenset({topic} if found.whole else ()), (self.plan.digest,)

    def _build_contradicted(
        self, key: AssetKey, first: int, last: int, lineage: OutputLineage, resolved: Mapping[Name, AssetKey], source: Source
    ) -> Target:
        """An output whose schema lacks columns that its lineage names: by the SQL of the job, else no pair is covered."""
        target = self._build_by_query(key, first, last, resolved, source)
        if target is not None:
            return target
        named = set(resolved.values())
        feeds = self._build_feeds(key, {*self.inputs, *named} if lineage.datasets is None else named, frozenset())
        return Target(key, first, last, lineage, source, resolved, feeds, frozenset())

    def _build_by_query(self, key: AssetKey, first: int, last: int, resolved: Mapping[Name, AssetKey], source: Source) -> Target | None:
        """An output by the SQL of the job; None if that cannot be read. `resolved`: the datasets that its lineage names."""
        sql, dialect = self.job_facets.get("sql"), find_dialect(key.parts[0])
        if sql is None or dialect is None:
            return None
        schemas = {dataset: self._find_whole_schema(dataset) for dataset in sorted({*self.inputs, *self.outputs, *resolved.values()})}
        query = self.contents.get_query_lineage(sql, dialect, key, schemas)
        if query is None:
            return None
        keys = {name: model.build_dataset_key(*name) for name in query.pairs}
        covered = frozenset(keys[name] for name, is_covered in query.pairs.items() if is_covered)
        unread = {dataset for dataset in self.inputs if dataset.parts not in query.others}
        feeds = self._build_feeds(key, {*keys.values(), *unread}, covered)
        digests = [b"" if schema is None else schema.digest for schema in schemas.values()]
        return Target(
            key, first, last, build_output_lineage(query.flows, query.pairs), (*source, sql.digest, *digests), keys, feeds, covered
        )

    def _build_by_rows(self, key: AssetKey, first: int, last: int, side: Side | None) -> Target | None:
        """A topic by the columns of the one table that flows into it (Debezium); None if they are not known, or if rows are changed."""
        config, fields = self.run_facets.get(debezium_topics.FACET), side.find_good("schema") if side else None
        if not self.producer.names_outputs_after_inputs or config is None or fields is None or not debezium_topics.is_neutral(config.raw):
            return None
        fed = list(self._find_feeding_inputs(key))
        columns = self.inputs[fed[0]].find_good("schema") if len(fed) == 1 else None
        if columns is None:
            return None
        rows = debezium_topics.match_rows(self.contents.get_columns(columns), self.contents.get_columns(fields))
        if not rows.pairs:
            return None
        name = (fed[0].parts[0], fed[0].name)
        lineage = build_output_lineage({(name, Kind(FlowType.DIRECT, "IDENTITY", masking=False)): rows.pairs})
        covered = frozenset(fed) if rows.complete else frozenset()
        source = ("rows", columns.digest, fields.digest)
        return Target(key, first, last, lineage, source, {name: fed[0]}, self._build_feeds(key, fed, covered), covered)

    def _find_feeding_inputs(self, key: AssetKey) -> Iterable[AssetKey]:
        """The inputs that may flow into an output without stated lineage: if outputs are named after inputs, those of its name.

        An output that is named after no input may come from any input after which no output is named.
        """
        if not self.producer.names_outputs_after_inputs:
            return self.inputs
        if self.by_name is None:
            self.by_name = self._group_by_name()
        return self.by_name.get(key) or self.by_name[None]

    def _group_by_name(self) -> dict[AssetKey | None, list[AssetKey]]:
        """For each output the inputs after which it is named; under None the inputs after which no output is named."""
        by_end: dict[str, list[AssetKey]] = {}
        for dataset in self.inputs:
            for end in dict.fromkeys(debezium_topics.list_output_ends(dataset.name)):
                by_end.setdefault(end, []).append(dataset)
        found: dict[AssetKey | None, list[AssetKey]] = {
            key: [dataset for end in debezium_topics.list_topic_ends(key.name) for dataset in by_end.get(end, ())] for key in self.outputs
        }
        named = {dataset for datasets in found.values() for dataset in datasets}
        found[None] = [dataset for dataset in self.inputs if dataset not in named]
        return found

    def _build_feeds(self, key: AssetKey, datasets: Iterable[AssetKey], covered: frozenset[AssetKey]) -> tuple[Feed, ...]:
        return tuple(Feed(dataset, self.contents.get_pair_digest(dataset, key), dataset in covered) for dataset in sorted(set(datasets)))

    def _find_whole_schema(self, dataset: AssetKey) -> Slot | None:
        """The schema of a dataset, if it lists all of its columns."""
        written, read = self.outputs.get(dataset), self.inputs.get(dataset)
        schema = find_whole_schema(written, self.producer, self.contents) if written else None
        if schema is None and read and not read.is_part and self.producer.has_whole_input(dataset.parts[0]):
            return read.find_good("schema")
        return schema

    def _find_lineage(self, key: AssetKey, side: Side | None) -> tuple[OutputLineage | None, Source]:
        """The lineage of an output, and the digests of its sources, by precedence.

        An output for which no `lineage` facet states anything falls back to `columnLineage` (specification).
        """
        explicit: list[OutputLineage] = []
        source: list[bytes | str] = []
        facet = side.find_good("lineage") if side else None
        if facet is not None and (of_facet := self.contents.get_dataset_lineage(facet, self.job, self.declared)) is not None:
            explicit.append(of_facet)
            source.append(facet.digest)
        for entry in self.by_target.get(key, ()):
            of_entry = from_dataset_lineage(entry, self.job, self.declared)
            if of_entry is not None and self.slot is not None:
                explicit.append(of_entry)
                source.append(self.slot.digest)
        if explicit:
            return merge_lineage(explicit), (*source, *sorted(self.declared))
        facet = side.find_good("columnLineage") if side else None
        if facet is None:
            return None, ()
        return self.contents.get_column_lineage(facet, self.declared), (facet.digest, *sorted(self.declared))

    def _collect_declared(self) -> frozenset[str]:
        declared: frozenset[str] = frozenset()
        for side in (*self.inputs.values(), *self.outputs.values()):
            schema = side.find_good("schema")
            if schema is not None:
                declared |= self.contents.get_seldom_columns(schema)
        return declared

    def _collect_consumed(self) -> tuple[tuple[AssetKey, AssetKey], ...]:
        """(job, dataset) of the entries that state what a job consumes. Job to job entries have no edge, and are only kept."""
        pairs = set()
        for entry in self.entries:
            if (entry.type or "").upper() == "JOB":
                for source in entry.inputs or ():
                    if (source.type or "DATASET").upper() == "DATASET" and source.namespace is not None and source.name:
                        pairs.add(
                            (model.build_job_key(*(find_job_name(entry) or self.job)), self._resolve_name((source.namespace, source.name)))
                        )
        return tuple(sorted(pairs))

    def _resolve_name(self, name: Name) -> AssetKey:
        key = self.contents.naming.normalise_dataset(*name)
        if key in self.inputs or key in self.outputs:
            return key
        if self.resolver is None:
            self.resolver = Resolver({key: self._collect_symlinks(key) for key in {**self.inputs, **self.outputs}})
        return self.resolver.resolve(key)

    def _collect_symlinks(self, key: AssetKey) -> frozenset[AssetKey]:
        found: set[AssetKey] = set()
        for side in (self.inputs.get(key), self.outputs.get(key)):
            facet = side.find_good("symlinks") if side else None
            value = self.contents.reader.read(Place.DATASET, "symlinks", facet).value if facet else None
            if isinstance(value, Symlinks) and value.deleted is not True:
                found.update(self._build_key(identifier.namespace, identifier.name) for identifier in value.identifiers or ())
        return frozenset(found)

    def _build_key(self, namespace: str | None, name: str | None) -> AssetKey:
        return self.contents.naming.normalise_dataset(namespace or "", name or "")


def build_content(target: Target, exchange: Exchange, contents: ContentCache, covered: Callable[[bytes], bool]) -> Content:
    """What a run states of one output. `covered`: whether the column lineage of a sibling run covers a pair."""
    feeds = tuple((feed.dataset, feed.covered or covered(feed.pair)) for feed in target.feeds)
    names = tuple(target.resolved.values())
    key = (exchange.job, target.key, target.source, names, tuple(exchange.inputs), feeds)
    return contents.get_draft_content(key, lambda: _draft_output(target, exchange, feeds))


def build_write_content(target: Target, exchange: Exchange, contents: ContentCache) -> Content:
    """The content of an output without inputs: that the job writes it."""
    return contents.get_content((exchange.job, target.key), lambda: Facts(edges=(EdgeFact(EdgeType.WRITES, exchange.job, target.key),)))


def build_read_content(exchange: Exchange, contents: ContentCache) -> Content:
    """The datasets that a job reads without a stated output."""
    pairs = sorted({*exchange.consumed, *((exchange.job, dataset) for dataset in exchange.inputs if not exchange.targets)})
    return contents.get_content(
        ("reads", *pairs), lambda: Facts(edges=tuple(EdgeFact(EdgeType.READS, job, dataset) for job, dataset in pairs))
    )


def _draft_output(target: Target, exchange: Exchange, feeds: Iterable[tuple[AssetKey, bool]]) -> Draft:
    draft = Draft()
    draft.add_facts(Facts(edges=build_edges(target, exchange)))
    draw_flows(draft, target, feeds, exchange.job)
    return draft


def build_edges(target: Target, exchange: Exchange) -> tuple[EdgeFact, ...]:
    """READS and WRITES for one output."""
    job, lineage = exchange.job, target.lineage or NOTHING
    explicit = [target.resolved[name] for name in lineage.datasets or ()]
    result = [
        EdgeFact(EdgeType.READS, job, dataset) for dataset in sorted({*exchange.inputs, *explicit, *_find_unnamed_inputs(target, exchange)})
    ]
    result += [EdgeFact(EdgeType.WRITES, model.build_job_key(*writer), target.key) for writer in lineage.writers]
    return (*result, EdgeFact(EdgeType.WRITES, job, target.key))


def _find_unnamed_inputs(target: Target, exchange: Exchange) -> list[AssetKey]:
    """The tables that the job reads and that the producer names only in the column lineage of an output.

    A subquery may be named there as well: unlike the output, it has no database and no schema.
    """
    if not exchange.producer.leaves_out_inputs:
        return []
    like = target.key.parts[0], target.key.name.count(".")
    return [dataset for dataset in target.sources if like[1] and (dataset.parts[0], dataset.name.count(".")) == like]


def draw_flows(draft: Draft, target: Target, feeds: Iterable[tuple[AssetKey, bool]], job: AssetKey | None) -> None:
    """Draw the flows into one output. `feeds`: the datasets that flow into it, and whether column lineage covers them."""
    lineage = target.lineage or NOTHING
    for dataset, is_covered in feeds:
        draft.add_flows(dataset, target.key, PLAIN, covered=is_covered, job=job)
    for name in lineage.partial:  # its column is not known, only the one that it feeds: no column edge can replace it
        draft.add_flows(target.resolved[name], target.key, PLAIN, job=job)
    for (name, kind), pairs in lineage.flows.items():
        draft.add_flows(target.resolved[name], target.key, kind, pairs, job=job)


def find_whole_schema(written: Side, producer: Producer, contents: ContentCache) -> Slot | None:
    """The schema of an output, if it lists all of its columns."""
    schema = written.find_good("schema")
    if schema is None or written.is_part:
        return None
    return schema if producer.has_whole_output(find_change(written.facets.get("lifecycleStateChange"), contents.reader)) else None


def is_replaced(written: Side, producer: Producer, contents: ContentCache) -> bool:
    """Whether the job replaces the content of an output."""
    return not written.is_part and producer.is_replacement(find_change(written.facets.get("lifecycleStateChange"), contents.reader))


def _group_sides(mentions: Iterable[Mention], contents: ContentCache) -> dict[AssetKey, Side]:
    """The mentioned datasets by key, sorted."""
    sides: dict[AssetKey, Side] = {}
    for mention in mentions:
        key = contents.naming.normalise_dataset(mention.namespace, mention.name)
        known = sides.get(key)
        side = Side(mention.first, mention.last, mention.facets, contents.naming.is_trimmed(mention.namespace, mention.name))
        if known is not None:
            facets = join_slots(known.facets, side.facets)
            side = Side(min(known.first, side.first), max(known.last, side.last), facets, known.is_part or side.is_part)
        sides[key] = side
    return dict(sorted(sides.items())) if len(sides) > 1 else sides


def _has_indirect_flows(lineage: OutputLineage) -> bool:
    return any(kind.type is FlowType.INDIRECT for _, kind in lineage.flows)


def _is_dataset(entry: LineageEntry) -> bool:
    return (entry.type or "DATASET").upper() == "DATASET" and entry.namespace is not None and bool(entry.name)

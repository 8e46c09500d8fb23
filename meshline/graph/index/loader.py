"""Loads heads into the index, and keeps everything in step when a head comes, changes or goes. Batches are read one ahead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.batches import prefetch_batches
from meshline.graph.index.arrays import (
    CHANGED,
    COLLIDES,
    COLUMN,
    DATASET,
    I64,
    N_FLOWS,
    NONE,
    PROVISIONAL,
    REPLACED,
    SPECIAL_DATASET,
    SPECIAL_FACT,
    SPECIAL_RELATION,
    SPECIAL_TAGS,
    STALE,
)
from meshline.graph.index.column_renames import ColumnRenames, ColumnStep
from meshline.graph.index.heads import RELATIONS
from meshline.graph.index.identity import Identity
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels.jit import compile_kernels, compile_kernels_soon
from meshline.graph.index.owner_identity import OwnerIdentity
from meshline.graph.index.pair_coverage import PairCoverage
from meshline.graph.index.renames import DatasetRenames
from meshline.graph.index.results import Ints
from meshline.graph.index.silent_jobs import SilentJobs
from meshline.graph.model import (
    CATALOG_KINDS,
    DATASET_SCOPE,
    EDGE_TYPES,
    KINDS,
    WHOLE_SCHEMA,
    AssetKind,
    EdgeType,
    Json,
    Precedence,
    Scope,
    is_partial_schema,
    parse_source_kind,
)
from meshline.graph.store.base import Head
from meshline.graph.store.head_table import HeadTable

_attributes = msgspec.msgpack.Decoder(dict)

_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_JOB = KINDS.index(AssetKind.JOB)
_OWNER = KINDS.index(AssetKind.OWNER)
_PORT = EDGE_TYPES.index(EdgeType.PORT)
_DIFFERENT_FROM = EDGE_TYPES.index(EdgeType.DIFFERENT_FROM)
_SAME_AS = EDGE_TYPES.index(EdgeType.SAME_AS)
_RENAMED_TO = EDGE_TYPES.index(EdgeType.RENAMED_TO)

_HIDDEN_COLUMN = -2 - _HAS_COLUMN  # a listed column that is gone: see `mutate.recast`

# Bytes of contents that are read before kernels are compiled: reading them takes half as long as loading the cached kernels.
INTERPRETED_BYTES = 600_000

_NO_ATTRIBUTES: Mapping[str, Json] = {}


class HeadLoader:
    """The tables, identity and renames, and what else follows from attributes of the visible heads."""

    SAVED: ClassVar[Mapping[str, Any]] = {
        "patterns": dict[int, dict[int, list[str]]],
        "_with_patterns": dict[int, set[int]],
        "session_names": dict[int, list[tuple[int, tuple[str, ...]]]],
        "tag_sets": list[frozenset[str]],
        "_attribute_numbers": dict[bytes, int],
    }

    def __init__(self, precedence: Precedence) -> None:
        self.tables = IndexTables()
        self.identity = Identity(self.tables, precedence)
        self.owners = OwnerIdentity(self.tables, precedence)
        self.dataset_renames = DatasetRenames(self.tables, self.identity)
        self.column_renames = ColumnRenames(self.tables, self.identity, self.dataset_renames)
        self.pairs = PairCoverage(self.tables)
        self.silent_jobs = SilentJobs(self.tables)
        self.patterns: dict[int, dict[int, list[str]]] = {}  # domain or product -> scope id -> patterns of its members
        self._with_patterns: dict[int, set[int]] = {}  # scope id -> the nodes that it gives patterns
        self.session_names: dict[int, list[tuple[int, tuple[str, ...]]]] = {}  # scope id -> datasets, with a name in a session
        self.names_version = 0  # counts changes of visible assets and their shown names
        self.version = 0  # counts all changes
        self.applied = 0  # heads that changes of the store replaced
        self.tag_sets: list[frozenset[str]] = []  # by `Facts.tags`: `key` or `key=value`
        self._tag_numbers: dict[frozenset[str], int] = {}
        self._attributes: dict[int, dict[str, Json]] = {}  # those that were asked for
        self._attribute_numbers: dict[bytes, int] = {}
        self._encoded: list[bytes] = []  # by number

    def load(self, batches: Iterable[Sequence[Head]]) -> None:
        """Load all heads into an empty index."""
        for heads in prefetch_batches(batches):
            if heads:
                table = HeadTable.from_heads(heads)
                self._read(table)
                self.tables.share = table.share
                if self.tables.bytes_read > INTERPRETED_BYTES:
                    compile_kernels()
        self.tables.share = 0.0
        self.tables.fold()
        self._settle()
        self.pairs.settle()
        self._flag_all()

    def apply(self, changed: Sequence[Head]) -> None:
        """Replace the heads of the scopes that changed. Raises LimitExceeded before anything is replaced (`IndexTables.check_room`)."""
        tables = self.tables
        latest = {head.scope_id: head for head in changed}.values()
        same = {head.scope_id for head in latest if self._is_current(head)}
        new = HeadTable.from_heads([head for head in latest if head.content is not None and head.scope_id not in same])
        tables.check_room(sum(map(len, new.blobs)))
        for head in latest:
            current = tables.heads.find_current(head.scope_id)
            if head.scope_id in same:
                self._retime(current, head)
            elif current != NONE:
                self._withdraw(current)
            self._follow_listing(head.scope)
        if len(new):
            first_flow = int(tables.counts[N_FLOWS])
            self._read(new)
            tables.link(first_flow)
            if tables.bytes_read > INTERPRETED_BYTES:
                compile_kernels_soon()
        self.pairs.invalidate_datasets(self._settle())
        self._flag(latest)
        tables.fold_if_due()

    def retime(self, heads: Ints, observed_at: I64, valid_from: I64, versions: Sequence[str]) -> None:
        """Update the times of many heads whose contents are the same. None of them is provisional, and none was."""
        tables = self.tables
        moved = tables.heads.observed_at[heads] != observed_at
        tables.heads.retime_all(heads, observed_at, valid_from, versions)
        if renames := self.dataset_renames.list_stating() | self.column_renames.list_stating():
            times = dict(zip(tables.heads.scope_id[heads[moved]].tolist(), observed_at[moved].tolist(), strict=True))
            for scope_id in sorted(renames & times.keys()):
                self.dataset_renames.retime(scope_id, times[scope_id])
                self.column_renames.retime(scope_id, times[scope_id])
            rewritten = times.keys() & self.dataset_renames.collect_scopes_with_steps()
            for scope_id in rewritten:
                self.dataset_renames.schedule_rewrite(scope_id)
            self.pairs.invalidate_jobs(
                job for id_ in rewritten if (job := tables.heads.find_job(tables.heads.find_current(id_))) is not None
            )
        self.names_version += 1  # which columns a dataset has depends on the times of what lists them
        self.pairs.invalidate_datasets(self._settle())
        self.pairs.settle()
        self._flag_all()

    def _flag_all(self) -> None:
        """Mark all flows as stale or replaced according to other heads."""
        heads = self.tables.heads
        for number in heads.update_stale():
            self.tables.reflag(number, STALE, STALE if heads.stale[number] else 0)
        for number in heads.update_replaced():
            self.tables.reflag(number, REPLACED, REPLACED if heads.replaced[number] else 0)

    def _is_current(self, head: Head) -> bool:
        """Whether the scope has this content already."""
        current = self.tables.heads.find_current(head.scope_id)
        return current != NONE and head.content is not None and self.tables.heads.digests[current].tobytes() == head.content.digest

    def _flag(self, changed: Collection[Head]) -> None:
        """Mark flows as stale or replaced according to other heads, where these have changed."""
        heads = self.tables.heads
        jobs = {job for head in changed if (job := heads.parse_job(head.scope)) is not None}
        for number in heads.update_stale(changed):
            self.tables.reflag(number, STALE, STALE if heads.stale[number] else 0)
        self.pairs.invalidate_jobs(jobs)
        self.pairs.settle()
        for number in heads.update_replaced(changed):
            self.tables.reflag(number, REPLACED, REPLACED if heads.replaced[number] else 0)

    def get_relation_attributes(self, relation: int) -> Mapping[str, Json]:
        """The attributes of a relation, by its row."""
        number = int(self.tables.relations.value[relation])
        if self.tables.relations.type[relation] == _HAS_COLUMN:
            return _NO_ATTRIBUTES if number == NONE else {"position": number}
        return self.get_attributes(number)

    def get_attributes(self, number: int) -> Mapping[str, Json]:
        """Attributes of relations other than HAS_COLUMN, by their number."""
        if number == NONE:
            return _NO_ATTRIBUTES
        found = self._attributes.get(number)
        if found is None:
            found = self._attributes[number] = _decode_attributes(self._encoded[number])
        return found

    def restore(self) -> None:
        """Derive the rest, after all that is `SAVED` is there."""
        self._encoded = [*self._attribute_numbers]
        self._tag_numbers = {tags: number for number, tags in enumerate(self.tag_sets)}

    def _read(self, heads: HeadTable) -> None:
        contents, specials = self.tables.read(heads)
        self.pairs.record_lineages(heads)
        for which, head, subject, begin, end in specials.tolist():
            if which == SPECIAL_RELATION:
                self._apply_relation(head, subject, bytes(contents[begin:end]))
            elif which == SPECIAL_FACT:
                self._apply_fact(head, subject, bytes(contents[begin:end]))
            elif which == SPECIAL_TAGS:
                self.tables.facts.tags[subject] = self._number_tags(bytes(contents[begin:end]))
            elif which == SPECIAL_DATASET:
                self.identity.mark_columns_changed(subject)
            else:
                self.dataset_renames.schedule_rewrite(int(self.tables.heads.scope_id[head]))
        if any(parse_source_kind(source) in CATALOG_KINDS for source in set(heads.sources)):
            self.names_version += 1

    def _apply_relation(self, head: int, row: int, attributes: bytes) -> None:
        """Apply a relation that needs more than its row: of a rarer type, or with attributes."""
        tables = self.tables
        if attributes != b"\x80":
            tables.relations.value[row] = self._number_attributes(attributes)
        type_, start, end = int(tables.relations.type[row]), int(tables.relations.start[row]), int(tables.relations.end[row])
        if type_ in (_SAME_AS, _DIFFERENT_FROM):
            self.identity.mark_relation_changed((type_, start, end))
        elif type_ == _RENAMED_TO:
            self._apply_rename(int(tables.heads.scope_id[head]), start, end, int(tables.heads.observed_at[head]))
        elif type_ == _PORT:
            self.names_version += 1

    def _apply_rename(self, scope_id: int, old: int, new: int, time: int) -> None:
        """Record the rename of a dataset, or of a column within its dataset."""
        nodes = self.tables.nodes
        kinds = (nodes.kind[old], nodes.kind[new])
        if kinds == (DATASET, DATASET):
            self.dataset_renames.record_rename(scope_id, old, new, time)
        elif kinds == (COLUMN, COLUMN) and nodes.part1[old] == nodes.part1[new] and old != new:
            names = [self.tables.get_text(int(nodes.part2[column])) for column in (old, new)]
            self.column_renames.record(scope_id, int(nodes.part1[old]), ColumnStep(time, *names))

    def _apply_fact(self, head: int, node: int, encoded: bytes) -> None:
        """Apply the attributes of an asset that the index needs."""
        attributes = _decode_attributes(encoded)
        nodes, scope_id, time = self.tables.nodes, int(self.tables.heads.scope_id[head]), int(self.tables.heads.observed_at[head])
        if attributes.get("dropped") is True:
            if nodes.kind[node] == COLUMN:
                self.column_renames.record(
                    scope_id, int(nodes.part1[node]), ColumnStep(time, self.tables.get_text(int(nodes.part2[node])), None)
                )
            elif nodes.kind[node] == DATASET:
                self.dataset_renames.record_drop(scope_id, node, time)
                self.dataset_renames.schedule_rewrite(scope_id)
        if nodes.kind[node] == _JOB:
            self.pairs.record_build(scope_id, node, attributes)
            self.silent_jobs.record(scope_id, node, attributes)
            return
        if nodes.kind[node] == _OWNER:
            self.owners.record(scope_id, node, attributes)
            return
        if isinstance(names := attributes.get("session_names"), list):
            self.session_names.setdefault(scope_id, []).extend((node, tuple(map(str, name))) for name in names if isinstance(name, list))
        members = attributes.get("members")
        if isinstance(members, list):
            self._with_patterns.setdefault(scope_id, set()).add(node)
            self.patterns.setdefault(node, {})[scope_id] = [pattern for pattern in members if isinstance(pattern, str)]

    def _number_tags(self, encoded: bytes) -> int:
        tags = frozenset(tag for one in _to_list(_decode_attributes(encoded).get("tags")) if (tag := format_tag(one)))
        number = self._tag_numbers.get(tags)
        if number is None:
            number = self._tag_numbers[tags] = len(self.tag_sets)
            self.tag_sets.append(tags)
        return number

    def _number_attributes(self, encoded: bytes) -> int:
        number = self._attribute_numbers.get(encoded)
        if number is None:
            number = self._attribute_numbers[encoded] = len(self._encoded)
            self._attributes[number] = _decode_attributes(encoded)  # now, so that what cannot be read is found at once
            self._encoded.append(encoded)
        return number

    def _retime(self, head: int, now: Head) -> None:
        """Update the times of a head whose content is the same."""
        tables = self.tables
        moved = int(tables.heads.observed_at[head]) != now.observed_at
        if bool(tables.heads.provisional[head]) != now.provisional:
            tables.reflag(head, PROVISIONAL, PROVISIONAL if now.provisional else 0)
        tables.heads.retime(head, now)
        if moved:
            self.dataset_renames.retime(now.scope_id, now.observed_at)
            self.column_renames.retime(now.scope_id, now.observed_at)
            if sum(parse_source_kind(source) in CATALOG_KINDS for source in tables.heads.sources) > 1:
                self.names_version += 1  # of several catalogs the newest decides which columns a dataset has

    def _follow_listing(self, scope: Scope) -> None:
        """Note that shown columns may change: they depend on the times of schemas where some schemas are partial."""
        if scope[:1] == (DATASET_SCOPE,) and (
            is_partial_schema(scope) or (scope[3:] == (WHOLE_SCHEMA,) and self.tables.heads.is_listed_in_parts(scope[:3]))
        ):
            self.names_version += 1

    def _withdraw(self, head: int) -> None:
        """Remove what a head stated, and note what must be settled because of that."""
        tables = self.tables
        scope_id = int(tables.heads.scope_id[head])
        first, last = int(tables.heads.starts[head, RELATIONS]), int(tables.heads.starts[head + 1, RELATIONS])
        types = tables.relations.type[first:last]
        stated = set(types.tolist())
        if not stated.isdisjoint((_HAS_COLUMN, _HIDDEN_COLUMN)):
            for dataset in set(tables.relations.start[first:last][(types == _HAS_COLUMN) | (types == _HIDDEN_COLUMN)].tolist()):
                if tables.nodes.traits[dataset] & COLLIDES:
                    self.identity.mark_columns_changed(dataset)
        if not stated.isdisjoint((_SAME_AS, _DIFFERENT_FROM)):
            for relation in self.identity.collect_relations(head):
                self.identity.mark_relation_changed(relation)
        if _PORT in stated or parse_source_kind(tables.heads.get_source(head)) in CATALOG_KINDS:
            self.names_version += 1
        self.dataset_renames.withdraw(scope_id)
        self.column_renames.withdraw(scope_id)
        self.session_names.pop(scope_id, None)
        self.owners.withdraw(scope_id)
        self.pairs.withdraw(scope_id)
        self.silent_jobs.withdraw(scope_id)
        for node in self._with_patterns.pop(scope_id, ()):
            del self.patterns[node][scope_id]
            if not self.patterns[node]:
                del self.patterns[node]
        tables.withdraw(head)

    def _settle(self) -> set[int]:
        """Bring everything that depends on several heads in step; gives the datasets that may be in other classes than before."""
        looked_at = self.dataset_renames.settle()
        self.pairs.invalidate_scopes(looked_at)
        regrouped = self.identity.settle_datasets()
        renamed = self.column_renames.settle(looked_at)
        merged = self.identity.settle_columns()
        owners = self.owners.settle()
        self.identity.regrouped |= owners
        if renamed or merged or owners or self.tables.counts[CHANGED]:
            self.names_version += 1
            self.tables.counts[CHANGED] = 0
        self.version += 1
        return regrouped


def format_tag(tag: Json) -> str:
    """A tag as text `key` or `key=value`, or as an object with `key` and `value` (OpenLineage's tags facet); empty if it is not a tag."""
    if isinstance(tag, str):
        return tag
    if isinstance(tag, dict) and isinstance(tag.get("key"), str):
        value = tag.get("value")
        return str(tag["key"]) if value is None else f"{tag['key']}={value}"
    return ""


def _to_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _decode_attributes(encoded: bytes) -> dict[str, Json]:
    try:
        attributes: dict[str, Json] = _attributes.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"a statement's attributes cannot be read ({error}): restore the store from a backup") from error
    return attributes

"""Reads of one dataset in one month -> facts: each reader is a consumer, with an edge to each column that it read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json
from meshline.graph.usage import DATASET_READS, FIRST_READ, LAST_READ, READS, WINDOWS
from meshline.ingest.sources.usage.parse import Record, Window

PURPOSES = 5  # of one use that are kept
UNTYPED = "consumer"  # the key of readers of which no type is stated


@dataclass
class Reads:
    """How often, and when first and last (microseconds)."""

    number: int = 0
    first: int = 2**62
    last: int = 0
    purposes: dict[str, None] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.number += record.number
        self.first, self.last = min(self.first, record.first), max(self.last, record.last)
        if record.purpose and len(self.purposes) < PURPOSES:
            self.purposes[record.purpose] = None


@dataclass
class Reader:
    """The reads of one consumer of one dataset. `owner`: the person that it is; `whole`: reads of which the columns are not known."""

    type: str
    owner: str | None = None
    all: Reads = field(default_factory=Reads)
    whole: Reads = field(default_factory=Reads)
    columns: dict[str, Reads] = field(default_factory=dict)

    def add(self, record: Record, columns: Iterable[str]) -> None:
        """`columns`: those of the record that the dataset has."""
        self.all.add(record)
        found = list(columns)
        for column in found:
            self.columns.setdefault(column, Reads()).add(record)
        if not found:
            self.whole.add(record)


def build_facts(dataset: AssetKey, readers: Mapping[str, Reader]) -> Facts:
    """The content of the scope (USAGE, dataset, month)."""
    assets, edges = [], []
    for name, reader in sorted(readers.items()):
        consumer = model.build_consumer_key(name)
        assets.append(AssetFact(consumer, {} if reader.type == UNTYPED else {"consumer_type": reader.type}))
        if reader.owner is not None:
            edges.append(EdgeFact(EdgeType.OWNS, model.build_owner_key(reader.owner), consumer))
        targets = [(model.build_column_key(dataset, column), reads) for column, reads in sorted(reader.columns.items())]
        for target, reads in (*targets, *([(dataset, reader.whole)] if reader.whole.number else ())):
            attributes: dict[str, Json] = {
                READS: reads.number,
                FIRST_READ: reads.first,
                LAST_READ: reads.last,
                DATASET_READS: reader.all.number,
            }
            if reads.purposes:
                attributes["purpose"] = ", ".join(reads.purposes)
            edges.append(EdgeFact(EdgeType.CONSUMES, consumer, target, attributes))
    return Facts(assets=tuple(assets), edges=tuple(edges))


def build_window_facts(dataset: AssetKey, windows: Iterable[Window]) -> Facts:
    """The content of the scope (USAGE_WINDOW, dataset): windows that meet are one."""
    stated: list[Json] = []
    for columns in (False, True):
        begin = end = None
        for first, last in sorted((one.first, one.last) for one in windows if one.columns is columns):
            if begin is None or end is None or first > end:
                if begin is not None:
                    stated.append({"from": begin, "to": end, "columns": columns})
                begin, end = first, last
            else:
                end = max(end, last)
        if begin is not None:
            stated.append({"from": begin, "to": end, "columns": columns})
    return Facts(assets=(AssetFact(dataset, {WINDOWS: stated}),))

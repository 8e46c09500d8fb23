"""Who really read an asset, as GraphQL shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from meshline.api.graphql.context import GraphView
from meshline.graph.model import from_micros
from meshline.graph.queries.usage import Reads, Window, list_windows, summarise_usage


@strawberry.type(description="How often something was read, as query history or an access log shows it.")
class ObservedReads:
    count: int
    first_read: datetime
    last_read: datetime

    @classmethod
    def from_reads(cls, reads: Reads | None) -> Self | None:
        return None if reads is None else cls(count=reads.number, first_read=from_micros(reads.first), last_read=from_micros(reads.last))


@strawberry.type(description="A time in which all readers of a dataset are known.")
class UsageWindow:
    since: datetime
    until: datetime
    columns: bool = strawberry.field(description="Whether it is known which columns they read.")
    source: str

    @classmethod
    def from_window(cls, window: Window) -> Self:
        return cls(since=from_micros(window.begin), until=from_micros(window.end), columns=window.columns, source=window.source)


@strawberry.type(
    description="What is known about the reads of an asset. Without windows, that no read is known does not mean that there was none."
)
class Usage:
    readers: int = strawberry.field(description="How many consumers are known to have read it.")
    reads: ObservedReads | None = strawberry.field(description="By all of them; null: no read is known.")
    windows: list[UsageWindow] = strawberry.field(description="The last one first.")


async def build_usage(view: GraphView, node: int, dataset: int) -> Usage | None:
    """The usage of a dataset, or of a column of it; None if none was loaded."""
    if not view.index.may_read(dataset):
        return None
    found = summarise_usage(view.index, node)
    windows = list_windows((await view.read_attributes(dataset)).rows)
    if found is None and not windows:
        return None
    view.request.spend(1 + len(windows))
    return Usage(
        readers=0 if found is None else found.readers,
        reads=None if found is None else ObservedReads.from_reads(found.reads),
        windows=[UsageWindow.from_window(one) for one in windows],
    )

"""Heads as columns: stores pass them to the index without an object for each of a million rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.model import Content, Scope
from meshline.graph.store.base import Head

_decode = msgspec.json.Decoder(Scope).decode
_encode = msgspec.json.Encoder().encode


def format_scope(scope: Scope) -> str:
    """A scope as JSON: equal scopes have equal texts."""
    return _encode(scope).decode()


def parse_scope(text: str) -> Scope:
    """The inverse of `format_scope`. Raises StoreCorrupt."""
    try:
        return _decode(text)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"a scope's name cannot be read ({error}): restore the store from a backup") from error


class HeadTable(Sequence[Head]):
    """Heads with content. Each field is a column, all of equal length; a `Head` is built for each row that is accessed.

    `scopes`: texts as of `format_scope`; `blobs` and `digests`: of the contents; times in microseconds. `share`: about which part of
    all heads has been passed on, this table included, between 0 and 1; 0: unknown.
    """

    __slots__ = (
        "blobs",
        "digests",
        "last_observed",
        "observed_at",
        "provisional",
        "scope_ids",
        "scopes",
        "share",
        "sources",
        "valid_from",
        "versions",
    )

    def __init__(
        self,
        scope_ids: Sequence[int],
        sources: Sequence[str],
        scopes: Sequence[str],
        observed_at: Sequence[int],
        valid_from: Sequence[int],
        last_observed: Sequence[int],
        versions: Sequence[str],
        provisional: Sequence[int],
        digests: Sequence[bytes],
        blobs: Sequence[bytes],
        *,
        share: float = 0.0,
    ) -> None:
        self.scope_ids = scope_ids
        self.sources = sources
        self.scopes = scopes
        self.observed_at = observed_at
        self.valid_from = valid_from
        self.last_observed = last_observed
        self.versions = versions
        self.provisional = provisional
        self.digests = digests
        self.blobs = blobs
        self.share = share

    @classmethod
    def from_heads(cls, heads: Sequence[Head]) -> HeadTable:
        """The heads that have content."""
        if isinstance(heads, HeadTable):
            return heads
        rows = [(*head[:2], format_scope(head.scope), *head[3:8], *head.content) for head in heads if head.content is not None]
        return cls(*zip(*rows, strict=True)) if rows else cls(*[()] * 10)

    def __len__(self) -> int:
        return len(self.scope_ids)

    @overload
    def __getitem__(self, at: int) -> Head: ...

    @overload
    def __getitem__(self, at: slice) -> list[Head]: ...

    def __getitem__(self, at: int | slice) -> Head | list[Head]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        return Head(
            self.scope_ids[at],
            self.sources[at],
            parse_scope(self.scopes[at]),
            self.observed_at[at],
            self.valid_from[at],
            self.last_observed[at],
            self.versions[at],
            bool(self.provisional[at]),
            Content(self.digests[at], self.blobs[at]),
        )

    def __iter__(self) -> Iterator[Head]:
        return map(self.__getitem__, range(len(self)))

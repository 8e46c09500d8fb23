"""Pages of sorted answers, and limits of questions.

A cursor contains the sort key of the last entry and its id, so that writes between two pages neither drop nor repeat entries.
"""

from __future__ import annotations

import base64
import binascii
import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.live_graph import check_deadline
from meshline.graph.model import KINDS, AssetKey

KIND_ORDER = {kind: position for position, kind in enumerate(KINDS)}


class SortKey(NamedTuple):
    """The position of an entry: by numbers first, then by names. Unique within one answer."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """The content of a cursor. Opaque to callers."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    id: str

    @property
    def key(self) -> SortKey:
        return SortKey(self.numbers, self.names)


class Entry(NamedTuple):
    """One node of a sorted answer."""

    key: SortKey
    node: int


class Page(NamedTuple):
    """Some entries in order, and whether more follow."""

    entries: tuple[Entry, ...]
    has_next: bool


class CountedPage(NamedTuple):
    """A page, and how many entries all pages have."""

    page: Page
    total: int


_decoder = msgspec.json.Decoder(Cursor)


def encode_cursor(key: SortKey, asset_id: str) -> str:
    text = msgspec.json.encode(Cursor(key.numbers, key.names, asset_id))
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode_cursor(cursor: str, numbers: int) -> SortKey:
    """The sort key in a cursor. Raises InvalidInput if it is not a cursor of an answer with this many sort numbers."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = _decoder.decode(text).key
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise _build_cursor_error(cursor) from error
    if len(key.numbers) != numbers:
        raise _build_cursor_error(cursor)
    return key


def _build_cursor_error(cursor: str) -> InvalidInput:
    return InvalidInput(f"{cursor[:40]!r} is no cursor of this list: use endCursor of its previous page", "after")


def build_page(entries: Iterable[Entry], first: int) -> Page:
    """A page of the first entries. `entries`: already in order; read only one further than the page."""
    found = tuple(islice(entries, first + 1))
    return Page(found[:first], len(found) > first)


def find_start(nodes: Sequence[int], key_of: Callable[[int], SortKey], after: SortKey | None) -> int:
    """The position of the first of these sorted nodes that comes after a cursor."""
    return 0 if after is None else bisect.bisect_right(nodes, after, key=key_of)


def build_name_key(index: LineageIndex, node: int) -> SortKey:
    """The sort key by kind, then by the parts of the shown key: the order of `AssetFacet.list_of_kind`."""
    key = index.assets.get_key(node)
    return SortKey((KIND_ORDER[key.kind],), key.parts)


def sort_by_name(index: LineageIndex, nodes: Iterable[int], after: SortKey | None = None) -> list[Entry]:
    """Unsorted nodes as entries by kind and name, after a cursor."""
    entries = sorted(Entry(build_name_key(index, node), node) for node in set(nodes))
    return entries if after is None else [entry for entry in entries if entry.key > after]


def list_in_order(index: LineageIndex, nodes: Sequence[int], after: SortKey | None) -> Iterator[Entry]:
    """Nodes of one kind that are already sorted by name, lazily, after a cursor."""

    def key_of(node: int) -> SortKey:
        return build_name_key(index, node)

    for position in range(find_start(nodes, key_of, after), len(nodes)):
        yield Entry(key_of(nodes[position]), nodes[position])


def format_name(key: AssetKey) -> str:
    """An asset's name that `resolve` accepts even if assets of other kinds have the same name: `kind:qualified name`."""
    return f"{key.kind.lower()}:{key.qualified_name}"


class Limits(NamedTuple):
    """Limits of a question. A traversal names the limit that cut it short (`Completeness.truncated`).

    `nodes`: the most columns and datasets of one traversal. `deadline`: as `time.monotonic()`, in seconds; None for none.
    """

    nodes: int = 2_000_000
    deadline: float | None = None

    def check_deadline(self) -> None:
        """Raise LimitExceeded when the deadline is over. For work of many short steps."""
        check_deadline(self.deadline)


UNLIMITED = Limits()

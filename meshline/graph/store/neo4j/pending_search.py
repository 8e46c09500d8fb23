"""Search in what the graph for people does not have yet: the contents that commits added and that are not drawn.

The full-text indexes are over the graph for people, which follows the commits by seconds; a search finds what is acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from meshline.graph.content import EMPTY, build_keys, decode_layout
from meshline.graph.model import KINDS, AssetKey, AssetKind
from meshline.graph.store.neo4j.connection import Transaction, run_query
from meshline.graph.store.neo4j.cypher import get_cypher
from meshline.graph.store.neo4j.projector import split_digests
from meshline.graph.store.neo4j.records import Contents
from meshline.graph.store.search_words import iterate_documents, list_key_words

_ORDER = {kind: order for order, kind in enumerate(KINDS)}


class PendingContents(NamedTuple):
    """The contents that are not drawn yet. `added`: all that are new to the store; `active`: of the scopes that changed (`scopes`)."""

    added: Sequence[bytes]
    active: Sequence[bytes]
    scopes: Sequence[int]

    def merge(self, found: Sequence[AssetKey], terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        """What the indexes found, with the assets of these contents that have every term as the beginning of a word of a document."""

        def has_terms(words: Sequence[str]) -> bool:
            return all(any(word.startswith(term) for word in words) for term in terms)

        new = {key for key in self._list_keys(kinds) if has_terms(list_key_words(key))}
        new.update(key for key, words in self._list_documents(kinds) if has_terms(words))
        if new.issubset(found):
            return found
        return sorted(new.union(found), key=lambda key: (_ORDER[key.kind], key.parts))[:limit]

    def merge_texts(self, found: Sequence[AssetKey], words: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        """What the indexes found, after the assets of these contents whose prose has any of the words: those with the most words first."""
        new: dict[AssetKey, int] = {}
        for key, known in self._list_documents(kinds):
            if count := len(set(words).intersection(known)):
                new[key] = max(count, new.get(key, 0))
        best = sorted(new, key=lambda key: (-new[key], _ORDER[key.kind], key.parts))
        return list(dict.fromkeys([*best, *found]))[:limit]

    def _list_keys(self, kinds: Sequence[AssetKind]) -> Iterable[AssetKey]:
        wanted = _build_filter(kinds)
        return dict.fromkeys(key for blob in self.added for key in build_keys(decode_layout(blob)) if wanted(key))

    def _list_documents(self, kinds: Sequence[AssetKind]) -> Iterable[tuple[AssetKey, list[str]]]:
        wanted = _build_filter(kinds)
        return ((key, words) for blob in self.active for key, words in iterate_documents(blob) if wanted(key))


def _build_filter(kinds: Sequence[AssetKind]) -> Callable[[AssetKey], bool]:
    chosen = frozenset(kinds or KINDS)
    return lambda key: key.kind in chosen


def read_pending_contents(tx: Transaction, contents: Contents) -> PendingContents:
    """Read the contents that are not drawn."""
    found = run_query(tx, get_cypher("pending_contents"))
    joined, active, scopes = found or ([], [], [])
    added = {digest for part in joined for digest in split_digests(part)}
    current = {digest for text in active if (digest := bytes.fromhex(text)) != EMPTY.digest}
    blobs = contents.read(tx, added | current)
    return PendingContents([blobs[digest] for digest in added], [blobs[digest] for digest in current], list(dict.fromkeys(scopes)))

"""Names as they are stored: their hashes for indexes, their words and their order for search."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from meshline.graph.model import KINDS, AssetKey, AssetKind
from meshline.graph.store.search_words import list_key_words

_KIND_CODE = {kind: str(code) for code, kind in enumerate(KINDS)}
_BEYOND = re.compile("[\ud7ff\ue000-\U0010ffff]")
WORD_UNITS = 255  # UTF-16 units; Lucene's whitespace tokenizer cuts longer words into several


def compute_digest(*parts: str) -> str:
    """A hash (32 hexadecimal digits) that represents a tuple of strings of any length in an index."""
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


@lru_cache(maxsize=50_000)
def compute_id(key: AssetKey) -> str:
    return key.id


def build_name_row(key: AssetKey) -> dict[str, object]:
    """The properties of a :Name that stay."""
    return {
        "id": compute_id(key),
        "kind": key.kind.value,
        "parts": key.parts,
        "words": join_words(list_key_words(key)),
        "sort": build_sort_key(key),
    }


def build_asset_row(key: AssetKey) -> dict[str, object]:
    """The properties of a :Name while it is an :Asset, without those that are stated."""
    row = build_name_row(key)
    row["name"] = key.name
    row["qualifiedName"] = key.qualified_name
    if len(key.parts) > 1:
        row["namespace"] = key.parts[0]
    if key.kind is AssetKind.COLUMN:
        row["dataset"] = f"{key.parts[0]}/{key.parts[1]}"
    return row


RESERVED = frozenset({"id", "kind", "parts", "name", "qualifiedName", "words", "sort", "namespace", "dataset"})


def build_sort_key(key: AssetKey) -> str:
    """A string that sorts as (kind, parts) do, whether compared by code point or by UTF-16 unit (Neo4j does either)."""
    parts = key.parts
    if not all(map(str.isascii, parts)):
        parts = tuple(_BEYOND.sub(_shift_below_surrogates, part) for part in parts)
    return _KIND_CODE[key.kind] + "\0\0".join([part.replace("\0", "\0\1") for part in parts])


def _shift_below_surrogates(match: re.Match[str]) -> str:
    """Encode a character from U+D7FF on as U+D7FF and two characters, so that all UTF-16 units are below the surrogates."""
    number = ord(match[0])
    return f"\ud7ff{chr(0x4000 + (number >> 10))}{chr(0x4000 + (number & 0x3FF))}"


def join_words(words: list[str]) -> str:
    """A document for search: words of at most WORD_UNITS, joined by single spaces."""
    if max(map(len, words), default=0) * 2 > WORD_UNITS:
        words = [_cut(word) for word in words]
    return " ".join(words)


def build_lucene_query(terms: Sequence[str]) -> str:
    """A Lucene query for documents in which every term is a prefix of a word."""
    return " ".join(f"+{_escape(term)}*" for term in terms)


def build_lucene_choice(words: Sequence[str]) -> str:
    """A Lucene query for documents that have any of these words, whole."""
    return " ".join(_escape(word) for word in words)


def _escape(word: str) -> str:
    return "".join(c if c.isalnum() else chr(92) + c for c in _cut(word))


def _cut(word: str) -> str:
    if len(word) * 2 <= WORD_UNITS or (len(word) <= WORD_UNITS and word.isascii()):
        return word
    return word.encode("utf-16-le")[: WORD_UNITS * 2].decode("utf-16-le", "ignore")

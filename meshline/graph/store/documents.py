"""What search finds: the words of an asset's key, and of what a statement says of it in prose.

Both stores index these words as they are and match terms as prefixes of them, so that both find the
same assets.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from meshline.graph.content import columns, keys_of
from meshline.graph.model import AssetFact, AssetKey, AssetKind, Json
from meshline.graph.naming import words

TEXT_ATTRIBUTES = ("title", "description", "tags")
MAX_WORDS = 400  # of one document; the rest of a longer text is not searched


def key_words(key: AssetKey) -> list[str]:
    """A column is found by its own name and its dataset's, all else by every part of the key."""
    parts = key.parts[1:] if key.kind is AssetKind.COLUMN else key.parts
    return unique(word for part in parts for word in _part_words(part))


@lru_cache(maxsize=16_384)
def _part_words(part: str) -> tuple[str, ...]:
    """Columns repeat: the name of their dataset, and their own in other datasets."""
    return tuple(words(part))


def text_words(fact: AssetFact) -> list[str]:
    """The words of a fact's prose; empty for most facts."""
    texts = (fact.attributes.get(name) for name in TEXT_ATTRIBUTES)
    return unique(word for text in texts for part in _strings(text) for word in words(part))


def documents(blob: bytes) -> Iterator[tuple[AssetKey, list[str]]]:
    """The assets of which a statement's content has prose, with its words."""
    layout = columns(blob)
    if any(name in attributes for _, attributes in layout.assets for name in TEXT_ATTRIBUTES):
        keys = keys_of(layout)
        for position, attributes in layout.assets:
            if found := text_words(AssetFact(keys[position], attributes)):
                yield keys[position], found


def unique(found: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(found))[:MAX_WORDS]


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)

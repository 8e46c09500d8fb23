"""The words that search finds: of an asset's key, and of the prose that statements contain about it.

Both stores index these words unchanged and match terms as prefixes, so that both find the same assets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from meshline.graph.content import build_keys, decode_layout
from meshline.graph.model import AssetFact, AssetKey, AssetKind, Json
from meshline.graph.naming import split_words
from meshline.graph.word_forms import list_spellings

TEXT_ATTRIBUTES = ("title", "description", "tags")
MAX_WORDS = 400  # indexed words of one text or part of a name
MAX_TERMS = 60  # terms that one search uses
_TEXT_NAMES = [name.encode() for name in TEXT_ATTRIBUTES]


def list_key_words(key: AssetKey) -> list[str]:
    """The words of a key: of a column's name and its dataset's name, or of all parts of another key."""
    parts = key.parts[1:] if key.kind is AssetKind.COLUMN else key.parts
    return list(dict.fromkeys(word for part in parts for word in list_part_words(part)))


@lru_cache(maxsize=16_384)
def list_part_words(part: str) -> tuple[str, ...]:
    """The words of a part of a key. Cached, since columns repeat: the name of their dataset, and their own in other datasets."""
    return tuple(deduplicate_words(split_words(part)))


def limit_terms(terms: Sequence[str]) -> list[str]:
    """The terms that a search uses: the first MAX_TERMS, without repetitions."""
    return list(dict.fromkeys(terms))[:MAX_TERMS]


def list_text_words(fact: AssetFact) -> list[str]:
    """The words of the prose in a fact's attributes (TEXT_ATTRIBUTES); empty for most facts."""
    return list_attribute_words(fact.attributes)


def list_attribute_words(attributes: Mapping[str, Json]) -> list[str]:
    """The words of the prose in attributes, and those with accents also without them."""
    texts = (attributes.get(name) for name in TEXT_ATTRIBUTES)
    return deduplicate_words(word for text in texts for part in _iterate_strings(text) for word in _iterate_spellings(part))


def _iterate_spellings(text: str) -> Iterator[str]:
    if text.isascii():
        return split_words(text)
    return (spelling for word in split_words(text) for spelling in list_spellings(word))


def iterate_documents(blob: bytes) -> Iterator[tuple[AssetKey, list[str]]]:
    """The assets with prose in the content of a statement, each with the words of its prose."""
    if not any(name in blob for name in _TEXT_NAMES):  # true for most contents, which need no decoding
        return
    layout = decode_layout(blob)
    if any(name in attributes for _, attributes in layout.assets for name in TEXT_ATTRIBUTES):
        keys = build_keys(layout)
        for position, attributes in layout.assets:
            if found := list_text_words(AssetFact(keys[position], attributes)):
                yield keys[position], found


def deduplicate_words(found: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(found))[:MAX_WORDS]


def _iterate_strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _iterate_strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _iterate_strings(item)

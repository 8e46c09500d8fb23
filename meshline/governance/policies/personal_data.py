"""Where personal data is and where its values go: by tags, and by the names of columns, which is a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

from meshline.graph.index import COLUMN, LineageIndex, NameMatcher
from meshline.graph.index.results import Ints, Undo

# The parameters that define personal data. `tags` and `harmless_tags`: `key` or `key=value`, in any case; `words`: in names of
# columns; `harmless_words`: a name with one of them means something else.
PARAMETERS: dict[str, Any] = {
    "tags": ["pii"],
    "harmless_tags": ["pii=false"],
    "words": [],
    "harmless_words": [],
}  # fmt: skip

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Way(NamedTuple):
    """How a column is known to have personal data: by a tag or only by name; over recorded columns or only possibly."""

    guess: bool
    possible: bool


WAYS = (Way(guess=False, possible=False), Way(guess=False, possible=True), Way(guess=True, possible=False), Way(guess=True, possible=True))


class PersonalData:
    """Labels of everything that personal data reaches unmasked; follows the index (`renew`)."""

    def __init__(self, index: LineageIndex, parameters: Mapping[str, Any]) -> None:
        self._index = index
        self._tags = _lower(parameters.get("tags"))
        self._harmless = _lower(parameters.get("harmless_tags"))
        words = _lower(parameters.get("words"))
        self._names = _build_matcher(index, words, _lower(parameters.get("harmless_words"))) if words else None
        tagged = self._find_tagged()
        guessed = self._guess(tagged)
        self._spreads = {way: index.lineage.build_spread(guessed if way.guess else tagged, possible=way.possible) for way in WAYS}

    @staticmethod
    def build_key(parameters: Mapping[str, Any]) -> str:
        """A key of the parameters that define personal data: equal keys give equal results."""
        return msgspec.json.encode({name: parameters.get(name) for name in PARAMETERS}, order="deterministic").decode()

    def get_labels(self, way: Way) -> Ints:
        """By node (int32): 1 + the distance to the nearest source in flows; 0: no source."""
        return self._spreads[way].labels

    def list_reached(self) -> Ints:
        """The columns (representatives, int32) that any personal data may reach, with the sources; and datasets as wholes."""
        either = (self.get_labels(WAYS[1]) > 0) | (self.get_labels(WAYS[3]) > 0)
        return np.flatnonzero(either).astype(np.int32)

    def list_tagged_data(self) -> Ints:
        """The columns (int32) that tagged data reaches over recorded columns, with the tagged ones."""
        return np.flatnonzero(self.get_labels(WAYS[0])).astype(np.int32)

    def find_way(self, column: int) -> Way | None:
        """The most certain way in which a column has personal data; None: it has none."""
        return next((way for way in (WAYS[0], WAYS[1], WAYS[2], WAYS[3]) if self.get_labels(way)[column]), None)

    def is_tagged(self, column: int) -> bool:
        """Whether a column is tagged as personal data itself."""
        return bool(self.get_labels(WAYS[0])[column] == 1)

    def renew(self, changed: Ints) -> list[Undo]:
        """Follow a change. `changed`: all columns whose values may differ, and all that those may reach."""
        tagged = self._find_tagged()
        guessed = self._guess(tagged, changed)
        return [self._spreads[way].renew(changed, guessed if way.guess else tagged) for way in WAYS]

    def restore(self, before: Iterable[Undo]) -> None:
        """Restore the labels, for changes that are undone."""
        for way, undo in zip(WAYS, before, strict=True):
            self._spreads[way].restore(undo)

    def _find_tagged(self) -> Ints:
        found = self._index.assets.survey().find_tagged(lambda tags: any(_is_one(tag, self._tags) for tag in tags))
        columns: Ints = found[self._index.lineage.get_kinds(found) == COLUMN]
        return columns

    def _guess(self, tagged: Ints, among: Ints | None = None) -> Ints:
        """The columns, of all or of these, that are sources by their names alone."""
        if self._names is None:
            return np.empty(0, np.int32)
        found = self._names.find_columns(among)
        found = found[~np.isin(found, tagged)]
        if self._harmless:
            harmless = self._index.assets.survey().find_tagged(lambda tags: any(tag.lower() in self._harmless for tag in tags))
            found = found[~np.isin(found, harmless)]
        return found.astype(np.int32)


def _is_one(tag: str, wanted: frozenset[str]) -> bool:
    """Whether a tag is one of these, as a whole, or by its key unless its value denies it."""
    whole = tag.lower()
    key, _, value = whole.partition("=")
    return whole in wanted or (key in wanted and value not in ("false", "no", "none", "0"))


def _lower(values: Any) -> frozenset[str]:
    return frozenset(str(value).strip().lower() for value in values) if isinstance(values, list) else frozenset()


def _build_matcher(index: LineageIndex, words: frozenset[str], harmless: frozenset[str]) -> NameMatcher:
    """Finds the columns that have one of some words in their name, and none of the harmless words."""
    wanted = [tuple(_split_name(word)) for word in sorted(words)]

    def accepts(name: str) -> bool:
        parts = _split_name(name)
        if harmless.intersection(parts):
            return False
        return any(parts[i : i + len(word)] == list(word) for word in wanted for i in range(len(parts) - len(word) + 1))

    beginnings = b"|".join(re.escape("".join(parts).encode()[:4]) for parts in wanted)
    return index.assets.build_name_matcher(re.compile(beginnings or b"(?!)", re.IGNORECASE), accepts)


def _split_name(name: str) -> list[str]:
    """`customerEmail`, `customer_email`: customer, email."""
    return [part.lower() for part in _PARTS.findall(name)]

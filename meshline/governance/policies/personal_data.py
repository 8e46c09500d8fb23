"""Where personal data is, and where its values go: by tags, and by the names of columns, which is a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.arrays import COLUMN, MERGED, N_NAMES, N_NODES
from meshline.graph.index.index_tables import Core
from meshline.graph.index.results import Flags, Ints
from meshline.graph.index.value_flow import Undo

# The parameters that say what personal data is. `tags` and `harmless_tags`: `key` or `key=value`, in any case; `words`: of names of
# columns; `harmless_words`: with which such a name means something else.
PARAMETERS: dict[str, Any] = {
    "tags": ["pii"],
    "harmless_tags": ["pii=false"],
    "words": [],
    "harmless_words": [],
}  # fmt: skip

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Way(NamedTuple):
    """How a column's values are known to be personal: tagged or only by name; over recorded columns or only possibly."""

    guess: bool
    possible: bool


WAYS = (Way(guess=False, possible=False), Way(guess=False, possible=True), Way(guess=True, possible=False), Way(guess=True, possible=True))


class PersonalData:
    """Labels of everything that personal data reaches unmasked; follows the index (`renew`)."""

    def __init__(self, index: LineageIndex, parameters: Mapping[str, Any]) -> None:
        self._index = index
        self._tags = _lower(parameters.get("tags"))
        self._harmless = _lower(parameters.get("harmless_tags"))
        self._names = _Names(index.core, _lower(parameters.get("words")), _lower(parameters.get("harmless_words")))
        tagged = self._find_tagged()
        guessed = self._guess(tagged)
        self._spreads = {way: index.lineage.build_spread(guessed if way.guess else tagged, possible=way.possible) for way in WAYS}

    @staticmethod
    def build_key(parameters: Mapping[str, Any]) -> str:
        return msgspec.json.encode({name: parameters.get(name) for name in PARAMETERS}, order="deterministic").decode()

    def get_labels(self, way: Way) -> Ints:
        """By node: 1 + how many flows away the nearest source is; 0: no source."""
        return self._spreads[way].labels

    def list_reached(self) -> Ints:
        """The columns (representatives) that any personal data may reach, the sources themselves too; and datasets, as wholes."""
        n = int(self._index.core.counts[N_NODES])
        either = (self.get_labels(WAYS[1])[:n] > 0) | (self.get_labels(WAYS[3])[:n] > 0)
        return np.flatnonzero(either).astype(np.int32)

    def list_tagged_data(self) -> Ints:
        """The columns that tagged data reaches over recorded columns, the tagged ones too."""
        n = int(self._index.core.counts[N_NODES])
        return np.flatnonzero(self.get_labels(WAYS[0])[:n]).astype(np.int32)

    def find_way(self, column: int) -> Way | None:
        """The surest way in which a column's values are personal."""
        return next((way for way in (WAYS[0], WAYS[1], WAYS[2], WAYS[3]) if self.get_labels(way)[column]), None)

    def is_tagged(self, column: int) -> bool:
        return bool(self.get_labels(WAYS[0])[column] == 1)

    def renew(self, changed: Ints) -> list[Undo]:
        """Follow a change: `changed` are all columns that may hold other values, and all to which their values may go."""
        tagged = self._find_tagged()
        guessed = self._guess(tagged, changed)
        return [self._spreads[way].renew(changed, guessed if way.guess else tagged) for way in WAYS]

    def restore(self, before: Iterable[Undo]) -> None:
        """The labels as they were; for changes that are taken back."""
        for way, undo in zip(WAYS, before, strict=True):
            self._spreads[way].restore(undo)

    def _find_tagged(self) -> Ints:
        found = self._index.assets.find_tagged(lambda tags: any(_is_one(tag, self._tags) for tag in tags))
        columns: Ints = found[self._index.lineage.get_kinds(found) == COLUMN]
        return columns

    def _guess(self, tagged: Ints, among: Ints | None = None) -> Ints:
        """Of all columns, or of these, those that are sources by their names alone."""
        if not self._names.words:
            return np.empty(0, np.int32)
        core = self._index.core
        n = int(core.counts[N_NODES])
        own = np.arange(n, dtype=np.int32) if among is None else _list_members(core, among)
        own = own[(core.nodes.kind[own] == COLUMN) & (core.nodes.live[own] > 0)]
        named = own[self._names.match_names()[core.nodes.part2[own]]]
        found = np.unique(core.nodes.rep[named])
        found = found[~np.isin(found, tagged)]
        if self._harmless:
            harmless = self._index.assets.find_tagged(lambda tags: any(tag.lower() in self._harmless for tag in tags))
            found = found[~np.isin(found, harmless)]
        return found.astype(np.int32)


def _list_members(core: Core, nodes: Ints) -> Ints:
    """These representatives and the other members of their classes."""
    merged = nodes[core.nodes.traits[nodes] & MERGED != 0]
    others = [other for node in merged.tolist() for other in core.ring(node)]
    return np.unique(np.concatenate([nodes, np.array(others, np.int32)])).astype(np.int32)


def _is_one(tag: str, wanted: frozenset[str]) -> bool:
    """Whether a tag is one of these, as a whole, or by its key unless its value denies it."""
    whole = tag.lower()
    key, _, value = whole.partition("=")
    return whole in wanted or (key in wanted and value not in ("false", "no", "none", "0"))


def _lower(values: Any) -> frozenset[str]:
    return frozenset(str(value).strip().lower() for value in values) if isinstance(values, list) else frozenset()


class _Names:
    """Which interned names have one of some words in them. New names are looked at once."""

    def __init__(self, core: Core, words: frozenset[str], harmless: frozenset[str]) -> None:
        self.words = words
        self._core = core
        self._harmless = harmless
        self._matching: Flags = np.zeros(0, np.bool_)
        self._joined = [tuple(_split_name(word)) for word in sorted(words)]
        # A word that runs over the end of a name is found too, and sorted out by `_means`.
        self._any = re.compile(b"|".join(re.escape("".join(parts).encode()[:4]) for parts in self._joined) or b"(?!)", re.IGNORECASE)

    def match_names(self) -> Flags:
        """By number of the name."""
        known, n = len(self._matching), int(self._core.counts[N_NAMES])
        if known < n:
            more = np.zeros(n - known, np.bool_)
            more[[number - known for number in self._find_candidates(known, n) if self._is_match(self._core.text(number))]] = True
            self._matching = np.concatenate([self._matching, more])
        return self._matching

    def _find_candidates(self, first: int, last: int) -> list[int]:
        """The names from number `first` on in which a word may begin."""
        ends = self._core.names.end[first:last]
        begin = int(self._core.names.end[first - 1]) if first else 0
        text = self._core.names.text[begin : int(ends[-1])].tobytes()
        starts = np.array([found.start() for found in self._any.finditer(text)], np.int64) + begin
        found: list[int] = (np.unique(np.searchsorted(ends, starts, side="right")) + first).tolist()
        return found

    def _is_match(self, name: str) -> bool:
        parts = _split_name(name)
        if self._harmless.intersection(parts):
            return False
        return any(parts[i : i + len(word)] == list(word) for word in self._joined for i in range(len(parts) - len(word) + 1))


def _split_name(name: str) -> list[str]:
    """`customerEmail`, `customer_email`: customer, email."""
    return [part.lower() for part in _PARTS.findall(name)]

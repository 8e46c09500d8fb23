"""Pairs of a word of a name and the words that its title has in its place: `kd_eml`, titled "Customer e-mail", pairs `kd` with *customer*.

What the rules of search explain already (`eml` is short for *email*) is put aside first. If one word of the name and up to three words of
the title beside each other are left over, they are a pair. Whether a pair means something is decided where it is used: by how many tables
have it, of those that the caller may see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, islice
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.graph.content import decode_facts
from meshline.graph.index.results import Ints, Longs
from meshline.graph.index.vocabulary import LEAST_SHARED, RUN_WORDS, is_short_for
from meshline.graph.model import AssetKey, AssetKind, Content
from meshline.graph.store.base import Head
from meshline.graph.store.head_table import HeadTable
from meshline.graph.word_forms import STOP_WORDS, VOWELS, build_term, find_stem, list_spellings, split_name, split_question, strip_accents

FEW = 100  # statements whose titles a question reads itself
_MOST_WORDS = 12  # of a title that is compared
_MOST_LEFT = 3  # words of a title that are paired with one of a name
_LEAST_BEGUN = 2  # letters that a word has more of where it is found within another
_LEAST_LETTERS = 2  # of a word of a name
_TITLE = b"title"
_AT_ONCE = 500  # statements that are read from the store together


class Pair(NamedTuple):
    """A word of a name, and the words of its title that no rule explains."""

    word: str
    term: tuple[str, ...]

    def find_stems(self) -> Pair:
        """What the pair has in common with others of the same words in other forms."""
        return Pair(build_term([self.word])[0], build_term(self.term))


_Places: TypeAlias = dict[AssetKey, dict[int, Pair]]  # the titled assets: by scope that states so, the pair as it is written there


class TitledNodes(NamedTuple):
    """Where pairs are, of the words of names that at least as many assets have with one term as are needed to learn it."""

    pairs: Sequence[Pair]  # their stems
    places: Sequence[tuple[AssetKey, Pair]]  # by row: the asset, and the pair as it is written there
    pair: Ints  # by row: its number among the pairs
    node: Longs  # by row: the own node of the asset


class _Saved(NamedTuple):
    """See the attributes of `TitlePairs` with these names."""

    digests: dict[int, bytes]
    waiting: list[int]
    stated: dict[int, list[tuple[Pair, AssetKey]]]


class TitlePairs:
    """The pairs in the titles of datasets and columns, of the statements that are active. Thread-safe.

    What is stated is only noted when it comes, which costs a look for the word `title` in its bytes; it is read by `prepare`.
    """

    def __init__(self, saved: bytes = b"", read: Callable[[Sequence[int]], Iterable[Head]] = lambda _: ()) -> None:
        """`saved`: what `save` gave, decoded when it is needed; `read`: reads heads by their scopes, as of now."""
        self._lock = threading.Lock()
        self._saved, self._read = saved, read
        self._late: list[Head] = []  # recorded since, and before that is decoded
        self._digests: dict[int, bytes] = {}  # by scope, of those that may state titles
        self._waiting: dict[int, bytes | None] = {}  # by scope: contents that are not read yet; None: neither from the store
        self._stated: dict[int, list[tuple[Pair, AssetKey]]] = {}  # by scope
        self._places: dict[Pair, _Places] = {}
        self.generation = 0  # how often the pairs have changed

    def record(self, heads: Iterable[Head]) -> None:
        """Note the statements that came, or changed, or ended."""
        with self._lock:
            if self._saved:
                self._late += heads
            else:
                self._record(heads)

    def save(self) -> bytes:
        """What is known, for another process: statements that wait are read there."""
        with self._lock:
            self._decode()
            return msgspec.msgpack.encode(_Saved(self._digests, [*self._waiting], self._stated))

    def _decode(self) -> None:
        if not self._saved:
            return
        saved, self._saved = msgspec.msgpack.decode(self._saved, type=_Saved), b""
        self._digests, self._waiting = saved.digests, dict.fromkeys(saved.waiting)
        for scope_id, pairs in saved.stated.items():
            self._add(scope_id, pairs)
        late, self._late = self._late, []
        self._record(late)

    def _record(self, heads: Iterable[Head]) -> None:
        for scope_id, content in _list_contents(heads):
            titled = None if content is None or _TITLE not in content.blob else content
            if self._digests.get(scope_id) == (None if titled is None else titled.digest):
                continue
            self._forget(scope_id)
            if titled is not None:
                self._digests[scope_id], self._waiting[scope_id] = titled

    def prepare(self, most: int | None = None) -> bool:
        """Read the titles of the statements that wait, unless there are more than so many. Whether none waits."""
        while True:
            with self._lock:
                self._decode()
                waiting = next(iter(self._waiting.items()), None)
                if waiting is None:
                    return True
                if most is not None and len(self._waiting) > most:
                    return False
                unread = [scope_id for scope_id, blob in islice(self._waiting.items(), _AT_ONCE) if blob is None]
            scope_id, blob = waiting
            if blob is None:
                self._fetch(unread)
                continue
            pairs = [*_list_pairs(blob)]
            with self._lock:
                if self._waiting.get(scope_id) is blob:
                    del self._waiting[scope_id]
                    self._add(scope_id, pairs)

    def _fetch(self, scope_ids: Sequence[int]) -> None:
        """Read contents from the store. Of scopes that have others by now, changes follow."""
        contents = {head.scope_id: head.content for head in self._read(scope_ids)}
        with self._lock:
            for scope_id in scope_ids:
                if self._waiting.get(scope_id, b"") is None:
                    content = contents.get(scope_id)
                    if content is not None and content.digest == self._digests.get(scope_id):
                        self._waiting[scope_id] = content.blob
                    else:
                        self._forget(scope_id)

    def collect(self, least: int) -> dict[Pair, list[tuple[AssetKey, Pair]]]:
        """By their stems, the pairs with the datasets and columns that have them in a title, in no order, each with the pair as it is
        written there: those of the words that have so many with one term.
        """
        with self._lock:
            self._decode()
            words = {pair.word for pair, places in self._places.items() if len(places) >= least}
            return {
                pair: [(key, min(written.values())) for key, written in places.items()]
                for pair, places in self._places.items()
                if pair.word in words
            }

    def _add(self, scope_id: int, pairs: list[tuple[Pair, AssetKey]]) -> None:
        if pairs:
            self.generation += 1
            self._stated[scope_id] = pairs
            for pair, key in pairs:
                self._places.setdefault(pair.find_stems(), {}).setdefault(key, {})[scope_id] = pair

    def _forget(self, scope_id: int) -> None:
        self._digests.pop(scope_id, None)
        self._waiting.pop(scope_id, None)
        for pair, key in self._stated.pop(scope_id, ()):
            self.generation += 1
            places = self._places[pair.find_stems()]
            places[key].pop(scope_id, None)
            if not places[key]:
                del places[key]
            if not places:
                del self._places[pair.find_stems()]


def _list_contents(heads: Iterable[Head]) -> Iterable[tuple[int, Content | None]]:
    """The scope and content of each head; of a table without an object for each row."""
    if isinstance(heads, HeadTable):
        return zip(heads.scope_ids, map(Content, heads.digests, heads.blobs), strict=True)
    return ((head.scope_id, head.content) for head in heads)


def _list_pairs(blob: bytes) -> Iterator[tuple[Pair, AssetKey]]:
    """The pairs in the titles of a statement's content, each once for an asset."""
    found: Mapping[tuple[Pair, AssetKey], None] = dict.fromkeys(
        (pair, fact.key)
        for fact in decode_facts(blob).assets
        if fact.key.kind in (AssetKind.DATASET, AssetKind.COLUMN) and isinstance(title := fact.attributes.get("title"), str)
        if (pair := align_title(fact.key.parts[-1].replace("/", ".").rpartition(".")[2], title)) is not None
    )
    yield from found


@lru_cache(maxsize=16_384)
def align_title(name: str, title: str) -> Pair | None:
    """The word of a name and the words of its title that are left over when what the rules of search explain is put aside.

    None if nothing is, on one of both sides, or more than what belongs together for sure: two words of the name, or words of the title
    that are not beside each other.
    """
    words, asked = list(dict.fromkeys(split_name(name))), split_question(title)[:_MOST_WORDS]
    content = [word for word in asked if word not in STOP_WORDS]
    if not words or not content:
        return None
    stems = {build_term([word]) for word in asked}
    if all(build_term([word]) in stems for word in words):
        return None  # the usual case, found without comparing each with each
    explained: set[str] = set()
    left: list[str] = []
    for word in content:
        means = [known for known in words if may_mean(known, (word,))]
        explained.update(means)
        if not means:
            left.append(word)
    for begin, end in combinations(range(len(asked) + 1), 2):
        run = tuple(asked[begin:end])
        if len(run) > 1 and (means := [known for known in words if may_mean(known, run)]):
            explained.update(means)
            left = [word for word in left if word not in run]
    over = [word for word in words if word not in explained]
    if len(over) != 1 or not 1 <= len(left) <= _MOST_LEFT:
        return None
    between = asked[asked.index(left[0]) : asked.index(left[-1]) + 1]
    if [word for word in between if word not in STOP_WORDS] != left or len(between) > _MOST_LEFT:
        return None
    if len(over[0]) < _LEAST_LETTERS or not strip_accents("".join([*over, *left])).isalpha():
        return None
    return Pair(over[0], tuple(between))


def may_mean(word: str, run: Sequence[str]) -> bool:
    """Whether search finds a word of a name by a word, or by several words beside each other, of a question: whenever `Vocabulary` does."""
    known, asked = strip_accents(word), [strip_accents(one) for one in run]
    if len(run) > 1:
        initials = "".join(one[0] for one in asked)
        return any(
            spelling == initials or (len(spelling) > len(run) <= RUN_WORDS and spelling[0] == initials[0] and is_short_for(spelling, asked))
            for spelling in {known, *list_spellings(word)}
        )
    (one,) = asked
    if (
        find_stem(known) == find_stem(one)
        or (len(one) > _LEAST_BEGUN and one in known)
        or list_spellings(word)[-1] == list_spellings(run[0])[-1]
    ):
        return True
    shorter, longer = sorted((known, one), key=len)
    if known[0] != one[0]:
        return one[0] in VOWELS and known == "".join(letter for letter in one if letter not in VOWELS)
    return _is_within(shorter, longer) or (len(one) >= LEAST_SHARED and one[:LEAST_SHARED] == known[:LEAST_SHARED])


def _is_within(part: str, text: str) -> bool:
    """Whether a text has the letters of another in their order, not always beside each other."""
    letters = iter(text)
    return all(letter in letters for letter in part)

"""The words in the names of a graph, and which of them a word that a user typed may mean.

A name is an abbreviation far more often than a text states it: `cust_eml`, `dob`, `pdnddte`. No dictionary knows those of a company, but
the vocabulary of an index is small (some ten thousand words for a million columns), so each word of a question is compared with all of
it: nothing is expanded to a guess, only words that exist are matched. Sources of the rules and their weights: `meshline search
--evaluate` and `benchmarks/search.py`, tuned on a third of the names of NameGuess (arXiv 2310.13196) and reported on the rest.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import F32
from meshline.graph.index.results import Ints
from meshline.graph.index.snapshot_file import Array, pack_texts
from meshline.graph.word_forms import VOWELS, Meaning, count_letters, find_skeleton, find_stem, list_spellings, strip_accents

Letters = npt.NDArray[np.uint32]  # code points, shape (words, _WIDTH), 0 after the end

_NO_LETTER = 1  # a code point that no word has
_WIDTH = 24  # letters of a word that are compared; longer words are found only as a whole and by their beginnings
RUN_WORDS = 4  # consecutive words of a question that one word of a name may abbreviate
_LEAST_BEGUN, _LEAST_PART, _LEAST_LOST = 3, 4, 3  # letters from which on a beginning, a part, or a word without its first vowel counts
LEAST_SHARED, _SHARED = 5, 0.6  # letters, and the share of both words, with which related words begin alike
_LETTERS_FOR_WORD = 2  # of a word that abbreviates several: with fewer for each, chance explains it as well
_MANY = 2_000  # candidates for such a word that are compared exactly
_REMEMBERED = 4_096  # words of questions whose meanings are kept


class Weights(NamedTuple):
    """How certain each way is, from 0 to 1."""

    spelling: float = 0.97  # `grosse` for `größe`
    inflection: float = 0.95
    begun: float = 0.86  # `cust` for `customer`: the end of the word is not typed
    part: float = 0.85  # `married` for `yearsmarried`
    synonym: float = 0.8
    learned: float = 0.6  # a synonym that no one stated
    first_letter: float = 0.2  # `n` of a name for `number`
    two_letters: float = 0.45
    beginning: float = 0.7  # `cust` of a name for `customer`
    consonants: float = 0.7  # `cstmr` for `customer`
    some_consonants: float = 0.5  # `cst` for `customer`
    letters: float = 0.5  # `cuto` for `customer`
    relative: float = 0.6  # `immigrants` for `immigration`
    three_letters: float = 0.2
    lost_vowel: float = 0.4  # `sst` for `asset`
    acronym: float = 0.45  # `dob` for `date of birth`
    short_acronym: float = 0.36  # of two words
    joined: float = 0.46  # `pdnddte` for `period end date`


WEIGHTS = Weights()


class Matches(NamedTuple):
    """The words of names that a word of a question may mean, the least certain first."""

    words: Ints
    weights: F32  # 0 to 1
    meanings: npt.NDArray[np.int8]  # `Meaning`


class _Found:
    """The best way in which each word of a name means a word of a question."""

    def __init__(self) -> None:
        self._best: dict[int, tuple[float, Meaning]] = {}

    def add(self, numbers: Iterable[int], weight: float, meaning: Meaning) -> None:
        for number in numbers:
            if weight > self._best.get(number, (0.0,))[0]:
                self._best[number] = weight, meaning

    def build(self) -> Matches:
        rows = sorted(self._best.items(), key=lambda row: row[1][0])
        return Matches(
            np.array([number for number, _ in rows], np.int32),
            np.array([weight for _, (weight, _) in rows], np.float32),
            np.array([meaning for _, (_, meaning) in rows], np.int8),
        )


class _Initial:
    """The words that begin with one letter."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.numbers: list[int] = []
        self._letters: Letters = np.empty((0, _WIDTH + 1), np.uint32)
        self._lengths: Ints = np.empty(0, np.int32)
        self._numbers: Ints = np.empty(0, np.int32)

    def add(self, word: str, number: int) -> None:
        self.words.append(word)
        self.numbers.append(number)

    def follow(self) -> None:
        """Add what came since to the arrays."""
        known = len(self._numbers)
        if known < len(self.words):
            more = self.words[known:]
            letters = np.array(more, f"<U{_WIDTH}").view(np.uint32).reshape(len(more), _WIDTH)
            self._letters = np.concatenate([self._letters, np.pad(letters, ((0, 0), (0, 1)))])
            self._lengths = np.concatenate([self._lengths, np.array([len(word) for word in more], np.int32)])
            self._numbers = np.concatenate([self._numbers, np.array(self.numbers[known:], np.int32)])

    def find_within(self, text: str) -> npt.NDArray[np.int64]:
        """The places of the words whose letters are in the text in their order, not always beside each other."""
        rows, places = np.arange(len(self._lengths)), np.zeros(len(self._lengths), np.int64)
        for letter in text:
            places += self._letters[rows, places] == ord(letter)
        found: npt.NDArray[np.int64] = np.flatnonzero((places == self._lengths) & (self._lengths <= _WIDTH))
        return found

    def find_related(self, text: str) -> npt.NDArray[np.int64]:
        """The places of the words that begin as the text does, with most of its letters and of their own."""
        shared = max(LEAST_SHARED, math.ceil(len(text) * _SHARED))
        if shared > min(len(text), _WIDTH):
            return np.empty(0, np.int64)
        alike = (self._letters[:, :shared] == np.array([*map(ord, text[:shared])], np.uint32)).all(axis=1)
        found: npt.NDArray[np.int64] = np.flatnonzero(alike & (np.ceil(self._lengths * _SHARED) <= shared))
        return found

    def find_around(self, text: str) -> npt.NDArray[np.int64]:
        """The places of the words that have the letters of the text in their order, not always beside each other."""
        wanted = np.array([*map(ord, text), _NO_LETTER], np.uint32)
        places = np.zeros(len(self._lengths), np.int64)
        for at in range(_WIDTH):
            places += wanted[places] == self._letters[:, at]
        found: npt.NDArray[np.int64] = np.flatnonzero(places == len(text))
        return found


class Vocabulary:
    """The distinct words of names, each with a number from 0 on. A word with accents is found by its spellings without them, too."""

    def __init__(self, weights: Weights = WEIGHTS) -> None:
        self._weights = weights
        self._numbers: dict[str, int] = {}
        self._spelled: dict[str, list[int]] = {}  # by another spelling of words: their numbers
        self._words: list[str] = []
        self._spellings: list[str] = []  # of all words
        self._numbers_of: list[int] = []  # by spelling: that of its word
        self._initials: dict[str, _Initial] = {}
        self._stems: dict[str, list[int]] = {}
        self._text = ""  # all spellings, each after a space
        self._starts: list[int] = []  # of each spelling in it
        self._known: dict[str | tuple[str, ...], Matches] = {}  # by word of a question, or several
        self._known_size = 0

    def __len__(self) -> int:
        return len(self._words)

    def collect_arrays(self) -> dict[str, Array]:
        """The words in the order of their numbers (`unpack_texts`)."""
        return pack_texts(self._words)

    def get_word(self, number: int) -> str:
        return self._words[number]

    def add(self, word: str) -> int:
        """The number of a word of a name."""
        number = self._numbers.get(word)
        if number is None:
            number = self._numbers[word] = len(self._words)
            self._words.append(word)
            for spelling in list_spellings(word):
                self._spellings.append(spelling)
                self._numbers_of.append(number)
                if spelling != word:
                    self._spelled.setdefault(spelling, []).append(number)
                if spelling[0].isalpha():
                    self._initials.setdefault(spelling[0], _Initial()).add(spelling, number)
                    self._stems.setdefault(find_stem(spelling), []).append(number)
        return number

    def _get_numbers(self, spelling: str) -> list[int]:
        """The words that are written like this, or may be."""
        number = self._numbers.get(spelling)
        others = self._spelled.get(spelling, [])
        return others if number is None else [number, *others]

    def find(self, word: str) -> Matches:
        """The words of names that one word of a question may mean by itself, but for what it abbreviates."""
        return self._remember(word, lambda: self._find(word))

    def find_own(self, word: str) -> Matches:
        """The words of names that are this one, perhaps in another form."""
        return self._find_forms(word, self._weights.inflection, Meaning.INFLECTION)

    def find_abbreviated(self, word: str) -> Matches:
        """The longer words of names that one word of a question may abbreviate: they count only if no name has the word itself.

        Which names those are depends on what the caller sees, so the caller decides.
        """

        def compute() -> Matches:
            found = _Found()
            for spelling in list_spellings(word):
                if spelling[0].isalpha() and count_letters(spelling) >= _LEAST_BEGUN:
                    self._add_abbreviated(found, spelling)
            return found.build()

        return self._remember(("", Meaning.ABBREVIATION.name, word), compute)

    def find_run(self, run: tuple[str, ...]) -> Matches:
        """The words of names that abbreviate several consecutive words of a question at once: acronyms, and abbreviations without a
        separator between them.
        """
        return self._remember(run, lambda: self._find_run(run))

    def find_synonym(self, word: str, meaning: Meaning = Meaning.SYNONYM) -> Matches:
        """The words of names that are this synonym of what a question asks for, perhaps in another form. `meaning`: SYNONYM or LEARNED."""
        return self._find_forms(word, self._weights.synonym if meaning is Meaning.SYNONYM else self._weights.learned, meaning)

    def _find_forms(self, word: str, weight: float, meaning: Meaning) -> Matches:
        """The words of names that are a word in one of its spellings, or have its stem."""

        def compute() -> Matches:
            found = _Found()
            for spelling in list_spellings(word):
                numbers = [*self._stems.get(find_stem(spelling), ()), *self._get_numbers(spelling)]
                found.add(numbers, weight, meaning)
            return found.build()

        return self._remember(("", meaning.name, word), compute)

    def _remember(self, key: str | tuple[str, ...], compute: Callable[[], Matches]) -> Matches:
        if self._known_size != len(self._words) or len(self._known) > _REMEMBERED:
            self._known.clear()
            self._known_size = len(self._words)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = compute()
        return found

    def _find(self, word: str) -> Matches:
        found = _Found()
        if (same := self._numbers.get(word)) is not None:
            found.add([same], 1.0, Meaning.WORD)
        spellings = list_spellings(word)
        for spelling in spellings:
            found.add(self._get_numbers(spelling), self._weights.spelling, Meaning.WORD)
        for spelling in spellings:
            if spelling[0].isalpha():
                self._add_meanings(found, spelling)
        return found.build()

    def _add_meanings(self, found: _Found, word: str) -> None:
        """The words that are not written like this one, but may mean it."""
        found.add(self._stems.get(find_stem(word), ()), self._weights.inflection, Meaning.INFLECTION)
        length = count_letters(word)
        if length >= _LEAST_BEGUN:
            found.add(self._find_begun(word), self._weights.begun, Meaning.BEGINNING)
        if length >= _LEAST_PART:
            found.add(self._find_containing(word), self._weights.part, Meaning.PART)
        self._add_beginnings(found, word)
        self._add_abbreviations(found, word)
        self._add_related(found, word)

    def _add_beginnings(self, found: _Found, word: str) -> None:
        """The words that are the beginning of this one."""
        weights = (self._weights.first_letter, self._weights.two_letters, self._weights.beginning)
        for length in range(1, len(word)):
            if shorter := self._get_numbers(word[:length]):
                found.add(shorter, weights[min(length, len(weights)) - 1], Meaning.ABBREVIATION)

    def _add_abbreviations(self, found: _Found, word: str) -> None:
        """The shorter words that have only letters of this one, in their order: the first, and the fewer vowels the more certain."""
        weights, skeleton, group = self._weights, find_skeleton(word), self._initials.get(word[0])
        consonants = "".join(letter for letter in word if letter not in VOWELS)
        if word[0] in VOWELS and len(consonants) >= _LEAST_LOST and (lost := self._get_numbers(consonants)):
            found.add(lost, weights.lost_vowel, Meaning.ABBREVIATION)
        if group is None:
            return
        group.follow()
        within_skeleton = set(group.find_within(skeleton).tolist())
        for place in group.find_within(word).tolist():
            length = len(group.words[place])
            if length == 1 or length == len(word):
                continue
            if find_skeleton(group.words[place]) == skeleton:
                weight = weights.consonants
            elif place in within_skeleton:
                weight = weights.some_consonants
            else:
                weight = (0.0, weights.three_letters, weights.letters)[min(length, 4) - 2]
            found.add([group.numbers[place]], weight, Meaning.ABBREVIATION)

    def _add_abbreviated(self, found: _Found, word: str) -> None:
        """The longer words that this one, which no name has, may abbreviate: they have its letters in their order, the first first."""
        if (group := self._initials.get(word[0])) is None:
            return
        group.follow()
        skeleton = find_skeleton(word)
        for place in group.find_around(word).tolist():
            weight = self._weights.consonants if find_skeleton(group.words[place]) == skeleton else self._weights.some_consonants
            found.add([group.numbers[place]], weight, Meaning.ABBREVIATION)

    def _add_related(self, found: _Found, word: str) -> None:
        """The words that are most likely made of the same stem, by endings that `find_stem` does not know."""
        if (group := self._initials.get(word[0])) is not None:
            group.follow()
            found.add((group.numbers[place] for place in group.find_related(word).tolist()), self._weights.relative, Meaning.INFLECTION)

    def _find_begun(self, beginning: str) -> Iterator[int]:
        """The words that begin with a text and are longer."""
        return (self._find_place(at + 1) for at in self._iterate_places(" " + beginning))

    def _find_containing(self, part: str) -> Iterator[int]:
        """The words that have a text in them."""
        return (self._find_place(at) for at in self._iterate_places(part))

    def _iterate_places(self, text: str) -> Iterator[int]:
        known = len(self._starts)
        if known < len(self._spellings):
            size, parts = len(self._text), []
            for word in self._spellings[known:]:
                self._starts.append(size + 1)
                size += len(word) + 1
                parts.append(word)
            self._text += " " + " ".join(parts)
        at = self._text.find(text)
        while at >= 0:
            yield at
            at = self._text.find(text, at + 1)

    def _find_place(self, at: int) -> int:
        return self._numbers_of[bisect_right(self._starts, at) - 1]

    def _find_run(self, words: tuple[str, ...]) -> Matches:
        run = tuple(map(strip_accents, words))
        found, group = _Found(), self._initials.get(run[0][0])
        initials = "".join(word[0] for word in run)
        if numbers := self._get_numbers(initials):
            found.add(numbers, self._weights.acronym if len(run) > 2 else self._weights.short_acronym, Meaning.ACRONYM)
        if group is not None and len(run) <= RUN_WORDS:
            group.follow()
            compared = 0
            for place in group.find_within("".join(run)).tolist():
                word = group.words[place]
                if len(word) > len(run) and word not in run and compared < _MANY:
                    compared += 1
                    if is_short_for(word, run):
                        share = min(1.0, len(word) / (_LETTERS_FOR_WORD * len(run)))
                        found.add([group.numbers[place]], self._weights.joined * share, Meaning.ACRONYM)
        return found.build()


def find_match(matches: Sequence[Matches], number: int) -> tuple[float, Meaning]:
    """How certainly a word of a name is meant, and how; 0 if it is not among the matches."""
    found = [(float(one.weights[at]), Meaning(one.meanings[at])) for one in matches for at in np.flatnonzero(one.words == number).tolist()]
    return max(found, key=lambda one: one[0], default=(0.0, Meaning.WORD))


def is_short_for(word: str, run: Sequence[str]) -> bool:
    """Whether a word is made of a part for each of these words: its first letter, and perhaps more of its letters in their order. A vowel
    at its beginning may be missing: `nd` for `end`.
    """
    ends = {0}
    for abbreviated in run:
        forms = [abbreviated, abbreviated[1:]] if abbreviated[0] in VOWELS and len(abbreviated) > 1 else [abbreviated]
        ends = {reached for end in ends for form in forms for reached in _list_ends(word, end, form)}
    return len(word) in ends


def _list_ends(word: str, begin: int, abbreviated: str) -> Iterator[int]:
    """Where parts of a word end that begin at a place and have the first letter of another word, and more of it in its order."""
    at = begin
    for letter in abbreviated:
        if at < len(word) and word[at] == letter:
            at += 1
            yield at
        elif at == begin:
            return

"""The words of names and of questions: how a name is split, and the forms of a word."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

_RUN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")  # of names in ASCII
_CLASSES = re.compile(r"A+(?!a)|A?a+|0+|K+h*|h+|k+|x+")  # of other names, by the classes of their characters (`_classify`)
_MARKED = ("LATIN", "GREEK")  # scripts whose letters are the same without their marks
_REPLACED = str.maketrans("øđðłħıё", "oddlhiе", "") | str.maketrans({"æ": "ae", "œ": "oe", "þ": "th"})  # noqa: RUF001 - not Latin
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})  # as German, Danish and others write them in ASCII
_GENITIVE = re.compile(r"(?<=\w)['\u2019]s\b", re.IGNORECASE)
STOP_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "is", "it", "its", "of", "on", "or", "per", "that", "the", "this"}
    | {"to", "was", "were", "which", "who", "with"}
)
VOWELS = "aeiouyаеёиоуыэюяіїєαεηιουω"  # noqa: RUF001 - of Latin, Cyrillic and Greek letters without marks


class Meaning(enum.IntEnum):
    """In which way a word of a name is a word of a question."""

    WORD = 0
    INFLECTION = 1
    BEGINNING = 2
    PART = 3
    SYNONYM = 4
    ABBREVIATION = 5
    ACRONYM = 6
    TEXT = 7  # not of a name: of a title, description or tag
    LEARNED = 9  # a synonym that no one stated: titles have the one where names have the other
    SIMILAR = 8  # not a word: the whole name is like the whole question, by their vectors


class WordPlace(enum.IntEnum):
    """Which part of an asset has a word that means one of a question: the first that does, if several mean it alike."""

    NAME = 0
    CONTEXT = 1  # the name of the dataset (of a column), or the namespace
    COLUMN = 2  # the name of a column of the dataset
    TEXT = 3  # its title, description or a tag
    INHERITED = 4  # that of a column from which its values come


def split_name(name: str) -> list[str]:
    """The words of a name in lower case, in order: runs of letters, parts of camelCase, and numbers.

    Letters are those of Unicode. Names in Japanese are split where the script changes, since no case and no space does it.
    """
    if name.isascii():
        return [run.lower() for run in _RUN.findall(name)]
    composed = unicodedata.normalize("NFKC", name)
    return [composed[run.start() : run.end()].casefold() for run in _CLASSES.finditer("".join(_classify(composed)))]


def _classify(text: str) -> Iterator[str]:
    """For each character: an upper-case letter (A), a lower-case one (a), a digit (0), an ideograph (K), Hiragana (h), Katakana (k), some
    other letter (x), or none of these. A mark is of the class of the letter before it.
    """
    found = " "
    for letter in text:
        if letter.isupper() or letter.istitle():
            found = "A"
        elif letter.islower():
            found = "a"
        elif letter.isnumeric() and not letter.isalpha():
            found = "0"
        elif letter.isalpha():
            found = _find_script(letter)
        elif not unicodedata.category(letter).startswith("M"):
            found = " "
        yield found


def _find_script(letter: str) -> str:
    if letter == "々" or is_ideograph(letter):
        return "K"
    if "\u3041" <= letter <= "\u309f":
        return "h"
    return "k" if "\u30a0" <= letter <= "\u30ff" else "x"


def is_ideograph(letter: str) -> bool:
    """Whether a character is one of Chinese writing, each of which is a word or most of one."""
    return "\u3400" <= letter <= "\u9fff" or "\uf900" <= letter <= "\ufaff" or "\U00020000" <= letter <= "\U0003ffff"


def count_letters(word: str) -> int:
    """The length of a word. An ideograph counts as two letters: with two of them a word is as sure as with four letters."""
    return len(word) if word.isascii() else len(word) + sum(map(is_ideograph, word))


@lru_cache(maxsize=65_536)
def list_spellings(word: str) -> tuple[str, ...]:
    """In which ways a word in lower case may be written: as it is, without accents, and in ASCII as German does it.

    `größe` (in lower case `grösse`) is also `grosse` and `groesse`, and `café` is also `cafe`. Only Latin and Greek letters are the same
    without their marks: in other scripts they are other letters.
    """
    if word.isascii():
        return (word,)
    return tuple(dict.fromkeys((word, strip_accents(word), strip_accents(unicodedata.normalize("NFC", word).translate(_SPELLED_OUT)))))


@lru_cache(maxsize=65_536)
def strip_accents(word: str) -> str:
    """A word in lower case without the accents of Latin and Greek letters."""
    if word.isascii():
        return word
    kept, is_marked = [], False
    for letter in unicodedata.normalize("NFKD", unicodedata.normalize("NFC", word).translate(_REPLACED)):
        if not unicodedata.combining(letter):
            is_marked = unicodedata.name(letter, "").startswith(_MARKED)
            kept.append(letter)
        elif not is_marked:
            kept.append(letter)
    return unicodedata.normalize("NFC", "".join(kept))


def build_term(words: Sequence[str]) -> tuple[str, ...]:
    """What the forms of a term of one word or several have in common: the stems of its words, without accents."""
    return tuple(find_stem(strip_accents(word)) for word in words)


def split_question(text: str) -> list[str]:
    """The words of a text that a user typed, in order, without repetitions and without the `s` of a genitive."""
    return list(dict.fromkeys(split_name(_GENITIVE.sub("", text))))


def select_content(words: Sequence[str]) -> list[str]:
    """The words that a name would have: without articles and prepositions, unless there are no others."""
    return [word for word in words if word not in STOP_WORDS] or list(words)


def find_stem(word: str) -> str:
    """A word without the endings of plurals and of verbs."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not (ending == "s" and word.endswith("ss")):
            return word[: -len(ending)] + instead
    return word


def list_inflections(word: str) -> list[str]:
    """The forms of a word that a text may have: itself, its stem, and plurals; without accents, too."""
    return list(dict.fromkeys(form for spelling in list_spellings(word) for form in _list_forms(spelling)))


def _list_forms(word: str) -> tuple[str, str, str]:
    stem = find_stem(word)
    return word, stem, stem[:-1] + "ies" if stem.endswith("y") else stem + "s"


def find_skeleton(word: str) -> str:
    """The first letter and the consonants after it, without repetitions beside each other: `customer` is `cstmr`."""
    kept = word[:1]
    for letter in word[1:]:
        if letter not in VOWELS and letter != kept[-1]:
            kept += letter
    return kept

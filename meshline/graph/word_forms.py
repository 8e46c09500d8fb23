"""The words of names and of questions: how a name is split, and the forms of a word."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

_RUN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+|[^\W_A-Za-z]+")
_GENITIVE = re.compile(r"(?<=\w)['\u2019]s\b", re.IGNORECASE)
STOP_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "is", "it", "its", "of", "on", "or", "per", "that", "the", "this"}
    | {"to", "was", "were", "which", "who", "with"}
)
VOWELS = "aeiouy"


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
    SIMILAR = 8  # not a word: the whole name is like the whole question, by their vectors


class WordPlace(enum.IntEnum):
    """Which part of an asset has a word that means one of a question: the first that does, if several mean it alike."""

    NAME = 0
    CONTEXT = 1  # the name of the dataset (of a column), or the namespace
    COLUMN = 2  # the name of a column of the dataset
    TEXT = 3  # its title, description or a tag
    INHERITED = 4  # that of a column from which its values come


def split_name(name: str) -> list[str]:
    """The words of a name in lower case, in order: runs of letters, parts of camelCase, and numbers."""
    return [run.casefold() for run in _RUN.findall(name)]


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
    """The forms of a word that a text may have: itself, its stem, and plurals."""
    stem = find_stem(word)
    plural = stem[:-1] + "ies" if stem.endswith("y") else stem + "s"
    return list(dict.fromkeys((word, stem, plural)))


def find_skeleton(word: str) -> str:
    """The first letter and the consonants after it, without repetitions beside each other: `customer` is `cstmr`."""
    kept = word[:1]
    for letter in word[1:]:
        if letter not in VOWELS and letter != kept[-1]:
            kept += letter
    return kept

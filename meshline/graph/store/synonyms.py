"""Synonyms: words that mean the same in a company, by which searches find names.

Each mesh file may list some, may list pairs that are none although they were learned, and may switch off learning; the store keeps this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.store.base import Batch, RunReader, Store
from meshline.graph.word_forms import build_term, split_name

SYNONYMS = "search.synonyms"  # the setting: JSON, the source that lists them -> its groups of terms
T = TypeVar("T")
Groups: TypeAlias = Sequence[Sequence[str]]  # terms that mean the same, each of one word or several
LEARNING = "search.learning"  # the setting: JSON, the source -> what it states about learned synonyms (`_Learning`)
_Terms: TypeAlias = Mapping[tuple[str, ...], tuple[str, ...]]  # the stems of a term -> the words of names that mean the same


class Synonyms(NamedTuple):
    """What the terms of a question mean the same as: stated by people, and learned from titles."""

    stated: _Terms = MappingProxyType({})
    learned: _Terms = MappingProxyType({})


NO_SYNONYMS = Synonyms()


class LearningRules(NamedTuple):
    """What mesh files state about learned synonyms: whether any count, and pairs of terms that do not (their stems, in both orders)."""

    wanted: bool
    refused: AbstractSet[tuple[tuple[str, ...], tuple[str, ...]]]


class _Learning(msgspec.Struct):
    learn: bool
    refused: list[list[str]]


def write_synonyms(store: Store, source: str, groups: Groups, *, learn: bool = True, refused: Groups = ()) -> None:
    """Write the groups of a mesh file to the store, in place of those that the file had before, and what it states about learning.

    `refused`: pairs of terms that are no synonyms, although they may be learned. Raises StoreUnavailable, StoreCorrupt.
    """
    given, usual = [list(group) for group in groups], _Learning(learn=True, refused=[])
    limits = _Learning(learn, [list(pair) for pair in refused])

    def build(_reader: RunReader) -> Batch:  # within the commit: another process may write those of another file
        known, rules = {**_read_groups(store), source: given}, {**_read_learning(store), source: limits}
        return Batch(
            settings={
                SYNONYMS: msgspec.json.encode({name: known[name] for name in sorted(known) if known[name]}).decode(),
                LEARNING: msgspec.json.encode({name: rules[name] for name in sorted(rules) if rules[name] != usual}).decode(),
            }
        )

    if (_read_groups(store).get(source, []), _read_learning(store).get(source, usual)) != (given, limits):
        store.commit(build)


def read_synonyms(store: Store) -> Synonyms:
    """The synonyms that mesh files state; none is learned. Raises StoreUnavailable, StoreCorrupt."""
    return Synonyms(_build_synonyms(store.read_setting(SYNONYMS)))


def read_learning_rules(store: Store) -> LearningRules:
    """What mesh files state about learned synonyms. Raises StoreUnavailable, StoreCorrupt."""
    return _build_learning_rules(store.read_setting(LEARNING))


@lru_cache(maxsize=4)
def _build_learning_rules(text: str | None) -> LearningRules:
    files = _parse_learning(text).values()
    pairs = [(build_term(split_name(one)), build_term(split_name(other))) for file in files for one, other in file.refused]
    return LearningRules(all(file.learn for file in files), frozenset([*pairs, *((other, one) for one, other in pairs)]))


@lru_cache(maxsize=4)
def _build_synonyms(text: str | None) -> _Terms:
    found: dict[tuple[str, ...], dict[str, None]] = {}
    for groups in _parse_groups(text).values():
        for group in groups:
            terms = [split_name(term) for term in group]
            for term in terms:
                others = {other[0]: None for other in terms if len(other) == 1 and other != term}
                found.setdefault(build_term(term), {}).update(others)
    return {term: tuple(others) for term, others in found.items() if others}


def _read_groups(store: Store) -> dict[str, list[list[str]]]:
    return _parse_groups(store.read_setting(SYNONYMS))


def _read_learning(store: Store) -> dict[str, _Learning]:
    return _parse_learning(store.read_setting(LEARNING))


def _parse_groups(text: str | None) -> dict[str, list[list[str]]]:
    return {} if text is None else _decode(text, dict[str, list[list[str]]])


def _parse_learning(text: str | None) -> dict[str, _Learning]:
    return {} if text is None else _decode(text, dict[str, _Learning])


def _decode(text: str, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=shape)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the store's settings cannot be read ({error}): restore the store from a backup") from error

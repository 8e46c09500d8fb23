"""Synonyms: words that mean the same in a company, by which searches find names. Each mesh file may list some; the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.store.base import Batch, RunReader, Store
from meshline.graph.word_forms import build_term, split_name

SYNONYMS = "search.synonyms"  # the setting: JSON, the source that lists them -> its groups of terms
Groups: TypeAlias = Sequence[Sequence[str]]  # terms that mean the same, each of one word or several
Synonyms: TypeAlias = Mapping[tuple[str, ...], tuple[str, ...]]  # the stems of a term -> the words of names that mean the same
NO_SYNONYMS: Synonyms = MappingProxyType({})


def write_synonyms(store: Store, source: str, groups: Groups) -> None:
    """Write the groups of a mesh file to the store, in place of those that the file had before. Raises StoreUnavailable, StoreCorrupt."""
    given = [list(group) for group in groups]

    def build(_reader: RunReader) -> Batch:  # within the commit: another process may write those of another file
        known = {**_parse_groups(store.read_setting(SYNONYMS)), source: given}
        return Batch(settings={SYNONYMS: msgspec.json.encode({name: known[name] for name in sorted(known) if known[name]}).decode()})

    if _parse_groups(store.read_setting(SYNONYMS)).get(source, []) != given:
        store.commit(build)


def read_synonyms(store: Store) -> Synonyms:
    """The synonyms of all mesh files. Raises StoreUnavailable, StoreCorrupt."""
    return _build_synonyms(store.read_setting(SYNONYMS))


@lru_cache(maxsize=4)
def _build_synonyms(text: str | None) -> Synonyms:
    found: dict[tuple[str, ...], dict[str, None]] = {}
    for groups in _parse_groups(text).values():
        for group in groups:
            terms = [split_name(term) for term in group]
            for term in terms:
                others = {other[0]: None for other in terms if len(other) == 1 and other != term}
                found.setdefault(build_term(term), {}).update(others)
    return {term: tuple(others) for term, others in found.items() if others}


def _parse_groups(text: str | None) -> dict[str, list[list[str]]]:
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, list[list[str]]])
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the store's settings cannot be read ({error}): restore the store from a backup") from error

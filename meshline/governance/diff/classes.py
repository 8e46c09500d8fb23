"""Changes of how sensitive a field is said to be."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.changes import Change
from meshline.governance.diff.columns import Column
from meshline.governance.diff.draft import folded
from meshline.governance.diff.scope import Scope
from meshline.graph.promises import Field

_PII = "pii"
# The less sensitive first; words of one line are the same to us.
_LADDER = (
    ("public", "open"),
    ("internal",),
    ("confidential", "private"),
    ("sensitive", "restricted", "secret", "pii", "phi", "pci", "highly confidential", "top secret"),
)
_RANKS = {word: rank for rank, words in enumerate(_LADDER) for word in words}


def class_changes(scope: Scope, was: Column, now: Column) -> Iterator[Change]:
    """PII is said by a flag, a tag or the classification: by any of them it is the same."""
    before, after = _is_pii(was.field), _is_pii(now.field)
    if before is not after:
        rule, said = ("classification-raised", (None, _PII)) if after else ("classification-removed", (_PII, None))
        yield scope.change(rule, was, said, now=now)
    old, new = _word(was.field), _word(now.field)
    if old == new or (before is not after and _PII in (old, new)):
        return
    if old and (not new or _RANKS.get(new, -1) < _RANKS.get(old, len(_LADDER))):
        yield scope.change("classification-removed", was, (old, new or None), now=now)
    elif not old or _RANKS[new] > _RANKS[old]:
        yield scope.change("classification-raised", was, (old or None, new), now=now)


def _is_pii(field: Field) -> bool:
    if field.pii is not None:
        return field.pii
    return _PII in {folded(word).casefold() for word in (field.classification, *field.tags)}


def _word(field: Field) -> str:
    return folded(field.classification).casefold()

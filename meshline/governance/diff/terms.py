"""Changes of how data may be used."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.changes import Change
from meshline.governance.diff.amounts import amount, normal
from meshline.governance.diff.draft import Draft, folded
from meshline.graph.promises import Level, Terms

_TEXTS = ("usage", "limitations", "billing")  # the purpose and the description describe, they allow nothing


def term_changes(draft: Draft, before: Terms, after: Terms) -> Iterator[Change]:
    """One change for each term. How a text is wrapped, and the order of policies, do not matter."""
    for term in _TEXTS:
        was, now = folded(getattr(before, term)), folded(getattr(after, term))
        if was != now:
            yield draft.change("terms-changed", ("terms", term), was or None, now or None, term=term)
    old, new = sorted(before.policies), sorted(after.policies)
    if old != new:
        yield draft.change("terms-changed", ("terms", "policies"), list(old) or None, list(new) or None, term="policies")
    yield from _notice(draft, before.notice_period, after.notice_period)


def _notice(draft: Draft, was: Level | None, now: Level | None) -> Iterator[Change]:
    old, new = (amount(one) if one else None for one in (was, now))
    said = [normal(one) if one else None for one in (was, now)]
    if said[0] == said[1]:
        return
    if (was and old is None) or (now and new is None):
        yield draft.change("terms-changed", ("terms", "notice_period"), *said, term="notice period")
        return
    longer = new is not None and (old is None or new.number > old.number)
    yield draft.change("notice-lengthened" if longer else "notice-shortened", ("terms", "notice_period"), *said)

"""Changes of who answers for a thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshline.governance.changes import Change
from meshline.governance.diff.draft import Draft, folded
from meshline.graph.promises import Party


def owner_changes(draft: Draft, before: Iterable[Party], after: Iterable[Party]) -> Iterator[Change]:
    """One change at most: owners are asked together. Order, case and titles do not matter."""
    old, new = _owners(before), _owners(after)
    if old.keys() == new.keys():
        return
    was, now = _listed(old), _listed(new)
    at = ("owner", next((party.name for key, party in new.items() if key not in old), next(iter(new.values())).name)) if new else ()
    rule = "owner-changed" if old and new else "owner-removed" if old else "owner-added"
    yield draft.change(rule, ("owner",), was or None, now or None, at=at)


def _owners(parties: Iterable[Party]) -> dict[tuple[str, str], Party]:
    return {(folded(one.name).casefold(), one.type): one for one in parties if one.name.strip()}


def _listed(owners: dict[tuple[str, str], Party]) -> str:
    """`a@x.org, b@x.org (steward)`, in one order."""
    named = (one.name if one.type == "technical" else f"{one.name} ({one.type})" for one in owners.values())
    return ", ".join(sorted(named, key=str.casefold))

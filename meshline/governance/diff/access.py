"""Changes of who may use the data: roles, and the access of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshline.governance.changes import Change
from meshline.governance.diff.draft import Draft, folded
from meshline.graph.promises import Role

_LADDER = (
    ("none", "private"),
    ("read", "select", "read only", "reader", "viewer", "protected"),
    ("write", "read write", "readwrite", "writer", "editor", "public"),
    ("admin", "owner", "all", "manage"),
)
_RANKS = {word: rank for rank, words in enumerate(_LADDER) for word in words}


def role_changes(draft: Draft, before: Iterable[Role], after: Iterable[Role]) -> Iterator[Change]:
    """A role is the same one by its name, on its server. Who approves does not matter."""
    old, new = _keyed(before), _keyed(after)
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        name, part = " on ".join(filter(None, key)), ("role", *filter(None, key))
        if was is None or now is None:
            rule = "role-added" if was is None else "access-narrowed"
            said = (_access(was), _access(now)) if was is None else (_access(was) or "allowed", "none")
            yield draft.change(rule, part, *said, role=name)
        elif changed := access_rule(was.access, now.access):
            yield draft.change(changed, part, _access(was), _access(now), role=name)


def access_rule(was: str, now: str) -> str | None:
    """Narrowed or widened; what cannot be compared may be narrowed."""
    old, new = _word(was), _word(now)
    if old == new:
        return None
    wider = not old or not new or _RANKS.get(new, -1) > _RANKS.get(old, len(_LADDER))
    return "access-widened" if wider and not (old and not new) else "access-narrowed"


def _keyed(roles: Iterable[Role]) -> dict[tuple[str, str], Role]:
    return {(folded(role.name), role.server): role for role in roles}


def _access(role: Role | None) -> str | None:
    return _word(role.access) or None if role else None


def _word(access: str) -> str:
    return folded(access.replace("_", " ").replace("-", " ").replace("/", " ")).casefold()

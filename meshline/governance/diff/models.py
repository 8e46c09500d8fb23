"""Which models of two versions of a contract are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from meshline.governance.diff.columns import columns, matched
from meshline.graph.promises import Model

WORDS = "contract"  # the format of a contract's types

_KEYS: tuple[Callable[[Model], str], ...] = (
    lambda one: one.id,
    lambda one: one.name,
    lambda one: one.physical_name,
    lambda one: one.name.casefold(),
)


def matched_models(before: Sequence[Model], after: Sequence[Model]) -> tuple[list[tuple[Model, Model]], list[Model], list[Model]]:
    """By id, else by name, else by the name of the table, else by a name that differs in case only -> the same, the gone, the added."""
    gone, added = dict(enumerate(before)), dict(enumerate(after))
    same: dict[int, int] = {}
    for key in _KEYS:
        olds, news = ({at: key(one) for at, one in some.items() if key(one)} for some in (gone, added))
        places = {called: at for at, called in news.items()}
        counts, others = Counter(olds.values()), Counter(news.values())
        for at, called in olds.items():
            if counts[called] == others[called] == 1 and _may_be(before[at], after[places[called]]):
                same[at] = places[called]
                del gone[at], added[places[called]]
    return [(before[at], after[same[at]]) for at in sorted(same)], list(gone.values()), list(added.values())


def _may_be(was: Model, now: Model) -> bool:
    return not was.id or not now.id or was.id == now.id


def same_names(before: Sequence[Model], after: Sequence[Model]) -> dict[str, str]:
    """What models and their fields are called after -> before; of a single model the fields without it, too."""
    found: dict[str, str] = {}
    pairs, _, _ = matched_models(before, after)
    for was, now in pairs:
        found[now.name] = was.name
        for old, new in matched(columns(was.fields, WORDS), columns(now.fields, WORDS)).pairs:
            found[f"{now.name}.{new.path}"] = f"{was.name}.{old.path}"
            if len(before) == len(after) == 1:
                found[new.path] = old.path
    return found

"""Which models of two versions of a contract are the same, and in which words their types are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from meshline.governance.diff.columns import columns, matched
from meshline.governance.types.dialects import Fold, folding, is_sql, of_server
from meshline.graph.promises import Contract, Model

_LOGICAL = "odcs"  # the words of the logical types of the Open Data Contract Standard
_WORDS = "contract"  # the words of the types of any contract, where no server says what they mean

Forms: TypeAlias = tuple[tuple[str, str], ...]  # (the words of before, of after), each of a server


class Words(NamedTuple):
    """How names and types of two versions of a contract are compared. `read`: the words in which its types are read; `types`: in each
    of which they are compared; `physical`: the same of physical types. `fold`, `fold_table`: of the names of fields and of models.
    """

    read: str
    types: Forms
    physical: Forms
    fold: Fold
    fold_table: Fold


def words(before: Contract, after: Contract) -> Words:
    """A contract's types mean what they mean on its servers of SQL. The logical types of the Open Data Contract Standard are its own.
    Names fold if all servers fold them: without a server of SQL they are case-sensitive.
    """
    physical = _forms(before, after)
    logical = {one.standard.startswith("Open Data Contract Standard") for one in (before, after)}
    read = _LOGICAL if logical == {True} else _WORDS
    sql = tuple(pair for pair in physical if is_sql(pair[0]) and pair[0] == pair[1]) if logical == {False} else ()
    kinds = {form for pair in physical for form in pair}
    names = kinds if all(map(is_sql, kinds)) else set()
    return Words(read, sql or ((read, read),), physical or (("", ""),), folding(names), folding(names, tables=True))


def _forms(before: Contract, after: Contract) -> Forms:
    """Of the servers that both have; if they have none in common, before on its first one, after on its own."""
    old, new = (sorted({of_server(one) for one in contract.servers}) for contract in (before, after))
    common = tuple((one, one) for one in old if one in new)
    return common or (((old[0], new[0]),) if old and new else tuple((one, one) for one in (old or new)))


def matched_models(
    before: Sequence[Model], after: Sequence[Model], fold: Fold
) -> tuple[list[tuple[Model, Model]], list[Model], list[Model]]:
    """By id, else by name, else by the name of the table, else by the name when `fold`ed -> the same, the gone, the added."""
    gone, added = dict(enumerate(before)), dict(enumerate(after))
    same: dict[int, int] = {}
    keys: tuple[Callable[[Model], str], ...] = (
        lambda one: one.id,
        lambda one: one.name,
        lambda one: one.physical_name,
        lambda one: fold(one.name),
    )
    for key in keys:
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


def same_names(before: Sequence[Model], after: Sequence[Model], said: Words) -> dict[str, str]:
    """What models and their fields are called after -> before; of a single model the fields without it, too."""
    found: dict[str, str] = {}
    pairs, _, _ = matched_models(before, after, said.fold_table)
    for was, now in pairs:
        found[now.name] = was.name
        for old, new in matched(columns(was.fields, said.read), columns(now.fields, said.read), said.fold).pairs:
            found[f"{now.name}.{new.path}"] = f"{was.name}.{old.path}"
            if len(before) == len(after) == 1:
                found[new.path] = old.path
    return found

"""Identity classes of owners: which names are one owner.

It depends on the forms of a name, and on the e-mail address that a source states of it:

1. `team:x`, `group:x`, `user:x` and `person:x` are `x`, unless the sources state that `x` is of the other kind; where none
   states a kind, and forms of both kinds are in use, none of them is `x`.
2. An e-mail address is the owner for which the strongest source states it (`Precedence` for `owners`); if that source states
   it for several owners, the address is an owner of its own.
3. Another name for which only weaker sources state the same address is that owner, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from meshline.graph.index.arrays import N_NODES, NONE
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.large_classes import join_nodes
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import KINDS, AssetKind, Json, Precedence
from meshline.graph.naming import OwnerForm, is_email, parse_owner

_OWNER = KINDS.index(AssetKind.OWNER)


class _Stated(NamedTuple):
    """What a head states of an owner: `email` is casefolded, or empty."""

    node: int
    email: str
    type: str


class _Known(NamedTuple):
    """What sources state of a name. `rank`: of the strongest source that describes it; `email`: (rank, address) of the strongest."""

    rank: int
    email: tuple[int, str] | None


class OwnerIdentity:
    """Keeps rings and representatives of owners, and which of their names is shown."""

    SAVED: ClassVar[Mapping[str, Any]] = {
        "shown": dict[int, int],
        "version": int,
        "_stated": dict[int, list[_Stated]],
        "_classes": dict[int, tuple[int, ...]],
    }

    def __init__(self, tables: IndexTables, precedence: Precedence) -> None:
        self._tables = tables
        self._precedence = precedence
        self.shown: dict[int, int] = {}  # representative of a class of several -> the node whose name is shown
        self.version = 0  # counts changes of classes, and of the names that they show
        self._stated: dict[int, list[_Stated]] = {}  # by scope id
        self._nodes: Ints = np.empty(0, np.int32)
        self._upto = 0
        self._in_use: Flags = np.empty(0, np.bool_)  # by position in `_nodes`
        self._restated = False
        self._classes: dict[int, tuple[int, ...]] = {}  # node -> the class, of classes of several

    def record(self, scope_id: int, node: int, attributes: Mapping[str, Json]) -> None:
        """Record the attributes that a head states of an owner."""
        email, type_ = attributes.get("email"), attributes.get("owner_type")
        address = email.strip().casefold() if isinstance(email, str) and is_email(email) else ""
        stated = _Stated(node, address, type_ if isinstance(type_, str) else "")
        if stated.email or stated.type:
            self._stated.setdefault(scope_id, []).append(stated)
            self._restated = True

    def withdraw(self, scope_id: int) -> None:
        """Forget what a head stated that is gone."""
        if self._stated.pop(scope_id, None) is not None:
            self._restated = True

    def settle(self) -> set[int]:
        """Recompute the rings; gives the owners whose class, or the shown name of the class, changed."""
        if not self._follow() and not self._restated:
            return set()
        self._restated = False
        wanted: dict[int, tuple[int, ...]] = {}
        shown: dict[int, int] = {}
        for name, nodes in self._group_owners().items():
            if len(nodes) > 1:
                members = tuple(sorted(nodes))
                wanted.update(dict.fromkeys(members, members))
                shown[members[0]] = min(nodes, key=lambda node, name=name: (self._get_text(node) != name, self._get_text(node)))  # type: ignore[misc]
        changed = {node for node in {*wanted, *self._classes} if wanted.get(node) != self._classes.get(node)}
        renamed = {node for node, members in wanted.items() if shown[members[0]] != self.shown.get(members[0])}
        for node in changed:
            join_nodes(self._tables, list(wanted.get(node, (node,))))
        self._classes, self.shown = wanted, shown
        self.version += bool(changed or renamed)
        return changed | renamed

    def _group_owners(self) -> dict[str, list[int]]:
        """The owners in use, by the name that identifies them."""
        forms = {node: parse_owner(self._get_text(node)) for node in self._nodes[self._in_use].tolist()}
        plain = self._strip_prefixes(forms)
        known = self._collect_known(plain)
        heads = _find_address_owners(known)
        found: dict[str, list[int]] = defaultdict(list)
        for node in forms:
            name = plain[node]
            of = known.get(name)
            email = name if is_email(name) else of.email[1] if of is not None and of.email is not None else ""
            rank, owner = heads.get(email, (NONE, name))
            found[owner if is_email(name) or (of is not None and of.rank > rank) else name].append(node)
        return found

    def _strip_prefixes(self, forms: Mapping[int, OwnerForm]) -> dict[int, str]:
        """The name of each owner without its prefix; with it where the prefix distinguishes two owners."""
        kinds: dict[str, set[str]] = defaultdict(set)
        types: dict[str, set[str]] = defaultdict(set)
        for form in forms.values():
            kinds[form.name].add(form.kind)
        for stated in self._list_stated():
            if stated.type and stated.node in forms and not forms[stated.node].kind:
                types[forms[stated.node].name].add(stated.type)

        def fits(form: OwnerForm) -> bool:
            if form.is_email or not form.kind:
                return True
            return form.kind in types[form.name] if types[form.name] else len(kinds[form.name] - {""}) == 1

        return {node: form.name if fits(form) else self._get_text(node) for node, form in forms.items()}

    def _collect_known(self, plain: Mapping[int, str]) -> dict[str, _Known]:
        """What sources state of each name that is not an address."""
        found: dict[str, _Known] = {}
        tables = self._tables
        for scope_id, of_scope in self._stated.items():
            rank = self._precedence.rank(tables.heads.get_source(tables.heads.find_current(scope_id)), "owners")
            for stated in of_scope:
                name = plain.get(stated.node)
                if name is None or is_email(name):
                    continue
                before = found.get(name, _Known(rank, None))
                email = min((one for one in (before.email, (rank, stated.email) if stated.email else None) if one), default=None)
                found[name] = _Known(min(before.rank, rank), email)
        return found

    def _list_stated(self) -> list[_Stated]:
        return [stated for of_scope in self._stated.values() for stated in of_scope]

    def _follow(self) -> bool:
        """Find out which owners are in use; whether that changed."""
        nodes, n = self._tables.nodes, int(self._tables.counts[N_NODES])
        self._nodes = np.concatenate(
            [self._nodes, np.flatnonzero(nodes.kind[self._upto : n] == _OWNER).astype(np.int32) + np.int32(self._upto)]
        )
        self._upto = n
        before, self._in_use = self._in_use, nodes.live[self._nodes] > 0
        return not np.array_equal(before, self._in_use)

    def restore(self) -> None:
        """Follow the nodes, after all that is `SAVED` is there: `settle` has grouped them already."""
        self._follow()

    def _get_text(self, node: int) -> str:
        return self._tables.get_parts(node)[0]


def _find_address_owners(known: Mapping[str, _Known]) -> dict[str, tuple[int, str]]:
    """By address: the rank of the strongest source that states it, and the name for which; without addresses of several names."""
    by_address: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, of in known.items():
        if of.email is not None:
            by_address[of.email[1]].append((of.email[0], name))
    strongest = {address: sorted(names)[:2] for address, names in by_address.items()}
    return {address: names[0] for address, names in strongest.items() if len(names) == 1 or names[0][0] < names[1][0]}

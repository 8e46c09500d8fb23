"""Policies of Ranger -> who may read which table or column.

For each user, group and role that a policy names, and for each column: a policy that denies it wins over all that allow it, and one that
overrides over those that do not; what no policy allows is not allowed. Which users are in a group is not in a policy, so what is denied to
a group is still allowed to its users.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json
from meshline.ingest.sources.base import FOR_MEMBERS, RIGHTS, Entry
from meshline.ingest.sources.ranger.parse import ACCESS, MASKING, OVERRIDE, ROW_FILTER, Columns, Item, Policy, match_columns

PUBLIC = "group:public"  # the group of all users


class Dataset(NamedTuple):
    """A table. `parts`: its name as policies write it. `columns`: those that the graph knows."""

    key: AssetKey
    parts: tuple[str, ...]
    columns: tuple[str, ...]


class _Decision:
    """The columns that one level of priority allows and denies to each principal. The column empty means those not known."""

    def __init__(self) -> None:
        self.allowed: dict[str, dict[str, str]] = {}  # principal -> column -> the policy
        self.denied: dict[str, set[str]] = {}
        self.reserved: dict[str, list[frozenset[str]]] = {}  # column -> the only principals that a policy allows it to (isDenyAllElse)

    def add_policy(self, policy: Policy, columns: Columns) -> None:
        names = {*columns.names, *([""] if columns.whole else [])}
        shown = policy.name or str(policy.id)
        allowed = _collect(policy.policy_items, policy.allow_exceptions)
        for principal in allowed:
            self.allowed.setdefault(principal, {}).update(dict.fromkeys(names, shown))
        for principal in _collect(policy.deny_policy_items, policy.deny_exceptions, surely=True):
            self.denied.setdefault(principal, set()).update(names)
        if policy.is_deny_all_else:
            for column in names:
                self.reserved.setdefault(column, []).append(frozenset(allowed))

    def is_denied(self, principal: str, column: str) -> bool:
        """Whether a deny item names the principal or all users, or a policy denies it to all others than those that it allows it to."""
        if column in self.denied.get(principal, ()) or column in self.denied.get(PUBLIC, ()):
            return True
        return any(principal not in allowed and PUBLIC not in allowed for allowed in self.reserved.get(column, ()))


def _collect(items: Sequence[Item] | None, exceptions: Sequence[Item] | None, *, surely: bool = False) -> dict[str, None]:
    """The principals that items name, without those of exceptions. `surely`: without items that have conditions."""
    found = dict.fromkeys(p for item in items or () if item.reads and not (surely and item.conditions) for p in item.principals)
    for item in exceptions or ():
        if item.reads and not item.conditions:
            for principal in item.principals:
                found.pop(principal, None)
    return found


def build_right_entry(dataset: Dataset, policies: Sequence[Policy], levels: Sequence[str]) -> Entry | None:
    """Who may read a table; None if no policy allows anyone to."""
    about = [(policy, columns) for policy in policies if (columns := _match_policy(policy, levels, dataset)) is not None]
    normal, override = _Decision(), _Decision()
    for policy, columns in about:
        if (policy.policy_type or ACCESS) == ACCESS:
            (override if policy.policy_priority == OVERRIDE else normal).add_policy(policy, columns)
    masks = _collect_masks(about)
    filtered = {
        principal for policy, _ in about if policy.policy_type == ROW_FILTER for principal in _collect(policy.row_filter_policy_items, ())
    }
    facts = _Builder(dataset, normal, override, masks, filtered).build()
    return Entry((RIGHTS, *dataset.key.parts), encode_facts(facts)) if facts.edges else None


def _match_policy(policy: Policy, levels: Sequence[str], dataset: Dataset) -> Columns | None:
    """The columns that the policy is about, by any of its resources."""
    found = [
        columns
        for resources in policy.all_resources
        if (columns := match_columns(resources, levels, dataset.parts, dataset.columns)) is not None
    ]
    if not found:
        return None
    return Columns(any(one.whole for one in found), frozenset[str]().union(*(one.names for one in found)))


def _collect_masks(about: Sequence[tuple[Policy, Columns]]) -> dict[str, dict[str, str]]:
    """Principal -> column -> the type of mask. Of several policies the first decides, as in Ranger."""
    found: dict[str, dict[str, str]] = {}
    for policy, columns in about:
        if policy.policy_type == MASKING:
            for item in policy.data_mask_policy_items or ():
                kind = (item.data_mask_info.data_mask_type if item.data_mask_info is not None else None) or "MASK"
                for principal in item.principals:
                    for column in columns.names:
                        found.setdefault(principal, {}).setdefault(column, kind)
    return {who: {column: kind for column, kind in kinds.items() if kind != "MASK_NONE"} for who, kinds in found.items()}


class _Builder:
    """The facts of one table."""

    def __init__(
        self, dataset: Dataset, normal: _Decision, override: _Decision, masks: dict[str, dict[str, str]], filtered: set[str]
    ) -> None:
        self._dataset = dataset
        self._normal = normal
        self._override = override
        self._masks = masks
        self._filtered = filtered

    def build(self) -> Facts:
        assets: list[AssetFact] = []
        edges: list[EdgeFact] = []
        for principal in sorted({*self._normal.allowed, *self._override.allowed}):
            found = list(self._build_edges(principal))
            edges += found
            if found and principal.startswith("role:"):
                assets.append(AssetFact(model.build_owner_key(principal), {"owner_type": "role", "title": principal[5:]}))
        return Facts(tuple(assets), tuple(edges))

    def _build_edges(self, principal: str) -> Iterator[EdgeFact]:
        owner, key = model.build_owner_key(principal), self._dataset.key
        columns = ("", *self._dataset.columns)
        allowed = {column: policy for column in columns if (policy := self._find_policy(principal, column))}
        masks = {**self._masks.get(PUBLIC, {}), **self._masks.get(principal, {})}
        whole = all(column in allowed for column in columns)
        if whole:
            yield EdgeFact(EdgeType.MAY_READ, owner, key, self._describe(principal, allowed[""]))
        for column in self._dataset.columns:
            if column in allowed and (not whole or column in masks):
                about = self._describe(principal, allowed[column])
                if column in masks:
                    about |= {"masked": True, "mask": masks[column]}
                yield EdgeFact(EdgeType.MAY_READ, owner, model.build_column_key(key, column), about)

    def _find_policy(self, principal: str, column: str) -> str:
        """The policy by which the principal may read the column; empty if it may not."""
        for decision in (self._override, self._normal):
            if decision.is_denied(principal, column):
                return ""
            if policy := decision.allowed.get(principal, {}).get(column):
                return policy
        return ""

    def _describe(self, principal: str, policy: str) -> dict[str, Json]:
        filtered = principal in self._filtered or PUBLIC in self._filtered
        everyone: dict[str, Json] = {FOR_MEMBERS: True} if principal == PUBLIC else {}
        return {"policy": policy, **({"row_filter": True} if filtered else {}), **everyone}

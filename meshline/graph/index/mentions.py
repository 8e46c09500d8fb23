"""Which scopes mention an asset, and which assets changed since an earlier call, by the heads that mention them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import (
    COLUMN,
    COVERED,
    DATASET,
    DEAD,
    GONE,
    I64,
    N_FACTS,
    N_FLOWS,
    N_NODES,
    N_RELATIONS,
    NONE,
    PAST,
    REPLACED,
    U8,
)
from meshline.graph.index.heads import FACTS, FLOWS, MENTIONS, RELATIONS
from meshline.graph.index.identity import Identity
from meshline.graph.index.index_tables import IndexTables, decode_mentions, list_positions
from meshline.graph.index.results import ChangedNodes, Flags, Ints
from meshline.graph.model import AssetKey

MOST_NODES = 2**31
NEVER = np.iinfo(np.int64).max  # the time of a statement that does not exist


class ShownRows(NamedTuple):
    """What counts for a viewer. `nodes`: bool, by node; `keep_relations`, `keep_flows`: of some rows, whether each counts (bool)."""

    nodes: Flags
    keep_relations: Callable[[Ints], Flags]
    keep_flows: Callable[[Ints], Flags]


def list_scopes(tables: IndexTables, node: int, shown: ShownRows | None = None) -> list[int]:
    """The scopes whose heads mention any member; a head that mentions a column mentions its dataset. `shown`: None: all counts."""
    members = tables.list_ring(node)
    if tables.nodes.kind[node] == DATASET:
        columns = tables.list_columns(node)
        members += [column for column in columns if not tables.nodes.traits[column] & GONE]
    heads: set[int] = set()
    for member in members if shown is None else [member for member in members if shown.nodes[member]]:
        relations = [*tables.list_relation_rows(member, NONE), *tables.list_relation_rows(member, NONE, incoming=True)]
        flows = [*tables.list_flow_rows(member), *tables.list_flow_rows(member, incoming=True)]
        if shown is not None:
            relations = _keep(relations, shown.keep_relations)
            flows = _keep(flows, shown.keep_flows)
        heads.update(tables.find_heads(tables.list_fact_rows(member), FACTS))
        heads.update(tables.find_heads(relations, RELATIONS))
        heads.update(tables.find_heads(flows, FLOWS))
    return np.sort(tables.heads.scope_id[list(heads)]).tolist() if heads else []


def _keep(rows: Sequence[int], keep: Callable[[Ints], Flags]) -> list[int]:
    kept: list[int] = np.array(rows, np.int32)[keep(np.array(rows, np.int32))].tolist()
    return kept


def has_other_flows(tables: IndexTables, without: Collection[int]) -> bool:
    """True if a scope other than these states flows."""
    return bool(len(_list_other_rows(tables, without)[0]))


def list_scopes_between(tables: IndexTables, pairs: Collection[int], without: Collection[int]) -> list[int]:
    """The scopes, but for these, that state flows between datasets or their columns.

    `pairs`: representatives of two datasets, the first times MOST_NODES, added.
    """
    rows, heads = _list_other_rows(tables, without)
    nodes, n = tables.nodes, int(tables.counts[N_NODES])
    dataset = np.where(nodes.kind[:n] == COLUMN, nodes.part1[:n], np.arange(n))
    dataset = nodes.rep[dataset].astype(np.int64)
    stated = dataset[tables.flows.start[rows]] * MOST_NODES + dataset[tables.flows.end[rows]]
    found = heads[np.isin(stated, np.fromiter(pairs, np.int64, len(pairs)))]
    return np.unique(tables.heads.scope_id[found]).tolist() if len(found) else []


def _list_other_rows(tables: IndexTables, without: Collection[int]) -> tuple[I64, I64]:
    """The rows of flows that other scopes than these state, and the head of each."""
    flows, heads = int(tables.counts[N_FLOWS]), tables.heads.n
    others = ~np.isin(tables.heads.scope_id[:heads], np.fromiter(without, np.int64, len(without)))
    of_rows = np.repeat(np.arange(heads), np.diff(tables.heads.starts[: heads + 1, FLOWS]))
    rows = np.flatnonzero((tables.flows.flags[:flows] & DEAD == 0) & others[of_rows])
    return rows, of_rows[rows]


def compute_last_observed(tables: IndexTables, shown: ShownRows | None = None) -> I64:
    """int64 array by representative: the newest `last_observed` (microseconds) of the heads in `list_scopes`; 0: no head mentions it."""
    return _fold_times(tables, tables.heads.last_observed, np.maximum, 0, shown)


def compute_first_stated(tables: IndexTables, shown: ShownRows | None = None) -> I64:
    """int64 array by representative: the earliest `valid_from` (microseconds) of the heads in `list_scopes`; NEVER: no head mentions it."""
    return _fold_times(tables, tables.heads.valid_from, np.minimum, NEVER, shown)


def _fold_times(tables: IndexTables, times: I64, fold: np.ufunc, missing: int, shown: ShownRows | None) -> I64:
    """By representative, the times of the heads that mention it, folded into one; a head that mentions a column mentions its dataset."""
    nodes, n = tables.nodes, int(tables.counts[N_NODES])
    facts, relations, flows = (int(tables.counts[count]) for count in (N_FACTS, N_RELATIONS, N_FLOWS))
    related, followed = tables.relations.type[:relations] >= 0, tables.flows.flags[:flows] & DEAD == 0
    if shown is not None:
        related &= shown.keep_relations(np.arange(relations, dtype=np.int32))
        followed &= shown.keep_flows(np.arange(flows, dtype=np.int32))
    own = np.full(n, missing, np.int64)
    for column, table, alive in (
        (tables.facts.node[:facts], FACTS, tables.facts.node[:facts] != NONE),
        (tables.relations.start[:relations], RELATIONS, related),
        (tables.relations.end[:relations], RELATIONS, related),
        (tables.flows.start[:flows], FLOWS, followed),
        (tables.flows.end[:flows], FLOWS, followed),
    ):
        of_rows = np.repeat(times[: tables.heads.n], np.diff(tables.heads.starts[: tables.heads.n + 1, table]))
        fold.at(own, column[alive], of_rows[alive])
    found = np.full(n, missing, np.int64)
    fold.at(found, nodes.rep[:n], own)
    columns = np.flatnonzero((nodes.kind[:n] == COLUMN) & (nodes.traits[:n] & GONE == 0))
    columns = columns if shown is None else columns[shown.nodes[columns]]
    fold.at(found, nodes.rep[nodes.part1[columns]], own[columns])
    return found


def list_fact_names(tables: IndexTables, node: int) -> dict[int, set[AssetKey]]:
    """The scopes whose heads state attributes of any member, each with the names that it uses."""
    found: dict[int, set[AssetKey]] = {}
    for member in tables.list_ring(node):
        for head in tables.find_heads(tables.list_fact_rows(member), FACTS):
            found.setdefault(int(tables.heads.scope_id[head]), set()).add(tables.get_key(member))
    return found


def list_mentioned(tables: IndexTables, head: int) -> Ints:
    """The nodes that a head mentions, also by hidden facts only."""
    return decode_mentions(tables.mentions.node[tables.heads.starts[head, MENTIONS] : tables.heads.starts[head + 1, MENTIONS]])


def collect_scopes_mentioning(tables: IndexTables, nodes: Sequence[int]) -> set[int]:
    """The scopes whose heads mention any of exactly these nodes, also by hidden facts only."""
    return {int(tables.heads.scope_id[head]) for head in tables.find_mentioning(nodes)} if nodes else set()


def list_names_stated(tables: IndexTables, namespaces: Collection[str], but: str) -> dict[str, dict[str, int]]:
    """By namespace the names of datasets that sources other than `but` mention now, each with its own node."""
    n, nodes = int(tables.counts[N_NODES]), tables.nodes
    own = np.bincount(tables.list_mentioned(tables.heads.list_alive([but])), minlength=n)
    stated = (nodes.kind[:n] == DATASET) & (nodes.traits[:n] & (GONE | PAST) == 0) & (nodes.live[:n] - own > 0)
    found: dict[str, dict[str, int]] = {}
    for namespace in namespaces:
        number = tables.find_name(namespace)
        of_namespace = np.flatnonzero(stated & (nodes.part1[:n] == number)) if number != NONE else np.empty(0, np.int32)
        found[namespace] = dict(zip(tables.read_texts(nodes.part2[of_namespace]), of_namespace.tolist(), strict=True))
    return found


def find_first_mentions(tables: IndexTables, keys: Collection[AssetKey], but: str) -> dict[AssetKey, int]:
    """Since when, at the latest, sources other than `but` mention datasets: the earliest beginning of a current statement on each."""
    heads, n = tables.heads, int(tables.counts[N_NODES])
    wanted = {node: key for key in keys if (node := tables.find_by_key(key)) != NONE}
    marked: Flags = np.zeros(n, np.bool_)
    marked[list(wanted)] = True
    others = np.flatnonzero(heads.alive[: heads.n])
    others = others[~np.isin(others, heads.list_alive([but]))]
    mentions = tables.mentions.node[tables.list_rows(others, MENTIONS)]
    of_head = np.repeat(others, heads.starts[others + 1, MENTIONS] - heads.starts[others, MENTIONS])
    hits = (mentions >= 0) & marked[np.maximum(mentions, 0)]
    since = np.full(n, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(since, mentions[hits], heads.valid_from[of_head[hits]])
    return {key: int(since[node]) for node, key in wanted.items() if since[node] < np.iinfo(np.int64).max}


class ChangedAssets:
    """Follows the heads: which assets do heads mention that came, went, or got another time.

    All knowledge of an asset comes from heads that mention it. The statements that join or separate identity classes are
    in heads that mention a member of each class as it is now, or the class is in `Identity.regrouped`. So a cache on assets
    must only forget the entries of these assets and of the representatives of their classes. There is one of these for each
    index: it empties `regrouped`.
    """

    def __init__(self, tables: IndexTables, identity: Identity) -> None:
        self._tables = tables
        self._identity = identity
        self._renumbered = -1
        self._alive: U8 = np.empty(0, np.uint8)
        self._observed_at: I64 = np.empty(0, np.int64)

    def find_changed(self) -> Ints | None:
        """The nodes of assets that may have changed since the last call: int32, sorted; None: any may have changed."""
        heads = self._tables.heads
        regrouped, self._identity.regrouped = self._identity.regrouped, set()
        known = len(self._alive)
        before, times = self._alive, self._observed_at
        self._alive, self._observed_at = heads.alive[: heads.n].copy(), heads.observed_at[: heads.n].copy()
        if self._renumbered != heads.renumbered:
            self._renumbered = heads.renumbered
            return None
        differs = (before != self._alive[:known]) | (times != self._observed_at[:known])
        changed = np.concatenate([np.flatnonzero(differs), np.arange(known, heads.n)])
        mentions = self._tables.mentions.node[self._tables.list_rows(changed, MENTIONS)]
        return np.unique(np.concatenate([decode_mentions(mentions), np.array(sorted(regrouped), np.int32)]))


class Trail:
    """What changed in the index between two calls. A call is a pass over arrays: a few milliseconds for a million columns."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._renumbered = tables.heads.renumbered
        self._remember()

    def find_changed(self) -> ChangedNodes | None:
        """What changed since the last call; None: anything may have changed."""
        tables, heads = self._tables, self._tables.heads
        if self._renumbered != heads.renumbered:
            self._renumbered = heads.renumbered
            self._remember()
            return None
        known = len(self._alive)
        came_or_went = np.concatenate(
            [np.flatnonzero(self._alive != heads.alive[:known]), np.arange(known, heads.n)]
        )  # a head that came and went since then mentions nothing that changed, which does no harm
        retimed = np.flatnonzero((self._alive == heads.alive[:known]) & (self._observed_at != heads.observed_at[:known]))
        mentioned, of_time = self._list_mentioned(came_or_went), self._list_mentioned(retimed)
        kinds = tables.nodes.kind[of_time]
        named = np.unique(np.concatenate([mentioned, of_time[(kinds != DATASET) & (kinds != COLUMN)]]))
        refollowed = np.flatnonzero((heads.alive[:known] != 0) & (self._refollowed != heads.refollowed[:known]))
        fed = np.concatenate(
            [
                self._list_flow_ends(came_or_went, passed_over=COVERED | REPLACED),
                self._list_flow_ends(refollowed),
                self._list_mentioned(self._find_tagging(came_or_went)),
                self._list_regrouped(),
            ]
        )
        self._remember()
        return ChangedNodes(named.astype(np.int32), np.unique(fed).astype(np.int32))

    def _remember(self) -> None:
        tables, n = self._tables, int(self._tables.counts[N_NODES])
        self._alive: U8 = tables.heads.alive[: tables.heads.n].copy()
        self._observed_at: I64 = tables.heads.observed_at[: tables.heads.n].copy()
        self._refollowed: I64 = tables.heads.refollowed[: tables.heads.n].copy()
        self._rep: Ints = tables.nodes.rep[:n].copy()
        self._seen: Flags = tables.nodes.live[:n] > 0

    def _list_mentioned(self, heads: I64) -> Ints:
        tables = self._tables
        return decode_mentions(tables.mentions.node[tables.list_rows(heads, MENTIONS)])

    def _list_flow_ends(self, heads: I64, *, passed_over: int = 0) -> Ints:
        """The nodes to which flows of these heads lead, except flows with any of these flags."""
        tables = self._tables
        rows = tables.list_rows(heads, FLOWS)
        ends: Ints = tables.flows.end[rows[tables.flows.flags[rows] & passed_over == 0]]
        return ends

    def _find_tagging(self, heads: I64) -> I64:
        """The heads among these that state tags."""
        tables = self._tables
        starts = tables.heads.starts
        begin, end = starts[heads, FACTS], starts[heads + 1, FACTS]
        tagged = tables.facts.tags[list_positions(begin, end)] != NONE
        of_head = np.repeat(np.arange(len(heads)), end - begin)
        found: I64 = heads[np.unique(of_head[tagged])]
        return found

    def _list_regrouped(self) -> Ints:
        """Nodes whose representative or visibility changed, with their former and current representatives."""
        nodes, known = self._tables.nodes, len(self._rep)
        n = int(self._tables.counts[N_NODES])
        moved = np.flatnonzero(self._rep != nodes.rep[:known])
        seen = np.flatnonzero(self._seen != (nodes.live[:known] > 0))
        new = np.arange(known, n)
        return np.concatenate([moved, self._rep[moved], nodes.rep[moved], seen, nodes.rep[seen], new, nodes.rep[new]])

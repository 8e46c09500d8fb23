"""The tables of the index and the work on them: read heads, withdraw them, fold, compact, number nodes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from meshline.errors import LimitExceeded, StoreCorrupt
from meshline.graph.index.arrays import (
    COLUMN,
    DATASET,
    DEAD,
    I64,
    MERGED,
    N_COUNTS,
    N_FACTS,
    N_FLOWS,
    N_FOLDS,
    N_KINDS,
    N_NAMED,
    N_NAMES,
    N_NODES,
    N_RELATIONS,
    N_SPECIAL,
    N_TEXT,
    NODES,
    NONE,
    ROWS,
    SALT,
    Csr,
    Facts,
    FlowKinds,
    Flows,
    Folds,
    Mentions,
    Names,
    Nodes,
    Overlay,
    Relations,
    allocate_group,
    extend_array,
    widen_group,
)
from meshline.graph.index.heads import FLOWS, MENTIONS, Heads
from meshline.graph.index.kernels import collect, decode, hash_tables, mutate
from meshline.graph.index.kernels.messagepack import Malformed
from meshline.graph.index.results import Ints
from meshline.graph.model import KINDS, AssetKey, AssetKind, compute_asset_id
from meshline.graph.store.head_table import HeadTable

_KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}

_LONG = 512  # bytes of a text that is first compared with the longest interned string
_LONG_RING = 32  # members of a class that are listed without a kernel
OVERLAY = 65_536  # flows outside the CSR arrays before they are folded in; or an eighth of all
GARBAGE = 131_072  # dead rows before tables are compacted; or a third of all
SPARE = 1.1  # room, in terms of the rows that a load is expected to bring
STRIDE = 4  # times the rows in use, at most: the first heads may be unlike the rest

_NUMBERED = {
    N_NODES: "assets, by all their names",
    N_NAMES: "texts of names",
    N_FOLDS: "names of columns with capital letters",
    N_KINDS: "kinds of flows",
    N_FLOWS: "flows",
    N_RELATIONS: "other edges",
    N_FACTS: "descriptions of assets",
    N_NAMED: "mentions of assets in statements",
}


class IndexTables:
    """The tables and the operations on them: it knows the layout of rows, not their meaning."""

    SAVED: ClassVar[Mapping[str, Any]] = {"folded": int, "dead_rows": int, "bytes_read": int}

    def __init__(self) -> None:
        self.names = allocate_group(Names, 64, slots=256, text=4096)
        self.nodes = allocate_group(Nodes, 64, slots=256)
        self.folds = allocate_group(Folds, 16, slots=64)
        self.kinds = allocate_group(FlowKinds, 16, slots=64)
        self.flows = allocate_group(Flows, 64)
        self.relations = allocate_group(Relations, 64)
        self.facts = allocate_group(Facts, 64)
        self.mentions = allocate_group(Mentions, 64)
        self.overlay = allocate_group(Overlay, 64)
        self.outgoing = _allocate_csr(0, 0)
        self.incoming = _allocate_csr(0, 0)
        self.folded = 0  # flows in the CSR arrays
        self.counts: I64 = np.zeros(N_COUNTS, np.int64)
        self.counts[SALT] = secrets.randbits(31)
        self.heads = Heads(int(self.counts[SALT]))
        self.dead_rows = 0
        self.bytes_read = 0
        self.share = 0.0  # the share of a load's heads that were read; 0: unknown
        self._local: Ints = np.empty(64, np.int32)
        self._longest = (0, 0)  # interned strings, and the bytes of the longest
        self._found: Ints = np.empty(256, np.int32)
        self._itself: Ints = np.empty(0, np.int32)
        self._supported: Ints = np.empty(0, np.int32)

    @property
    def bytes(self) -> int:
        """The memory of the tables in bytes, without Python objects."""
        groups = (
            self.names,
            self.nodes,
            self.folds,
            self.kinds,
            self.flows,
            self.relations,
            self.facts,
            self.mentions,
            self.overlay,
            self.outgoing,
            self.incoming,
        )
        return sum(array.nbytes for group in groups for array in group)

    @property
    def unused(self) -> int:
        """How many nodes no head mentions any more: they stay, because a former name may return."""
        return int(np.count_nonzero(self.nodes.live[: self.counts[N_NODES]] <= 0))

    # -- reading heads

    def check_room(self, size: int) -> None:
        """Raises LimitExceeded if contents of `size` bytes together may state more than the rows can be numbered (see `_reserve`)."""
        for table in _NUMBERED:
            self._check_rows(table, size)

    def _check_rows(self, table: int, more: int) -> None:
        most, used = NODES if table == N_NODES else ROWS, int(self.counts[table])
        if used + more > most:
            raise LimitExceeded(
                f"the graph has {used:,} {_NUMBERED[table]}, and with what is to be read now there may be more than {most:,}, which is the "
                "most that a server can number: retract what is not needed, or divide the graph among servers with stores of their own"
            )

    def read(self, heads: HeadTable) -> tuple[bytearray, I64]:
        """Read heads whose scopes have no head yet: (contents, special rows). Then `link` their flows.

        Special rows are int64 of shape (n, 5): see `arrays`. Raises StoreCorrupt if a content is malformed, LimitExceeded as `check_room`.
        """
        blobs = heads.blobs
        self.check_room(sum(map(len, blobs)))
        ends = np.cumsum([len(blob) for blob in blobs], dtype=np.int64)
        joined = bytearray().join([*blobs, bytes(decode.PADDING)])
        self.bytes_read += len(joined)
        buffer = np.frombuffer(joined, np.uint8)
        provisional = np.array(heads.provisional, np.uint8)
        first = self.heads.add(heads)
        specials = np.empty((64, 5), np.int64)
        self.counts[N_SPECIAL] = 0
        done = 0
        while done < len(blobs):
            specials = self._reserve(len(blobs[done]) + 1, specials)
            local_kinds = np.empty_like(self._local)
            try:
                done = decode.read_contents(
                    buffer, ends, provisional, done, first, self.heads.starts, self._local, local_kinds, self.names, self.nodes,
                    self.folds, self.kinds, self.flows, self.relations, self.facts, self.mentions, specials, self.counts,
                )  # fmt: skip
            except Malformed as error:
                raise StoreCorrupt("a statement's content cannot be read: restore the store from a backup") from error
        return joined, specials[: self.counts[N_SPECIAL]]

    def link(self, first: int) -> None:
        """Make the flows from row `first` on traversable."""
        n = int(self.counts[N_FLOWS])
        self.overlay = widen_group(self.overlay, first - self.folded, n - self.folded)
        mutate.link_flows(first, n, self.folded, self.flows, self.nodes, self.overlay)

    def withdraw(self, head: int) -> None:
        """Remove what a head stated."""
        self._bury(head)
        self.heads.remove(head)

    def reflag(self, head: int, clear: int, add: int) -> None:
        """Change the flags of a head's flows."""
        first, last = int(self.heads.starts[head, FLOWS]), int(self.heads.starts[head + 1, FLOWS])
        mutate.reflag_flows(first, last, self.folded, 255 - clear, add, self.flows, self.outgoing, self.incoming)

    def reflag_row(self, row: int, clear: int, add: int) -> None:
        """Change the flags of one flow."""
        mutate.reflag_flows(row, row + 1, self.folded, 255 - clear, add, self.flows, self.outgoing, self.incoming)

    def rewrite_head(self, head: int, mapping: dict[int, int]) -> int:
        """Rewrite the rows of a head with other nodes, by `mapping`; gives the new number of the head. Raises LimitExceeded."""
        begin, end = self.heads.starts[head].copy(), self.heads.starts[head + 1].copy()
        rows = (end - begin).tolist()
        for table, more in zip((N_FLOWS, N_RELATIONS, N_FACTS, N_NAMED), rows, strict=True):
            self._check_rows(table, more)
        self.flows = widen_group(self.flows, int(self.counts[N_FLOWS]), int(self.counts[N_FLOWS]) + rows[0])
        self.relations = widen_group(self.relations, int(self.counts[N_RELATIONS]), int(self.counts[N_RELATIONS]) + rows[1])
        self.facts = widen_group(self.facts, int(self.counts[N_FACTS]), int(self.counts[N_FACTS]) + rows[2])
        self.mentions = widen_group(self.mentions, int(self.counts[N_NAMED]), int(self.counts[N_NAMED]) + rows[3])
        target, supported = self._rewrite_tables()
        target[list(mapping)] = list(mapping.values())
        new = self.heads.copy(head)
        first = int(self.counts[N_FLOWS])
        mutate.rewrite_head(
            begin, end, new, self.heads.starts, target, supported, self.nodes, self.flows, self.relations, self.facts,
            self.mentions, self.counts,
        )  # fmt: skip
        mentions = self.mentions.node[self.heads.starts[new, MENTIONS] : self.heads.starts[new + 1, MENTIONS]]
        target[list(mapping)] = list(mapping)
        supported[decode_mentions(mentions)] = 0
        self.link(first)
        self._bury(head)
        return new

    def _rewrite_tables(self) -> tuple[Ints, Ints]:
        """(each node itself, zeros), with room for all nodes; `rewrite_head` restores them after use."""
        need = int(self.counts[N_NODES])
        if len(self._itself) < need:
            self._itself = np.arange(2 * need, dtype=np.int32)
            self._supported = np.zeros(2 * need, np.int32)
        return self._itself, self._supported

    def _bury(self, head: int) -> None:
        begin, end = self.heads.starts[head], self.heads.starts[head + 1]
        self.reflag(head, 0, DEAD)
        mutate.withdraw_head(
            begin, end, self.folded, self.nodes, self.flows, self.overlay, self.relations, self.facts, self.mentions, self.counts
        )
        self.dead_rows += int((end - begin).sum())

    def fold_if_due(self) -> bool:
        """Compact or fold the tables if that is due; whether rows were renumbered."""
        total = int(self.heads.starts[self.heads.n].sum())
        if self.dead_rows > max(GARBAGE, total // 3):
            self.compact()
            return True
        overlay = int(self.counts[N_FLOWS]) - self.folded
        if overlay > max(OVERLAY, self.folded // 8):
            self.fold()
        return False

    def fold(self) -> None:
        """Put all flows into CSR arrays."""
        n = int(self.counts[N_FLOWS])
        live = n - int(np.count_nonzero(self.flows.flags[:n] & DEAD))
        nodes = int(self.counts[N_NODES])
        self.outgoing, self.incoming = _allocate_csr(nodes, live), _allocate_csr(nodes, live)
        mutate.fold_overlay(self.flows, self.nodes, self.outgoing, self.incoming, self.counts)
        self.folded = n
        self.overlay = allocate_group(Overlay, 64)

    def compact(self) -> None:
        """Drop the rows of dead heads."""
        heads = self.heads
        kept = mutate.compact_heads(
            heads.alive, heads.n, heads.starts, self.nodes, self.flows, self.relations, self.facts, self.mentions, self.counts
        )
        heads.compact(kept)
        self.dead_rows = 0
        self.fold()

    def _reserve(self, size: int, specials: I64) -> I64:
        """Make room for a content of `size` bytes (`kernels.decode` checks for the same), or for all heads that are expected, if known."""
        n = self.counts

        def measure_room(table: int, width: int = 1) -> tuple[int, int, int]:
            """(rows in use, rows needed, rows expected)."""
            used, more = int(n[table]), width * size + 1
            expected = min(used / self.share * SPARE, STRIDE * used) if self.share else 0
            return used, used + more, int(expected) + more

        self.names = widen_group(self.names, *measure_room(N_NAMES))
        self.names = self.names._replace(text=extend_array(self.names.text, *measure_room(N_TEXT, 2)))
        self.nodes = widen_group(self.nodes, *measure_room(N_NODES))
        self.folds = widen_group(self.folds, *measure_room(N_FOLDS))
        self.kinds = widen_group(self.kinds, *measure_room(N_KINDS))
        self.flows = widen_group(self.flows, *measure_room(N_FLOWS))
        self.relations = widen_group(self.relations, *measure_room(N_RELATIONS))
        self.facts = widen_group(self.facts, *measure_room(N_FACTS))
        self.mentions = widen_group(self.mentions, *measure_room(N_NAMED))
        self._local = extend_array(self._local, 0, size + 1)
        for table in (N_NAMES, N_NODES, N_FOLDS, N_KINDS):
            _, need, expected = measure_room(table)
            self._reserve_slots(table, 2 * need, 2 * expected)
        if len(specials) < n[N_SPECIAL] + size + 1:
            larger = np.empty((max(int(n[N_SPECIAL]) + size + 1, 2 * len(specials)), 5), np.int64)
            larger[: n[N_SPECIAL]] = specials[: n[N_SPECIAL]]
            return larger
        return specials

    def _reserve_slots(self, table: int, need: int, expected: int = 0) -> None:
        known = {N_NAMES: self.names.slots, N_NODES: self.nodes.slots, N_FOLDS: self.folds.slots, N_KINDS: self.kinds.slots}[table]
        if len(known) >= need:
            return
        slots = np.zeros(1 << max(need, expected).bit_length(), np.int32)
        if table == N_NAMES:
            self.names = self.names._replace(slots=slots)
        elif table == N_NODES:
            self.nodes = self.nodes._replace(slots=slots)
        elif table == N_FOLDS:
            self.folds = self.folds._replace(slots=slots)
        else:
            self.kinds = self.kinds._replace(slots=slots)
        hash_tables.fill_slots(table, self.names, self.nodes, self.folds, self.kinds, self.counts)

    # -- names and nodes

    def get_text(self, name: int) -> str:
        begin = int(self.names.end[name - 1]) if name > 0 else 0
        try:
            return self.names.text[begin : self.names.end[name]].tobytes().decode()
        except UnicodeDecodeError as error:
            raise StoreCorrupt(f"a name in a statement cannot be read ({error}): restore the store from a backup") from error

    def read_texts(self, names: Ints) -> list[str]:
        """Interned strings by their numbers."""
        ends, begins = self.names.end[names], np.where(names > 0, self.names.end[names - 1], 0)
        text = self.names.text.data
        return [str(text[begin:end], "utf-8", "replace") for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]

    def _measure_longest(self) -> int:
        """The bytes of the longest interned string."""
        n = int(self.counts[N_NAMES])
        if self._longest[0] != n:
            self._longest = n, int(np.diff(self.names.end[:n], prepend=0).max(initial=0))
        return self._longest[1]

    def find_name(self, text: str) -> int:
        """The number of an interned string, or NONE."""
        raw = np.frombuffer(bytearray(text.encode() + b"\0"), np.uint8)[:-1]
        if len(raw) > _LONG and len(raw) > self._measure_longest():
            return NONE
        return hash_tables.find_name(raw, self.names, self.counts)

    def find_node(self, kind: int, part1: int, part2: int) -> int:
        """The known node of a key in numbers, or NONE."""
        return hash_tables.find_node(kind, part1, part2, self.nodes)

    def find_by_key(self, key: AssetKey) -> int:
        """The known node of exactly this key, or NONE."""
        numbers = [self.find_name(part) for part in key.parts]
        if NONE in numbers:
            return NONE
        if key.kind is AssetKind.COLUMN:
            dataset = self.find_node(DATASET, numbers[0], numbers[1])
            return NONE if dataset == NONE else self.find_node(COLUMN, dataset, numbers[2])
        return self.find_node(_KIND_CODE[key.kind], numbers[0], numbers[1] if len(numbers) > 1 else NONE)

    def get_parts(self, node: int) -> tuple[str, ...]:
        """The parts of a node's own key."""
        first, second = int(self.nodes.part1[node]), int(self.nodes.part2[node])
        if self.nodes.kind[node] == COLUMN:
            return (*self.get_parts(first), self.get_text(second))
        return (self.get_text(first),) if second == NONE else (self.get_text(first), self.get_text(second))

    def get_label(self, node: int) -> tuple[str, ...]:
        """The parts of the first visible member of a class by name: an order that does not depend on the order of loading."""
        if not self.nodes.traits[node] & MERGED:
            return self.get_parts(node)
        members = self.list_ring(node)
        return min(self.get_parts(member) for member in [m for m in members if self.nodes.live[m] > 0] or members)

    def get_key(self, node: int) -> AssetKey:
        return AssetKey(KINDS[self.nodes.kind[node]], self.get_parts(node))

    def get_id(self, node: int) -> str:
        return compute_asset_id(KINDS[self.nodes.kind[node]], self.get_parts(node))

    def list_ring(self, node: int) -> list[int]:
        """All members of a node's identity class."""
        members = [node]
        member = int(self.nodes.ring[node])
        while member != node:
            if len(members) == _LONG_RING:
                return self._collect_rows(lambda found: collect.list_members(node, self.nodes.ring, found))
            members.append(member)
            member = int(self.nodes.ring[member])
        return members

    def make_node(self, kind: int, part1: int, part2: int, *, past: bool = False) -> int:
        """The node of a key in numbers, created if it is new. `past`: always a new node, which no key finds. Raises LimitExceeded."""
        self._check_rows(N_NODES, 1)
        n = int(self.counts[N_NODES])
        self.nodes = widen_group(self.nodes, n, n + 1)
        self.folds = widen_group(self.folds, int(self.counts[N_FOLDS]), int(self.counts[N_FOLDS]) + 1)
        self._reserve_slots(N_NODES, 2 * n + 3)
        self._reserve_slots(N_FOLDS, 2 * int(self.counts[N_FOLDS]) + 3)
        return mutate.build_node(kind, part1, part2, int(past), self.names, self.nodes, self.folds, self.counts)

    # -- rows by node

    def list_relation_rows(self, node: int, type_: int, *, incoming: bool = False) -> list[int]:
        """The visible relations of a type (NONE: all) that begin or end at exactly this node."""
        return self._collect_rows(lambda found: collect.list_relations(node, type_, int(incoming), self.nodes, self.relations, found))

    def list_relation_rows_at(self, nodes: Collection[int], type_: int) -> list[int]:
        """The visible relations of a type that begin or end at any of exactly these nodes: those that do both twice."""
        wanted = np.array([*nodes], np.int32)
        return self._collect_rows(lambda found: collect.list_relations_at(wanted, type_, self.nodes, self.relations, found))

    def list_fact_rows(self, node: int) -> list[int]:
        return self._collect_rows(lambda found: collect.list_facts(node, self.nodes, self.facts, found))

    def list_flow_rows(self, node: int, *, incoming: bool = False) -> list[int]:
        return self._collect_rows(
            lambda found: collect.list_flows(
                node, int(incoming), self.outgoing, self.incoming, self.nodes, self.overlay, self.flows, self.folded, found
            )
        )

    def list_children(self, *datasets: int) -> list[int]:
        """The columns of exactly these datasets, of each in the order in which they were first mentioned."""
        wanted = np.array(datasets, np.int32)
        return self._collect_rows(lambda found: collect.list_columns(wanted, self.nodes, found))

    def list_columns(self, dataset: int) -> list[int]:
        """The columns of all members of a dataset's class."""
        return self.list_children(*self.list_ring(dataset))

    def collect_members(self, nodes: Ints) -> Ints:
        """These nodes and all other members of their classes, sorted."""
        merged = nodes[self.nodes.traits[nodes] & MERGED != 0]
        others = [other for node in merged.tolist() for other in self.list_ring(node)]
        return np.unique(np.concatenate([nodes, np.array(others, np.int32)])).astype(np.int32)

    def list_rows(self, heads: Ints | I64, table: int) -> I64:
        """The rows of heads in a table (see `heads`), head by head."""
        return list_positions(self.heads.starts[heads, table], self.heads.starts[heads + 1, table])

    def list_mentioned(self, heads: Ints | I64) -> Ints:
        """The nodes that heads mention visibly, head by head; see `mutate.recast`."""
        mentions = self.mentions.node[self.list_rows(heads, MENTIONS)]
        return mentions[mentions >= 0]

    def find_mentioning(self, nodes: Sequence[int]) -> set[int]:
        """The heads that mention any of exactly these nodes, also by facts that are hidden."""
        wanted, heads = np.array(nodes, np.int32), self.heads
        return set(
            self._collect_rows(
                lambda found: collect.list_mentioning(
                    wanted, MENTIONS, heads.n, heads.starts, heads.alive, self.nodes, self.mentions, found
                )
            )
        )

    def find_heads(self, rows: Sequence[int], table: int) -> list[int]:
        """The heads of rows of a table: FLOWS, RELATIONS, FACTS or MENTIONS of `heads`."""
        found: list[int] = self.heads.find_of_rows(np.array(rows, np.int64), table).tolist()
        return found

    def _collect_rows(self, fill: Callable[[Ints], int]) -> list[int]:
        n = fill(self._found)
        if n > len(self._found):
            self._found = np.empty(2 * n, np.int32)
            fill(self._found)
        found: list[int] = self._found[:n].tolist()
        return found


def list_positions(begin: I64, end: I64) -> I64:
    """All of begin[0]..end[0], then all of begin[1]..end[1], and so on."""
    lengths = end - begin
    offsets = np.cumsum(lengths) - lengths
    rows: I64 = np.arange(int(lengths.sum())) + np.repeat(begin - offsets, lengths)
    return rows


def decode_mentions(mentions: Ints) -> Ints:
    """The nodes of mentions, also of those that no visible row supports (`mutate.recast`)."""
    return np.where(mentions >= 0, mentions, -2 - mentions)


def _allocate_csr(nodes: int, flows: int) -> Csr:
    return Csr(np.zeros(nodes + 1, np.int32), np.empty(flows, np.int32), np.empty(flows, np.uint8), np.empty(flows, np.int32))


class NodeSlots:
    """A number for each node: int32, all NONE except while a caller uses it."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._array: Ints = np.empty(0, np.int32)

    @property
    def array(self) -> Ints:
        """Indexed by node; the caller restores NONE after use."""
        n = int(self._tables.counts[N_NODES])
        if len(self._array) < n:
            self._array = np.full(max(n, 2 * len(self._array)), NONE, np.int32)
        return self._array

    def number_distinct(self, nodes: Ints) -> tuple[Ints, Ints]:
        """(the distinct nodes in the order of first occurrence, for each node its place among these): both int32."""
        found, number = np.empty(len(nodes), np.int32), np.empty(len(nodes), np.int32)
        n = collect.number_nodes(nodes, self.array, found, number)
        return found[:n].copy(), number

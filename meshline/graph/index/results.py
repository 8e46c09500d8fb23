"""The values that the index answers with: small frozen values, and arrays where there may be many."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import NONE
from meshline.graph.index.kernels import score
from meshline.graph.model import EdgeType, FlowType, Json, Scope
from meshline.graph.word_forms import Meaning, WordPlace

Ints: TypeAlias = npt.NDArray[np.int32]
Longs: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.int8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Digests: TypeAlias = npt.NDArray[np.void]


class Reach(enum.IntEnum):
    """The class of a lineage answer (design: Reach). A smaller one is stronger."""

    DIRECT = 0
    INDIRECT = 1
    POSSIBLE = 2


class Prepared(enum.Enum):
    """Which names that count have vectors. NOT_YET: many have none. IN_PART: those for which there is room."""

    NOT_YET = "NOT_YET"
    IN_PART = "IN_PART"
    ALL = "ALL"


class Direction(enum.StrEnum):
    DOWNSTREAM = "DOWNSTREAM"
    UPSTREAM = "UPSTREAM"


class Truncated(enum.StrEnum):
    """The limit that cut an answer short."""

    NONE = "NONE"
    NODES = "NODES"
    DEPTH = "DEPTH"
    TIME = "TIME"


class KnownLater(NamedTuple):
    """Relations of a type that no source of a kind stated at the requested time, and one states now; `since`: when it was first stated."""

    type: EdgeType
    source_kind: str  # mesh, contract, openlineage, ...
    since: int  # microseconds


@dataclass(slots=True)
class View:
    """Which state of the store an index shows. One for each index: its facets share it."""

    revision: int
    as_of: int | None  # microseconds; None: now
    known_later: tuple[KnownLater, ...] = ()


class HiddenCount(NamedTuple):
    """How many assets of an answer the viewer may not see. `domain`: theirs, if he may see that one; None: of all others together."""

    domain: int | None
    assets: int


class Completeness(NamedTuple):
    """What an answer may lack (design: Completeness)."""

    truncated: Truncated
    possible_only: int  # distinct pairs of datasets that were passed at dataset level
    undescribed: int  # datasets of the answer (and of the start) whose columns no source lists
    stale_edges: int  # flows followed that the job's latest run did not restate
    provisional: int  # flows followed of runs that have not completed
    unbound: int  # assets asked about that lead to no column or dataset: a contract that governs none, an owner that owns none, ...
    silent_on_filters: int  # jobs that read (upstream: write) a dataset of the answer, and whose producer states no filters or joins
    silent_producers: tuple[str, ...]  # the producers of those: AIRFLOW, DBT
    as_of: int | None
    revision: int
    known_later: tuple[KnownLater, ...] = ()
    hidden: tuple[HiddenCount, ...] = ()  # of a restricted index (`meshline.graph.index.restricted_index`)


class HeadTimes(NamedTuple):
    """Times of statements (microseconds) that are not provisional, by scope: they were observed last at `observed_at`."""

    scope_ids: Longs
    observed_at: Longs
    valid_from: Longs
    versions: Sequence[str]


class StatedScope(NamedTuple):
    """The current statement on a scope: the digest of its content, and when it was observed (microseconds)."""

    digest: bytes
    observed_at: int
    scope_id: int


class Label(NamedTuple):
    """The id of an asset and its shown qualified name."""

    id: str
    name: str


class Edge(NamedTuple):
    """One edge other than FLOWS_TO, as one scope states it. The ends are representatives."""

    type: EdgeType
    start: int
    end: int
    attributes: Mapping[str, Json]
    scope_id: int


class EdgeTable(NamedTuple):
    """The edges of one type as int32 arrays of equal length: one row for each scope that states one. The ends are representatives.

    `attribute_number`: the number of an edge's attributes (`OwnershipFacet.get_attributes`), or -1.
    """

    start: Ints
    end: Ints
    attribute_number: Ints


class Ownership(NamedTuple):
    """`owner` owns an asset by owning `level`: the asset itself, the contract that governs it, or the nearest container
    that has owners (or a contract with owners).
    """

    owner: int
    type: str
    level: int
    source: str
    scope_id: int


class Passage(NamedTuple):
    """A way between two drawn nodes, by their places in the drawing. `reach`: the strongest there is. `hidden`: the fewest hidden assets
    on a way of that reach.
    """

    start: int
    end: int
    reach: Reach
    hidden: int


class FlowStep(NamedTuple):
    """One FLOWS_TO edge, from `start` to `end` in the direction in which data flows.

    `reach` is the class of this edge alone; `type` is None for Dataset -> Dataset. In a path the end
    of a step and the start of the next differ where the path goes on by containment (a dataset
    reached as a whole, then one of its columns; or a column, then its dataset).

    In a restricted index a step may represent several that lead through `hidden` assets, which the viewer may not see: its reach is
    the weakest of theirs, and nothing else is known of it (`scope_id` is -1).
    """

    start: int
    end: int
    reach: Reach
    type: FlowType | None
    subtype: str
    masking: bool
    job: int | None
    scope_id: int
    hidden: int = 0


class FlowTable(NamedTuple):
    """Flows as arrays of equal length: one row for each time that a head states a flow. Ends are representatives."""

    start: Ints
    end: Ints
    reach: Bytes  # int8, a `Reach`
    masking: Flags
    job: Ints  # or -1
    subtype: Ints  # the number of its text: `LineageFacet.get_text`
    covered: Flags  # a pair of datasets whose columns are known, so that it is not followed
    stale: Flags  # the latest run of its job did not confirm it
    provisional: Flags  # from a run that has not completed
    number: Longs  # the number of the flow: `LineageFacet.find_flow_scopes`

    def filter(self, chosen: Flags) -> FlowTable:
        """The chosen rows."""
        return FlowTable(*(column[chosen] for column in self))  # type: ignore[arg-type]  # each as it was


class ScopeInfo(NamedTuple):
    """The head of a scope with the digest of its content; times in microseconds. `stale`: the job's latest run stated other outputs."""

    scope_id: int
    source: str
    scope: Scope
    observed_at: int
    valid_from: int
    last_observed: int
    provisional: bool
    stale: bool
    digest: bytes


class Affected(NamedTuple):
    """All assets that a traversal affects, as arrays of equal length (int32, int8, int32, bool): the reached columns and datasets,
    the datasets, products and domains that contain them, and the consumers, contracts and jobs that depend on them.
    """

    nodes: Ints
    reach: Bytes
    distance: Ints
    masked: Flags


class ChangedNodes(NamedTuple):
    """What differs from an earlier call: own nodes, int32, sorted.

    `named`: the assets that heads mention which came or went; of heads that only got another time, the assets other than
    datasets and columns. `fed`: the columns (and datasets, for all their columns) into which other flows lead, that have other
    tags, that became visible or hidden, or that represent other names.
    """

    named: Ints
    fed: Ints


class Undo(NamedTuple):
    """The former labels of nodes: two int32 arrays of equal length."""

    nodes: Ints
    labels: Ints


class WordMatch(NamedTuple):
    """Why an asset was found: which word of it means a word of the question, how, and where it is."""

    word: str
    found: str
    meaning: Meaning
    place: WordPlace


RANKS = score.RANKS  # between the orders of two ranks


class Hits(NamedTuple):
    """Assets that a question finds, as arrays of equal length, in no order; an asset once for each of its names that fits."""

    nodes: Longs  # representatives
    rows: Longs  # the own node of the name that fits
    orders: Ints  # not negative, the best first: rank x RANKS + what is missing of the score

    @classmethod
    def build_equal(cls, nodes: Longs) -> Hits:
        """Assets that fit equally well."""
        return cls(nodes, nodes, np.zeros(len(nodes), np.int32))

    def keep(self, kept: Flags) -> Hits:
        return Hits(self.nodes[kept], self.rows[kept], self.orders[kept])

    def keep_best(self, most: int) -> Hits:
        """The best of them, of equal ones those that came first."""
        best = list_best(self.rows, self.orders, most)
        return Hits(self.nodes[best], self.rows[best], self.orders[best])

    def keep_distinct(self) -> Hits:
        """Each asset once, by the own node that fits best."""
        places = np.lexsort((self.rows, self.orders, self.nodes))
        first = np.diff(self.nodes[places], prepend=-1) != 0
        kept = np.zeros(len(self.nodes), np.bool_)
        kept[places[first]] = True
        return self.keep(kept)


@dataclass(frozen=True, slots=True)
class RankedRows:
    """All that a question finds, as arrays of equal length, in no order: much more than any caller asks for."""

    rows: Ints  # own nodes
    orders: Ints  # as those of `Hits`
    rep: Ints  # by node, not of these rows: its representative

    def keep(self, kept: Flags) -> RankedRows:
        return RankedRows(self.rows[kept], self.orders[kept], self.rep)

    def keep_best(self, most: int) -> Hits:
        """The best of them, of equal ones those that came first."""
        best = list_best(self.rows, self.orders, most)
        rows = self.rows[best]
        return Hits(self.rep[rows].astype(np.int64), rows.astype(np.int64), self.orders[best])


def list_best(rows: Ints | Longs, orders: Ints, most: int) -> Ints | Longs:
    """The places of the `most` least orders in the order of the rows; of equal ones those of the least rows."""
    if len(orders) <= most:
        return np.argsort(rows)
    found, equal = np.empty(most, np.int32), np.empty(score.BLOCK, np.int32)
    counts, blocks = np.zeros(int(orders.max()) + 1, np.int32), np.zeros(int(rows.max()) // score.BLOCK + 1, np.int32)
    n = score.list_best(rows.astype(np.int32, copy=False), orders, most, counts, blocks, found, equal)
    equal = equal[equal != NONE]
    found[n:] = equal[np.argsort(rows[equal])[: most - n]]
    return found[np.argsort(rows[found])]

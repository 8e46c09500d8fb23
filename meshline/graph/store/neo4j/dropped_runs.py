"""Which runs were dropped, by the digest of each: many in one node, since a node of their own and its entries in indexes take 120 bytes.

The nodes :DroppedRuns part the digests into ranges: each has those after the `last` of the node before up to its own `last`, in order, with
the day on which each was dropped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping

from meshline.graph.store.neo4j.connection import Transaction, read_rows, run_in_chunks
from meshline.graph.store.neo4j.cypher import get_cypher
from meshline.graph.store.neo4j.records import lock_counters

RUNS = 128  # in one node at most
MOVED_AT_ONCE = 1_000  # runs of schema 5


def add_dropped_runs(tx: Transaction, days: Mapping[int, int]) -> None:
    """Record that runs were dropped. `days`: since 1970, by digest. Call it under the lock."""
    if not days:
        return
    found = read_rows(tx, get_cypher("nodes_of_dropped_runs"), digests=list(days))
    known = {last: dict(zip(digests, kept, strict=True)) for last, digests, kept in found}
    lasts = sorted(known)
    added: defaultdict[int | None, dict[int, int]] = defaultdict(dict)  # by the last digest of the node to which they belong
    for digest, day in days.items():
        place = min(bisect_left(lasts, digest), len(lasts) - 1)  # after all others: to the last one
        added[lasts[place] if lasts else None][digest] = day
    rows = [row for last, new in added.items() for row in _build_rows({**(known[last] if last is not None else {}), **new}, last)]
    run_in_chunks(tx, get_cypher("delete_dropped_runs"), [last for last in added if last is not None])
    run_in_chunks(tx, get_cypher("add_dropped_runs"), rows)


def _build_rows(days: Mapping[int, int], last: int | None) -> Iterator[dict[str, object]]:
    """The nodes of a range that ends at `last`, of about equal size."""
    digests = sorted(days)
    nodes = -(-len(digests) // RUNS)
    for number in range(nodes):
        part = digests[number * len(digests) // nodes : (number + 1) * len(digests) // nodes]
        end = max(part[-1], last or 0) if number == nodes - 1 else part[-1]
        yield {"last": end, "digests": part, "days": [days[digest] for digest in part]}


def move_dropped_runs(tx: Transaction) -> int:
    """Move some runs of schema 5, which had a node each; how many these were."""
    lock_counters(tx)
    moved = read_rows(tx, get_cypher("take_dropped_runs"), limit=MOVED_AT_ONCE)
    add_dropped_runs(tx, dict(moved))
    return len(moved)

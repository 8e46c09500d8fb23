"""Packed times (see `meshline.graph.store.packed_times`) as nodes :PackedTimes: read, written, and restored as statements.

What is removed of statements, and the blocks that have their times, may become visible one after the other: who reads both does so under
the lock of the store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

from meshline.graph.model import JOB_OUTPUT, Observation, parse_run_id
from meshline.graph.store.integrity import Check, Findings
from meshline.graph.store.neo4j.connection import ROWS, Address, Connection, Transaction, read_rows, run_in_chunks, run_query
from meshline.graph.store.neo4j.cypher import get_cypher
from meshline.graph.store.neo4j.records import lock_counters
from meshline.graph.store.neo4j.search_names import compute_digest
from meshline.graph.store.packed_times import (
    BEGINNING,
    BLOCK,
    Block,
    OldObservation,
    Packer,
    Plan,
    Position,
    SettledVersion,
    Stretch,
    build_packed_version,
    find_newest_times,
    list_block_problems,
    merge_times,
)

SCOPES = 5_000  # looked at at once
CHECKED_AT_ONCE = 500  # scopes
OLD_ROWS = 2_000  # statements of one step: some hundred milliseconds


def _read_blocks(tx: Transaction, name: str, asked: Iterable[Sequence[object]]) -> list[Block[str]]:
    """The blocks that a query finds for these rows, each once."""
    rows = [list(row) for row in asked]
    found = (row for at in range(0, len(rows), ROWS) for row in read_rows(tx, get_cypher(name), rows=rows[at : at + ROWS]))
    return list({(scope, provisional, last): Block(scope, provisional, last, *rest) for scope, provisional, last, *rest in found}.values())


def read_newest_times(tx: Transaction, asked: Iterable[tuple[int, int]], at: int) -> dict[tuple[int, int], int]:
    """The newest packed time up to a time, by scope and `provisional`. Call it under the lock."""
    return find_newest_times(_read_blocks(tx, "blocks_about", ((scope, provisional, at) for scope, provisional in asked)), at)


class Restored(NamedTuple):
    """What late statements of a scope do to its packed times. `known`: those of them that are packed already; `rows`: the statements in
    the blocks about the others, which become statements again.
    """

    known: frozenset[Observation]
    rows: frozenset[Observation]
    blocks: Sequence[Block[str]]


def restore_late(tx: Transaction, late: Mapping[int, Collection[Observation]]) -> dict[int, Restored]:
    """`late`: statements to write, by scope, that may be older than packed times."""
    asked = {
        (scope, provisional, o.observed_at)
        for scope, stated in late.items()
        for o in stated
        for provisional in {int(o.provisional), 1}  # what is settled ends what is provisional
    }
    by_scope: defaultdict[int, list[Block[str]]] = defaultdict(list)
    for block in _read_blocks(tx, "blocks_about", asked) if asked else ():
        by_scope[block.scope].append(block)
    return {scope: _restore_scope(late[scope], blocks) for scope, blocks in by_scope.items()}


def _restore_scope(late: Collection[Observation], blocks: Sequence[Block[str]]) -> Restored:
    times = {block: frozenset(block.decode()) for block in blocks}
    known = frozenset(o for o in late if any(_has_packed(block, times[block], o) for block in blocks))
    others = [o for o in late if o not in known]
    about = [block for block in blocks if any(_is_about(block, blocks, o) for o in others)]
    rows = frozenset(
        Observation(at, bytes.fromhex(block.content), build_packed_version(at), bool(block.provisional))
        for block in about
        for at in times[block]
    )
    return Restored(known, rows, about)


def _has_packed(block: Block[str], times: Collection[int], o: Observation) -> bool:
    ends = o.provisional and o.until is not None
    return not ends and block.provisional == o.provisional and block.content == o.digest.hex() and o.observed_at in times


def _is_about(block: Block[str], blocks: Sequence[Block[str]], o: Observation) -> bool:
    """True if the time of an observation is in a block, or next to it, and the block is of a kind that it ends or parts."""
    if block.provisional not in {int(o.provisional), 1}:
        return False
    beside = [other.last for other in blocks if other.provisional == block.provisional]
    after = min((last for last in beside if last >= o.observed_at), default=None)
    before = max((last for last in beside if last < o.observed_at), default=None)
    return block.last in (after, before)


def build_block_rows(blocks: Iterable[Block[str]]) -> list[dict[str, object]]:
    return [dict(zip(("scope", "provisional", "last", "first", "digest", "times"), block, strict=True)) for block in blocks]


class JobOutputs:
    """The scopes with the lineage of jobs' outputs: read once, and then followed, since scopes are only added."""

    def __init__(self) -> None:
        self._jobs: dict[int, tuple[str, str]] = {}
        self._scopes: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._last = 0

    def follow(self, tx: Transaction) -> bool:
        """Read the next new scopes; False if there are no more. Call it under the lock."""
        last, rows = run_query(tx, get_cypher("scopes_of_kind"), kind=JOB_OUTPUT, after=self._last, limit=SCOPES)
        for number, *job in rows:
            if number not in self._jobs:  # a transaction may run again
                self._jobs[number] = (job[0], job[1])
                self._scopes[self._jobs[number]].append(number)
        self._last = self._last if last is None else last
        return last is not None

    def list_beside(self, scope: int) -> list[int]:
        """All scopes of the job of which this is an output; none if it is none."""
        job = self._jobs.get(scope)
        return [] if job is None else self._scopes[job]


class Lookup:
    """See `PackingLookup`. A content is known by its digest (hexadecimal), a version by its text. `nodes`: the ids of what was listed."""

    def __init__(self, tx: Transaction, outputs: JobOutputs) -> None:
        self._tx = tx
        self._outputs = outputs
        self.nodes: defaultdict[OldObservation[str], list[str]] = defaultdict(list)

    def list_old(self, position: Position, before: int, limit: int) -> list[OldObservation[str]]:
        found: list[OldObservation[str]] = []
        after = position.scope - 1
        while len(found) < limit and (scopes := self._list_scopes(after, limit - len(found))):
            asked = [[scope, position.since if scope == position.scope else BEGINNING] for scope in scopes]
            for number, at, digest, version, provisional, until, node in read_rows(
                self._tx, get_cypher("old_statements"), scopes=asked, before=before, limit=limit
            ):
                lasts = 0 if until is None or not provisional else (until - at if until > at else -1)
                row = OldObservation(number, at, digest, version, int(provisional), lasts)
                self.nodes[row].append(node)
                found.append(row)
            after = scopes[-1]
        return sorted(found)[:limit]

    def _list_scopes(self, after: int, limit: int) -> list[int]:
        """The next scopes with several statements, until these are as many as the limit."""
        scopes: list[int] = []
        total = 0
        for scope, statements in read_rows(self._tx, get_cypher("repeated_scopes"), after=after, limit=SCOPES):
            if scopes and total + statements > limit:
                break
            scopes.append(scope)
            total += statements
        return scopes

    def find_final(self, versions: Collection[str]) -> list[str]:
        runs = {version: compute_digest(run) for version in versions if (run := parse_run_id(version))}
        stored = set(run_query(self._tx, get_cypher("stored_run_ids"), ids=list(set(runs.values())))[0]) if runs else ()
        return [version for version in versions if version not in runs or runs[version] not in stored]

    def list_outputs(self, scope: int) -> list[int]:
        return self._outputs.list_beside(scope)

    def list_settled_versions(self, scopes: Sequence[int]) -> Iterator[SettledVersion[str]]:
        for scope, at, _, version, provisional, _ in read_rows(self._tx, get_cypher("statements_of_scopes"), ids=list(scopes)):
            if not provisional:
                yield SettledVersion(scope, at, version, version)


def pack(tx: Transaction, packer: Packer[str], outputs: JobOutputs, position: Position) -> tuple[int, Position | None]:
    """Pack one step: how many statements it packed, and where the next one begins."""
    lock_counters(tx)
    while outputs.follow(tx):
        pass
    lookup = Lookup(tx, outputs)
    step = packer.plan(lookup, position)
    _put_times(tx, step.plans)
    run_in_chunks(tx, get_cypher("delete_nodes"), [node for plan in step.plans for row in set(plan.removed) for node in lookup.nodes[row]])
    run_in_chunks(tx, get_cypher("count_packed"), [{"id": plan.scope, "packed": len(plan.removed)} for plan in step.plans])
    return step.size, step.after


def _put_times(tx: Transaction, plans: Sequence[Plan[str]]) -> None:
    """Pack the times of all stretches, each together with the blocks in or just before it."""
    stretches = [(plan.scope, stretch) for plan in plans for stretch in plan.packed]
    if not stretches:
        return
    spans = [(scope, provisional, times[0], times[-1]) for scope, (provisional, _, times) in stretches]
    near: defaultdict[tuple[int, int], dict[int, Block[str]]] = defaultdict(dict)
    for name in ("blocks_about", "blocks_within"):
        for block in _read_blocks(tx, name, spans):
            near[block[:2]][block.last] = block
    before = _find_blocks_before(tx, stretches, near)
    gone: list[Block[str]] = []
    new: list[Block[str]] = []
    for number, (scope, stretch) in enumerate(stretches):
        known = near[scope, stretch.provisional]
        merged = [
            known.pop(last)
            for last, block in [*known.items()]
            if block.content == stretch.content
            and (last == before.get(number) or (last >= stretch.times[0] and block.first <= stretch.times[-1]))
        ]
        gone += merged
        new += merge_times(scope, stretch, merged)
    run_in_chunks(tx, get_cypher("delete_blocks"), build_block_rows(gone))
    run_in_chunks(tx, get_cypher("add_blocks"), build_block_rows(new))


def _find_blocks_before(
    tx: Transaction, stretches: Sequence[tuple[int, Stretch[str]]], near: Mapping[tuple[int, int], Mapping[int, Block[str]]]
) -> dict[int, int]:
    """The last time of the block before each stretch, by the number of the stretch, if it has room and nothing else is between them:
    another stretch between them would have a row that states something else.
    """
    found: dict[int, Block[str]] = {}
    for number, (scope, stretch) in enumerate(stretches):
        known = near.get((scope, stretch.provisional), {})
        last = max((last for last in known if last < stretch.times[0]), default=None)
        if last is not None and known[last].content == stretch.content and known[last].size < BLOCK:
            found[number] = known[last]
    asked = [
        [block.scope, block.last, stretches[number][1].times[0], block.provisional > 0, block.content] for number, block in found.items()
    ]
    parted = run_query(tx, get_cypher("parted_spans"), rows=asked)[0] if asked else ()
    return {number: block.last for (number, block), others in zip(found.items(), parted, strict=True) if not others}


def check_packed_times(url: str) -> Check:
    """Check all packed times of a database. Safe while other processes write, which wait for each page."""
    found = Findings("packed times: they can be read, ascend, and lie between equal statements")
    after: int | None = 0
    with closing(Connection(Address.parse(url))) as connection:
        while after is not None:
            after = connection.read_locked(partial(_check_page, after=after, found=found))
    return found.build_check()


def _check_page(tx: Transaction, after: int, found: Findings) -> int | None:
    """Check the blocks of some scopes; the last of them, None: there are no more."""
    last, scopes = run_query(tx, get_cypher("blocks_of_scopes"), after=after, limit=CHECKED_AT_ONCE)
    blocks = [Block[str](*row) for of_scope in scopes for row in sorted(of_scope)]
    spans = [[block.scope, block.first - 1, block.last + 1, block.provisional > 0, block.content] for block in blocks]
    parted = run_query(tx, get_cypher("parted_spans"), rows=spans)[0] if spans else ()
    problems: list[str] = []
    before: Block[str] | None = None
    for block, others in zip(blocks, parted, strict=True):
        problems += list_block_problems(block, before)
        if others:
            problems.append(f"scope {block.scope}: another content was stated between packed times")
        before = block
    found.count += len(blocks)  # a transaction that fails runs again from its begin
    for problem in problems:
        found.add_problem(problem)
    return last if last is None else int(last)

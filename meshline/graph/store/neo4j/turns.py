"""The scopes that a batch moves: what is taken away, what is added, what they say afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from meshline.graph.content import EMPTY
from meshline.graph.model import Interval, Observation, Scope
from meshline.graph.store.base import Batch
from meshline.graph.store.neo4j.connection import Transaction, rows
from meshline.graph.store.neo4j.cypher import cypher
from meshline.graph.store.neo4j.folding import ScopeState, last_stretch, newest_stretch, observation, stretch_of
from meshline.graph.store.neo4j.names import digest
from meshline.graph.store.neo4j.reading import observations

ScopeName: TypeAlias = tuple[str, Scope]


class Turn(NamedTuple):
    """A scope whose statements change: what is taken away, what is added, the open stretch after."""

    state: ScopeState
    is_new: bool
    removed: frozenset[Observation]
    added: frozenset[Observation]
    after: Interval | None

    @property
    def moved(self) -> bool:
        """Whether what the scope says now is another head than before."""
        before, after = said_by(self.state.stretch), said_by(self.after)
        return before != after

    @property
    def said_before(self) -> bytes | None:
        return spoken(self.state.stretch)

    @property
    def said_after(self) -> bytes | None:
        return spoken(self.after)


def spoken(stretch: Interval | None) -> bytes | None:
    """The digest of what a scope says, None if nothing."""
    return None if stretch is None or stretch.observation.digest == EMPTY.digest else stretch.observation.digest


def said_by(stretch: Interval | None) -> Interval | None:
    """The stretch as it is seen: all that say nothing are alike."""
    return None if spoken(stretch) is None else stretch


def turns_of(tx: Transaction, batch: Batch, last_scope: int) -> tuple[list[Turn], int]:
    """The scopes whose statements change, and the highest number of a scope afterwards."""
    withdrawn: defaultdict[ScopeName, set[str]] = defaultdict(set)
    for withdrawal in batch.withdrawals:
        withdrawn[withdrawal.source, withdrawal.scope].add(withdrawal.version)
    stated: defaultdict[ScopeName, set[Observation]] = defaultdict(set)
    for s in batch.statements:
        stated[s.source, s.scope].add(Observation(s.observed_at, s.content.digest, s.version, s.provisional, s.until))
    states = _states(tx, [*stated, *(name for name in withdrawn if name not in stated)])
    known = _known(tx, states, withdrawn, stated)
    turns = []
    for name in {**stated, **withdrawn}:
        is_new = name not in states
        if is_new:
            if name not in stated:
                continue
            last_scope += 1
            states[name] = ScopeState(last_scope, *name, None, 0)
        state = states[name]
        there = known.get(state.number, set())
        gone = {o for o in there if o.version in withdrawn[name]}
        removed, added = frozenset(gone - stated[name]), frozenset(stated[name] - there)
        if removed or added:
            turns.append(Turn(state, is_new, removed, added, None))
    return _folded(tx, turns), last_scope


def _states(tx: Transaction, names: list[ScopeName]) -> dict[ScopeName, ScopeState]:
    """The known ones of these scopes."""
    by_key = {scope_key(name): name for name in names}
    found: dict[ScopeName, ScopeState] = {}
    if by_key:
        for key, number, *stretch, count in rows(tx, cypher("scopes_by_key"), keys=list(by_key)):
            found[by_key[key]] = ScopeState(number, *by_key[key], stretch_of(stretch), count)
    return found


def _known(
    tx: Transaction,
    states: Mapping[ScopeName, ScopeState],
    withdrawn: Mapping[ScopeName, set[str]],
    stated: Mapping[ScopeName, set[Observation]],
) -> dict[int, set[Observation]]:
    """The kept observations that the batch may meet: all of a withdrawn version, and those of a stated version and time."""
    versions, times = [], []
    for name, state in states.items():
        of_scope = withdrawn.get(name, set())
        versions += [version_key(state.number, version) for version in of_scope]
        times += [
            {"key": version_key(state.number, o.version), "at": o.observed_at} for o in stated.get(name, ()) if o.version not in of_scope
        ]
    found: defaultdict[int, set[Observation]] = defaultdict(set)
    if versions:
        for row in rows(tx, cypher("statements_of_versions"), keys=versions):
            found[row[0]].add(observation(row[1:]))
    if times:
        for row in rows(tx, cypher("statements_at"), rows=times):
            found[row[0]].add(observation(row[1:]))
    return found


def _folded(tx: Transaction, turns: Iterable[Turn]) -> list[Turn]:
    """With the stretch after; the other statements of a scope are read only if it depends on them."""
    folded: list[Turn] = []
    open_: list[Turn] = []
    for turn in turns:
        known, after = newest_stretch(turn.state.stretch, turn.removed, turn.added)
        if known:
            folded.append(turn._replace(after=after))
        else:
            open_.append(turn)
    kept = observations(tx, {turn.state.number: turn.state.statements for turn in open_})
    return folded + [turn._replace(after=last_stretch((kept.get(turn.state.number, set()) - turn.removed) | turn.added)) for turn in open_]


def scope_key(name: ScopeName) -> str:
    return digest(name[0], *name[1])


def version_key(number: int, version: str) -> str:
    return f"{number}/{digest(version)}"

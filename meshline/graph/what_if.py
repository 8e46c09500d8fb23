"""Hypothetical graphs: the live graph with some statements supposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, NoReturn, cast

from meshline.graph.content import EMPTY
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Content, Scope
from meshline.graph.store.base import Batch, Head, RunReader, Store


class SupposedStatement(NamedTuple):
    """What a source would state about a scope. Content without facts: the scope would become empty."""

    source: str
    scope: Scope
    content: Content


@contextmanager
def suppose_statements(live: LiveGraph, statements: Sequence[SupposedStatement], now: int) -> Iterator[LiveGraph]:
    """In this block, the graph in which these statements are active since `now` (microseconds), with all others as they are.

    It answers whatever the live graph answers, and accepts no commits. The block runs under the live graph's lock and
    uses its index, which is restored afterwards in any case.
    """
    with live.lock:
        heads = _build_heads(live, statements, now)
        before = {head.scope_id: head for head in live.store.read_heads([head.scope_id for head in heads])}
        try:
            live.index.changes.suppose(heads)
            would = LiveGraph(cast("Store", _SupposedStore(live.store, heads)), live.index, live.precedence)
            would.lock = live.lock  # and the caller's deadline
            yield would
        finally:
            _put_back(live, [before.get(head.scope_id, head._replace(content=None)) for head in heads])


def _build_heads(live: LiveGraph, statements: Sequence[SupposedStatement], now: int) -> list[Head]:
    unused = live.index.changes.find_unused_scope_id()
    heads: list[Head] = []
    for source, by_scope in _group_by_source(statements).items():
        active = live.index.changes.list_statements(source)
        for scope, content in by_scope.items():
            known = active.get(scope)
            if known is not None and known.digest == content.digest:
                continue
            time = now if known is None else max(now, known.observed_at + 1)
            scope_id = unused if known is None else known.scope_id
            unused += known is None
            stated = None if content.digest == EMPTY.digest else content
            heads.append(Head(scope_id, source, scope, time, time, time, "", provisional=False, content=stated))
    return heads


def _group_by_source(statements: Sequence[SupposedStatement]) -> dict[str, dict[Scope, Content]]:
    """By source and scope; of several statements about a scope the last counts."""
    found: dict[str, dict[Scope, Content]] = {}
    for statement in statements:
        found.setdefault(statement.source, {})[statement.scope] = statement.content
    return found


def _put_back(live: LiveGraph, heads: Sequence[Head]) -> None:
    try:
        live.index.changes.suppose(heads)
    except BaseException:  # it may be restored only in part: load it again
        live.reload()
        raise


class _SupposedStore:
    """A store that answers with supposed heads, and accepts no commits."""

    def __init__(self, store: Store, heads: Sequence[Head]) -> None:
        self._store = store
        self._supposed = {head.scope_id: head for head in heads}

    def read_heads(self, scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        if as_of is not None:
            return self._store.read_heads(scope_ids, as_of)
        kept = self._store.read_heads([id_ for id_ in scope_ids if id_ not in self._supposed])
        supposed = (self._supposed[id_] for id_ in dict.fromkeys(scope_ids) if id_ in self._supposed)
        return [*kept, *(head for head in supposed if head.content is not None)]

    def commit(self, build: Callable[[RunReader], Batch]) -> NoReturn:
        raise AssertionError(f"{build} would write supposed statements")

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

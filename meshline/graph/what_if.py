"""The graph as it would be: what if these sources said this now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, NoReturn, cast

from meshline.graph.content import EMPTY
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Content, Scope
from meshline.graph.store.base import Batch, Head, RunReader, Store


class Saying(NamedTuple):
    """What a source would say about a scope. Content without facts: it would say nothing any more."""

    source: str
    scope: Scope
    content: Content


@contextmanager
def supposed(live: LiveGraph, sayings: Sequence[Saying], now: int) -> Iterator[LiveGraph]:
    """The graph in which these sources say this since `now` (microseconds), and all else is as it is.

    It can be asked what the live graph can be asked, and takes no commits. The live graph's lock is held meanwhile, and its
    index is lent: it is as before afterwards, whatever happens.
    """
    with live.lock:
        heads = _heads(live, sayings, now)
        before = {head.scope_id: head for head in live.store.read_heads([head.scope_id for head in heads])}
        try:
            live.index.changes.suppose(heads)
            would = LiveGraph(cast("Store", _Supposed(live.store, heads)), live.index, live.precedence)
            would.lock = live.lock  # and the deadline of who holds it
            yield would
        finally:
            _put_back(live, [before.get(head.scope_id, head._replace(content=None)) for head in heads])


def _heads(live: LiveGraph, sayings: Sequence[Saying], now: int) -> list[Head]:
    unused = live.index.changes.find_unused_scope_id()
    heads: list[Head] = []
    for source, by_scope in _by_source(sayings).items():
        said = live.index.changes.list_statements(source)
        for scope, content in by_scope.items():
            known = said.get(scope)
            if known is not None and known.digest == content.digest:
                continue
            time = now if known is None else max(now, known.observed_at + 1)
            scope_id = unused if known is None else known.scope_id
            unused += known is None
            says = None if content.digest == EMPTY.digest else content
            heads.append(Head(scope_id, source, scope, time, time, time, "", provisional=False, content=says))
    return heads


def _by_source(sayings: Sequence[Saying]) -> dict[str, dict[Scope, Content]]:
    """The last of what is said about a scope counts."""
    found: dict[str, dict[Scope, Content]] = {}
    for saying in sayings:
        found.setdefault(saying.source, {})[saying.scope] = saying.content
    return found


def _put_back(live: LiveGraph, heads: Sequence[Head]) -> None:
    try:
        live.index.changes.suppose(heads)
    except BaseException:  # half of it may be put back: better read it all again
        live.reload()
        raise


class _Supposed:
    """A store that answers with supposed heads, and takes nothing."""

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
        raise AssertionError(f"{build} would write what is only supposed")

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

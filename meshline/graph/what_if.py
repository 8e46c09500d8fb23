"""Hypothetical graphs: the live graph with some statements supposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import filterfalse
from typing import NamedTuple, NoReturn, cast

from meshline.graph.content import EMPTY, decode_facts, encode_facts
from meshline.graph.index import LineageIndex
from meshline.graph.index.results import StatedScope
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, Content, EdgeFact, Facts, Flow, Scope
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
        before = {head.scope_id: head for head in live.read_heads(live.index, [head.scope_id for head in heads])}
        try:
            live.index.changes.suppose(heads)
            would = LiveGraph(cast("Store", _SupposedStore(live.store, heads)), live.index, live.precedence)
            would.lock = live.lock  # and the caller's deadline
            yield would
        finally:
            _put_back(live, [before.get(head.scope_id, head._replace(content=None)) for head in heads])


def restrict_statements(live: LiveGraph, statements: Sequence[SupposedStatement]) -> list[SupposedStatement]:
    """The statements of a change with all that they state of assets that the caller may not read, or that are new, as it is stated now.

    `live`: the graph as the caller sees it. What would follow from a change of such an asset depends on whether there is a hidden one of
    that name; so it follows neither from that, nor from a new one. Under the graph's lock.
    """
    index, stated = live.index, dict[str, Mapping[Scope, StatedScope]]()
    for source in {one.source for one in statements}:
        stated[source] = index.whole.changes.list_statements(source)
    known = [stated[one.source].get(one.scope) for one in statements]
    heads = live.read_heads(index.whole, [one.scope_id for one in known if one is not None])
    contents = {head.scope_id: head.content for head in heads}
    found = []
    for one, scope in zip(statements, known, strict=True):
        now = None if scope is None else contents.get(scope.scope_id)
        found.append(one._replace(content=_join_contents(index, one.content, now)))
    return found


def _join_contents(index: LineageIndex, proposed: Content, now: Content | None) -> Content:
    """What is proposed of assets that may be read, and what is stated now of all others."""
    after, before = (Facts() if content is None else decode_facts(content.blob) for content in (proposed, now))
    may_read: dict[AssetKey, bool] = {}

    def is_readable(key: AssetKey) -> bool:
        if key not in may_read:
            node = index.assets.find_by_key(key)
            may_read[key] = node is not None and index.may_read(node)
        return may_read[key]

    def keep(one: AssetFact | EdgeFact | Flow) -> bool:
        ends = (one.key,) if isinstance(one, AssetFact) else (one.start, one.end)
        return all(map(is_readable, ends))

    return encode_facts(
        Facts(
            (*filter(keep, after.assets), *filterfalse(keep, before.assets)),
            (*filter(keep, after.edges), *filterfalse(keep, before.edges)),
            (*filter(keep, after.flows), *filterfalse(keep, before.flows)),
        )
    )


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

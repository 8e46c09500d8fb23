"""Builders of statements and heads, and readers of the graph of a store: shared by the tests of stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.model import AssetFact, Content, Facts, Scope, Statement, build_dataset_key
from meshline.graph.store.base import Batch, Changes, Head, Store, Withdrawal

SOURCE = "openlineage/test"


def build_content(what: str) -> Content:
    """Content with `what` as the value of an attribute; the empty string gives a tombstone."""
    return encode_facts(Facts(assets=(AssetFact(build_dataset_key("ns", "d"), {"value": what}),))) if what else EMPTY


def build_statement(
    what: str,
    at: int,
    *,
    scope: str | Scope = "s",
    source: str = SOURCE,
    version: str = "",
    provisional: bool = False,
    until: int | None = None,
) -> Statement:
    return Statement(source, (scope,) if isinstance(scope, str) else scope, at, build_content(what), version, provisional, until)


def build_withdrawal(version: str, *, scope: str | Scope = "s", source: str = SOURCE) -> Withdrawal:
    return Withdrawal(source, (scope,) if isinstance(scope, str) else scope, version)


def commit_statements(store: Store, *statements: Statement, withdrawals: Iterable[Withdrawal] = ()) -> Changes:
    batch = Batch(withdrawals=tuple(withdrawals), statements=statements)
    return store.commit(lambda _: batch)


class HeadSummary(NamedTuple):
    """A head without the store's number of its scope."""

    digest: bytes
    observed_at: int
    valid_from: int
    last_observed: int
    version: str
    provisional: bool


HeadSummaries = dict[tuple[str, Scope], HeadSummary]


def summarize_heads(heads: Iterable[Head]) -> HeadSummaries:
    """The heads with content, by source and scope."""
    result: HeadSummaries = {}
    for head in heads:
        if head.content is not None:
            assert (head.source, head.scope) not in result, "a scope has one head"
            result[head.source, head.scope] = HeadSummary(
                head.content.digest, head.observed_at, head.valid_from, head.last_observed, head.version, head.provisional
            )
    return result


def list_heads(store: Store, as_of: int | None = None) -> list[Head]:
    return [head for batch in store.iterate_heads(as_of) for head in batch]


def read_graph(store: Store, as_of: int | None = None) -> HeadSummaries:
    """The graph of a store by source and scope, now or as of a time."""
    return summarize_heads(list_heads(store, as_of))


def read_past_graph(store: Store, as_of: int, known: Iterable[Head], revision: int) -> HeadSummaries:
    """The graph of a store as of a time, by the contents of the heads of a revision, as far as they have not changed."""
    contents = {head.scope_id: head for head in known}
    found: list[Head] = []
    with store.open_past(as_of) as past:
        for part in past.iterate_times(revision):
            assert [*part.scope_ids] == sorted(part.scope_ids)
            for number, observed_at, valid_from, version in zip(*part[:4], strict=True):
                head = contents[number]._replace(version=version, provisional=False)
                found.append(head._replace(observed_at=observed_at, valid_from=valid_from, last_observed=observed_at))
            found += past.read_heads(part.others)
    return summarize_heads(found)


def find_head(store: Store, scope: str | Scope = "s", source: str = SOURCE, as_of: int | None = None) -> HeadSummary | None:
    return read_graph(store, as_of).get((source, (scope,) if isinstance(scope, str) else scope))


def build_head(
    what: str, at: int, *, since: int | None = None, last: int | None = None, version: str = "", provisional: bool = False
) -> HeadSummary:
    """The summary that `find_head` gives; `since` and `last` default to `at`."""
    return HeadSummary(build_content(what).digest, at, at if since is None else since, at if last is None else last, version, provisional)


def get_scope_id(store: Store, scope: str | Scope = "s", source: str = SOURCE) -> int:
    """The store's number of a scope that has or had a head."""
    wanted = (source, (scope,) if isinstance(scope, str) else scope)
    return next(head.scope_id for head in store.read_changes(0).heads if (head.source, head.scope) == wanted)


def list_intervals(store: Store, scope: str | Scope = "s") -> list[tuple[str, int, int | None, int]]:
    """The history of a scope as (what, valid from, valid to, last observed), for contents made here."""
    number = get_scope_id(store, scope)
    by_digest = {build_content(what).digest: what for what in ["", *"ABCDEFGH"]}
    return [
        (by_digest[kept.digest], interval.valid_from, interval.valid_to, interval.last_observed)
        for interval, kept in store.read_history([number])[number]
    ]

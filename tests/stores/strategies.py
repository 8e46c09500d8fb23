"""Hypothesis strategies for statements and batches: small alphabets, so that collisions happen."""

from __future__ import annotations

from hypothesis import strategies as st

from meshline.graph.content import encode_facts
from meshline.graph.model import (
    AssetFact,
    Content,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    Scope,
    Statement,
    build_column_key,
    build_dataset_key,
    build_job_key,
    build_owner_key,
)
from meshline.graph.store.base import Batch, RawEvent, Record, Run, RunKey, RunPair, Withdrawal

TIMES = range(6)
ORDERS, PAYMENTS = build_dataset_key("ns", "orders"), build_dataset_key("ns", "payments")
CONTENTS: tuple[Content, ...] = tuple(
    encode_facts(facts)
    for facts in (
        Facts(),
        Facts(assets=(AssetFact(ORDERS, {"description": "red green"}),)),
        Facts(assets=(AssetFact(ORDERS, {"description": "green blue"}), AssetFact(PAYMENTS, {"title": "red"}))),
        Facts(
            edges=(
                EdgeFact(EdgeType.HAS_COLUMN, ORDERS, build_column_key(ORDERS, "redCode"), {"position": 1}),
                EdgeFact(EdgeType.OWNS, build_owner_key("blue"), ORDERS),
                EdgeFact(EdgeType.MAY_READ, build_owner_key("green"), ORDERS, {"grant": "blue"}),
            )
        ),
        Facts(
            flows=(
                Flow(ORDERS, PAYMENTS, job=build_job_key("ns", "green")),
                Flow(build_column_key(ORDERS, "id"), build_column_key(PAYMENTS, "id"), masking=True),
            )
        ),
    )
)
WORDS = ("red", "green", "blue", "orders", "id", "code")

terms = st.sampled_from((*WORDS, *(word[:2] for word in WORDS)))
times = st.sampled_from(TIMES)
sources = st.sampled_from(("openlineage/a", "dbt/b"))
versions = st.sampled_from(("", "r1", "r2"))
contents = st.sampled_from(CONTENTS)
SCOPES: tuple[Scope, ...] = (("k", "a"), ("k", "a", ""))
scopes = st.sampled_from(SCOPES)


@st.composite
def draw_statements(draw: st.DrawFn) -> Statement:
    observed_at = draw(times)
    provisional = draw(st.booleans())
    until = observed_at + draw(st.integers(0, 4)) if provisional and draw(st.booleans()) else None
    return Statement(draw(sources), draw(scopes), observed_at, draw(contents), draw(versions), provisional, until)


@st.composite
def draw_rebatched(draw: st.DrawFn, stated: list[Statement]) -> list[list[Statement]]:
    """The same statements in another order, some of them repeated, in batches of any size."""
    repeated = draw(st.lists(st.sampled_from(stated), max_size=4))
    order = draw(st.permutations(stated + repeated))
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=4)))
    return [list(order[start:end]) for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]


withdrawals = st.builds(Withdrawal, sources, scopes, versions)

run_keys = st.builds(
    RunKey, sources, st.sampled_from((build_job_key("ns", "load"), build_job_key("ns", "other"))), st.sampled_from(("r1", "r2"))
)
parents = st.sampled_from(("", "p", "q"))
run_datasets = st.sampled_from(((), (ORDERS,), (ORDERS, PAYMENTS)))
DIGESTS = (b"1" * 16, b"2" * 16)


@st.composite
def draw_runs_and_pairs(draw: st.DrawFn) -> tuple[list[Run], list[RunPair]]:
    """Some runs, each once, and their pairs."""
    runs = [
        Run(key, draw(parents), draw(st.sampled_from((b"", b"x"))), draw(times), draw(run_datasets), draw(run_datasets))
        for key in draw(st.lists(run_keys, max_size=2, unique=True))
    ]
    covered = st.dictionaries(st.sampled_from(DIGESTS), st.booleans(), max_size=2)
    return runs, [RunPair(run.parent, pair, run.key, value) for run in runs for pair, value in draw(covered).items()]


records = st.builds(Record, st.sampled_from(("audit", "notice")), st.sampled_from(("", "a", "b")), times, st.sampled_from((b"1", b"2")))
raw_events = st.builds(
    RawEvent, sources, times, st.sampled_from((b"{}", b'{"a": 1}')), st.one_of(st.none(), times), st.sampled_from(("START", "FAIL"))
).map(lambda event: event if event.at is not None else event._replace(type=""))
event_counts = st.dictionaries(st.tuples(times, st.sampled_from(("START", "FAIL"))), st.integers(1, 3), max_size=2)


@st.composite
def draw_batches(draw: st.DrawFn) -> Batch:
    runs, pairs = draw(draw_runs_and_pairs())
    return Batch(
        draw(st.lists(withdrawals, max_size=2)),
        draw(st.lists(draw_statements(), max_size=5)),
        runs,
        pairs,
        draw(st.lists(raw_events, max_size=2)),
        journal=draw(st.lists(records, max_size=3)),
        event_counts=draw(event_counts),
    )

"""All benchmarks, in the order in which they run and are shown. A new one is one file and one line here."""

from __future__ import annotations

from benchmarks import (
    access,
    capacity,
    check,
    churn,
    concurrency,
    dbt,
    explorer,
    fan_in,
    history,
    http_ingest,
    iceberg,
    impact,
    increments,
    ingest,
    loading,
    memory,
    neo4j_ingest,
    neo4j_loading,
    neo4j_serving,
    neo4j_traversal,
    past,
    policies,
    queries,
    runs,
    search,
    startup,
    traversal,
    views,
)
from benchmarks.figures import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        ingest.BENCHMARK,
        http_ingest.BENCHMARK,
        concurrency.BENCHMARK,
        iceberg.BENCHMARK,
        dbt.BENCHMARK,
        traversal.BENCHMARK,
        impact.BENCHMARK,
        access.BENCHMARK,
        check.BENCHMARK,
        queries.BENCHMARK,
        runs.BENCHMARK,
        search.BENCHMARK,
        loading.BENCHMARK,
        memory.BENCHMARK,
        capacity.BENCHMARK,
        increments.BENCHMARK,
        churn.BENCHMARK,
        history.BENCHMARK,
        past.BENCHMARK,
        policies.BENCHMARK,
        startup.BENCHMARK,
        explorer.BENCHMARK,
        views.BENCHMARK,
        neo4j_traversal.BENCHMARK,
        neo4j_loading.BENCHMARK,
        neo4j_ingest.BENCHMARK,
        neo4j_serving.BENCHMARK,
        fan_in.BENCHMARK,
    )
}

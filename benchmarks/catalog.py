"""All benchmarks, in the order in which they run and are shown. A new one is one file and one line here."""

from __future__ import annotations

from benchmarks import impact, ingest, loading, memory, traversal
from benchmarks.figures import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        ingest.BENCHMARK,
        traversal.BENCHMARK,
        impact.BENCHMARK,
        loading.BENCHMARK,
        memory.BENCHMARK,
    )
}

"""Benchmarks: each result is a ratio against a reference in the same run. Run by scripts/bench."""

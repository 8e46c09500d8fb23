"""How large a run is."""

from __future__ import annotations

import enum

from benchmarks.generate import Shape


class Size(enum.StrEnum):
    TINY = "tiny"  # for the tests: does it run at all?
    QUICK = "quick"  # all benchmarks in a few minutes
    FULL = "full"  # what docs/benchmarks.md shows


# The meshes of a run, the smallest first; the largest of a full one has 1,000,000 columns and about 5,000,000 edges.
SHAPES = {
    Size.TINY: (Shape(500), Shape(1_000)),
    Size.QUICK: (Shape(10_000), Shape(30_000)),
    Size.FULL: (Shape(10_000), Shape(100_000), Shape(1_000_000, edges_per_column=6.8)),
}
LARGEST = Shape(10_000_000, edges_per_column=6.8)  # of those benchmarks of a full run that go beyond

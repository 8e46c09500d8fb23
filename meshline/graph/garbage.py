"""How a process that holds a large graph collects garbage."""

from __future__ import annotations

import gc

# Objects allocated and not freed before the youngest generation is looked at, and how often the older ones
# are. By Python's own thresholds a commit of a hundred new events, which makes tens of thousands of values
# without cycles, was interrupted some fifty times, and a quarter of its time went into looking them through.
THRESHOLDS = (100_000, 20, 100)
USUAL = gc.get_threshold()


def collect_seldom() -> None:
    """For a process that stays up, once its graph is loaded: what is there now is looked through no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def collect_as_usual() -> None:
    """The graph is let go of."""
    gc.unfreeze()
    gc.set_threshold(*USUAL)

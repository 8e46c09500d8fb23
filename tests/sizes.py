"""How much the tests try: in every run what fits into twenty minutes, in `scripts/test --all` all of it."""

from __future__ import annotations

import os

ALL = bool(os.environ.get("MESHLINE_TEST_ALL"))  # set by `scripts/test --all`
MORE_EXAMPLES = 5
FEWER_EXAMPLES = 2


def choose_size(usual: int, full: int) -> int:
    """`full` in a run with `--all`, else `usual`."""
    return full if ALL else usual


def count_examples(usual: int) -> int:
    """For Hypothesis: half of them, other ones in each run; five times as many in a run with `--all`."""
    return choose_size(max(1, usual // FEWER_EXAMPLES), MORE_EXAMPLES * usual)

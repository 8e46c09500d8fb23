"""Ranges of rows as rows."""

from __future__ import annotations

import numpy as np

from meshline.graph.index.tables import I64


def rows_of(begin: I64, end: I64) -> I64:
    """All of begin[0]..end[0], then all of begin[1]..end[1], and so on."""
    lengths = end - begin
    offsets = np.cumsum(lengths) - lengths
    rows: I64 = np.arange(int(lengths.sum())) + np.repeat(begin - offsets, lengths)
    return rows

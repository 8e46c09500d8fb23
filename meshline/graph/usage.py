"""Who read what, in the graph: the attributes that carry it, and the scopes that state it.

A reader is a consumer. What it read is a CONSUMES edge to the column, or to the dataset where the columns are not known, with these
attributes; a use that a person states has none of them. Times are in microseconds.
"""

from __future__ import annotations

READS = "reads"  # of a CONSUMES edge: how often
DATASET_READS = "dataset_reads"  # of a CONSUMES edge to a column: how often the reader read the dataset, with whichever columns
FIRST_READ, LAST_READ = "first_read", "last_read"  # of a CONSUMES edge

WINDOWS = "usage_windows"  # of a dataset: [{from, to, columns}], in which all of its readers are known; `columns`: and what they read

USAGE = "usage"  # scope (USAGE, dataset ns, dataset name, month as YYYY-MM): the reads of one month
USAGE_WINDOW = "usage-window"  # scope (USAGE_WINDOW, dataset ns, dataset name)

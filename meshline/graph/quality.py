"""How checks are kept in the graph: the attributes of datasets and columns, and the scopes that say them."""

from __future__ import annotations

import enum

RESULTS = "quality"  # attribute of a dataset or column: {name of a check: its last result}
EXPECTATIONS = "expectations"  # attribute of a dataset or column: {name of a check: what it expects}, whether it was run or not

QUALITY = "quality"  # scope (QUALITY, suite, dataset ns, dataset name): the last run of a suite on a dataset
JOB_QUALITY = "job-quality"  # scope (JOB_QUALITY, job ns, job name, dataset ns, dataset name): what a job's last run found
CHECKS = "checks"  # scope (CHECKS, suite): what a suite or a file of checks expects, and of which columns
SCOPES = frozenset({QUALITY, JOB_QUALITY, CHECKS})


class Outcome(enum.StrEnum):
    """PASSED, FAILED; WARNED: failed, but only a warning; ERROR: could not be evaluated; SKIPPED: was left out of a run;
    NOT_RUN: it is written down, and no result of it is known.
    """

    PASSED = "PASSED"
    FAILED = "FAILED"
    WARNED = "WARNED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"
    NOT_RUN = "NOT_RUN"


OPEN = frozenset({Outcome.FAILED, Outcome.ERROR})  # somebody should do something

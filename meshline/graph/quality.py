"""Quality checks in the graph: the attributes of datasets and columns that keep them, and the scopes that state these."""

from __future__ import annotations

import enum

RESULTS = "quality"  # attribute of a dataset or column: {name of a check: its last result}
EXPECTATIONS = "expectations"  # attribute of a dataset or column: {name of a check: its expectation}, also of checks that never ran

QUALITY = "quality"  # scope (QUALITY, suite, dataset ns, dataset name): the last run of a suite on a dataset
JOB_QUALITY = "job-quality"  # scope (JOB_QUALITY, job ns, job name, dataset ns, dataset name): the results of a job's last run
CHECKS = "checks"  # scope (CHECKS, suite): the expectations of a suite or a file of checks, with their columns
SCOPES = frozenset({QUALITY, JOB_QUALITY, CHECKS})


class Outcome(enum.StrEnum):
    """The result of a check. WARNED: it failed, but is only a warning; ERROR: it could not be evaluated; SKIPPED: a run left it out;
    NOT_RUN: the check is defined, and no result is known.
    """

    PASSED = "PASSED"
    FAILED = "FAILED"
    WARNED = "WARNED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"
    NOT_RUN = "NOT_RUN"


OPEN = frozenset({Outcome.FAILED, Outcome.ERROR})  # outcomes that an owner should act on

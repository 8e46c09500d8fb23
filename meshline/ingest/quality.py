"""Results of checks, whatever made them: one shape for Great Expectations, Soda, dbt tests and OpenLineage assertions."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

from meshline.graph.model import AssetFact, AssetKey, Facts, Json

QUALITY = "quality"  # the attribute of a dataset or column: {name of the check: its last result}


class Outcome(enum.StrEnum):
    """PASSED, FAILED; WARNED: failed, but only a warning; ERROR: could not be evaluated; SKIPPED: was not run."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    WARNED = "WARNED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"


class Check(NamedTuple):
    """One check of a dataset or column. `name` is unique in its suite; `kind` is the tool's own word for what is checked."""

    of: AssetKey
    name: str
    kind: str
    outcome: Outcome
    suite: str
    expected: Json = None
    observed: Json = None
    message: str | None = None


def facts(checks: Iterable[Check]) -> Facts:
    """Results that are said together: the content of a scope ("quality", suite, dataset ns, dataset name), whose
    statement's time is when the checks were run.
    """
    said: dict[AssetKey, dict[str, Json]] = {}
    for check in checks:
        said.setdefault(check.of, {})[check.name] = {
            name: value
            for name, value in (
                ("kind", check.kind),
                ("outcome", str(check.outcome)),
                ("suite", check.suite),
                ("expected", check.expected),
                ("observed", check.observed),
                ("message", check.message),
            )
            if value is not None
        }
    return Facts(assets=tuple(AssetFact(key, {QUALITY: of_asset}) for key, of_asset in said.items()))

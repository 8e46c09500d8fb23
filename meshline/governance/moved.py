"""What lineage makes of a verdict."""

from __future__ import annotations

from typing import NamedTuple

from meshline.governance.rules import Verdict


class Moved(NamedTuple):
    """`why`: a sentence. `consumers`: those for whom it is so; None: for all who are reached."""

    verdict: Verdict
    why: str
    consumers: frozenset[int] | None = None

"""How far a question may go."""

from __future__ import annotations

import time
from typing import NamedTuple

from meshline.errors import LimitExceeded


class Limits(NamedTuple):
    """`nodes`: columns and datasets that one traversal visits; `deadline` as `time.monotonic()`. An answer says where it stopped."""

    nodes: int = 2_000_000
    deadline: float | None = None

    def check(self) -> None:
        """Raises LimitExceeded when the deadline is over: for work of many steps, of which each is short."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise LimitExceeded("it took longer than it may: ask for less at once (MESHLINE_CHECK_SECONDS, MESHLINE_QUERY_SECONDS)")


UNLIMITED = Limits()

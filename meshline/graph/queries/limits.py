"""How far a question may go."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """`nodes`: columns and datasets that one traversal visits; `deadline` as `time.monotonic()`. An answer says where it stopped."""

    nodes: int = 2_000_000
    deadline: float | None = None


UNLIMITED = Limits()

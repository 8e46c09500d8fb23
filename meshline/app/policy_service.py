"""The policies of a graph that is open, and what of it breaks them: one watch, for all who ask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meshline.app.policy_files import load_policies
from meshline.governance.changes import Change
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.governance.policies.policy import Policy
from meshline.governance.report import Violation
from meshline.governance.rules import Verdict
from meshline.graph.live_graph import LiveGraph
from meshline.graph.what_if import Saying, supposed


class PolicyService:
    """`folder`: the user's policies. Nothing is read or evaluated before it is asked for."""

    def __init__(self, live: LiveGraph, folder: Path | None = None) -> None:
        self.live = live
        self._folder = folder
        self._watch: PolicyMonitor | None = None

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All, by id. Raises InvalidInput with `file:line`."""
        return load_policies(self._folder)

    @property
    def watch(self) -> PolicyMonitor:
        """The violations now; the first time costs a look at the whole graph. Raises InvalidInput."""
        with self.live.lock:
            if self._watch is None:
                self._watch = PolicyMonitor(self.live, self.policies)
            return self._watch


def find_new_violations(
    watch: PolicyMonitor, statements: Sequence[Saying], judged: Sequence[tuple[Change, Verdict]], now: int
) -> tuple[Violation, ...]:
    """The violations that would be new if sources said this since `now` (microseconds). `judged`: the changes of the check with their
    verdicts. Only what these can touch is looked at.
    """
    with watch.live.lock:
        watch.settle(judged)
        with supposed(watch.live, statements, now) as would:
            return watch.compare_supposed(would).opened

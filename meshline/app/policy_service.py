"""The policies of an open graph and their violations: one monitor for all callers."""

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
from meshline.graph.what_if import SupposedStatement, suppose_statements


class PolicyService:
    """`folder`: the user's policies. Policies are read and evaluated on demand."""

    def __init__(self, live: LiveGraph, folder: Path | None = None) -> None:
        self.live = live
        self._folder = folder
        self._watch: PolicyMonitor | None = None

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All policies by id. Raises InvalidInput with `file:line`."""
        return load_policies(self._folder)

    @property
    def watch(self) -> PolicyMonitor:
        """The monitor of violations; the first access evaluates the whole graph. Raises InvalidInput."""
        with self.live.lock:
            if self._watch is None:
                self._watch = PolicyMonitor(self.live, self.policies)
            return self._watch


def find_new_violations(
    watch: PolicyMonitor, statements: Sequence[SupposedStatement], judged: Sequence[tuple[Change, Verdict]], now: int
) -> tuple[Violation, ...]:
    """The violations that would be new if sources made these statements at `now` (microseconds). `judged`: the changes of the check
    with their verdicts. Only candidates that these can affect are evaluated.
    """
    with watch.live.lock:
        watch.settle(judged)
        with suppose_statements(watch.live, statements, now) as would:
            return watch.compare_supposed(would).opened

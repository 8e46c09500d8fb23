"""The policies of the product and those of the user, and the violations of an open graph: one monitor for all callers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from meshline.errors import InvalidInput
from meshline.governance.changes import Change
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.governance.policies.policy import Policy, PolicyFile, parse_policies
from meshline.governance.report import Violation
from meshline.governance.rules import Verdict
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey
from meshline.graph.what_if import SupposedStatement, suppose_statements
from meshline.ingest.documents import MAX_BYTES, parse_yaml

MAX_FILES = 500


@lru_cache(maxsize=4)
def load_policies(path: Path | None = None) -> tuple[Policy, ...]:
    """All policies by id, read once in a process. `path`: the user's own, a file or a folder. Raises InvalidInput with `file:line`."""
    return parse_policies(_read_pack(), () if path is None else _read_own(path))


def combine_policies(own: Iterable[PolicyFile]) -> tuple[Policy, ...]:
    """The product's policies and the given ones, by id. Raises InvalidInput with `file:line`."""
    return parse_policies(_read_pack(), own)


def _read_pack() -> list[PolicyFile]:
    files = sorted((resources.files("meshline.governance.policies") / "pack").iterdir(), key=lambda file: file.name)
    return [_parse_file(file.read_bytes(), f"pack/{file.name}") for file in files if file.name.endswith(".yaml")]


def _read_own(path: Path) -> list[PolicyFile]:
    if not path.exists():
        raise InvalidInput(
            f"there is no {str(path)!r}; accepted is a file of policies, or a folder with such files (*.yaml, *.yml)", "policies"
        )
    files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
    if len(files) > MAX_FILES:
        raise InvalidInput(f"{len(files)} files are too many; the maximum of a folder of policies is {MAX_FILES}", str(path))
    return [_parse_file(_read(file), str(file)) for file in files]


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"it cannot be read: {error.strerror}", str(file)) from error


def _parse_file(data: bytes, name: str) -> PolicyFile:
    found = parse_yaml(data, name)
    return PolicyFile(found.value, found.format_place)


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
) -> list[tuple[Violation, Sequence[AssetKey]]]:
    """The violations that would be new if sources made these statements at `now` (microseconds), each with the assets that it is about.

    `judged`: the changes of the check with their verdicts. Only candidates that these can affect are evaluated.
    """
    with watch.live.lock:
        watch.settle(judged)
        with suppose_statements(watch.live, statements, now) as would:
            found = watch.compare_supposed(would)
            return [(one, found.ends[one.fingerprint]) for one in found.opened]

"""An example of each rule for docs/rules.md: what the two files of a golden pair differ in."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PAIRS = Path(__file__).parent / "pairs"
CONTEXT, LINES, WIDTH = 2, 16, 100  # lines around a difference, of an example, and characters of a line
_CODE = re.compile(r'"(compiled|raw)_code": ')
_SAME = re.compile(r'"checksum": |"(invocation_id|generated_at)": ')  # means nothing to a reader


class _Candidate(NamedTuple):
    """The clearest comes first: one rule alone, then the shortest."""

    others: int
    long: bool
    wide: bool
    lines: int
    name: str
    diff: tuple[str, ...]


def collect_examples() -> dict[str, str]:
    """Rule -> the difference that it is found in, as `diff -u` shows it; of a rule that no pair has, nothing."""
    best: dict[str, _Candidate] = {}
    for folder in sorted(PAIRS.iterdir()):
        found = {row["rule"] for row in json.loads((folder / "expected.json").read_text(encoding="utf-8"))}
        diff = tuple(_diff(folder))
        for rule in found:
            others = len(found - {rule, "major-version-missing"})
            one = _Candidate(others, len(diff) > LINES, max(map(len, diff), default=0) > WIDTH, len(diff), folder.name, diff)
            best[rule] = min(best.get(rule, one), one)
    return {rule: "\n".join(_shorten_diff(one.diff)) for rule, one in best.items() if one.diff}


def _diff(folder: Path) -> Iterator[str]:
    """Without the names of the files and the numbers of the lines. Of a file that is new or gone: its first lines."""
    before, after = (_read_lines(next(folder.glob(f"{stem}.*"), None)) for stem in ("before", "after"))
    if not before or not after:
        yield from (f"{'+' if after else '-'}{line}" for line in (after or before)[:6])
        yield f"{'+' if after else '-'}..."
        return
    for line in list(difflib.unified_diff(before, after, lineterm="", n=CONTEXT))[2:]:
        if not line.startswith("@@"):
            yield line


def _read_lines(path: Path | None) -> list[str]:
    """A file's lines; SQL in a manifest of dbt as lines of its own."""
    if path is None:
        return []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not _SAME.search(line)]
    return [part for line in lines for part in (line.replace("\\n", "\n      ").splitlines() if _CODE.search(line) else [line])]


def _shorten_diff(diff: tuple[str, ...]) -> Iterator[str]:
    """What differs first, if it is long, without the indent that all have."""
    shown = diff if len(diff) <= LINES else [line for line in diff if line[0] in "+-"][:LINES]
    indent = min((len(line[1:]) - len(line[1:].lstrip()) for line in shown if line[1:].strip()), default=0)
    for line in shown:
        text = f"{line[0]}{line[1 + indent :]}".rstrip()
        yield text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"

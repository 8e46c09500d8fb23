"""Golden pairs: folders of `pairs/` with two versions of a contract, product or table as plain files, and what changed between them.

<kind>-<what happens>/before.*      without it the other version is new
<kind>-<what happens>/after.*       without it the other version is removed
<kind>-<what happens>/options.json  of `meshline check`, where the kind needs some
<kind>-<what happens>/expected.json [{rule, part, before, after, text, verdicts: {profile: verdict}}]
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from meshline.app.check import run_check
from meshline.app.check_texts import CheckInput, CheckRequest, build_file
from meshline.governance.rules import Profile
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore

PAIRS = Path(__file__).parent / "pairs"


def list_folders(kind: str = "") -> list[Path]:
    return sorted(one for one in PAIRS.iterdir() if one.is_dir() and one.name.startswith(kind))


def read_expected(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "expected.json").read_text())
    return found


def build_input(folder: Path) -> CheckInput:
    """The pair as `meshline check` is given it."""
    versions = {stem: next(folder.glob(f"{stem}.*"), None) for stem in ("before", "after")}
    texts = {stem: build_file(path.name, path.read_bytes()) for stem, path in versions.items() if path is not None}
    options = folder / "options.json"
    return CheckInput(
        folder.name.partition("-")[0],
        texts.get("before"),
        texts.get("after"),
        json.loads(options.read_text()) if options.exists() else {},
    )


def check_pair(folder: Path) -> list[dict[str, Any]]:
    """What a check of the pair finds in each profile, on a graph that knows nothing."""
    rows: dict[str, dict[str, Any]] = {}
    with closing(SqliteStore()) as store:
        live = LiveGraph.open(store)
        for profile in Profile:
            for one in run_check(live, Naming(), CheckRequest((build_input(folder),), profile=profile)).findings:
                row = {"rule": one.rule, "part": list(one.subject.part), "before": one.before, "after": one.after, "text": one.text}
                rows.setdefault(one.fingerprint, {**row, "verdicts": {}})["verdicts"][profile.value] = one.verdict
    return sorted(rows.values(), key=lambda row: (row["rule"], row["part"], json.dumps([row["before"], row["after"]])))


def collect_rules(pairs: Iterable[Path]) -> set[str]:
    return {row["rule"] for folder in pairs for row in read_expected(folder)}

"""The example's dbt project in a repository in which dbt's target folder is ignored, with the manifests that dbt made of it.

A column is removed in the new version. The manifests are those of the golden pair (`scripts/record-dbt-pairs`); only their time is another.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from tests.cli.command import EXAMPLE, ROOT
from tests.cli.work_tree import WorkTree

PAIR = ROOT / "tests" / "governance" / "pairs" / "dbt-column-removed"
MESH = """\
version: 1
sources:
  - {kind: dbt, name: marts, path: dbt/target, namespace: "duckdb:///warehouse/marts.duckdb"}
"""
PAYMENTS, MODELS = "dbt/models/staging/stg_payments.sql", "dbt/models/models.yml"
IN_YAML = "      - { name: currency, data_type: varchar }\n  - name: revenue_daily"


class DbtProject:
    """A repository whose branch `main` has the project, and a checkout of it beside."""

    def __init__(self, folder: Path) -> None:
        self.work = WorkTree(folder / "repository")
        self.base = folder / "base"
        shutil.copytree(EXAMPLE / "dbt", self.work.root / "dbt", ignore=shutil.ignore_patterns("target"))
        self.work.put("mesh.yaml", MESH)
        self.work.put(".gitignore", "target/\n")
        self.set_file_times_back(self.work.root)
        self.work.commit()
        self.work.run_git("checkout", "--quiet", "-b", "feature")

    def check_out_base(self) -> Path:
        self.work.run_git("worktree", "add", "--quiet", "--detach", str(self.base), "main")
        self.set_file_times_back(self.base)
        return self.base

    def remove_column(self) -> None:
        """Write the files of the new version."""
        root = self.work.root
        (root / PAYMENTS).write_text((root / PAYMENTS).read_text().replace("paid_amount,\n    currency", "paid_amount"))
        (root / MODELS).write_text((root / MODELS).read_text().replace(IN_YAML, "  - name: revenue_daily"))
        self.set_file_times_back(root)

    def compile(self, version: str, root: Path | None = None, *, after: float = 0.0, **changed: Any) -> Path:
        """The manifest that `dbt compile` writes of `before` or `after`, for the current files, generated `after` seconds from now."""
        manifest = json.loads((PAIR / f"{version}.json").read_text())
        manifest["metadata"]["generated_at"] = _time(time.time() + after)
        manifest.update(changed)
        path = (root or self.work.root) / "dbt" / "target" / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest))
        return path

    def set_file_times_back(self, root: Path) -> None:
        """Files that were written an hour ago."""
        for path in root.rglob("*"):
            if path.is_file() and ".git" not in path.parts:
                os.utime(path, (time.time() - 3600,) * 2)


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))

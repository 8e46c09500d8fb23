"""What CI checks in these tests: a clone of a repository on a branch, and a meshline that knows the example mesh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CONTRACT = (ROOT / "examples/mesh/contracts/campaign_audience.odcs.yaml").read_text("utf-8")
MESH = """\
version: 1
source: shop
sources:
  - kind: contract
    name: mesh
    files: ["contracts/*.yaml"]
"""
HEADLINE = "### BREAKING: contract campaign-audience-contract-v1, model campaign\\_audience: `email` is removed; "
# In place of dbt: it writes the manifest that dbt made of these files, now.
DBT = """\
#!{python}
import datetime, json, pathlib, sys
assert sys.argv[1:3] == ["compile", "--project-dir"], sys.argv
project = pathlib.Path(sys.argv[3])
version = "before" if "currency" in (project / "models/staging/stg_payments.sql").read_text() else "after"
manifest = json.loads(pathlib.Path("{pair}", version + ".json").read_text())
manifest["metadata"]["generated_at"] = datetime.datetime.now(datetime.UTC).isoformat()
(project / "target").mkdir(exist_ok=True)
(project / "target" / "manifest.json").write_text(json.dumps(manifest))
"""


class World(NamedTuple):
    """A clone of a repository on a branch, and what CI sets."""

    clone: Path
    environment: dict[str, str]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command], cwd=self.clone, env=environment, capture_output=True, text=True, check=False
        )


def run_git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=ann", "-c", "user.email=ann@company.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


class Running(NamedTuple):
    """A meshline that asks who one is, and the token of a reader."""

    address: str
    token: str


def check_removed_column(clone: Path) -> None:
    assert not (clone / "dbt/target").exists() or "target" not in subprocess.check_output(
        ["git", "status", "--short"], cwd=clone, text=True
    )
    comment_text = (clone / "meshline.md").read_text("utf-8").splitlines()[1]
    assert comment_text.startswith("### BREAKING: table marts.staging.stg\\_payments: `currency` is removed; ")

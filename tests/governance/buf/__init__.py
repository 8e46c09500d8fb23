"""buf, the program whose rules of breaking changes are what verdicts about Protobuf are compared with; from npm."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.npm import install_packages

FOLDER = Path(__file__).parent
CATEGORIES = ("FILE", "PACKAGE", "WIRE_JSON", "WIRE")


@functools.cache
def find_program() -> Path:
    """The binary of this platform, which npm installs as an optional dependency."""
    install_packages(FOLDER)
    (found,) = (FOLDER / "node_modules" / "@bufbuild").glob("buf-*/bin/buf*")
    return found


def run_buf(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(folder), "BUF_CACHE_DIR": str(folder / "cache")}
    return subprocess.run([find_program(), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@functools.cache
def list_rules(folder: Path) -> Mapping[str, frozenset[str]]:
    """Each rule of buf with its categories."""
    done = run_buf(["config", "ls-breaking-rules", "--version", "v2", "--format", "json"], folder)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["id"]: frozenset(row["categories"]) for row in rows}


def find_breaking(before: Mapping[str, str], after: Mapping[str, str], folder: Path) -> Mapping[str, frozenset[str]]:
    """The rules of all categories that buf reports, by path of the file. Both versions: texts by path."""
    for name, files in (("before", before), ("after", after)):
        for path, text in files.items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(text)
        (folder / name / "buf.yaml").write_text(json.dumps({"version": "v2", "breaking": {"use": list(CATEGORIES)}}))
    done = run_buf(["breaking", str(folder / "after"), "--against", str(folder / "before"), "--error-format", "json"], folder)
    assert done.returncode in (0, 100), done.stderr + done.stdout
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in map(json.loads, done.stdout.splitlines()):
        where = Path(row.get("path", ""))
        where = where.relative_to(folder) if where.is_absolute() else where
        found[str(where.relative_to("after") if where.parts[:1] == ("after",) else where)].add(row["type"])
    return {path: frozenset(rules) for path, rules in found.items()}

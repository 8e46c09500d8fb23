"""A working tree with a git repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class WorkTree:
    """A repository on its branch `main`; its root is made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.run_git("init", "--quiet", "--initial-branch=main")
        self.run_git("config", "user.email", "ann@example.org")
        self.run_git("config", "user.name", "ann")

    def run_git(self, *arguments: str) -> str:
        quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True, env=quiet).stdout

    def put(self, name: str, text: str | bytes) -> Path:
        """Write a file, with the folders around it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self, message: str = "work") -> None:
        self.run_git("add", "--all")
        self.run_git("commit", "--quiet", "--allow-empty", "-m", message)

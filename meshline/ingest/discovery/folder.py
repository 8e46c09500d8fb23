"""The files of a folder, within limits: links are not followed, and what tools download or make is left out."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAX_FOLDERS = 5_000
MAX_FILES = 50_000
MAX_DEPTH = 16
MAX_READ = 256 * 1024  # bytes of one file that are looked at
MAX_TOTAL = 64 * 1024 * 1024  # bytes that are looked at in all
MAX_NOTES = 20  # of one kind

SKIPPED = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", "site-packages", "dbt_packages", "dbt_modules", ".tox",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".idea", ".vscode", ".terraform", ".cache",
})  # fmt: skip


class FoundFile(NamedTuple):
    """A file: its path relative to the folder, with `/`, and its size in bytes."""

    path: str
    size: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """Its folder; empty for the folder that is examined."""
        return self.path.rpartition("/")[0]


class Folder:
    """A folder whose files are listed and read. `notes`: what was left out, and why."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.notes: list[str] = []
        self.tables: list[str] = []  # folders of Delta tables
        self._read = 0
        self._noted: dict[str, int] = {}

    def list_files(self) -> list[FoundFile]:
        """All regular files, by path. What is beyond a limit is noted."""
        found: list[FoundFile] = []
        folders = 0
        waiting = deque([("", 0)])
        while waiting and len(found) <= MAX_FILES:
            path, depth = waiting.popleft()
            folders += 1
            if folders > MAX_FOLDERS:
                self.notes.append(f"more than {MAX_FOLDERS:,} folders: {path or '.'} and those after it are not examined")
                break
            for entry, mode, size in self._list_entries(path):
                inner = f"{path}/{entry}" if path else entry
                if stat.S_ISDIR(mode):
                    if self._is_examined(entry, path, depth):
                        waiting.append((inner, depth + 1))
                elif stat.S_ISREG(mode):
                    found.append(FoundFile(inner, size))
                elif stat.S_ISLNK(mode):
                    self._note("link", f"{inner}: links are not followed")
        if len(found) > MAX_FILES:
            self.notes.append(f"more than {MAX_FILES:,} files: those after {found[MAX_FILES - 1].path} are not examined")
            del found[MAX_FILES:]
        self.note_rest()
        return sorted(found)

    def _is_examined(self, name: str, path: str, depth: int) -> bool:
        """Whether the files in a folder are listed. One of a Delta table is recorded."""
        if name == "_delta_log":
            self.tables.append(path)
            return False
        if name in SKIPPED:
            return False
        if depth >= MAX_DEPTH:
            self._note("deeper", f"{path}/{name}: more than {MAX_DEPTH} folders deep")
        return depth < MAX_DEPTH

    def _list_entries(self, path: str) -> Iterator[tuple[str, int, int]]:
        """Name, mode and size of what is in a folder, by name."""
        try:
            with os.scandir(self.root / path) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            self._note("unreadable", f"{path or '.'}: cannot be read: {error.strerror or error}")
            return
        for name in names:
            if not name.isprintable() or _has_surrogates(name):
                self._note("name", f"{name!a} in {path or '.'}: its name cannot be written into a mesh file")
                continue
            try:
                status = (self.root / path / name).lstat()
            except OSError:  # removed meanwhile
                continue
            yield name, status.st_mode, status.st_size

    def read_head(self, file: FoundFile) -> bytes:
        """The first MAX_READ bytes of a file; empty if it cannot be read, which is noted."""
        if self._read >= MAX_TOTAL:
            self._note("total", f"{file.path}: more than {MAX_TOTAL:,} bytes were examined already")
            return b""
        try:
            descriptor = os.open(self.root / file.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(descriptor, "rb") as opened:
                data = opened.read(MAX_READ)
        except OSError as error:
            self._note("unreadable", f"{file.path}: cannot be read: {error.strerror or error}")
            return b""
        self._read += len(data)
        return data

    def _note(self, kind: str, text: str) -> None:
        self._noted[kind] = self._noted.get(kind, 0) + 1
        if self._noted[kind] <= MAX_NOTES:
            self.notes.append(text)

    def note_rest(self) -> None:
        """Note how many notes of each kind were left out."""
        for kind, count in self._noted.items():
            if count > MAX_NOTES:
                self.notes.append(f"and {count - MAX_NOTES} more ({kind})")
        self._noted.clear()


def _has_surrogates(name: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in name)

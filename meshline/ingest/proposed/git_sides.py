"""One version of a mesh file in git, with the files that its sources name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from meshline.ingest.proposed.repository import Repository, matching
from meshline.ingest.sources.base import Named

LFS = b"version https://git-lfs.github.com/spec/"  # how a pointer begins


class Side(NamedTuple):
    """The sources of one version of the mesh file, and the files of that version. `root`: of the repository; `folder`: of the mesh
    file, from there, as all paths are; `commit`: empty for the working tree; `tree`: a checkout of the commit with files that git does
    not have, such as dbt's target folders.
    """

    sources: Mapping[str, Named]
    aliases: Mapping[str, str]
    root: Path
    folder: str
    paths: Sequence[str]
    read: Callable[[Sequence[str]], dict[str, bytes]]
    repository: Repository
    commit: str = ""
    tree: Path | None = None

    def files(self, patterns: Iterable[str]) -> list[str]:
        """Those that patterns mean, from the root."""
        return matching(self.paths, [self.path_of(one) for one in patterns])

    def path_of(self, pattern: str) -> str:
        """A path or pattern of the mesh file, from the root."""
        return os.path.normpath(f"{self.folder}/{pattern}" if self.folder else pattern)

"""A git repository, read through git's command line: the files of commits and of the working tree.

A `Side` is one version of a mesh file, with the files that its sources name.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.ingest.mesh.format import SchemaFiles
from meshline.ingest.sources.base import SourceConfig

SECONDS = 120  # for one command
MAX_BYTES = 256 * 2**20  # of one file

_SETTINGS = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
_REGULAR = frozenset({"100644", "100755", "100664"})
_BASE = re.compile(r"(?P<base>[^\s\x00-\x1f\x7f~^:?*\[\\-][^\s\x00-\x1f\x7f:?*\[\\]*?)(?:\.\.\.?(HEAD)?)?")


class Blob(NamedTuple):
    """A file in a commit. `size` in bytes."""

    id: str
    size: int


class Repository:
    """The repository that contains a folder. All methods raise InvalidInput with a message that states what to do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = Path(os.fsdecode(self._run("rev-parse", "--show-toplevel").rstrip(b"\n")))

    def find_base(self, written: str) -> str:
        """The commit that the working tree and a branch, tag or commit have in common: what a pull request is compared with.

        `main...` and `main...HEAD` are `main`.
        """
        match = _BASE.fullmatch(written.strip())
        if match is None:
            raise InvalidInput(f"found {written[:100]!r}; accepted is a branch, a tag or a commit, such as origin/main", "--git")
        base = match["base"]
        commit = self._find_commit(base)
        if not commit:
            raise InvalidInput(f"git knows no {base!r}; {self._describe_fetch(base)}", "--git")
        head = self._find_commit("HEAD")
        if not head:
            raise InvalidInput("the repository has no commit yet, so that there is nothing to compare with", "--git")
        common = self._try("merge-base", commit, head)
        if not common:
            raise InvalidInput(f"{base!r} and HEAD have no commit in common that git knows; {self._describe_fetch(base)}", "--git")
        return common.split()[0].decode()

    def list_files(self, commit: str) -> Mapping[str, Blob]:
        """All regular files of a commit, by their paths from the root."""
        found: dict[str, Blob] = {}
        for line in self._run("ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\x00"):
            about, _, path = line.partition(b"\t")
            mode, *_, id_, size = (part.decode() for part in about.split()) if about else ("", "", "")
            if mode in _REGULAR:
                found[os.fsdecode(path)] = Blob(id_, int(size))
        return found

    def list_work_tree(self) -> list[str]:
        """What is in the working tree, by its path from the root: tracked (perhaps deleted), or new and not ignored."""
        listed = self._run("-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(b"\x00")
        return sorted({os.fsdecode(one) for one in listed if one})

    def is_regular_file(self, path: str) -> bool:
        """Whether a path (relative to the root) is a file of the working tree, and no link."""
        return (self.root / path).is_file() and not (self.root / path).is_symlink()

    def read_files(self, blobs: Mapping[str, Blob]) -> dict[str, bytes]:
        """The contents of files of a commit, by path."""
        for path, blob in blobs.items():
            if blob.size > MAX_BYTES:
                raise InvalidInput(f"it has more than {MAX_BYTES} bytes", path)
        ids = list(dict.fromkeys(blob.id for blob in blobs.values()))
        if not ids:
            return {}
        answer = self._run("cat-file", "--batch", stdin="\n".join(ids).encode() + b"\n")
        found: dict[str, bytes] = {}
        at = 0
        for id_ in ids:
            end = answer.index(b"\n", at)
            about = answer[at:end].split()
            if len(about) != 3:
                raise InvalidInput(
                    f"git does not have the file {id_} that it lists: fetch the whole history (git fetch --refetch)", "--git"
                )
            size = int(about[2])
            found[id_] = answer[end + 1 : end + 1 + size]
            at = end + 2 + size
        return {path: found[blob.id] for path, blob in blobs.items()}

    def list_ignored(self, paths: Sequence[str]) -> list[str]:
        """The paths (relative to the root) that git ignores: .gitignore names them, and they are not tracked."""
        if not paths:
            return []
        done = self._call(("-C", str(self.root), "check-ignore", "-z", "--stdin"), "\x00".join(paths).encode(errors="surrogateescape"))
        if done.returncode not in (0, 1):
            raise InvalidInput(f"git check-ignore failed: {done.stderr.decode('utf-8', 'replace').strip()[:300]}", str(self._folder))
        return [os.fsdecode(one) for one in done.stdout.split(b"\x00") if one]

    def is_in_other_repository(self, path: str) -> bool:
        """Whether a path (relative to the root) is in a nested repository, such as a submodule."""
        return any((self.root / folder / ".git").exists() for folder in PurePosixPath(path).parents if str(folder) != ".")

    def find_last_commit(self, at: str, paths: Sequence[str]) -> str:
        """The newest commit, up to the commit `at`, that changed any of these paths (relative to the root); empty if there is none."""
        return self._log("-1", "--format=%H", at, "--", *paths).strip() if paths else ""

    def find_commit_time(self, at: str, paths: Sequence[str]) -> int:
        """The time of the newest commit, up to the commit `at`, that changed any of these paths, in seconds since 1970; 0: none."""
        return int(self._log("-1", "--format=%ct", at, "--", *paths).strip() or 0) if paths else 0

    def list_changed(self, since: str, until: str, paths: Sequence[str]) -> list[str]:
        """The paths among these that commits after `since` and up to `until` changed."""
        if not since or not paths:
            return []
        found = self._log("--format=", "--name-only", "-z", f"{since}..{until}", "--", *paths)
        return sorted({path.strip("\n") for path in found.split("\x00")} & set(paths))

    def is_clean(self, paths: Sequence[str]) -> bool:
        """Whether these paths are committed and equal to HEAD."""
        status = ("-C", str(self.root), "--literal-pathspecs", "status", "--porcelain", "--ignored", "-z", "--", *paths)
        return all((self.root / path).exists() for path in paths) and not self._run(*status)

    def _log(self, *arguments: str) -> str:
        return os.fsdecode(self._run("-C", str(self.root), "--literal-pathspecs", "log", *arguments))

    def get_relative_path(self, path: Path) -> str:
        """A path relative to the root, with slashes; empty if it is outside."""
        here = Path(os.path.normpath(path.absolute()))
        for root, inside in ((self.root, here), (self.root.resolve(), here.resolve())):
            if inside.is_relative_to(root):
                return inside.relative_to(root).as_posix()
        return ""

    def _find_commit(self, name: str) -> str:
        return self._try("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip().decode()

    def _describe_fetch(self, base: str) -> str:
        if self._try("rev-parse", "--is-shallow-repository").strip() == b"true":
            return "the clone is shallow: fetch the history (git fetch --unshallow, or fetch-depth: 0 of actions/checkout)"
        remote, slash, branch = base.partition("/")
        return f"perhaps it is to be fetched: git fetch {remote if slash else 'origin'} {branch if slash else base}"

    def _try(self, *arguments: str) -> bytes:
        """The output; empty if it fails."""
        done = self._call(arguments, None)
        return done.stdout if done.returncode == 0 else b""

    def _run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        done = self._call(arguments, stdin)
        if done.returncode != 0:
            message = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
            if "not a git repository" in message:
                raise InvalidInput("this is not a git repository", str(self._folder))
            raise InvalidInput(f"git {_get_command(arguments)} failed: {message or done.returncode}", str(self._folder))
        return done.stdout

    def _call(self, arguments: Sequence[str], stdin: bytes | None) -> subprocess.CompletedProcess[bytes]:
        quiet = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_PAGER": "cat"}
        try:
            return subprocess.run(  # noqa: S603 - no shell; a name that a user gives follows --end-of-options
                ["git", *_SETTINGS, *arguments],  # noqa: S607 - the git that the user has
                cwd=self._folder,
                input=stdin if stdin is not None else b"",
                capture_output=True,
                timeout=SECONDS,
                check=False,
                env={**os.environ, **quiet},
            )
        except FileNotFoundError as error:
            if not self._folder.is_dir():
                raise InvalidInput("there is no such folder", str(self._folder)) from error
            raise InvalidInput("git is not installed: --git needs it", "--git") from error
        except subprocess.TimeoutExpired as error:
            raise InvalidInput(f"git {_get_command(arguments)} took more than {SECONDS} seconds", str(self._folder)) from error


def _get_command(arguments: Sequence[str]) -> str:
    """The git command among these arguments."""
    return arguments[3] if arguments[0] == "-C" else arguments[0]


def match_paths(paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The paths that match patterns such as `contracts/**/*.yaml`, with the meaning that `pathlib` gives them."""
    wanted = [re.compile(_build_regex(pattern), re.DOTALL) for pattern in patterns]
    return [path for path in paths if any(one.fullmatch(path) for one in wanted)]


def _build_regex(pattern: str) -> str:
    parts = pattern.split("/")
    text = ""
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == "**":
            text += ".*" if last else "(?:.*/)?"
            continue
        text += _build_part(part) + ("" if last else "/")
    return text


def _build_part(part: str) -> str:
    text = ""
    i = 0
    while i < len(part):
        end = part.find("]", i + 2) if part[i] == "[" else -1
        if part[i] == "*":
            text += "[^/]*"
        elif part[i] == "?":
            text += "[^/]"
        elif end > 0:
            inside = part[i + 1 : end].replace("\\", "\\\\")
            text += f"[{'^' + inside[1:] if inside[0] == '!' else inside}]"
            i = end
        else:
            text += re.escape(part[i])
        i += 1
    return text


LFS = b"version https://git-lfs.github.com/spec/"  # the beginning of a pointer file


class Side(NamedTuple):
    """The sources of one version of the mesh file, and the files of that version. `root`: the root of the repository; `folder`: the
    folder of the mesh file, relative to the root as all paths are; `commit`: empty for the working tree; `tree`: a checkout of the
    commit with files that are not in git, such as dbt's target folders; `schemas`: entries that name files with schemas.
    """

    sources: Mapping[str, SourceConfig]
    aliases: Mapping[str, str]
    root: Path
    folder: str
    paths: Sequence[str]
    read: Callable[[Sequence[str]], dict[str, bytes]]
    repository: Repository
    commit: str = ""
    tree: Path | None = None
    schemas: Sequence[SchemaFiles] = ()

    def find_files(self, patterns: Iterable[str]) -> list[str]:
        """The files that match patterns, relative to the root."""
        return match_paths(self.paths, [self.build_path(one) for one in patterns])

    def build_path(self, pattern: str) -> str:
        """A path or pattern of the mesh file, relative to the root."""
        return os.path.normpath(f"{self.folder}/{pattern}" if self.folder else pattern)

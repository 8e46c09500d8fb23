"""Jars of a server, by Maven into a cache of our own. Standard library only.

    lib = maven.ensure_jars("neo4j", HERE / "neo4j" / "pom.xml")    # idempotent; the folder of the jars
    process.start([maven.find_java(), "-cp", f"{lib}/*", "the.Main"], log)

The cache is `$MESHLINE_CACHE`, else `.cache/servers` of this checkout. A folder there is complete:
it is filled under another name and renamed when done.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from process import ServerError, report

JAVA_NEEDED = 17
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
JAVA_FOLDERS = ("usr/lib/jvm/*", "Library/Java/JavaVirtualMachines/*/Contents/Home")


def get_cache_folder() -> Path:
    chosen = os.environ.get("MESHLINE_CACHE")
    return Path(chosen).resolve() if chosen else Path(__file__).resolve().parents[2] / ".cache" / "servers"


@lru_cache
def find_java() -> str:
    """The path of a Java that is new enough: `$JAVA_HOME/bin/java`, else `java` of the PATH."""
    home = os.environ.get("JAVA_HOME")
    path = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    if path is None:
        where = f"JAVA_HOME={home} has no bin/java" if home else "no java is on the PATH"
        raise ServerError(f"Java {JAVA_NEEDED} or newer is missing ({where}): install a JDK, e.g. `apt install openjdk-17-jdk-headless`.")
    version = read_java_version(path)
    if int(version.split(".")[0]) < JAVA_NEEDED:
        raise ServerError(f"Java {JAVA_NEEDED} or newer is missing ({path} is {version}): install it, or set JAVA_HOME to it.")
    return path


@lru_cache
def find_newer_java(needed: int) -> str:
    """The path of a Java of version `needed` or newer: that of the PATH, `$JAVA_HOME`, `$JAVA_25_HOME` and the like, or of the system."""
    homes = [Path(os.environ[name]) for name in sorted(os.environ) if re.fullmatch(r"JAVA_(\d+_)?HOME", name)]
    homes += [home for folder in JAVA_FOLDERS for home in sorted(Path("/").glob(folder))]
    seen: list[str] = []
    for path in dict.fromkeys([shutil.which("java") or "", *(str(home / "bin" / "java") for home in homes)]):
        if not os.access(path, os.X_OK):
            continue
        version = read_java_version(path)
        if int(version.split(".")[0]) >= needed:
            return path
        seen.append(f"{path} is {version}")
    found = "; ".join(seen) or "there is no other"
    raise ServerError(f"Java {needed} or newer is missing ({found}): install a JDK, or set JAVA_{needed}_HOME to the folder of one.")


@lru_cache
def read_java_version(path: str) -> str:
    """`17.0.15` of a Java; `8.0_402` for what calls itself `1.8.0_402`."""
    shown = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?([0-9][^"]*)"', shown.stderr + shown.stdout)
    if found is None:
        raise ServerError(f"Java {JAVA_NEEDED} or newer is missing ({path} -version does not answer): install a JDK.")
    return found[1]


def find_maven() -> str:
    path = shutil.which("mvn")
    if path is None:
        raise ServerError("Maven is missing (no mvn is on the PATH): install it, e.g. `apt install maven`.")
    return path


def ensure_jars(name: str, pom: Path) -> Path:
    """The folder with the jars that a pom.xml names, resolved once per content of the pom."""
    find_java()
    digest = hashlib.blake2b(pom.read_bytes(), digest_size=6).hexdigest()
    folder = get_cache_folder() / f"{name}-{digest}"
    if folder.exists():
        return folder
    mvn = find_maven()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            _resolve(mvn, name, pom, folder)
    return folder


def _resolve(mvn: str, name: str, pom: Path, folder: Path) -> None:
    report(f"Maven fetches the jars of {name} into {folder} (once)")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        # The pom is copied: Maven must not leave a target folder in the checkout.
        shutil.copy(pom, Path(temporary) / "pom.xml")
        lib = Path(temporary) / "lib"
        command = [mvn, "-q", "-B", "-f", f"{temporary}/pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={lib}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode or not any(lib.glob("*.jar")):
            last = "\n".join(done.stdout.splitlines()[-15:])
            raise ServerError(
                f"Maven could not fetch the jars of {name} (exit code {done.returncode}; is its repository reachable?):\n{last}"
            )
        lib.rename(folder)
    found = list(folder.glob("*.jar"))
    size = sum(jar.stat().st_size for jar in found)
    report(f"{len(found)} jars of {name}, {size / 1e6:.0f} MB, in {time.monotonic() - begun:.0f} s")


def copy_artifact(artifact: str, folder: Path) -> Path:
    """The file of an artifact (`group:name:version:type`), copied into a folder without what it depends on."""
    before = set(folder.iterdir())
    command = [find_maven(), "-q", "-B", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=folder
    )
    made = [path for path in set(folder.iterdir()) - before if path.is_file()]
    if done.returncode or len(made) != 1:
        raise ServerError(f"Maven could not fetch {artifact} (is its repository reachable?):\n{done.stdout[-2000:]}")
    return made[0]


def ensure_distribution(name: str, artifact: str, size: str, unpack: Callable[[Path, Path], Path]) -> Path:
    """The folder `name` of the cache, made once from an artifact. `size`: that of the download, in words.

    `unpack`: gets the artifact's file and an empty folder on the same disk, and returns the folder that is kept.
    """
    folder = get_cache_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(folder.with_name(f"{name}.lock")):
        if not folder.exists():
            report(f"Maven fetches {name} into {folder} ({size}, once)")
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as temporary:
                file = copy_artifact(artifact, Path(temporary))
                unpacked = Path(temporary) / "unpacked"
                unpacked.mkdir()
                unpack(file, unpacked).rename(folder)
    return folder


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process, however it ends."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"another process is making {path.stem}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""Python environments of producers, by pip into the cache of `maven`. Standard library only.

spark = venvs.ensure_environment("spark", HERE / "spark" / "requirements.txt")    # idempotent; the environment's folder
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import maven
from process import ServerError, report

# What PySpark 3.5 and dbt 1.11 both run on, best first.
PYTHONS = ("python3.11", "python3.12", "python3.10")
DONE = "requirements-installed"


def find_python() -> str:
    """An interpreter of a version that the producers run on, by its own path: behind another shim it has the same environments.

    Shims on the PATH that do not answer are passed over.
    """
    for name in PYTHONS:
        path = shutil.which(name)
        if not path:
            continue
        done = subprocess.run([path, "-c", "import sys, venv; print(sys.executable)"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return sys.executable
    raise ServerError(f"Python 3.10, 3.11 or 3.12 is missing (none of {', '.join(PYTHONS)} is on the PATH): PySpark 3.5 needs one of them.")


def ensure_environment(name: str, requirements: Path, *, dependencies: bool = True) -> Path:
    """The folder of a virtual environment with these requirements, made once per content of the file.

    `dependencies`: whether what the requirements need is installed, too; else they are all that is.
    """
    base = find_python()
    digest = hashlib.blake2b(requirements.read_bytes() + base.encode(), digest_size=6).hexdigest()
    folder = maven.get_cache_folder() / f"python-{name}-{digest}"
    if (folder / DONE).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with maven.lock_file(folder.with_name(f"{folder.name}.lock")):
        if not (folder / DONE).exists():
            _install(base, name, requirements, folder, dependencies=dependencies)
    return folder


def _install(base: str, name: str, requirements: Path, folder: Path, *, dependencies: bool) -> None:
    report(f"pip installs {name} into {folder} (once)")
    begun = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    _run([base, "-m", "venv", str(folder)], name)
    options = ["-q", "--disable-pip-version-check", *([] if dependencies else ["--no-deps"]), "-r", str(requirements)]
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", *options], name)
    (folder / DONE).touch()
    report(f"{name} is installed, in {time.monotonic() - begun:.0f} s")


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise ServerError(f"{' '.join(command[:4])} for {name} ended with {done.returncode} (is the package index reachable?):\n{last}")

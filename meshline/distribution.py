"""The origin of this installation of meshline, and the command that installs its extras."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from meshline import __version__

NAME = "meshline"
_LABEL = "Repository, "  # the beginning of the Project-URL in the metadata

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")


def install_command(*extras: str) -> str:
    """The shell command that installs meshline with these extras."""
    return f"pip install '{build_requirement(*extras)}'"


def build_requirement(*extras: str) -> str:
    """A requirement of meshline with these extras, with an address: `meshline[dbt] @ git+https://...@v0.1.0`.

    The address is the origin of this installation (a git repository, a folder, a wheel: PEP 610), else the tag of this version in
    the repository that the project's metadata names (`[project.urls]` in pyproject.toml).
    """
    chosen = f"[{','.join(extras)}]" if extras else ""
    found = _find_distribution(NAME)
    address = _find_origin(found) or _find_release(found)
    return f"{NAME}{chosen} @ {address}" if address else f"{NAME}{chosen}"


def list_extras() -> Mapping[str, tuple[str, ...]]:
    """The distributions that each extra installs. Empty if meshline is not installed as a distribution."""
    found = _find_distribution(NAME)
    if found is None:
        return {}
    return {extra: tuple(sorted(set(_list_libraries(found, extra)))) for extra in sorted(found.metadata.get_all("Provides-Extra") or ())}


def find_missing(names: tuple[str, ...]) -> tuple[str, ...]:
    """The distributions among these that are not installed."""
    return tuple(name for name in names if _find_distribution(name) is None)


def _find_distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _find_origin(found: Distribution | None) -> str:
    """The address that this distribution was installed from; empty if it is not recorded or no longer exists."""
    try:
        origin: Any = json.loads((found and found.read_text("direct_url.json")) or "{}")
        url = urlsplit(str(origin.get("url", "")))
        if "vcs_info" in origin:
            host = url.netloc.rpartition("@")[2] if url.password else url.netloc  # a secret is not shown
            version = origin["vcs_info"].get("requested_revision") or origin["vcs_info"]["commit_id"]
            return f"{origin['vcs_info']['vcs']}+{url._replace(netloc=host).geturl()}@{version}"
        if url.scheme == "file" and Path(url2pathname(url.path)).exists():
            return url.geturl()
    except (ValueError, LookupError, TypeError, AttributeError):  # an installer that writes the record in another form
        return ""
    return ""


def _find_release(found: Distribution | None) -> str:
    urls = (found.metadata.get_all("Project-URL") or ()) if found is not None else ()
    return next((f"git+{url.removeprefix(_LABEL)}@v{__version__}" for url in urls if url.startswith(_LABEL)), "")


def _list_libraries(found: Distribution, extra: str) -> Iterator[str]:
    """The distributions that an extra adds, with those of extras of its libraries."""
    for line in found.requires or ():
        text, _, marker = line.partition(";")
        match = _REQUIREMENT.match(text)
        if match is None or re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", marker) is None:
            continue
        yield match[1]
        library = _find_distribution(match[1])
        for inner in (match[2] or "").split(","):
            if library is not None and inner.strip():
                yield from _list_libraries(library, inner.strip())

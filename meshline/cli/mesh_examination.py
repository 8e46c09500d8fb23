"""The sources of a mesh file, as `meshline doctor` examines them: extras, variables, files, and whether a server answers at its address."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from meshline.distribution import find_missing, install_command, list_extras
from meshline.errors import InvalidInput

if TYPE_CHECKING:
    from meshline.ingest.sources.base import SourceConfig

CONNECT_SECONDS = 3.0
PORTS = {"http": 80, "https": 443}

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


State: TypeAlias = Literal["ok", "note", "warning", "failed"]


class Finding(NamedTuple):
    """The state of one part of the installation. `found`: what was found; `advice`: what to do, if anything."""

    about: str
    state: State
    found: str
    advice: str = ""


class Address(NamedTuple):
    host: str
    port: int


def examine_mesh_file(file: Path) -> Iterator[Finding]:
    """Examine a mesh file and each of its sources. A connection is opened and closed again; nothing is sent."""
    from meshline.ingest.mesh import parse_mesh_file, read_mesh_file

    try:
        mesh = parse_mesh_file(read_mesh_file(file), str(file))
    except InvalidInput as error:
        yield Finding("mesh file", "failed", str(error), "docs/mesh-file.md describes the format; `meshline init` drafts a file")
        return
    for refused in mesh.refused[:5]:
        yield Finding("mesh file", "failed", f"an entry is refused: {refused}", "correct it: the others are read without it")
    if not mesh.refused:
        entries = f"{len(mesh.entries)} entries and {len(mesh.sources)} sources"
        yield Finding("mesh file", "ok", f"{file}: {entries}")
    for configured in mesh.sources:
        yield from _examine_source(configured.source, file.absolute().parent)


def _examine_source(source: SourceConfig, folder: Path) -> Iterator[Finding]:
    """The first reason why the source cannot be read, or one finding that it can."""
    from meshline.ingest.sources.registry import KINDS

    about = f"source {source.source}"
    extra = KINDS[source.kind][2]
    absent = find_missing(list_extras().get(extra, ())) if extra else ()
    if absent:
        yield Finding(about, "failed", f"needs the extra {extra}, which is not installed ({', '.join(absent)})", install_command(extra))
        return
    values = source.model_dump()
    unset = [name for name in dict.fromkeys(_list_variables(values)) if _read_variable(name) is None]
    if unset:
        yield Finding(
            about, "failed", f"the variables {', '.join(unset)} of the environment are not set", "set them, and keep them out of the file"
        )
        return
    missing = list(_list_missing_files(values, folder))
    if missing:
        yield Finding(about, "failed", missing[0], f"paths begin at {folder}: correct the entry, or make the file")
        return
    address = _find_address(values)
    problem = None if address is None else _try_connection(address)
    if address is not None and problem is not None:
        advice = "is it running there, and does a firewall let it through? The other sources are read without it"
        yield Finding(about, "failed", f"no connection to {address.host}:{address.port}: {problem}", advice)
        return
    yield Finding(about, "ok", f"{address.host}:{address.port} answers" if address is not None else "its files are there")


def _read_variable(name: str) -> str | None:
    from meshline.app.settings import read_variable

    return read_variable(name)


def _list_variables(value: object) -> Iterator[str]:
    """The names of all `${NAME}` in the keys of a source."""
    if isinstance(value, str):
        yield from _VARIABLE.findall(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _list_variables(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _list_variables(one)


def _list_missing_files(values: Mapping[str, object], folder: Path) -> Iterator[str]:
    """A sentence for each path or pattern without a file."""
    from meshline.ingest.sources.files import expand_paths

    files = values.get("files")
    if isinstance(files, list | tuple):
        paths = [str(path) for path in files if "://" not in str(path) and str(path) != "-"]
        for path in paths:
            try:
                if not (folder / path).is_dir():
                    yield from (str(one) for one in expand_paths([path], folder) if isinstance(one, InvalidInput))
            except OSError as error:
                yield f"{path}: {error.strerror or error}"
    project = values.get("path")
    if isinstance(project, Path | str) and str(project) and not (folder / project).exists():
        yield f"{project}: there is no such file or folder"
    tables = values.get("tables") if "storage_options" in values else None
    for table in map(str, tables) if isinstance(tables, list | tuple) else ():
        if "://" not in table and not re.search(r"[*?\[]", table) and not (folder / table).exists():
            yield f"{table}: there is no such table"


def _find_address(values: Mapping[str, object]) -> Address | None:
    """The host and port of the server of a source, if it has one."""
    for key in ("uri", "url"):
        text = values.get(key)
        if isinstance(text, str) and text:
            parts = urlsplit(_VARIABLE.sub(lambda found: _read_variable(found[1]) or "", text))
            if parts.hostname is not None and parts.scheme in PORTS:
                try:
                    return Address(parts.hostname, parts.port or PORTS[parts.scheme])
                except ValueError:  # no port
                    return None
    return None


def _try_connection(address: Address) -> str | None:
    """Why no connection can be made; None if one can."""
    try:
        with socket.create_connection(address, timeout=CONNECT_SECONDS):
            return None
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__

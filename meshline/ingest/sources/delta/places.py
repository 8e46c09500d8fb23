"""Where Delta tables are, and the names that Spark's OpenLineage events give them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from meshline.errors import InvalidInput

MAX_TABLES = 10_000
LOG = "_delta_log"

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>/.*)?", re.DOTALL)
_PATTERN = frozenset("*?[")


class Place(NamedTuple):
    """A table's location as deltalake takes it, and its dataset's namespace and name (OpenLineage, Naming.md)."""

    location: str
    namespace: str
    name: str


def places(tables: Sequence[str], folder: Path, used_in: str = "") -> Iterator[Place | InvalidInput]:
    """The tables that paths, patterns of local paths (`lake/*/*`) and URLs mean, each once. Relative paths begin at `folder`.

    `used_in`: the folder by which local tables are known, if not their own.
    """
    seen: set[str] = set()
    for text in tables:
        for place in _places(text, folder):
            if isinstance(place, InvalidInput):
                yield place
            elif place.location not in seen:
                seen.add(place.location)
                if len(seen) > MAX_TABLES:
                    yield InvalidInput(f"more than {MAX_TABLES} tables", text)
                    return
                yield place._replace(name=f"{used_in}/{Path(place.name).name}") if used_in and place.namespace == "file" else place


def _places(text: str, folder: Path) -> Iterator[Place | InvalidInput]:
    uri = _URI.fullmatch(text)
    if uri is not None and uri["scheme"].lower() != "file":
        yield _remote(text, uri)
        return
    path = Path(os.path.normpath(folder.absolute() / (unquote(uri["path"] or "/") if uri is not None else text)))
    if path.exists() or not _PATTERN & set(text):
        yield _local(path)
        return
    logs = sorted(Path(path.anchor).glob(f"{path.relative_to(path.anchor)}/{LOG}"))
    yield from (_local(log.parent) for log in logs)
    if not logs:
        yield InvalidInput("there is no such Delta table; accepted are folders of tables, patterns such as lake/*/*, and URLs", text)


def _local(path: Path) -> Place:
    return Place(str(path), "file", str(path))


def _remote(text: str, uri: re.Match[str]) -> Place | InvalidInput:
    if "*" in text or not uri["authority"] or not (uri["path"] or "").strip("/"):
        return InvalidInput("no URL of a table; accepted are such as s3://bucket/path (patterns only of local paths)", text)
    return Place(text.rstrip("/"), f"{uri['scheme']}://{uri['authority']}", uri["path"].rstrip("/"))

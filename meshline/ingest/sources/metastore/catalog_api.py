"""Requests to a catalog's REST interface, whose address has no credentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx

from meshline.errors import InvalidInput
from meshline.ingest.sources.http_reader import HttpReader, Program
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")


class CatalogApi:
    """A client of one catalog, which is closed after use. It raises only MeshlineError."""

    def __init__(self, program: Program, url: str, headers: Mapping[str, str], redact: Redaction) -> None:
        """Nothing is sent yet. Raises InvalidInput for an address that is none."""
        check_url(url, program)
        self._open = ExitStack()
        self._reader = self._open.enter_context(HttpReader.connect(program, url, redact, headers=headers))

    def read(self, shape: type[T], segments: Sequence[str], parameters: Mapping[str, str] | None = None) -> T:
        """An answer. `segments`: the decoded parts of the address after the catalog's own. Raises as `HttpReader.read`."""
        address = "/" + "/".join(quote(segment, safe="") for segment in segments)
        return self._reader.read(shape, address + (f"?{httpx.QueryParams(parameters)}" if parameters else ""))

    def close(self) -> None:
        self._open.close()


def check_url(url: str, program: Program) -> str:
    """An address without a slash at its end. Raises InvalidInput if it has credentials or is no address of HTTP."""
    base = url.strip().rstrip("/")
    try:
        parts = urlsplit(base)
        usable = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and not parts.query and not parts.fragment
        )
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"accepted is the address of {program.name}, such as {program.example}, without credentials", "url")
    return base

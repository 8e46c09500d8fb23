"""An Iceberg REST catalog: connected by pyiceberg; lists and tables by requests of our own, which may be conditional."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import msgspec
from pyiceberg.catalog.rest import PAGE_SIZE, Capability

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.ingest.sources.iceberg.catalogs import Gone, Identifier, LibraryCatalog, Loaded
from meshline.ingest.sources.iceberg.metadata import MAX_BYTES, table_of_answer, view_of_answer
from meshline.ingest.sources.iceberg.properties import Redaction
from meshline.ingest.sources.iceberg.transport import TOKEN_ENDED, TimedCatalog, Transport

MAX_PAGES = 100_000


class _Name(msgspec.Struct):
    namespace: tuple[str, ...]
    name: str


class _Page(msgspec.Struct, rename="kebab"):
    """Of any list."""

    namespaces: tuple[tuple[str, ...], ...] = ()
    identifiers: tuple[_Name, ...] = ()
    next_page_token: str | None = None


class _Error(msgspec.Struct):
    message: str = ""
    type: str = ""


class _ErrorAnswer(msgspec.Struct):
    error: _Error


class RestAccess(LibraryCatalog):
    catalog: TimedCatalog

    def __init__(self, name: str, properties: Mapping[str, Any], redacted: Redaction) -> None:
        """Connect. Raises InvalidInput, StoreUnavailable."""
        super().__init__(lambda: TimedCatalog(name, **properties), redacted)
        catalog = self.catalog
        # How a server wants namespaces to be written, and what it can do, pyiceberg knows but does not offer.
        self._separator = catalog._namespace_separator  # noqa: SLF001
        self._has_views = Capability.V1_LIST_VIEWS in catalog._supported_endpoints  # noqa: SLF001
        self._transport = Transport(catalog._session, catalog.uri, lambda: self.asked(catalog._refresh_token))  # noqa: SLF001
        self._namespaces = catalog.url("namespaces")
        self._page_size = {"pageSize": str(size)} if (size := catalog.properties.get(PAGE_SIZE)) else {}

    def namespaces(self, parent: Identifier) -> list[Identifier]:
        pages = self._pages(self._namespaces, {"parent": self._separator.join(parent)} if parent else {})
        return sorted({one for page in pages for one in page.namespaces if one and one[:-1] == parent})

    def tables(self, namespace: Identifier) -> list[Identifier]:
        return self._listed(namespace, "tables")

    def views(self, namespace: Identifier) -> list[Identifier]:
        """Nothing if the server has no views."""
        return self._listed(namespace, "views") if self._has_views else []

    def load(self, identifier: Identifier, tag: str, *, is_view: bool) -> Loaded | None:
        url = f"{self._url(identifier[:-1])}/{'views' if is_view else 'tables'}/{quote(identifier[-1], safe='')}"
        answer = self._transport.get(url, MAX_BYTES, tag)
        if answer.status == 304:
            return None
        if answer.status != 200:
            self._refuse(answer.status, answer.data)
        metadata, location = view_of_answer(answer.data) if is_view else table_of_answer(answer.data)
        is_same = not answer.etag and location and location == tag
        return None if is_same else Loaded(metadata, answer.etag or location)

    def _url(self, namespace: Identifier) -> str:
        separator = quote(self._separator, safe="")
        return f"{self._namespaces}/{separator.join(quote(level, safe='') for level in namespace)}"

    def _listed(self, namespace: Identifier, what: str) -> list[Identifier]:
        pages = self._pages(f"{self._url(namespace)}/{what}", {})
        return [(*one.namespace, one.name) for page in pages for one in page.identifiers if one.namespace == namespace]

    def _pages(self, url: str, parameters: Mapping[str, str]) -> Iterator[_Page]:
        """The pages of a list. Raises InvalidInput for one that does not end."""
        token = ""
        for _ in range(MAX_PAGES):
            query = urlencode({**parameters, "pageToken": token, **self._page_size})
            answer = self._transport.get(f"{url}?{query}", MAX_BYTES)
            if answer.status != 200:
                self._refuse(answer.status, answer.data)
            try:
                page = _page.decode(answer.data)
            except (msgspec.MsgspecError, RecursionError) as error:
                raise InvalidInput(f"a list that is none: {error}") from None
            yield page
            if not page.next_page_token or page.next_page_token == token:
                return
            token = page.next_page_token
        raise InvalidInput(f"a list of more than {MAX_PAGES} pages")

    def _refuse(self, status: int, data: bytes) -> NoReturn:
        try:
            error = _error.decode(data).error
        except (msgspec.MsgspecError, RecursionError):
            error = _Error()
        if status == 404 and error.type.startswith("NoSuch"):
            raise Gone
        message = f"HTTP {status} {self.redacted(f'{error.type}: {error.message}'.strip(': '))}".strip()
        if status in TOKEN_ENDED:
            raise StoreUnavailable(f"the catalog refuses us: {message}; give the property token, credential or auth")
        raise InvalidInput(f"the catalog cannot give it: {message}")


_page = msgspec.json.Decoder(_Page)
_error = msgspec.json.Decoder(_ErrorAnswer)

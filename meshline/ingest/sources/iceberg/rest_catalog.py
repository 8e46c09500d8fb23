"""Access to an Iceberg REST catalog. pyiceberg connects; lists and tables are read by our own requests, which are conditional, bounded
and retried.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from pyiceberg.catalog.rest import PAGE_SIZE, Capability, RestCatalog
from requests import PreparedRequest, Request, RequestException, Response, Session
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.ingest.sources.iceberg.catalogs import Gone, Identifier, LibraryCatalog, LoadedMetadata
from meshline.ingest.sources.iceberg.parse import MAX_BYTES, parse_table_answer, parse_view_answer
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

CATALOG_PATH, MANAGEMENT_PATH = "/api/catalog", "/api/management/v1"  # of Polaris
CONNECT, READ = 10.0, 60.0  # seconds to connect, and between two bytes
WAITS = (0.5, 2.0)  # seconds before each further try
CONNECTIONS = 64
SERVER_FAILURES = frozenset({429, 502, 503, 504})  # of the server, not of one table
_NEEDLESS = (
    "X-Iceberg-Access-Delegation",
    "Content-type",
    "Connection",
    "Accept",
)  # among them the request for storage credentials, which are not needed
TOKEN_EXPIRED = frozenset({401, 419})


class Answer(NamedTuple):
    status: int
    etag: str
    data: bytes


class _Adapter(HTTPAdapter):
    """Sets a time limit for requests that have none."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        kwargs["timeout"] = kwargs.get("timeout") or (CONNECT, READ)
        return super().send(request, *args, **kwargs)


class TimedCatalog(RestCatalog):
    """pyiceberg's REST catalog, with time limits."""

    def _config_headers(self, session: Session) -> None:
        """Overrides pyiceberg's method, which runs on a new session before a token is requested, to mount adapters with time limits."""
        super()._config_headers(session)
        session.mount("http://", _Adapter(pool_connections=4, pool_maxsize=CONNECTIONS))
        session.mount("https://", _Adapter(pool_connections=4, pool_maxsize=CONNECTIONS))
        session.max_redirects = 1


class Transport:
    """GET requests, from any thread. `renew`: requests a new token."""

    def __init__(self, session: Session, base: str, renew: Callable[[], object]) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._renew = renew
        self._renewing = threading.Lock()
        self._renewals = 0
        self._pool = _build_pool(session, self._base)
        # A compressed answer has another ETag than the one that a conditional request needs.
        self._headers: dict[str, str] = {**session.headers, "Accept-Encoding": "identity"}
        for name in _NEEDLESS:
            self._headers.pop(name, None)
        self._timeout = Timeout(connect=CONNECT, read=READ)

    def get(self, url: str, limit: int, tag: str = "") -> Answer:
        """An answer of at most `limit` bytes; with `tag`, its data is empty (status 304) if the ETag is the same. The request is
        retried if the server cannot be reached or is busy. Raises StoreUnavailable, InvalidInput if the answer is too large.
        """
        headers = {**self._headers, "If-None-Match": tag} if tag else self._headers
        waits, renewals = iter(WAITS), self._renewals
        while True:
            try:
                answer = self._request(url, headers, limit)
            except (RequestException, HTTPError, OSError) as error:
                problem = type(error).__name__
            else:
                if answer.status in TOKEN_EXPIRED and renewals == self._renewals:
                    self._renew_token(renewals)
                    continue
                if answer.status not in SERVER_FAILURES:
                    return answer
                problem = f"HTTP {answer.status}"
            wait = next(waits, None)
            if wait is None:
                raise StoreUnavailable(f"the catalog does not answer: {problem}")
            time.sleep(wait)

    def _request(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        if self._pool is not None and url.startswith(self._base):
            token = self._session.auth.auth_manager.auth_header()  # type: ignore[union-attr]
            response: BaseHTTPResponse = self._pool.urlopen(
                "GET",
                _get_request_target(url),
                headers={**headers, "Authorization": token} if token else headers,
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=self._timeout,
            )
        else:
            plain = {name: headers.get(name) for name in (*headers, *_NEEDLESS)}  # None removes the session's header
            response = self._session.get(url, headers=plain, stream=True, allow_redirects=False).raw  # type: ignore[arg-type]
        data = response.read(limit + 1, decode_content=True)
        if len(data) > limit:
            response.close()
            raise InvalidInput(f"the catalog's answer has more than {limit} bytes")
        response.release_conn()
        return Answer(response.status, response.headers.get("ETag", ""), data)

    def _renew_token(self, renewals: int) -> None:
        """Request a new token, unless another thread has done so since."""
        with self._renewing:
            if self._renewals == renewals:
                self._renewals += 1
                self._renew()


def _get_request_target(url: str) -> str:
    """The part of a URL that goes into the request line."""
    return f"/{url.partition('://')[2].partition('/')[2]}"


def _build_pool(session: Session, url: str) -> HTTPConnectionPool | None:
    """The session's connection pool for a server, used directly to save the session's work per request; None if that work is
    needed, for a proxy or for signatures.
    """
    prepared = session.prepare_request(Request("GET", url))
    settings = session.merge_environment_settings(prepared.url or url, {}, stream=True, verify=None, cert=None)
    adapter = session.get_adapter(prepared.url or url)
    if not isinstance(adapter, _Adapter) or select_proxy(prepared.url or url, settings["proxies"]) is not None:
        return None
    return adapter.get_connection_with_tls_context(prepared, settings["verify"], cert=settings["cert"])


MAX_PAGES = 100_000


class _Name(msgspec.Struct):
    namespace: tuple[str, ...]
    name: str


class _Page(msgspec.Struct, rename="kebab"):
    """A page of any list."""

    namespaces: tuple[tuple[str, ...], ...] = ()
    identifiers: tuple[_Name, ...] = ()
    next_page_token: str | None = None


class _Error(msgspec.Struct):
    message: str = ""
    type: str = ""


class _ErrorAnswer(msgspec.Struct):
    error: _Error


class RestAccess(LibraryCatalog):
    """Access to one REST catalog; see `LibraryCatalog`."""

    catalog: TimedCatalog

    def __init__(self, name: str, properties: Mapping[str, Any], redact: Redaction) -> None:
        """Connect to the catalog. Raises InvalidInput, StoreUnavailable."""
        super().__init__(lambda: TimedCatalog(name, **properties), redact)
        catalog = self.catalog
        # The server's separator of namespaces and its endpoints are private in pyiceberg.
        self._separator = catalog._namespace_separator  # noqa: SLF001
        # Nessie has views, but does not state which requests it knows.
        is_nessie = str(catalog.properties.get("nessie.is-nessie-catalog")).lower() == "true"
        self._has_views = is_nessie or Capability.V1_LIST_VIEWS in catalog._supported_endpoints  # noqa: SLF001
        self._transport = Transport(catalog._session, catalog.uri, lambda: self.call(catalog._refresh_token))  # noqa: SLF001
        self._namespaces = catalog.url("namespaces")
        self._page_size = {"pageSize": str(size)} if (size := catalog.properties.get(PAGE_SIZE)) else {}

    def list_namespaces(self, parent: Identifier) -> list[Identifier]:
        pages = self._read_pages(self._namespaces, {"parent": self._separator.join(parent)} if parent else {})
        return sorted({one for page in pages for one in page.namespaces if one and one[:-1] == parent})

    def list_tables(self, namespace: Identifier) -> list[Identifier]:
        return self._list_identifiers(namespace, "tables")

    def list_views(self, namespace: Identifier) -> list[Identifier]:
        """The views of a namespace; empty if the server has no views."""
        return self._list_identifiers(namespace, "views") if self._has_views else []

    def load(self, identifier: Identifier, tag: str, *, is_view: bool) -> LoadedMetadata | None:
        url = f"{self._build_url(identifier[:-1])}/{'views' if is_view else 'tables'}/{quote(identifier[-1], safe='')}"
        answer = self._transport.get(url, MAX_BYTES, tag)
        if answer.status == 304:
            return None
        if answer.status != 200:
            self._refuse(answer.status, answer.data)
        metadata, location = parse_view_answer(answer.data) if is_view else parse_table_answer(answer.data)
        is_same = not answer.etag and location and location == tag
        return None if is_same else LoadedMetadata(metadata, answer.etag or location)

    def read_management(self, shape: type[T], segments: Sequence[str]) -> T:
        """An answer of Polaris's management interface, which is beside that of the catalog. `segments`: the decoded parts of its address.
        Raises InvalidInput, StoreUnavailable.
        """
        base, found, _ = self.catalog.uri.rstrip("/").rpartition(CATALOG_PATH)
        if not found:
            raise InvalidInput(f"grants are read of Polaris, the address of which ends in {CATALOG_PATH}", "grants")
        answer = self._transport.get(f"{base}{MANAGEMENT_PATH}/{'/'.join(quote(one, safe='') for one in segments)}", MAX_BYTES)
        if answer.status != 200:
            self._refuse(answer.status, answer.data)
        try:
            return msgspec.json.decode(answer.data, type=shape)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidInput(f"the management interface does not answer as Polaris does: {error}", "/".join(segments)) from None

    def _build_url(self, namespace: Identifier) -> str:
        separator = quote(self._separator, safe="")
        return f"{self._namespaces}/{separator.join(quote(level, safe='') for level in namespace)}"

    def _list_identifiers(self, namespace: Identifier, what: str) -> list[Identifier]:
        pages = self._read_pages(f"{self._build_url(namespace)}/{what}", {})
        return [(*one.namespace, one.name) for page in pages for one in page.identifiers if one.namespace == namespace]

    def _read_pages(self, url: str, parameters: Mapping[str, str]) -> Iterator[_Page]:
        """The pages of a list. Raises InvalidInput if the list does not end."""
        token = ""
        for _ in range(MAX_PAGES):
            query = urlencode({**parameters, "pageToken": token, **self._page_size})
            answer = self._transport.get(f"{url}?{query}", MAX_BYTES)
            if answer.status != 200:
                self._refuse(answer.status, answer.data)
            try:
                page = _page.decode(answer.data)
            except (msgspec.MsgspecError, RecursionError) as error:
                raise InvalidInput(f"the catalog's answer is not a list: {error}") from None
            yield page
            if not page.next_page_token or page.next_page_token == token:
                return
            token = page.next_page_token
        raise InvalidInput(f"the catalog's list has more than {MAX_PAGES} pages")

    def _refuse(self, status: int, data: bytes) -> NoReturn:
        try:
            error = _error.decode(data).error
        except (msgspec.MsgspecError, RecursionError):
            error = _Error()
        if status == 404 and error.type.startswith("NoSuch"):
            raise Gone
        message = f"HTTP {status} {self.redact(f'{error.type}: {error.message}'.strip(': '))}".strip()
        if status in TOKEN_EXPIRED:
            raise StoreUnavailable(f"the catalog refuses access: {message}; set the property token, credential or auth")
        raise InvalidInput(f"the catalog cannot load it: {message}")


_page = msgspec.json.Decoder(_Page)
_error = msgspec.json.Decoder(_ErrorAnswer)

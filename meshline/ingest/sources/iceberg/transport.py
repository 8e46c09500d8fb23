"""Requests to a REST catalog with pyiceberg's session: its token, certificates and proxies; bounded, and tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pyiceberg.catalog.rest import RestCatalog
from requests import PreparedRequest, Request, RequestException, Response, Session
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from meshline.errors import InvalidInput, StoreUnavailable

CONNECT, READ = 10.0, 60.0  # seconds to connect, and between two bytes
WAITS = (0.5, 2.0)  # seconds before each further try
CONNECTIONS = 64
OF_THE_SERVER = frozenset({429, 502, 503, 504})  # not of the one table
_NEEDLESS = ("X-Iceberg-Access-Delegation", "Content-type", "Connection", "Accept")  # nobody wants storage credentials
TOKEN_ENDED = frozenset({401, 419})


class Answer(NamedTuple):
    status: int
    etag: str
    data: bytes


class _Adapter(HTTPAdapter):
    """Waits for no answer for ever."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        kwargs["timeout"] = kwargs.get("timeout") or (CONNECT, READ)
        return super().send(request, *args, **kwargs)


class TimedCatalog(RestCatalog):
    """pyiceberg's, with time limits."""

    def _config_headers(self, session: Session) -> None:
        """The first thing that a session of pyiceberg's goes through, before it asks for a token."""
        super()._config_headers(session)
        session.mount("http://", _Adapter(pool_connections=4, pool_maxsize=CONNECTIONS))
        session.mount("https://", _Adapter(pool_connections=4, pool_maxsize=CONNECTIONS))
        session.max_redirects = 1


class Transport:
    """GET requests, from any thread. `renew`: asks for a new token."""

    def __init__(self, session: Session, base: str, renew: Callable[[], object]) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._renew = renew
        self._renewing = threading.Lock()
        self._renewals = 0
        self._pool = _pool(session, self._base)
        # Compressed answers have another ETag than the one that may be asked for again.
        self._headers: dict[str, str] = {**session.headers, "Accept-Encoding": "identity"}
        for name in _NEEDLESS:
            self._headers.pop(name, None)
        self._timeout = Timeout(connect=CONNECT, read=READ)

    def get(self, url: str, limit: int, tag: str = "") -> Answer:
        """An answer of at most `limit` bytes; with `tag` it is wanted only if it has another. If the server is away or busy
        there are further tries. Raises StoreUnavailable, InvalidInput if the answer is too large.
        """
        headers = {**self._headers, "If-None-Match": tag} if tag else self._headers
        waits, renewals = iter(WAITS), self._renewals
        while True:
            try:
                answer = self._answer(url, headers, limit)
            except (RequestException, HTTPError, OSError) as error:
                problem = type(error).__name__
            else:
                if answer.status in TOKEN_ENDED and renewals == self._renewals:
                    self._renewed(renewals)
                    continue
                if answer.status not in OF_THE_SERVER:
                    return answer
                problem = f"HTTP {answer.status}"
            wait = next(waits, None)
            if wait is None:
                raise StoreUnavailable(f"the catalog does not answer: {problem}")
            time.sleep(wait)

    def _answer(self, url: str, headers: Mapping[str, str], limit: int) -> Answer:
        if self._pool is not None and url.startswith(self._base):
            token = self._session.auth.auth_manager.auth_header()  # type: ignore[union-attr]
            response: BaseHTTPResponse = self._pool.urlopen(
                "GET",
                _path(url),
                headers={**headers, "Authorization": token} if token else headers,
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=self._timeout,
            )
        else:
            plain = {name: headers.get(name) for name in (*headers, *_NEEDLESS)}  # None takes the session's away
            response = self._session.get(url, headers=plain, stream=True, allow_redirects=False).raw  # type: ignore[arg-type]
        data = response.read(limit + 1, decode_content=True)
        if len(data) > limit:
            response.close()
            raise InvalidInput(f"an answer of more than {limit} bytes")
        response.release_conn()
        return Answer(response.status, response.headers.get("ETag", ""), data)

    def _renewed(self, renewals: int) -> None:
        """Ask for a new token, if no other thread has since."""
        with self._renewing:
            if self._renewals == renewals:
                self._renewals += 1
                self._renew()


def _path(url: str) -> str:
    """What of a URL goes into the request line."""
    return f"/{url.partition('://')[2].partition('/')[2]}"


def _pool(session: Session, url: str) -> HTTPConnectionPool | None:
    """The session's connections to a server, without its work for each request; None if that is needed: for a proxy, or signatures."""
    prepared = session.prepare_request(Request("GET", url))
    settings = session.merge_environment_settings(prepared.url or url, {}, stream=True, verify=None, cert=None)
    adapter = session.get_adapter(prepared.url or url)
    if not isinstance(adapter, _Adapter) or select_proxy(prepared.url or url, settings["proxies"]) is not None:
        return None
    return adapter.get_connection_with_tls_context(prepared, settings["verify"], cert=settings["cert"])

"""An OpenID provider: its document and its signing keys, fetched by discovery, and how this server asks it for anything at all.

Document and keys are fetched together, and used until they are FRESH_SECONDS old; then they are fetched again while the old ones go on.
Where the provider does not answer, they are used until they are STALE_SECONDS old. A token with an unknown key has them fetched again, at
most every UNKNOWN_SECONDS and once for all callers that wait: otherwise any caller could make this server ask the provider all the time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx

from meshline.errors import ProviderUnavailable

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey, RSAKey

SMALLEST_RSA = 2048  # bits
DISCOVERY = "/.well-known/openid-configuration"
ANSWER_BYTES = 256 * 1024
ANSWER_SECONDS = 5.0  # for discovery and keys together, and for each other answer
FRESH_SECONDS = 600.0
STALE_SECONDS = 86_400.0
UNKNOWN_SECONDS = 30.0
RETRY_SECONDS = 5.0  # after a failure, as long as there are no keys
UNAVAILABLE = "the identity provider does not answer, so that no token of it can be checked: try again"

log = logging.getLogger("meshline.api")


class ProviderFault(Exception):
    """An answer of the provider that cannot be used."""


class ProviderDocument(NamedTuple):
    """The addresses that a provider names by discovery; empty: it has none. `names_issuer`: its answers to a browser have `iss` (RFC 9207).
    `posts_secret`: it accepts the secret of a client in the body alone.
    """

    authorization: str = ""
    token: str = ""
    userinfo: str = ""
    end_session: str = ""
    introspection: str = ""
    names_issuer: bool = False
    posts_secret: bool = False


class Provider:
    """The document and the keys of a provider, by the id of the key. Used by one thread."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self.issuer = issuer
        self._clock = clock
        self._document = ProviderDocument()
        self._keys: Mapping[str, RSAKey | ECKey | OKPKey] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def get_document(self) -> ProviderDocument:
        """Raises ProviderUnavailable if it is not known."""
        await self._refresh()
        return self._document

    async def find_key(self, key_id: str, *, soon: bool = False) -> RSAKey | ECKey | OKPKey | None:
        """The key with this id; None if the provider does not list it. Raises ProviderUnavailable if its keys are not known.

        `soon`: a key that is not known is looked for at once, for a token that comes from the provider itself: it may have changed its
        keys within the last seconds.
        """
        await self._refresh()
        found = self._keys.get(key_id)
        if found is None and (soon or self._fetching is not None or self._clock() - self._tried >= UNKNOWN_SECONDS):
            await self._fetch()
            found = self._keys.get(key_id)
        return found

    async def _refresh(self) -> None:
        """Raises ProviderUnavailable."""
        if self._measure_age() > STALE_SECONDS:
            if self._fetching is None and self._clock() - self._tried < RETRY_SECONDS:
                raise ProviderUnavailable(UNAVAILABLE)
            await self._fetch()
            if self._measure_age() > STALE_SECONDS:
                raise ProviderUnavailable(UNAVAILABLE)
        elif self._measure_age() > FRESH_SECONDS and self._clock() - self._tried >= UNKNOWN_SECONDS:
            self._begin_fetch()

    def _measure_age(self) -> float:
        return self._clock() - self._fetched

    async def _fetch(self) -> None:
        """Returns when the fetch under way has ended, well or not. A caller that goes away does not end it for the others."""
        await asyncio.shield(self._begin_fetch())

    def _begin_fetch(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._tried = self._clock()
            self._fetching = asyncio.create_task(self._replace_keys())
        return self._fetching

    async def _replace_keys(self) -> None:
        try:
            self._document, self._keys = await _fetch_provider(self.issuer)
            self._fetched = self._clock()
        except (ProviderFault, httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            log.warning("the keys of the identity provider %s were not fetched: %s", self.issuer, reason)
        finally:
            self._fetching = None

    async def get_object(self, address: str, token: str) -> dict[str, Any]:
        """What the provider answers to the owner of an access token. Raises ProviderUnavailable."""
        return (await self._ask("GET", address, {"Authorization": f"Bearer {token}"}, {}, (httpx.codes.OK,)))[1]

    async def post_form(self, address: str, fields: Mapping[str, str], client: ProviderClient) -> tuple[int, dict[str, Any]]:
        """The status and the answer to a client that sends a form; 400 and 401 have a reason (`error`). Raises ProviderUnavailable."""
        given, headers = dict(fields), {}
        if not client.secret or self._document.posts_secret:
            given |= {"client_id": client.name} | ({"client_secret": client.secret} if client.secret else {})
        else:
            pair = f"{quote(client.name, safe='')}:{quote(client.secret, safe='')}"  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return await self._ask("POST", address, headers, given, (httpx.codes.OK, httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED))

    async def _ask(
        self, method: str, address: str, headers: Mapping[str, str], fields: Mapping[str, str], expected: Collection[int]
    ) -> tuple[int, dict[str, Any]]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS), _connect() as client:
                return await _read_json(client, method, address, headers, fields, expected)
        except (ProviderFault, httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            log.warning("the identity provider %s has not answered as expected: %s", self.issuer, str(error) or type(error).__name__)
            raise ProviderUnavailable("the identity provider does not answer as it should: try again") from error


class ProviderClient(NamedTuple):
    """A client of the provider. `secret`: empty for a public one."""

    name: str
    secret: str = ""


def _connect() -> httpx.AsyncClient:
    """A client that follows no redirect: it could lead to any host."""
    return httpx.AsyncClient(follow_redirects=False, timeout=ANSWER_SECONDS)


async def _fetch_provider(issuer: str) -> tuple[ProviderDocument, Mapping[str, RSAKey | ECKey | OKPKey]]:
    """Raises ProviderFault, HTTPError and TimeoutError."""
    async with asyncio.timeout(ANSWER_SECONDS), _connect() as client:
        document = await _get_json(client, issuer.rstrip("/") + DISCOVERY)
        if document.get("issuer") != issuer:
            raise ProviderFault(f"{issuer}{DISCOVERY} is the document of another issuer")
        address = _find_address(document, "jwks_uri")
        if not address:
            raise ProviderFault("the address of its keys (jwks_uri) is no https:// address")
        keys = await _get_json(client, address)
    found = _read_keys(keys.get("keys"))
    if not found:
        raise ProviderFault(f"{address} has no key that can be used: a key has an id, and is of RSA from {SMALLEST_RSA} bits, EC or OKP")
    return _parse_document(document), found


def _parse_document(document: Mapping[str, Any]) -> ProviderDocument:
    ways = document.get("token_endpoint_auth_methods_supported")
    return ProviderDocument(
        authorization=_find_address(document, "authorization_endpoint"),
        token=_find_address(document, "token_endpoint"),
        userinfo=_find_address(document, "userinfo_endpoint"),
        end_session=_find_address(document, "end_session_endpoint"),
        introspection=_find_address(document, "introspection_endpoint"),
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        posts_secret=isinstance(ways, list) and "client_secret_post" in ways and "client_secret_basic" not in ways,
    )


def _find_address(document: Mapping[str, Any], name: str) -> str:
    """An address that a document names, and that may be asked; empty if there is none."""
    found = document.get(name)
    return found if isinstance(found, str) and is_safe_address(found) else ""


async def _get_json(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    return (await _read_json(client, "GET", address, {}, {}, (httpx.codes.OK,)))[1]


async def _read_json(
    client: httpx.AsyncClient, method: str, address: str, headers: Mapping[str, str], fields: Mapping[str, str], expected: Collection[int]
) -> tuple[int, dict[str, Any]]:
    """The status, one of `expected`, and a JSON object of limited size."""
    given = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
    async with client.stream(method, address, headers=given, data=dict(fields) or None) as answer:
        if answer.status_code not in expected:
            raise ProviderFault(f"{address} answers with HTTP status {answer.status_code}")
        body = bytearray()
        async for part in answer.aiter_raw():
            body += part
            if len(body) > ANSWER_BYTES:
                raise ProviderFault(f"{address} answers with more than {ANSWER_BYTES} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderFault(f"{address} does not answer with JSON") from error
    if not isinstance(found, dict):
        raise ProviderFault(f"{address} does not answer with a JSON object")
    return answer.status_code, found


def _read_keys(listed: object) -> Mapping[str, RSAKey | ECKey | OKPKey]:
    """Those of a list of keys that can be used, by their id: what else a provider lists must not make its other keys useless."""
    from joserfc.errors import JoseError  # noqa: PLC0415 - an extra
    from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey  # noqa: PLC0415

    found: dict[str, RSAKey | ECKey | OKPKey] = {}
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP") or not isinstance(entry.get("kid"), str):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of short keys, which are not used
                key = JWKRegistry.import_key(entry)
                if isinstance(key, RSAKey) and key.raw_value.key_size < SMALLEST_RSA:
                    continue
        except (JoseError, ValueError, TypeError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            found[entry["kid"]] = key
    return found


def is_safe_address(address: str) -> bool:
    """Whether what comes from an address is of its host: https, or http of this machine."""
    try:
        parts = urlsplit(address)
        return (parts.scheme == "https" and bool(parts.hostname)) or (
            parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
        )
    except ValueError:
        return False

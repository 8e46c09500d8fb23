"""Bearer tokens (JWT) of an OpenID provider: its signing keys, fetched by discovery, and the checks of a token.

The keys are fetched once and used until they are FRESH_SECONDS old; then they are fetched again while the old ones go on. Where the
provider does not answer, they are used until they are STALE_SECONDS old. A token with an unknown key has them fetched again, at most
every UNKNOWN_SECONDS and once for all callers that wait: otherwise any caller could make this server ask the provider all the time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from meshline.app.grants import Grant, Principal, build_actor
from meshline.app.settings import Settings
from meshline.app.tokens import Actor, TokenRefused
from meshline.errors import InvalidInput, ProviderUnavailable, require_extra

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey, RSAKey

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")  # never one of a shared secret, and never none
TYPES = ("at+jwt", "application/at+jwt", "jwt")  # RFC 9068, and what providers write that do not follow it
CLIENTS = ("client_id", "azp", "appid", "cid")  # claims that name the client of an access token
LEEWAY = 30  # seconds between two clocks
LONGEST = 16_384  # characters of a token
LONGEST_NAME = 200
SMALLEST_RSA = 2048  # bits
DISCOVERY = "/.well-known/openid-configuration"
ANSWER_BYTES = 256 * 1024
ANSWER_SECONDS = 5.0  # for discovery and keys together
FRESH_SECONDS = 600.0
STALE_SECONDS = 86_400.0
UNKNOWN_SECONDS = 30.0
RETRY_SECONDS = 5.0  # after a failure, as long as there are no keys

log = logging.getLogger("meshline.api")


class ProviderFault(Exception):
    """An answer of the provider that cannot be used."""


class SigningKeys:
    """The keys of a provider by their id. Used by one thread."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._issuer = issuer
        self._clock = clock
        self._keys: Mapping[str, RSAKey | ECKey | OKPKey] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find_key(self, key_id: str) -> RSAKey | ECKey | OKPKey | None:
        """The key with this id; None if the provider does not list it. Raises ProviderUnavailable if its keys are not known."""
        if self._measure_age() > STALE_SECONDS:
            if self._fetching is None and self._clock() - self._tried < RETRY_SECONDS:
                raise ProviderUnavailable(UNAVAILABLE)
            await self._fetch()
            if self._measure_age() > STALE_SECONDS:
                raise ProviderUnavailable(UNAVAILABLE)
        elif self._measure_age() > FRESH_SECONDS and self._clock() - self._tried >= UNKNOWN_SECONDS:
            self._begin_fetch()
        found = self._keys.get(key_id)
        if found is None and (self._fetching is not None or self._clock() - self._tried >= UNKNOWN_SECONDS):
            await self._fetch()
            found = self._keys.get(key_id)
        return found

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
            self._keys = await _fetch_keys(self._issuer)
            self._fetched = self._clock()
        except (ProviderFault, httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            log.warning("the keys of the identity provider %s were not fetched: %s", self._issuer, reason)
        finally:
            self._fetching = None


UNAVAILABLE = "the identity provider does not answer, so that no token of it can be checked: try again"


async def _fetch_keys(issuer: str) -> Mapping[str, RSAKey | ECKey | OKPKey]:
    """The signing keys of a provider. Raises ProviderFault, HTTPError and TimeoutError."""
    async with asyncio.timeout(ANSWER_SECONDS), httpx.AsyncClient(follow_redirects=False, timeout=ANSWER_SECONDS) as client:
        document = await _get_json(client, issuer.rstrip("/") + DISCOVERY)
        if document.get("issuer") != issuer:
            raise ProviderFault(f"{issuer}{DISCOVERY} is the document of another issuer")
        address = document.get("jwks_uri")
        if not isinstance(address, str) or not is_safe_address(address):
            raise ProviderFault("the address of its keys (jwks_uri) is no https:// address")
        keys = await _get_json(client, address)
    found = _read_keys(keys.get("keys"))
    if not found:
        raise ProviderFault(f"{address} has no key that can be used: a key has an id, and is of RSA from {SMALLEST_RSA} bits, EC or OKP")
    return found


async def _get_json(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """A JSON object of limited size. A redirect is not followed: it could lead to any host."""
    async with client.stream("GET", address, headers={"Accept": "application/json"}) as answer:
        if answer.status_code != httpx.codes.OK:
            raise ProviderFault(f"{address} answers with HTTP status {answer.status_code}")
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > ANSWER_BYTES:
                raise ProviderFault(f"{address} answers with more than {ANSWER_BYTES} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderFault(f"{address} does not answer with JSON") from error
    if not isinstance(found, dict):
        raise ProviderFault(f"{address} does not answer with a JSON object")
    return found


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


class TokenIssuer:
    """The identity provider of the settings: finds the caller by a token of it."""

    def __init__(
        self, issuer: str, audience: str, groups: str, name: str, grants: Sequence[Grant], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`groups`, `name`: claims, see the settings."""
        self._issuer = issuer
        self._audience = audience
        self._groups = groups
        self._name = name
        self._grants = grants
        self._keys = SigningKeys(issuer, clock)

    async def find_actor(self, token: str) -> Actor:
        """The caller with this token. Raises TokenRefused, and ProviderUnavailable."""
        claims = await self._verify(token)
        return build_actor(self._read_principal(claims), self._grants)

    async def _verify(self, token: str) -> dict[str, Any]:
        """The claims of a token, all of which are checked but those that name the caller."""
        from joserfc import jws, jwt  # noqa: PLC0415 - an extra
        from joserfc.errors import BadSignatureError, JoseError  # noqa: PLC0415

        if len(token) > LONGEST:
            raise _build_refusal(f"it has more than {LONGEST} characters")
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError, RecursionError) as error:
            raise _build_refusal("it is no signed JWT") from error
        algorithm, kind, key_id = header.get("alg"), header.get("typ"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise _build_refusal(f"its algorithm is none of {', '.join(ALGORITHMS)}")
        if not isinstance(kind, str) or kind.lower() not in TYPES:
            raise _build_refusal("its type (`typ`) is not that of an access token: at+jwt or JWT")
        if not isinstance(key_id, str):
            raise _build_refusal("it does not name its key (`kid`)")
        key = await self._keys.find_key(key_id)
        if key is None:
            raise _build_refusal("the identity provider does not list the key that it names")
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # EdDSA is the old name of Ed25519, which providers write
                claims = jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
        except BadSignatureError as error:
            raise _build_refusal("its signature is wrong") from error
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise _build_refusal("its key does not fit its algorithm, or its content is no JSON object") from error
        self._check_claims(claims)
        return claims

    def _check_claims(self, claims: dict[str, Any]) -> None:
        from joserfc import jwt  # noqa: PLC0415 - an extra
        from joserfc.errors import ClaimError, ExpiredTokenError  # noqa: PLC0415

        try:
            jwt.JWTClaimsRegistry(
                now=lambda: time.time_ns() // 1_000_000_000,
                leeway=LEEWAY,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(claims)
        except ExpiredTokenError as error:
            raise TokenRefused("this token has expired: get a new one from the identity provider", "expired_token") from error
        except ClaimError as error:
            raise _build_refusal(SENTENCES.get(error.claim, f"its claim `{error.claim}` is wrong").format(self._audience)) from error
        client = _find_client(claims)
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if client is None or client in audiences or claims.get("typ") in ("ID", "Refresh", "Logout"):
            raise _build_refusal(
                "it is no access token: it names no client (`client_id`, `azp`), or is for its own client, as ID tokens are"
            )

    def _read_principal(self, claims: dict[str, Any]) -> Principal:
        client, subject = _find_client(claims), claims["sub"]
        groups = self._read_groups(claims)
        if subject == client or claims.get("idtyp") == "app":
            return Principal(_check_name(client, "client_id"), groups, service=True)
        return Principal(_check_name(claims.get(self._name), self._name), groups)

    def _read_groups(self, claims: dict[str, Any]) -> frozenset[str]:
        """The groups of a token. That it does not list them because they are too many is refused, and not read as none."""
        if self._groups in claims:
            found = claims[self._groups]
        else:
            found = claims
            for part in self._groups.split("."):
                found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            elsewhere = claims.get("_claim_names")
            if claims.get("hasgroups") or (isinstance(elsewhere, dict) and self._groups in elsewhere):
                raise _build_refusal(
                    "its caller has too many groups, so that it does not list them: have the provider list those of meshline"
                )
            return frozenset()
        listed = [found] if isinstance(found, str) else found
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise _build_refusal(f"its groups (`{self._groups}`) are no list of names")
        return frozenset(listed)


SENTENCES = {
    "iss": "it is of another issuer",
    "aud": "it is for another audience: have the identity provider put {} into `aud`",
    "sub": "it does not name its subject (`sub`), which must be a text",
    "exp": "it has no end (`exp`) that is a number",
    "nbf": "it is not valid yet (`nbf`)",
    "iat": "it was issued in the future (`iat`)",
}


def _build_refusal(reason: str) -> TokenRefused:
    return TokenRefused(f"this token of the identity provider is refused: {reason}", "invalid_jwt")


def _find_client(claims: Mapping[str, Any]) -> str | None:
    return next((claims[name] for name in CLIENTS if isinstance(claims.get(name), str) and claims[name]), None)


def _check_name(name: object, claim: str) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise _build_refusal(f"its caller has no name in `{claim}`: 1 to {LONGEST_NAME} printable characters")
    return name


def has_form_of_jwt(token: str) -> bool:
    """Whether a token may be a JWT: three parts, of which the first is JSON. No token of `meshline token new` has dots."""
    return token.startswith("ey") and token.count(".") == 2


def build_issuer(settings: Settings) -> TokenIssuer | None:
    """The identity provider of the settings, if any. Raises InvalidInput if they are not complete, and MissingExtra."""
    if settings.oidc_issuer is None:
        return None
    if not is_safe_address(settings.oidc_issuer):
        raise InvalidInput(
            "the identity provider needs an https:// address: a machine in between could give this server other keys", "oidc_issuer"
        )
    if settings.oidc_audience is None:
        raise InvalidInput("is needed with `oidc_issuer`: without it, tokens for other services would open this one", "oidc_audience")
    with require_extra("oidc", "checking tokens of an identity provider"):
        import joserfc  # noqa: F401, PLC0415
    return TokenIssuer(settings.oidc_issuer, settings.oidc_audience, settings.oidc_groups, settings.oidc_name, settings.grants)

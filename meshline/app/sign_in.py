"""People who sign in at the page: the authorization code flow of OpenID Connect with PKCE, and what the provider reports of their ends.

Between its two steps the browser keeps one random secret, in a cookie; `state`, `nonce` and the PKCE verifier are made of it. So the server
keeps nothing, and each of several servers may answer the second step: it comes from the browser that began, or is refused.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from meshline.app.denials import Denial, DenialKind
from meshline.app.grants import Principal
from meshline.app.oidc import LONGEST_NAME, TokenIssuer, build_refusal, check_standard_claims, verify_signature
from meshline.app.provider import Provider, ProviderClient, is_safe_address
from meshline.app.sessions import LONGEST as SESSION_MICROS
from meshline.app.sessions import SECOND, Session, digest_secret, generate_secret
from meshline.app.settings import Settings
from meshline.errors import InvalidInput, ProviderUnavailable
from meshline.graph.model import get_current_micros

CALLBACK, SIGNED_OUT = "/sign-in/callback", "/"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LONGEST_PATH = 2_000  # characters
LONGEST_CODE = 4_096
AT_ONCE = 8  # sign-ins that ask the provider at the same time; the others wait
PATIENCE = 10.0  # seconds that one waits for its turn
DAY = 86_400 * SECOND
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # of this server: no address of another one, and no backslash, which browsers read as a slash
_ERROR = re.compile(r"[a-z_]{1,60}")


class SignInBegun(NamedTuple):
    """`address`: of the provider, where the person signs in. `name`: of this one of several sign-ins of a browser, which keeps `secret`."""

    address: str
    name: str
    secret: str


class SignedOut(NamedTuple):
    """What a logout token states. `token`: its `jti`; `until`: its end, in microseconds."""

    token: str
    until: int
    denial: Denial


class SignIn:
    """The client of the page at the provider."""

    def __init__(self, issuer: TokenIssuer, client: ProviderClient, scopes: str, web_address: str) -> None:
        self.web_address = web_address
        self._issuer = issuer
        self._client = client
        self._scopes = " ".join(dict.fromkeys(["openid", *scopes.split()]))
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def _provider(self) -> Provider:
        return self._issuer.provider

    async def begin(self, path: str) -> SignInBegun:
        """`path`: of this server, where the person is led back to. Raises InvalidInput and ProviderUnavailable."""
        check_path(path)
        document = await self._provider.get_document()
        if not document.authorization or not document.token:
            raise ProviderUnavailable("the identity provider names no https:// addresses for signing in (authorization and token endpoint)")
        secret = generate_secret()
        asked = {
            "response_type": "code",
            "client_id": self._client.name,
            "redirect_uri": self.web_address + CALLBACK,
            "scope": self._scopes,
            "state": derive_text(secret, "state"),
            "nonce": derive_text(secret, "nonce"),
            "code_challenge": _encode(hashlib.sha256(derive_text(secret, "verifier").encode()).digest()),
            "code_challenge_method": "S256",
        }
        separator = "&" if urlsplit(document.authorization).query else "?"
        return SignInBegun(document.authorization + separator + urlencode(asked), asked["state"][:16], f"{secret}.{_encode(path.encode())}")

    async def finish(self, kept: str, given: Mapping[str, str]) -> tuple[Session, str, str]:
        """The session of the person, its secret, and the path to lead to. `kept`: the secret of the browser; `given`: by the provider.

        Raises InvalidInput, TokenRefused and ProviderUnavailable.
        """
        secret, _, path = kept.partition(".")
        state = given.get("state", "")
        if not secret or not hmac.compare_digest(derive_text(secret, "state").encode(), state.encode()):
            raise InvalidInput(OTHER_BROWSER)
        document = await self._provider.get_document()
        named = given.get("iss")
        if named != self._provider.issuer and (named is not None or document.names_issuer):
            raise InvalidInput("this answer is of another identity provider (`iss`): sign in again")
        if "error" in given:
            shown = given["error"] if _ERROR.fullmatch(given["error"]) else "error"
            raise InvalidInput(f"the identity provider has refused the sign-in ({shown})")
        code = given.get("code", "")
        if not 0 < len(code) <= LONGEST_CODE:
            raise InvalidInput("the answer of the identity provider has no code: sign in again")
        async with self._wait_for_turn():
            answer = await self._exchange_code(document.token, code, derive_text(secret, "verifier"))
            claims = await self._check_id_token(answer.get("id_token"), derive_text(secret, "nonce"))
            claims = await self._add_user_info(document.userinfo, claims, answer.get("access_token"))
        found = generate_session(self._issuer.claims.read_person(claims), claims)
        return *found, _decode_path(path)

    async def _exchange_code(self, address: str, code: str, verifier: str) -> Mapping[str, Any]:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.web_address + CALLBACK,
            "code_verifier": verifier,
        }
        status, answer = await self._provider.post_form(address, fields, self._client)
        if status != 200 or "error" in answer:
            reason = answer.get("error")
            shown = reason if isinstance(reason, str) and _ERROR.fullmatch(reason) else f"HTTP status {status}"
            raise InvalidInput(f"the identity provider has refused the code of this sign-in ({shown}): sign in again")
        return answer

    async def _check_id_token(self, token: object, nonce: str) -> dict[str, Any]:
        """Its claims (OpenID Connect Core 1.0, 3.1.3.7)."""
        if not isinstance(token, str):
            raise build_refusal("there is no ID token: the client needs the scope openid")
        claims = await verify_signature(token, self._provider, ("jwt",), untyped=True, soon=True)
        check_standard_claims(claims, self._provider.issuer, self._client.name)
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client.name) != self._client.name:
            raise build_refusal("it was issued to another client (`azp`)")
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise build_refusal("it is of another sign-in (`nonce`)")
        if isinstance(claims.get("iat"), bool) or not isinstance(claims.get("iat"), int | float):
            raise build_refusal("it does not state when it was issued (`iat`)")
        return claims

    async def _add_user_info(self, address: str, claims: dict[str, Any], token: object) -> dict[str, Any]:
        """The claims of the ID token, with those that the provider lists elsewhere, where the name or the groups are missing."""
        names = self._issuer.claims
        complete = claims.get(names.name) is not None and names.find_groups(claims) is not None
        if complete or not address or not isinstance(token, str):
            return claims
        found = await self._provider.get_object(address, token)
        if found.get("sub") != claims["sub"]:
            raise build_refusal("the identity provider has answered with claims of another person (`sub`)")
        return {**found, **claims}

    async def build_end_address(self) -> str:
        """Where the session at the provider ends, too (RP-initiated logout); empty if the provider has no such address."""
        try:
            document = await self._provider.get_document()
        except ProviderUnavailable:
            return ""
        if not document.end_session:
            return ""
        asked = {"client_id": self._client.name, "post_logout_redirect_uri": self.web_address + SIGNED_OUT}
        return document.end_session + ("&" if urlsplit(document.end_session).query else "?") + urlencode(asked)

    async def read_logout(self, token: str) -> SignedOut:
        """What a logout token states (OpenID Connect Back-Channel Logout 1.0, 2.6). Raises TokenRefused and ProviderUnavailable."""
        claims = await verify_signature(token, self._provider, ("logout+jwt", "jwt"), untyped=True)
        check_standard_claims(claims, self._provider.issuer, self._client.name, subject=False)
        events, name = claims.get("events"), claims.get("jti")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise build_refusal("it is no logout token (`events`)")
        if "nonce" in claims:
            raise build_refusal("a logout token has no `nonce`")
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise build_refusal("it has no name (`jti`)")
        issued = claims.get("iat")
        if isinstance(issued, bool) or not isinstance(issued, int | float):
            raise build_refusal("it does not state when it was issued (`iat`)")
        kind = DenialKind.SID if "sid" in claims else DenialKind.SUB
        value = claims.get(kind)
        if not isinstance(value, str) or not value:
            raise build_refusal("it names neither a session (`sid`) nor a person (`sub`)")
        now = get_current_micros()
        denial = Denial(
            kind=kind, value=value, at=now, until=now + DAY, issued=int(issued) if kind is DenialKind.SUB else None, by=PROVIDER
        )
        return SignedOut(name, int(claims["exp"]) * SECOND + 60 * SECOND, denial)

    @asynccontextmanager
    async def _wait_for_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turns.acquire()
        except TimeoutError as error:
            raise ProviderUnavailable("many people sign in at this moment, and the identity provider is slow: try again") from error
        try:
            yield
        finally:
            self._turns.release()


PROVIDER = "identity provider"  # the actor of what it reports
OTHER_BROWSER = "this sign-in did not begin in this browser, has been finished before, or took longer than ten minutes: sign in again"


def generate_session(person: Principal, claims: Mapping[str, Any]) -> tuple[Session, str]:
    """A session and its secret. `claims`: of the ID token."""
    secret, now = generate_secret(), get_current_micros()
    sid = claims.get("sid")
    session = Session(
        digest=digest_secret(secret),
        name=person.name,
        groups=tuple(sorted(person.groups)),
        shown=person.shown or person.name,
        subject=claims["sub"],
        sid=sid if isinstance(sid, str) else "",
        issued=int(claims["iat"]),
        begun=now,
        ends=now + SESSION_MICROS,
    )
    return session, secret


def check_path(path: str) -> None:
    """Raises InvalidInput for what could lead a person to another server, or round in a circle."""
    if len(path) > LONGEST_PATH or not _PATH.fullmatch(path) or path.startswith(("/sign-in", "/sign-out")):
        raise InvalidInput(f"a path of this server is accepted, like /search?q=orders: at most {LONGEST_PATH} characters of ASCII", "to")


def _decode_path(text: str) -> str:
    """The path that a browser has kept; the first page for what is none."""
    try:
        path = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        check_path(path)
    except (ValueError, InvalidInput):
        return "/"
    return path


def derive_text(secret: str, purpose: str) -> str:
    """A text for one purpose that shows nothing of the secret, nor of what is made of it for another."""
    return _encode(hmac.digest(secret.encode(), purpose.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def build_sign_in(settings: Settings, issuer: TokenIssuer | None) -> SignIn | None:
    """The sign-in of the settings; None if there is none. Raises InvalidInput if they are not complete."""
    if settings.oidc_web_client is None:
        return None
    if issuer is None:
        raise InvalidInput("is needed with `oidc_web_client`", "oidc_issuer")
    address = (settings.web_address or "").rstrip("/")
    parts = urlsplit(address)
    if not is_safe_address(address) or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise InvalidInput(
            "is needed with `oidc_web_client`: https:// and the name of the host, without a path (http:// on this machine alone)",
            "web_address",
        )
    secret = settings.oidc_web_secret
    client = ProviderClient(settings.oidc_web_client, "" if secret is None else secret.get_secret_value())
    return SignIn(issuer, client, settings.oidc_web_scopes, address)

"""Tokens that are no JWT: the provider is asked about each (RFC 7662), and its answer counts for at most a minute."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from meshline.app.oidc import LONGEST, TokenIssuer, build_refusal
from meshline.app.provider import ProviderClient
from meshline.app.settings import Settings
from meshline.app.tokens import Actor, TokenRefused
from meshline.errors import InvalidInput, ProviderUnavailable

CACHE_SECONDS = 60.0
MOST = 10_000  # answers that are kept; refusals, too: a caller who repeats a wrong token does not make this server ask again
AT_ONCE = 8  # questions at the same time; the others wait
PATIENCE = 5.0  # seconds that one waits for its turn
DAY = 86_400


class Introspector:
    """Finds the caller by an opaque token. Used by one thread."""

    def __init__(self, issuer: TokenIssuer, client: ProviderClient, clock: Callable[[], float] = time.monotonic) -> None:
        """`client`: which may ask the provider. `clock`: seconds."""
        self._issuer = issuer
        self._client = client
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._known: OrderedDict[bytes, tuple[float, Mapping[str, Any]]] = OrderedDict()  # the claims, none of an invalid one, by digest

    async def find_actor(self, token: str) -> Actor:
        """The caller with this token. Raises TokenRefused, and ProviderUnavailable."""
        if len(token) > LONGEST:
            raise build_refusal(f"it has more than {LONGEST} characters")
        digest = hashlib.sha256(token.encode()).digest()
        at, claims = self._known.get(digest, (float("-inf"), {}))
        if self._clock() - at > CACHE_SECONDS:
            claims = await self._ask(token)
            self._known[digest] = (self._clock(), claims)
            self._known.move_to_end(digest)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        if not claims:
            raise TokenRefused("neither this server nor the identity provider knows the token: it may have expired", "unknown_token")
        self._issuer.check_claims(claims)
        return self._issuer.build_actor(claims)

    async def _ask(self, token: str) -> Mapping[str, Any]:
        """The claims of a token; none of one that is not active. Raises ProviderUnavailable."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turns.acquire()
        except TimeoutError as error:
            raise ProviderUnavailable("the identity provider is slow, and many tokens wait to be checked: try again") from error
        try:
            document = await self._issuer.provider.get_document()
            if not document.introspection:
                raise ProviderUnavailable("the identity provider has no address at which it could be asked about a token (RFC 7662)")
            fields = {"token": token, "token_type_hint": "access_token"}
            status, found = await self._issuer.provider.post_form(document.introspection, fields, self._client)
        finally:
            self._turns.release()
        if status != 200:
            raise ProviderUnavailable("the identity provider does not answer questions of `oidc_introspection_client` about tokens")
        if found.get("active") is not True or str(found.get("token_type", "")).lower() not in ("", "bearer", "access_token"):
            return {}
        issuer = self._issuer.provider.issuer
        return {"iss": issuer, "exp": int(time.time()) + DAY, **found}  # which an answer may leave out: the provider has checked them


def build_introspector(settings: Settings, issuer: TokenIssuer | None) -> Introspector | None:
    """That of the settings; None if there is none. Raises InvalidInput if they are not complete."""
    if settings.oidc_introspection_client is None:
        return None
    if issuer is None:
        raise InvalidInput("is needed with `oidc_introspection_client`", "oidc_issuer")
    if settings.oidc_introspection_secret is None:
        raise InvalidInput(
            "is needed with `oidc_introspection_client`: providers answer only clients that they know", "oidc_introspection_secret"
        )
    return Introspector(issuer, ProviderClient(settings.oidc_introspection_client, settings.oidc_introspection_secret.get_secret_value()))

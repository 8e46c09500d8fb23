"""Bearer tokens (JWT) of an OpenID provider: the checks of a token, and the caller that it names."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from meshline.app.denials import DenyList
from meshline.app.grants import Grant, Principal, build_actor
from meshline.app.provider import Provider, is_safe_address
from meshline.app.settings import Settings
from meshline.app.tokens import Actor, TokenRefused
from meshline.errors import InvalidInput, require_extra

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")  # never one of a shared secret, and never none
TYPES = ("at+jwt", "application/at+jwt", "jwt")  # RFC 9068, and what providers write that do not follow it
CLIENTS = ("client_id", "azp", "appid", "cid")  # claims that name the client of an access token
SHOWN = ("name", "preferred_username", "email")  # claims with a name for people, which gives no rights
LEEWAY = 30  # seconds between two clocks
LONGEST = 16_384  # characters of a token
LONGEST_NAME = 200


class ClaimNames(NamedTuple):
    """The claims that name the caller, see the settings. `agents`: clients that act for the people whose tokens they have."""

    groups: str
    name: str
    agents: frozenset[str] = frozenset()

    def read_principal(self, claims: Mapping[str, Any]) -> Principal:
        """The caller of an access token. Raises TokenRefused."""
        client, subject = find_client(claims), claims["sub"]
        groups = self.read_groups(claims)
        if subject == client or claims.get("idtyp") == "app":
            if "act" in claims:
                raise build_refusal("it is of a service that acts for another service (`act`), whose rights are not known")
            return Principal(_check_name(client, "client_id"), groups, service=True)
        agent = self._find_agent(claims, client)
        return Principal(_check_name(claims.get(self.name), self.name), groups, agent=agent, shown=find_shown_name(claims))

    def read_person(self, claims: Mapping[str, Any]) -> Principal:
        """The person of an ID token. Raises TokenRefused."""
        return Principal(_check_name(claims.get(self.name), self.name), self.read_groups(claims), shown=find_shown_name(claims))

    def read_groups(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The groups of a caller. That a token does not list them because they are too many is refused, and not read as none."""
        found = self.find_groups(claims)
        if found is None:
            elsewhere = claims.get("_claim_names")
            if claims.get("hasgroups") or (isinstance(elsewhere, dict) and self.groups in elsewhere):
                raise build_refusal(
                    "its caller has too many groups, so that it does not list them: have the provider list those of meshline"
                )
            return frozenset()
        listed = [found] if isinstance(found, str) else found
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise build_refusal(f"its groups (`{self.groups}`) are no list of names")
        return frozenset(listed)

    def find_groups(self, claims: Mapping[str, Any]) -> object:
        """The claim with the groups, as it is; None if there is none."""
        if self.groups in claims:
            return claims[self.groups]
        found: Any = claims
        for part in self.groups.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def _find_agent(self, claims: Mapping[str, Any], client: str | None) -> str | None:
        """The service that acts for the person of a token: that which `act` names (RFC 8693, 4.1; of a chain the last one, which is the
        outermost), else its client, if that is listed as an agent. None if the person acts.
        """
        if "act" in claims:
            acting = claims["act"] if isinstance(claims["act"], dict) else {}
            if acting.get("iss", claims["iss"]) != claims["iss"]:
                raise build_refusal("the service that acts for its caller (`act`) is of another issuer")
            return _check_name(acting.get("client_id") or acting.get("sub"), "act")
        return client if client in self.agents else None


class TokenIssuer:
    """The identity provider of the settings: finds the caller by a token of it."""

    def __init__(
        self, provider: Provider, audience: str, claims: ClaimNames, grants: Sequence[Grant], denials: DenyList | None = None
    ) -> None:
        """`denials`: tokens that are refused although they are good."""
        self.provider = provider
        self.claims = claims
        self._audience = audience
        self._grants = grants
        self._denials = denials

    async def find_actor(self, token: str) -> Actor:
        """The caller with this token. Raises TokenRefused, and ProviderUnavailable."""
        claims = await verify_signature(token, self.provider, TYPES)
        self.check_claims(claims)
        return self.build_actor(claims)

    def build_actor(self, claims: Mapping[str, Any]) -> Actor:
        """The caller of a token whose claims are checked. Raises TokenRefused."""
        if self._denials is not None:
            self._denials.check_claims(claims)
        return build_actor(self.claims.read_principal(claims), self._grants)

    def check_claims(self, claims: Mapping[str, Any]) -> None:
        """Raises TokenRefused unless these are the claims of an access token for this server, which is valid now."""
        check_standard_claims(claims, self.provider.issuer, self._audience)
        client = find_client(claims)
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if client is None or client in audiences or claims.get("typ") in ("ID", "Refresh", "Logout"):
            raise build_refusal(
                "it is no access token: it names no client (`client_id`, `azp`), or is for its own client, as ID tokens are"
            )


async def verify_signature(
    token: str, provider: Provider, types: Collection[str], *, untyped: bool = False, soon: bool = False
) -> dict[str, Any]:
    """The claims of a token that the provider has signed. They are not checked. Raises TokenRefused, and ProviderUnavailable.

    `types`: accepted as `typ`, in lower case; `untyped`: it may be missing. `soon`: see `Provider.find_key`.
    """
    from joserfc import jws, jwt  # noqa: PLC0415 - an extra
    from joserfc.errors import BadSignatureError, JoseError  # noqa: PLC0415

    if len(token) > LONGEST:
        raise build_refusal(f"it has more than {LONGEST} characters")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, RecursionError) as error:
        raise build_refusal("it is no signed JWT") from error
    algorithm, kind, key_id = header.get("alg"), header.get("typ"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise build_refusal(f"its algorithm is none of {', '.join(ALGORITHMS)}")
    if not (untyped and kind is None) and (not isinstance(kind, str) or kind.lower() not in types):
        raise build_refusal(f"its type (`typ`) is none of these: {', '.join(types)}")
    if not isinstance(key_id, str):
        raise build_refusal("it does not name its key (`kid`)")
    key = await provider.find_key(key_id, soon=soon)
    if key is None:
        raise build_refusal("the identity provider does not list the key that it names")
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # EdDSA is the old name of Ed25519, which providers write
            return jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
    except BadSignatureError as error:
        raise build_refusal("its signature is wrong") from error
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise build_refusal("its key does not fit its algorithm, or its content is no JSON object") from error


def check_standard_claims(claims: Mapping[str, Any], issuer: str, audience: str, *, subject: bool = True) -> None:
    """Raises TokenRefused unless a token is of this issuer, for this audience, and valid now. `subject`: it has to name its subject."""
    from joserfc import jwt  # noqa: PLC0415 - an extra
    from joserfc.errors import ClaimError, ExpiredTokenError  # noqa: PLC0415

    try:
        jwt.JWTClaimsRegistry(
            now=lambda: time.time_ns() // 1_000_000_000,
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": subject},
        ).validate(dict(claims))
    except ExpiredTokenError as error:
        raise TokenRefused("this token has expired: get a new one from the identity provider", "expired_token") from error
    except ClaimError as error:
        raise build_refusal(SENTENCES.get(error.claim, f"its claim `{error.claim}` is wrong").format(audience)) from error


SENTENCES = {
    "iss": "it is of another issuer",
    "aud": "it is for another audience: have the identity provider put {} into `aud`",
    "sub": "it does not name its subject (`sub`), which must be a text",
    "exp": "it has no end (`exp`) that is a number",
    "nbf": "it is not valid yet (`nbf`)",
    "iat": "it was issued in the future (`iat`)",
}


def build_refusal(reason: str) -> TokenRefused:
    return TokenRefused(f"this token of the identity provider is refused: {reason}", "invalid_jwt")


def find_client(claims: Mapping[str, Any]) -> str | None:
    """The client that a token was issued to."""
    return next((claims[name] for name in CLIENTS if isinstance(claims.get(name), str) and claims[name]), None)


def find_shown_name(claims: Mapping[str, Any]) -> str:
    """A name for people; empty if there is none that can be shown."""
    found = (claims.get(name) for name in SHOWN)
    return next((one for one in found if isinstance(one, str) and 0 < len(one) <= LONGEST_NAME and one.isprintable()), "")


def _check_name(name: object, claim: str) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise build_refusal(f"its caller has no name in `{claim}`: 1 to {LONGEST_NAME} printable characters")
    return name


def has_form_of_jwt(token: str) -> bool:
    """Whether a token may be a JWT: three parts, of which the first is JSON. No token of `meshline token new` has dots."""
    return token.startswith("ey") and token.count(".") == 2


def build_issuer(settings: Settings, denials: DenyList | None = None, clock: Callable[[], float] = time.monotonic) -> TokenIssuer | None:
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
    claims = ClaimNames(settings.oidc_groups, settings.oidc_name, frozenset(settings.oidc_agents))
    return TokenIssuer(Provider(settings.oidc_issuer, clock), settings.oidc_audience, claims, settings.grants, denials)

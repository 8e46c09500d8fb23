"""Authentication of every request, and authorisation by its address. A path that is not ours needs a token.

GraphQL has one path: mutations are authorised in `graphql.context`, the audit log in `graphql.compliance`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from functools import lru_cache, partial

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from meshline.api.addresses import get_matched_path
from meshline.api.errors import NO_TOKEN, CrossSite, Forbidden, Unauthenticated, WrongHost, build_error_response
from meshline.api.permissions import check_access, check_grants, check_role, check_whole
from meshline.api.resource_metadata import build_metadata_hint
from meshline.api.session_cookie import SessionCookie
from meshline.api.trusted_proxy import TrustedProxy
from meshline.app.access_file import AccessFile
from meshline.app.access_journal import AccessJournal
from meshline.app.access_rules import AccessRules, check_audit
from meshline.app.grants import Principal, build_actor
from meshline.app.introspection import Introspector
from meshline.app.oidc import TokenIssuer, has_form_of_jwt
from meshline.app.settings import Settings
from meshline.app.threads import run_in_thread
from meshline.app.tokens import NO_AUTHENTICATION, PREFIX, AccessScope, Actor, Role, TokenRefused, TokenRegister
from meshline.errors import InvalidInput, MeshlineError, NotPermitted, NotReady, ProviderUnavailable, StoreUnavailable
from meshline.governance.audit import AccessEvent

GRAPHQL = "/graphql"  # of what it answers, only mutations are refused by themselves
EXPOSURE_MESSAGE = """\
the server would listen on {host}, which other machines can reach, without tokens: every caller could read and write, in any name.
Make tokens with `meshline token new NAME --role reader` and put them into the settings file (see docs/operations.md),
or listen on 127.0.0.1, or, if a proxy in front of it authenticates callers, give `--insecure` (MESHLINE_INSECURE=true)."""


@lru_cache(maxsize=1_024)
def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address, or a name for this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def check_exposure(settings: Settings) -> None:
    """Raises InvalidInput if other machines could reach a server that does not authenticate them."""
    if not (is_loopback(settings.host) or settings.authenticates or settings.insecure):
        raise InvalidInput(EXPOSURE_MESSAGE.format(host=settings.host).replace("\n", " "), "--host")


class AllowedHosts:
    """The host names that clients may use for this server.

    A page of a foreign site can let its own name point to 127.0.0.1 and then call this server as if it were that site ("DNS
    rebinding"): the browser sends the site's name. Tokens prevent that; without them the name must be one of this server's.
    """

    def __init__(self, settings: Settings) -> None:
        self._any = not settings.allowed_hosts and (settings.authenticates or not is_loopback(settings.host))
        self._names = frozenset(name.lower() for name in settings.allowed_hosts)

    def check_host(self, headers: Headers) -> None:
        """Raises WrongHost if the Host header has no allowed name."""
        if self._any:
            return
        given = headers.get("host", "")
        name, separator, port = given.rpartition(":")
        host = (name if separator and port.isdigit() else given).lower()
        if not (host in self._names or is_loopback(host)):
            raise WrongHost("the Host header does not name this server: the setting `allowed_hosts` lists the accepted names")


class AuthMiddleware:
    """Refuses requests without the needed role. Sets `scope["state"]["actor"]`: None for an unknown caller of a path that needs no role."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        tokens: TokenRegister,
        refused: Callable[[str], None],
        rules: AccessFile | None = None,
        issuer: TokenIssuer | None = None,
        proxy: TrustedProxy | None = None,
        cookie: SessionCookie | None = None,
        journal: AccessJournal | None = None,
        introspector: Introspector | None = None,
    ) -> None:
        """`refused` gets the reason of each refusal. `rules`: who may see which assets; None: each caller sees all. `issuer`: the
        identity provider whose tokens are accepted, too. `proxy`: names callers in headers. `cookie`: of people who have signed in at
        the page. `journal`: of denials; needed with `issuer`. `introspector`: asks about tokens that are no JWT.
        """
        self.app = app
        self._tokens = tokens
        self._issuer = issuer
        self._proxy = proxy
        self._cookie = cookie
        self._journal = journal
        self._introspector = introspector
        self._grants = settings.grants
        self._hint = build_metadata_hint(settings)
        self._hosts = AllowedHosts(settings)
        self._refused = refused
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            actor = await self._authenticate(scope, Headers(scope=scope))
            scope["state"]["actor"] = actor
            if actor is not None:
                await self._check_view(scope, actor)
        except _REFUSALS as error:
            self._refused(_classify_refusal(error))
            scope["state"]["code"] = error.code
            if isinstance(error, Forbidden | NotPermitted):
                _count_refused_write(scope)
            if isinstance(error, Unauthenticated | Forbidden):
                error.challenge += self._hint
            await build_error_response(error, scope)(scope, receive, send)
            return
        await self.app(scope, receive, send)
        if scope["state"]["code"] == NotPermitted.code:
            _count_refused_write(scope, GRAPHQL)

    async def _authenticate(self, scope: Scope, headers: Headers) -> Actor | None:
        self._hosts.check_host(headers)
        self._tokens.look()
        if self._rules is not None:
            await self._rules.look()
        named = None if self._proxy is None else self._proxy.find_principal(scope, headers)
        if not self._tokens.needed and self._issuer is None and self._proxy is None:
            return NO_AUTHENTICATION
        needed = _find_role(scope)
        try:
            actor = await self._find_actor(scope, headers, named)
        except (Unauthenticated, ProviderUnavailable, NotReady, StoreUnavailable, CrossSite):
            if needed is None:
                return None
            raise
        if needed is None:
            return None if actor.scopes == frozenset() else actor
        scope["state"]["actor"] = actor
        check_grants(actor)
        check_role(actor, needed)
        check_access(actor, _find_scopes(scope))
        return actor

    async def _find_actor(self, scope: Scope, headers: Headers, named: Principal | None) -> Actor:
        """The caller of the token, else the one that a proxy names, else the one who has signed in."""
        given = _parse_token(headers)
        if given is None and named is None and self._cookie is not None:
            named = self._cookie.find_principal(scope, headers)
        if given is None and named is not None:
            return build_actor(named, self._grants)
        if given is None:
            raise Unauthenticated(
                "send a token: `Authorization: Bearer ...`, or MESHLINE_TOKEN or `meshline login` for the command line", NO_TOKEN
            )
        try:
            if self._issuer is not None and self._journal is not None and has_form_of_jwt(given):
                self._journal.check_current()
                return await self._issuer.find_actor(given)
            if self._introspector is not None and self._journal is not None and not given.startswith(PREFIX):
                self._journal.check_current()
                return await self._introspector.find_actor(given)
            return self._tokens.find_actor(given)
        except TokenRefused as error:
            raise Unauthenticated(str(error), error.reason) from error

    async def _check_view(self, scope: Scope, actor: Actor) -> None:
        """Raises NotPermitted for an address that answers with more than a caller may see, or accepts more than it may send."""
        matched = get_matched_path(scope)
        offer = None if matched is None else matched.find_offer(scope)
        if self._rules is None or offer is None or offer.role is None or offer.restricted:
            return
        check = partial(_check_offer, self._rules.rules, offer.scopes, offer.role, actor)
        if self._rules.rules.policies is None:
            check()
        else:
            await run_in_thread(check)  # what policies decide about a new caller may take some tenths of a second


def _check_offer(rules: AccessRules, scopes: Collection[AccessScope], role: Role, actor: Actor) -> None:
    """As `_check_view`, for an address that is not restricted."""
    if AccessScope.METRICS in scopes:
        check_audit(rules, actor, "this address answers")
        return
    check_whole(rules, actor, role)


def _count_refused_write(scope: Scope, *others: str) -> None:
    """Count a refused request in the audit log, if it would write and its caller is known: others would fill it.

    `others`: paths that write although their role is that of readers.
    """
    actor: Actor | None = scope["state"]["actor"]
    matched, resources = get_matched_path(scope), scope["app"].state.service.resources_or_none
    offer = None if matched is None else matched.find_offer(scope)
    if actor is None or not actor.name or matched is None or offer is None or resources is None:
        return
    if offer.role in (Role.WRITER, Role.ADMIN) or matched.template in others:
        resources.access_log.count(AccessEvent.REFUSED_WRITE, actor.name, f"{scope['method']} {matched.template}")


def _find_role(scope: Scope) -> Role | None:
    """The minimum role for a request; None = no authentication."""
    matched = get_matched_path(scope)
    if matched is None:
        return Role.READER  # also for paths that do not exist: an unknown caller does not learn which do
    return matched.find_role(scope)


def _find_scopes(scope: Scope) -> Collection[AccessScope]:
    """The scopes of which a token with scopes needs one for a request; none for what does not exist."""
    matched = get_matched_path(scope)
    return () if matched is None else matched.find_scopes(scope)


_REFUSALS = (
    *(Unauthenticated, Forbidden, NotPermitted, WrongHost, ProviderUnavailable, InvalidInput, CrossSite),
    *(NotReady, StoreUnavailable),  # that sessions and denials are not known
)


def _parse_token(headers: Headers) -> str | None:
    """The bearer token of a request (RFC 6750, 2.1), or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _classify_refusal(error: MeshlineError) -> str:
    """The reason for a refusal: one of `metrics.REFUSALS`."""
    if isinstance(error, Unauthenticated):
        return error.reason
    if isinstance(error, NotPermitted):
        return "view"
    reasons = (
        (ProviderUnavailable, "provider"),
        (InvalidInput, "proxy"),
        (CrossSite, "origin"),
        (NotReady, "store"),
        (StoreUnavailable, "store"),
    )
    for kind, reason in reasons:
        if isinstance(error, kind):
            return reason
    return "role" if isinstance(error, Forbidden) else "host"

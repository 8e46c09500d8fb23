"""Who may do what: a gate before every address. What no rule opens is closed."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from meshline.api.errors import Forbidden, Unauthenticated, WrongHost, build_error_response
from meshline.app.settings import Settings
from meshline.app.tokens import NO_AUTHENTICATION, Actor, Role, Tokens
from meshline.errors import InvalidInput, MeshlineError

EXPOSURE_MESSAGE = """\
it would listen on {host}, where others reach it, and there are no tokens: whoever asks could read, write and speak in anybody's name.
Make tokens with `meshline token new NAME --role reader` and put them into the settings file (docs/operations.md tells how),
or listen on 127.0.0.1, or, if something before it asks who it is, say `--insecure` (MESHLINE_INSECURE=true)."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address, or a name means this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def check_exposure(settings: Settings) -> None:
    """Raises InvalidInput if strangers would reach a server that does not ask who they are."""
    if not (is_loopback(settings.host) or settings.tokens or settings.insecure):
        raise InvalidInput(EXPOSURE_MESSAGE.format(host=settings.host).replace("\n", " "), "--host")


class AllowedHosts:
    """The names under which clients may ask.

    A page of a foreign site may let its own name point to 127.0.0.1 and then call us as if we were that site ("DNS
    rebinding"): its browser sends the site's name. Tokens stop that; without them the name must be one of ours.
    """

    def __init__(self, settings: Settings) -> None:
        self._any = not settings.allowed_hosts and (bool(settings.tokens) or not is_loopback(settings.host))
        self._names = frozenset(name.lower() for name in settings.allowed_hosts)

    def check_host(self, headers: Headers) -> None:
        """Raises WrongHost."""
        if self._any:
            return
        given = headers.get("host", "")
        name, separator, port = given.rpartition(":")
        host = (name if separator and port.isdigit() else given).lower()
        if not (host in self._names or is_loopback(host)):
            raise WrongHost("this server does not go by the name in the Host header: the setting `allowed_hosts` lists the names")


class AuthMiddleware:
    """Lets through who may. Puts the Actor into `scope["state"]["actor"]`: None for a stranger at an open door."""

    def __init__(self, app: ASGIApp, needed: Mapping[str, Role | None], settings: Settings, refused: Callable[[str], None]) -> None:
        """`needed`: the role that each path needs, None for none. `refused` is called with the reason for each request that is refused."""
        self.app = app
        self._needed = needed
        self._tokens = Tokens(settings.tokens)
        self._hosts = AllowedHosts(settings)
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            scope["state"]["actor"] = self._authenticate(scope["path"], Headers(scope=scope))
        except _REFUSALS as error:
            self._refused(_classify_refusal(error))
            scope["state"]["code"] = error.code
            await build_error_response(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _authenticate(self, path: str, headers: Headers) -> Actor | None:
        self._hosts.check_host(headers)
        if not self._tokens:
            return NO_AUTHENTICATION
        given = _parse_token(headers)
        actor = None if given is None else self._tokens.find_actor(given)
        needed = self._needed.get(path, Role.READER)  # of what is not there, too: strangers do not learn what is
        if needed is None:
            return actor
        if actor is None:
            raise _build_unauthenticated(given)
        check_role(actor, needed)
        return actor


_REFUSALS = (Unauthenticated, Forbidden, WrongHost)


def check_role(actor: Actor, needed: Role) -> None:
    """Raises Forbidden."""
    if not actor.role.includes(needed):
        raise Forbidden(f"this needs a token with the role {needed}, and {actor.name!r} has the role {actor.role}", needed)


def get_actor(request: Request) -> Actor | None:
    """Who asks; None for a stranger, who gets no further than health checks."""
    actor: Actor | None = request.state.actor
    return actor


def _parse_token(headers: Headers) -> str | None:
    """The token of a request (RFC 6750, 2.1), or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _build_unauthenticated(given: str | None) -> Unauthenticated:
    if given is None:
        return Unauthenticated("send a token: `Authorization: Bearer ...`, or MESHLINE_TOKEN for the command line", unknown=False)
    return Unauthenticated("this token is not known here: it may have been withdrawn", unknown=True)


def _classify_refusal(error: MeshlineError) -> str:
    """A refusal as metrics count it."""
    if isinstance(error, Unauthenticated):
        return "unknown_token" if "invalid_token" in error.challenge else "no_token"
    return "role" if isinstance(error, Forbidden) else "host"

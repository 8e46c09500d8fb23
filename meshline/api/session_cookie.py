"""The cookie of a session at the page. Browsers add it by themselves: so a request that writes has to come from the page itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from meshline.api.errors import CrossSite, Unauthenticated
from meshline.app.access_journal import AccessJournal
from meshline.app.grants import Principal
from meshline.app.sessions import Session
from meshline.app.tokens import TokenRefused

PREFIX = "__Host-"  # browsers accept such a cookie over https alone, for exactly this host, and from no other one
NAME = "meshline"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MOST_SIGN_INS = 5  # that one browser has begun and not finished; one more makes it forget them


class SessionCookie:
    """Reads and writes the cookies of one server. On http://, which is for this machine alone, a cookie cannot have the prefix; since all
    ports of a machine share their cookies, its name has the port.
    """

    def __init__(self, web_address: str, journal: AccessJournal) -> None:
        parts = urlsplit(web_address)
        self._origin = web_address
        self._secure = parts.scheme == "https"
        self.name = PREFIX + NAME if self._secure else f"{NAME}-{parts.port or 80}"
        self._journal = journal

    def find_principal(self, scope: Scope, headers: Headers) -> Principal | None:
        """The person of the session; None without a cookie. Raises Unauthenticated, CrossSite, NotReady and StoreUnavailable."""
        secret = self.read(headers)
        if secret is None:
            return None
        if scope["method"] not in SAFE_METHODS:
            self.check_origin(headers)
        found = self.find_session(secret)
        if found is None:
            raise Unauthenticated("your session has ended: sign in again", "session")
        return found.principal

    def find_session(self, secret: str) -> Session | None:
        """The session with this secret, unless it has ended or is denied. Raises NotReady and StoreUnavailable."""
        self._journal.check_current()
        found = self._journal.sessions.find(secret)
        if found is None:
            return None
        try:
            self._journal.denials.check_claims({"sub": found.subject, "sid": found.sid, "iat": found.issued})
        except TokenRefused:
            return None
        return found

    def check_origin(self, headers: Headers) -> None:
        """Raises CrossSite unless a request comes from a page of this server. A browser names the origin of every request that writes."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin != self._origin or site not in (None, "same-origin"):
            raise CrossSite("only pages of this server may write in the name of their user: this request names another origin, or none")

    def read(self, headers: Headers) -> str | None:
        """The secret of the session that a browser sends."""
        return _parse_cookies(headers).get(self.name) or None

    def build(self, secret: str, seconds: int) -> str:
        """The header Set-Cookie with a secret; 0 seconds: without it."""
        return self._build(self.name, secret, seconds)

    def read_sign_in(self, headers: Headers, name: str) -> str:
        """What the browser keeps of a sign-in that it has begun; empty if it keeps none."""
        return _parse_cookies(headers).get(f"{self.name}-{name}", "")

    def build_sign_in(self, name: str, kept: str, seconds: int) -> str:
        """The header for that."""
        return self._build(f"{self.name}-{name}", kept, seconds)

    def list_forgotten(self, headers: Headers) -> list[str]:
        """Headers that delete the sign-ins of a browser which has begun many: a page of another site could open one after another."""
        begun = [one for one in _parse_cookies(headers) if one.startswith(f"{self.name}-")]
        return [self._build(one, "", 0) for one in begun] if len(begun) >= MOST_SIGN_INS else []

    def _build(self, name: str, value: str, seconds: int) -> str:
        return f"{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if self._secure else "")


def _parse_cookies(headers: Headers) -> dict[str, str]:
    return cookie_parser("; ".join(headers.getlist("cookie")))

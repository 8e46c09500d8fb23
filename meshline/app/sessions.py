"""Sessions of people who have signed in at the page: the browser has a random secret, this server its hash and who it is.

Tokens of the provider are not kept at all: what a session needs of them is read when the person signs in.
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec

from meshline.app.grants import Principal
from meshline.graph.model import get_current_micros

SECOND = 1_000_000
LONGEST = 8 * 3600 * SECOND  # microseconds of a session
IDLE = 3600 * SECOND  # without a request, after which it ends
NOTE = 900 * SECOND  # after this, another use is noted in the store: other servers, and this one after a restart, count from there
MOST = 100_000  # sessions at the same time


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """`digest`: of the secret. `name`, `groups`: of the person, see `Principal`. `shown`: a name for people, which gives no rights.

    `subject`, `sid`: the person and the session at the provider. `begun`, `ends`: microseconds; `issued`: of its ID token, in seconds.
    """

    digest: str
    name: str
    groups: tuple[str, ...]
    shown: str
    subject: str
    sid: str
    issued: int
    begun: int
    ends: int

    @property
    def principal(self) -> Principal:
        return Principal(self.name, frozenset(self.groups), shown=self.shown)


class SessionTable:
    """The sessions that have not ended, by the hash of their secret. Read by one thread while another changes it."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._uses: dict[str, int] = {}  # of this process
        self._noted: dict[str, int] = {}  # uses that the store knows

    def find(self, secret: str) -> Session | None:
        """The session with this secret, which is used by that; None if there is none, or it has ended."""
        found = self._sessions.get(digest_secret(secret))
        now = get_current_micros()
        if found is None or found.ends <= now or self._read_use(found) + IDLE <= now:
            return None
        self._uses[found.digest] = now
        return found

    def list_uses(self) -> dict[str, int]:
        """The last uses that are to be noted in the store: microseconds by digest."""
        return {one: at for one, at in dict(self._uses).items() if one in self._noted and at - self._noted[one] >= NOTE}

    def add(self, session: Session) -> None:
        self._sessions[session.digest] = session
        self._noted[session.digest] = session.begun

    def note_use(self, digest: str, at: int) -> None:
        if digest in self._noted:
            self._noted[digest] = max(self._noted[digest], at)

    def remove(self, digest: str) -> None:
        for table in (self._sessions, self._uses, self._noted):
            table.pop(digest, None)

    def prune(self, now: int) -> None:
        """Forget the sessions that have ended."""
        for found in list(self._sessions.values()):
            if found.ends <= now or self._read_use(found) + IDLE + NOTE <= now:
                self.remove(found.digest)

    def has_room(self) -> bool:
        return len(self._sessions) < MOST

    def list_digests(self) -> list[str]:
        return list(self._sessions)

    def _read_use(self, session: Session) -> int:
        return max(self._uses.get(session.digest, 0), self._noted.get(session.digest, 0))


def generate_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def digest_secret(secret: str) -> str:
    """The hash by which a session is found: fast and unsalted, see `tokens.hash_token`."""
    return hashlib.sha256(secret.encode()).hexdigest()

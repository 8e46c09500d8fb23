"""Bearer tokens, stored as hashes: their roles, scopes and ends, and the file that lists them, which is read again when it changes."""

from __future__ import annotations

import enum
import hashlib
import hmac
import logging
import secrets
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from meshline.errors import InvalidInput, MeshlineError

PREFIX = "meshline_"  # lets people, and scanners for secrets, recognise a token
# Of a token or a group. The length apart from the pattern, which takes 30 ms to compile if it counts.
Name: TypeAlias = Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w.@:/+-]+$")]
BYTES = 32  # of randomness
LOOK_SECONDS = 1.0  # between two looks whether the file of the tokens has changed

log = logging.getLogger("meshline.api")


class Role(enum.StrEnum):
    """The permissions of a token. Each role includes the ones before."""

    READER = "reader"  # queries, metrics, the description of the API
    WRITER = "writer"  # also sends events and mesh files
    ADMIN = "admin"  # also makes statements by hand: mutations

    def includes(self, needed: Role) -> bool:
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}


class AccessScope(enum.StrEnum):
    """A part of what roles permit. A token with scopes may do only these, of what its role permits."""

    READ = "read"  # queries, Marquez's addresses, the description of the API
    CHECK = "check"  # may a change ship?
    METRICS = "metrics"
    AUDIT = "audit"  # the audit log
    INGEST = "ingest"  # send events, mesh files and sources
    STATE = "state"  # statements by hand: mutations
    REQUEST = "request"  # ask for access, and decide about requests of others


ROLE_OF_SCOPE = {
    **dict.fromkeys((AccessScope.READ, AccessScope.CHECK, AccessScope.METRICS, AccessScope.REQUEST), Role.READER),
    **dict.fromkeys((AccessScope.AUDIT, AccessScope.INGEST), Role.WRITER),
    AccessScope.STATE: Role.ADMIN,
}
USUAL_SCOPE = {
    Role.READER: AccessScope.READ,
    Role.WRITER: AccessScope.INGEST,
    Role.ADMIN: AccessScope.STATE,
}  # of addresses that need a role
WITH_READ = (AccessScope.AUDIT, AccessScope.STATE, AccessScope.REQUEST)  # are parts of GraphQL, whose answers have fields of the graph


def check_scopes(role: Role, scopes: Iterable[AccessScope]) -> None:
    """Raises ValueError for scopes that a principal with this role cannot have."""
    given = frozenset(scopes)
    for scope in sorted(given):
        if not role.includes(ROLE_OF_SCOPE[scope]):
            raise ValueError(f"the scope {scope} needs the role {ROLE_OF_SCOPE[scope]}, and the role is {role}")
        if scope in WITH_READ and AccessScope.READ not in given:
            raise ValueError(f"the scope {scope} needs the scope read, too: its answers have fields of the graph")


class Token(BaseModel):
    """One entry of the settings: a token with its hash. Several entries of one name are one caller, who changes from one to the next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    role: Role
    hash: str = Field(pattern="^sha256:[0-9a-f]{64}$", repr=False)
    scopes: tuple[AccessScope, ...] | None = Field(default=None, min_length=1)
    expires: AwareDatetime | None = None
    groups: tuple[Name, ...] = ()

    @field_validator("expires", mode="before")
    @classmethod
    def _parse_end(cls, given: Any) -> Any:
        """A day counts to its end, in UTC. A number is refused: it does not show which day it is."""
        if isinstance(given, str) and len(given) == len("2027-01-31"):
            given = date.fromisoformat(given)
        if isinstance(given, date) and not isinstance(given, datetime):
            return datetime.combine(given + timedelta(days=1), day_time(), UTC)
        if given is None or isinstance(given, str | datetime):
            return given
        raise ValueError("accepted is a day or a time with its zone: 2027-01-31, 2027-01-31T12:00:00Z")

    @model_validator(mode="after")
    def _check_scopes(self) -> Token:
        check_scopes(self.role, self.scopes or ())
        return self

    @property
    def fingerprint(self) -> str:
        """Distinguishes the entries of one name, and reveals nothing: a part of the hash of 256 random bits."""
        return self.hash.removeprefix("sha256:")[:12]

    def build_actor(self) -> Actor:
        return Actor(self.name, self.role, None if self.scopes is None else frozenset(self.scopes), self.groups)


def check_tokens(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The same tokens. Raises ValueError if two of them contradict each other."""
    rights: dict[str, Actor] = {}
    for token in tokens:
        if rights.setdefault(token.name, token.build_actor()) != token.build_actor():
            raise ValueError(f"the entries of {token.name} differ in role, scopes or groups: who has one name has one set of rights")
    if len({token.hash for token in tokens}) < len(tokens):
        raise ValueError("two entries have the same hash: make a token for each with `meshline token new`")
    return tokens


class Actor(NamedTuple):
    """The caller. `name`: the name of the token; empty without authentication. `scopes`: None = all that the role permits.
    `groups`: those for which it acts (access rules). `parties`: a person and the service that acts for it, if that is so: what either of
    them may not see, the caller may not see. `shown`: a name for people, as the identity provider has it, which gives no rights.
    """

    name: str
    role: Role
    scopes: frozenset[AccessScope] | None = None
    groups: tuple[str, ...] = ()
    parties: tuple[Actor, ...] = ()
    shown: str = ""

    def may(self, scope: AccessScope) -> bool:
        return self.role.includes(ROLE_OF_SCOPE[scope]) and (self.scopes is None or scope in self.scopes)


NO_AUTHENTICATION = Actor("", Role.ADMIN)  # the caller if there are no tokens


class TokenRefused(MeshlineError):
    """A token that this server does not accept. `reason`: in one word, for metrics."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def generate_token() -> str:
    """A new random token, in lower case since some OpenLineage clients convert values from the environment to lower case."""
    return PREFIX + secrets.token_hex(BYTES)


def hash_token(token: str) -> str:
    """The hash of a token, as the settings store it.

    The hash is fast and unsalted on purpose. Slow, salted hashes (argon2, bcrypt) protect passwords that people
    choose, which are few enough to try; a token has 256 random bits, so it can neither be tried nor tabulated.
    So each request can afford the hash, and one look-up finds the entry.
    """
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a settings file. Raises InvalidInput, whose message has no hash."""
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("tokens", [])
        return check_tokens(_ENTRIES.validate_python(entries))
    except OSError as error:
        raise InvalidInput(f"cannot be read ({error.strerror or error})", str(path)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidInput(f"tokens: {'.'.join(map(str, first['loc']))}: {first['msg']}", str(path)) from error
    except ValueError as error:  # no TOML, no UTF-8, or entries that contradict each other
        raise InvalidInput(str(error), str(path)) from error


_ENTRIES = TypeAdapter(tuple[Token, ...])


class TokenRegister:
    """Finds the caller by a token. Used by one thread.

    The file, if the tokens are from one, is read again when it changes. One that cannot be used changes nothing, and is logged. A server
    that has once had tokens never lets in callers without one, even if the file loses the last of them.
    """

    def __init__(self, tokens: Iterable[Token], file: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, for the time between two looks at the file."""
        self._file = file
        self._clock = clock
        self._looked = clock()
        self._seen = self._identify()
        self._entries: list[tuple[bytes, Token]] = []
        self._uses: dict[str, int] = {}
        self.needed = False  # whether callers need a token
        self._replace(tokens)

    def look(self) -> None:
        """Read the file again if it has changed. It is looked at every LOOK_SECONDS."""
        if self._file is None or self._clock() - self._looked < LOOK_SECONDS:
            return
        self._looked = self._clock()
        found = self._identify()
        if found == self._seen:
            return
        self._seen = found
        try:
            before = {token for _, token in self._entries}
            self._replace(read_tokens(self._file))
        except InvalidInput as error:
            log.error("the tokens were not read again, and those from before count: %s", error)  # noqa: TRY400 - the sentence has it all
            return
        after = {token for _, token in self._entries}
        log.info("the tokens of %s were read again: %d are new, %d are gone", self._file, len(after - before), len(before - after))

    def find_actor(self, token: str) -> Actor:
        """The caller with this token. Compares with every entry, so that the time reveals nothing about any entry. Raises TokenRefused."""
        given = hash_token(token).encode()
        found: Token | None = None
        for known, entry in self._entries:
            if hmac.compare_digest(known, given):
                found = entry
        if found is None:
            raise TokenRefused("this server does not know the token: it may have been withdrawn", "unknown_token")
        now = time.time_ns()
        if found.expires is not None and now >= found.expires.timestamp() * 1e9:
            raise TokenRefused(f"this token expired at {found.expires.isoformat()}: ask for a new one", "expired_token")
        self._uses[found.fingerprint] = now // 1000
        return found.build_actor()

    def list_names(self) -> Mapping[str, str]:
        """The names of the tokens, by fingerprint."""
        return {token.fingerprint: token.name for _, token in self._entries}

    def list_uses(self) -> Mapping[str, int]:
        """The last use of each token that this process has been sent: microseconds by fingerprint."""
        return dict(self._uses)

    def _replace(self, tokens: Iterable[Token]) -> None:
        self._entries = [(token.hash.encode(), token) for token in tokens]
        self.needed = self.needed or bool(self._entries)

    def _identify(self) -> tuple[int, ...]:
        return () if self._file is None else identify_file(self._file)


def identify_file(file: Path) -> tuple[int, ...]:
    """What differs after a change of a file; empty if it is not there."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino

"""Who may ask: bearer tokens, known by their hashes, and the roles that they have."""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "meshline_"  # by which people, and scanners for secrets, know what it is
BYTES = 32  # of randomness


class Role(enum.StrEnum):
    """What somebody may do. Each role includes the ones before."""

    READER = "reader"  # ask: queries, metrics, what the API is
    WRITER = "writer"  # send events and mesh files
    ADMIN = "admin"  # say something by hand: mutations

    def includes(self, needed: Role) -> bool:
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}


class Token(BaseModel):
    """One entry of the settings: a token as it is known here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@:/+-]+$")
    role: Role
    hash: str = Field(pattern="^sha256:[0-9a-f]{64}$", repr=False)


class Actor(NamedTuple):
    """Who asks. `name` is the token's; empty where nobody is asked who it is."""

    name: str
    role: Role


NO_AUTHENTICATION = Actor("", Role.ADMIN)  # where there are no tokens


def generate_token() -> str:
    """A token that nobody can guess. In lower case: some OpenLineage clients make what comes from the environment so."""
    return PREFIX + secrets.token_hex(BYTES)


def hash_token(token: str) -> str:
    """A token as the settings keep it.

    A fast hash without salt, on purpose. Slow and salted ones (argon2, bcrypt) protect words that a person
    chose, of which there are few enough to try; a token is 256 random bits, of which nobody tries a fraction
    and nobody has a table. So each request can afford the hash, and one look-up finds the entry.
    """
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """Finds who holds a token."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._actors = [(token.hash.encode(), Actor(token.name, token.role)) for token in tokens]

    def __bool__(self) -> bool:
        return bool(self._actors)

    def find_actor(self, token: str) -> Actor | None:
        """Who holds a token. Compares with every entry, so that the time says nothing of any."""
        given = hash_token(token).encode()
        found: Actor | None = None
        for known, actor in self._actors:
            if hmac.compare_digest(known, given):
                found = actor
        return found

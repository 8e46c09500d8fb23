"""Bearer tokens, stored as hashes, and their roles."""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "meshline_"  # lets people, and scanners for secrets, recognise a token
BYTES = 32  # of randomness


class Role(enum.StrEnum):
    """The permissions of a token. Each role includes the ones before."""

    READER = "reader"  # queries, metrics, the description of the API
    WRITER = "writer"  # also sends events and mesh files
    ADMIN = "admin"  # also makes statements by hand: mutations

    def includes(self, needed: Role) -> bool:
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}


class Token(BaseModel):
    """One entry of the settings: a token with its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@:/+-]+$")
    role: Role
    hash: str = Field(pattern="^sha256:[0-9a-f]{64}$", repr=False)


class Actor(NamedTuple):
    """The caller. `name`: the name of the token; empty without authentication."""

    name: str
    role: Role


NO_AUTHENTICATION = Actor("", Role.ADMIN)  # the caller if there are no tokens


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


class Tokens:
    """Finds the caller by a token."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._actors = [(token.hash.encode(), Actor(token.name, token.role)) for token in tokens]

    def __bool__(self) -> bool:
        return bool(self._actors)

    def find_actor(self, token: str) -> Actor | None:
        """The caller with this token, or None. Compares with every entry, so that the time reveals nothing about any entry."""
        given = hash_token(token).encode()
        found: Actor | None = None
        for known, actor in self._actors:
            if hmac.compare_digest(known, given):
                found = actor
        return found

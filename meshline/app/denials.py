"""The deny list: callers, sessions and tokens of an identity provider that are refused although their tokens are good.

An entry has an end: tokens and sessions end by themselves, so that a list of all that was ever denied is not needed.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from meshline.app.tokens import TokenRefused
from meshline.errors import InvalidInput, LimitExceeded
from meshline.graph.model import get_current_micros

SECOND = 1_000_000
MOST = 50_000  # entries at the same time
LONGEST = 500  # characters of a value, and of a reason
LONGEST_DAYS = 3660


class DenialKind(enum.StrEnum):
    """The claim that an entry compares."""

    SUB = "sub"  # a person or a service
    SID = "sid"  # a session at the provider
    JTI = "jti"  # one token


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. `at`, `until`: from when to when it counts, in microseconds. `issued`: only tokens and sessions that were issued up to
    this second are refused, as after a sign-out of the person, who may sign in again; None: all.
    """

    kind: DenialKind
    value: str
    at: int
    until: int
    issued: int | None = None
    by: str = ""
    reason: str = ""


class DenyList:
    """The entries that count, by claim and value. Read by one thread while another changes it."""

    def __init__(self) -> None:
        self._entries: dict[tuple[DenialKind, str], Denial] = {}

    def check_claims(self, claims: Mapping[str, Any]) -> None:
        """Raises TokenRefused if the caller, the session or the token is denied. `claims`: those of the token, of which `iat` is one."""
        if not self._entries:
            return
        issued, now = claims.get("iat"), get_current_micros()
        for kind in DenialKind:
            value = claims.get(kind)
            found = self._entries.get((kind, value)) if isinstance(value, str) else None
            if found is None or found.until <= now:
                continue
            if found.issued is None or not isinstance(issued, int | float) or issued <= found.issued:
                raise TokenRefused(f"this server denies its caller, its session or this token (`{kind}`)", "denied")

    def add(self, denial: Denial) -> None:
        """Replaces an entry for the same value, unless that refuses more: a sign-out does not end what an administrator denies."""
        known = self._entries.get((denial.kind, denial.value))
        if known is None or known.until <= denial.at or known.issued is not None or denial.issued is None:
            self._entries[denial.kind, denial.value] = denial

    def remove(self, kind: DenialKind, value: str) -> None:
        self._entries.pop((kind, value), None)

    def prune(self, now: int) -> None:
        """Forget the entries that have ended."""
        self._entries = {key: one for key, one in self._entries.items() if one.until > now}

    def list_entries(self) -> list[Denial]:
        """Those that count now: the oldest first."""
        now = get_current_micros()
        return sorted((one for one in self._entries.values() if one.until > now), key=lambda one: (one.at, one.kind, one.value))

    def check_size(self) -> None:
        """Raises LimitExceeded if there is no room for one more."""
        if len(self._entries) >= MOST:
            raise LimitExceeded(f"the deny list has {MOST} entries: wait until some have ended, or remove some")


def build_denial(kind: DenialKind, value: str, until: int, by: str, reason: str) -> Denial:
    """An entry that an administrator makes. Raises InvalidInput."""
    now = get_current_micros()
    for where, text, least in (("value", value, 1), ("reason", reason, 0)):
        if not least <= len(text) <= LONGEST or not (text.isprintable() and text == text.strip()):
            raise InvalidInput(f"give {least} to {LONGEST} printable characters, without spaces around them", where)
    if not now < until <= now + LONGEST_DAYS * 86_400 * SECOND:
        raise InvalidInput(f"an entry ends in the future, within {LONGEST_DAYS} days", "until")
    return Denial(kind=kind, value=value, at=now, until=until, by=by, reason=reason)

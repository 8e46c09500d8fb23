"""What somebody is to be told, as the journal keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.owner_names import address
from meshline.graph.store.base import Kept, Record

NOTICE = "notice"
MOST_ASSETS = 50  # that one notice names
WEBHOOK = "webhook"  # the kind of the receiver that is told everything, once


class Receiver(msgspec.Struct, frozen=True, rename="camel"):
    """An owner or consumer, and how to reach them: the kind of a contact (`email`, `slack`, ...) -> it."""

    kind: str
    name: str
    id: str = ""
    contacts: dict[str, str] = {}


def receiver(kind: str, name: str, id_: str, said: Mapping[str, str]) -> Receiver:
    """`said`: contacts as the graph has them. Who is called by an address is reached there."""
    contacts = {way: text for way, text in said.items() if text}
    named = address(name)
    return Receiver(kind, name, id_, contacts or ({"email": named} if named else {}))


class Owed(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One thing for one receiver. `event`: what happened, `change.landed` or `policy.violated`. `rule`: of the change, or the policy.

    `at`: since when it is so, in microseconds. `assets`: what of theirs it touches, `more` beyond those that are named.
    """

    event: str
    receiver: Receiver
    fingerprint: str
    rule: str
    verdict: str
    subject: str
    text: str
    why: str
    safe: str = ""
    source: str = ""
    reason: str = ""  # CONSUMES, OWNS
    reach: str = ""
    at: int
    assets: tuple[str, ...] = ()
    more: int = 0
    details: dict[str, Any] = {}  # for the webhook: the finding or violation as a report has it


class Notice(NamedTuple):
    """What is owed, under the key that says it apart from all others; `position` and `since`: where and when it was noted."""

    position: int
    key: str
    since: int
    owed: Owed


_decoder = msgspec.json.Decoder(Owed)


def identity(*parts: object) -> str:
    """The key of what is owed: the same thing has the same one, whoever finds it, however often."""
    return hashlib.blake2b(msgspec.json.encode([str(part) for part in parts]), digest_size=16).hexdigest()


def record(key: str, owed: Owed, at: int) -> Record:
    return Record(NOTICE, key, at, msgspec.json.encode(owed))


def notice(kept: Kept) -> Notice:
    """Raises StoreCorrupt."""
    try:
        return Notice(kept.position, kept.record.key, kept.record.at, _decoder.decode(kept.record.body))
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"what is owed at {kept.position} cannot be read ({error}): restore the store from a backup") from error


def named(assets: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Names in order, and how many more there are."""
    found = tuple(dict.fromkeys(assets))
    return found[:MOST_ASSETS], max(0, len(found) - MOST_ASSETS)

"""Where a receiver is told: patterns of addresses, filled in with the receiver's contacts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from meshline.errors import InvalidInput
from meshline.governance.notify.owed import Receiver

# What a contact of a kind looks like: it comes from files of many people, and goes into an address.
_SHAPES = {
    "email": re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}"),
    "slack": re.compile(r"[#@]?[\w.-]{1,80}"),
}
_ANY = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
_PLACE = re.compile(r"\{([a-z_]+)\}")
HIDDEN = "***"


class Secret(NamedTuple):
    """An address that may hold secrets: shown without them."""

    url: str

    def __repr__(self) -> str:
        return f"Secret({self.shown})"

    @property
    def shown(self) -> str:
        """The scheme and the host if it is a host; nothing else."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host if '.' in host or host.partition(':')[0] in ('localhost', '') else HIDDEN}"


class Route(NamedTuple):
    """The addresses of a recipient, and a description for people; without addresses, why there is none."""

    urls: tuple[Secret, ...]
    shown: str


class Routes(NamedTuple):
    """`channels`: kind of contact -> pattern, the first that fits is taken. `owners`: receiver -> addresses that go before.
    `fallback`: where nobody else can be told. `webhook`: who is told everything.
    """

    channels: Mapping[str, Secret] = {}
    owners: Mapping[str, tuple[Secret, ...]] = {}
    fallback: tuple[Secret, ...] = ()
    webhook: Secret | None = None

    def of(self, receiver: Receiver) -> Route:
        own = self.owners.get(receiver.name)
        if own:
            return Route(own, f"{_places(own)} (own)")
        for kind, pattern in self.channels.items():
            contact = receiver.contacts.get(kind, "").strip()
            if contact and _SHAPES.get(kind, _ANY).fullmatch(contact):
                return Route((Secret(filled(pattern.url, kind, contact)),), f"{pattern.shown} to {contact}")
        if self.fallback:
            return Route(self.fallback, f"{_places(self.fallback)} (fallback)")
        kinds = ", ".join(sorted(receiver.contacts))
        return Route((), f"not delivered (no channel configured for {kinds})" if kinds else "not delivered (no contact is known)")


def pattern(kind: str, url: str, where: str) -> Secret:
    """Raises InvalidInput for a pattern that does not name the contact, or names another."""
    named = set(_PLACE.findall(url))
    if named != {kind}:
        raise InvalidInput(f"a pattern for {kind} holds {{{kind}}} and nothing else in braces", where)
    return checked(url, where)


def checked(url: str, where: str) -> Secret:
    """Raises InvalidInput for what is no address; it is not repeated, for it may hold secrets."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", url):
        raise InvalidInput("found no address; accepted: scheme://..., as apprise has it", where)
    return Secret(url)


def filled(url: str, kind: str, contact: str) -> str:
    return url.replace(f"{{{kind}}}", quote(contact, safe=""))


def _places(urls: tuple[Secret, ...]) -> str:
    return ", ".join(one.shown for one in urls)

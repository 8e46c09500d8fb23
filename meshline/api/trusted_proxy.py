"""Callers that a proxy names in headers, after it has authenticated them: from listed networks only."""

from __future__ import annotations

import ipaddress
from typing import TypeAlias
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from meshline.api.errors import CrossSite
from meshline.app.grants import Principal
from meshline.app.settings import Settings
from meshline.errors import InvalidInput

LONGEST = 200  # characters of a name
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_PAGES = ("same-origin", "none")  # values of Sec-Fetch-Site: a page of this server, or the user himself

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxy:
    """Reads the headers. They are accepted from peers in these networks; from others they are refused, and not ignored: a proxy that takes
    another way, or a caller who tries, is noticed.
    """

    def __init__(self, networks: tuple[Network, ...], user_header: str, groups_header: str) -> None:
        self._networks = networks
        self._user = user_header
        self._groups = groups_header

    def find_principal(self, scope: Scope, headers: Headers) -> Principal | None:
        """The caller that the proxy names; None if it names none. Raises InvalidInput and CrossSite."""
        given = [name for name in (self._user, self._groups) if name in headers]
        if not given:
            return None
        if not self._is_trusted(scope):
            raise InvalidInput(f"the header {given[0]} is accepted from the networks of `proxy_networks` only, and came from elsewhere")
        for name in given:
            if len(headers.getlist(name)) > 1:
                raise InvalidInput(f"the header {name} was sent twice: the proxy must replace the one of its client")
        user = headers.get(self._user, "").strip()
        if not user:
            raise InvalidInput(f"the header {given[0]} was sent without a name in {self._user}")
        groups = [part.strip() for part in headers.get(self._groups, "").split(",")]
        if any(len(name) > LONGEST or not (name.isascii() and name.isprintable()) for name in (user, *groups)):
            raise InvalidInput(f"a name in the headers of the proxy has more than {LONGEST} characters, or others than those of ASCII")
        _check_origin(scope, headers)
        return Principal(user, frozenset(group for group in groups if group))

    def _is_trusted(self, scope: Scope) -> bool:
        """Whether the peer of the connection is in the networks. Headers like X-Forwarded-For are not looked at: anyone can send them."""
        try:
            address = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:  # a socket without addresses
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Raises CrossSite for a write that a page of another site has its visitor's browser send: the proxy adds the visitor's name to it."""
    if scope["method"] in SAFE_METHODS:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = site not in OWN_PAGES if site is not None else origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign:
        raise CrossSite("a page of another site has sent this request: only pages of this server may write in the name of their user")


def build_trusted_proxy(settings: Settings) -> TrustedProxy | None:
    """The headers of the settings; None if no network is listed. Raises InvalidInput for one that cannot be used."""
    networks: list[Network] = []
    for text in settings.proxy_networks:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise InvalidInput(f"{text!r} is no network: write it like 10.1.0.0/16 or 10.1.2.3", "proxy_networks") from error
        if network.prefixlen == 0:
            raise InvalidInput(f"{text} is every address: each caller could name itself as it likes", "proxy_networks")
        networks.append(network)
    return TrustedProxy(tuple(networks), settings.proxy_user_header, settings.proxy_groups_header) if networks else None

"""Channels of notifications: patterns of addresses, filled in with a recipient's contacts; delivery through apprise
(https://github.com/caronc/apprise): mail, Slack, Teams, and a hundred others; and a webhook, which gets one CloudEvent 1.0
(structured JSON) for each notice, signed as https://www.standardwebhooks.com describes.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import httpx
import msgspec
from pydantic import SecretStr

from meshline.errors import InvalidInput, MissingExtra
from meshline.governance.notify.outbox import Notice, Receiver
from meshline.governance.notify.templates import Message
from meshline.graph.model import from_micros

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
        return f"Secret({self.label})"

    @property
    def label(self) -> str:
        """The scheme and the host if it is a host; nothing else."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host if '.' in host or host.partition(':')[0] in ('localhost', '') else HIDDEN}"


class Route(NamedTuple):
    """The addresses of a recipient, and a description for people; without addresses, why there is none."""

    urls: tuple[Secret, ...]
    label: str


class Routes(NamedTuple):
    """`channels`: kind of contact -> pattern, the first that fits is taken. `owners`: receiver -> addresses that go before.
    `fallback`: where nobody else can be told. `webhook`: who is told everything.
    """

    channels: Mapping[str, Secret] = {}
    owners: Mapping[str, tuple[Secret, ...]] = {}
    fallback: tuple[Secret, ...] = ()
    webhook: Secret | None = None

    def find_route(self, receiver: Receiver) -> Route:
        own = self.owners.get(receiver.name)
        if own:
            return Route(own, f"{_join_labels(own)} (own)")
        for kind, pattern in self.channels.items():
            contact = receiver.contacts.get(kind, "").strip()
            if contact and _SHAPES.get(kind, _ANY).fullmatch(contact):
                return Route((Secret(fill_pattern(pattern.url, kind, contact)),), f"{pattern.label} to {contact}")
        if self.fallback:
            return Route(self.fallback, f"{_join_labels(self.fallback)} (fallback)")
        kinds = ", ".join(sorted(receiver.contacts))
        return Route((), f"not delivered (no channel configured for {kinds})" if kinds else "not delivered (no contact is known)")


def parse_pattern(kind: str, url: str, where: str) -> Secret:
    """Raises InvalidInput for a pattern that does not name the contact, or names another."""
    named = set(_PLACE.findall(url))
    if named != {kind}:
        raise InvalidInput(f"a pattern for {kind} contains {{{kind}}} and nothing else in braces", where)
    return parse_address(url, where)


def parse_address(url: str, where: str) -> Secret:
    """Raises InvalidInput for what is no address; it is not repeated, for it may hold secrets."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", url):
        raise InvalidInput("this is not an address; accepted: scheme://..., in the form that apprise documents", where)
    return Secret(url)


def fill_pattern(url: str, kind: str, contact: str) -> str:
    return url.replace(f"{{{kind}}}", quote(contact, safe=""))


def _join_labels(urls: tuple[Secret, ...]) -> str:
    return ", ".join(one.label for one in urls)


LONGEST_ERROR = 300


class Undelivered(Exception):
    """A message that did not get through; the text holds no secrets."""


def check_available() -> None:
    """Raises MissingExtra."""
    if find_spec("apprise") is None or find_spec("standardwebhooks") is None:
        raise MissingExtra("notify", "sending notifications")


def deliver_message(message: Message, urls: Sequence[Secret]) -> None:
    """Send a message to each address. Raises Undelivered if any did not take it."""
    import apprise  # noqa: PLC0415 - slow to import, and an extra

    asset = apprise.AppriseAsset(app_id="meshline", app_desc="meshline", storage_mode="memory")
    form = apprise.NotifyFormat.MARKDOWN if message.is_markdown else apprise.NotifyFormat.TEXT
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        sender = apprise.Apprise(asset=asset)
        refused = [url.label for url in urls if not sender.add(url.url)]
        if refused:
            raise Undelivered(f"apprise does not accept the address {', '.join(refused)}")
        if not sender.notify(body=message.body, title=message.title, body_format=form):
            raise Undelivered(_describe_failure(said.getvalue(), urls))


def _describe_failure(said: str, urls: Sequence[Secret]) -> str:
    text = "; ".join(line.strip() for line in said.splitlines() if line.strip()) or "apprise gives no reason"
    for word in sorted(_collect_secrets(urls), key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    return text[:LONGEST_ERROR]


def _collect_secrets(urls: Sequence[Secret]) -> set[str]:
    """Every part of the addresses that is no host and no word of the language of addresses."""
    found: set[str] = set()
    for one in urls:
        parts = urlsplit(one.url)
        user = parts.netloc.rpartition("@")[0]
        host = parts.netloc.rpartition("@")[2] if one.label.endswith(HIDDEN) else ""
        for text in (*user.split(":"), host, *parts.path.split("/"), *re.split(r"[&=]", parts.query)):
            found.update(word for word in (text, unquote(text)) if len(word) >= 6)
    return found


TYPE = "com.meshline.{event}.v1"
SOURCE = "/meshline"
MEDIA = "application/cloudevents+json; charset=utf-8"
SECONDS = 10.0
SHORTEST_SECRET = 24  # bytes, as the specification asks


class Webhook(NamedTuple):
    """`secret`: `whsec_` and base64 of what both sides know."""

    url: Secret
    secret: SecretStr

    def post(self, notice: Notice, now: datetime | None = None) -> None:
        """Post it, and wait for the answer. A receiver tells what comes twice by `id`. Raises Undelivered."""
        body = build_event(notice)
        try:
            answer = httpx.post(self.url.url, content=body, headers=self.build_headers(notice.key, body, now), timeout=SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Undelivered(f"{self.url.label} does not answer ({type(error).__name__})") from error
        if not answer.is_success:
            raise Undelivered(f"{self.url.label} answers {answer.status_code}"[:LONGEST_ERROR])

    def build_headers(self, id_: str, body: bytes, now: datetime | None = None) -> dict[str, str]:
        from standardwebhooks import Webhook as Signer  # noqa: PLC0415 - an extra

        at = now or datetime.now(UTC)
        signature = Signer(self.secret.get_secret_value()).sign(id_, at, body.decode())
        return {
            "Content-Type": MEDIA,
            "webhook-id": id_,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }


def build_event(notice: Notice) -> bytes:
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md"""
    owed = notice.body
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": notice.key,
            "source": SOURCE,
            "type": TYPE.format(event=owed.event),
            "subject": owed.subject,
            "time": from_micros(owed.at).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {
                "verdict": owed.verdict,
                "rule": owed.rule,
                "fingerprint": owed.fingerprint,
                "text": owed.text,
                "why": owed.why,
                "source": owed.source,
                "details": owed.details,
            },
        }
    )


def build_webhook(url: Secret, secret: SecretStr | None, where: str) -> Webhook:
    """Raises InvalidInput for a secret that is missing or too short; it is not repeated."""
    text = "" if secret is None else secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_") + "==", validate=False)) if text.startswith("whsec_") else 0
    except ValueError:
        size = 0
    if secret is None or size < SHORTEST_SECRET:
        raise InvalidInput(f"a webhook is signed with a secret: whsec_ and base64 of {SHORTEST_SECRET} bytes or more", where)
    return Webhook(url, secret)

"""Channels of notifications: address patterns, filled in with a recipient's contacts; delivery through apprise
(https://github.com/caronc/apprise): mail, Slack, Teams and others; and a webhook, which receives one CloudEvent 1.0
(structured JSON) for each notice, signed as https://www.standardwebhooks.com describes.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import msgspec
from pydantic import SecretStr

from meshline.errors import InvalidInput, MissingExtra
from meshline.governance.notify.messages import Message
from meshline.governance.notify.outbox import EXECUTOR, Notice, NoticeBody, Receiver
from meshline.graph.model import from_micros

# The form of a contact by kind: contacts come from many files, and become parts of addresses.
_SHAPES = {
    "email": re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}"),
    "slack": re.compile(r"[#@]?[\w.-]{1,80}"),
}
_ANY = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
_PLACE = re.compile(r"\{([a-z_]+)\}")
HIDDEN = "***"


class Secret(NamedTuple):
    """An address that may contain secrets; its `repr` and `label` do not."""

    url: str

    def __repr__(self) -> str:
        return f"Secret({self.label})"

    @property
    def label(self) -> str:
        """The scheme, and the host if it is one."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host if '.' in host or host.partition(':')[0] in ('localhost', '') else HIDDEN}"


class Route(NamedTuple):
    """The addresses of a recipient, and a label for people; without addresses the label states why."""

    urls: tuple[Secret, ...]
    label: str


class Routes(NamedTuple):
    """`channels`: kind of contact -> pattern; the first that matches is used. `owners`: receiver -> addresses that take precedence.
    `fallback`: addresses for receivers without any other. `webhook`: receives every notice.
    """

    channels: Mapping[str, Secret] = {}
    owners: Mapping[str, tuple[Secret, ...]] = {}
    fallback: tuple[Secret, ...] = ()
    webhook: Secret | None = None

    def find_route(self, receiver: Receiver) -> Route:
        """The addresses for a receiver: its own, else the first channel that matches a contact, else the fallback."""
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
    """Raises InvalidInput for a pattern without a placeholder for the contact, or with another one."""
    named = set(_PLACE.findall(url))
    if named != {kind}:
        raise InvalidInput(f"a pattern for {kind} contains {{{kind}}} and nothing else in braces", where)
    return parse_address(url, where)


def parse_address(url: str, where: str) -> Secret:
    """Raises InvalidInput if the text is not an address. The message does not repeat it, because it may contain secrets."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", url):
        raise InvalidInput("this is not an address; accepted: scheme://..., in the form that apprise documents", where)
    return Secret(url)


def fill_pattern(url: str, kind: str, contact: str) -> str:
    """The address of a contact; the contact is quoted as part of a URL."""
    return url.replace(f"{{{kind}}}", quote(contact, safe=""))


def _join_labels(urls: tuple[Secret, ...]) -> str:
    return ", ".join(one.label for one in urls)


LONGEST_ERROR = 300


class Undelivered(Exception):
    """A message could not be delivered. The text contains no secrets."""


def check_available() -> None:
    """Raises MissingExtra if the libraries for sending are not installed."""
    if find_spec("apprise") is None or find_spec("standardwebhooks") is None:
        raise MissingExtra("notify", "sending notifications")


def deliver_message(message: Message, urls: Sequence[Secret]) -> None:
    """Send a message to each address. Raises Undelivered if any address does not accept it."""
    import apprise  # noqa: PLC0415 - slow to import, and an extra

    asset = apprise.AppriseAsset(app_id="meshline", app_desc="meshline", storage_mode="memory")
    form = apprise.NotifyFormat.MARKDOWN if message.is_markdown else apprise.NotifyFormat.TEXT
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as output:  # type: ignore[no-untyped-call]
        sender = apprise.Apprise(asset=asset)
        refused = [url.label for url in urls if not sender.add(url.url)]
        if refused:
            raise Undelivered(f"apprise does not accept the address {', '.join(refused)}")
        if not sender.notify(body=message.body, title=message.title, body_format=form):
            raise Undelivered(_describe_failure(output.getvalue(), urls))


def _describe_failure(output: str, urls: Sequence[Secret]) -> str:
    text = "; ".join(line.strip() for line in output.splitlines() if line.strip()) or "apprise gives no reason"
    for word in sorted(_collect_secrets(urls), key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    return text[:LONGEST_ERROR]


def _collect_secrets(urls: Sequence[Secret]) -> set[str]:
    """Every part of the addresses that may be a secret: user, password, path and query values of six or more characters."""
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
    """`secret`: `whsec_` and the base64 of the shared secret."""

    url: Secret
    secret: SecretStr

    def post(self, notice: Notice, now: datetime | None = None) -> None:
        """Post a notice and wait for the answer. A receiver recognises repeated notices by `id`. Raises Undelivered."""
        import httpx  # noqa: PLC0415 - slow to import, and most servers have no webhook

        body = build_event(notice)
        try:
            answer = httpx.post(self.url.url, content=body, headers=self.build_headers(notice.key, body, now), timeout=SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Undelivered(f"{self.url.label} does not answer ({type(error).__name__})") from error
        if not answer.is_success:
            raise Undelivered(f"{self.url.label} answers {answer.status_code}"[:LONGEST_ERROR])

    def build_headers(self, id_: str, body: bytes, now: datetime | None = None) -> dict[str, str]:
        """The headers of a notice, with its signature as Standard Webhooks specifies. `now`: the time of the signature."""
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
    """A notice as a CloudEvent (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md)."""
    content = notice.body
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": notice.key,
            "source": SOURCE,
            "type": TYPE.format(event=content.event),
            "subject": content.subject,
            "time": from_micros(content.at).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": content.details if content.receiver.kind == EXECUTOR else _build_data(content),
        }
    )


def _build_data(content: NoticeBody) -> dict[str, Any]:
    return {
        "verdict": content.verdict,
        "rule": content.rule,
        "fingerprint": content.fingerprint,
        "text": content.text,
        "why": content.why,
        "source": content.source,
        "details": content.details,
    }


def build_webhook(url: Secret, secret: SecretStr | None, where: str) -> Webhook:
    """Raises InvalidInput for a secret that is missing or too short. The message does not repeat it."""
    text = "" if secret is None else secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_") + "==", validate=False)) if text.startswith("whsec_") else 0
    except ValueError:
        size = 0
    if secret is None or size < SHORTEST_SECRET:
        raise InvalidInput(f"a webhook is signed with a secret: whsec_ and base64 of {SHORTEST_SECRET} bytes or more", where)
    return Webhook(url, secret)

"""Messages through apprise (https://github.com/caronc/apprise): mail, Slack, Teams, and a hundred others."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from meshline.errors import MissingExtra
from meshline.governance.notify.messages import Message
from meshline.governance.notify.routes import HIDDEN, Secret

LONGEST_ERROR = 300


class Undelivered(Exception):
    """A message that did not get through; the text holds no secrets."""


def check_available() -> None:
    """Raises MissingExtra."""
    if find_spec("apprise") is None or find_spec("standardwebhooks") is None:
        raise MissingExtra("notify", "sending notifications")


def deliver(message: Message, urls: Sequence[Secret]) -> None:
    """Send a message to each address. Raises Undelivered if any did not take it."""
    import apprise  # noqa: PLC0415 - slow to import, and an extra

    asset = apprise.AppriseAsset(app_id="meshline", app_desc="meshline", storage_mode="memory")
    form = apprise.NotifyFormat.MARKDOWN if message.is_markdown else apprise.NotifyFormat.TEXT
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        sender = apprise.Apprise(asset=asset)
        refused = [url.shown for url in urls if not sender.add(url.url)]
        if refused:
            raise Undelivered(f"apprise does not take the address {', '.join(refused)}")
        if not sender.notify(body=message.body, title=message.title, body_format=form):
            raise Undelivered(_reason(said.getvalue(), urls))


def _reason(said: str, urls: Sequence[Secret]) -> str:
    text = "; ".join(line.strip() for line in said.splitlines() if line.strip()) or "apprise says no reason"
    for word in sorted(_secrets(urls), key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    return text[:LONGEST_ERROR]


def _secrets(urls: Sequence[Secret]) -> set[str]:
    """Every part of the addresses that is no host and no word of the language of addresses."""
    found: set[str] = set()
    for one in urls:
        parts = urlsplit(one.url)
        user = parts.netloc.rpartition("@")[0]
        host = parts.netloc.rpartition("@")[2] if one.shown.endswith(HIDDEN) else ""
        for text in (*user.split(":"), host, *parts.path.split("/"), *re.split(r"[&=]", parts.query)):
            found.update(word for word in (text, unquote(text)) if len(word) >= 6)
    return found

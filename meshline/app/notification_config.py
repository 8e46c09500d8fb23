"""Where and how people are told, as the settings have it."""

from __future__ import annotations

from pydantic import SecretStr

from meshline.app.settings import Settings
from meshline.governance.notify.channels import Routes, Secret, checked, pattern
from meshline.governance.notify.outbox import Outbox
from meshline.governance.notify.sender import Pace, Sender
from meshline.governance.notify.templates import templates
from meshline.governance.notify.webhook import Webhook, webhook
from meshline.graph.store.base import Store
from meshline.ingest.file_times import now
from meshline.ingest.sources.secrets import expanded


def sender(settings: Settings, store: Store) -> Sender:
    """What sends it. Raises InvalidInput for settings that cannot be used."""
    pace = Pace(
        wait=settings.notify_wait_seconds,
        every=settings.notify_every_seconds,
        per_minute=settings.notify_per_minute,
        attempts=settings.notify_attempts,
        days=settings.notify_days,
    )
    found = templates(settings.notify_templates)
    return Sender(Outbox(store), routes(settings), found, _webhook(settings), pace, now, markdown=settings.notify_markdown)


def routes(settings: Settings) -> Routes:
    """Raises InvalidInput, without what is secret."""
    return Routes(
        channels={
            kind: pattern(kind, _value(url, f"notify_channels.{kind}"), f"notify_channels.{kind}")
            for kind, url in settings.notify_channels.items()
        },
        owners={name: _addresses(urls, f"notify_owners.{name}") for name, urls in settings.notify_owners.items()},
        fallback=_addresses(settings.notify_fallback, "notify_fallback"),
    )


def _addresses(urls: tuple[SecretStr, ...], where: str) -> tuple[Secret, ...]:
    return tuple(checked(_value(url, where), where) for url in urls)


def _webhook(settings: Settings) -> Webhook | None:
    if settings.notify_webhook is None:
        return None
    url = checked(_value(settings.notify_webhook, "notify_webhook"), "notify_webhook")
    secret = settings.notify_webhook_secret
    known = None if secret is None else SecretStr(_value(secret, "notify_webhook_secret"))
    return webhook(url, known, "notify_webhook_secret")


def _value(secret: SecretStr, where: str) -> str:
    return expanded(secret.get_secret_value(), where)

"""Notifications of a running server: routes and channels from the settings, and the task that detects, records and sends notices."""

from __future__ import annotations

import asyncio
import logging
import time

from pydantic import SecretStr

from meshline.app.logs import DETAILS
from meshline.app.settings import Settings, read_variable
from meshline.app.threads import run_in_thread
from meshline.errors import MeshlineError
from meshline.governance.diff import compare_versions
from meshline.governance.notify.channels import Routes, Secret, Webhook, build_webhook, parse_address, parse_pattern
from meshline.governance.notify.follower import ChangeDetector, Follower
from meshline.governance.notify.messages import load_templates
from meshline.governance.notify.outbox import EXECUTOR, Outbox
from meshline.governance.notify.sender import Pace, Sender
from meshline.governance.notify.violation_events import WatchedViolations
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import get_current_micros
from meshline.graph.store.base import Store
from meshline.ingest.sources.secrets import expand_variables


def build_sender(settings: Settings, store: Store, *, executor_only: bool = False) -> Sender:
    """The sender that the settings describe. `executor_only`: if they do not have notices sent, those of the executor are sent still.

    Raises InvalidInput for settings that cannot be used.
    """
    pace = Pace(
        wait=settings.notify_wait_seconds,
        every=settings.notify_every_seconds,
        per_minute=settings.notify_per_minute,
        attempts=settings.notify_attempts,
        days=settings.notify_days,
    )
    found = load_templates(settings.notify_templates)
    notify = settings.notify and settings.notify_send
    return Sender(
        Outbox(store),
        build_routes(settings),
        found,
        _build_webhook(settings.notify_webhook, settings.notify_webhook_secret, "notify_webhook"),
        pace,
        get_current_micros,
        markdown=settings.notify_markdown,
        executor=_build_webhook(settings.access_executor, settings.access_executor_secret, "access_executor"),
        kinds=None if notify or not executor_only else (EXECUTOR,),
    )


def build_routes(settings: Settings) -> Routes:
    """The routes of notices to recipients. Raises InvalidInput, with secrets removed."""
    return Routes(
        channels={
            kind: parse_pattern(kind, _expand_value(url, f"notify_channels.{kind}"), f"notify_channels.{kind}")
            for kind, url in settings.notify_channels.items()
        },
        owners={name: _read_addresses(urls, f"notify_owners.{name}") for name, urls in settings.notify_owners.items()},
        fallback=_read_addresses(settings.notify_fallback, "notify_fallback"),
    )


def _read_addresses(urls: tuple[SecretStr, ...], where: str) -> tuple[Secret, ...]:
    return tuple(parse_address(_expand_value(url, where), where) for url in urls)


def _build_webhook(address: SecretStr | None, secret: SecretStr | None, setting: str) -> Webhook | None:
    """`setting`: the name of that with the address; that of its secret follows from it."""
    if address is None:
        return None
    url = parse_address(_expand_value(address, setting), setting)
    known = None if secret is None else SecretStr(_expand_value(secret, f"{setting}_secret"))
    return build_webhook(url, known, f"{setting}_secret")


def _expand_value(secret: SecretStr, where: str) -> str:
    return expand_variables(secret.get_secret_value(), where, read_variable)


log = logging.getLogger("meshline.notify")

PAUSE = 3  # the pause between two cycles, in multiples of the last cycle's duration
GRACE_SECONDS = 3.0  # for the current step when the task is stopped
LONGEST_PAUSE = 60.0  # seconds
WARN_AGAIN_SECONDS = 300.0


def build_follower(settings: Settings, live: LiveGraph, watched: WatchedViolations) -> Follower:
    """The follower that records notices for committed changes."""
    lander = ChangeDetector(live, compare_versions, breaking_only=settings.notify_on == "breaking")
    return Follower(live, lander, watched, get_current_micros, webhook=settings.notify_webhook is not None)


class Notifier:
    """Detects committed changes in a thread; ingest never waits for it."""

    def __init__(self, live: LiveGraph, follower: Follower | None, sender: Sender | None, seconds: float) -> None:
        """`seconds`: the minimum pause between two cycles. `sender`: None if notices are only recorded. `follower`: None if only the
        executor is sent events.
        """
        self._live = live
        self._follower = follower
        self._sender = sender
        self._seconds = seconds
        self._revision = -1
        self._warned = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
        wait = 0.0
        while True:
            await asyncio.sleep(wait)
            wait = self._seconds
            try:
                wait = max(wait, min(PAUSE * await run_in_thread(self._look, grace=GRACE_SECONDS), LONGEST_PAUSE))
                await run_in_thread(self._send, grace=GRACE_SECONDS)
            except MeshlineError as error:
                self._warn_seldom(error)
            except Exception:
                log.exception("notification cycle failed")

    def _look(self) -> float:
        """Record notices for committed changes. Returns the seconds that it took."""
        begun = time.monotonic()
        revision = self._live.index.revision
        if self._follower is not None and revision != self._revision:
            noted = self._follower.step()
            self._revision = revision
            if noted.notices or noted.opened or noted.closed or noted.began:
                log.info("recorded", extra={DETAILS: noted._asdict()})
        return time.monotonic() - begun

    def _send(self) -> None:
        if self._sender is not None:
            done = self._sender.send()
            if any(done):
                log.info("sent", extra={DETAILS: done._asdict()})

    def _warn_seldom(self, error: MeshlineError) -> None:
        """Log a failure, at most once in `WARN_AGAIN_SECONDS`."""
        if time.monotonic() - self._warned > WARN_AGAIN_SECONDS:
            self._warned = time.monotonic()
            log.warning("notification cycle failed: %s", error)

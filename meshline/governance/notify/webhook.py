"""A webhook: one CloudEvent 1.0 (structured JSON) for each thing that is owed, signed as https://www.standardwebhooks.com says."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
import msgspec
from pydantic import SecretStr

from meshline.errors import InvalidInput
from meshline.governance.notify.channels import LONGEST_ERROR, Secret, Undelivered
from meshline.governance.notify.outbox import Notice
from meshline.graph.model import from_micros

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
        body = event(notice)
        try:
            answer = httpx.post(self.url.url, content=body, headers=self.headers(notice.key, body, now), timeout=SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Undelivered(f"{self.url.shown} does not answer ({type(error).__name__})") from error
        if not answer.is_success:
            raise Undelivered(f"{self.url.shown} answers {answer.status_code}"[:LONGEST_ERROR])

    def headers(self, id_: str, body: bytes, now: datetime | None = None) -> dict[str, str]:
        from standardwebhooks import Webhook as Signer  # noqa: PLC0415 - an extra

        at = now or datetime.now(UTC)
        signature = Signer(self.secret.get_secret_value()).sign(id_, at, body.decode())
        return {
            "Content-Type": MEDIA,
            "webhook-id": id_,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }


def event(notice: Notice) -> bytes:
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md"""
    owed = notice.owed
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


def webhook(url: Secret, secret: SecretStr | None, where: str) -> Webhook:
    """Raises InvalidInput for a secret that is missing or too short; it is not repeated."""
    text = "" if secret is None else secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_") + "==", validate=False)) if text.startswith("whsec_") else 0
    except ValueError:
        size = 0
    if secret is None or size < SHORTEST_SECRET:
        raise InvalidInput(f"a webhook is signed with a secret: whsec_ and base64 of {SHORTEST_SECRET} bytes or more", where)
    return Webhook(url, secret)

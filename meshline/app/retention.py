"""How long a store keeps what, by the settings."""

from __future__ import annotations

from meshline.app import access_journal
from meshline.app.settings import DAY, Settings
from meshline.governance.audit import AUDIT, COUNT_SETTING
from meshline.governance.notify import outbox
from meshline.graph.model import get_current_micros
from meshline.graph.store.base import RecordAge, Retention, Store

_ANY = 2**62  # a position after all records


def build_retention(settings: Settings, store: Store) -> Retention:
    """What may be dropped or packed now. Pending notices, and sessions and denials that have not ended, always stay."""
    now = get_current_micros()
    before = now - settings.journal_retention_days * DAY
    sent = RecordAge(before, int(store.read_setting(outbox.SETTLED) or 0))
    ended = RecordAge(before, int(store.read_setting(access_journal.SETTLED) or 0))
    records = dict.fromkeys((outbox.NOTICE, outbox.ATTEMPT, outbox.REFUSED, outbox.SENT, outbox.FAILED), sent)
    records[access_journal.ACCESS] = ended
    if settings.audit_retention_days is not None:
        records[AUDIT] = RecordAge(now - settings.audit_retention_days * DAY, _ANY, COUNT_SETTING)
    return Retention(now - settings.observation_retention_days * DAY, now - settings.run_retention_days * DAY, records)

"""The audit log of checks that a server answers."""

from __future__ import annotations

import hashlib
import logging

from meshline.errors import MeshlineError, StoreUnavailable
from meshline.governance.audit import check_records
from meshline.governance.report import Report
from meshline.graph.store.base import Batch, Store
from meshline.ingest.file_times import now

log = logging.getLogger("meshline.api")


def digest(body: bytes) -> str:
    """What was given to a check, in 32 hexadecimal digits."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def record_check(store: Store, actor: str, report: Report, of: str, *, needed: bool) -> None:
    """Record a check and the waivers that it used. `of`: the digest of what was given; `needed`: without the entry there is no answer.

    Raises StoreUnavailable, if it is needed; else what cannot be recorded is logged.
    """
    records = check_records(actor, report, of, now())
    try:
        store.commit(lambda _: Batch(journal=records))
    except MeshlineError as error:
        if needed:
            raise StoreUnavailable(f"the check cannot be recorded in the audit log, so it is not answered: {error}") from error
        log.warning("a check is not in the audit log: %s", error)

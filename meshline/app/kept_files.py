"""Where files are that spare work at the next start: beside an SQLite store, else in the user's folder for caches."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import platformdirs

from meshline.app.settings import Settings
from meshline.graph.index_file import Snapshots
from meshline.graph.store.factory import find_sqlite_path, mask_credentials

log = logging.getLogger("meshline.kept")


def find_snapshots(settings: Settings, store: str) -> Snapshots | None:
    """The file in which the index of a store is kept, as the settings choose it; None if it is not kept."""
    if not settings.index_kept:
        return None
    path = settings.index_file or find_kept_file(store, "index")
    return None if path is None else Snapshots(path)


def find_kept_file(store: str, kind: str) -> Path | None:
    """Where a file of a kind (`vectors`) is kept for a store; None if that is in memory only, or there is no place."""
    path = find_sqlite_path(store)
    if path is not None:
        return path.with_name(f"{path.name}.{kind}")
    if store == ":memory:" or store.startswith("sqlite:"):
        return None
    folder = platformdirs.user_cache_path("meshline", appauthor=False)
    if not folder.is_absolute():  # without a home there is none
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        log.warning("the %s of the store cannot be kept in %s: %s", kind, folder, error.strerror or error)
        return None
    return folder / f"{hashlib.sha256(mask_credentials(store).encode()).hexdigest()[:16]}.{kind}"

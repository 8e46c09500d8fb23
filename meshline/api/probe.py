"""Does the store answer? Asked one at a time, whatever the number of those who want to know."""

from __future__ import annotations

import asyncio
import time

from meshline.api.threads import run_in_thread
from meshline.errors import MeshlineError
from meshline.graph.store.base import Store

STORE_SECONDS = 3.0  # within which the store must answer
PATIENCE = 0.05  # seconds for which a health check waits for news; else it answers what was known before


class StoreProbe:
    """The newest revision of a store, or why it is not known."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking: asyncio.Task[None] | None = None
        self._known: int | str = ""
        self._known_at = float("-inf")

    async def revision(self, patience: float = PATIENCE) -> int | str:
        """The newest revision, or a sentence that says why it is not known. What was known before counts for `STORE_SECONDS`."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        if time.monotonic() - self._known_at > STORE_SECONDS:
            patience = STORE_SECONDS
        done, _ = await asyncio.wait({self._asking}, timeout=patience)
        if not done and time.monotonic() - self._known_at > STORE_SECONDS:
            return f"the store has not answered for {STORE_SECONDS:g} seconds"
        return self._known

    async def _ask(self) -> None:
        try:
            self._known = await run_in_thread(self._store.revision)
        except MeshlineError as error:
            self._known = f"the store does not answer: {error}"
        self._known_at = time.monotonic()

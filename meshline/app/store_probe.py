"""Whether a store answers, asked by one task at a time, however many health checks want to know."""

from __future__ import annotations

import asyncio
import time

from meshline.app.threads import run_in_thread
from meshline.errors import MeshlineError
from meshline.graph.store.base import Projection, Store

STORE_SECONDS = 3.0  # the time in which the store must answer
PATIENCE = 0.05  # seconds that a health check waits for a new answer; then it answers the previous one


class StoreProbe:
    """The newest revision of a store, or the reason why it is unknown; and how far its graph for people was when it was last read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking: asyncio.Task[None] | None = None
        self.projection: Projection | None = None  # None: not known, or the store has none
        self._known: int | str = ""
        self._known_at = float("-inf")

    async def read_revision(self, patience: float = PATIENCE) -> int | str:
        """The newest revision, or a sentence with the reason why it is unknown. An earlier answer counts for `STORE_SECONDS`."""
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
            self._known = await run_in_thread(self._read)
        except MeshlineError as error:
            self._known = f"the store does not answer: {error}"
        self._known_at = time.monotonic()

    def _read(self) -> int:
        self.projection = None
        revision = self._store.read_revision()
        self.projection = self._store.read_projection()
        return revision

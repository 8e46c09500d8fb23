"""Random operations on the SQLite store, in a file and in memory, compared with the model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import rule

from meshline.graph.store.base import Store
from meshline.graph.store.sqlite import SqliteStore
from tests.sizes import count_examples
from tests.stores.stateful import StoreMachine


class MemoryMachine(StoreMachine):
    def open_store(self) -> Store:
        return SqliteStore()


class FileMachine(StoreMachine):
    """Reopens the file and changes to another handle now and then."""

    def open_store(self) -> Store:
        self.folder = tempfile.TemporaryDirectory()
        self.others: list[Store] = []
        return self._handle()

    def _handle(self) -> Store:
        return SqliteStore(str(Path(self.folder.name) / "mesh.db"))

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self._handle()

    @rule()
    def change_handle(self) -> None:
        if len(self.others) < 2:
            self.others.append(self._handle())
        self.others.append(self.store)
        self.store = self.others.pop(0)

    def teardown(self) -> None:
        for store in (self.store, *self.others):
            store.close()
        self.folder.cleanup()


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=count_examples(150), stateful_step_count=25, deadline=None)

TestFile = FileMachine.TestCase
TestFile.settings = settings(max_examples=count_examples(40), stateful_step_count=25, deadline=None)

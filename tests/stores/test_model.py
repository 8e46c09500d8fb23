"""The model that stores are compared with keeps their contract, too."""

from __future__ import annotations

import pytest

from meshline.graph.store.base import Store
from tests.stores.contract import StoreContract
from tests.stores.model import ModelStore


class TestModelStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return ModelStore()

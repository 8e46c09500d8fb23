from __future__ import annotations

import os
import random

import pytest


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Another one each time; a failure shows it, and `MESHLINE_FAULT_SEED` gives it again."""
    chosen = int(os.environ.get("MESHLINE_FAULT_SEED") or random.randrange(10**6))
    print(f"seed {chosen} of {request.node.name}")  # noqa: T201 - shown with a failure
    return chosen

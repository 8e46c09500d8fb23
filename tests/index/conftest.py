"""Hypothesis without its explanations, which take long where examples are slow."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

from meshline.graph.index.compiled import compile_kernels

settings.register_profile(
    "index", deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink], suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("index")


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Most tests run the kernels compiled; test_compiled.py says that both forms do the same."""
    compile_kernels()

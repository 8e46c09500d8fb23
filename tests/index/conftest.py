"""Kernels run compiled."""

from __future__ import annotations

import pytest

from meshline.graph.index.kernels.jit import compile_kernels


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Most tests run the kernels compiled; test_forms.py checks that both forms give the same answers."""
    compile_kernels()

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forked_program import run_fork_server


@pytest.fixture(scope="package")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for PATH with a `meshline` that starts at once."""
    with run_fork_server(tmp_path_factory.mktemp("forks")) as folder:
        yield folder

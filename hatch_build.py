"""Builds the page for browsers into the wheel and the sdist, which contain it although git does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """An editable install is not kept waiting: scripts/setup builds its page. An sdist has the page, and no sources of it."""

    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        """Raises CalledProcessError if the page cannot be built although npm is there."""
        script = Path(self.root, "scripts", "build-page")
        if version != "editable" and script.is_file():
            subprocess.run([sys.executable, str(script), "--strict"], check=True)  # noqa: S603

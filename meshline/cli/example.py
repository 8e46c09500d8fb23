"""The example mesh: in the installed package, or in a checkout."""

from __future__ import annotations

from pathlib import Path

import meshline
from meshline.errors import NotFound


def example() -> Path:
    """The folder with the example's `mesh.yaml` and `events`. Raises NotFound."""
    package = Path(meshline.__file__).parent
    for folder in (package / "example", package.parent / "examples" / "mesh"):
        if (folder / "mesh.yaml").is_file():
            return folder
    raise NotFound("the example mesh is not installed: reinstall meshline, or run `meshline demo` from a checkout")

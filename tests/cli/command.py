"""The command line as a person runs it, in this process."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from meshline.cli import main
from meshline.graph.model import Json

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mesh"


class Ran(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Json]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def run_command(*arguments: str | Path) -> Ran:
    """Run a command in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
    for stream in (out, err):
        stream.flush()
    return Ran(code, read_text(out), read_text(err))


def run_successfully(*arguments: str | Path) -> Ran:
    """Run a command that must succeed."""
    ran = run_command(*arguments)
    assert ran.code == 0, ran
    return ran


def read_text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def find_executable() -> str:
    """The installed command."""
    return str(Path(sys.executable).with_name("meshline"))

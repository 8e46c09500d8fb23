"""Runs commands of the installed meshline in one process: the driver of test_extras, run by the Python of another environment.

Standard input: JSON, a list of lists of arguments. Standard output: JSON, what each left behind.
"""

from __future__ import annotations

import functools
import io
import json
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout

import typer.main

from meshline.cli import main


def run_command(arguments: list[str]) -> dict[str, object]:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as left:
            code = left.code or 0
        except BaseException:  # noqa: BLE001 - as the interpreter would end: with a traceback
            traceback.print_exc()
            code = 1
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return {"code": code, "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    typer.main.get_command = functools.cache(typer.main.get_command)  # else Typer builds all commands for each call
    sys.stdout.write(json.dumps([run_command(arguments) for arguments in json.load(sys.stdin)]))

"""`meshline doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Config, ListFormat, TextFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshline.cli.diagnosis import Finding
    from meshline.cli.terminal import Line

STYLES = {"ok": "green", "note": "dim", "warning": "yellow", "failed": "bold red"}


def doctor(
    *,
    store: Annotated[
        str | None,
        typer.Option(help="Also open this store. [default: that of the settings, if there is one]", show_default=False, metavar="URL"),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="Also ask this running meshline; with the token in MESHLINE_TOKEN, or in the file MESHLINE_TOKEN_FILE.",
            show_default=False,
            metavar="URL",
        ),
    ] = None,
    config: Config = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
) -> None:
    """Examine this installation, and say what to do.

    Version, extras, compiled kernels, store and token; with --server also a server, its version and its clock.

    Exit code 1 if something does not work; extras that are not installed and kernels that are not compiled are only noted.
    """
    from meshline.cli.diagnosis import findings
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.terminal import write, write_json

    found = list(findings(store, server, config))
    failed = any(one.state == "failed" for one in found)
    if format is TextFormat.JSON:
        write_json({"ok": not failed, "findings": [{"about": a, "state": s, "found": f, "advice": w} for a, s, f, w in found]})
    else:
        write(_lines(found))
    if failed:
        raise typer.Exit(REFUSED)


def _lines(found: list[Finding]) -> Iterator[Line]:
    from meshline.cli.terminal import Line

    width = max(len(one.about) for one in found)
    for one in found:
        yield Line(f"{one.state:<7}  {one.about:<{width}}  {one.found}", STYLES[one.state])
        if one.advice:
            yield Line(f"{'':<7}  {'':<{width}}  -> {one.advice}", STYLES[one.state])

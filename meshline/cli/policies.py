"""`meshline policies`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import ListFormat, Server, Store, TextFormat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from meshline.cli.answers import Answers


class SeverityName(enum.StrEnum):
    """How bad a violation is; in the schema in upper case."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


def policies(
    *,
    violations: Annotated[bool, typer.Option("--violations", help="Show what breaks them now, instead of the policies.")] = False,
    policy: Annotated[str | None, typer.Option(help="Only this policy.", metavar="ID", show_default=False)] = None,
    severity: Annotated[SeverityName | None, typer.Option(help="Only violations of this severity.", show_default=False)] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--policies", help="Policies of your own: a file, or a folder of them (*.yaml).", metavar="FILE", show_default=False),
    ] = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show the policies, or with --violations what breaks them.

    With --violations: exit code 1 if a policy of severity error is broken, 2 if that could not be found out.
    """
    from meshline.cli.deciding import deciding
    from meshline.cli.policy_list import listed, severe, told, violated
    from meshline.cli.terminal import write, write_json
    from meshline.errors import InvalidInput

    with deciding() as decision:
        if server is not None and folder is not None:
            raise InvalidInput("a server has its own (setting `policies`); give either --server or --policies")
        if severity is not None and not violations:
            raise InvalidInput("--severity is about violations: give --violations as well")
        with _answers(store, server, folder) as source:
            found = list(violated(source, policy, None if severity is None else severity.name)) if violations else listed(source, policy)
        if format is TextFormat.JSON:
            write_json(found)
        else:
            write(told(found, violations=violations))
        decision.passed = not (violations and any(severe(one) for one in found))


def _answers(store: str | None, server: str | None, folder: Path | None) -> AbstractContextManager[Answers]:
    from meshline.cli.answers import answers

    return answers(store, server) if folder is None else _local(store, folder)


def _local(store: str | None, folder: Path) -> AbstractContextManager[Answers]:
    from contextlib import contextmanager

    from meshline.cli.local import Local, opened

    @contextmanager
    def local() -> Iterator[Answers]:
        with opened(store, must_exist=True) as graph:
            yield Local(graph, folder)

    return local()

"""`meshline policies`."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshline.cli.answer_types import format_table
from meshline.cli.client import Client, read_query
from meshline.cli.options import ListFormat, Server, Store, TextFormat
from meshline.cli.terminal import Line
from meshline.errors import NotFound
from meshline.graph.model import Json
from meshline.words import format_count, suggest_closest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from meshline.cli.client import Client


class SeverityName(enum.StrEnum):
    """How bad a violation is; in the schema in upper case."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


def policies(
    *,
    violations: Annotated[bool, typer.Option("--violations", help="Show the current violations instead of the policies.")] = False,
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
    """Show the policies, or with --violations their violations.

    With --violations: exit code 1 if a policy of severity error is violated, 2 if that could not be decided.
    """
    from meshline.cli.exit_codes import exit_by_decision
    from meshline.cli.terminal import write_json, write_lines
    from meshline.errors import InvalidInput

    with exit_by_decision() as decision:
        if server is not None and folder is not None:
            raise InvalidInput("a server has its own (setting `policies`); give either --server or --policies")
        if severity is not None and not violations:
            raise InvalidInput("--severity is about violations: give --violations as well")
        with _open_client(store, server, folder) as source:
            found = (
                list(list_violations(source, policy, None if severity is None else severity.name))
                if violations
                else list_policies(source, policy)
            )
        if format is TextFormat.JSON:
            write_json(found)
        else:
            write_lines(format_policies(found, violations=violations))
        decision.passed = not (violations and any(is_severe(one) for one in found))


def _open_client(store: str | None, server: str | None, folder: Path | None) -> AbstractContextManager[Client]:
    from meshline.cli.client import open_client

    return open_client(store, server) if folder is None else _open_local_client(store, folder)


def _open_local_client(store: str | None, folder: Path) -> AbstractContextManager[Client]:
    from contextlib import contextmanager

    from meshline.cli.client import LocalClient
    from meshline.cli.store import open_graph

    @contextmanager
    def open_local() -> Iterator[Client]:
        with open_graph(store, must_exist=True) as graph:
            yield LocalClient(graph, folder)

    return open_local()


PAGE = 500
_STYLES = {"error": "red", "warning": "yellow", "info": "dim"}


def list_policies(source: Client, policy: str | None) -> list[Json]:
    """All policies, or one. Raises NotFound."""
    found: Any = source.ask(read_query("policies"), {})["policies"]
    chosen = [one for one in found if policy in (None, one["id"])]
    if not chosen:
        raise NotFound(
            f"there is no policy {policy!r}{suggest_closest(str(policy), [one['id'] for one in found])}; `meshline policies` lists them"
        )
    return chosen


def list_violations(source: Client, policy: str | None, severity: str | None = None) -> Iterator[Json]:
    """The violations of one severity or of all, the worst first, read page by page."""
    after: str | None = None
    while True:
        found: Any = source.ask(read_query("violations"), {"policy": policy, "severity": severity, "first": PAGE, "after": after})[
            "policyViolations"
        ]
        yield from found["nodes"]
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]


def is_severe(one: Any) -> bool:
    """Whether a violation fails the command: its severity is error."""
    return bool(one["severity"] == "error")


def format_policies(found: Sequence[Any], *, violations: bool) -> Iterator[Line]:
    """Policies or violations as text."""
    if not violations:
        rows = [(one["id"], one["severity"].lower(), one["kind"], _format_broken(one), one["title"]) for one in found]
        yield from format_table([("policy", "severity", "about", "broken", "what is wrong then"), *rows])
        return
    groups = [(policy, list(group)) for policy, group in groupby(found, key=itemgetter("policy"))]
    for policy, broken in groups:
        if len(groups) > 1:
            yield Line(f"{policy}: {format_count(len(broken), 'violation')}", "bold")
        for one in broken:
            yield Line(f"{one['severity']}: {one['text']}", _STYLES[one["severity"]])
            yield Line(f"  {one['policy']} {one['fingerprint']}", "dim")
            if len(one["path"]) > 1:
                yield Line(f"  {' -> '.join(map(_format_step, one['path']))}", "dim")
    yield Line(_format_sum(found), "bold")


def _format_broken(one: Mapping[str, Any]) -> str:
    return "off" if one["off"] else str(one["violations"])


def _format_step(step: Mapping[str, Any]) -> str:
    return f"{step['name']} (masked)" if step["masking"] else str(step["name"])


def _format_sum(found: Sequence[Mapping[str, Any]]) -> str:
    counts = [(severity, sum(one["severity"] == severity for one in found)) for severity in _STYLES]
    parts = ", ".join(f"{count} of severity {severity}" for severity, count in counts if count)
    return f"{len(found)} violations: {parts}" if len(found) > 1 else f"1 violation: {parts}" if found else "no policy is broken"

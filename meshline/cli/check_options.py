"""The options of all checks."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

import typer

from meshline.cli.options import HELP, parse_time
from meshline.governance.report_formats import Format

if TYPE_CHECKING:
    from meshline.ingest.changes import ChangeInput


class ModeName(enum.StrEnum):
    STRICT = "strict"
    USAGE = "usage"


class ProfileName(enum.StrEnum):
    MESH = "mesh"
    CONSUMER = "consumer"
    FULL = "full"


class FailOnName(enum.StrEnum):
    BREAKING = "breaking"
    CONDITIONAL = "conditional"
    NONE = "none"


Mode: TypeAlias = Annotated[
    ModeName,
    typer.Option(help="strict: the rules alone decide. usage: unread data may go where lineage is complete.", case_sensitive=False),
]
Profile: TypeAlias = Annotated[
    ProfileName | None,
    typer.Option(
        help="Whose verdicts: the mesh's, those of consumers (as datacontract-cli), or the stricter ones. [default: mesh]",
        case_sensitive=False,
        show_default=False,
    ),
]
FailOn: TypeAlias = Annotated[FailOnName, typer.Option(help="The mildest verdict that fails the check.", case_sensitive=False)]
Reported: TypeAlias = Annotated[Format, typer.Option("--format", help="The format of the report.", case_sensitive=False)]
Output: TypeAlias = Annotated[
    Path | None, typer.Option(help="The file to write the report to, instead of standard output.", show_default=False, metavar="FILE")
]
Also: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="Write the report to a file in another format as well; may be repeated.", show_default=False, metavar="FORMAT=FILE"),
]
Waivers: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="The waiver file. [default: meshline-waivers.yaml, if it exists]", show_default=False, metavar="FILE"),
]
Policies: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(help="Policy files or folders, to check the change against; may be repeated.", show_default=False, metavar="FILE"),
]
Since: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        help=f"Report how the lineage of the changed assets has changed since then, e.g. the last release. {HELP}",
        parser=parse_time,
        metavar="TIME",
        show_default=False,
    ),
]
NoGraph: TypeAlias = Annotated[
    bool, typer.Option("--no-graph", help="Judge by the rules alone, without a store or server. Consumers are not checked.")
]


class CheckInputs(NamedTuple):
    """The inputs of a check. `folder`: the folder of the default waiver file; `namespaces`: short names from the mesh file;
    `warnings`: inputs that are not checked. `against_graph`: the inputs have one version, which is compared with the graph;
    `unchanged`: the number of further files that are the same in both versions; `registry_mode`: the compatibility mode that
    decides unless a profile is given; with a profile only the last of `given` is compared.
    """

    given: Sequence[ChangeInput]
    folder: Path = Path()
    namespaces: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()
    against_graph: bool = False
    unchanged: int = 0
    registry_mode: str = ""


class CheckOptions(NamedTuple):
    """The values of the options that all checks have."""

    mode: ModeName
    profile: ProfileName | None
    fail_on: FailOnName
    form: Format
    output: Path | None
    also: tuple[str, ...]
    waivers: Path | None
    policies: tuple[Path, ...]
    since: datetime | None
    no_graph: bool
    store: str | None
    server: str | None

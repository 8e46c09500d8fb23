"""What the commands of sources of check results share: their options, and the way into the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import typer

Files = typer.Argument(help="Files and patterns.", metavar="FILE...")
DatasetName: TypeAlias = Annotated[
    str | None, typer.Option(help="The dataset that all of it is about.", show_default=False, metavar="NAMESPACE/NAME")
]
DatasetNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--map", help="The dataset that the tool calls so; may be repeated.", show_default=False, metavar="NAME=NAMESPACE/NAME"),
]
Namespace: TypeAlias = Annotated[
    str | None, typer.Option(help="Where the tables are whose names have no namespace.", show_default=False, metavar="NAMESPACE")
]
Suite: TypeAlias = Annotated[str | None, typer.Option(help="The suite, where a file does not name it.", show_default=False, metavar="NAME")]
Complete: TypeAlias = Annotated[
    bool, typer.Option("--complete", help="Retract the source's other checks and results: these are all files that it has.")
]
SourceName: TypeAlias = Annotated[str, typer.Option(help="Which of several sources of the kind says it.", metavar="NAME")]


def load(kind: str, given: Mapping[str, object], *, strict: bool, store: str | None, server: str | None) -> None:
    """Load a source of these keys; `datasets` as they were typed. Raises InvalidInput."""
    from meshline.cli.ingesting import take

    datasets = given.get("datasets")
    take(kind, given if datasets is None else {**given, "datasets": _mapping(datasets)}, strict=strict, store=store, server=server)


def _mapping(given: object) -> dict[str, str]:
    """`NAME=NAMESPACE/NAME` as a mapping."""
    from meshline.errors import InvalidInput

    assert isinstance(given, list)
    result: dict[str, str] = {}
    for text in given:
        name, _, dataset = str(text).partition("=")
        if not (name and dataset):
            raise InvalidInput(f"found {text!r}; accepted is NAME=NAMESPACE/NAME", "--map")
        result[name] = dataset
    return result

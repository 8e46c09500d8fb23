"""`meshline identity explain|conflicts|part|retract`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from meshline.cli.answer_types import format_table
from meshline.cli.client import convert_answer
from meshline.cli.completion import complete_asset
from meshline.cli.options import By, Limit, ListFormat, Server, Store, TextFormat, find_author
from meshline.cli.terminal import Line
from meshline.errors import InvalidInput
from meshline.words import format_count


def explain(
    name: Annotated[str, typer.Argument(help="A dataset by any of its names.", metavar="NAME", autocompletion=complete_asset)],
    *,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show the names of a dataset, the statements that join them, and why one of the names is shown."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.terminal import write_json, write_lines
    from meshline.errors import InvalidInput

    with open_client(store, server) as source:
        data = source.ask(read_query("identity"), {"name": name})["resolve"]
    assert isinstance(data, dict)
    if "identity" not in data:
        raise InvalidInput(f"{data['qualifiedName']} is no dataset: only datasets have several names", "NAME")
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write_lines(format_identity(data))


def conflicts(
    *,
    limit: Limit = 25,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002
    store: Store = None,
    server: Server = None,
) -> None:
    """List merges that look wrong, and names that probably are one dataset but are not joined."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.terminal import write_json, write_lines

    with open_client(store, server) as source:
        data = source.ask(read_query("conflicts"), {"limit": limit})["identityConflicts"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write_lines(format_conflicts(data))


def part(
    name: Annotated[
        str,
        typer.Argument(
            help="A name of the dataset: namespace/name, or the end of it if that is unique.", metavar="NAME", autocompletion=complete_asset
        ),
    ],
    other: Annotated[
        str, typer.Argument(help="Another name, which is not the same dataset.", metavar="OTHER", autocompletion=complete_asset)
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why they are not the same.", metavar="TEXT")],
    days: Annotated[int | None, typer.Option(help="Days until it ends. [default: it is without end]", min=1, show_default=False)] = None,
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """State that two names are different datasets, whatever joins them. The statement can be retracted."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.request_access import format_end
    from meshline.cli.terminal import Line, write_lines

    with open_client(store, server) as source:
        names = [source.ask(read_query("identity"), {"name": text})["resolve"] for text in (name, other)]
        end = None if days is None else format_end(days)
        variables = {**find_names(names, (name, other)), "why": reason, "by": find_author(by, server), "until": end}
        done = source.mutate(read_query("part"), variables)["notSameAs"]
    assert isinstance(done, dict)
    until = f" until {end[:10]}" if end else ""
    write_lines([Line(f"{variables['first']} is not {variables['second']}{until} ({done['statement']})")])


def retract(
    statement: Annotated[str, typer.Argument(help="The id that `identity explain` shows: st_...", metavar="STATEMENT")],
    *,
    store: Store = None,
    server: Server = None,
) -> None:
    """Retract a statement of a person."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.terminal import Line, write_lines

    with open_client(store, server) as source:
        source.mutate(read_query("retract"), {"statement": statement})
    write_lines([Line(f"{statement} is retracted")])


class Name(msgspec.Struct, frozen=True):
    """One name of a dataset."""

    namespace: str
    name: str
    id: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Member(msgspec.Struct, frozen=True):
    name: Name
    rank: str
    source: str | None
    shown: bool
    past: bool


class Reason(msgspec.Struct, frozen=True):
    start: Name
    end: Name
    type: str
    why: str
    rule: str | None
    source: str
    since: str
    statement: str
    overruled: bool
    until: str | None = None


class Spelling(msgspec.Struct, frozen=True):
    name: str
    datasets: list[Name]


class ColumnName(msgspec.Struct, frozen=True):
    name: str


class MergedColumn(msgspec.Struct, frozen=True):
    column: ColumnName
    spellings: list[Spelling]


class Identity(msgspec.Struct, rename="camel", frozen=True):
    shown: Name
    members: list[Member]
    reasons: list[Reason]
    partings: list[Reason]
    merged_columns: list[MergedColumn]


class Alias(msgspec.Struct, frozen=True):
    """Another name of a dataset; with the reason `spelling`, another spelling of a member."""

    namespace: str
    name: str
    why: str
    source: str


class Explained(msgspec.Struct, frozen=True):
    identity: Identity
    aliases: list[Alias]


class Conflict(msgspec.Struct, rename="camel", frozen=True):
    kind: str
    similarity: float
    sources: list[str]
    session_name: Name | None
    names: list[Name]


class Conflicts(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[Conflict]


RANKS = {
    "OUTPUT_PORT": "an output port has it",
    "CATALOG": "a catalog describes it",
    "TABLE_SYMLINK": "it is a symlink of type TABLE",
    "NAME": "",
}
ARROWS = {"RENAMED_TO": "was renamed to", "DIFFERENT_FROM": "is not"}
KINDS = {
    "TWO_TABLES": "one dataset, but two tables of catalogs",
    "UNLIKE_COLUMNS": "one dataset, but unlike columns",
    "NEAR_MISS": "two datasets, but the same name and alike columns",
    "SESSION_NAME": "several datasets, not joined by a name that is valid in one session only",
}


def format_identity(data: object) -> Iterator[Line]:
    """The names, the shown one and why, the statements that join or separate them, and columns with several spellings."""
    found = convert_answer(data, Explained)
    identity = found.identity
    yield Line(str(identity.shown), "bold")
    yield Line(f"shown because {_explain_shown(identity)}")
    yield Line("")
    yield Line(f"{format_count(len(identity.members), 'name')}:")
    yield from format_table([(str(one.name), _describe_rank(one)) for one in identity.members], indent="  ")
    for why, title in (("spelling", "also written:"), ("name in a session", "called in sessions, which is no identity:")):
        written = sorted({(f"{alias.namespace}/{alias.name}", alias.source) for alias in found.aliases if alias.why == why})
        if written:
            yield Line(title)
            yield from format_table(written, indent="  ")
    joining = [reason for reason in identity.reasons if not reason.overruled]
    overruled = [reason for reason in identity.reasons if reason.overruled]
    for title, reasons in (("one because:", joining), ("parted because:", identity.partings), ("so without effect:", overruled)):
        if reasons:
            yield Line(title)
        for reason in reasons:
            yield Line(f"  {reason.start} {ARROWS.get(reason.type, 'is')} {reason.end}")
            end = f" until {reason.until[:19]}" if reason.until else ""
            yield Line(f"    {reason.rule or reason.why} ({reason.source} since {reason.since[:19]}{end}, {reason.statement})")
    if identity.merged_columns:
        yield Line("columns with several spellings:")
        for merged in identity.merged_columns:
            spelled = "; ".join(f"{one.name} in {', '.join(map(str, one.datasets))}" for one in merged.spellings)
            yield Line(f"  {merged.column.name}: {spelled}")


def find_names(resolved: Sequence[object], written: Sequence[str]) -> dict[str, str]:
    """The ids of two names of datasets, and the names, for the mutation. Raises InvalidInput if a text fits no or several names."""
    first, second = (_find_name(data, text) for data, text in zip(resolved, written, strict=True))
    return {"dataset": first.id, "other": second.id, "first": str(first), "second": str(second)}


def _find_name(data: object, text: str) -> Name:
    """The one name of a dataset that a text fits: `resolve` does not distinguish the names of one dataset."""
    if not (isinstance(data, dict) and "identity" in data):
        raise InvalidInput(f"{text!r} is no dataset", "NAME")
    members = [one.name for one in convert_answer(data, Explained).identity.members if not one.past]
    for fits in (lambda name: str(name) == text, lambda name: name.name == text, lambda name: str(name).endswith((f"/{text}", f".{text}"))):
        found = [name for name in members if fits(name)]
        if len(found) == 1:
            return found[0]
    raise InvalidInput(f"{text!r} may be {', '.join(map(str, members))}: write the name in full", "NAME")


def _explain_shown(identity: Identity) -> str:
    if len(identity.members) < 2:
        return "it has no other name"
    shown = next((one for one in identity.members if one.shown), identity.members[0])
    equals = sum(one.rank == shown.rank for one in identity.members) > 1
    first = "it is the first by name of those with this rank"
    if not RANKS[shown.rank]:
        return "it is the first by name, and no name has a higher rank"
    return _describe_rank(shown) + (f", and {first}" if equals else "")


def _describe_rank(one: Member) -> str:
    if one.past:
        return "until it was renamed"
    reason = RANKS[one.rank]
    return f"{reason} ({one.source})" if reason and one.source is not None else reason


def format_conflicts(data: object) -> Iterator[Line]:
    """For each conflict, a line with its kind, and a line for each name."""
    page = convert_answer(data, Conflicts)
    if not page.nodes:
        yield Line("no identity looks wrong")
    for conflict in page.nodes:
        of = f" of {' and '.join(conflict.sources)}" if conflict.sources else ""
        of += f": {conflict.session_name}" if conflict.session_name is not None else ""
        yield Line(f"{KINDS[conflict.kind]}{of} ({conflict.similarity:.0%} of columns in common)")
        yield from (Line(f"  {name}") for name in conflict.names)
    hidden = page.total_count - len(page.nodes)
    if hidden > 0:
        yield Line(f"and {hidden} more: --limit shows more of them", "dim")

"""`meshline identity proposals|accept|rules|drop-rule`: rules that join the names of one catalog."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from meshline.cli.answer_types import format_table
from meshline.cli.client import convert_answer
from meshline.cli.options import By, Limit, ListFormat, Server, Store, TextFormat, find_author
from meshline.cli.terminal import Line
from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.words import format_count, suggest_closest

MOST = 1000  # proposals and rules that are asked for


def proposals(
    *,
    limit: Limit = 25,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Propose rules for names of one catalog, judged by the columns that they would join."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.terminal import write_json, write_lines

    with open_client(store, server) as source:
        data = source.ask(read_query("naming_proposals"), {"limit": limit})["namingProposals"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write_lines(format_proposals(data))


def accept(
    rules: Annotated[
        list[str] | None, typer.Argument(help="Ids that `identity proposals` shows: nr_...", metavar="RULE...", show_default=False)
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All proposals that would join no datasets with unlike columns.")] = False,
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Accept proposed rules: they apply to later datasets, too, until `identity drop-rule`."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.terminal import write_lines

    if bool(rules) == every:
        raise InvalidInput("give the ids of proposals, or --all", "RULE")
    with open_client(store, server) as source:
        known = convert_answer(source.ask(read_query("naming_proposals"), {"limit": MOST})["namingProposals"], list[Proposal])
        chosen = [one.rule for one in known if not one.unlike] if every else find_rules(rules or (), [one.rule for one in known])
        if not chosen:
            write_lines([Line("no rule is proposed that joins only datasets with alike columns")])
        for rule in chosen:
            done = source.mutate(read_query("accept_naming_rule"), {**rule.build_variables(), "by": find_author(by, server)})
            write_lines([format_stated(done["acceptNamingRule"], "accepted")])


def list_rules(
    *,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002
    store: Store = None,
    server: Server = None,
) -> None:
    """List the rules that join names of one catalog, with their sources."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.terminal import write_json, write_lines

    with open_client(store, server) as source:
        data = source.ask(read_query("naming_rules"), {})["namingRules"]
    if format is TextFormat.JSON:
        write_json(data)
        return
    rows = [(rule.id, str(rule), rule.source or "") for rule in convert_answer(data, list[Rule])]
    write_lines(format_table(rows) if rows else [Line("there are no rules")])


def drop_rule(
    rules: Annotated[list[str], typer.Argument(help="Ids that `identity rules` shows: nr_...", metavar="RULE...")],
    *,
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Remove rules that a person accepted: what only they joined is separate again."""
    from meshline.cli.client import open_client, read_query
    from meshline.cli.terminal import write_lines

    with open_client(store, server) as source:
        known = convert_answer(source.ask(read_query("naming_rules"), {})["namingRules"], list[Rule])
        for rule in find_rules(rules, known):
            if not (rule.source or "").startswith("person/"):
                raise InvalidInput(f"{rule.source} states this rule: remove it there ({rule})", rule.id)
            author = by or (find_author(by, server) and (rule.source or "").removeprefix("person/"))
            done = source.mutate(read_query("remove_naming_rule"), {**rule.build_variables(), "by": author})
            write_lines([format_stated(done["removeNamingRule"], "removed")])


class Prefix(msgspec.Struct, frozen=True):
    namespace: str
    prefix: str
    text: str


class Rule(msgspec.Struct, rename="camel", frozen=True):
    names: Prefix
    also: Prefix
    ignore_case: bool
    source: str | None = None

    def __str__(self) -> str:
        return f"{self.also.text} is {self.names.text}{', ignoring case' if self.ignore_case else ''}"

    @property
    def id(self) -> str:
        """The same for the same rule, as a proposal and as a rule."""
        parts = (self.also.namespace, self.also.prefix, self.names.namespace, self.names.prefix, str(self.ignore_case))
        return f"nr_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:8]}"

    def build_variables(self) -> dict[str, Json]:
        """The variables of the mutations."""
        return {
            "names": {"namespace": self.names.namespace, "prefix": self.names.prefix},
            "also": {"namespace": self.also.namespace, "prefix": self.also.prefix},
            "ignoreCase": self.ignore_case,
        }


class Name(msgspec.Struct, frozen=True):
    namespace: str
    name: str


class Example(msgspec.Struct, frozen=True):
    also: Name
    names: Name


class Proposal(msgspec.Struct, frozen=True):
    rule: Rule
    alike: int
    unlike: int
    unknown: int
    examples: list[Example]


class Stated(msgspec.Struct, frozen=True):
    rule: Rule
    joined: int


def find_rules(ids: Sequence[str], known: Sequence[Rule]) -> list[Rule]:
    """The rules with these ids, each once. Raises InvalidInput for an unknown id."""
    by_id = {rule.id: rule for rule in known}
    for id_ in ids:
        if id_ not in by_id:
            raise InvalidInput(
                f"there is no such rule{suggest_closest(id_, by_id)}: `identity proposals` and `identity rules` show them", id_
            )
    return [by_id[id_] for id_ in dict.fromkeys(ids)]


def format_proposals(data: object) -> Iterator[Line]:
    """For each proposal its id, the rule, what it would join, and examples."""
    found = convert_answer(data, list[Proposal])
    if not found:
        yield Line("no rule is proposed: no two systems have tables of the same name with alike columns that are not joined")
        return
    for one in found:
        counts = [f"{one.alike} with alike columns"]
        counts += [f"{one.unlike} with unlike columns"] if one.unlike else []
        counts += [f"{one.unknown} whose columns are unknown"] if one.unknown else []
        yield Line(f"{one.rule.id}  {one.rule}", "bold")
        yield Line(f"  joins {format_count(one.alike + one.unlike + one.unknown, 'pair')} of datasets: {', '.join(counts)}")
        for example in one.examples:
            yield Line(f"  {example.also.namespace}/{example.also.name} is {example.names.namespace}/{example.names.name}", "dim")
    yield Line("`meshline identity accept RULE` accepts one; a mesh file states it for all stores:")
    yield from _write_catalogs([one.rule for one in found])


def _write_catalogs(rules: Sequence[Rule]) -> Iterator[Line]:
    """The rules as `catalogs:` of a mesh file, which has one entry for each catalog."""
    by_catalog: dict[Prefix, list[Rule]] = {}
    for rule in rules:
        by_catalog.setdefault(rule.names, []).append(rule)
    yield Line("catalogs:")
    for names, of_catalog in by_catalog.items():
        case = ", ignore_case: true" if any(rule.ignore_case for rule in of_catalog) else ""
        yield Line(f"  - {{names: {_write_prefix(names)}, also: [{', '.join(_write_prefix(rule.also) for rule in of_catalog)}]{case}}}")


def _write_prefix(prefix: Prefix) -> str:
    """A prefix in YAML (of which JSON is a part), so that any namespace is read again as it is."""
    written = {"namespace": prefix.namespace} | ({"prefix": prefix.prefix} if prefix.prefix else {})
    return "{" + ", ".join(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in written.items()) + "}"


def format_stated(data: object, done: str) -> Line:
    found = convert_answer(data, Stated)
    return Line(f"{done}: {found.rule} ({format_count(found.joined, 'pair')} of names joined by rules now)")

"""`meshline rules [ID]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import ListFormat, TextFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshline.cli.terminal import Line
    from meshline.governance.rules import Rule
    from meshline.graph.model import Json


def rules(
    id: Annotated[str | None, typer.Argument(help="One rule, e.g. column-removed.", metavar="ID", show_default=False)] = None,  # noqa: A002
    *,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
) -> None:
    """List the rules of the gate, or explain one of them."""
    from meshline.cli.terminal import write_json, write_lines
    from meshline.errors import NotFound
    from meshline.governance.rules import RULES
    from meshline.words import suggest_closest

    if id is not None and id not in RULES:
        raise NotFound(f"there is no rule {id!r}{suggest_closest(id, RULES)}; `meshline rules` lists them")
    if format is TextFormat.JSON:
        write_json([_convert_rule(rule) for rule in RULES.values()] if id is None else _convert_rule(RULES[id]))
    else:
        write_lines(_format_rules() if id is None else _format_rule(RULES[id]))


def _format_rules() -> Iterator[Line]:
    from meshline.cli.answer_types import format_table
    from meshline.cli.terminal import Line
    from meshline.governance.docs_pages import format_title, format_verdict
    from meshline.governance.rules import RULES

    rows = [
        (f"{one.id}{' *' if one.law else ''}", one.side, format_verdict(one.mesh), format_verdict(one.consumer), format_title(one.title))
        for one in RULES.values()
    ]
    yield from format_table([("rule", "side", "mesh", "consumer", "what"), *rows])
    yield Line(
        "* always enforced by the profile mesh; `meshline rules ID` explains a rule: the reason, the effect of lineage, and a safe way",
        "dim",
    )


def _format_rule(rule: Rule) -> Iterator[Line]:
    from meshline.cli.answer_types import format_table
    from meshline.cli.terminal import Line
    from meshline.governance.docs_pages import describe_lineage, describe_readers, format_title, format_verdict
    from meshline.governance.rules import Profile

    yield Line(f"{rule.id}: {format_title(rule.title)}", "bold")
    rows = [
        ("why", rule.reason),
        ("side", rule.side),
        ("verdict", ", ".join(f"{format_verdict(rule.get_verdict(profile))} in {profile}" for profile in Profile)),
        ("readers", describe_readers(rule)),
        ("with lineage", describe_lineage(rule)),
        ("safe", rule.safe),
        ("law", "always enforced by the profile mesh" if rule.law else ""),
    ]
    yield from format_table([(name, text) for name, text in rows if text], indent="  ")


def _convert_rule(rule: Rule) -> dict[str, Json]:
    from meshline.governance.docs_pages import format_verdict
    from meshline.governance.rules import Profile

    return {
        "id": rule.id,
        "side": rule.side.value,
        "verdicts": {profile.value: format_verdict(rule.get_verdict(profile)) for profile in Profile},
        "readers": None if rule.readers is None else format_verdict(rule.readers),
        "title": rule.title,
        "reason": rule.reason,
        "safe": rule.safe,
        "refinement": rule.refinement.value,
        "law": rule.law,
    }

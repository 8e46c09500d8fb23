"""`docs/rules.md`, made from the table of rules by scripts/make-docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from meshline.governance.rules import GROUPS, Refinement, Rule, Verdict

# What lineage does to a verdict, as the end of "with lineage: ...".
LINEAGE = {
    Refinement.UNREACHED: "compatible if nobody is reached",
    Refinement.POSITIONAL: "conditional for who reads by position (INSERT without a list, UNION, SELECT * into a fixed target)",
    Refinement.WIDENED: "breaking into a narrower copy; compatible if nobody is reached, or every reader takes the wider type",
    Refinement.FILTERED_ONLY: "conditional where it is only filtered on; compatible if nobody is reached",
    Refinement.JOINED: "breaking where it is a key of a join or a group",
    Refinement.BRANCHED: "conditional where a filter or condition reads it",
    Refinement.UNBRANCHED: "compatible if no filter or condition reads it",
    Refinement.EXPOSED: "breaking where an output port shows it unmasked",
    Refinement.BOUND: "breaking where consumers are bound to it",
    Refinement.PROMISED: "breaking where the promise of another no longer holds",
    Refinement.CLOSING: "conditional if it closes a cycle of products, or promises less than the product does",
}


class Difference(NamedTuple):
    """Where the profile `consumer` and datacontract-cli disagree. `rules`: whose changes; empty: there is no change for us."""

    rules: tuple[str, ...]
    said: str
    reason: str


COMPARED = "1.2.8"  # the version of datacontract-cli that the golden pairs were given to
DIFFERENCES = (
    Difference((), "error", "A type in another spelling (`text`, `NUMERIC(18,2)`) is another type there; here types have one normal form."),
    Difference(("type-widened",), "error", "No value is lost when a type grows: a reader has to look, and need not fail."),
    Difference(("type-specified",), "error", "`decimal` may be a `decimal(18,2)`: who was ready for any is ready for one."),
    Difference(("type-changed", "type-widened"), "not graded", "`precision` and `scale` beside a type are custom properties there."),
    Difference(("bound-changed",), "not graded", "The `format` of a text is not looked at there; here it is a bound, as a pattern is."),
    Difference(
        ("classification-raised", "classification-removed"),
        "not graded",
        "It is metadata there; here policies ask for it.",
    ),
    Difference(
        ("slo-loosened", "slo-removed", "slo-changed", "retention-shortened"),
        "not graded",
        "Only the freshness of a field is looked at there, in the same direction; here every level is a promise.",
    ),
    Difference(
        ("owner-removed", "notice-shortened", "terms-changed", "access-narrowed", "consumer-removed"),
        "not graded",
        "It is metadata there; who relies on a contract relies on these, too.",
    ),
    Difference(
        ("location-changed", "contract-ended"),
        "not graded",
        "Servers and the status are metadata there; who finds nothing where the data was, or nobody who promises it, is broken.",
    ),
)

HEAD = """\
# Rules of change

Made from the code by `scripts/make-docs`. Every difference that `meshline check` finds falls under one rule. `meshline rules` lists them,
`meshline rules ID` says all about one:

```console
$ meshline rules column-removed
column-removed: `FIELD` is removed
...
$ meshline rules --format json
...
```

A verdict is **compatible** (nothing to do), **conditional** (somebody has to look) or **breaking**. It is for one side: who reads the
data, who writes it, or governance. The profile says whose thinking decides: `mesh` (the default, in which the rules marked with * are
law), `consumer` (only what the reader of a contract meets, as [datacontract-cli](#datacontract-cli) sees it), or `full`, the stricter of
both.

Recorded lineage refines a verdict for each consumer. What makes it worse counts always. What makes it better counts with `--mode usage`
only, and only where the lineage is complete: what nobody knows never makes a change safer.

Formatting, comments, the order of keys, roles, rules and listed values, the spelling of types, descriptions and titles are no change. A
column or model is the same one by its id, else by its declared rename, else by its name. Types are compared in one normal form over the
spellings of Iceberg, Delta, Spark, Trino, Avro, JSON Schema, SQL dialects and contracts; one that is not known is its own text. A type
*grows* if no value is lost: in Iceberg int to long, float to double, a decimal by precision, date to timestamp; in Delta byte to short
to int to long, byte to int and float to double, date to timestamp without zone, a decimal by both parts; elsewhere integers, floats,
decimals, the length of texts and the precision of times. A type without its length (`decimal`, `string`) leaves it open: to say it
(`decimal(18,2)`) is less than to change it, and to leave it out again is to let it grow.
"""

TAIL = f"""
## datacontract-cli

The profile `consumer` follows the direction of `datacontract breaking --perspective consumer`: what lets values come that were ruled out
breaks who reads, what rules more out does not. The tests give every golden pair of contracts to both (version {COMPARED} of
datacontract-cli: error is breaking, warning conditional, info compatible) and allow these differences only:

| rules here | there | why |
| --- | --- | --- |
"""


def rules_page() -> str:
    return HEAD + "".join(_groups()) + TAIL + "".join(f"{row}\n" for row in _differences())


def shown(title: str) -> str:
    """A rule's sentence without a change: `FIELD` for `{field}`."""
    return re.sub(r"\{(\w+)\}", lambda found: found[1].upper().replace("_", " "), title)


def lineage(rule: Rule) -> str:
    """How lineage refines it; empty: it does not."""
    return LINEAGE.get(rule.refinement, "")


def readers(rule: Rule) -> str:
    """What it is for who reads, if that is not its verdict."""
    return f"{word(rule.readers)} for who reads" if rule.readers is not None else ""


def word(verdict: Verdict) -> str:
    return verdict.name.lower()


def _groups() -> Iterator[str]:
    for name, rules in GROUPS.items():
        yield f"\n## {name[0].upper()}{name[1:]}\n\n"
        yield "| rule | side | mesh | consumer | what | why | with lineage |\n| --- | --- | --- | --- | --- | --- | --- |\n"
        yield from (f"{_row(rule)}\n" for rule in rules)


def _row(rule: Rule) -> str:
    called = f'<a id="{rule.id}"></a>`{rule.id}`{" *" if rule.seed else ""}'
    what = shown(rule.title).replace("|", "\\|")
    moved = "; ".join(filter(None, (readers(rule), lineage(rule))))
    return f"| {called} | {rule.side} | {word(rule.mesh)} | {word(rule.consumer)} | {what} | {rule.reason} | {moved} |"


def _differences() -> Iterator[str]:
    for one in DIFFERENCES:
        yield f"| {', '.join(f'`{rule}`' for rule in one.rules) or 'no change'} | {one.said} | {one.reason} |"

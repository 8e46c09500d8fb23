"""The pages `docs/rules.md` and `docs/policies/kinds.md`, which scripts/make-docs generates from the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from meshline.governance.rules import GROUPS, Refinement, Rule, Verdict

if TYPE_CHECKING:
    from meshline.governance.policies.subject import Subject

# How lineage adjusts a verdict, as the end of "with lineage: ...".
LINEAGE = {
    Refinement.UNREACHED: "compatible if it has no readers",
    Refinement.POSITIONAL: "conditional for readers by position (INSERT without a list, UNION, SELECT * into a fixed target)",
    Refinement.WIDENED: "breaking into a narrower copy; compatible if it has no readers, or all of them accept the wider type",
    Refinement.PROMOTED: "breaking in the profile mesh if a contract in force promises the type; breaking into a narrower copy;"
    " compatible if it has no readers, or all of them accept the wider type",
    Refinement.FILTERED_ONLY: "conditional where it is only filtered on; compatible if it has no readers",
    Refinement.JOINED: "breaking where it is a key of a join or a group",
    Refinement.BRANCHED: "conditional where a filter or condition reads it",
    Refinement.UNBRANCHED: "compatible if no filter or condition reads it",
    Refinement.EXPOSED: "breaking where an output port shows it unmasked",
    Refinement.BOUND: "breaking where consumers are bound to it",
    Refinement.PROMISED: "breaking where a promise based on it is no longer met",
    Refinement.CLOSING: "conditional if it closes a cycle of products, or promises less than the product does",
}


class Difference(NamedTuple):
    """A disagreement between the profile `consumer` and datacontract-cli. `rules`: of the
    changes; empty: here there is no change. `grade`: of datacontract-cli.
    """

    rules: tuple[str, ...]
    grade: str
    reason: str


COMPARED = "1.2.8"  # the version of datacontract-cli that graded the golden pairs
DIFFERENCES = (
    Difference((), "error", "A type in another spelling (`text`, `NUMERIC(18,2)`) is another type there; here types have one normal form."),
    Difference(("type-widened",), "error", "No value is lost when a type grows: a reader has to check it, and need not fail."),
    Difference(("type-specified",), "error", "`decimal` may be a `decimal(18,2)`: a reader that accepts any decimal accepts this one."),
    Difference(("type-changed", "type-widened"), "not graded", "`precision` and `scale` beside a type are custom properties there."),
    Difference(("bound-changed",), "not graded", "The `format` of a text is not compared there; here it is a bound, as a pattern is."),
    Difference(
        ("classification-raised", "classification-removed"),
        "not graded",
        "It is metadata there; here policies use it.",
    ),
    Difference(
        ("slo-loosened", "slo-removed", "slo-changed", "retention-shortened"),
        "not graded",
        "Only the freshness of a field is compared there, in the same direction; here every level is a promise.",
    ),
    Difference(
        ("owner-removed", "notice-shortened", "terms-changed", "access-narrowed", "consumer-removed"),
        "not graded",
        "It is metadata there; consumers of a contract rely on these, too.",
    ),
    Difference(
        ("location-changed", "contract-ended"),
        "not graded",
        "Servers and the status are metadata there; here readers break that find no data in its old place, or no promise of it.",
    ),
)

HEAD = """\
# Rules of change

Made from the code and its tests by `scripts/make-docs`. Every difference that `meshline check` finds falls under one rule. `meshline rules`
lists them, `meshline rules ID` explains one:

```console
$ meshline rules column-removed
column-removed: `FIELD` is removed
...
$ meshline rules --format json
[
  {
    "id": "column-added",
...
```

A verdict is **compatible** (nothing to do), **conditional** (a person has to check it) or **breaking**. It is for one side: readers of
the data, writers of it, or governance. The profile decides which rules count: `mesh` (the default, which enforces the rules marked \\*),
`consumer` (what readers of a contract meet, as [datacontract-cli](#datacontract-cli) sees it), or `full`, the stricter of both.
[profiles.md](profiles.md) states which profile suits which team.

Recorded lineage refines a verdict for each consumer. Lineage that makes a verdict worse always counts. Lineage that makes it better
counts with `--mode usage` only, and only where it is complete: missing knowledge never makes a change safer.

## What is no change

- Formatting, comments, descriptions and titles, and the order of keys, roles, rules and listed values.
- The spelling of a type: `decimal(18, 2)` and `NUMERIC(18,2)`, `STRUCT<a INT64>` and `RECORD<a INTEGER>`. Types are compared in one normal
  form over the spellings of Iceberg, Delta, Spark, Trino, Avro, JSON Schema, SQL dialects and contracts; an unknown type is its own text.
- What a dialect declares equal. The types of a contract are compared in the dialect of each server that it names, with the aliases and
  defaults that its vendor documents: `INT64` and `INTEGER` on BigQuery, `bigint` and `int8` on Postgres, `NUMBER` and `NUMBER(38,0)` on
  Snowflake. Without a server of SQL a type has the meaning that the standard of the contract gives it.
- Upper and lower case, where names are not case-sensitive (below).

A column or model is the same one by its id, else by its declared rename or alias, else by its name.

## When names are the same

Names are **case-sensitive** in Avro, JSON Schema, Protobuf, Iceberg, Parquet and ClickHouse: `Email` and `email` are two fields. Names
**fold** in Delta and in SQL dialects: Postgres folds unquoted names to lower case, Snowflake and Oracle to upper case; Redshift, BigQuery,
Databricks, Spark, Trino, DuckDB, MySQL and SQL Server compare names of columns without case. Names of tables are case-sensitive in
BigQuery and MySQL. A name that DDL quotes and renames in case only is renamed where quoted names keep their case.

The fields of a contract fold if every server that it names folds them. A server of files or messages (`s3`, `kafka`, ...) counts by its
`format`. Without a server, names are case-sensitive: a false alarm costs less than a change that is not seen.

## When a type grows

A type *grows* if no value is lost. Iceberg: int to long, float to double, a decimal by precision, date to timestamp; never the key of a
map. Delta: byte to short to int to long, byte to int and float to double, byte to int to `decimal(10,0)` or more, long to `decimal(20,0)`
or more, date to timestamp without zone, a decimal by both parts. Avro: int to long or double, float to double. Elsewhere: integers,
floats, decimals, the length of texts and the precision of times.

In a contract, and for a table that a contract in force promises, a type that grows is [type-widened](#type-widened): breaking in the
profile `mesh`. In the schema of Iceberg, Delta or Avro that no contract promises, what the format allows is
[type-promoted](#type-promoted): conditional.

A type without its length (`decimal`, `string`) leaves it open: to add it (`decimal(18,2)`) is less than a change, and to remove it lets
the type grow.
"""

TAIL = f"""
## datacontract-cli

The profile `consumer` follows the direction of `datacontract breaking --perspective consumer`: a change that allows values which were
excluded breaks readers, a change that excludes more does not. The tests give every golden pair of contracts to both (version {COMPARED} of
datacontract-cli: error is breaking, warning conditional, info compatible) and allow these differences only:

| rules here | there | why |
| --- | --- | --- |
"""


def build_rules_page(examples: Mapping[str, str]) -> str:
    """`examples`: rule -> a difference of two files that falls under it, as `diff -u` shows it."""
    return HEAD + "".join(_list_groups(examples)) + TAIL + "".join(f"{row}\n" for row in _list_differences())


def format_title(title: str) -> str:
    """A rule's title with placeholders as words: `FIELD` for `{field}`."""
    return re.sub(r"\{(\w+)\}", lambda found: found[1].upper().replace("_", " "), title)


def describe_lineage(rule: Rule) -> str:
    """How lineage adjusts the rule's verdict; empty if it does not."""
    return LINEAGE.get(rule.refinement, "")


def describe_readers(rule: Rule) -> str:
    """The rule's verdict for readers, if it differs."""
    return f"{format_verdict(rule.readers)} for readers" if rule.readers is not None else ""


def format_verdict(verdict: Verdict) -> str:
    return verdict.name.lower()


def _list_groups(examples: Mapping[str, str]) -> Iterator[str]:
    for name, rules in GROUPS.items():
        yield f"\n## {name[0].upper()}{name[1:]}\n\n"
        yield "| rule | side | mesh | consumer | what |\n| --- | --- | --- | --- | --- |\n"
        yield from (f"{_format_row(rule)}\n" for rule in rules)
        yield from (_format_section(rule, examples.get(rule.id, "")) for rule in rules)


def _format_row(rule: Rule) -> str:
    what = format_title(rule.title).replace("|", "\\|")
    mark = " \\*" if rule.law else ""
    return f"| [`{rule.id}`](#{rule.id}){mark} | {rule.side} | {format_verdict(rule.mesh)} | {format_verdict(rule.consumer)} | {what} |"


def _format_section(rule: Rule, example: str) -> str:
    """A rule with its heading (the anchor that reports link to), the reason, what to do, the effect of lineage, and an example."""
    moved = "; ".join(filter(None, (describe_readers(rule), describe_lineage(rule))))
    lines = [rule.reason, *([f"Safe: {rule.safe}"] if rule.safe else []), *([f"With lineage: {moved}."] if moved else [])]
    text = "\n".join(["", f"### {rule.id}", "", *("  \n".join(lines).splitlines()), ""])
    return f"{text}\n```diff\n{example}\n```\n" if example else text


def _list_differences() -> Iterator[str]:
    for one in DIFFERENCES:
        yield f"| {', '.join(f'`{rule}`' for rule in one.rules) or 'no change'} | {one.grade} | {one.reason} |"


def build_kinds_page() -> str:
    """As Markdown."""
    return "\n".join(_list_lines()) + "\n"


def _list_lines() -> Iterator[str]:
    from meshline.governance.policies.policy import SUBJECTS  # noqa: PLC0415 - a second, which the list of rules need not wait for
    from meshline.governance.policies.subject import COMMON  # noqa: PLC0415

    yield "# What policies can be about"
    yield ""
    yield "Made from the code by `scripts/make-docs`. Each kind has candidates, and each candidate has fields, which the expressions"
    yield "`when`, `require` and `doubtful` and the `message` of a policy may name. Every kind has these as well:"
    yield ""
    yield from _format_table(COMMON)
    for kind in sorted(SUBJECTS):
        yield from _describe_kind(SUBJECTS[kind])


def _describe_kind(subject: Subject) -> Iterator[str]:
    yield ""
    yield f"## {subject.kind}"
    yield ""
    yield subject.about
    yield ""
    yield from _format_table(subject.fields)
    if subject.late:
        yield ""
        yield f"Only in messages: {'; '.join(f'`{name}`, {text}' for name, text in subject.late.items())}."
    if subject.parameters:
        yield ""
        yield f"Which candidates there are depends on the parameters {', '.join(f'`{name}`' for name in subject.parameters)}."


def _format_table(fields: Mapping[str, str]) -> Iterator[str]:
    yield "| field | what it is |"
    yield "| --- | --- |"
    yield from (f"| `{name}` | {text.replace('|', chr(92) + '|')} |" for name, text in sorted(fields.items()))

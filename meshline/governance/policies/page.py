"""The documentation page of the kinds of policies, made from the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshline.governance.policies.subjects.shape import Subject


def kinds_page() -> str:
    """As Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    from meshline.governance.policies.subjects import SUBJECTS  # noqa: PLC0415 - a second, which the list of rules need not wait for
    from meshline.governance.policies.subjects.shape import COMMON  # noqa: PLC0415

    yield "# What policies can be about"
    yield ""
    yield "Made from the code by `scripts/make-docs`. Each kind has candidates, and each candidate has fields, which the expressions"
    yield "`when`, `require` and `doubtful` and the `message` of a policy may name. Every kind has these as well:"
    yield ""
    yield from _table(COMMON)
    for kind in sorted(SUBJECTS):
        yield from _kind(SUBJECTS[kind])


def _kind(subject: Subject) -> Iterator[str]:
    yield ""
    yield f"## {subject.kind}"
    yield ""
    yield subject.about
    yield ""
    yield from _table(subject.fields)
    if subject.late:
        yield ""
        yield f"Only in messages: {'; '.join(f'`{name}`, {text}' for name, text in subject.late.items())}."
    if subject.parameters:
        yield ""
        yield f"Which candidates there are depends on the parameters {', '.join(f'`{name}`' for name in subject.parameters)}."


def _table(fields: Mapping[str, str]) -> Iterator[str]:
    yield "| field | what it is |"
    yield "| --- | --- |"
    yield from (f"| `{name}` | {text.replace('|', chr(92) + '|')} |" for name, text in sorted(fields.items()))

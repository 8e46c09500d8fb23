"""A report in the format that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshline.governance.reports.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshline.governance.report import Report


def rendered(report: Report, form: Format) -> bytes:
    """UTF-8, the same from the same report."""
    from meshline.governance.reports import github, junit, markdown, sarif, text  # noqa: PLC0415 - options of commands need the names only
    from meshline.governance.reports.json import encoded  # noqa: PLC0415

    match form:
        case Format.TEXT:
            return _joined(line.text for line in text.lines(report))
        case Format.JSON:
            return encoded(report)
        case Format.MARKDOWN:
            return markdown.markdown(report).encode("utf-8", "replace")
        case Format.GITHUB:
            return _joined(github.commands(report))
        case Format.JUNIT:
            return junit.xml(report)
        case Format.SARIF:
            return sarif.encoded(report)


def _joined(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")

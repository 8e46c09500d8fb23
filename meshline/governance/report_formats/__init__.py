"""A report as people and programs read it: the formats by name, one module for each."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshline.governance.report import Report


class Format(enum.StrEnum):
    """The formats of a report."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"
    SARIF = "sarif"


def render_report(report: Report, form: Format) -> bytes:
    """UTF-8, the same from the same report."""
    from meshline.governance.report import encode_report  # noqa: PLC0415
    from meshline.governance.report_formats import github, junit, markdown, sarif, text  # noqa: PLC0415 - option names need none of it

    match form:
        case Format.TEXT:
            return _join_lines(line.text for line in text.format_lines(report))
        case Format.JSON:
            return encode_report(report)
        case Format.MARKDOWN:
            return markdown.render_markdown(report).encode("utf-8", "replace")
        case Format.GITHUB:
            return _join_lines(github.format_commands(report))
        case Format.JUNIT:
            return junit.render_xml(report)
        case Format.SARIF:
            return sarif.encode_sarif(report)


def _join_lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")

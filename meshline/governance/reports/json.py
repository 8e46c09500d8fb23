"""A report as JSON, and the JSON Schema of it."""

from __future__ import annotations

import inspect

import msgspec

from meshline.governance.report import Report


def encoded(report: Report) -> bytes:
    """The report in the documented format."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def schema() -> str:
    """The JSON Schema (2020-12) of a report."""
    made = msgspec.json.schema(Report)
    for part in made["$defs"].values():
        if "description" in part:
            part["description"] = " ".join(inspect.cleandoc(part["description"]).split())
    said = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "What meshline check answers", **made}
    return msgspec.json.format(msgspec.json.encode(said), indent=2).decode() + "\n"

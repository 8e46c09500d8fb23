"""Proposed changes (files or sentences) read into the states before and after, which the gate compares. Nothing here writes.

A new kind of change is one file, and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.changes.base import ChangeInput, GraphState, Proposal, ProposalBuilder
from meshline.words import suggest_closest

# kind: (the module with `build_proposal`, the extra that it needs)
KINDS: Mapping[str, tuple[str, str]] = {
    "contract": ("meshline.ingest.changes.contract", "contracts"),
    "product": ("meshline.ingest.changes.product", ""),
    "schema": ("meshline.ingest.changes.schema", ""),
    "ddl": ("meshline.ingest.changes.ddl", "sql"),
    "dbt": ("meshline.ingest.changes.dbt", "dbt"),
    "mesh": ("meshline.ingest.changes.mesh", ""),
    "change": ("meshline.ingest.changes.change_language", ""),
}


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """The assets that an input describes, each in two versions. Raises InvalidInput, NotFound, Ambiguous, MissingExtra."""
    if given.kind not in KINDS:
        raise InvalidInput(f"found {given.kind!r}{suggest_closest(given.kind, KINDS)}; accepted: {', '.join(KINDS)}", "kind")
    if given.before is None and given.after is None:
        raise InvalidInput("neither an old nor a new version is given")
    module, extra = KINDS[given.kind]
    with require_extra(extra, f"a check of {given.kind}"):
        build: ProposalBuilder = import_module(module).build_proposal
    found = build(given, known)
    warnings = tuple(filter(None, given.options.get("warning", "").splitlines()))
    return found._replace(warnings=(*warnings, *found.warnings))

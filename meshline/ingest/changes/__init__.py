"""A proposed change (files or sentences) -> the states before and after, for the gate to compare. Nothing here writes.

A new kind of change is one file, and one line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.changes.base import ChangeInput, GraphState, Proposal, ProposalBuilder
from meshline.words import suggest_closest

# kind: (the module that has `build_proposal`, the extra that it needs)
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
    """The things in two versions that a given one tells of. Raises InvalidInput, NotFound, Ambiguous, MissingExtra."""
    if given.kind not in KINDS:
        raise InvalidInput(f"found {given.kind!r}{suggest_closest(given.kind, KINDS)}; accepted: {', '.join(KINDS)}", "kind")
    if given.before is None and given.after is None:
        raise InvalidInput("neither an old nor a new version is given")
    module, extra = KINDS[given.kind]
    with require_extra(extra, f"a check of {given.kind}"):
        proposing: ProposalBuilder = import_module(module).build_proposal
    found = proposing(given, known)
    told = tuple(filter(None, given.options.get("warning", "").splitlines()))
    return found._replace(warnings=(*told, *found.warnings))

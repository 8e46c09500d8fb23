"""Data contracts: files in three dialects. Each version of a contract is a scope of its own, so that versions live side by side."""

from __future__ import annotations

from typing import ClassVar

from meshline.ingest.sources.contracts.dialects import parse
from meshline.ingest.sources.contracts.facts import said
from meshline.ingest.sources.promised import Promised, PromisedFiles
from meshline.ingest.sources.shape import Context


class Contracts(PromisedFiles):
    """Contract files. `complete`: whether these are all, so that a version whose file is gone is retracted."""

    kind: ClassVar[str] = "contract"

    def promised(self, data: bytes, file: str, context: Context) -> Promised:
        parsed = parse(data, file)
        about = ("contract", parsed.id) if parsed.id else ()
        contract = parsed.contract
        if contract is None:
            return Promised(parsed.id, about, None, None, parsed.refused, parsed.warnings)
        facts = said(contract, context)
        warnings = [*parsed.warnings, *(f"{file}: {warning}" for warning in facts.warnings)]
        what = f"version {contract.version} of {contract.id}"
        return Promised(what, about, ("contract", contract.id, contract.version), facts.facts, parsed.refused, warnings)

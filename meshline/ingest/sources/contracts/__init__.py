"""Data contracts: files in three dialects. Each version of a contract is a scope of its own, so that versions live side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from meshline.errors import InvalidInput
from meshline.graph.content import encode
from meshline.graph.model import Scope
from meshline.ingest.documents import MAX_BYTES
from meshline.ingest.sources.contracts.dialects import parse
from meshline.ingest.sources.contracts.facts import said
from meshline.ingest.sources.files import Paths, matching, read_bytes, shown_path
from meshline.ingest.sources.shape import Context, Entry, Found, Reading, Refused, Source
from meshline.ingest.times import file_time


class Contracts(Source):
    """Contract files. `complete`: whether these are all, so that a version whose file is gone is retracted."""

    kind: ClassVar[str] = "contract"
    files: Paths
    complete: bool = True

    def reading(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._found(context, warnings), complete=self.complete, warnings=warnings)

    def _found(self, context: Context, warnings: list[str]) -> Iterator[Found]:
        seen: dict[Scope, str] = {}
        for path in matching(self.files, context.folder):
            if isinstance(path, InvalidInput):
                yield Refused(path)
                continue
            yield from _read(path, shown_path(path, context.folder), context, seen, warnings)


def _read(path: Path, file: str, context: Context, seen: dict[Scope, str], warnings: list[str]) -> Iterator[Found]:
    try:
        data = read_bytes(path, MAX_BYTES)
    except InvalidInput as error:
        yield Refused(error)
        return
    parsed = parse(data, file)
    warnings += parsed.warnings
    about: Scope = ("contract", parsed.id) if parsed.id else ()
    yield from (Refused(error, about) for error in parsed.refused)
    contract = parsed.contract
    if contract is None:
        return
    scope: Scope = ("contract", contract.id, contract.version)
    if scope in seen:
        yield Refused(InvalidInput(f"version {contract.version} of {contract.id} is here twice, first in {seen[scope]}", file), scope)
        return
    seen[scope] = file
    facts = said(contract, context)
    warnings += [f"{file}: {warning}" for warning in facts.warnings]
    yield Entry(scope, encode(facts.facts), file_time(path))

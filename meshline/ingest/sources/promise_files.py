"""The common part of contracts and product specifications: files with one promise each, and owners from the Bitol standards' `team`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.content import encode_facts
from meshline.graph.contracts import Party
from meshline.graph.model import Facts, Json, Scope
from meshline.ingest.documents import MAX_BYTES, to_mapping, to_mappings, to_text
from meshline.ingest.file_times import read_file_time
from meshline.ingest.sources.base import Context, Entry, Item, Reading, Refusal, Source
from meshline.ingest.sources.files import Paths, format_path, read_bytes, read_each_file


class ParsedPromise(NamedTuple):
    """What a file states. `what`: its subject in words. `about`: the beginning of the scopes that it may mean, empty if that is
    unknown. `scope` and `facts` are None if anything in the file was refused.
    """

    what: str
    about: Scope
    scope: Scope | None
    facts: Facts | None
    refused: Sequence[InvalidInput]
    warnings: Sequence[str]


class PromiseFiles(Source):
    """Files. `complete`: whether these are all files, so that the statements of a removed file are retracted."""

    files: Paths
    complete: bool = True

    @abstractmethod
    def parse(self, data: bytes, file: str, context: Context) -> ParsedPromise:
        """What a file states; `file` is its name in messages."""

    def read(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._read_items(context, warnings), complete=self.complete, warnings=warnings)

    def _read_items(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        seen: dict[Scope, str] = {}
        return read_each_file(self.files, context.folder, lambda path: self._read_file(path, context, seen, warnings))

    def _read_file(self, path: Path, context: Context, seen: dict[Scope, str], warnings: list[str]) -> Iterator[Item]:
        file = format_path(path, context.folder)
        promise = self.parse(read_bytes(path, MAX_BYTES), file, context)
        warnings += promise.warnings
        yield from (Refusal(error, promise.about) for error in promise.refused)
        if promise.scope is None or promise.facts is None:
            return
        if promise.scope in seen:
            yield Refusal(
                InvalidInput(f"{promise.what} is stated twice; the first file that states it is {seen[promise.scope]}", file), promise.scope
            )
            return
        seen[promise.scope] = file
        yield Entry(promise.scope, encode_facts(promise.facts), read_file_time(path))


def parse_owners(team: Json) -> Iterator[Party]:
    """The team, if it has a name, and those members that are owners or stewards and have not left."""
    if name := to_text(to_mapping(team).get("name")):
        yield Party(name)
    for member in to_mappings(team if isinstance(team, list) else to_mapping(team).get("members")):
        kind = _parse_owner_kind(to_text(member.get("role")).lower())
        name = to_text(member.get("username")) or to_text(member.get("name"))
        if kind and name and not to_text(member.get("dateOut")):
            yield Party(name, kind, to_text(member.get("name")))


def _parse_owner_kind(role: str) -> str:
    if "steward" in role:
        return "steward"
    if "owner" in role:
        return "business" if "business" in role or "product" in role else "technical"
    return ""

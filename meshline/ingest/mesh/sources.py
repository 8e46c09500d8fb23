"""The parts of a mesh file that say nothing themselves: `sources:` to read, and `catalogs:` by which names are joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path
from meshline.ingest.identity.rules import Prefix, Rule, normalised, prefix
from meshline.ingest.mesh.format import Catalog, CatalogName, SourceEntry
from meshline.ingest.mesh.problems import refusals, shown
from meshline.ingest.sources.base import Named
from meshline.ingest.sources.registry import source_class, validated

SOURCES = "sources"
CATALOGS = "catalogs"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Configured(NamedTuple):
    """A source, how often a server syncs it (seconds; None: only when asked), and where it stands in the file."""

    source: Named
    every: int | None
    where: str


def sources_of(doc: Document) -> Iterator[Configured | InvalidInput]:
    """The sources of a mesh file, or what is wrong with them."""
    seen: dict[str, str] = {}
    for path, value in _entries(doc, SOURCES):
        if isinstance(value, InvalidInput):
            yield value
            continue
        for found in _source(doc, path, value):
            if isinstance(found, Configured):
                name = found.source.source
                if name in seen:
                    found = InvalidInput(f"the source {name} is here twice, first at {seen[name]}; give it another name", found.where)
                else:
                    seen[name] = found.where
            yield found


def _source(doc: Document, path: Path, value: Json) -> Iterator[Configured | InvalidInput]:
    try:
        entry = SourceEntry.model_validate(value)
    except ValidationError as error:
        yield from refusals(doc, path, error)
        return
    assert isinstance(value, dict)
    try:
        source = validated({key: said for key, said in value.items() if key != "every"})
    except ValidationError as error:
        yield from refusals(doc, path, error, keys=["kind", "every", *source_class(entry.kind).model_fields])
    except InvalidInput as error:
        yield InvalidInput(str(error), doc.where((*path, "kind")))
    else:
        every = int(entry.every[:-1]) * _SECONDS[entry.every[-1]] if entry.every is not None else None
        yield Configured(source, every, doc.where(path))


def rules_of(doc: Document, aliases: Mapping[str, str]) -> Iterator[Rule | InvalidInput]:
    """The rules of `catalogs:`, or what is wrong with them."""
    said: dict[Prefix, str] = {}  # where each prefix is named
    canonical: set[Prefix] = set()
    others: set[Prefix] = set()
    for path, value in _entries(doc, CATALOGS):
        if isinstance(value, InvalidInput):
            yield value
            continue
        try:
            entry = Catalog.model_validate(value)
        except ValidationError as error:
            yield from refusals(doc, path, error)
            continue
        names = _prefix(entry.names, aliases)
        if names in others:
            yield _twice(names, said, doc.where((*path, "names")))
            continue
        canonical.add(names)
        said.setdefault(names, doc.where((*path, "names")))
        for position, written in enumerate(entry.also):
            also, where = _prefix(written, aliases), doc.where((*path, "also", position))
            if also in canonical or also in others:
                yield _twice(also, said, where)
            else:
                others.add(also)
                said[also] = where
                yield Rule(also, names)


def _twice(found: Prefix, said: Mapping[Prefix, str], where: str) -> InvalidInput:
    return InvalidInput(f"{found} is named already at {said[found]}; all names of one catalog stand in one entry", where)


def _prefix(written: CatalogName, aliases: Mapping[str, str]) -> Prefix:
    if isinstance(written, str):
        return prefix(written, aliases)
    return normalised(aliases.get(written.namespace, written.namespace), written.prefix or "")


def _entries(doc: Document, key: str) -> Iterator[tuple[Path, Json | InvalidInput]]:
    entries = doc.value.get(key) if isinstance(doc.value, dict) else None
    if entries is None:
        return
    if not isinstance(entries, list):
        yield (key,), InvalidInput(f"{key}: found {shown(entries)}; accepted is a list", doc.where((key,)))
        return
    for position, value in enumerate(entries):
        yield (key, position), value

"""A mesh file's bytes -> what it says, each entry on its own: a bad one is refused, the others are taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from meshline.errors import InvalidInput
from meshline.graph.model import Json, Scope
from meshline.ingest.documents import MAX_BYTES, Document, Path, document
from meshline.ingest.identity.rules import Rule
from meshline.ingest.mesh.format import ENTRIES, Domain, Entry, MeshFile, NamingRules, Person, PrecedenceRules, Team
from meshline.ingest.mesh.parts import dataset_names, pair, references, scope
from meshline.ingest.mesh.problems import refusals, shown
from meshline.ingest.mesh.sources import CATALOGS, SOURCES, Configured, rules_of, sources_of
from meshline.words import closest

T = TypeVar("T")


class Placed(NamedTuple):
    """An entry, what it is a statement about, and where it stands."""

    scope: Scope
    entry: Entry
    where: str


class Mesh(NamedTuple):
    """What a mesh file says. `source` is the full name, `mesh/<name>`; `owners` maps e-mail addresses to names.

    `naming` and `precedence` are None where the file has nothing to say of them. `catalogs`: which names are
    joined by rule; `sources`: what else is to be read. `refused` are the entries that could not be taken,
    `warnings` what was taken and looks like a mistake.
    """

    source: str
    namespaces: Mapping[str, str]
    naming: NamingRules | None
    precedence: PrecedenceRules | None
    catalogs: tuple[Rule, ...]
    sources: tuple[Configured, ...]
    entries: tuple[Placed, ...]
    emails: Mapping[str, str]
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]


def read(path: FilePath) -> bytes:
    """The bytes of a mesh file. Raises InvalidInput."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"the mesh file cannot be read: {error.strerror or error}", str(path)) from error


def parse(data: bytes, file: str, *, strict: bool = False) -> Mesh:
    """What a mesh file says. `file` is its name for messages, and of the source if the file names none.

    Raises InvalidInput if the document cannot be used as a whole, with `strict` also for a bad entry.
    """
    doc = document(data, file)
    head = _head(doc)
    refused: list[InvalidInput] = []
    placed: dict[Scope, Placed] = {}
    for found in _entries(doc, head.namespaces):
        if isinstance(found, Placed) and found.scope in placed:
            found = InvalidInput(f"this {_label(found.scope)} is here twice, first at {placed[found.scope].where}", found.where)
        if isinstance(found, Placed):
            placed[found.scope] = found
        else:
            refused.append(found)
    rules, sources = _apart(rules_of(doc, head.namespaces), refused), _apart(sources_of(doc), refused)
    if strict and refused:
        raise refused[0]
    entries = tuple(placed.values())
    return Mesh(
        source=f"mesh/{head.source or _source_name(file)}",
        namespaces=head.namespaces,
        naming=head.naming,
        precedence=head.precedence,
        catalogs=rules,
        sources=sources,
        entries=entries,
        emails={e.entry.email: e.entry.name for e in entries if isinstance(e.entry, Team | Person) and e.entry.email},
        refused=tuple(refused),
        warnings=tuple(_warnings(entries)),
    )


def _apart(found: Iterable[T | InvalidInput], refused: list[InvalidInput]) -> tuple[T, ...]:
    """What could be taken; the rest goes to `refused`."""
    taken: list[T] = []
    for one in found:
        if isinstance(one, InvalidInput):
            refused.append(one)
        else:
            taken.append(one)
    return tuple(taken)


def _head(doc: Document) -> MeshFile:
    """The file without its entries."""
    if not isinstance(doc.value, dict):
        raise InvalidInput(f"found {shown(doc.value)}; a mesh file is a mapping that begins with `version: 1`", doc.where(()))
    try:
        return MeshFile.model_validate({key: value for key, value in doc.value.items() if key not in (*ENTRIES, CATALOGS, SOURCES)})
    except ValidationError as error:
        raise refusals(doc, (), error)[0] from error


def _entries(doc: Document, aliases: Mapping[str, str]) -> Iterator[Placed | InvalidInput]:
    assert isinstance(doc.value, dict)
    for key, model in ENTRIES.items():
        entries = doc.value.get(key)
        if entries is None:
            continue
        if not isinstance(entries, list):
            yield InvalidInput(f"{key}: found {shown(entries)}; accepted is a list", doc.where((key,)))
            continue
        for position, value in enumerate(entries):
            yield from _entry(doc, (key, position), value, model, aliases)


def _entry(doc: Document, path: Path, value: Json, model: type[Entry], aliases: Mapping[str, str]) -> Iterator[Placed | InvalidInput]:
    try:
        entry = model.model_validate(value)
    except ValidationError as error:
        yield from refusals(doc, path, error)
        return
    yield from _unnested(doc, path, entry, aliases)


def _unnested(doc: Document, path: Path, entry: Entry, aliases: Mapping[str, str]) -> Iterator[Placed | InvalidInput]:
    """The entry and, of a domain, the domains in it: each with its parent."""
    for inner, name in dataset_names(entry):
        if pair(name, aliases) == ("", ""):
            yield InvalidInput(
                f"found {name!r}, in which namespace and name cannot be told apart; accepted is `alias/name`, `namespace/name`"
                " or {namespace: ..., name: ...}",
                doc.where((*path, *inner)),
            )
            return
    yield Placed(scope(entry, aliases), entry, doc.where(path))
    if not isinstance(entry, Domain):
        return
    for position, nested in enumerate(entry.domains):
        inside: Path = (*path, "domains", position)
        if nested.parent not in (None, entry.name):
            yield InvalidInput(
                f"found parent {nested.parent!r} of a domain that is nested in {entry.name!r}; leave the key out",
                doc.where((*inside, "parent")),
            )
        else:
            yield from _unnested(doc, inside, nested.model_copy(update={"parent": entry.name}), aliases)


def _source_name(file: str) -> str:
    return re.sub(r"[^\w.-]+", "-", FilePath(file).stem).strip("-") or "mesh"


def _label(of: Scope) -> str:
    return f"{of[1].replace('_', ' ')} {' '.join(part for part in of[2:] if part)!r}"


def _warnings(entries: Sequence[Placed]) -> Iterator[str]:
    """Names that are used and not declared in the file. They are taken: another file may declare them."""
    declared: dict[str, set[str]] = {"owner": set(), "domain": set(), "product": set(), "contract": set()}
    for _, entry, _ in entries:
        for kind, name in references(entry).declares:
            declared[kind].add(name)
    for _, entry, where in entries:
        for kind, name in references(entry).uses:
            if declared[kind] and name not in declared[kind]:
                yield f"{where}: the {kind} {name!r} is not declared in this file{closest(name, declared[kind])}"

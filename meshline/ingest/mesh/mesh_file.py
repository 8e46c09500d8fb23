"""A mesh file's bytes -> its entries, each on its own: a bad one is refused, the others are accepted.

For each kind of entry: its scope, the datasets it names, the names it declares and uses. `sources:` are synced,
`catalogs:` become rules that join names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from meshline.errors import InvalidInput
from meshline.graph.model import Json, Scope
from meshline.graph.naming_rules import Prefix, Rule, build_prefix, parse_prefix
from meshline.ingest.dataset_refs import split_dataset
from meshline.ingest.documents import MAX_BYTES, Document, Path, parse_yaml
from meshline.ingest.mesh.format import (
    ENTRIES,
    Catalog,
    CatalogName,
    Consumer,
    Contract,
    DatasetName,
    DatasetNote,
    Domain,
    Entry,
    MeshFile,
    NamingRules,
    NotSameAs,
    Ownership,
    Person,
    PrecedenceRules,
    Product,
    SameAs,
    SchemaFiles,
    SourceEntry,
    Team,
)
from meshline.ingest.sources.base import SourceConfig
from meshline.ingest.sources.registry import get_source_class, validate_source
from meshline.ingest.validation import build_refusals, format_value
from meshline.words import suggest_closest


class References(NamedTuple):
    """The names that an entry declares and uses, as (kind, name); kinds are owner, domain, product and contract."""

    declares: tuple[tuple[str, str], ...]
    uses: tuple[tuple[str, str], ...]


def split_dataset_name(name: DatasetName, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Namespace and name of a dataset as written in the file; ('', '') if they cannot be separated."""
    return split_dataset(name, aliases) if isinstance(name, str) else (aliases.get(name.namespace, name.namespace), name.name)


def build_scope(entry: Entry, aliases: Mapping[str, str]) -> Scope:  # noqa: PLR0911 - one for each kind of entry
    """The scope of an entry: ("mesh", kind of entry, what identifies the entry...)."""
    match entry:
        case Domain():
            return ("mesh", "domain", entry.name)
        case Team():
            return ("mesh", "team", entry.name)
        case Person():
            return ("mesh", "person", entry.name)
        case Product():
            return ("mesh", "product", entry.name)
        case Contract():
            return ("mesh", "contract", entry.id)
        case Consumer():
            return ("mesh", "consumer", entry.name)
        case DatasetNote():
            return ("mesh", "dataset", *split_dataset_name(entry.dataset, aliases))
        case SameAs() | NotSameAs():
            kind = "same_as" if isinstance(entry, SameAs) else "not_same_as"
            return ("mesh", kind, *split_dataset_name(entry.a, aliases), *split_dataset_name(entry.b, aliases))
        case Ownership():
            dataset = split_dataset_name(entry.dataset, aliases) if entry.dataset is not None else ()
            return ("mesh", "owner", entry.owner, entry.type, entry.product or "", entry.domain or "", *dataset, entry.column or "")


def list_dataset_names(entry: Entry) -> Iterator[tuple[Path, DatasetName]]:
    """The datasets that an entry names, each with its place in the entry."""
    match entry:
        case Product():
            for key, ports in (("input_ports", entry.input_ports), ("output_ports", entry.output_ports)):
                yield from (((key, i, "dataset"), port.dataset) for i, port in enumerate(ports))
        case Consumer():
            yield from ((("consumes", i, "dataset"), used.dataset) for i, used in enumerate(entry.consumes) if used.dataset is not None)
        case Contract() | DatasetNote():
            yield ("dataset",), entry.dataset
        case SameAs() | NotSameAs():
            yield ("a",), entry.a
            yield ("b",), entry.b
        case Ownership() if entry.dataset is not None:
            yield ("dataset",), entry.dataset
        case _:
            pass


def list_references(entry: Entry) -> References:  # noqa: PLR0911 - one for each kind of entry
    """The names that an entry declares, and those it uses."""
    match entry:
        case Team() | Person():
            own = [("owner", entry.name)] + ([("owner", entry.email)] if entry.email else [])
            members = entry.members if isinstance(entry, Team) else ()
            return References(tuple(own), tuple(("owner", name) for name in members))
        case Domain():
            return References((("domain", entry.name),), _list_present(owner=entry.owner, domain=entry.parent))
        case Product():
            return References((("product", entry.name),), _list_present(owner=entry.owner, domain=entry.domain))
        case Contract():
            return References((("contract", entry.id),), _list_present(owner=entry.owner))
        case Consumer():
            used = [reference for one in entry.consumes for reference in _list_present(product=one.product, contract=one.contract)]
            return References((), (*_list_present(owner=entry.owner), *used))
        case Ownership():
            return References((), _list_present(owner=entry.owner, product=entry.product, domain=entry.domain))
        case DatasetNote() | SameAs() | NotSameAs():
            return References((), ())


def _list_present(**names: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((kind, name) for kind, name in names.items() if name is not None)


SOURCES = "sources"
CATALOGS = "catalogs"
SCHEMAS = "schemas"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Configured(NamedTuple):
    """A source, the interval at which a server syncs it (seconds; None: only on request), and its place in the file."""

    source: SourceConfig
    every: int | None
    where: str


def parse_sources(doc: Document) -> Iterator[Configured | InvalidInput]:
    """The sources of a mesh file, and the errors of those that are refused."""
    seen: dict[str, str] = {}
    for path, value in _list_items(doc, SOURCES):
        if isinstance(value, InvalidInput):
            yield value
            continue
        for found in _parse_source(doc, path, value):
            if isinstance(found, Configured):
                name = found.source.source
                if name in seen:
                    found = InvalidInput(f"the source {name} is given twice, first at {seen[name]}; give it another name", found.where)
                else:
                    seen[name] = found.where
            yield found


def _parse_source(doc: Document, path: Path, value: Json) -> Iterator[Configured | InvalidInput]:
    try:
        entry = SourceEntry.model_validate(value)
    except ValidationError as error:
        yield from build_refusals(doc, path, error)
        return
    assert isinstance(value, dict)
    try:
        source = validate_source({key: part for key, part in value.items() if key != "every"})
    except ValidationError as error:
        yield from build_refusals(doc, path, error, keys=["kind", "every", *get_source_class(entry.kind).model_fields])
    except InvalidInput as error:
        yield InvalidInput(str(error), doc.format_place((*path, "kind")))
    else:
        every = int(entry.every[:-1]) * _SECONDS[entry.every[-1]] if entry.every is not None else None
        yield Configured(source, every, doc.format_place(path))


def parse_schema_files(doc: Document) -> Iterator[SchemaFiles | InvalidInput]:
    """The entries of `schemas:`, and the errors of those that are refused."""
    for path, value in _list_items(doc, SCHEMAS):
        if isinstance(value, InvalidInput):
            yield value
            continue
        try:
            yield SchemaFiles.model_validate(value)
        except ValidationError as error:
            yield from build_refusals(doc, path, error)


def parse_rules(doc: Document, aliases: Mapping[str, str]) -> Iterator[Rule | InvalidInput]:
    """The rules of `catalogs:`, and the errors of those that are refused."""
    places: dict[Prefix, str] = {}  # the place of each prefix
    canonical: set[Prefix] = set()
    others: set[Prefix] = set()
    for path, value in _list_items(doc, CATALOGS):
        if isinstance(value, InvalidInput):
            yield value
            continue
        try:
            entry = Catalog.model_validate(value)
        except ValidationError as error:
            yield from build_refusals(doc, path, error)
            continue
        names = _parse_prefix(entry.names, aliases)
        if names in others:
            yield _build_duplicate_error(names, places, doc.format_place((*path, "names")))
            continue
        canonical.add(names)
        places.setdefault(names, doc.format_place((*path, "names")))
        for position, written in enumerate(entry.also):
            also, where = _parse_prefix(written, aliases), doc.format_place((*path, "also", position))
            if also in canonical or also in others:
                yield _build_duplicate_error(also, places, where)
            else:
                others.add(also)
                places[also] = where
                yield Rule(also, names, entry.ignore_case)


def _build_duplicate_error(found: Prefix, places: Mapping[Prefix, str], where: str) -> InvalidInput:
    return InvalidInput(f"{found} is already named at {places[found]}; put all names of one catalog into one entry", where)


def _parse_prefix(written: CatalogName, aliases: Mapping[str, str]) -> Prefix:
    if isinstance(written, str):
        return parse_prefix(written, aliases)
    return build_prefix(aliases.get(written.namespace, written.namespace), written.prefix or "")


def _list_items(doc: Document, key: str) -> Iterator[tuple[Path, Json | InvalidInput]]:
    entries = doc.value.get(key) if isinstance(doc.value, dict) else None
    if entries is None:
        return
    if not isinstance(entries, list):
        yield (key,), InvalidInput(f"{key}: found {format_value(entries)}; accepted is a list", doc.format_place((key,)))
        return
    for position, value in enumerate(entries):
        yield (key, position), value


T = TypeVar("T")


class Placed(NamedTuple):
    """An entry with its scope and its place in the file."""

    scope: Scope
    entry: Entry
    where: str


class Mesh(NamedTuple):
    """A parsed mesh file. `source` is the full name, `mesh/<name>`; `emails` maps e-mail addresses to names.

    `naming` and `precedence` are None if the file does not state them. `synonyms`: groups of terms that mean the same; `learn_synonyms`:
    whether others are learned from titles, without those of `not_synonyms`; `catalogs`: the rules that join names; `schemas`: files that a
    check compares; `sources`: the sources to sync. `refused`: errors of entries that are not accepted; `warnings`:
    accepted entries that look like mistakes.
    """

    source: str
    namespaces: Mapping[str, str]
    naming: NamingRules | None
    precedence: PrecedenceRules | None
    synonyms: tuple[tuple[str, ...], ...]
    learn_synonyms: bool
    not_synonyms: tuple[tuple[str, str], ...]
    catalogs: tuple[Rule, ...]
    schemas: tuple[SchemaFiles, ...]
    sources: tuple[Configured, ...]
    entries: tuple[Placed, ...]
    emails: Mapping[str, str]
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]


def read_mesh_file(path: FilePath) -> bytes:
    """The bytes of a mesh file, at most MAX_BYTES + 1. Raises InvalidInput if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"the mesh file cannot be read: {error.strerror or error}", str(path)) from error


def parse_mesh_file(data: bytes, file: str, *, strict: bool = False) -> Mesh:
    """Parse a mesh file. `file`: its name in messages, and the name of the source if the file states none.

    Raises InvalidInput if the document is refused as a whole, with `strict` also for a refused entry.
    """
    doc = parse_yaml(data, file)
    head = _parse_head(doc)
    refused: list[InvalidInput] = []
    placed: dict[Scope, Placed] = {}
    for found in _parse_entries(doc, head.namespaces):
        if isinstance(found, Placed) and found.scope in placed:
            found = InvalidInput(f"this {_format_label(found.scope)} is given twice, first at {placed[found.scope].where}", found.where)
        if isinstance(found, Placed):
            placed[found.scope] = found
        else:
            refused.append(found)
    rules, sources = separate_refused(parse_rules(doc, head.namespaces), refused), separate_refused(parse_sources(doc), refused)
    schemas = separate_refused(parse_schema_files(doc), refused)
    if strict and refused:
        raise refused[0]
    entries = tuple(placed.values())
    return Mesh(
        source=f"mesh/{head.source or _derive_source_name(file)}",
        namespaces=head.namespaces,
        naming=head.naming,
        precedence=head.precedence,
        synonyms=head.synonyms,
        learn_synonyms=head.learn_synonyms,
        not_synonyms=head.not_synonyms,
        catalogs=rules,
        schemas=schemas,
        sources=sources,
        entries=entries,
        emails={e.entry.email: e.entry.name for e in entries if isinstance(e.entry, Team | Person) and e.entry.email},
        refused=tuple(refused),
        warnings=tuple(_find_undeclared(entries)),
    )


def separate_refused(found: Iterable[T | InvalidInput], refused: list[InvalidInput]) -> tuple[T, ...]:
    """The accepted ones; errors are appended to `refused`."""
    accepted: list[T] = []
    for one in found:
        if isinstance(one, InvalidInput):
            refused.append(one)
        else:
            accepted.append(one)
    return tuple(accepted)


def _parse_head(doc: Document) -> MeshFile:
    """The file without its entries. Raises InvalidInput."""
    if not isinstance(doc.value, dict):
        raise InvalidInput(f"found {format_value(doc.value)}; a mesh file is a mapping that begins with `version: 1`", doc.format_place(()))
    try:
        return MeshFile.model_validate(
            {key: value for key, value in doc.value.items() if key not in (*ENTRIES, CATALOGS, SCHEMAS, SOURCES)}
        )
    except ValidationError as error:
        raise build_refusals(doc, (), error)[0] from error


def _parse_entries(doc: Document, aliases: Mapping[str, str]) -> Iterator[Placed | InvalidInput]:
    assert isinstance(doc.value, dict)
    for key, model in ENTRIES.items():
        entries = doc.value.get(key)
        if entries is None:
            continue
        if not isinstance(entries, list):
            yield InvalidInput(f"{key}: found {format_value(entries)}; accepted is a list", doc.format_place((key,)))
            continue
        for position, value in enumerate(entries):
            yield from _parse_entry(doc, (key, position), value, model, aliases)


def _parse_entry(doc: Document, path: Path, value: Json, model: type[Entry], aliases: Mapping[str, str]) -> Iterator[Placed | InvalidInput]:
    try:
        entry = model.model_validate(value)
    except ValidationError as error:
        yield from build_refusals(doc, path, error)
        return
    yield from _flatten_entry(doc, path, entry, aliases)


def _flatten_entry(doc: Document, path: Path, entry: Entry, aliases: Mapping[str, str]) -> Iterator[Placed | InvalidInput]:
    """The entry, and for a domain also the domains nested in it, each with its parent."""
    for inner, name in list_dataset_names(entry):
        if split_dataset_name(name, aliases) == ("", ""):
            yield InvalidInput(
                f"found {name!r}, in which namespace and name cannot be separated; accepted is `alias/name`, `namespace/name`"
                " or {namespace: ..., name: ...}",
                doc.format_place((*path, *inner)),
            )
            return
    yield Placed(build_scope(entry, aliases), entry, doc.format_place(path))
    if not isinstance(entry, Domain):
        return
    for position, nested in enumerate(entry.domains):
        inside: Path = (*path, "domains", position)
        if nested.parent not in (None, entry.name):
            yield InvalidInput(
                f"found parent {nested.parent!r} of a domain that is nested in {entry.name!r}; leave the key out",
                doc.format_place((*inside, "parent")),
            )
        else:
            yield from _flatten_entry(doc, inside, nested.model_copy(update={"parent": entry.name}), aliases)


def _derive_source_name(file: str) -> str:
    return re.sub(r"[^\w.-]+", "-", FilePath(file).stem).strip("-") or "mesh"


def _format_label(of: Scope) -> str:
    return f"{of[1].replace('_', ' ')} {' '.join(part for part in of[2:] if part)!r}"


def _find_undeclared(entries: Sequence[Placed]) -> Iterator[str]:
    """Warnings for names that are used and not declared in the file. They are accepted: another file may declare them."""
    declared: dict[str, set[str]] = {"owner": set(), "domain": set(), "product": set(), "contract": set()}
    for _, entry, _ in entries:
        for kind, name in list_references(entry).declares:
            declared[kind].add(name)
    for _, entry, where in entries:
        for kind, name in list_references(entry).uses:
            if declared[kind] and name not in declared[kind]:
                yield f"{where}: the {kind} {name!r} is not declared in this file{suggest_closest(name, declared[kind])}"

"""What is where in each kind of entry: the scope it states, the datasets it names, the names it declares and uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from meshline.graph.model import Scope
from meshline.ingest.documents import Path
from meshline.ingest.mesh.format import (
    Consumer,
    Contract,
    DatasetName,
    DatasetNote,
    Domain,
    Entry,
    NotSameAs,
    Ownership,
    Person,
    Product,
    SameAs,
    Team,
)
from meshline.ingest.names import split_dataset


class References(NamedTuple):
    """(kind of name, name): kinds are owner, domain, product and contract."""

    declares: tuple[tuple[str, str], ...]
    uses: tuple[tuple[str, str], ...]


def pair(name: DatasetName, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Namespace and name of a dataset as written in the file; ('', '') if they cannot be told apart."""
    return split_dataset(name, aliases) if isinstance(name, str) else (aliases.get(name.namespace, name.namespace), name.name)


def scope(entry: Entry, aliases: Mapping[str, str]) -> Scope:  # noqa: PLR0911 - one for each kind of entry
    """("mesh", kind of entry, what makes it one entry...)."""
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
            return ("mesh", "dataset", *pair(entry.dataset, aliases))
        case SameAs() | NotSameAs():
            kind = "same_as" if isinstance(entry, SameAs) else "not_same_as"
            return ("mesh", kind, *pair(entry.a, aliases), *pair(entry.b, aliases))
        case Ownership():
            dataset = pair(entry.dataset, aliases) if entry.dataset is not None else ()
            return ("mesh", "owner", entry.owner, entry.type, entry.product or "", entry.domain or "", *dataset, entry.column or "")


def dataset_names(entry: Entry) -> Iterator[tuple[Path, DatasetName]]:
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


def references(entry: Entry) -> References:  # noqa: PLR0911 - one for each kind of entry
    """The names that an entry declares, and those it uses."""
    match entry:
        case Team() | Person():
            own = [("owner", entry.name)] + ([("owner", entry.email)] if entry.email else [])
            members = entry.members if isinstance(entry, Team) else ()
            return References(tuple(own), tuple(("owner", name) for name in members))
        case Domain():
            return References((("domain", entry.name),), _present(owner=entry.owner, domain=entry.parent))
        case Product():
            return References((("product", entry.name),), _present(owner=entry.owner, domain=entry.domain))
        case Contract():
            return References((("contract", entry.id),), _present(owner=entry.owner))
        case Consumer():
            used = [reference for one in entry.consumes for reference in _present(product=one.product, contract=one.contract)]
            return References((), (*_present(owner=entry.owner), *used))
        case Ownership():
            return References((), _present(owner=entry.owner, product=entry.product, domain=entry.domain))
        case DatasetNote() | SameAs() | NotSameAs():
            return References((), ())


def _present(**names: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((kind, name) for kind, name in names.items() if name is not None)

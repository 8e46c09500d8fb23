"""A mesh file in two versions: its products and contracts are compared, all of it is what policies look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import EMPTY
from meshline.graph.contracts import AnyPair, Contract, Pair, Part, Party, PortSpec, Product, Version, level, port_names
from meshline.graph.model import AssetKey, Content, Scope, parse_source_kind
from meshline.graph.naming import Naming
from meshline.ingest.changes.base import Given, Known, Proposal, Text
from meshline.ingest.mesh import Mesh, parse, statements
from meshline.ingest.mesh import format as form
from meshline.ingest.mesh.mesh_file import Placed
from meshline.ingest.mesh.mesh_file import pair as dataset_pair
from meshline.ingest.sources.base import Entry


def propose(given: Given, known: Known) -> Proposal:
    """What another source says as well is not gone with its entry here. Raises InvalidInput with all that is wrong with a version."""
    naming = known.context.naming
    before, after = (_read(text) for text in given[1:3])
    if before is None and after is None:
        raise InvalidInput("no mesh file is given")
    old, new = (_Side.of(mesh, naming) for mesh in (before, after))
    pairs: tuple[AnyPair, ...] = (*_pairs(old.products, new.products), *_pairs(old.contracts, new.contracts))
    kept = tuple(pair for pair in pairs if not (pair.after is None and _said_elsewhere(pair, known)))
    source = next(mesh.source for mesh in (after, before) if mesh is not None)
    changed = [scope for scope in {**old.said, **new.said} if old.said.get(scope) != new.said.get(scope)]
    entries = tuple((source, Entry(scope, new.said.get(scope, EMPTY))) for scope in changed)
    return Proposal(kept, entries, () if after is None else after.warnings)


def _read(text: Text | None) -> Mesh | None:
    if text is None:
        return None
    mesh = parse(text.data, text.name)
    if mesh.refused:
        raise InvalidInput("\n".join(map(str, mesh.refused)))
    return mesh


Thing = TypeVar("Thing", Product, Contract)


class _Side(NamedTuple):
    """One version: its products and contracts by their names, and what it says of each of its scopes."""

    products: Mapping[str, Version[Product]]
    contracts: Mapping[str, Version[Contract]]
    said: Mapping[Scope, Content]

    @classmethod
    def of(cls, mesh: Mesh | None, naming: Naming) -> _Side:
        if mesh is None:
            return cls({}, {}, {})
        return cls(
            {one.entry.name: _product(one, one.entry, mesh, naming) for one in mesh.entries if isinstance(one.entry, form.Product)},
            {one.entry.id: _contract(one, one.entry, mesh, naming) for one in mesh.entries if isinstance(one.entry, form.Contract)},
            {one.scope: one.content for one in statements(mesh, naming, 0)},
        )


def _pairs(before: Mapping[str, Version[Thing]], after: Mapping[str, Version[Thing]]) -> Iterator[Pair[Thing]]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None or (old.value, old.datasets) != (new.value, new.datasets):
            yield Pair(old, new)


def _said_elsewhere(pair: AnyPair, known: Known) -> bool:
    value = pair.before.value if pair.before is not None else None
    key = (
        model.build_contract_key(value.id)
        if isinstance(value, Contract)
        else model.build_data_product_key(value.name)
        if isinstance(value, Product)
        else None
    )
    return key is not None and any(parse_source_kind(source) in ("contract", "product") for source, _ in known.said(key))


def _product(placed: Placed, entry: form.Product, mesh: Mesh, naming: Naming) -> Version[Product]:
    written = [*(("input", one) for one in entry.input_ports), *(("output", one) for one in entry.output_ports)]
    ports = tuple(_port(direction, one, mesh) for direction, one in written)
    names = (f"{port.direction}/{name}" for port, name in zip(ports, port_names(ports), strict=True))
    value = Product(
        name=entry.name,
        version=entry.version or "",
        title=entry.title or "",
        description=entry.description or "",
        domain=entry.domain or "",
        slo=tuple(level(name, str(said)) for name, said in entry.slo.items()),
        ports=ports,
        tags=entry.tags,
        owners=_owners(entry.owner, mesh),
    )
    datasets = {name: (_dataset(one.dataset, mesh, naming),) for name, (_, one) in zip(names, written, strict=True)}
    return Version(value, datasets, *_place(placed))


def _port(direction: str, port: form.Port, mesh: Mesh) -> PortSpec:
    """Called by its dataset, for it has no other name."""
    name = "/".join(dataset_pair(port.dataset, mesh.namespaces))
    return PortSpec(direction, name, port.type or "", port.endpoint or "", port.format or "", port.description or "")


def _contract(placed: Placed, entry: form.Contract, mesh: Mesh, naming: Naming) -> Version[Contract]:
    value = Contract(
        id=entry.id,
        version=entry.version or "",
        status=entry.status or "",
        title=entry.title or "",
        description=entry.description or "",
        owners=_owners(entry.owner, mesh),
    )
    return Version(value, {"": (_dataset(entry.dataset, mesh, naming),)}, *_place(placed))


def _place(placed: Placed) -> tuple[str, Mapping[Part, int]]:
    """The file, and where the entry stands in it."""
    file, _, line = placed.where.rpartition(":")
    return file, {(): int(line)}


def _dataset(name: form.DatasetName, mesh: Mesh, naming: Naming) -> AssetKey:
    return naming.dataset(*dataset_pair(name, mesh.namespaces))


def _owners(name: str | None, mesh: Mesh) -> tuple[Party, ...]:
    return (Party(mesh.emails.get(name, name)),) if name else ()

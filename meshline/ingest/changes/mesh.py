"""A mesh file in two versions: its products and contracts are compared; policies evaluate all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import EMPTY
from meshline.graph.contracts import AnyPair, Contract, Pair, Part, Party, PortSpec, Product, Version, build_level, build_port_names
from meshline.graph.model import AssetKey, Content, Scope, parse_source_kind
from meshline.graph.naming import Naming
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text
from meshline.ingest.mesh import Mesh, build_statements, parse_mesh_file
from meshline.ingest.mesh import format as form
from meshline.ingest.mesh.mesh_file import Placed
from meshline.ingest.mesh.mesh_file import split_dataset_name as dataset_pair
from meshline.ingest.sources.base import Entry


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """Compare two mesh files. An entry that another source also states is not removed.

    Raises InvalidInput with every problem of a version.
    """
    naming = known.context.naming
    before, after = (_read(text) for text in given[1:3])
    if before is None and after is None:
        raise InvalidInput("no mesh file is given")
    old, new = (_Side.from_mesh(mesh, naming) for mesh in (before, after))
    pairs: tuple[AnyPair, ...] = (*_build_pairs(old.products, new.products), *_build_pairs(old.contracts, new.contracts))
    kept = tuple(pair for pair in pairs if not (pair.after is None and _is_stated_elsewhere(pair, known)))
    source = next(mesh.source for mesh in (after, before) if mesh is not None)
    changed = [scope for scope in {**old.contents, **new.contents} if old.contents.get(scope) != new.contents.get(scope)]
    entries = tuple((source, Entry(scope, new.contents.get(scope, EMPTY))) for scope in changed)
    return Proposal(kept, entries, () if after is None else after.warnings)


def _read(text: Text | None) -> Mesh | None:
    if text is None:
        return None
    mesh = parse_mesh_file(text.data, text.name)
    if mesh.refused:
        raise InvalidInput("\n".join(map(str, mesh.refused)))
    return mesh


Subject = TypeVar("Subject", Product, Contract)


class _Side(NamedTuple):
    """One version: its products and contracts by name, and the content of each of its scopes."""

    products: Mapping[str, Version[Product]]
    contracts: Mapping[str, Version[Contract]]
    contents: Mapping[Scope, Content]

    @classmethod
    def from_mesh(cls, mesh: Mesh | None, naming: Naming) -> _Side:
        if mesh is None:
            return cls({}, {}, {})
        return cls(
            {one.entry.name: _build_product(one, one.entry, mesh, naming) for one in mesh.entries if isinstance(one.entry, form.Product)},
            {one.entry.id: _build_contract(one, one.entry, mesh, naming) for one in mesh.entries if isinstance(one.entry, form.Contract)},
            {one.scope: one.content for one in build_statements(mesh, naming, 0)},
        )


def _build_pairs(before: Mapping[str, Version[Subject]], after: Mapping[str, Version[Subject]]) -> Iterator[Pair[Subject]]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None or (old.value, old.datasets) != (new.value, new.datasets):
            yield Pair(old, new)


def _is_stated_elsewhere(pair: AnyPair, known: GraphState) -> bool:
    value = pair.before.value if pair.before is not None else None
    key = (
        model.build_contract_key(value.id)
        if isinstance(value, Contract)
        else model.build_data_product_key(value.name)
        if isinstance(value, Product)
        else None
    )
    return key is not None and any(parse_source_kind(source) in ("contract", "product") for source, _ in known.list_statements(key))


def _build_product(placed: Placed, entry: form.Product, mesh: Mesh, naming: Naming) -> Version[Product]:
    written = [*(("input", one) for one in entry.input_ports), *(("output", one) for one in entry.output_ports)]
    ports = tuple(_build_port(direction, one, mesh) for direction, one in written)
    names = (f"{port.direction}/{name}" for port, name in zip(ports, build_port_names(ports), strict=True))
    value = Product(
        name=entry.name,
        version=entry.version or "",
        title=entry.title or "",
        description=entry.description or "",
        domain=entry.domain or "",
        slo=tuple(build_level(name, str(value)) for name, value in entry.slo.items()),
        ports=ports,
        tags=entry.tags,
        owners=_list_owners(entry.owner, mesh),
    )
    datasets = {name: (_build_dataset(one.dataset, mesh, naming),) for name, (_, one) in zip(names, written, strict=True)}
    return Version(value, datasets, *_find_place(placed))


def _build_port(direction: str, port: form.Port, mesh: Mesh) -> PortSpec:
    """Build a port, named by its dataset since it has no other name."""
    name = "/".join(dataset_pair(port.dataset, mesh.namespaces))
    return PortSpec(direction, name, port.type or "", port.endpoint or "", port.format or "", port.description or "")


def _build_contract(placed: Placed, entry: form.Contract, mesh: Mesh, naming: Naming) -> Version[Contract]:
    value = Contract(
        id=entry.id,
        version=entry.version or "",
        status=entry.status or "",
        title=entry.title or "",
        description=entry.description or "",
        owners=_list_owners(entry.owner, mesh),
    )
    return Version(value, {"": (_build_dataset(entry.dataset, mesh, naming),)}, *_find_place(placed))


def _find_place(placed: Placed) -> tuple[str, Mapping[Part, int]]:
    """The file, and the line of the entry."""
    file, _, line = placed.where.rpartition(":")
    return file, {(): int(line)}


def _build_dataset(name: form.DatasetName, mesh: Mesh, naming: Naming) -> AssetKey:
    return naming.normalise_dataset(*dataset_pair(name, mesh.namespaces))


def _list_owners(name: str | None, mesh: Mesh) -> tuple[Party, ...]:
    return (Party(mesh.emails.get(name, name)),) if name else ()

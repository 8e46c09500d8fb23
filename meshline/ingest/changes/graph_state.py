"""Tables, contracts and products as the graph knows them, in the form in which versions are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import decode_facts
from meshline.graph.contracts import Contract, Definition, Field, Model, Party, PortSpec, Product, Version, build_port_names, build_product
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, EdgeFact, EdgeType, Facts, Json, parse_source_kind
from meshline.graph.naming import Naming
from meshline.graph.queries import contract_versions
from meshline.graph.queries.assets import Attributes, read_attributes
from meshline.graph.queries.resolve import resolve_name
from meshline.ingest.changes import GraphState
from meshline.ingest.changes.alignment import format_partition_field
from meshline.ingest.sources.base import Context, Entry

T = TypeVar("T")


def build_graph_state(live: LiveGraph, naming: Naming, context: Context, *, has_graph: bool = True) -> GraphState:
    """Read the graph on demand. `has_graph` False: the graph is empty because there is none."""
    return parse_views(build_stored_state(live, naming, context))._replace(has_graph=has_graph)


def parse_views(stored: GraphState) -> GraphState:
    """The same state, with the queries extracted from statements that define views. They are stored unparsed, since parsing may be slow."""

    def find_definition(key: AssetKey) -> Version[Definition] | None:
        found = stored.find_definition(key)
        if found is None or not found.value.sql:
            return found
        return found._replace(value=replace(found.value, sql=_parse_query(found.value.sql, found.value.dialect)))

    return stored._replace(find_definition=find_definition)


def build_stored_state(live: LiveGraph, naming: Naming, context: Context) -> GraphState:
    """Read the graph on demand, without parsing SQL; each look-up locks the graph for a moment."""
    reader = _Reader(live, naming)

    def lock_reads(read: Callable[[AssetKey], T]) -> Callable[[AssetKey], T]:
        def read_locked(key: AssetKey) -> T:
            with live.lock:
                return read(key)

        return read_locked

    of_contract, of_product = lock_reads(reader.find_contract), lock_reads(reader.find_product)
    return GraphState(
        context=context,
        resolve=reader.resolve,
        find_definition=lock_reads(reader.find_definition),
        find_contract=lambda identifier: of_contract(model.build_contract_key(identifier)),
        find_product=lambda name: of_product(model.build_data_product_key(name)),
        list_statements=lock_reads(reader.list_statements),
        list_names=lock_reads(reader.list_names),
    )


class _Reader:
    def __init__(self, live: LiveGraph, naming: Naming) -> None:
        self._live = live
        self._naming = naming

    def resolve(self, text: str) -> AssetKey:
        with self._live.lock:
            index = self._live.index
            return index.assets.get_key(resolve_name(index, self._live.store, self._naming, text))

    def find_definition(self, key: AssetKey) -> Version[Definition] | None:
        """A dataset with its columns in order; without columns if none is known."""
        index = self._live.index
        node = index.assets.find_by_key(key)
        if node is None or index.assets.get_kind(node) is not AssetKind.DATASET:
            return None
        columns = index.assets.list_columns(node)
        whole, *of_columns = read_attributes(self._live, index, [node, *columns])
        shown = index.assets.get_key(node)
        fields = tuple(_build_field(index.assets.get_key(column).name, one) for column, one in zip(columns, of_columns, strict=True))
        dialect = whole.find_text("dialect") or ""
        source = self._find_listing_source(node) or next(
            (row.source for row in whole.rows if row.attribute == "dataset_type" and row.chosen), ""
        )
        value = Definition(
            model=Model(name=shown.qualified_name, physical_name=shown.name, fields=fields),
            hidden=len(index.whole.assets.list_columns(node)) - len(columns),
            format=dialect if parse_source_kind(source) == "sql" else whole.find_text("format") or parse_source_kind(source),
            kind=(whole.find_text("dataset_type") or "").lower(),
            partitioning=_format_partitioning(whole),
            sql=whole.find_text("sql") or "",
            dialect=dialect,
        )
        return Version(value, {"": (shown,)})

    def find_contract(self, key: AssetKey) -> Version[Contract] | None:
        """The version that is shown: the newest one in force."""
        index = self._live.index
        node = index.assets.find_by_key(key)
        if node is None:
            return None
        rows = read_attributes(self._live, index, [node])[0].rows
        versions = contract_versions.build_versions(key.name, rows)
        if not versions:
            return None
        contract = versions[0].contract
        governed = [
            edge
            for edge in self._read_edges(node, EdgeType.GOVERNS)
            if edge.start == key and edge.attributes.get("version", contract.version) == contract.version
        ]
        return Version(contract, _group_by_name((str(edge.attributes.get("model") or ""), edge.end) for edge in governed))

    def find_product(self, key: AssetKey) -> Version[Product] | None:
        """A product as its specification states it, if one was read; else as all sources together state it."""
        index = self._live.index
        node = index.assets.find_by_key(key)
        if node is None:
            return None
        stated = [(source, self._decode_shown(entry)) for source, entry in self._read_entries(index.changes.list_scopes(node))]
        specified = [
            facts for source, facts in stated if parse_source_kind(source) == "product" and any(fact.key == key for fact in facts.assets)
        ]
        rows = read_attributes(self._live, index, [node])[0]
        shown: dict[str, Json] = {row.attribute: row.value for row in rows.rows if row.chosen}
        for facts in specified[:1]:
            shown = {name: value for fact in facts.assets if fact.key == key for name, value in fact.attributes.items()}
        return _build_product(key, shown, specified[:1] or [facts for _, facts in stated])

    def list_statements(self, key: AssetKey) -> Sequence[tuple[str, Entry]]:
        index = self._live.index
        node = index.assets.find_by_key(key)
        if node is None:
            return ()
        listed = {edge.scope_id for edge in index.ownership.list_edges(node, EdgeType.HAS_COLUMN)}
        found = self._read_entries(sorted(listed | index.changes.list_fact_names(node).keys()))
        return sorted(found, key=lambda one: self._live.precedence.rank(one[0], "type"))

    def list_names(self, key: AssetKey) -> Sequence[AssetKey]:
        node = self._live.index.assets.find_by_key(key)
        return (key,) if node is None else self._live.index.assets.list_names(node)

    def _read_entries(self, scope_ids: Sequence[int]) -> list[tuple[str, Entry]]:
        heads = self._live.read_heads(self._live.index.whole, scope_ids)
        return [(head.source, Entry(head.scope, head.content, head.observed_at)) for head in heads if head.content is not None]

    def _read_edges(self, node: int, type_: EdgeType) -> Iterator[EdgeFact]:
        """The edges that begin at an asset as sources stated them, with the names that they use."""
        for _, entry in self._read_entries(sorted({edge.scope_id for edge in self._live.index.ownership.list_edges(node, type_)})):
            yield from (edge for edge in self._decode_shown(entry).edges if edge.type is type_)

    def _decode_shown(self, entry: Entry) -> Facts:
        """The facts of a statement, of them those about assets that the viewer may see."""
        facts, may_name = decode_facts(entry.content.blob), self._live.index.may_name
        if not self._live.index.is_restricted:
            return facts
        edges = tuple(edge for edge in facts.edges if may_name(edge.start) and may_name(edge.end))
        return facts._replace(edges=edges, assets=tuple(fact for fact in facts.assets if may_name(fact.key)))

    def _find_listing_source(self, dataset: int) -> str:
        """The strongest source that lists the columns."""
        index = self._live.index
        sources = {index.changes.get_scope(edge.scope_id).source for edge in index.ownership.list_edges(dataset, EdgeType.HAS_COLUMN)}
        return min(sources, key=lambda source: (self._live.precedence.rank(source, "type"), source), default="")


def _build_field(name: str, stated: Attributes) -> Field:
    nullable, number = stated.find_value("nullable"), stated.find_value("field_id")
    return Field(
        name=name,
        type=stated.find_text("type") or "",
        id=str(number) if isinstance(number, int) else "",
        description=stated.find_text("description") or "",
        required=None if not isinstance(nullable, bool) else not nullable,
        primary_key=True if stated.find_value("identifies") is True else None,
    )


def _format_partitioning(stated: Attributes) -> tuple[str, ...]:
    spec, columns = stated.find_value("partition_spec"), stated.find_value("partition_columns")
    if isinstance(spec, list):
        return tuple(text for one in spec if isinstance(one, dict) and (text := format_partition_field(one)))
    return tuple(map(str, columns)) if isinstance(columns, list) else ()


def _parse_query(sql: str, dialect: str) -> str:
    """The query of a statement that defines a view."""
    if not sql.lstrip()[:6].upper().startswith("CREATE"):
        return sql
    from meshline.sql.script import extract_query  # noqa: PLC0415 - sqlglot is slow to import

    try:
        return extract_query(sql, dialect)
    except InvalidInput:
        return sql


def _group_by_name(pairs: Iterable[tuple[str, AssetKey]]) -> Mapping[str, tuple[AssetKey, ...]]:
    found: dict[str, dict[AssetKey, None]] = {}
    for name, key in pairs:
        found.setdefault(name, {})[key] = None
    return {name: tuple(keys) for name, keys in found.items()}


def _build_product(key: AssetKey, attributes: Mapping[str, Json], facts: Sequence[Facts]) -> Version[Product]:
    edges = [edge for one in facts for edge in one.edges]
    ports: dict[PortSpec, list[AssetKey]] = {}
    for edge in edges:
        if edge.type is EdgeType.PORT and edge.start == key:
            ports.setdefault(_build_port(edge), []).append(edge.end)
    emails = {fact.key: text for one in facts for fact in one.assets if isinstance(text := fact.attributes.get("email"), str)}
    titles = {fact.key: text for one in facts for fact in one.assets if isinstance(text := fact.attributes.get("title"), str)}
    owners = [
        Party(emails.get(edge.start, edge.start.name), str(edge.attributes.get("type") or "technical"), titles.get(edge.start, ""))
        for edge in edges
        if edge.type is EdgeType.OWNS and edge.end == key
    ]
    domain = next((edge.end.name for edge in edges if edge.type is EdgeType.PART_OF and edge.start == key), "")
    product = build_product(key.name, attributes, tuple(ports), tuple(dict.fromkeys(owners)), domain)
    names = (f"{port.direction}/{name}" for port, name in zip(ports, build_port_names(tuple(ports)), strict=True))
    return Version(product, {name: tuple(dict.fromkeys(keys)) for name, keys in zip(names, ports.values(), strict=True)})


def _build_port(edge: EdgeFact) -> PortSpec:
    attributes = edge.attributes

    def get_text(name: str) -> str:
        return str(attributes.get(name) or "")

    return PortSpec(
        direction=get_text("direction") or "output",
        name=get_text("name"),
        type=get_text("type"),
        endpoint=get_text("endpoint"),
        format=get_text("format"),
        description=get_text("description"),
        refresh=get_text("refresh"),
        version=get_text("version"),
        contract=get_text("contract"),
        deprecated=True if attributes.get("deprecated") is True else None,
    )

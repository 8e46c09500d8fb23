"""The whole visible graph by names: equal for equal sets of statements, in whatever order they were loaded."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from meshline.graph.index.arrays import COLUMN, DATASET, DEAD, N_FLOWS, N_NODES, N_RELATIONS
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.flow_tables import build_flow_step
from meshline.graph.index.heads import FLOWS, RELATIONS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.model import EDGE_TYPES, AssetKey, Scope

Named: TypeAlias = tuple[str, Scope]  # source, scope


class Asset(NamedTuple):
    """One identity class with its names, columns, containers and owners."""

    shown: AssetKey
    members: tuple[AssetKey, ...]
    inferred: bool
    described: bool | None
    unlisted: bool | None
    position: int | None
    product: AssetKey | None
    domain: AssetKey | None
    owners: tuple[tuple[AssetKey, str, AssetKey, str], ...]


class Dump(NamedTuple):
    """Everything, sorted."""

    assets: list[Asset]
    relations: list[tuple[str, AssetKey, AssetKey, str, Named]]
    flows: list[tuple[AssetKey, AssetKey, int, str, AssetKey | None, Named]]
    scopes: list[tuple[Named, int, int, int, bool, bool]]
    silent_on_filters: list[tuple[AssetKey, tuple[str, ...]]]


def dump_graph(loader: HeadLoader, shown: DisplayNames, ownership: OwnershipCache) -> Dump:
    """The graph that the index shows, for tests and comparisons."""
    tables = loader.tables
    reps = {int(tables.nodes.rep[node]) for node in range(int(tables.counts[N_NODES]))}
    visible = [rep for rep in sorted(reps) if shown.is_visible(rep)]
    heads = [head for head in range(tables.heads.n) if tables.heads.alive[head]]
    return Dump(
        sorted(_describe_asset(tables, shown, ownership, rep) for rep in visible),
        sorted(
            (
                EDGE_TYPES[tables.relations.type[row]],
                *_get_ends(tables, shown, row),
                repr(sorted(loader.get_relation_attributes(row).items())),
                _get_scope(tables, row, RELATIONS),
            )
            for row in range(int(tables.counts[N_RELATIONS]))
            if tables.relations.type[row] >= 0
        ),
        sorted(
            (_describe_flow(tables, shown, row) for row in range(int(tables.counts[N_FLOWS])) if not tables.flows.flags[row] & DEAD),
            key=repr,
        ),
        sorted(
            (
                (tables.heads.get_source(head), tables.heads.get_scope(head)),
                int(tables.heads.observed_at[head]),
                int(tables.heads.valid_from[head]),
                int(tables.heads.last_observed[head]),
                bool(tables.heads.provisional[head]),
                bool(tables.heads.stale[head]),
            )
            for head in heads
        ),
        sorted((tables.get_key(job), producers) for job, producers in loader.silent_jobs.list_jobs().items()),
    )


def _describe_asset(tables: IndexTables, shown: DisplayNames, ownership: OwnershipCache, rep: int) -> Asset:
    kind = tables.nodes.kind[rep]
    product, domain = ownership.find_product(rep), ownership.find_domain(rep)
    return Asset(
        shown.get_key(rep),
        tuple(tables.get_key(member) for member in shown.list_members(rep)),
        shown.is_inferred(rep),
        shown.is_described(rep) if kind == DATASET else None,
        shown.is_unlisted(rep) if kind == COLUMN else None,
        shown.find_position(rep) if kind == COLUMN else None,
        None if product is None else shown.get_key(product),
        None if domain is None else shown.get_key(domain),
        tuple((shown.get_key(o.owner), o.type, shown.get_key(o.level), o.source) for o in ownership.list_owners(rep)),
    )


def _get_ends(tables: IndexTables, shown: DisplayNames, row: int) -> tuple[AssetKey, AssetKey]:
    return shown.get_key(int(tables.relations.start[row])), shown.get_key(int(tables.relations.end[row]))


def _describe_flow(tables: IndexTables, shown: DisplayNames, row: int) -> tuple[AssetKey, AssetKey, int, str, AssetKey | None, Named]:
    step = build_flow_step(tables, row)
    job = None if step.job is None else shown.get_key(step.job)
    return (
        shown.get_key(step.start),
        shown.get_key(step.end),
        int(tables.flows.flags[row]),
        step.subtype,
        job,
        _get_scope(tables, row, FLOWS),
    )


def _get_scope(tables: IndexTables, row: int, table: int) -> Named:
    head = tables.find_heads([row], table)[0]
    return tables.heads.get_source(head), tables.heads.get_scope(head)


def collect_traversable(tables: IndexTables) -> set[int]:
    """The flows that kernels find by the CSR arrays and the overlay: these must be all that are not dead."""
    return {flow for node in range(int(tables.counts[N_NODES])) for flow in tables.list_flow_rows(node)}

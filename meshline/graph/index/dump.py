"""The whole visible graph by names: equal for equal sets of statements, however they came."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from meshline.graph.index.arrays import COLUMN, DATASET, DEAD, N_FLOWS, N_NODES, N_RELATIONS
from meshline.graph.index.display_names import Shown
from meshline.graph.index.flow_tables import flow_step
from meshline.graph.index.index_tables import Core
from meshline.graph.index.loader import Feed
from meshline.graph.index.ownership import Holders
from meshline.graph.model import EDGE_TYPES, AssetKey, Scope

Named: TypeAlias = tuple[str, Scope]  # source, scope


class Asset(NamedTuple):
    """What the index knows of one identity class."""

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


def dumped(feed: Feed, shown: Shown, holders: Holders) -> Dump:
    """The graph that the index shows."""
    core = feed.core
    reps = {int(core.nodes.rep[node]) for node in range(int(core.counts[N_NODES]))}
    visible = [rep for rep in sorted(reps) if shown.visible(rep)]
    heads = [head for head in range(core.heads.n) if core.heads.alive[head]]
    return Dump(
        sorted(_asset(core, shown, holders, rep) for rep in visible),
        sorted(
            (
                EDGE_TYPES[core.relations.type[row]],
                *_ends(core, shown, row),
                repr(sorted(feed.attributes(row).items())),
                _named(core, row, 1),
            )
            for row in range(int(core.counts[N_RELATIONS]))
            if core.relations.type[row] >= 0
        ),
        sorted((_flow(core, shown, row) for row in range(int(core.counts[N_FLOWS])) if not core.flows.flags[row] & DEAD), key=repr),
        sorted(
            (
                (core.heads.source_of(head), core.heads.scope_of(head)),
                int(core.heads.observed_at[head]),
                int(core.heads.valid_from[head]),
                int(core.heads.last_observed[head]),
                bool(core.heads.provisional[head]),
                bool(core.heads.stale[head]),
            )
            for head in heads
        ),
        sorted((core.key(job), producers) for job, producers in feed.silent_jobs.all().items()),
    )


def _asset(core: Core, shown: Shown, holders: Holders, rep: int) -> Asset:
    kind = core.nodes.kind[rep]
    product, domain = holders.product(rep), holders.domain(rep)
    return Asset(
        shown.key(rep),
        tuple(core.key(member) for member in shown.members(rep)),
        shown.inferred(rep),
        shown.described(rep) if kind == DATASET else None,
        shown.unlisted(rep) if kind == COLUMN else None,
        shown.position(rep) if kind == COLUMN else None,
        None if product is None else shown.key(product),
        None if domain is None else shown.key(domain),
        tuple((shown.key(o.owner), o.type, shown.key(o.level), o.source) for o in holders.owners(rep)),
    )


def _ends(core: Core, shown: Shown, row: int) -> tuple[AssetKey, AssetKey]:
    return shown.key(int(core.relations.start[row])), shown.key(int(core.relations.end[row]))


def _flow(core: Core, shown: Shown, row: int) -> tuple[AssetKey, AssetKey, int, str, AssetKey | None, Named]:
    step = flow_step(core, row)
    job = None if step.job is None else shown.key(step.job)
    return shown.key(step.start), shown.key(step.end), int(core.flows.flags[row]), step.subtype, job, _named(core, row, 0)


def _named(core: Core, row: int, table: int) -> Named:
    head = core.heads_of([row], table)[0]
    return core.heads.source_of(head), core.heads.scope_of(head)


def traversable(core: Core) -> set[int]:
    """The flows that kernels see, by the CSR arrays and the overlay: must be those that are not dead."""
    return {flow for node in range(int(core.counts[N_NODES])) for flow in core.flow_rows(node)}

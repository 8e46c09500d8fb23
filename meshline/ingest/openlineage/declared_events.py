"""Job events and dataset events -> statements: metadata without a run, each replaced as a whole by the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.graph.content import EMPTY, Draft
from meshline.graph.model import WHOLE_SCHEMA, AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, Statement
from meshline.ingest.openlineage.content_cache import Contents
from meshline.ingest.openlineage.events import DatasetEvent, EventType, JobEvent, RunEvent
from meshline.ingest.openlineage.facet_facts import VERBATIM, verbatim
from meshline.ingest.openlineage.facets import RUN_OWNED_JOB, Place
from meshline.ingest.openlineage.run_lineage import Exchange, Target, draw_flows, edges, exchange
from meshline.ingest.openlineage.run_state import RunState, Slot, join_roles, join_slots, merged
from meshline.ingest.openlineage.run_statements import (
    DATASET,
    DATASET_LINEAGE,
    JOB,
    JOB_DECLARED,
    SEEN,
    facet_scope,
    lifecycle,
    schemas,
    spelling,
    spellings,
)

_LINEAGE = ("lineage", "columnLineage")


def job_event_statements(source: str, event: JobEvent, contents: Contents) -> list[Statement]:
    """A declared job: its lineage as a whole, facets of its own, and facets of the datasets that it names."""
    as_run = RunEvent(event.time, EventType.OTHER, "", event.job, {}, event.job_facets, event.inputs, event.outputs)
    state = merged(None, [as_run])
    of = exchange(event.job, state, contents)
    result = [Statement(source, (JOB_DECLARED, *of.job.parts), event.time, _declared(state, of, contents).content())]
    for name, slot in state.job_facets.items():
        if name not in RUN_OWNED_JOB:
            said = contents.facet(of.job, Place.JOB, name, slot)
            result.append(Statement(source, (JOB, *of.job.parts, facet_scope(name, slot)), event.time, said))
    return result + _datasets(source, event.time, state, of, contents)


def dataset_event_statements(source: str, event: DatasetEvent, contents: Contents) -> list[Statement]:
    """A dataset described without a job; its lineage facets say what it is derived from."""
    as_run = RunEvent(event.time, EventType.OTHER, "", ("", ""), {}, {}, (), (event.dataset,))
    state = merged(None, [as_run])
    (target,) = exchange(("", ""), state, contents).targets
    result = _datasets(source, event.time, state, None, contents)
    facets = state.outputs[0].facets
    if any(facets[name].readable for name in _LINEAGE if name in facets):
        draft = Draft()
        draft.add(Facts(assets=(_kept(target.key, facets, _LINEAGE),)))
        draw_flows(draft, target, _own(target), None)
        said = EMPTY if _taken_back(facets, contents) else draft.content()
        result.append(Statement(source, (DATASET_LINEAGE, *target.key.parts), event.time, said))
    if not result:
        seen = contents.of((target.key, SEEN), lambda: Facts(assets=(AssetFact(target.key, {}),)))
        result.append(Statement(source, (DATASET, *target.key.parts, SEEN), event.time, seen))
    return result


def _declared(state: RunState, of: Exchange, contents: Contents) -> Draft:
    """Everything that the declared job reads, writes and moves; what it says besides is kept verbatim."""
    said: list[EdgeFact] = [EdgeFact(EdgeType.READS, of.job, dataset) for dataset in of.inputs]
    said += [EdgeFact(EdgeType.READS, job, dataset) for job, dataset in of.consumed]
    draft = Draft()
    for target in of.targets:
        said += edges(target, of)
        draw_flows(draft, target, _own(target), of.job)
    assets = [_kept(of.job, state.job_facets, RUN_OWNED_JOB)]
    for role, mentions in (("input", state.inputs), ("output", state.outputs)):
        for mention in mentions:
            key = contents.naming.dataset(mention.namespace, mention.name)
            kept = _kept(key, mention.facets, _LINEAGE).attributes
            roles = {f"{role}_facet:{name}": verbatim(slot.raw) for name, slot in mention.role_facets.items()}
            if kept or roles:
                assets.append(AssetFact(key, {**kept, **roles}))
    draft.add(Facts(tuple(assets), tuple(said)))
    return draft


def _own(target: Target) -> list[tuple[AssetKey, bool]]:
    """The datasets that feed a target, as covered as its own column lineage makes them: static events have no siblings."""
    return [(feed.dataset, feed.covered) for feed in target.feeds]


def _datasets(source: str, time: int, state: RunState, moved: Exchange | None, contents: Contents) -> list[Statement]:
    """What facets say of datasets, and how they were spelled."""
    facets: dict[AssetKey, dict[str, Slot]] = {}
    result = _schemas(source, time, state, moved, contents)
    spelled = {}
    for mention, join in [*((mention, join_slots) for mention in state.inputs), *((mention, join_roles) for mention in state.outputs)]:
        key = contents.naming.dataset(mention.namespace, mention.name)
        facets[key] = join(facets.get(key, {}), mention.facets)
        for of, raw, _, _ in spellings(mention, contents):
            spelled[of, raw] = spelling(of, raw, contents)
    for key, slots in facets.items():
        for name, slot in slots.items():
            if name in (*_LINEAGE, "schema") and slot.readable:
                continue  # lineage is in the statement of the job or of the dataset's lineage
            said = contents.facet(key, Place.DATASET, name, slot)
            result.append(Statement(source, (DATASET, *key.parts, facet_scope(name, slot)), time, said))
            if name == "lifecycleStateChange":
                result += [Statement(source, scope, time, change) for scope, change in lifecycle(key, slot, time, contents)]
    return result + [Statement(source, (DATASET, *of.parts, "spelling", *raw), time, said) for (of, raw), said in spelled.items()]


def _schemas(source: str, time: int, state: RunState, moved: Exchange | None, contents: Contents) -> list[Statement]:
    """The columns of datasets. `moved`: what a job reads and writes; None for a dataset event, which is about the whole dataset."""
    if moved is not None:
        return [
            Statement(source, one.scope, time, one.said)
            for key in sorted({*moved.inputs, *moved.outputs})
            for one in schemas(key, moved, contents)
        ]
    slots = {contents.naming.dataset(mention.namespace, mention.name): mention.facets.get("schema") for mention in state.outputs}
    return [
        Statement(source, (DATASET, *key.parts, WHOLE_SCHEMA), time, contents.facet(key, Place.DATASET, "schema", slot))
        for key, slot in slots.items()
        if slot is not None and slot.readable
    ]


def _kept(key: AssetKey, facets: Mapping[str, Slot], names: Iterable[str]) -> AssetFact:
    attributes: dict[str, Json] = {VERBATIM + name: verbatim(facets[name].raw) for name in names if name in facets}
    return AssetFact(key, attributes)


def _taken_back(facets: Mapping[str, Slot], contents: Contents) -> bool:
    """Whether every lineage facet says `_deleted`."""
    return all(contents.is_taken_back(name, facets[name]) for name in _LINEAGE if name in facets)

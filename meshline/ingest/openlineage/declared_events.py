"""Job events and dataset events -> statements: metadata without a run, each replaced as a whole by the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.graph.content import EMPTY, Draft
from meshline.graph.model import WHOLE_SCHEMA, AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, Statement
from meshline.ingest.openlineage.content_cache import ContentCache
from meshline.ingest.openlineage.events import DatasetEvent, EventType, JobEvent, RunEvent
from meshline.ingest.openlineage.facet_facts import VERBATIM, to_verbatim_json
from meshline.ingest.openlineage.facets import RUN_OWNED_JOB, Place
from meshline.ingest.openlineage.run_lineage import Exchange, Target, build_edges, build_exchange, draw_flows
from meshline.ingest.openlineage.run_state import RunState, Slot, join_roles, join_slots, merge_events
from meshline.ingest.openlineage.run_statements import (
    DATASET,
    DATASET_LINEAGE,
    JOB,
    JOB_DECLARED,
    SEEN,
    build_facet_scope,
    build_spelling,
    list_lifecycle_changes,
    list_schemas,
    list_spellings,
)

_LINEAGE = ("lineage", "columnLineage")


def build_job_event_statements(source: str, event: JobEvent, contents: ContentCache) -> list[Statement]:
    """A declared job: its lineage as a whole, facets of its own, and facets of the datasets that it names."""
    as_run = RunEvent(event.time, EventType.OTHER, "", event.job, {}, event.job_facets, event.inputs, event.outputs)
    state = merge_events(None, [as_run])
    of = build_exchange(event.job, state, contents)
    result = [Statement(source, (JOB_DECLARED, *of.job.parts), event.time, _draft_declared(state, of, contents).content())]
    for name, slot in state.job_facets.items():
        if name not in RUN_OWNED_JOB:
            said = contents.get_facet_content(of.job, Place.JOB, name, slot)
            result.append(Statement(source, (JOB, *of.job.parts, build_facet_scope(name, slot)), event.time, said))
    return result + _state_datasets(source, event.time, state, of, contents)


def build_dataset_event_statements(source: str, event: DatasetEvent, contents: ContentCache) -> list[Statement]:
    """A dataset described without a job; its lineage facets say what it is derived from."""
    as_run = RunEvent(event.time, EventType.OTHER, "", ("", ""), {}, {}, (), (event.dataset,))
    state = merge_events(None, [as_run])
    (target,) = build_exchange(("", ""), state, contents).targets
    result = _state_datasets(source, event.time, state, None, contents)
    facets = state.outputs[0].facets
    if any(facets[name].readable for name in _LINEAGE if name in facets):
        draft = Draft()
        draft.add(Facts(assets=(_keep_facets(target.key, facets, _LINEAGE),)))
        draw_flows(draft, target, _list_own_feeds(target), None)
        said = EMPTY if _are_deleted(facets, contents) else draft.content()
        result.append(Statement(source, (DATASET_LINEAGE, *target.key.parts), event.time, said))
    if not result:
        seen = contents.get_content((target.key, SEEN), lambda: Facts(assets=(AssetFact(target.key, {}),)))
        result.append(Statement(source, (DATASET, *target.key.parts, SEEN), event.time, seen))
    return result


def _draft_declared(state: RunState, of: Exchange, contents: ContentCache) -> Draft:
    """Everything that the declared job reads, writes and moves; what it says besides is kept verbatim."""
    said: list[EdgeFact] = [EdgeFact(EdgeType.READS, of.job, dataset) for dataset in of.inputs]
    said += [EdgeFact(EdgeType.READS, job, dataset) for job, dataset in of.consumed]
    draft = Draft()
    for target in of.targets:
        said += build_edges(target, of)
        draw_flows(draft, target, _list_own_feeds(target), of.job)
    assets = [_keep_facets(of.job, state.job_facets, RUN_OWNED_JOB)]
    for role, mentions in (("input", state.inputs), ("output", state.outputs)):
        for mention in mentions:
            key = contents.naming.dataset(mention.namespace, mention.name)
            kept = _keep_facets(key, mention.facets, _LINEAGE).attributes
            roles = {f"{role}_facet:{name}": to_verbatim_json(slot.raw) for name, slot in mention.role_facets.items()}
            if kept or roles:
                assets.append(AssetFact(key, {**kept, **roles}))
    draft.add(Facts(tuple(assets), tuple(said)))
    return draft


def _list_own_feeds(target: Target) -> list[tuple[AssetKey, bool]]:
    """The datasets that feed a target, as covered as its own column lineage makes them: static events have no siblings."""
    return [(feed.dataset, feed.covered) for feed in target.feeds]


def _state_datasets(source: str, time: int, state: RunState, moved: Exchange | None, contents: ContentCache) -> list[Statement]:
    """What facets say of datasets, and how they were spelled."""
    facets: dict[AssetKey, dict[str, Slot]] = {}
    result = _state_schemas(source, time, state, moved, contents)
    spelled = {}
    for mention, join in [*((mention, join_slots) for mention in state.inputs), *((mention, join_roles) for mention in state.outputs)]:
        key = contents.naming.dataset(mention.namespace, mention.name)
        facets[key] = join(facets.get(key, {}), mention.facets)
        for of, raw, _, _ in list_spellings(mention, contents):
            spelled[of, raw] = build_spelling(of, raw, contents)
    for key, slots in facets.items():
        for name, slot in slots.items():
            if name in (*_LINEAGE, "schema") and slot.readable:
                continue  # lineage is in the statement of the job or of the dataset's lineage
            said = contents.get_facet_content(key, Place.DATASET, name, slot)
            result.append(Statement(source, (DATASET, *key.parts, build_facet_scope(name, slot)), time, said))
            if name == "lifecycleStateChange":
                result += [Statement(source, scope, time, change) for scope, change in list_lifecycle_changes(key, slot, time, contents)]
    return result + [Statement(source, (DATASET, *of.parts, "spelling", *raw), time, said) for (of, raw), said in spelled.items()]


def _state_schemas(source: str, time: int, state: RunState, moved: Exchange | None, contents: ContentCache) -> list[Statement]:
    """The columns of datasets. `moved`: what a job reads and writes; None for a dataset event, which is about the whole dataset."""
    if moved is not None:
        return [
            Statement(source, one.scope, time, one.content)
            for key in sorted({*moved.inputs, *moved.outputs})
            for one in list_schemas(key, moved, contents)
        ]
    slots = {contents.naming.dataset(mention.namespace, mention.name): mention.facets.get("schema") for mention in state.outputs}
    return [
        Statement(source, (DATASET, *key.parts, WHOLE_SCHEMA), time, contents.get_facet_content(key, Place.DATASET, "schema", slot))
        for key, slot in slots.items()
        if slot is not None and slot.readable
    ]


def _keep_facets(key: AssetKey, facets: Mapping[str, Slot], names: Iterable[str]) -> AssetFact:
    attributes: dict[str, Json] = {VERBATIM + name: to_verbatim_json(facets[name].raw) for name in names if name in facets}
    return AssetFact(key, attributes)


def _are_deleted(facets: Mapping[str, Slot], contents: ContentCache) -> bool:
    """Whether every lineage facet says `_deleted`."""
    return all(contents.is_deleted(name, facets[name]) for name in _LINEAGE if name in facets)

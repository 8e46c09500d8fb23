"""Job events and dataset events -> statements: metadata without a run. The next event of a job or dataset replaces the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.graph.content import EMPTY, Draft
from meshline.graph.model import WHOLE_SCHEMA, AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, Statement
from meshline.ingest.openlineage.events import DatasetEvent, EventType, JobEvent, RunEvent
from meshline.ingest.openlineage.facet_contents import VERBATIM, ContentCache, to_verbatim_json
from meshline.ingest.openlineage.facets import RUN_OWNED_JOB, Place
from meshline.ingest.openlineage.output_lineage import Exchange, Target, build_edges, build_exchange, draw_flows
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
    """The statements of a declared job: its lineage as a whole, its facets, and the facets of the datasets that it names."""
    as_run = RunEvent(event.time, EventType.OTHER, "", event.job, {}, event.job_facets, event.inputs, event.outputs)
    state = merge_events(None, [as_run])
    exchange = build_exchange(event.job, state, contents)
    result = [
        Statement(source, (JOB_DECLARED, *exchange.job.parts), event.time, _draft_declared(state, exchange, contents).build_content())
    ]
    for name, slot in state.job_facets.items():
        if name not in RUN_OWNED_JOB:
            content = contents.get_facet_content(exchange.job, Place.JOB, name, slot)
            result.append(Statement(source, (JOB, *exchange.job.parts, build_facet_scope(name, slot)), event.time, content))
    return result + _state_datasets(source, event.time, state, exchange, contents)


def build_dataset_event_statements(source: str, event: DatasetEvent, contents: ContentCache) -> list[Statement]:
    """The statements of a dataset without a job: its facets, and by its lineage facets what it is derived from."""
    as_run = RunEvent(event.time, EventType.OTHER, "", ("", ""), {}, {}, (), (event.dataset,))
    state = merge_events(None, [as_run])
    (target,) = build_exchange(("", ""), state, contents).targets
    result = _state_datasets(source, event.time, state, None, contents)
    facets = state.outputs[0].facets
    if any(facets[name].readable for name in _LINEAGE if name in facets):
        draft = Draft()
        draft.add_facts(Facts(assets=(_keep_facets(target.key, facets, _LINEAGE),)))
        draw_flows(draft, target, _list_own_feeds(target), None)
        content = EMPTY if _are_deleted(facets, contents) else draft.build_content()
        result.append(Statement(source, (DATASET_LINEAGE, *target.key.parts), event.time, content))
    if not result:
        seen = contents.get_content((target.key, SEEN), lambda: Facts(assets=(AssetFact(target.key, {}),)))
        result.append(Statement(source, (DATASET, *target.key.parts, SEEN), event.time, seen))
    return result


def _draft_declared(state: RunState, exchange: Exchange, contents: ContentCache) -> Draft:
    """Everything that the declared job reads and writes, and its flows; other facets of the event are kept verbatim."""
    declared: list[EdgeFact] = [EdgeFact(EdgeType.READS, exchange.job, dataset) for dataset in exchange.inputs]
    declared += [EdgeFact(EdgeType.READS, job, dataset) for job, dataset in exchange.consumed]
    draft = Draft()
    for target in exchange.targets:
        declared += build_edges(target, exchange)
        draw_flows(draft, target, _list_own_feeds(target), exchange.job)
    assets = [_keep_facets(exchange.job, state.job_facets, RUN_OWNED_JOB)]
    for role, mentions in (("input", state.inputs), ("output", state.outputs)):
        for mention in mentions:
            key = contents.naming.normalise_dataset(mention.namespace, mention.name)
            kept = _keep_facets(key, mention.facets, _LINEAGE).attributes
            roles = {f"{role}_facet:{name}": to_verbatim_json(slot.raw) for name, slot in mention.role_facets.items()}
            if kept or roles:
                assets.append(AssetFact(key, {**kept, **roles}))
    draft.add_facts(Facts(tuple(assets), tuple(declared)))
    return draft


def _list_own_feeds(target: Target) -> list[tuple[AssetKey, bool]]:
    """The inputs of a target, each with whether the target's own column lineage covers it: static events have no siblings."""
    return [(feed.dataset, feed.covered) for feed in target.feeds]


def _state_datasets(source: str, time: int, state: RunState, exchange: Exchange | None, contents: ContentCache) -> list[Statement]:
    """What facets state of datasets, and the spellings of their names."""
    facets: dict[AssetKey, dict[str, Slot]] = {}
    result = _state_schemas(source, time, state, exchange, contents)
    spelled = {}
    for mention, join in [*((mention, join_slots) for mention in state.inputs), *((mention, join_roles) for mention in state.outputs)]:
        key = contents.naming.normalise_dataset(mention.namespace, mention.name)
        facets[key] = join(facets.get(key, {}), mention.facets)
        for spelled_key, raw, _, _ in list_spellings(mention, contents):
            spelled[spelled_key, raw] = build_spelling(spelled_key, raw, contents)
    for key, slots in facets.items():
        for name, slot in slots.items():
            if name in (*_LINEAGE, "schema") and slot.readable:
                continue  # lineage is in the statement of the job or of the dataset's lineage
            content = contents.get_facet_content(key, Place.DATASET, name, slot)
            result.append(Statement(source, (DATASET, *key.parts, build_facet_scope(name, slot)), time, content))
            if name == "lifecycleStateChange":
                result += [Statement(source, scope, time, change) for scope, change in list_lifecycle_changes(key, slot, time, contents)]
    return result + [Statement(source, (DATASET, *key.parts, "spelling", *raw), time, content) for (key, raw), content in spelled.items()]


def _state_schemas(source: str, time: int, state: RunState, exchange: Exchange | None, contents: ContentCache) -> list[Statement]:
    """The columns of datasets. `exchange`: what a job reads and writes; None for a dataset event, which is about the whole dataset."""
    if exchange is not None:
        return [
            Statement(source, one.scope, time, one.content)
            for key in sorted({*exchange.inputs, *exchange.outputs})
            for one in list_schemas(key, exchange, contents)
        ]
    slots = {contents.naming.normalise_dataset(mention.namespace, mention.name): mention.facets.get("schema") for mention in state.outputs}
    return [
        Statement(source, (DATASET, *key.parts, WHOLE_SCHEMA), time, contents.get_facet_content(key, Place.DATASET, "schema", slot))
        for key, slot in slots.items()
        if slot is not None and slot.readable
    ]


def _keep_facets(key: AssetKey, facets: Mapping[str, Slot], names: Iterable[str]) -> AssetFact:
    attributes: dict[str, Json] = {VERBATIM + name: to_verbatim_json(facets[name].raw) for name in names if name in facets}
    return AssetFact(key, attributes)


def _are_deleted(facets: Mapping[str, Slot], contents: ContentCache) -> bool:
    """Whether every lineage facet is marked `_deleted`."""
    return all(contents.is_deleted(name, facets[name]) for name in _LINEAGE if name in facets)

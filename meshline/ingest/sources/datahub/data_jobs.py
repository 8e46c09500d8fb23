"""Data flows and data jobs of DataHub -> jobs, what they read and write, and what flows through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, AssetKind, EdgeFact, EdgeType, Facts, Flow, Json, drop_empty_attributes
from meshline.ingest.sources.base import Entry, Item, Refusal, drop_repetition
from meshline.ingest.sources.datahub.aspects import FlowInfo, JobLineage, Link, Properties, TransformLogic
from meshline.ingest.sources.datahub.facts import MAX_SQL, MAX_TEXT, SCOPE, CatalogFacts, build_owner_edges, get_dataset, list_properties
from meshline.ingest.sources.datahub.parse import Entities
from meshline.ingest.sources.datahub.urns import (
    FLOW,
    JOB,
    MAX_NAME,
    Names,
    find_stated_name,
    parse_flow_urn,
    parse_job_urn,
    shorten_urn,
)
from meshline.ingest.sources.table_properties import select_properties

MAX_PAIRS = 100_000  # of inputs and outputs of a job


class JobFacts:
    """The entries of data flows and data jobs."""

    def __init__(self, entities: Entities, names: Names, facts: CatalogFacts) -> None:
        self._entities = entities
        self._names = names
        self._facts = facts

    def build_entries(self) -> Iterator[Item]:
        """A job for each data flow, and one for each data job, which is a part of it."""
        for beginning, build in ((FLOW, self._build_flow), (JOB, self._build_job)):
            for urn in self._entities.list_urns(beginning):
                try:
                    entry = Entry((SCOPE, urn), encode_facts(build(urn)))
                except InvalidInput as error:
                    yield Refusal(error, (SCOPE, urn))
                    continue
                if urn not in self._entities.broken:  # else it remains as it was
                    yield entry

    def _build_flow(self, urn: str) -> Facts:
        key = self._name_flow(urn)
        if key is None:
            raise InvalidInput("this is no URN of a data flow; accepted is urn:li:dataFlow:(ORCHESTRATOR,ID,CLUSTER)", shorten_urn(urn))
        asset, owners = self._describe(key, urn, "dataFlowInfo", "editableDataFlowProperties")
        return Facts((asset,), tuple(owners))

    def _build_job(self, urn: str) -> Facts:
        found = parse_job_urn(urn)
        flow = None if found is None else self._name_flow(found[0])
        if found is None or flow is None:
            raise InvalidInput("this is no URN of a data job; accepted is urn:li:dataJob:(FLOW,ID)", shorten_urn(urn))
        key = self._find_own_key(urn, "dataJobInfo")
        parent = None if key is not None else flow
        if key is None:
            name = flow.name if found[1] == flow.name else f"{flow.name}.{found[1]}"
            if len(name) > MAX_NAME:
                raise InvalidInput(f"the job's name has more than {MAX_NAME} characters", shorten_urn(urn))
            key = model.build_job_key(flow.parts[0], name)
        asset, owners = self._describe(key, urn, "dataJobInfo", "editableDataJobProperties")
        edges = [*owners, *([EdgeFact(EdgeType.PART_OF, key, parent)] if parent is not None and parent != key else [])]
        reads, writes, flows = self._list_lineage(key, urn)
        edges += [EdgeFact(EdgeType.READS, key, one) for one in reads] + [EdgeFact(EdgeType.WRITES, key, one) for one in writes]
        return Facts((asset,), tuple(edges), tuple(dict.fromkeys(flows)))

    def _name_flow(self, urn: str) -> AssetKey | None:
        flow = parse_flow_urn(urn)
        if flow is None:
            return None
        return self._find_own_key(urn, "dataFlowInfo") or model.build_job_key(self._names.find_job_namespace(flow), flow.name)

    def _find_own_key(self, urn: str, aspect: str) -> AssetKey | None:
        """The job that the entity's own properties name."""
        info = self._entities.find(urn, aspect, FlowInfo)
        stated = find_stated_name(info.custom_properties if info is not None else None)
        return None if stated is None else model.build_job_key(*stated)

    def _describe(self, key: AssetKey, urn: str, aspect: str, edits: str) -> tuple[AssetFact, list[EdgeFact]]:
        info = self._entities.find(urn, aspect, FlowInfo) or FlowInfo()
        edited = self._entities.find(urn, edits, Properties) or Properties()
        logic = self._entities.find(urn, "dataTransformLogic", TransformLogic) or TransformLogic()
        texts = [one.query_statement.value for one in logic.transforms or () if one.query_statement is not None]
        named = self._facts.describe(urn)
        title = info.name or ""
        url = info.external_url or ""
        attributes = drop_empty_attributes(
            title=drop_repetition(title, key)[:MAX_NAME],
            description=(edited.description or info.description or "")[:MAX_TEXT],
            url=url if url.startswith(("https://", "http://")) else "",
            sql=";\n".join(text for text in texts if text)[:MAX_SQL],
            tags=list[Json](named.tags),
            glossary_terms=list[Json](named.terms),
            properties=select_properties(list_properties(info.custom_properties)),
            datahub_urn=urn,
        )
        return AssetFact(key, attributes), build_owner_edges(named, key)

    def _list_lineage(self, key: AssetKey, urn: str) -> tuple[list[AssetKey], list[AssetKey], list[Flow]]:
        """What a job reads and writes, and the flows. An input without lineage of columns into an output flows into it as a whole."""
        stated = self._entities.find(urn, "dataJobInputOutput", JobLineage) or JobLineage()
        reads = self._locate_all(urn, stated.input_datasets, stated.input_dataset_edges)
        writes = self._locate_all(urn, stated.output_datasets, stated.output_dataset_edges)
        only = next(iter(writes)) if len(writes) == 1 else None
        fine = self._facts.list_fine_flows(urn, stated.fine_grained_lineages or (), only, key)
        reads |= {get_dataset(flow.start) for flow in fine}
        writes |= {get_dataset(flow.end) for flow in fine}
        if len(reads) * len(writes) > MAX_PAIRS:
            raise InvalidInput(
                f"{len(reads)} inputs and {len(writes)} outputs make more than {MAX_PAIRS} pairs of datasets", shorten_urn(urn)
            )
        whole = {(flow.start, flow.end) for flow in fine if flow.start.kind is AssetKind.DATASET}
        pairs = {(get_dataset(flow.start), get_dataset(flow.end)) for flow in fine} - whole
        flows = [flow for flow in fine if flow.start.kind is AssetKind.COLUMN]
        flows += [Flow(start, end, covered=(start, end) in pairs, job=key) for end in sorted(writes) for start in sorted(reads)]
        return sorted(reads), sorted(writes), flows

    def _locate_all(self, urn: str, plain: Sequence[str] | None, edges: Sequence[Link] | None) -> set[AssetKey]:
        texts = [*(plain or ()), *(one.destination_urn for one in edges or ())]
        return {key for text in dict.fromkeys(texts) if (key := self._facts.locate(text, urn)) is not None}

"""Small OpenLineage events, and a store that ingests them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from meshline.graph.content import decode_facts
from meshline.graph.model import AssetKind, EdgeFact, Facts, Flow, FlowType
from meshline.graph.naming import Naming
from meshline.graph.store.base import Head, Store
from meshline.graph.store.factory import open_store
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received

Event = dict[str, Any]
CLOCK = 4_000_000_000_000_000  # microseconds: later than every event here
BASE = 1_700_000_000  # seconds: the minute 0 of events
RUN = "00000000-0000-0000-0000-00000000000{}"


def to_micros(minute: float) -> int:
    """Microseconds of a minute."""
    return (BASE + int(minute * 60)) * 1_000_000


def format_time(minute: float) -> str:
    return datetime.fromtimestamp(BASE + int(minute * 60), UTC).isoformat()


def build_dataset(name: str, namespace: str = "db", /, **facets: Any) -> Event:
    return {"namespace": namespace, "name": name, "facets": facets} if facets else {"namespace": namespace, "name": name}


def build_event(
    kind: str | None,
    minute: float,
    inputs: Sequence[Event] = (),
    outputs: Sequence[Event] = (),
    *,
    job: str = "etl",
    run: int = 1,
    parent: int | None = None,
    job_facets: Mapping[str, Any] | None = None,
    run_facets: Mapping[str, Any] | None = None,
) -> Event:
    facets = dict(run_facets or {})
    if parent is not None:
        facets["parent"] = {"run": {"runId": f"parent-{parent}"}, "job": {"namespace": "jobs", "name": "dag"}}
    return {
        "eventType": kind,
        "eventTime": format_time(minute),
        "run": {"runId": RUN.format(run), "facets": facets},
        "job": {"namespace": "jobs", "name": job, "facets": dict(job_facets or {})},
        "inputs": list(inputs),
        "outputs": list(outputs),
        "producer": "tests",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }


def build_source_field(name: str, field: str, *transformations: str, namespace: str = "db", masking: bool = False) -> Event:
    """An input field; transformations are written `DIRECT/IDENTITY`."""
    parsed = [{"type": t.partition("/")[0], "subtype": t.partition("/")[2], "masking": masking} for t in transformations]
    return {"namespace": namespace, "name": name, "field": field, "transformations": parsed}


def build_lineage_facet(whole: Sequence[Event] = (), **fields: Sequence[Event]) -> Event:
    """A columnLineage facet."""
    return {"fields": {name: {"inputFields": list(sources)} for name, sources in fields.items()}, "dataset": list(whole)}


def build_schema_facet(*names: str) -> Event:
    return {"fields": [{"name": name, "type": "string"} for name in names]}


class Graph(NamedTuple):
    """A store after some events."""

    store: Store
    builder: BatchBuilder

    def ingest(self, *groups: Sequence[Event]) -> Graph:
        """Commit groups of events, each as one batch."""
        for group in groups:
            received = [
                Received(DEFAULT_SOURCE, self.builder.parser.parse(json.dumps(event).encode(), CLOCK), CLOCK, json.dumps(event).encode())
                for event in group
            ]
            self.store.commit(lambda runs, received=received: self.builder.build_batch(received, runs))  # type: ignore[misc]
        return self

    def read_heads(self, as_of: int | None = None) -> dict[tuple[str, ...], Head]:
        return {head.scope: head for heads in self.store.iterate_heads(as_of) for head in heads}

    def find_heads(self, *start: str, as_of: int | None = None) -> dict[tuple[str, ...], Head]:
        """The heads whose scopes begin like this."""
        return {scope: head for scope, head in self.read_heads(as_of).items() if scope[: len(start)] == start}

    def read_facts(self, *scope: str, as_of: int | None = None) -> Facts:
        """The facts of a scope; none if it has no head."""
        head = self.read_heads(as_of).get(scope)
        return decode_facts(head.content.blob) if head is not None and head.content is not None else Facts()

    def read_output_facts(self, name: str, *, job: str = "etl", as_of: int | None = None) -> Facts:
        """The facts of the scope (job, output)."""
        return self.read_facts("job-output", "jobs", job, "db", name, as_of=as_of)

    def read_attributes(self, *scope: str) -> dict[str, Any]:
        """The attributes that a scope states of its assets except columns, without the verbatim facets."""
        facts = self.read_facts(*scope)
        merged = {name: value for fact in facts.assets if fact.key.kind is not AssetKind.COLUMN for name, value in fact.attributes.items()}
        return {name: value for name, value in merged.items() if not name.startswith("facet:")}


def ingest_groups(*groups: Sequence[Event], trimmers: Sequence[tuple[str, str]] = (), store: Store | None = None) -> Graph:
    """A graph into which these groups were ingested, each as one batch. `store`: an empty one (None: in memory)."""
    return Graph(store or open_store(":memory:"), BatchBuilder(Naming(trimmers))).ingest(*groups)


def ingest_each(*events: Event) -> Graph:
    """A graph into which these events were ingested one by one."""
    return ingest_groups(*[[event] for event in events])


def format_column_flows(facts: Facts) -> set[str]:
    """Column flows as text: `orders.id -> mart.id DIRECT IDENTITY`, masked ones with a star, whole datasets as `mart.*`."""
    return {_format_flow(flow) for flow in facts.flows if flow.start.kind is AssetKind.COLUMN}


def format_dataset_flows(facts: Facts) -> dict[str, bool]:
    """Dataset flows: `orders -> mart`, and whether they are covered; one that is stated both ways is not."""
    result: dict[str, bool] = {}
    for flow in facts.flows:
        if flow.start.kind is AssetKind.DATASET:
            text = f"{flow.start.name} -> {flow.end.name}"
            result[text] = result.get(text, True) and flow.covered
    return result


def format_edges(facts: Facts) -> set[str]:
    return {_format_edge(edge) for edge in facts.edges}


def _format_edge(edge: EdgeFact) -> str:
    return f"{edge.start.name} {edge.type} {edge.end.name}"


def _format_flow(flow: Flow) -> str:
    start = f"{flow.start.parts[1]}.{flow.start.name}"
    end = f"{flow.end.parts[1]}.{flow.end.name}" if flow.end.kind is AssetKind.COLUMN else f"{flow.end.name}.*"
    kind = "" if flow.type is FlowType.DIRECT else " INDIRECT"
    return f"{start} -> {end}{kind}{' ' + flow.subtype if flow.subtype else ''}{' masked' if flow.masking else ''}"


def read_observable_state(store: Store, times: Iterable[int]) -> dict[int | None, list[tuple[object, ...]]]:
    """Everything that can be seen, now and at these times, without the numbers that a store makes up."""
    result: dict[int | None, list[tuple[object, ...]]] = {}
    for time in (None, *times):
        heads = [head for heads in store.iterate_heads(time) for head in heads]
        result[time] = sorted(
            (
                h.source,
                h.scope,
                h.observed_at,
                h.valid_from,
                h.last_observed,
                h.version,
                h.provisional,
                h.content.digest if h.content else b"",
            )
            for h in heads
        )
    return result

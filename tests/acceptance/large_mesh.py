"""A seeded mesh of any size, as the OpenLineage events that its jobs send over a few days, in the order in which they come."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

Event = dict[str, Any]

START = datetime(2026, 3, 1, tzinfo=UTC)
LAYERS = 24
LAKE, CATALOG = "s3://lake", "hive://metastore.internal"
SPELLINGS = (LAKE, LAKE, "s3a://lake", "s3n://lake/")
WORDS = ("id", "customer", "order", "amount", "email", "country", "status", "created", "updated", "segment", "price", "city")
PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/1.53.0/integration/spark"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
VALUES = (("DIRECT", "IDENTITY"), ("DIRECT", "IDENTITY"), ("DIRECT", "TRANSFORMATION"), ("DIRECT", "AGGREGATION"),
          ("INDIRECT", "CONDITIONAL"), ("INDIRECT", "WINDOW"))  # fmt: skip
WHOLE = ("FILTER", "JOIN", "GROUP_BY", "SORT")
MASKED = 0.03  # of the flows between columns


class Traits(NamedTuple):
    """What a job does otherwise than most; each is the share of the jobs that do."""

    coarse: float = 0.03  # sends no column lineage
    partly: float = 0.03  # names only its first input in the column lineage
    split: float = 0.03  # is two jobs of one parent run: one names inputs and output, the other the column lineage
    also: float = 0.04  # writes a second dataset, which is another job's
    influenced: float = 0.15  # states once what the whole output depends on
    repeated: float = 0.1  # states it under every field
    wordy: float = 0.3  # sends the column lineage with START, too
    unended: float = 0.02  # never completes
    daily: float = 0.25  # runs again, unchanged
    changed: float = 0.05  # runs again, with other lineage
    failing: float = 0.03  # fails, after a good run, with other lineage


class Dataset(NamedTuple):
    """One dataset. `linked`: its producer states that the catalog has another name for it."""

    number: int
    layer: int
    width: int
    linked: bool

    @property
    def name(self) -> str:
        return f"layer{self.layer:02}/dataset_{self.number}"

    @property
    def catalog_name(self) -> str:
        return f"mesh.layer{self.layer:02}.dataset_{self.number}"

    def build_column_name(self, position: int) -> str:
        return f"{WORDS[position % len(WORDS)]}_{position}"


class LargeMesh:
    """`jobs` jobs, each of which writes one dataset, and a few datasets that come from elsewhere; `columns` columns in all."""

    def __init__(self, jobs: int, columns: int, seed: int) -> None:
        self._seed, self._traits = seed, Traits()
        chance = self._build_chance("datasets")
        self._sources = max(1, jobs // LAYERS)
        count = self._sources + jobs
        layers = [0] * self._sources + [1 + job * (LAYERS - 1) // jobs for job in range(jobs)]
        self.datasets = [
            Dataset(number, layer, width, chance.random() < 0.1)
            for number, (layer, width) in enumerate(zip(layers, _draw_widths(chance, count, columns), strict=True))
        ]
        self._first = [layers.index(layer) for layer in range(LAYERS)] + [count]
        self.jobs = range(self._sources, count)  # each has the number of what it writes

    def list_layer(self, number: int) -> list[Dataset]:
        """Its datasets; the first ones are read most."""
        return self.datasets[self._first[number] : self._first[number + 1]]

    def generate_events(self) -> Iterator[Event]:
        """Every event, as it comes: near its time mostly, some much later or earlier, some twice."""
        chance = self._build_chance("order")
        events = [self._describe_dataset(dataset) for dataset in self.datasets[: self._sources]]
        events += [event for job in self.jobs for event in self._generate_job_events(job)]
        for number, event in enumerate(events):
            event["eventTime"] = (datetime.fromisoformat(event["eventTime"]) + timedelta(microseconds=number)).isoformat()
        events.sort(key=lambda event: event["eventTime"])
        many = len(events)
        order = [(at + chance.uniform(0, 100) if chance.random() > 0.05 else chance.uniform(0, many), at) for at in range(many)]
        order += [(chance.uniform(0, many), at) for at in range(many) if chance.random() < 0.02]
        for _, at in sorted(order):
            yield events[at]

    def _describe_dataset(self, dataset: Dataset) -> Event:
        node = self._draw_node(dataset, self._build_chance(dataset.number), linking=True)
        return {"eventTime": START.isoformat(), "producer": PRODUCER, "schemaURL": f"{SPEC}DatasetEvent", "dataset": node}

    # -- what a job sends

    def _generate_job_events(self, job: int) -> Iterator[Event]:
        chance, traits = self._build_chance(job), self._traits
        if chance.random() < traits.split:
            yield from self._generate_siblings(job)
            return
        wordy = chance.random() < traits.wordy
        if chance.random() < traits.unended:
            yield self._build_event(job, 0, 0, "START", lineage=wordy)
            return
        yield from self._run(job, 0, 0, "COMPLETE", wordy=wordy)
        if chance.random() < traits.daily:
            yield from self._run(job, 1, 0, "COMPLETE", wordy=wordy)
        if chance.random() < traits.changed:
            yield from self._run(job, 2, 1, "COMPLETE", wordy=wordy)
        if chance.random() < traits.failing:
            yield from self._run(job, 3, 2, "FAIL", wordy=wordy)

    def _run(self, job: int, day: int, version: int, end: str, *, wordy: bool) -> Iterator[Event]:
        yield self._build_event(job, day, version, "START", lineage=wordy)
        if job % 10 == 0:
            yield {**self._build_event(job, day, version, "RUNNING", lineage=False), "inputs": [], "outputs": []}
        yield self._build_event(job, day, version, end, lineage=True)
        if end == "FAIL" and job % 2:  # as Spark does
            yield self._build_event(job, day, version, "COMPLETE", lineage=True)

    def _generate_siblings(self, job: int) -> Iterator[Event]:
        for name, lineage in (("write", False), ("execute", True)):
            for type_ in ("START", "COMPLETE"):
                event = self._build_event(job, 0, 0, type_, lineage=lineage)
                event["job"] = {**event["job"], "name": f"job_{job}.{name}"}
                parent = {"run": {"runId": _run_id(job, 99)}, "job": {"namespace": "spark", "name": f"job_{job}"}}
                event["run"] = {"runId": _run_id(job, 10 + lineage), "facets": {"parent": {**_build_facet("ParentRunFacet"), **parent}}}
                yield event

    def _build_event(self, job: int, day: int, version: int, type_: str, *, lineage: bool) -> Event:
        inputs, outputs = self._build_sides(job, version)
        minute = {"START": 0, "RUNNING": 2, "FAIL": 5, "COMPLETE": 5}[type_]
        return {
            "eventType": type_,
            "eventTime": (START + timedelta(days=day, seconds=job, minutes=minute)).isoformat(),
            "producer": PRODUCER,
            "schemaURL": f"{SPEC}RunEvent",
            "run": {"runId": _run_id(job, day), "facets": {}},
            "job": {"namespace": "spark", "name": f"job_{job}", "facets": {}},
            "inputs": inputs,
            "outputs": [full if lineage else plain for plain, full in outputs],
        }

    @cache  # noqa: B019 - lives as long as the mesh; what is the same object takes no room
    def _build_sides(self, job: int, version: int) -> tuple[list[Event], list[tuple[Event, Event]]]:
        """The inputs, and each output without and with its column lineage."""
        chance = self._build_chance(f"{job} {version}")
        reading = self._draw_inputs(chance, job)
        inputs = [self._draw_node(dataset, chance, linking=chance.random() < 0.5) for dataset in reading]
        fixed = self._build_chance(f"outputs {job}")
        written = [self.datasets[job]]
        if fixed.random() < self._traits.also:
            layer = self.datasets[job].layer
            other = fixed.randrange(self._first[layer], self._first[layer + 1])
            written += [self.datasets[other]] if other != job else []
        outputs = []
        for dataset in written:
            plain = self._draw_node(dataset, fixed, linking=True)
            outputs.append((plain, self._add_lineage(chance, plain, dataset, list(zip(reading, inputs, strict=True)))))
        return inputs, outputs

    def _draw_inputs(self, chance: random.Random, job: int) -> list[Dataset]:
        """Mostly of the layer below; the first ones of a layer are read most."""
        found = set()
        for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
            above = self.datasets[job].layer
            layer = above - 1 if chance.random() > 0.2 else chance.randrange(above)
            begin, end = self._first[layer], self._first[layer + 1]
            found.add(begin + int((end - begin) * chance.random() ** 3))
        return [self.datasets[number] for number in sorted(found)]

    def _draw_node(self, dataset: Dataset, chance: random.Random, *, linking: bool) -> Event:
        """By its path (in some spelling) with the link to the catalog's name, or by the catalog's name alone."""
        named = {"namespace": chance.choice(SPELLINGS), "name": dataset.name}
        facets: Event = {"schema": _build_schema(dataset)}
        if dataset.linked and linking:
            facets["symlinks"] = {
                **_build_facet("SymlinksDatasetFacet"),
                "identifiers": [{"namespace": CATALOG, "name": dataset.catalog_name, "type": "TABLE"}],
            }
        elif dataset.linked:
            named = {"namespace": CATALOG, "name": dataset.catalog_name}
        return {**named, "facets": facets}

    def _add_lineage(self, chance: random.Random, node: Event, dataset: Dataset, inputs: list[tuple[Dataset, Event]]) -> Event:
        if chance.random() < self._traits.coarse:
            return node
        if chance.random() < self._traits.partly:
            inputs = inputs[:1]
        fields: Event = {}
        for position in range(dataset.width):
            sources = [_draw_source(chance, inputs, chance.choice(VALUES)) for _ in range(1 + min(9, int(chance.expovariate(0.5))))]
            name = dataset.build_column_name(position)
            fields[name.upper() if chance.random() < 0.02 else name] = {"inputFields": sources}
        facet: Event = {**_build_facet("ColumnLineageDatasetFacet"), "fields": fields}
        if chance.random() < self._traits.influenced:
            facet["dataset"] = [_draw_source(chance, inputs, ("INDIRECT", chance.choice(WHOLE))) for _ in range(chance.randint(1, 3))]
        elif chance.random() < self._traits.repeated:
            same = [_draw_source(chance, inputs, ("INDIRECT", chance.choice(WHOLE))) for _ in range(chance.randint(1, 2))]
            for entry in fields.values():
                entry["inputFields"] += same
        return {**node, "facets": {**node["facets"], "columnLineage": facet}}

    def _build_chance(self, what: object) -> random.Random:
        return random.Random(f"{self._seed} {what}")


def _draw_widths(chance: random.Random, count: int, columns: int) -> list[int]:
    """How many columns each dataset has, so many in all."""
    mean = columns / count
    widths = [max(1, round(chance.uniform(0.4, 1.6) * mean)) for _ in range(count)]
    while (lacking := columns - sum(widths)) != 0:
        for at in chance.sample(range(count), min(count, abs(lacking))):
            widths[at] = max(1, widths[at] + (1 if lacking > 0 else -1))
    return widths


def _draw_source(chance: random.Random, inputs: list[tuple[Dataset, Event]], kind: tuple[str, str]) -> Event:
    dataset, node = chance.choice(inputs)
    named = {"namespace": node["namespace"], "name": node["name"]}
    if dataset.linked and "symlinks" in node["facets"] and chance.random() < 0.3:
        named = {"namespace": CATALOG, "name": dataset.catalog_name}
    column = dataset.build_column_name(int(dataset.width * chance.random() ** 2))
    transformation = {"type": kind[0], "subtype": kind[1], "description": "", "masking": chance.random() < MASKED}
    return {**named, "field": column, "transformations": [transformation]}


@cache
def _build_schema(dataset: Dataset) -> Event:
    fields = [{"name": dataset.build_column_name(position), "type": "string"} for position in range(dataset.width)]
    return {**_build_facet("SchemaDatasetFacet"), "fields": fields}


def _build_facet(name: str) -> Event:
    return {"_producer": PRODUCER, "_schemaURL": f"https://openlineage.io/spec/facets/1-0-0/{name}.json#/$defs/{name}"}


def _run_id(job: int, run: int) -> str:
    return f"{run:08x}-0000-4000-8000-{job:012x}"

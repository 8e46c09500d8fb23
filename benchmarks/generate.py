"""Generated meshes: layered, with power-law fan-out, seeded. The same mesh as arrays and as OpenLineage events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.int64]

START = datetime(2025, 1, 1, tzinfo=UTC)
PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/1.53.0/integration/spark"
SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
WORDS = ("id", "customer", "order", "amount", "email", "country", "status", "created", "updated", "segment", "price", "city")
TRANSFORMATIONS = (("DIRECT", "IDENTITY"), ("DIRECT", "IDENTITY"), ("DIRECT", "TRANSFORMATION"), ("DIRECT", "AGGREGATION"),
                   ("INDIRECT", "CONDITIONAL"))  # fmt: skip
WHOLE = ("INDIRECT", "FILTER")  # of an edge from a column to a whole dataset


class Shape(NamedTuple):
    """How a mesh looks."""

    columns: int  # at least; the last dataset is not cut
    edges_per_column: float = 5.0  # of those that a job writes, on average
    widths: tuple[int, int] = (10, 40)  # columns of a dataset
    inputs: tuple[int, int] = (1, 4)  # datasets that a job reads
    layers: int = 8
    skipping: float = 0.2  # share of the inputs that are not of the layer below, but of any lower one
    masked: float = 0.02  # share of the column edges
    filtered: float = 0.1  # share of the jobs that also filter rows: an edge from a column to the whole output
    coarse: float = 0.02  # share of the jobs without column lineage
    seed: int = 7
    name: str = "lake"  # part of the namespaces: meshes of different names share no asset


class Mesh:
    """Datasets in layers; each but those of the first layer is written by one job, mostly from the layer below.

    Columns are numbered through, dataset by dataset: dataset d has the columns first[d] to first[d + 1] - 1.
    In each layer, the smaller a dataset's number, the more it is read, by a power law; so are the columns in it.
    Column edges are rows of `start`, `end`, `kind` (in TRANSFORMATIONS), `masking`, sorted by end.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        chance = np.random.default_rng(shape.seed)
        low, high = shape.widths
        widths = chance.integers(low, high + 1, size=shape.columns // low + 1)
        count = int(np.searchsorted(np.cumsum(widths), shape.columns)) + 1
        self.first: Numbers = np.concatenate(([0], np.cumsum(widths[:count])))
        self.dataset_of: Numbers = np.repeat(np.arange(count), widths[:count])
        self.layer: Numbers = np.arange(count) * shape.layers // count
        self.written = int(np.searchsorted(self.layer, 1))  # the first dataset that a job writes
        self._draw_inputs(chance)
        self.coarse = chance.random(count) < shape.coarse
        self.filtered = (chance.random(count) < shape.filtered) & ~self.coarse
        self.filtered[: self.written] = self.coarse[: self.written] = False
        # The column that filters, if any does: the first one of the first input.
        self.filters: Numbers = self.first[self.inputs[np.minimum(self.input_at[:-1], len(self.inputs) - 1)]]
        self._draw_edges(chance)

    @property
    def datasets(self) -> int:
        return len(self.first) - 1

    @property
    def columns(self) -> int:
        return int(self.first[-1])

    @property
    def edges(self) -> int:
        """Edges between columns."""
        return len(self.start)

    @property
    def jobs(self) -> range:
        """The datasets that a job writes; the job has the dataset's number."""
        return range(self.written, self.datasets)

    def _draw_inputs(self, chance: np.random.Generator) -> None:
        """`inputs[input_at[d]:input_at[d + 1]]` are the datasets that the job of d reads."""
        low, high = self.shape.inputs
        counts = chance.integers(low, high + 1, self.datasets)
        counts[: self.written] = 0
        job = np.repeat(np.arange(self.datasets), counts)
        layer = self.layer[job]
        deeper = chance.random(len(job)) < self.shape.skipping
        layer = np.where(deeper, (layer * chance.random(len(job))).astype(np.int64), layer - 1)
        begin, end = np.searchsorted(self.layer, layer), np.searchsorted(self.layer, layer, side="right")
        read = begin + ((end - begin) * chance.random(len(job)) ** 3).astype(np.int64)
        pairs = _draw_distinct(job * self.datasets + read)
        self.inputs: Numbers = pairs % self.datasets
        self.input_at: Numbers = np.searchsorted(pairs // self.datasets, np.arange(self.datasets + 1))

    def _draw_edges(self, chance: np.random.Generator) -> None:
        ends = np.arange(self.first[self.written], self.columns)
        writer = self.dataset_of[ends]
        counts = np.maximum(1, np.round(chance.exponential(self.shape.edges_per_column, len(ends)))).astype(np.int64)
        counts[self.coarse[writer]] = 0
        end, job = np.repeat(ends, counts), np.repeat(writer, counts)
        nth = np.arange(len(end)) - np.repeat(np.cumsum(counts) - counts, counts)
        source = self.inputs[self.input_at[job] + (end + nth) % np.diff(self.input_at)[job]]
        start = self.first[source] + (np.diff(self.first)[source] * chance.random(len(end)) ** 2).astype(np.int64)
        pairs = _draw_distinct(end * self.columns + start)
        self.start: Numbers = pairs % self.columns
        self.end: Numbers = pairs // self.columns
        self.kind: Numbers = chance.integers(0, len(TRANSFORMATIONS), len(pairs))
        self.masking = chance.random(len(pairs)) < self.shape.masked
        self.edge_at: Numbers = np.searchsorted(self.end, np.arange(self.columns + 1))

    def list_sources(self, dataset: int) -> list[int]:
        """What the job of a dataset reads."""
        found: list[int] = self.inputs[self.input_at[dataset] : self.input_at[dataset + 1]].tolist()
        return found

    # -- names

    @property
    def namespace(self) -> str:
        return f"s3://{self.shape.name}"

    def build_dataset_name(self, dataset: int) -> str:
        return f"layer{self.layer[dataset]}.dataset_{dataset}"

    def build_column_name(self, position: int) -> str:
        return f"{WORDS[position % len(WORDS)]}_{position}"

    def build_column(self, number: int) -> tuple[int, str]:
        """The dataset and the name of a column."""
        dataset = int(self.dataset_of[number])
        return dataset, self.build_column_name(number - int(self.first[dataset]))

    # -- events

    def build_events(self, day: int = 0) -> Iterator[bytes]:
        """One COMPLETE event for each job, in order of layers. Another day is another run of the same lineage."""
        encode = msgspec.json.Encoder().encode
        for dataset in self.jobs:
            yield encode(self.build_event(dataset, day))

    def build_event(self, dataset: int, day: int = 0) -> dict[str, Any]:
        facets = {} if self.coarse[dataset] else {"columnLineage": self._build_lineage(dataset)}
        return {
            "eventTime": (START + timedelta(days=day, milliseconds=dataset)).isoformat(),
            "eventType": "COMPLETE",
            "producer": PRODUCER,
            "schemaURL": SCHEMA_URL,
            "run": {"runId": f"{day:08x}-0000-4000-8000-{dataset:012x}", "facets": {}},
            "job": {"namespace": f"spark-{self.shape.name}", "name": f"job_{dataset}", "facets": {}},
            "inputs": [self._build_dataset(source, {}) for source in self.list_sources(dataset)],
            "outputs": [self._build_dataset(dataset, facets)],
        }

    def _build_dataset(self, dataset: int, facets: dict[str, Any]) -> dict[str, Any]:
        width = int(self.first[dataset + 1] - self.first[dataset])
        fields = [{"name": self.build_column_name(position), "type": "string"} for position in range(width)]
        schema = {**_build_facet("SchemaDatasetFacet", "1-1-1"), "fields": fields}
        return {"namespace": self.namespace, "name": self.build_dataset_name(dataset), "facets": {"schema": schema, **facets}}

    def _build_lineage(self, dataset: int) -> dict[str, Any]:
        first, end = int(self.first[dataset]), int(self.first[dataset + 1])
        fields: dict[str, Any] = {self.build_column_name(position): {"inputFields": []} for position in range(end - first)}
        rows = slice(int(self.edge_at[first]), int(self.edge_at[end]))
        columns = zip(
            self.end[rows].tolist(), self.start[rows].tolist(), self.kind[rows].tolist(), self.masking[rows].tolist(), strict=True
        )
        for to, origin, kind, masking in columns:
            fields[self.build_column_name(to - first)]["inputFields"].append(
                self._build_input_field(origin, TRANSFORMATIONS[kind], masking=masking)
            )
        facet: dict[str, Any] = {**_build_facet("ColumnLineageDatasetFacet", "1-2-0"), "fields": fields}
        if self.filtered[dataset]:
            facet["dataset"] = [self._build_input_field(int(self.filters[dataset]), WHOLE, masking=False)]
        return facet

    def _build_input_field(self, column: int, kind: tuple[str, str], *, masking: bool) -> dict[str, Any]:
        dataset, name = self.build_column(column)
        transformation = {"type": kind[0], "subtype": kind[1], "masking": masking}
        return {"namespace": self.namespace, "name": self.build_dataset_name(dataset), "field": name, "transformations": [transformation]}


def _draw_distinct(numbers: Numbers) -> Numbers:
    """Sorted; by numpy's sort, which is faster here than `np.unique`."""
    numbers = np.sort(numbers)
    return numbers[np.diff(numbers, prepend=-1) > 0]


def _build_facet(name: str, version: str) -> dict[str, str]:
    return {"_producer": PRODUCER, "_schemaURL": f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"}

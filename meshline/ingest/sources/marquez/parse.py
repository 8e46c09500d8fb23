"""Marquez's answers as values: what is used of namespaces, datasets, jobs and runs, and who is named in an event."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from meshline.ingest.openlineage.events import parse_event_time

ANONYMOUS = "anonymous"  # the owner of a namespace that an event has made
_ANY_TIME = 2**62

Facets: TypeAlias = dict[str, msgspec.Raw]


class _Answer(msgspec.Struct, rename="camel", frozen=True):
    """Members that are not listed are ignored."""


class Namespace(_Answer, frozen=True):
    name: str
    owner_name: str | None = None


class DataSource(_Answer, frozen=True):
    """Where datasets are stored."""

    name: str
    connection_url: str | None = None


class Field(_Answer, frozen=True):
    name: str
    type: str | None = None
    description: str | None = None
    tags: list[str] | None = None


class InputField(_Answer, frozen=True):
    """A column that another is computed from."""

    namespace: str
    dataset: str
    field: str
    transformation_type: str | None = None
    transformation_description: str | None = None


class ColumnLineage(_Answer, frozen=True):
    name: str
    input_fields: list[InputField] = []


class Dataset(_Answer, frozen=True):
    namespace: str
    name: str
    type: str | None = None
    updated_at: str | None = None
    source_name: str | None = None
    description: str | None = None
    fields: list[Field] | None = None
    tags: list[str] | None = None
    column_lineage: list[ColumnLineage] | None = None
    facets: Facets | None = None


class DatasetVersion(_Answer, frozen=True):
    created_at: str
    fields: list[Field] | None = None


class Name(_Answer, frozen=True):
    """The name of a dataset or a job."""

    namespace: str
    name: str


class Job(_Answer, frozen=True):
    namespace: str
    name: str
    simple_name: str | None = None
    parent_job_name: str | None = None
    type: str | None = None
    updated_at: str | None = None
    description: str | None = None
    location: str | None = None
    inputs: list[Name] | None = None
    outputs: list[Name] | None = None
    tags: list[str] | None = None
    facets: Facets | None = None


class JobVersion(_Answer, frozen=True):
    created_at: str
    inputs: list[Name] | None = None
    outputs: list[Name] | None = None


class _VersionId(_Answer, frozen=True):
    namespace: str
    name: str


class RunDataset(_Answer, frozen=True):
    """A dataset that a run read or wrote."""

    dataset_version_id: _VersionId
    facets: Facets | None = None


class Run(_Answer, frozen=True):
    id: str
    state: str
    created_at: str
    updated_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    nominal_start_time: str | None = None
    nominal_end_time: str | None = None
    args: dict[str, Any] | None = None
    input_dataset_versions: list[RunDataset] | None = None
    output_dataset_versions: list[RunDataset] | None = None
    facets: Facets | None = None


class EventList(_Answer, frozen=True):
    """A page of events, word for word. `total_count`: of all events of the time that was asked for; -1 if it is not stated."""

    events: list[msgspec.Raw]
    total_count: int = -1


class _Symlinks(_Answer, frozen=True):
    identifiers: list[Name] | None = None


class _DatasetFacets(_Answer, frozen=True):
    symlinks: _Symlinks | None = None


class _EventDataset(_Answer, frozen=True):
    namespace: str
    name: str
    facets: _DatasetFacets | None = None


class _Link(_Answer, frozen=True):
    job: Name | None = None


class _Parent(_Link, frozen=True):
    root: _Link | None = None


class _RunFacets(_Answer, frozen=True):
    parent: _Parent | None = None


class _EventRun(_Answer, frozen=True):
    facets: _RunFacets | None = None


class NamedByEvent(_Answer, frozen=True):
    """What an event names."""

    event_time: str
    job: Name | None = None
    run: _EventRun | None = None
    inputs: list[_EventDataset] | None = None
    outputs: list[_EventDataset] | None = None
    dataset: _EventDataset | None = None  # of an event of a dataset

    def parse_time(self) -> int:
        """Microseconds since the epoch, truncated. Raises InvalidInput."""
        return parse_event_time(self.event_time, _ANY_TIME)

    def list_jobs(self) -> Iterator[tuple[str, str]]:
        """The names of the event's job and of the parents of its run; also those of the jobs that Marquez makes of the parents, in
        the namespace of the child (see `mark_invented`).
        """
        if self.job is None:
            return
        yield self.job.namespace, self.job.name
        parent = self.run.facets.parent if self.run is not None and self.run.facets is not None else None
        for link in (parent, parent.root if parent is not None else None):
            if link is not None and link.job is not None:
                yield link.job.namespace, link.job.name
                yield mark_invented(self.job.namespace, link.job.name)

    def list_datasets(self) -> Iterator[tuple[str, str]]:
        """The names of the event's datasets, and those of their symlinks."""
        own = () if self.dataset is None else (self.dataset,)
        for dataset in (*own, *(self.inputs or ()), *(self.outputs or ())):
            yield dataset.namespace, dataset.name
            symlinks = dataset.facets.symlinks if dataset.facets is not None else None
            for one in (symlinks.identifiers or ()) if symlinks is not None else ():
                yield one.namespace, one.name


def mark_invented(namespace: str, name: str) -> tuple[str, str]:
    """A job that only Marquez names: the parent of a run of this namespace, whatever the parent's own namespace is."""
    return f"{namespace}\n", name


DIGEST = 9  # bytes of a name's digest: a multiple of three, so that base64 needs no padding


class NameSet:
    """A set of names of jobs or datasets that is small enough to be remembered: digests of the names."""

    def __init__(self, text: str = "") -> None:
        """`text`: what `encode` returned; anything else is an empty set."""
        try:
            data = base64.b64decode(text, validate=True)
        except ValueError:
            data = b""
        self._digests = {data[at : at + DIGEST] for at in range(0, len(data) - DIGEST + 1, DIGEST)}

    def __contains__(self, name: tuple[str, str]) -> bool:
        return _compute_digest(name) in self._digests

    def add(self, names: Iterable[tuple[str, str]]) -> None:
        self._digests.update(map(_compute_digest, names))

    def encode(self) -> str:
        return base64.b64encode(b"".join(sorted(self._digests))).decode()


def _compute_digest(name: tuple[str, str]) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(name), digest_size=DIGEST).digest()

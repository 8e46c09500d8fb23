"""What all assets have together: `/namespaces`, `/sources` and `/tags`. All follow from the datasets and jobs that the graph has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.api.marquez.question import Question, build_not_found, find_namespace
from meshline.api.marquez.shapes import DataSource, DataSources, Namespace, Namespaces, Tag, Tags
from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKind, from_micros
from meshline.graph.naming import normalise_namespace
from meshline.graph.queries import search

DEFAULT = "default"  # the namespace of a graph without datasets and jobs: Marquez's page needs one
ANONYMOUS = "anonymous"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class Times(NamedTuple):
    """Times of statements by asset, in microseconds: since when a current one mentions it, and when one last did."""

    since: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]

    @classmethod
    def read(cls, index: LineageIndex) -> Times:
        return cls(index.changes.compute_first_stated(), index.changes.compute_last_observed())


class _Members(NamedTuple):
    """A namespace with its datasets and jobs."""

    name: str
    datasets: Sequence[int]
    jobs: Sequence[int]


def list_namespaces(question: Question) -> Namespaces:
    """All namespaces, by name."""
    times = Times.read(question.index)
    known = _list_members(question.index)
    return Namespaces([_build_namespace(question.index, one, times) for one in question.cut_page(known)])


def get_namespace(question: Question) -> Namespace:
    """One namespace."""
    asked = question.path["namespace"]
    if asked == DEFAULT and not _has_assets(question.index):
        return _build_namespace(question.index, _Members(DEFAULT, (), ()), Times.read(question.index))
    question.check_namespace()
    datasets, jobs = (
        question.index.assets.list_of_kind(kind)[slice(*question.find_namespace_of(kind))] for kind in (AssetKind.DATASET, AssetKind.JOB)
    )
    return _build_namespace(question.index, _Members(asked, datasets, jobs), Times.read(question.index))


def _has_assets(index: LineageIndex) -> bool:
    return any(index.assets.list_of_kind(kind) for kind in (AssetKind.DATASET, AssetKind.JOB))


def _list_members(index: LineageIndex) -> list[_Members]:
    datasets, jobs = (dict(_split_by_namespace(index, kind)) for kind in (AssetKind.DATASET, AssetKind.JOB))
    names = sorted(datasets.keys() | jobs.keys())
    return [_Members(name, datasets.get(name, ()), jobs.get(name, ())) for name in names] or [_Members(DEFAULT, (), ())]


def _split_by_namespace(index: LineageIndex, kind: AssetKind) -> Iterator[tuple[str, Sequence[int]]]:
    """The assets of a kind by namespace. Looks at a few names of each namespace."""
    nodes, begin = index.assets.list_of_kind(kind), 0
    while begin < len(nodes):
        name = index.assets.get_key(nodes[begin]).parts[0]
        end = find_namespace(index, kind, name)[1]
        yield name, nodes[begin:end]
        begin = end


def _find_times(members: _Members, times: Times) -> tuple[int, int]:
    nodes = np.array([*members.datasets, *members.jobs], np.int32)
    return (int(times.since[nodes].min()), int(times.last[nodes].max())) if nodes.size else (0, 0)


def _build_namespace(index: LineageIndex, members: _Members, times: Times) -> Namespace:
    since, last = _find_times(members, times)
    return Namespace(members.name, from_micros(since), from_micros(last), _find_owner(index, members), None, is_hidden=False)


def _find_owner(index: LineageIndex, members: _Members) -> str:
    """The owner of the one domain to which all datasets of a namespace belong, if it has exactly one."""
    domains = np.unique(index.ownership.find_domains(np.array(members.datasets, np.int32)))
    owners = index.ownership.list_direct_owners(int(domains[0])) if domains.size == 1 and domains[0] >= 0 else []
    return index.assets.get_key(owners[0].owner).name if len(owners) == 1 else ANONYMOUS


def list_tags(question: Question) -> Tags:
    """All tags of datasets, columns and jobs, by name."""
    found = [tag.key if tag.value is None else f"{tag.key}={tag.value}" for tag in search.list_tags(question.index)]
    return Tags([Tag(name, None) for name in question.cut_page(found)])


def list_data_sources(question: Question) -> DataSources:
    """Where datasets are stored: their namespaces, by name."""
    times = Times.read(question.index)
    known = [_Members(name, nodes, ()) for name, nodes in _split_by_namespace(question.index, AssetKind.DATASET)]
    return DataSources([_build_data_source(one, times) for one in question.cut_page(known)])


def get_data_source(question: Question) -> DataSource:
    """One of `list_data_sources`."""
    asked = question.path["source"]
    for name in (asked, normalise_namespace(asked)[1]):
        begin, end = find_namespace(question.index, AssetKind.DATASET, name)
        if begin < end:
            nodes = question.index.assets.list_of_kind(AssetKind.DATASET)[begin:end]
            return _build_data_source(_Members(asked, nodes, ()), Times.read(question.index))
    raise build_not_found("Source", asked)


def _build_data_source(members: _Members, times: Times) -> DataSource:
    since, last = _find_times(members, times)
    scheme = _SCHEME.match(members.name)
    kind = scheme[1].upper() if scheme else "DEFAULT"
    return DataSource(kind, members.name, from_micros(since), from_micros(last), members.name if scheme else "", None)

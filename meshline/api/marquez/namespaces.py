"""What all assets have together: `/namespaces`, `/sources` and `/tags`: what the graph has, and what is registered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from meshline.api.marquez.question import DEFAULT, Question, Times, build_not_found, find_namespace
from meshline.api.marquez.registrations import Registered, RegisteredEntry
from meshline.api.marquez.shapes import DataSource, DataSources, Namespace, Namespaces, Tag, Tags
from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKind, from_micros
from meshline.graph.naming import normalise_namespace

ANONYMOUS = "anonymous"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class _Members(NamedTuple):
    """A namespace with its datasets and jobs."""

    name: str
    datasets: Sequence[int]
    jobs: Sequence[int]


def list_namespaces(question: Question) -> Namespaces:
    """All namespaces, by name."""
    times = question.times
    return Namespaces([_build_namespace(question, one, times) for one in question.cut_page(_list_members(question))])


def get_namespace(question: Question) -> Namespace:
    """One namespace."""
    question.check_namespace()
    datasets, jobs = map(question.list_of_namespace, (AssetKind.DATASET, AssetKind.JOB))
    return _build_namespace(question, _Members(question.path["namespace"], datasets, jobs), question.times)


def _list_members(question: Question) -> list[_Members]:
    datasets, jobs = (dict(_split_by_namespace(question.index, kind)) for kind in (AssetKind.DATASET, AssetKind.JOB))
    registered = {name for kind, (name, *_) in question.registered if kind is Registered.NAMESPACE}
    names = sorted(datasets.keys() | jobs.keys() | registered)
    return [_Members(name, datasets.get(name, ()), jobs.get(name, ())) for name in names] or [_Members(DEFAULT, (), ())]


def _split_by_namespace(index: LineageIndex, kind: AssetKind) -> Iterator[tuple[str, Sequence[int]]]:
    """The assets of a kind by namespace. Looks at a few names of each namespace."""
    nodes, begin = index.assets.list_of_kind(kind), 0
    while begin < len(nodes):
        name = index.assets.get_key(nodes[begin]).parts[0]
        end = find_namespace(index, kind, name)[1]
        yield name, nodes[begin:end]
        begin = end


def _find_times(members: _Members, times: Times, registered: RegisteredEntry | None) -> tuple[int, int]:
    """Since when there is something of this name, and when it changed last, in microseconds."""
    nodes = np.array([*members.datasets, *members.jobs], np.int32)
    since, last = (times[0][nodes].tolist(), times[1][nodes].tolist()) if nodes.size else ([], [])
    if registered is not None:
        since, last = [*since, registered.since], [*last, registered.at]
    return min(since, default=0), max(last, default=0)


def _build_namespace(question: Question, members: _Members, times: Times) -> Namespace:
    registered = question.find_entry(Registered.NAMESPACE, members.name)
    since, last = _find_times(members, times, registered)
    entry = None if registered is None else registered.entry
    hidden = entry is not None and entry.hidden and question.hidden.issuperset([*members.datasets, *members.jobs])
    owner = _find_owner(question.index, members) if entry is None or entry.owner is None else entry.owner
    return Namespace(members.name, from_micros(since), from_micros(last), owner, None if entry is None else entry.description, hidden)


def _find_owner(index: LineageIndex, members: _Members) -> str:
    """The owner of the one domain to which all datasets of a namespace belong, if it has exactly one."""
    domains = np.unique(index.ownership.find_domains(np.array(members.datasets, np.int32)))
    owners = index.ownership.list_direct_owners(int(domains[0])) if domains.size == 1 and domains[0] >= 0 else []
    return index.assets.get_key(owners[0].owner).name if len(owners) == 1 else ANONYMOUS


def list_tags(question: Question) -> Tags:
    """All tags of datasets, columns and jobs, and those that are registered, by name."""
    found = question.tags | {name for kind, (name, *_) in question.registered if kind is Registered.TAG}
    return Tags([_build_tag(question, name) for name in question.cut_page(sorted(found))])


def get_tag(question: Question) -> Tag:
    """A tag that is registered."""
    return _build_tag(question, question.path["tag"])


def _build_tag(question: Question, name: str) -> Tag:
    registered = question.find_entry(Registered.TAG, name)
    return Tag(name, None if registered is None else registered.entry.description)


def list_data_sources(question: Question) -> DataSources:
    """Where datasets are stored: their namespaces, and the data sources that are registered, by name."""
    times = question.times
    known = dict(_split_by_namespace(question.index, AssetKind.DATASET))
    names = sorted(known.keys() | {name for kind, (name, *_) in question.registered if kind is Registered.SOURCE})
    return DataSources([_build_data_source(question, _Members(name, known.get(name, ()), ()), times) for name in question.cut_page(names)])


def get_data_source(question: Question) -> DataSource:
    """One of `list_data_sources`."""
    asked = question.path["source"]
    if not question.has_source(asked):
        raise build_not_found("Source", asked)
    for name in (asked, normalise_namespace(asked)[1]):
        nodes = question.list_of_namespace(AssetKind.DATASET, name)
        if nodes:
            return _build_data_source(question, _Members(asked, nodes, ()), question.times)
    return _build_data_source(question, _Members(asked, (), ()), question.times)


def _build_data_source(question: Question, members: _Members, times: Times) -> DataSource:
    registered = question.find_entry(Registered.SOURCE, members.name)
    since, last = _find_times(members, times, registered)
    scheme = _SCHEME.match(members.name)
    kind, url, description = scheme[1].upper() if scheme else "DEFAULT", members.name if scheme else "", None
    if registered is not None:
        kind, url, description = registered.entry.type or kind, registered.entry.url or url, registered.entry.description
    return DataSource(kind, members.name, from_micros(since), from_micros(last), url, description)

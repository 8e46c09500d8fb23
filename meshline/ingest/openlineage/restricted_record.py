"""The record of a run as a viewer sees it who may not see every asset."""

from __future__ import annotations

from typing import NamedTuple

from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKey, AssetKind, build_job_key
from meshline.graph.naming import Naming
from meshline.graph.queries.assets import SQL
from meshline.ingest.openlineage.run_state import RunRecord
from meshline.ingest.openlineage.spark_plan import FACET

_PARENT = "parent"  # the run facet that names the parent, and the root of both


class RestrictedRecord(NamedTuple):
    """`withheld`: whether the error and the facets are left out, since the run names assets that the viewer may not read."""

    record: RunRecord
    withheld: bool


def restrict_record(index: LineageIndex, naming: Naming, job: AssetKey, record: RunRecord) -> RestrictedRecord:
    """The record of a run of a visible job, without the names of hidden assets and without the texts that may contain them."""
    if not index.is_restricted:
        return RestrictedRecord(record, withheld=False)
    withheld = not all(_may_read(index, naming, *name) for name in (*record.inputs, *record.outputs))
    inputs, outputs = (
        {name: texts if _may_read(index, naming, *name) else {} for name, texts in named.items() if _may_name(index, naming, *name)}
        for named in (record.inputs, record.outputs)
    )
    run_facets, job_facets = ({}, {}) if withheld else (dict(record.run_facets), dict(record.job_facets))
    parent = record.parent
    if parent is None or not index.may_name(build_job_key(*parent[1:])):
        parent = None
        run_facets.pop(_PARENT, None)
    if (SQL in job_facets or FACET in run_facets) and not _may_read_sql(index, job):  # a plan names the columns that the SQL names
        job_facets.pop(SQL, None)
        run_facets.pop(FACET, None)
    found = record._replace(
        parent=parent,
        error=None if withheld else record.error,
        run_facets=run_facets,
        job_facets=job_facets,
        inputs=inputs,
        outputs=outputs,
    )
    return RestrictedRecord(found, withheld)


def _list_keys(naming: Naming, namespace: str, name: str) -> tuple[AssetKey, AssetKey]:
    return naming.normalise_dataset(namespace, name), AssetKey(AssetKind.DATASET, (namespace, name))


def _may_name(index: LineageIndex, naming: Naming, namespace: str, name: str) -> bool:
    """Whether the viewer may see a dataset that a run names."""
    return any(index.may_name(key) for key in _list_keys(naming, namespace, name))


def _may_read(index: LineageIndex, naming: Naming, namespace: str, name: str) -> bool:
    """Whether the viewer may see what a run states about a dataset."""
    named = [index.assets.find_by_key(key) for key in _list_keys(naming, namespace, name) if index.may_name(key)]
    return any(node is None or index.may_read(node) for node in named)


def _may_read_sql(index: LineageIndex, job: AssetKey) -> bool:
    node = index.assets.find_by_key(job)
    return node is not None and not index.is_partly_hidden(node, sql=True)

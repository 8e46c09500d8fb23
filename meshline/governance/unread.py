"""Does anybody read it? Anybody: a job, a consumer, what is made of it, and a contract that promises it."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.changes import Change, SubjectKind
from meshline.governance.moved import Moved
from meshline.governance.rules import Verdict
from meshline.governance.touched import Touched
from meshline.graph.model import AssetKey, AssetKind, EdgeType
from meshline.graph.promises import Contract
from meshline.graph.queries.assets import attributes
from meshline.graph.queries.contracts import versions

_READERS = (AssetKind.COLUMN, AssetKind.DATASET, AssetKind.JOB, AssetKind.CONSUMER)


def unread(change: Change, touched: Touched) -> Moved | None:
    """Compatible if nobody does. Whether that is known is asked before (`coverage.gaps`)."""
    if any(kind in touched.sizes for kind in _READERS) or promising(change, touched):
        return None
    return Moved(Verdict.COMPATIBLE, "Nobody reads it, and all that leaves it is known.")


def bystander(touched: Touched, consumer: AssetKey) -> bool:
    """Whether a consumer that is bound says which columns it uses of the datasets, and uses none that is changed."""
    index = touched.index
    node = index.node(consumer)
    used = {edge.end for edge in index.edges(node, EdgeType.CONSUMES)} if node is not None else set()
    whole = {*touched.begun, *(index.product(dataset) for dataset in touched.datasets)}
    columns = {one for one in used if index.kind(one) is AssetKind.COLUMN and index.dataset(one) in touched.datasets}
    return bool(columns) and used.isdisjoint(whole) and not any(map(touched.is_touched, columns))


def promising(change: Change, touched: Touched) -> list[str]:
    """The names of the contracts in force, except the one that is changed, which promise what is changed."""
    index = touched.index
    datasets = {*touched.datasets, *touched.homes}
    governing = sorted({edge.start for dataset in datasets for edge in index.edges(dataset, EdgeType.GOVERNS, incoming=True)})
    keys = (*change.assets, *map(index.key, touched.starts))
    paths = [key.name.casefold() for key in keys if key.kind is AssetKind.COLUMN]
    columns = {name for path in paths for name in (path, path.partition(".")[0])}
    found = []
    for node, known in zip(governing, attributes(touched.live, index, governing), strict=True):
        name = index.label(node).name
        if (change.subject.kind, change.subject.name) == (SubjectKind.CONTRACT, name):
            continue
        in_force = [version.contract for version in versions(name, known.rows) if version.contract.in_force]
        if any(not columns or not columns.isdisjoint(_fields(contract)) for contract in in_force):
            found.append(name)
    return found


def _fields(contract: Contract) -> Iterator[str]:
    """The columns that a contract promises, under all names that it gives them."""
    for model in contract.models:
        for field in model.fields:
            yield from (field.name.casefold(), field.name.partition(".")[0].casefold(), field.physical_name.casefold())

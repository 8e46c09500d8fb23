"""What statements of SQL do -> facts about the tables that they write, and about the scripts that they are part of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow, FlowType, Json
from meshline.ingest.sql.shape import Lineage, Relation

Key: TypeAlias = Callable[[Relation], AssetKey]  # the dataset of a name in SQL


class Statement(NamedTuple):
    """What a statement does. `job`: the script that it is part of; None if it defines a view, which nobody runs.
    `time`: of its file, in microseconds.
    """

    lineage: Lineage
    job: AssetKey | None
    time: int


def of_table(target: AssetKey, statements: Sequence[Statement], key: Key) -> Facts:
    """What all statements together say of a table or view that they define or write."""
    return Facts(
        assets=tuple(_defined(target, statements)),
        edges=(*_listing(target, statements), *_runs(target, statements, key)),
        flows=(*_pairs(target, statements, key), *_flows(target, statements, key)),
    )


def of_script(job: AssetKey, statements: Sequence[Statement], dialect: str, key: Key) -> Facts:
    """What a script is, and what it reads without writing it anywhere."""
    read = {key(relation) for statement in statements if statement.lineage.target is None for relation in statement.lineage.reads}
    about = AssetFact(job, {"job_type": "SCRIPT", "integration": "SQL", "dialect": dialect})
    return Facts((about,), tuple(EdgeFact(EdgeType.READS, job, dataset) for dataset in sorted(read)))


def _defined(target: AssetKey, statements: Sequence[Statement]) -> Iterator[AssetFact]:
    for statement in reversed(statements):
        if kind := statement.lineage.defines:
            said: dict[str, Json] = {"dataset_type": kind}
            if kind == "VIEW":
                said["sql"] = statement.lineage.sql
            yield AssetFact(target, said)
            return


def _listing(target: AssetKey, statements: Sequence[Statement]) -> Iterator[EdgeFact]:
    """The columns by the last statement that defines it, if it tells of all."""
    names: Sequence[str] = next((statement.lineage.columns for statement in reversed(statements) if statement.lineage.defines), ())
    for position, name in enumerate(dict.fromkeys(names), start=1):
        yield EdgeFact(EdgeType.HAS_COLUMN, target, model.column(target, name), {"position": position})


def _runs(target: AssetKey, statements: Sequence[Statement], key: Key) -> Iterator[EdgeFact]:
    for lineage, job, _ in statements:
        if job is not None and not (lineage.defines and not lineage.reads):  # an empty table is not written to
            yield EdgeFact(EdgeType.WRITES, job, target)
            yield from (EdgeFact(EdgeType.READS, job, key(relation)) for relation in lineage.reads)


def _pairs(target: AssetKey, statements: Sequence[Statement], key: Key) -> Iterator[Flow]:
    """From table to table: covered if each statement that reads the one for the other tells all of its columns."""
    pairs: dict[tuple[AssetKey, AssetKey | None], bool] = {}
    for lineage, job, _ in statements:
        unsure = {edge.source for edge in lineage.edges if edge.column is None}
        told = {edge.source for edge in lineage.edges} - unsure
        for relation in lineage.reads:
            pair = key(relation), job
            pairs[pair] = pairs.get(pair, True) and relation in told
    return (Flow(start, target, covered=covered, job=job) for (start, job), covered in pairs.items())


def _flows(target: AssetKey, statements: Sequence[Statement], key: Key) -> Iterator[Flow]:
    for lineage, job, _ in statements:
        for edge in lineage.edges:
            if edge.column is not None:
                start = model.column(key(edge.source), edge.column)
                end = target if edge.target is None else model.column(target, edge.target)
                yield Flow(start, end, FlowType.INDIRECT if edge.target is None else edge.type, edge.subtype, edge.masking, job=job)

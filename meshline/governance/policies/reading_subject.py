"""Rights to read personal data: who may read, by the grants that sources state, the columns that it reaches unmasked.

The rights that the parameter `readers` allows are left out with arrays, before any candidate is made: in a mesh of a million columns most
rights are allowed, and each candidate costs an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from meshline.governance.policies.personal_data import PARAMETERS, Way
from meshline.governance.policies.personal_data_exposure import (
    GUESS,
    LATE,
    POSSIBLE,
    convert_to_datasets,
    join_positions,
    trace_end,
)
from meshline.governance.policies.subject import MOST, Candidate, EvaluationContext, Fields, Parameters, Scope, Subject
from meshline.graph.index import COLUMN, Edge
from meshline.graph.index.results import EdgeTable, Flags, Ints, Longs
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.naming import parse_owner
from meshline.graph.queries.impact_paths import PathStep

FIELDS = {
    "reader": "the name of the team, person or role that may read it",
    "reader_tags": "the tags of that owner",
    "circles": "its groups, in lower case: its names, its tags, the domains that it owns",
    "grants": "the roles and groups that were granted the rights, as far as sources state them",
    "row_filter": "whether all these rights are to some rows only",
    "column": "the name of the column; empty if no columns are recorded",
    "column_tags": "the tags of that column",
    "dataset": "the dataset of that column",
    "product": "the product of the dataset, or an empty text",
    "domain": "the domain of the dataset, or an empty text",
    "guess": "whether only the name of a column suggests personal data",
    "possible": "whether it only possibly arrives: the columns on the way are not recorded",
}
READERS = "readers"  # the parameter that names who may read personal data
_LATE = {**LATE, "by": "the clause `, by ...` with the grants, or nothing if no source states them"}
_BY = ", by "


class _Rights(NamedTuple):
    """Rights to read, one row for each statement of one. Arrays of equal length. `attributes`: the number of the attributes."""

    reader: Ints
    end: Ints
    attributes: Ints
    row: Longs  # among all rights

    def select(self, rows: Flags) -> _Rights:
        return _Rights(self.reader[rows], self.end[rows], self.attributes[rows], self.row[rows])


def list_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    allowed = _parse_readers(parameters)
    if not allowed:
        return
    personal = context.get_personal_data(parameters)
    columns = personal.list_reached()
    if scope is not None:
        columns = columns[_select_affected(context, scope, columns)]
    if not len(columns):
        return
    ways = {column: personal.find_way(column) for column in np.unique(columns).tolist()}
    readers, ends = _find_readable(context, columns, allowed)
    if scope is not None:
        kept = _select_affected_pairs(context, scope, readers, ends)
        readers, ends = readers[kept], ends[kept]
    for reader, end, way in _list_pairs(context, readers, ends, ways):
        why = tuple(reason for reason, applies in ((GUESS, way.guess), (POSSIBLE, way.possible)) if applies)
        yield Candidate(_build_fields(context, parameters, reader, end, way), reader, end, why)


def _list_pairs(context: EvaluationContext, readers: Ints, ends: Ints, ways: Mapping[int, Way | None]) -> Iterator[tuple[int, int, Way]]:
    """(reader, column, way); once for a whole dataset if none of its columns certainly has personal data and some may have."""
    sure: set[tuple[int, int]] = set()
    possible: dict[tuple[int, int], Way] = {}
    datasets = convert_to_datasets(context, ends)
    for reader, column, dataset in zip(readers.tolist(), ends.tolist(), datasets.tolist(), strict=True):
        way = ways[column]
        assert way is not None, "these columns are reached by personal data"
        if way.possible:
            known = possible.get((reader, dataset))
            possible[reader, dataset] = way if known is None else min(way, known)
            continue
        yield reader, column, way
        if not way.guess:
            sure.add((reader, dataset))
    for pair, way in possible.items():
        if pair not in sure:
            yield *pair, way


def _find_readable(context: EvaluationContext, columns: Ints, allowed: frozenset[str]) -> tuple[Ints, Ints]:
    """Who may read which of these columns (or datasets as wholes) unmasked, and is not allowed to: (readers, columns), each pair once."""
    rights = _select_rights(context, columns)
    own = {reader: not allowed.isdisjoint(_list_circles(context, reader)) for reader in np.unique(rights.reader).tolist()}
    rights = rights.select(~_map_flags(rights.reader, own))
    about = {number: context.get_attributes(number) for number in np.unique(rights.attributes).tolist()}
    hidden = _map_flags(rights.attributes, {number: one.get("masked") is True for number, one in about.items()})
    of_column = context.index.lineage.get_kinds(rights.end) == COLUMN
    whole, parts = rights.select(~of_column & ~hidden), rights.select(of_column)
    at, right = join_positions(convert_to_datasets(context, columns), whole.end)
    through, of = join_positions(columns, parts.end)
    readers = np.concatenate([whole.reader[right], parts.reader[of]])
    ends = np.concatenate([columns[at], columns[through]])
    attributes = np.concatenate([whole.attributes[right], parts.attributes[of]])
    keys = readers.astype(np.int64) * context.index.changes.count_nodes() + ends
    masked = np.concatenate([np.zeros(len(right), np.bool_), hidden[of_column][of]])
    plain = ~masked
    if masked.any():  # a masked column that a statement names is not read by the right to its dataset in the same statement
        statements = context.index.ownership.list_statements(EdgeType.MAY_READ)[np.concatenate([whole.row[right], parts.row[of]])]
        near = np.flatnonzero(np.isin(keys, keys[masked]))
        _, pair = np.unique(keys[near], return_inverse=True)
        of_statement = pair.astype(np.int64) * (int(statements.max()) + 1) + statements[near]
        plain[near] &= ~np.isin(of_statement, of_statement[masked[near]])
    keys, readers, ends, attributes = keys[plain], readers[plain], ends[plain], attributes[plain]
    granted = {number: _find_grant(one).lower() in allowed for number, one in about.items()}
    fine = keys[_map_flags(attributes, granted)]
    keys, first = np.unique(keys, return_index=True)
    first = first[~np.isin(keys, fine)]
    return readers[first], ends[first]


def _select_rights(context: EvaluationContext, columns: Ints) -> _Rights:
    """The rights to the datasets of these columns, or to columns of them."""
    edges = _get_edges(context)
    near = np.zeros(context.index.changes.count_nodes(), np.bool_)
    near[convert_to_datasets(context, columns)] = True
    rows = np.flatnonzero(near[convert_to_datasets(context, edges.end)])
    return _Rights(edges.start[rows], edges.end[rows], edges.attribute_number[rows], rows)


def _get_edges(context: EvaluationContext) -> EdgeTable:
    found = context.shared.get("rights")
    if found is None:
        found = context.shared["rights"] = context.index.ownership.list_all_edges(EdgeType.MAY_READ)
    assert isinstance(found, EdgeTable)
    return found


def _map_flags(numbers: Ints, flags: Mapping[int, bool]) -> Flags:
    """The flag of each number (bool)."""
    distinct, at = np.unique(numbers, return_inverse=True)
    found: Flags = np.array([flags[number] for number in distinct.tolist()], np.bool_)[at]
    return found


def _list_circles(context: EvaluationContext, reader: int) -> tuple[str, ...]:
    known: dict[int, tuple[str, ...]] = context.shared.setdefault("circles of readers", {})
    found = known.get(reader)
    if found is None:
        index = context.index
        names = {key.name for key in index.assets.list_names(reader)} | {index.assets.get_label(reader).name}
        names |= {parse_owner(name).name for name in names}
        names.update(index.assets.list_tags(reader))
        names.update(
            index.assets.get_label(edge.end).name
            for edge in index.ownership.list_edges(reader, EdgeType.OWNS)
            if index.assets.get_kind(edge.end) is AssetKind.DOMAIN
        )
        found = known[reader] = tuple(sorted(name.lower() for name in names))[:MOST]
    return found


def _find_grant(attributes: Mapping[str, object]) -> str:
    grant = attributes.get("grant")
    return grant if isinstance(grant, str) else ""


def _parse_readers(parameters: Parameters) -> frozenset[str]:
    given = parameters.get(READERS)
    return frozenset(str(name).strip().lower() for name in given) - {""} if isinstance(given, list) else frozenset()


def _build_fields(context: EvaluationContext, parameters: Parameters, reader: int, end: int, way: Way) -> Fields:
    known = {"parameters": parameters, "guess": way.guess, "possible": way.possible}
    return Fields(known, partial(_compute_field, context, reader, end))


def _compute_field(context: EvaluationContext, reader: int, end: int, name: str) -> object:
    index = context.index
    column = index.assets.get_kind(end) is AssetKind.COLUMN
    found: dict[str, Callable[[], object]] = {
        "name": lambda: context.get_name(end),
        "reader": lambda: context.get_name(reader),
        "reader_tags": lambda: context.list_tags(reader),
        "circles": lambda: list(_list_circles(context, reader)),
        "grants": lambda: _list_grants(context, reader, end),
        "row_filter": lambda: all(edge.attributes.get("row_filter") is True for edge in _list_rights(context, reader, end)),
        "column": lambda: index.assets.get_key(end).name if column else "",
        "column_tags": lambda: context.list_tags(end) if column else [],
        "dataset": lambda: context.get_name(index.assets.get_dataset(end) if column else end),
        "product": lambda: context.get_name(index.ownership.find_product(end)),
        "domain": lambda: context.get_name(index.ownership.find_domain(end)),
    }
    return found[name]()


def _list_rights(context: EvaluationContext, reader: int, end: int) -> list[Edge]:
    """The rights by which a reader may read a column, or a dataset or some of it."""
    assets = context.index.assets
    near = [end, assets.get_dataset(end)] if assets.get_kind(end) is AssetKind.COLUMN else [end, *assets.list_columns(end)]
    edges = (edge for node in near for edge in context.index.ownership.list_edges(node, EdgeType.MAY_READ, incoming=True))
    return [edge for edge in edges if edge.start == reader and edge.attributes.get("masked") is not True]


def _list_grants(context: EvaluationContext, reader: int, end: int) -> list[str]:
    return sorted({grant for edge in _list_rights(context, reader, end) if (grant := _find_grant(edge.attributes))})[:MOST]


def _select_affected(context: EvaluationContext, scope: Scope, columns: Ints) -> Flags:
    """A mask (bool) of columns to look at: of affected datasets; all, if a reader is affected."""
    if scope.owners and np.isin(_get_edges(context).start, sorted(scope.owners)).any():
        return np.ones(len(columns), np.bool_)
    return _is_near(context, scope, columns)


def _select_affected_pairs(context: EvaluationContext, scope: Scope, readers: Ints, ends: Ints) -> Flags:
    found: Flags = _is_near(context, scope, ends) | np.isin(readers, sorted(scope.owners))
    return found


def _is_near(context: EvaluationContext, scope: Scope, columns: Ints) -> Flags:
    datasets = convert_to_datasets(context, columns)
    found: Flags = scope.marked[datasets] | np.isin(datasets, sorted(scope.datasets))
    return found


def _covers(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:
    dataset = end if context.index.assets.get_kind(end) is AssetKind.DATASET else context.index.assets.get_dataset(end)
    return bool(scope.marked[dataset]) or dataset in scope.datasets or asset in scope.owners


def _trace(context: EvaluationContext, parameters: Parameters, asset: int, end: int) -> tuple[list[PathStep], Mapping[str, str]]:
    steps, late = trace_end(context, parameters, end)
    grants = _list_grants(context, asset, end)
    by = f"{_BY}{', '.join(grants[:3])}{' and others' if len(grants) > 3 else ''}" if grants else ""
    return [*steps, PathStep(asset, EdgeType.MAY_READ)], {**late, "by": by}


def _describe(context: EvaluationContext, parameters: Parameters, asset: int, end: int, uncertainties: tuple[str, ...]) -> Fields:
    return _build_fields(context, parameters, asset, end, Way(guess=GUESS in uncertainties, possible=POSSIBLE in uncertainties))


SUBJECT = Subject(
    "reading",
    "Every right to read a column with personal data, by its tags or (a guess) its name, or by lineage from such a column over flows that"
    " do not mask; once for each team, person or role that has it by the grants that sources state, unless the parameter `readers` names"
    " it, one of its circles, or the role or group by which it may read. If the columns on the way are not recorded: to the dataset, once,"
    " unless one of its columns is certain. Rights to masked values are none. There are none at all if `readers` is empty.",
    FIELDS,
    list_candidates,
    _covers,
    {**PARAMETERS, READERS: []},
    _LATE,
    _trace,
    _describe,
)

"""Personal data that leaves unmasked: data that reaches an output port, a contract or a consumer by lineage; and the columns that contain
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.governance.policies.personal_data import PARAMETERS, WAYS, PersonalData, Way
from meshline.governance.policies.subject import Candidate, EvaluationContext, Fields, Parameters, Scope, Subject
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import KINDS, AssetKind, EdgeType
from meshline.graph.queries.impact_paths import PathStep, build_steps

FIELDS = {
    "column": "the name of the column in which it leaves; empty if no columns are recorded",
    "column_tags": "the tags of that column",
    "dataset": "the dataset of that column",
    "holder": "the name of the product, contract or consumer that exposes or receives it",  # codespell:ignore holder
    "holder_kind": "DATA_PRODUCT (an output port), CONTRACT or CONSUMER",  # codespell:ignore holder
    "holder_tags": "the tags of that product, contract or consumer",  # codespell:ignore holder
    "circles": "of a consumer or product: its groups, in lower case (as in `consumption`)",
    "guess": "whether only the name of a column suggests personal data",
    "possible": "whether it only possibly arrives: the columns on the way, or the used ones, are not recorded",
}
SOURCE = {"source": "the name of the asset that the personal data comes from"}
LATE = {**SOURCE, "origin": "the clause `; it comes from ...` with that name, or nothing if the data comes from the asset itself"}
_COLUMN = KINDS.index(AssetKind.COLUMN)
_DATASET = KINDS.index(AssetKind.DATASET)
GUESS = "only the name of the column suggests personal data"
POSSIBLE = "no column lineage is recorded on the way"
_WHOLE = "it is used as a whole; its columns are not stated"


class Exposure(NamedTuple):
    """`party`: the product, contract or consumer that exposes or receives the data. `end`: the column, or the dataset if it is unknown."""

    party: int
    end: int
    way: Way
    whole: bool


def list_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    personal = context.get_personal_data(parameters)
    columns = personal.list_reached()
    if scope is not None:
        columns = columns[_select_affected(context, scope, columns)]
    for one in _list_exposures(context, personal, columns):
        uncertainties = (GUESS, POSSIBLE, _WHOLE)
        uncertain = (one.way.guess, one.way.possible, one.whole)
        why = tuple(reason for reason, applies in zip(uncertainties, uncertain, strict=True) if applies)
        yield Candidate(_build_fields(context, parameters, one), one.party, one.end, why)


def _list_exposures(context: EvaluationContext, personal: PersonalData, columns: Ints) -> Iterator[Exposure]:
    """One exposure for each column; one for a whole dataset if none of its columns certainly has personal data and some may have."""
    parties, ends, whole = _find_exposed(context, columns)
    sure: set[tuple[int, int]] = set()
    possible: dict[tuple[int, int], Exposure] = {}
    datasets = convert_to_datasets(context, ends)
    for party, column, uncertain, dataset in zip(*(part.tolist() for part in (parties, ends, whole, datasets)), strict=True):
        way = personal.find_way(column)
        assert way is not None, "these columns are reached by personal data"
        if not way.possible:
            yield Exposure(party, column, way, uncertain)
            if not way.guess:
                sure.add((party, dataset))
            continue
        one, known = Exposure(party, dataset, way, uncertain), possible.get((party, dataset))
        if known is None or (one.way, one.whole) < (known.way, known.whole):
            possible[party, dataset] = one
    for pair, one in possible.items():
        if pair not in sure:
            yield one


def _build_fields(context: EvaluationContext, parameters: Parameters, one: Exposure) -> Fields:
    known = {"parameters": parameters, "guess": one.way.guess, "possible": one.way.possible or one.whole}
    return Fields(known, partial(_compute_field, context, one))


def _compute_field(context: EvaluationContext, one: Exposure, name: str) -> object:
    index, party, end = context.index, one.party, one.end
    of_column = not one.way.possible
    found: dict[str, Callable[[], object]] = {
        "name": lambda: context.get_name(end),
        "column": lambda: index.assets.get_key(end).name if of_column else "",
        "column_tags": lambda: context.list_tags(end) if of_column else [],
        "dataset": lambda: context.get_name(index.assets.get_dataset(end) if of_column else end),
        "holder": lambda: context.get_name(party),  # codespell:ignore holder
        "holder_kind": lambda: str(index.assets.get_kind(party)),  # codespell:ignore holder
        "holder_tags": lambda: context.list_tags(party),  # codespell:ignore holder
        "circles": lambda: list(context.list_circles(party)) if index.assets.get_kind(party) is not AssetKind.CONTRACT else [],
    }
    return found[name]()


def _find_exposed(context: EvaluationContext, columns: Ints) -> tuple[Ints, Ints, Flags]:
    """(party, column, whether only the whole dataset is used): parallel arrays, each pair once."""
    datasets = convert_to_datasets(context, columns)
    consumes, kinds = context.consumes, context.index.lineage.get_kinds(context.consumes.end)
    of_product = (kinds != _COLUMN) & (kinds != _DATASET)
    through, port = join_positions(consumes.end[of_product], context.outputs.product)
    consumed_ports = context.outputs.dataset[port], consumes.start[of_product][through]
    parts = [
        (*join_positions(datasets, context.outputs.dataset), context.outputs.product, False),
        (*join_positions(datasets, context.governs.end), context.governs.start, False),
        (*join_positions(columns, consumes.end[kinds == _COLUMN]), consumes.start[kinds == _COLUMN], False),
        (*join_positions(datasets, consumes.end[kinds == _DATASET]), consumes.start[kinds == _DATASET], True),
        (*join_positions(datasets, consumed_ports[0]), consumed_ports[1], True),
    ]
    parties = np.concatenate([by[right] for _, right, by, _ in parts])
    ends = np.concatenate([columns[left] for left, *_ in parts])
    whole = np.concatenate([np.full(len(left), uncertain) for left, _, _, uncertain in parts])
    order = np.lexsort((whole, ends, parties))
    parties, ends, whole = parties[order], ends[order], whole[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (parties[1:] != parties[:-1]) | (ends[1:] != ends[:-1])
    first &= _mark_promised(context, parties, ends)
    return parties[first], ends[first], whole[first]


def convert_to_datasets(context: EvaluationContext, nodes: Ints) -> Ints:
    """The datasets of columns; other nodes stay (int32)."""
    found = nodes.copy()
    of_column = context.index.lineage.get_kinds(nodes) == _COLUMN
    found[of_column] = context.index.lineage.get_datasets(nodes[of_column])
    return found


def _mark_promised(context: EvaluationContext, parties: Ints, columns: Ints) -> Flags:
    """A mask (bool): False for columns that are not among the fields of a contract, which does not expose them."""
    kept = np.ones(len(parties), np.bool_)
    rows = np.flatnonzero(context.index.lineage.get_kinds(parties) == KINDS.index(AssetKind.CONTRACT))
    context.prefetch(parties[rows].tolist())
    for row in rows.tolist():
        names = _list_contract_fields(context, int(parties[row]))
        if (
            context.index.assets.get_kind(int(columns[row])) is AssetKind.COLUMN
            and names
            and not names.intersection(_list_names(context, int(columns[row])))
        ):
            kept[row] = False
    return kept


def _list_contract_fields(context: EvaluationContext, contract: int) -> frozenset[str]:
    found = context.shared.get(("fields", contract))
    if found is None:
        shown = context.list_versions(contract)[:1]
        fields = [field for one in shown for model in one.contract.models for field in model.fields]
        names = {name.lower() for field in fields for name in (field.name, field.physical_name)}
        found = context.shared["fields", contract] = frozenset(names - {""})
    return frozenset(found)


def _list_names(context: EvaluationContext, column: int) -> set[str]:
    return {key.name.lower() for key in context.index.assets.list_names(column)} or {context.index.assets.get_key(column).name.lower()}


def join_positions(left: Ints, right: Ints) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All pairs of positions (int64) at which the two arrays are equal."""
    order = np.argsort(right, kind="stable")
    sorted_ = right[order]
    begin, end = np.searchsorted(sorted_, left), np.searchsorted(sorted_, left, side="right")
    counts = end - begin
    at = np.repeat(np.arange(len(left)), counts)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return at, order[np.repeat(begin, counts) + within]


def _select_affected(context: EvaluationContext, scope: Scope, columns: Ints) -> Flags:
    """A mask (bool) of columns of datasets that may have changed values, are affected, or are used by affected consumers."""
    datasets = convert_to_datasets(context, columns)
    found: Flags = scope.marked[datasets] | np.isin(datasets, sorted(scope.datasets | _list_used_datasets(context, scope)))
    return found


def _list_used_datasets(context: EvaluationContext, scope: Scope) -> set[int]:
    """The datasets that affected consumers use."""
    consumes = context.consumes
    ends = consumes.end[np.isin(consumes.start, sorted(scope.affected))]
    kinds = context.index.lineage.get_kinds(ends)
    products = ends[(kinds != _COLUMN) & (kinds != _DATASET)]
    ported = context.outputs.dataset[np.isin(context.outputs.product, products)]
    return {*ends[kinds == _DATASET].tolist(), *context.index.lineage.get_datasets(ends[kinds == _COLUMN]).tolist(), *ported.tolist()}


def _covers(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:
    dataset = end if context.index.assets.get_kind(end) is AssetKind.DATASET else context.index.assets.get_dataset(end)
    return bool(scope.marked[dataset]) or dataset in scope.datasets or asset in scope.affected


def trace_column(context: EvaluationContext, parameters: Parameters, column: int) -> tuple[list[PathStep], Mapping[str, str]]:
    """The shortest path of personal data to a column, and the name of its source."""
    personal = context.get_personal_data(parameters)
    way = personal.find_way(column)
    if way is None:
        return [PathStep(column)], {"source": context.get_name(column)}
    flows = context.index.lineage.find_trace(personal.get_labels(way), column)
    start = _find_source(context, personal, way, flows[0].start) if flows else column
    return build_steps(flows, start, column), {"source": context.get_name(start)}


def _find_source(context: EvaluationContext, personal: PersonalData, way: Way, start: int) -> int:
    """The source column; if the path starts at a whole dataset, its first column that is a source."""
    index = context.index
    if index.assets.get_kind(start) is AssetKind.COLUMN:
        return start
    own = [column for column in index.assets.list_columns(start, by_name=True) if personal.get_labels(way)[column] == 1]
    return own[0] if own else start


def _find_nearest(context: EvaluationContext, parameters: Parameters, dataset: int) -> int:
    """The column of a dataset, or the dataset itself, that personal data possibly reaches in the fewest steps."""
    personal = context.get_personal_data(parameters)
    own = [*context.index.assets.list_columns(dataset), dataset]
    ways = [(way, int(personal.get_labels(way)[one]), one) for one in own if (way := personal.find_way(one))]
    uncertain = [one for one in ways if one[0].possible]
    return min(uncertain, key=lambda one: (one[0], one[1], context.get_name(one[2])), default=(None, 0, dataset))[2]


def trace_end(context: EvaluationContext, parameters: Parameters, end: int) -> tuple[list[PathStep], Mapping[str, str]]:
    """The shortest path of personal data to a column, or to the column of a dataset that it possibly reaches; with the late fields."""
    of_dataset = context.index.assets.get_kind(end) is AssetKind.DATASET
    column = _find_nearest(context, parameters, end) if of_dataset else end
    steps, late = trace_column(context, parameters, column)
    late = {**late, "origin": "" if late["source"] == context.get_name(end) else f"; it comes from {late['source']}"}
    return [*steps, *([PathStep(end, EdgeType.HAS_COLUMN)] if of_dataset and column != end else ())], late


def _trace(context: EvaluationContext, parameters: Parameters, asset: int, end: int) -> tuple[list[PathStep], Mapping[str, str]]:
    steps, late = trace_end(context, parameters, end)
    edge = {AssetKind.CONSUMER: EdgeType.CONSUMES, AssetKind.CONTRACT: EdgeType.GOVERNS}.get(
        context.index.assets.get_kind(asset), EdgeType.PORT
    )
    return [*steps, PathStep(asset, edge)], late


def _describe(context: EvaluationContext, parameters: Parameters, asset: int, end: int, uncertainties: tuple[str, ...]) -> Fields:
    way = Way(guess=GUESS in uncertainties, possible=POSSIBLE in uncertainties)
    return _build_fields(context, parameters, Exposure(asset, end, way, _WHOLE in uncertainties))


SUBJECT = Subject(
    "exposure",
    "Every column with personal data, by its tags or (a guess) its name, or by lineage from such a column over flows that do not mask,"
    " that an output port shows, a contract promises or a consumer uses; once for each of these. If the columns on the way are not"
    " recorded: the dataset, once, unless one of its columns is certain.",
    FIELDS,
    list_candidates,
    _covers,
    PARAMETERS,
    LATE,
    _trace,
    _describe,
)


COLUMN_FIELDS = {
    "column": "the name of the column",
    "tags": "its tags, `key` or `key=value`",
    "tagged": "whether its own tags mark it as personal data",
    "dataset": "its dataset",
    "product": "the product of its dataset, or an empty text",
    "domain": "the domain of its dataset, or an empty text",
    "owners": "the names of its owners",
    "distance": "how many flows away from the tagged column it is",
}


def list_column_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    personal = context.get_personal_data(parameters)
    found = personal.list_tagged_data() if scope is None else scope.changed[personal.get_labels(WAYS[0])[scope.changed] > 0]
    for column in found.tolist():
        yield Candidate(_build_column_fields(context, parameters, personal, column), column)


def _build_column_fields(context: EvaluationContext, parameters: Parameters, personal: PersonalData, column: int) -> Fields:
    return Fields(
        {"parameters": parameters, "tagged": personal.is_tagged(column)}, partial(_compute_column_field, context, personal, column)
    )


def _compute_column_field(context: EvaluationContext, personal: PersonalData, column: int, name: str) -> object:
    index = context.index
    found: dict[str, Callable[[], object]] = {
        "name": lambda: context.get_name(column),
        "column": lambda: index.assets.get_key(column).name,
        "tags": lambda: context.list_tags(column),
        "dataset": lambda: context.get_name(index.assets.get_dataset(column)),
        "product": lambda: context.get_name(index.ownership.find_product(column)),
        "domain": lambda: context.get_name(index.ownership.find_domain(column)),
        "owners": lambda: context.list_owners(column),
        "distance": lambda: int(personal.get_labels(WAYS[0])[column]) - 1,
    }
    return found[name]()


def _covers_column(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return bool(scope.marked[asset])


def _trace_column(context: EvaluationContext, parameters: Parameters, asset: int, end: int) -> tuple[list[PathStep], Mapping[str, str]]:  # noqa: ARG001
    return trace_column(context, parameters, asset)


def _describe_column(context: EvaluationContext, parameters: Parameters, asset: int, end: int, uncertainties: tuple[str, ...]) -> Fields:  # noqa: ARG001
    return _build_column_fields(context, parameters, context.get_personal_data(parameters), asset)


COLUMN = Subject(
    "column",
    "Every column that is tagged as personal data, or that values of such a column reach over recorded columns that do not mask.",
    COLUMN_FIELDS,
    list_column_candidates,
    _covers_column,
    PARAMETERS,
    SOURCE,
    _trace_column,
    _describe_column,
)

"""Checks of datasets and columns: the last result of each, its earlier results, and the failing checks of the mesh or a part of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.content import decode_facts
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Content, Interval, Json, build_dataset_key, parse_source_kind
from meshline.graph.quality import EXPECTATIONS, JOB_QUALITY, OPEN, QUALITY, RESULTS, SCOPES, Outcome
from meshline.graph.queries.asset_lists import EVERYTHING, Filter, list_assets
from meshline.graph.queries.pages import SortKey, sort_by_name
from meshline.graph.store.base import Head


class CheckState(NamedTuple):
    """The content of one statement about a check. `observed` and `message` are those of its last run."""

    kind: str
    outcome: Outcome
    suite: str
    expected: Json
    observed: Json
    message: str | None
    labels: Mapping[str, Json]


class Result(NamedTuple):
    """A check of a dataset, or of one of its columns (`asset`), with its last result.

    `column`: as the check names it; empty for a check of the dataset. `at`: when it was run, in microseconds; None if it is only
    declared in a suite or a file of checks, without a result.
    """

    dataset: int
    asset: int
    column: str
    name: str
    state: CheckState
    at: int | None
    source: str
    scope_id: int

    @property
    def outcome(self) -> Outcome:
        return self.state.outcome


class Past(NamedTuple):
    """An interval in which a check had the same result: `at` is its first run, `last` its last (microseconds)."""

    at: int
    last: int
    state: CheckState


class Counts(NamedTuple):
    """The number of checks with each outcome."""

    passed: int = 0
    failed: int = 0
    warned: int = 0
    errors: int = 0
    skipped: int = 0
    not_run: int = 0


def count_outcomes(results: Iterable[Result]) -> Counts:
    found = dict.fromkeys(Outcome, 0)
    for result in results:
        found[result.outcome] += 1
    return Counts(*found.values())


def read_latest(live: LiveGraph, index: LineageIndex, datasets: Sequence[int]) -> list[list[Result]]:
    """The checks of each of these datasets and of their columns, by column and name, with one read of the store."""
    heads = read_statements(live, index, datasets)
    known = {of: list_results(index, of, heads[of]) for of in heads}
    return [known[of] for of in datasets]


class CheckStatement(NamedTuple):
    """A head that states something about a dataset's checks, and the names (namespace, name) that it uses for the dataset."""

    head: Head
    names: set[tuple[str, ...]]


def read_statements(live: LiveGraph, index: LineageIndex, datasets: Iterable[int]) -> dict[int, list[CheckStatement]]:
    """The statements about the checks of each dataset, by scope id, with one read of the store."""
    names = {
        of: {id_: keys for id_, keys in index.changes.list_fact_names(of).items() if index.changes.get_scope(id_).scope[0] in SCOPES}
        if index.may_read(of)
        else {}
        for of in set(datasets)
    }
    ids = sorted({id_ for of_dataset in names.values() for id_ in of_dataset})
    heads = {head.scope_id: head for head in live.read_heads(index, ids)}
    return {
        of: [CheckStatement(heads[id_], {key.parts for key in keys}) for id_, keys in sorted(of_dataset.items()) if id_ in heads]
        for of, of_dataset in names.items()
    }


class _Found(NamedTuple):
    """A check that a source states. `column`: its name, empty for a check of the dataset. `key`: the asset as the source stated it."""

    column: str
    name: str
    state: CheckState
    at: int | None
    head: Head
    key: AssetKey

    @property
    def place(self) -> tuple[str, str, str, str]:
        return self.column, self.name, self.state.suite, self.head.source

    @property
    def test(self) -> tuple[str, str, str]:
        """What identifies a test across the sources of one tool: dbt's tests have the same names in its project and in its events."""
        kind = parse_source_kind(self.head.source)
        return self.column.casefold(), self.name, "dbt" if kind == "openlineage" else kind


def list_results(
    index: LineageIndex, of: int, statements: Iterable[CheckStatement], outcomes: Collection[Outcome] = tuple(Outcome)
) -> list[Result]:
    """The checks of a dataset that have one of these outcomes, by column, name, suite and source.

    Of several results of a check the newest counts. A declared check is left out if a source of the same tool states a result of it.
    """
    results: dict[tuple[str, str, str, str], _Found] = {}
    declared: list[_Found] = []
    for head, names in statements:
        for key, attribute, name, stated, at in _list_checks(head):
            if key.parts[:2] not in names or not index.may_name(key):
                continue
            column = key.parts[2] if key.kind is AssetKind.COLUMN else ""
            found = _Found(column, name, stated, at, head, key)
            if attribute == EXPECTATIONS:
                declared.append(found._replace(at=None))
                continue
            before = results.get(found.place)
            if before is None or (before.at or 0, before.head.scope_id) < (at, head.scope_id):
                results[found.place] = found
    run = {found.test for found in results.values()}
    listed = [*results.values(), *(one for one in declared if one.test not in run)]
    wanted = sorted((found for found in listed if found.state.outcome in outcomes), key=lambda found: (found.place, found.head.scope_id))
    return [_build_result(index, of, found) for found in wanted]


def _build_result(index: LineageIndex, of: int, found: _Found) -> Result:
    asset = index.assets.find_by_key(found.key) if found.column else of
    head = found.head
    return Result(of, of if asset is None else asset, found.column, found.name, found.state, found.at, head.source, head.scope_id)


def _list_checks(head: Head) -> Iterator[tuple[AssetKey, str, str, CheckState, int]]:
    """(asset, attribute, name, state, time of the run in microseconds) of each check that a head states."""
    for fact in decode_facts(head.content.blob).assets if head.content is not None else ():
        for attribute in (RESULTS, EXPECTATIONS):
            of_asset = fact.attributes.get(attribute)
            for name, stated in of_asset.items() if isinstance(of_asset, dict) else ():
                if isinstance(stated, dict):
                    yield fact.key, attribute, name, _parse_check(stated), _parse_time(stated, head.last_observed)


def _parse_check(stated: Mapping[str, Json]) -> CheckState:
    outcome, message, labels = stated.get("outcome"), stated.get("message"), stated.get("labels")
    return CheckState(
        kind=str(stated.get("kind", "")),
        outcome=Outcome(outcome) if isinstance(outcome, str) and outcome in Outcome.__members__ else Outcome.NOT_RUN,
        suite=str(stated.get("suite", "")),
        expected=stated.get("expected"),
        observed=stated.get("observed"),
        message=message if isinstance(message, str) else None,
        labels=labels if isinstance(labels, dict) else {},
    )


def _parse_time(stated: Mapping[str, Json], otherwise: int) -> int:
    at = stated.get("at")
    return at if isinstance(at, int) else otherwise


def build_sort_key(index: LineageIndex, result: Result) -> SortKey:
    """By dataset; checks of the dataset before those of columns, then by name."""
    return SortKey((), (*index.assets.get_key(result.dataset).parts, result.column, result.name, result.state.suite, result.source))


def read_history(live: LiveGraph, index: LineageIndex, result: Result, first: int | None = None) -> list[Past]:
    """The results of a check, the newest first; none if it is only declared. `first`: read no further than so many."""
    if result.at is None:
        return []
    found: list[Past] = []
    for interval, content in reversed(live.store.read_history([result.scope_id]).get(result.scope_id, ())):
        if first is not None and len(found) >= first:
            break
        if index.as_of is None or interval.valid_from <= index.as_of:
            found += _parse_past(result, interval, content)
    return found


def _parse_past(result: Result, interval: Interval, content: Content) -> Iterator[Past]:
    for fact in decode_facts(content.blob).assets:
        of_asset = fact.attributes.get(RESULTS)
        stated = of_asset.get(result.name) if isinstance(of_asset, dict) else None
        of = fact.key.parts[2] if fact.key.kind is AssetKind.COLUMN else ""
        if of == result.column and isinstance(stated, dict):
            at = _parse_time(stated, interval.valid_from)
            yield Past(at, _parse_time(stated, interval.last_observed), _parse_check(stated))


def find_failing_since(live: LiveGraph, index: LineageIndex, result: Result) -> int | None:
    """When a check first failed without a success since, in microseconds; None if it does not fail. Skipped runs do not count."""
    since = None
    if result.outcome in OPEN:
        for past in read_history(live, index, result):
            if past.state.outcome in OPEN:
                since = past.at
            elif past.state.outcome is not Outcome.SKIPPED:
                break
    return since


TOGETHER = 100  # datasets whose checks one read of the store gives
_DATASET_AT = {QUALITY: 2, JOB_QUALITY: 3}  # position of the dataset's namespace and name in scopes of a kind


def list_checked_datasets(index: LineageIndex) -> list[int]:
    """The datasets that have results of checks, as sorted nodes."""
    scopes = index.changes.list_scopes_of(_DATASET_AT)
    keys = {build_dataset_key(*scope[at : at + 2]) for scope in scopes for at in (_DATASET_AT[scope[0]],)}
    return sorted({node for key in keys if (node := index.assets.find_by_key(key)) is not None})


class Failures(NamedTuple):
    """A page of failing checks, and whether more follow."""

    results: tuple[Result, ...]
    has_next: bool


def list_failures(
    live: LiveGraph,
    index: LineageIndex,
    wanted: Filter = EVERYTHING,
    outcomes: Collection[Outcome] = OPEN,
    *,
    first: int,
    after: SortKey | None = None,
) -> Failures:
    """The checks whose last result has one of these outcomes, of all datasets that a filter matches, by dataset, column and name.

    Raises InvalidInput for NOT_RUN: only datasets that have results are read.
    """
    if Outcome.NOT_RUN in outcomes:
        raise InvalidInput("NOT_RUN is no result: checks without a result are listed with their dataset", "outcomes")
    found: list[Result] = []
    for result in _list_failures(live, index, wanted, outcomes, after):
        if len(found) == first:
            return Failures(tuple(found), has_next=True)
        found.append(result)
    return Failures(tuple(found), has_next=False)


def count_failures(live: LiveGraph, index: LineageIndex, wanted: Filter = EVERYTHING, outcomes: Collection[Outcome] = OPEN) -> int:
    return sum(1 for _ in _list_failures(live, index, wanted, outcomes, None))


def _list_failures(
    live: LiveGraph, index: LineageIndex, wanted: Filter, outcomes: Collection[Outcome], after: SortKey | None
) -> Iterator[Result]:
    nodes = list_checked_datasets(index)
    if wanted != EVERYTHING:
        page = list_assets(index, AssetKind.DATASET, wanted, first=len(index.assets.list_of_kind(AssetKind.DATASET)))
        nodes = sorted({entry.node for entry in page.entries} & set(nodes))
    ordered = [entry.node for entry in sort_by_name(index, nodes)]
    if after is not None:
        ordered = [node for node in ordered if index.assets.get_key(node).parts >= after.names[:2]]
    words = [outcome.encode() for outcome in outcomes]
    for begin in range(0, len(ordered), TOGETHER):
        statements = read_statements(live, index, ordered[begin : begin + TOGETHER])
        for node in ordered[begin : begin + TOGETHER]:
            if any(word in head.content.blob for head, _ in statements[node] if head.content for word in words):
                results = list_results(index, node, statements[node], outcomes)
                yield from (result for result in results if after is None or build_sort_key(index, result) > after)

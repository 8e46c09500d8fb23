"""Runs of jobs and datasets, newest first, in pages.

A cursor contains the time and the store's own order of runs that began together, so that runs that are added between two pages neither
shift nor repeat the others. A run of which an earlier event arrives late moves back to that time.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, build_job_key
from meshline.graph.queries.asset_lists import EVERYTHING, Filter, ListOrder, list_assets
from meshline.graph.queries.pages import UNLIMITED, CountedPage, Limits, SortKey
from meshline.graph.store.base import RUNS_SINCE, Run, RunGroup, RunKey, RunPosition, RunRole, StoredRun

BOUND = 2**61  # microseconds: no time is beyond it
RUN_PREFIX = "run_"
_AT_ONCE = 500  # jobs whose newest runs are read between two checks of the deadline


class RunPage(NamedTuple):
    """Some runs in order, and whether more follow."""

    runs: Sequence[StoredRun]
    has_next: bool


def list_asset_runs(live: LiveGraph, index: LineageIndex, node: int, role: RunRole, first: int, after: SortKey | None = None) -> RunPage:
    """A page of the runs of a job, or of those that read or write a dataset by any of its names.

    In the index of a past time, only runs that had begun by then; their states are those of now.
    """
    before = _find_end(index) if after is None else _parse_position(after)
    return _take_page(_iterate_runs(live, index, node, role, before, first + 1), first)


def _take_page(found: Iterator[StoredRun], first: int) -> RunPage:
    runs = list(islice(found, first + 1))
    return RunPage(runs[:first], len(runs) > first)


_Read: TypeAlias = Callable[[RunPosition | None, int], Sequence[StoredRun]]


def _iterate_runs(
    live: LiveGraph, index: LineageIndex, node: int, role: RunRole, before: RunPosition | None, size: int
) -> Iterator[StoredRun]:
    """The runs after a position whose jobs the viewer may see. `size`: how many are read together."""
    if not index.may_read(node):
        return iter(())
    assets = list_run_assets(index, node)
    found = _read_all(lambda position, limit: live.store.list_runs(assets, role, position, limit), before, size)
    return found if role is RunRole.JOB else _keep_visible(index, found)


def _keep_visible(index: LineageIndex, found: Iterator[StoredRun]) -> Iterator[StoredRun]:
    return (stored for stored in found if index.may_name(stored.run.key.job))


def _read_all(read: _Read, before: RunPosition | None, size: int) -> Iterator[StoredRun]:
    """All runs after a position, so many at a time."""
    while found := read(before, size):
        yield from found
        if len(found) < size:
            return
        before = found[-1].position


def _parse_position(after: SortKey) -> RunPosition:
    if abs(after.numbers[0]) > BOUND or len(after.names) != 1:
        raise InvalidInput("that is no cursor of this list: use endCursor of its previous page", "after")
    return RunPosition(after.numbers[0], after.names[0])


def _find_end(index: LineageIndex) -> RunPosition | None:
    return None if index.as_of is None else RunPosition(index.as_of + 1, "")


def list_runs_by_id(live: LiveGraph, index: LineageIndex, run_id: str, first: int, after: SortKey | None = None) -> RunPage:
    """A page of the runs with a run id, of any source, and of any job that the viewer may see."""
    return _take_page(_iterate_runs_by_id(live, index, run_id, None if after is None else _parse_position(after), first + 1), first)


def _iterate_runs_by_id(live: LiveGraph, index: LineageIndex, run_id: str, before: RunPosition | None, size: int) -> Iterator[StoredRun]:
    return _keep_visible(index, _read_all(lambda position, limit: live.store.list_runs_by_id(run_id, limit, position), before, size))


def count_runs_by_id(live: LiveGraph, index: LineageIndex, run_id: str) -> int:
    """The number of these runs, on all pages."""
    if index.is_restricted:
        return sum(1 for _ in _iterate_runs_by_id(live, index, run_id, None, _AT_ONCE))
    return live.store.count_runs_by_id(run_id)


def count_asset_runs(live: LiveGraph, index: LineageIndex, node: int, role: RunRole) -> int:
    """The number of these runs, on all pages and of all times."""
    if role is not RunRole.JOB and index.is_restricted:
        return sum(1 for _ in _iterate_runs(live, index, node, role, None, _AT_ONCE))
    return live.store.count_runs(list_run_assets(index, node), role)


def list_run_assets(index: LineageIndex, node: int) -> list[AssetKey]:
    """The keys by which runs name an asset: all names of a dataset."""
    return index.assets.list_names(node)


def build_run_group(index: LineageIndex, node: int, before: int | None = None) -> RunGroup:
    """The runs of an asset that began before a time (microseconds); None: of all times, or all up to the time of the index."""
    return RunGroup(list_run_assets(index, node), _find_end(index) if before is None else RunPosition(before, ""))


def iterate_last_states(
    live: LiveGraph, index: LineageIndex, jobs: Sequence[int], limits: Limits = UNLIMITED
) -> Iterator[tuple[int, bytes]]:
    """Each of these jobs that has runs, with the state of the newest run that `list_asset_runs` lists, in this order."""
    for part in (jobs[at : at + _AT_ONCE] for at in range(0, len(jobs), _AT_ONCE)):
        limits.check_deadline()
        found = live.store.read_last_states([build_run_group(index, job) for job in part], RunRole.JOB)
        for job, state in zip(part, found, strict=True):
            if state is not None:
                yield job, state


def list_jobs(
    live: LiveGraph,
    index: LineageIndex,
    is_wanted: Callable[[bytes], bool],
    wanted: Filter = EVERYTHING,
    *,
    order: ListOrder = ListOrder.NAME,
    first: int,
    after: SortKey | None = None,
    limits: Limits = UNLIMITED,
) -> CountedPage:
    """The jobs of which the state of the newest run is wanted, in an order. Reads this state of every job that passes the filter."""
    every = index.changes.count_nodes()
    jobs = (
        index.assets.list_of_kind(AssetKind.JOB)
        if wanted == EVERYTHING
        else [entry.node for entry in list_assets(index, AssetKind.JOB, wanted, first=every).entries]
    )
    found = frozenset(job for job, state in iterate_last_states(live, index, jobs, limits) if is_wanted(state))
    page = list_assets(index, AssetKind.JOB, Filter(nodes=found), order=order, first=first, after=after)
    return CountedPage(page, len(found))


def build_run_cursor_key(position: RunPosition) -> SortKey:
    return SortKey((position.begun,), (position.tie,))


class _RunId(msgspec.Struct, array_like=True, frozen=True):
    source: str
    namespace: str
    name: str
    run_id: str


_decoder = msgspec.json.Decoder(_RunId)


def build_run_id(key: RunKey) -> str:
    """The opaque id of a run, which names its source and job as well: two jobs may share a run id."""
    text = msgspec.json.encode(_RunId(key.source, key.job.parts[0], key.job.parts[1], key.run_id))
    return RUN_PREFIX + base64.urlsafe_b64encode(text).decode().rstrip("=")


def parse_run_id(id_: str) -> RunKey | None:
    """The inverse of `build_run_id`; None for any other text."""
    if not id_.startswith(RUN_PREFIX):
        return None
    encoded = id_.removeprefix(RUN_PREFIX)
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        found = _decoder.decode(text)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return RunKey(found.source, build_job_key(found.namespace, found.name), found.run_id)


def find_complete_since(live: LiveGraph) -> int | None:
    """Since when (microseconds) lists and counts of runs are complete; None if no run was ever dropped."""
    since = live.store.read_setting(RUNS_SINCE)
    return None if since is None else int(since)


def find_run(live: LiveGraph, key: RunKey) -> Run | None:
    """The run with this key; None if the store has none."""
    return live.store.read_runs([key]).get(key)

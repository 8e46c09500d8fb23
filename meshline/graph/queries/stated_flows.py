"""The flows that contents state, as numbers: equal flows of different contents have the same number.

Each content is decoded once, only as far as flows need it, and not at all if no wanted name is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from meshline.graph.content import FlowRows, decode_flow_rows, may_move
from meshline.graph.model import KINDS, AssetKey, AssetKind, Content
from meshline.graph.queries.lineage_diff import list_moved

Numbers = npt.NDArray[np.int64]

NOTHING = -1  # instead of the number of a content: it states no wanted flow
_COLUMN, _DATASET = KINDS.index(AssetKind.COLUMN), KINDS.index(AssetKind.DATASET)
_NO_ROWS: Numbers = np.empty((0, 3), np.int64)


class StatedFlows:
    """Contents, and the flows of each that begin or end at a wanted asset.

    Flows are numbered by `number_flows` after all contents were added; contents that come later have only flows with a number.
    `names`: one of these is in the text of each content that mentions a wanted asset; None: all are wanted. `may_name`: whether the viewer
    may see an asset; flows of others are left out, and their jobs do not distinguish flows; None: all.
    """

    def __init__(
        self, is_wanted: Callable[[AssetKey], bool], names: Collection[str] | None, may_name: Callable[[AssetKey], bool] | None = None
    ) -> None:
        self._is_wanted = is_wanted
        self._may_name = may_name
        self._needles = None if names is None else sorted({name.encode() for name in names})
        self._contents: dict[bytes, int] = {}  # by digest
        self._rows: list[Numbers] = []  # of each content: start, end, kind
        self._moved: dict[int, frozenset[AssetKey]] = {}  # by content: the wanted datasets that it renames or drops
        self._keys: dict[tuple[int | str, ...], int] = {}  # (kind, part...), of a column (name, number of its dataset)
        self._wanted: list[bool] = []  # by key
        self._shown: list[bool] = []  # by key
        self._kinds: dict[tuple[int, str, int, int], int] = {}  # by type (-1: between datasets), subtype, masking, job
        self._pairs: Numbers = np.empty(0, np.int64)  # of start and end, sorted
        self._numbered = 0  # kinds that flows with numbers may have
        self._flows: Numbers = np.empty(0, np.int64)  # of pair and kind, sorted: by the numbers of the flows

    def add(self, content: Content | None) -> int:
        """The number of a content."""
        if content is None:
            return NOTHING
        known = self._contents.get(content.digest)
        if known is not None:
            return known
        if self._needles is not None and not any(needle in content.blob for needle in self._needles):
            self._contents[content.digest] = NOTHING
            return NOTHING
        decoded = decode_flow_rows(content.blob)
        number = self._contents[content.digest] = len(self._rows)
        self._rows.append(self._read_rows(decoded))
        if may_move(decoded):
            moved = filter(self._is_wanted, list_moved(content))
            self._moved[number] = frozenset(key for key in moved if self._may_name is None or self._may_name(key))
        return number

    def get_moved(self, number: int) -> frozenset[AssetKey]:
        """The wanted datasets that a content renames or drops."""
        return self._moved.get(number, frozenset())

    def number_flows(self) -> int:
        """Number the flows of all contents; how many they are."""
        rows = np.concatenate([_NO_ROWS, *self._rows])
        pairs = self._pair_rows(rows)
        self._pairs = sort_distinct(pairs)
        self._numbered = max(1, len(self._kinds))
        self._flows = sort_distinct(find_places(self._pairs, pairs)[0] * self._numbered + rows[:, 2])
        return len(self._flows)

    def list_flows(self, numbers: Sequence[int]) -> tuple[Numbers, Numbers]:
        """(place in `numbers`, flow) of each flow that these contents state, by place and flow; each once."""
        picked = [(place, self._rows[number]) for place, number in enumerate(numbers) if number != NOTHING]
        rows = np.concatenate([_NO_ROWS, *(rows for _, rows in picked)])
        places = np.repeat(np.array([place for place, _ in picked], np.int64), [len(rows) for _, rows in picked])
        pairs = self._pair_rows(rows)
        pair, known = find_places(self._pairs, pairs)
        known &= rows[:, 2] < self._numbered
        flow, found = find_places(self._flows, pair * self._numbered + rows[:, 2])
        known &= found
        most = len(self._flows) + 1
        both = sort_distinct(places[known] * most + flow[known])
        return both // most, both % most

    def iterate_datasets(self, flows: Numbers) -> Iterator[tuple[AssetKey, AssetKey]]:
        """The datasets, or those of the columns, between which these flows are, each pair once."""
        pairs = self._pairs[sort_distinct(self._flows[flows] // self._numbered)]
        keys = list(self._keys)
        owner = np.array([key[1] if isinstance(key[0], str) else number for number, key in enumerate(keys)], np.int64)
        between = sort_distinct(owner[pairs >> 32] << 32 | owner[pairs & 0xFFFFFFFF]).tolist()
        built = {number: _build_key(keys[number]) for pair in between for number in (pair >> 32, pair & 0xFFFFFFFF)}
        yield from ((built[pair >> 32], built[pair & 0xFFFFFFFF]) for pair in between)

    def _pair_rows(self, rows: Numbers) -> Numbers:
        pairs: Numbers = rows[:, 0] << 32 | rows[:, 1]
        return pairs

    def _read_rows(self, decoded: FlowRows) -> Numbers:
        if not decoded.flows:
            return _NO_ROWS
        keys = np.array(self._number_keys(decoded.keys), np.int64)
        between = np.array([row[0] == _DATASET for row in decoded.keys])
        numbers, plain = [], []
        for indirect, subtype, masking, _, job in decoded.flow_kinds:
            by = -1 if job < 0 or not (self._may_name is None or self._shown[keys[job]]) else int(keys[job])
            numbers.append(self._kinds.setdefault((indirect, subtype, masking, by), len(self._kinds)))
            plain.append(self._kinds.setdefault((-1, "", 0, by), len(self._kinds)))
        covered = np.array([bool(kind[3]) for kind in decoded.flow_kinds])
        rows = np.array(decoded.flows, np.int64).reshape(-1, 3)
        rows = rows[~covered[rows[:, 2]]]
        start, end, kind = rows.T
        found = np.column_stack((keys[start], keys[end], np.where(between[start], np.array(plain)[kind], np.array(numbers)[kind])))
        if self._needles is not None:
            wanted = np.array(self._wanted)
            found = found[wanted[found[:, 0]] | wanted[found[:, 1]]]
        if self._may_name is not None:
            shown = np.array(self._shown)
            found = found[shown[found[:, 0]] & shown[found[:, 1]]]
        return found

    def _number_keys(self, rows: Sequence[Sequence[int | str]]) -> list[int]:
        """The number of each key of a content."""
        found: list[int] = []
        keys = self._keys
        for row in rows:
            key = (row[2], found[row[1]]) if row[0] == _COLUMN else tuple(row)  # type: ignore[index]
            number = keys.setdefault(key, len(keys))
            found.append(number)
            if self._needles is not None and number == len(self._wanted):
                self._wanted.append(row[0] in (_COLUMN, _DATASET) and self._is_wanted(_build_asset_key(row, rows)))
            if self._may_name is not None and number == len(self._shown):
                self._shown.append(self._may_name(_build_asset_key(row, rows)))
        return found


def _build_asset_key(row: Sequence[int | str], rows: Sequence[Sequence[int | str]]) -> AssetKey:
    """The key of an asset. `rows`: those of its content, of which a column has the place of its dataset."""
    if row[0] == _COLUMN:
        return AssetKey(AssetKind.COLUMN, (*_build_key(rows[int(row[1])]).parts, str(row[2])))
    return _build_key(row)


def _build_key(row: Sequence[int | str]) -> AssetKey:
    """The key of an asset that is no column. `row`: kind, parts."""
    return AssetKey(KINDS[int(row[0])], tuple(str(part) for part in row[1:]))


def sort_distinct(numbers: Numbers) -> Numbers:
    """The distinct ones of numbers from 0 on, sorted: three times as fast for a million of them as `np.unique`, which hashes."""
    numbers = np.sort(numbers)
    return numbers[np.diff(numbers, prepend=-1) > 0]


def find_places(known: Numbers, wanted: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The place of each wanted number in sorted ones, and whether it is there."""
    if not len(known):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return places, known[places] == wanted

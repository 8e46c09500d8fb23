"""Content of statements: facts as bytes and back, canonical (equal facts give equal bytes) and columnar.

The layout serves the lineage index, which reads millions of flows without an object for each one:
keys are written once and referred to by position, and flows are one flat list of integers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.model import (
    EDGE_TYPES,
    KINDS,
    AssetFact,
    AssetKey,
    AssetKind,
    Content,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Json,
)

_KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
_EDGE_CODE = {type_: code for code, type_ in enumerate(EDGE_TYPES)}
_COLUMN = _KIND_CODE[AssetKind.COLUMN]
_ROW_OF_FOUR = 0x94  # how MessagePack begins an array of four
_HAS_COLUMN = _EDGE_CODE[EdgeType.HAS_COLUMN]


class Layout(msgspec.Struct, array_like=True, frozen=True):
    """The decoded layout. Positions refer to `keys`.

    keys: [kind, part...]; a column is [COLUMN, position of its dataset (an earlier key), name].
    assets: [key, attributes]. edges: [type, start, end, attributes].
    flow_kinds: [type is INDIRECT, subtype, masking, covered, job key or -1].
    flows: start, end, flow kind, start, end, flow kind, ...
    """

    keys: list[list[int | str]]
    assets: list[tuple[int, dict[str, Any]]]
    edges: list[tuple[int, int, int, dict[str, Any]]]
    flow_kinds: list[tuple[int, str, int, int, int]]
    flows: list[int]


class _KeyRows(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The beginning of `Columns`."""

    keys: list[list[int | str]]


class _AttributeRows(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of `Layout`."""

    keys: list[list[int | str]]
    assets: list[tuple[int, dict[str, Any]]]


class FlowRows(msgspec.Struct, array_like=True, frozen=True):
    """The parts of `Layout` that flows need; the others as their bytes."""

    keys: list[list[int | str]]
    assets: msgspec.Raw
    edges: msgspec.Raw
    flow_kinds: list[tuple[int, str, int, int, int]]
    flows: list[int]


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Layout)
_flow_decoder = msgspec.msgpack.Decoder(FlowRows)
_key_decoder = msgspec.msgpack.Decoder(_KeyRows)
_attribute_decoder = msgspec.msgpack.Decoder(_AttributeRows)


def _encode_value(value: object) -> bytes:
    try:
        return _encoder.encode(value)
    except OverflowError:
        return _encoder.encode(_convert_large_integers(msgspec.to_builtins(value)))


def _convert_large_integers(value: Json) -> Json:
    """Replace integers of more than 64 bits, which MessagePack cannot encode, by floats, or by text if they do not fit a float."""
    if isinstance(value, list | tuple):
        return [_convert_large_integers(one) for one in value]
    if isinstance(value, dict):
        return {name: _convert_large_integers(one) for name, one in value.items()}
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        try:
            return float(value)
        except OverflowError:
            return str(value)
    return value


FlowKind: TypeAlias = tuple[FlowType, str, bool]  # type, subtype, masking
Pairs: TypeAlias = (
    Sequence[tuple[str, str | None]] | Sequence[tuple[str | None, str | None]]
)  # (column, column); None means the whole dataset

PLAIN: FlowKind = (FlowType.DIRECT, "", False)  # kind of flows between datasets, where a kind has no meaning
_WHOLE: Pairs = ((None, None),)


_EdgeRow: TypeAlias = tuple[int, int, int, dict[str, Any]]
_FIRST = itemgetter(0)


class Draft:
    """Collects the facts of one statement and encodes them. Order and repetitions have no effect.

    Columns are kept by dataset and name, so that thousands of flows need no `AssetKey` each.
    """

    def __init__(self) -> None:
        self._others: set[AssetKey] = set()  # all keys that are mentioned, except columns
        self._columns: dict[AssetKey, set[str | None]] = {}  # by dataset
        self._assets: dict[AssetKey, dict[str | None, dict[str, Json]]] = {}  # by column (None: the asset itself)
        self._edges: list[tuple[EdgeType, AssetKey, str | None, AssetKey, str | None, Mapping[str, Json]]] = []
        self._listings: list[tuple[AssetKey, Sequence[tuple[str, int | None]]]] = []
        self._flows: list[tuple[AssetKey, AssetKey, FlowKind, bool, AssetKey | None, Pairs]] = []

    def add_asset(self, asset: AssetKey, column: str | None, attributes: Mapping[str, Json]) -> None:
        """Add attributes of an asset (`column` None), or of a column of the dataset `asset`. Later values replace earlier ones."""
        self._add_key(asset, column)
        self._assets.setdefault(asset, {}).setdefault(column, {}).update(attributes)

    def add_columns(
        self, dataset: AssetKey, columns: Sequence[tuple[str, int | None]], attributes: Iterable[tuple[str, dict[str, Json]]]
    ) -> None:
        """Add (name, position) of columns of a dataset, and (name, attributes) of some of them. Position None: it is not known."""
        self._others.add(dataset)
        self._columns.setdefault(dataset, set()).update([name for name, _ in columns])
        self._listings.append((dataset, columns))
        facts = self._assets.setdefault(dataset, {})
        for name, stated in attributes:
            facts.setdefault(name, {}).update(stated)

    def add_flows(
        self, start: AssetKey, end: AssetKey, kind: FlowKind, pairs: Pairs = _WHOLE, *, covered: bool = False, job: AssetKey | None = None
    ) -> None:
        """Add flows of one kind between columns of two datasets; without `pairs`, one flow between the datasets."""
        self._others.update((start, end) if job is None else (start, end, job))
        if pairs is not _WHOLE:
            self._columns.setdefault(start, set()).update([origin for origin, _ in pairs])
            self._columns.setdefault(end, set()).update([target for _, target in pairs])
        self._flows.append((start, end, kind, covered, job, pairs))

    def add_facts(self, facts: Facts) -> None:
        for key, attributes in facts.assets:
            self.add_asset(*_split_column(key), attributes)
        for type_, start, end, attributes in facts.edges:
            places = (*_split_column(start), *_split_column(end))
            self._add_key(*places[:2])
            self._add_key(*places[2:])
            self._edges.append((type_, *places, attributes))
        groups: dict[tuple[AssetKey, AssetKey, FlowKind, bool, AssetKey | None], list[tuple[str | None, str | None]]] = {}
        for flow in facts.flows:
            (start, origin), (end, target) = _split_column(flow.start), _split_column(flow.end)
            group = start, end, (flow.type, flow.subtype, flow.masking), flow.covered, flow.job
            groups.setdefault(group, []).append((origin, target))
        for (start, end, kind, covered, job), pairs in groups.items():
            self.add_flows(start, end, kind, pairs, covered=covered, job=job)

    def build_content(self) -> Content:
        """Encode what was added, canonically."""
        others = sorted(self._others)
        rows: list[list[int | str]] = [[_KIND_CODE[kind], *parts] for kind, parts in others]
        at: dict[AssetKey, dict[str | None, int]] = {key: {None: position} for position, key in enumerate(others)}
        for position, key in enumerate(others):  # then columns, dataset by dataset
            if columns := self._columns.get(key):
                names = sorted([name for name in columns if name is not None])
                at[key].update(zip(names, range(len(rows), len(rows) + len(names)), strict=True))
                rows += [[_COLUMN, position, name] for name in names]
        kinds, flows = self._build_flow_rows(at)
        blob = _encode_value(
            Layout(
                keys=rows,
                assets=sorted(
                    [(at[of][name], stated) for of, by_name in self._assets.items() for name, stated in by_name.items()], key=_FIRST
                ),
                edges=self._build_edge_rows(at),
                flow_kinds=kinds,
                flows=flows,
            )
        )
        return Content(hashlib.blake2b(blob, digest_size=16).digest(), blob)

    def _add_key(self, of: AssetKey, column: str | None) -> None:
        self._others.add(of)
        if column is not None:
            self._columns.setdefault(of, set()).add(column)

    def _build_edge_rows(self, at: Mapping[AssetKey, Mapping[str | None, int]]) -> list[_EdgeRow]:
        rows: list[_EdgeRow] = [
            (_EDGE_CODE[type_], at[start][origin], at[end][target], dict(attributes))
            for type_, start, origin, end, target, attributes in self._edges
        ]
        for dataset, columns in self._listings:
            here = at[dataset]
            whole = here[None]
            rows += [(_HAS_COLUMN, whole, here[name], {} if position is None else {"position": position}) for name, position in columns]
        places = {row[:3]: row for row in rows}
        if len(places) < len(rows):  # some edges are stated twice: keep one for each set of attributes
            different = {(*row[:3], _encode_value(row[3])): row for row in rows}
            return [different[key] for key in sorted(different)]
        return [places[place] for place in sorted(places)]

    def _build_flow_rows(self, at: Mapping[AssetKey, Mapping[str | None, int]]) -> tuple[list[tuple[int, str, int, int, int]], list[int]]:
        kinds = [
            (int(type_ is FlowType.INDIRECT), subtype, int(masking), int(covered), -1 if job is None else at[job][None])
            for _, _, (type_, subtype, masking), covered, job, _ in self._flows
        ]
        distinct = sorted(set(kinds))
        number = {kind: i for i, kind in enumerate(distinct)}
        rows: set[tuple[int, int, int]] = set()
        for kind, (start, end, _, _, _, pairs) in zip(kinds, self._flows, strict=True):
            starts, ends, n = at[start], at[end], number[kind]
            rows.update([(starts[origin], ends[target], n) for origin, target in pairs])
        return distinct, [*chain.from_iterable(sorted(rows))]


def _split_column(key: AssetKey) -> tuple[AssetKey, str | None]:
    """(dataset, name) of a column; (key, None) of any other asset."""
    if key.kind is AssetKind.COLUMN:
        return AssetKey(AssetKind.DATASET, key.parts[:2]), key.parts[2]
    return key, None


def encode_facts(facts: Facts) -> Content:
    """The canonical content of facts: order and repetitions have no effect."""
    draft = Draft()
    draft.add_facts(facts)
    return draft.build_content()


EMPTY = encode_facts(Facts())  # the content of a tombstone


def decode_layout(blob: bytes) -> Layout:
    """Decode the bytes of a content into its layout. Raises StoreCorrupt."""
    try:
        return _decoder.decode(blob)
    except msgspec.MsgspecError as error:
        raise _build_error(error) from error


def decode_flow_rows(blob: bytes) -> FlowRows:
    """The flows of a content as numbers. Raises StoreCorrupt."""
    try:
        return _flow_decoder.decode(blob)
    except msgspec.MsgspecError as error:
        raise _build_error(error) from error


def _build_error(error: Exception) -> StoreCorrupt:
    return StoreCorrupt(f"a statement's content cannot be read ({error}): restore the store from a backup")


def may_move(rows: FlowRows) -> bool:
    """False if the content renames and drops nothing: by the bytes of its edges and attributes, which may also look as if it did."""
    return b"dropped" in bytes(rows.assets) or bytes((_ROW_OF_FOUR, _EDGE_CODE[EdgeType.RENAMED_TO])) in bytes(rows.edges)


def decode_key_rows(blob: bytes) -> list[list[int | str]]:
    """`Columns.keys` alone, in a third of the time."""
    return _key_decoder.decode(blob).keys


def decode_attributes(blob: bytes) -> dict[AssetKey, Mapping[str, Json]]:
    """The attributes that a content states, by asset: those of `decode_facts`, without objects for edges and flows. Raises StoreCorrupt."""
    try:
        rows = _attribute_decoder.decode(blob)
    except msgspec.MsgspecError as error:
        raise _build_error(error) from error
    return {_build_key(rows.keys, position): attributes for position, attributes in rows.assets}


def build_keys(layout: Layout) -> list[AssetKey]:
    """The asset keys of a layout, by position in `Layout.keys`."""
    result: list[AssetKey] = []
    for row in layout.keys:
        kind = KINDS[_check_integer(row[0])]
        if kind is AssetKind.COLUMN:
            result.append(AssetKey(kind, (*result[_check_integer(row[1])].parts, str(row[2]))))
        else:
            result.append(_build_whole_key(kind, row))
    return result


def _build_key(rows: Sequence[Sequence[int | str]], position: int) -> AssetKey:
    row = rows[position]
    kind = KINDS[_check_integer(row[0])]
    if kind is AssetKind.COLUMN:
        return AssetKey(kind, (*map(str, rows[_check_integer(row[1])][1:]), str(row[2])))
    return _build_whole_key(kind, row)


def _build_whole_key(kind: AssetKind, row: Sequence[int | str]) -> AssetKey:
    return AssetKey(kind, tuple(str(part) for part in row[1:]))


def _check_integer(value: int | str) -> int:
    assert isinstance(value, int)
    return value


DECODED = 8 * 2**20  # total bytes of contents whose facts are cached; the facts take about fifteen times as much
_decoded: BoundedCache[bytes, Facts] = BoundedCache(DECODED)


def decode_facts(blob: bytes) -> Facts:
    """Decode the facts of a content, or find them in the cache. Raises StoreCorrupt."""
    facts = _decoded.get(blob)
    return _decoded.keep(blob, _build_facts(blob), len(blob)) if facts is None else facts


def _build_facts(blob: bytes) -> Facts:
    layout = decode_layout(blob)
    keys = build_keys(layout)
    kinds = [
        (FlowType.INDIRECT if indirect else FlowType.DIRECT, subtype, bool(masking), bool(covered), keys[job] if job >= 0 else None)
        for indirect, subtype, masking, covered, job in layout.flow_kinds
    ]
    flat = iter(layout.flows)
    return Facts(
        assets=tuple(AssetFact(keys[k], attributes) for k, attributes in layout.assets),
        edges=tuple(EdgeFact(EDGE_TYPES[t], keys[a], keys[b], attributes) for t, a, b, attributes in layout.edges),
        flows=tuple(Flow(keys[a], keys[b], *kinds[k]) for a, b, k in zip(flat, flat, flat, strict=True)),
    )

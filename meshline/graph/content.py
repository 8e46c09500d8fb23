"""Content of statements: facts <-> bytes, canonical (equal facts give equal bytes) and columnar.

The layout is made for the lineage index, which reads millions of flows without making an object for
each: keys are written once and referred to by position, flows are one flat list of integers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.model import (
    EDGE_TYPES,
    KINDS,
    AssetFact,
    AssetKey,
    AssetKind,
    Content,
    EdgeFact,
    Facts,
    Flow,
    FlowType,
    Json,
)

_KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
_EDGE_CODE = {type_: code for code, type_ in enumerate(EDGE_TYPES)}
_COLUMN = _KIND_CODE[AssetKind.COLUMN]
_DATASET = _KIND_CODE[AssetKind.DATASET]


class Columns(msgspec.Struct, array_like=True, frozen=True):
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


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Columns)


class _Keys:
    """Positions of keys, datasets before their columns."""

    def __init__(self, keys: set[AssetKey]) -> None:
        datasets = {AssetKey(AssetKind.DATASET, k.parts[:2]) for k in keys if k.kind is AssetKind.COLUMN}
        others = sorted(k for k in keys | datasets if k.kind is not AssetKind.COLUMN)
        columns = sorted(k for k in keys if k.kind is AssetKind.COLUMN)
        self.position = {key: i for i, key in enumerate([*others, *columns])}
        self.rows: list[list[int | str]] = [[_KIND_CODE[k.kind], *k.parts] for k in others]
        self.rows += [[_COLUMN, self.position[AssetKey(AssetKind.DATASET, k.parts[:2])], k.parts[2]] for k in columns]


def encode(facts: Facts) -> Content:
    """The canonical content of facts: order and repetition do not matter."""
    used: set[AssetKey] = set()
    merged: dict[AssetKey, dict[str, Json]] = {}
    for asset in facts.assets:
        merged.setdefault(asset.key, {}).update(asset.attributes)
    used.update(merged)
    for edge in facts.edges:
        used.add(edge.start)
        used.add(edge.end)
    for flow in facts.flows:
        used.add(flow.start)
        used.add(flow.end)
        if flow.job is not None:
            used.add(flow.job)
    keys = _Keys(used)
    at = keys.position
    triples = {(at[f.start], at[f.end], _flow_kind(f, at)) for f in facts.flows}
    kinds = sorted({kind for _, _, kind in triples})
    kind_at = {kind: i for i, kind in enumerate(kinds)}
    flows = sorted((start, end, kind_at[kind]) for start, end, kind in triples)
    edges = {(_EDGE_CODE[e.type], at[e.start], at[e.end], _encoder.encode(dict(e.attributes))): dict(e.attributes) for e in facts.edges}
    blob = _encoder.encode(
        Columns(
            keys=keys.rows,
            assets=[(at[key], merged[key]) for key in sorted(merged, key=at.__getitem__)],
            edges=[(*e[:3], edges[e]) for e in sorted(edges)],
            flow_kinds=kinds,
            flows=[n for flow in flows for n in flow],
        )
    )
    return Content(hashlib.blake2b(blob, digest_size=16).digest(), blob)


EMPTY = encode(Facts())  # the content of a tombstone


def _flow_kind(flow: Flow, at: dict[AssetKey, int]) -> tuple[int, str, int, int, int]:
    job = -1 if flow.job is None else at[flow.job]
    return int(flow.type is FlowType.INDIRECT), flow.subtype, int(flow.masking), int(flow.covered), job


def columns(blob: bytes) -> Columns:
    """The layout as written; for the index."""
    try:
        return _decoder.decode(blob)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"a statement's content cannot be read ({error}): restore the store from a backup") from error


def keys_of(layout: Columns) -> list[AssetKey]:
    """The asset keys of a layout, by position."""
    result: list[AssetKey] = []
    for row in layout.keys:
        kind = KINDS[_integer(row[0])]
        if kind is AssetKind.COLUMN:
            result.append(AssetKey(kind, (*result[_integer(row[1])].parts, str(row[2]))))
        else:
            result.append(AssetKey(kind, tuple(str(part) for part in row[1:])))
    return result


def _integer(value: int | str) -> int:
    assert isinstance(value, int)
    return value


@lru_cache(maxsize=4096)
def decode(blob: bytes) -> Facts:
    """The facts of encoded content."""
    layout = columns(blob)
    keys = keys_of(layout)
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

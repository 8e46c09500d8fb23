"""All that an index knows, as arrays and one encoded part, to be written to a file and put into an empty index again.

Arrays are as they are; what else the index knows is small in comparison, and is encoded as msgpack, by the types that classes state
in `SAVED`. What classes do not state there is derived: caches, which are filled when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from meshline.graph.index.arrays import (
    N_COUNTS,
    N_FACTS,
    N_FLOWS,
    N_FOLDS,
    N_KINDS,
    N_NAMED,
    N_NAMES,
    N_NODES,
    N_RELATIONS,
    N_TEXT,
    SALT,
    Csr,
    Facts,
    FlowKinds,
    Flows,
    Folds,
    Mentions,
    Names,
    Nodes,
    Overlay,
    Relations,
)
from meshline.graph.index.heads import Heads
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.snapshot_file import Array, Part, take_array
from meshline.graph.own_files import Unusable

Group = TypeVar("Group", bound=tuple[Any, ...])

SPARE_SHARE, SPARE_ROWS = 8, 262_144  # room for a part of the rows in use more, and for at least so many: as much as a large content needs

_GROUPS: dict[str, tuple[type[tuple[Any, ...]], int | None]] = {  # None: of exactly their length
    "names": (Names, N_NAMES),
    "nodes": (Nodes, N_NODES),
    "folds": (Folds, N_FOLDS),
    "kinds": (FlowKinds, N_KINDS),
    "flows": (Flows, N_FLOWS),
    "relations": (Relations, N_RELATIONS),
    "facts": (Facts, N_FACTS),
    "mentions": (Mentions, N_NAMED),
    "overlay": (Overlay, N_FLOWS),
    "outgoing": (Csr, None),
    "incoming": (Csr, None),
}
STATE = "state"


class _Saved(NamedTuple):
    """Objects with a `SAVED`: the types of the attributes that are encoded, by name."""

    name: str
    owner: Any


def collect_parts(loader: HeadLoader) -> dict[str, Part]:
    """Everything, as it is now: the arrays are the index's own, to be copied before it changes."""
    parts = {name: Part(array[:used], used + max(used // SPARE_SHARE, SPARE_ROWS)) for name, array, used in _list_growing(loader)}
    parts |= {name: Part(array, len(array)) for name, array in _list_exact(loader)}
    parts[STATE] = Part(np.frombuffer(_encode_state(loader), np.uint8), 0)
    return parts


def restore_parts(loader: HeadLoader, arrays: Mapping[str, Array]) -> None:
    """Put everything into an empty loader. Raises Unusable."""
    tables = loader.tables
    tables.counts = take_array(arrays, "counts", tables.counts, N_COUNTS).copy()
    heads = tables.heads = Heads(int(tables.counts[SALT]))
    for name, (group, _) in _GROUPS.items():
        fresh = getattr(tables, name)
        setattr(tables, name, group(*(take_array(arrays, f"{name}.{field}", getattr(fresh, field)) for field in _list_names(group))))
    for field in heads.NUMBERS:
        setattr(heads, field, take_array(arrays, f"heads.{field}", getattr(heads, field)))
    heads.starts = take_array(arrays, "heads.starts", heads.starts)
    heads.by_scope = take_array(arrays, "heads.by_scope", heads.by_scope)
    heads.scopes.text = take_array(arrays, "heads.scopes.text", heads.scopes.text)
    heads.scopes.starts = take_array(arrays, "heads.scopes.starts", heads.scopes.starts)
    _restore_state(loader, take_array(arrays, STATE, np.empty(0, np.uint8)))
    heads.scopes.n = heads.n
    for name, array, used in _list_growing(loader):
        if not 0 <= used <= len(array):
            raise Unusable(f"it is damaged: {name} is too short")
    loader.silent_jobs.restore(take_array(arrays, "silent", np.empty(0, np.uint8)))
    loader.dataset_renames.restore()
    loader.owners.restore()
    loader.restore()


def list_arrays(loader: HeadLoader) -> list[Array]:
    """The arrays of an index: those of its parts."""
    return [*(array for _, array, _ in _list_growing(loader)), *(array for _, array in _list_exact(loader))]


def _list_growing(loader: HeadLoader) -> Iterator[tuple[str, Array, int]]:
    """The arrays that grow row by row, each with the rows in use."""
    tables, heads = loader.tables, loader.tables.heads
    for name, (group, count) in _GROUPS.items():
        if count is not None:
            used = int(tables.counts[count]) - (tables.folded if group is Overlay else 0)
            for field in _list_names(group):
                if field != "slots":
                    yield f"{name}.{field}", getattr(getattr(tables, name), field), int(tables.counts[N_TEXT]) if field == "text" else used
    for field in heads.NUMBERS:
        yield f"heads.{field}", getattr(heads, field), heads.n
    yield "heads.starts", heads.starts, heads.n + 1
    yield "heads.scopes.text", heads.scopes.text, heads.scopes.size
    yield "heads.scopes.starts", heads.scopes.starts, heads.n + 1


def _list_exact(loader: HeadLoader) -> Iterator[tuple[str, Array]]:
    """The arrays whose length means something."""
    tables = loader.tables
    for name, (group, count) in _GROUPS.items():
        for field in _list_names(group):
            if count is None or field == "slots":
                yield f"{name}.{field}", getattr(getattr(tables, name), field)
    yield "counts", tables.counts
    yield "heads.by_scope", tables.heads.by_scope
    yield "silent", loader.silent_jobs.array


def _list_names(group: type[tuple[Any, ...]]) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(group, "_fields")  # noqa: B009 - of a NamedTuple
    return names


def _list_saved(loader: HeadLoader) -> Iterator[_Saved]:
    yield _Saved("loader", loader)
    yield _Saved("tables", loader.tables)
    yield _Saved("heads", loader.tables.heads)
    yield _Saved("identity", loader.identity)
    yield _Saved("owners", loader.owners)
    yield _Saved("datasets", loader.dataset_renames)
    yield _Saved("columns", loader.column_renames)
    yield _Saved("pairs", loader.pairs)
    yield _Saved("silent", loader.silent_jobs)


def _encode_state(loader: HeadLoader) -> bytes:
    return msgspec.msgpack.encode({name: {field: getattr(owner, field) for field in owner.SAVED} for name, owner in _list_saved(loader)})


def _restore_state(loader: HeadLoader, encoded: Array) -> None:
    try:
        parts = msgspec.msgpack.decode(encoded.tobytes(), type=dict[str, msgspec.Raw])
        for name, owner in _list_saved(loader):
            fields = msgspec.msgpack.decode(parts[name], type=dict[str, msgspec.Raw])
            for field, type_ in owner.SAVED.items():
                _set_field(owner, field, msgspec.msgpack.decode(fields[field], type=type_))
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"it is damaged ({type(error).__name__})") from None


def _set_field(owner: Any, field: str, value: Any) -> None:
    """Set an attribute; of a container, fill what is there, which may be one that makes missing values."""
    known = getattr(owner, field)
    if isinstance(known, dict):
        known.update(value)
    else:
        setattr(owner, field, value)

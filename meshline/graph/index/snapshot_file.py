"""The file of a snapshot: a header, and arrays as they are in memory, each at the beginning of a page.

It is data: nothing in it is executed, and nothing is believed that does not fit. The header names each part with its place, and the
checksums of all that is in use; a reader compares them all before it uses any (`zlib_ng.crc32`: ten times as fast as a disk).
A reader maps the file privately: pages that it does not change are shared by all processes, and its changes stay its own.
Each array has spare room at its end, a hole in the file, so that a few more rows do not have it copied.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import mmap
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from zlib_ng.zlib_ng import crc32

from meshline.graph.own_files import Unusable, open_own_file, sync_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

Array: TypeAlias = npt.NDArray[Any]

FORMAT = 1
_BEGINNING = f"meshline index {FORMAT}\n".encode()
_PAGE = 65_536  # the largest page of usual systems
_MOST_HEADER = 1_000_000  # bytes
_CHUNK = 1 << 24  # bytes that are written at once
_PAGE_ENTRY = np.dtype(np.uint64)
_PRESENT, _OF_FILE = np.uint64(3 << 62), np.uint64(1 << 61)  # bits of these: in memory, or swapped out; a page of a file
_LENGTHS = 12  # bytes: of the header, and its checksum


class Part(NamedTuple):
    """An array to write: its rows in use, and for how many there is room in the file. Both count along the first dimension."""

    array: Array
    room: int


class _Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    dtype: str
    shape: tuple[int, ...]
    room: int
    offset: int
    crc: int


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    order: str
    facts: msgspec.Raw  # of the caller
    parts: dict[str, _Place]
    size: int


class Busy(Exception):
    """Another process writes the file."""


class Snapshot(NamedTuple):
    """What a file has: what the caller stated when it was written, and the arrays by name, which may be changed; see `Part.room`."""

    facts: bytes
    arrays: dict[str, Array]


@functools.cache
def compute_code_digest() -> str:
    """A digest of the code that makes an index of statements: what other code made may mean something else."""
    folder = Path(__file__).parent
    sources = sorted({*folder.rglob("*.py"), *folder.parent.glob("*.py"), folder.parent / "store" / "head_table.py"})
    state = [f"{sys.implementation.cache_tag} {np.__version__}".encode(), *(source.read_bytes() for source in sources)]
    return hashlib.blake2b(b"\0".join(state), digest_size=16).hexdigest()


def open_snapshot(path: Path, code: str, check: Callable[[bytes], None]) -> Snapshot:
    """Map a file. `code`: what wrote it must be the same. `check`: raises Unusable for facts that do not fit, before the rest is read.

    Raises Unusable, FileNotFoundError, OSError.
    """
    with open_own_file(path) as file:
        header = _read_header(file, code, os.fstat(file.fileno()).st_size)
        check(bytes(header.facts))
        mapped = mmap.mmap(file.fileno(), header.size, access=mmap.ACCESS_COPY)
    arrays: dict[str, Array] = {}
    for name, place in header.parts.items():
        dtype, rest = np.dtype(place.dtype), place.shape[1:]
        array = np.frombuffer(mapped, dtype, place.room * math.prod(rest), place.offset).reshape(place.room, *rest)
        if crc32(array[: place.shape[0]].reshape(-1).view(np.uint8)) != place.crc:
            raise Unusable("it is damaged")
        arrays[name] = array
    return Snapshot(bytes(header.facts), arrays)


def take_array(arrays: Mapping[str, Array], name: str, like: Array, length: int | None = None) -> Array:
    """The array of a name, of the type and width of another one. Raises Unusable."""
    found = arrays.get(name)
    if found is None or found.dtype != like.dtype or found.shape[1:] != like.shape[1:] or (length is not None and len(found) != length):
        raise Unusable("it is damaged: an array is not what it should be")
    return found


def add_prefix(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The same arrays, with `prefix.` before each name."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def select_arrays(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays with names that begin with `prefix.`, by the rest of these."""
    return {name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")}


def pack_texts(texts: Sequence[str]) -> dict[str, Array]:
    """Texts as two arrays: `text`, all of them in UTF-8, and `starts`, of each in it, and the end of the last."""
    encoded = [text.encode() for text in texts]
    return {
        "text": np.frombuffer(b"".join(encoded), np.uint8),
        "starts": np.concatenate([np.zeros(1, np.int64), np.cumsum([len(text) for text in encoded], dtype=np.int64)]),
    }


def unpack_texts(arrays: Mapping[str, Array]) -> list[str]:
    """The texts of `pack_texts`. Raises Unusable."""
    text, starts = take_texts(arrays)
    encoded, places = text.tobytes(), starts.tolist()
    return [encoded[begin:end].decode() for begin, end in pairwise(places)]


def take_texts(arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    """The arrays of `pack_texts`. Raises Unusable."""
    text, starts = take_array(arrays, "text", np.empty(0, np.uint8)), take_array(arrays, "starts", np.empty(0, np.int64))
    if not len(starts) or starts[-1] != len(text):
        raise Unusable("it is damaged: an array is not what it should be")
    return text, starts


def count_private_bytes(arrays: Iterable[Array]) -> int:
    """The memory of arrays that nothing else shares: of a mapped file the pages that changed, or all where it is not known."""
    own, mappings = 0, {}
    for array in arrays:
        mapping = _find_mapping(array)
        if mapping is None:
            own += array.nbytes
        else:
            mappings[id(mapping)] = mapping
    return own + sum(map(_count_changed, mappings.values()))


def _find_mapping(array: Array) -> mmap.mmap | None:
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    base = base.obj if isinstance(base, memoryview) else base
    return base if isinstance(base, mmap.mmap) else None


def _count_changed(mapping: mmap.mmap) -> int:
    """The bytes of the pages of a private mapping that are in memory and not those of the file."""
    begin = np.frombuffer(mapping, np.uint8).ctypes.data
    try:
        with Path("/proc/self/pagemap").open("rb", buffering=0) as file:  # of Linux: an integer for each page of this process
            file.seek(begin // mmap.PAGESIZE * _PAGE_ENTRY.itemsize)
            pages = np.frombuffer(file.read(-(-len(mapping) // mmap.PAGESIZE) * _PAGE_ENTRY.itemsize), _PAGE_ENTRY)
    except OSError:
        return len(mapping)
    return int(np.count_nonzero((pages & _PRESENT != 0) & (pages & _OF_FILE == 0))) * mmap.PAGESIZE


class SnapshotWriter:
    """Writes one file, beside the one of this name, which it replaces at the end: `write` copies the arrays, `finish` does the rest.

    Two steps, since the arrays must not change in the first one, and the second waits for the disk. One process writes at a time: the
    file under its temporary name (`.new` behind the name) is locked until it has the other one; what a killed process has left there is
    written over. Raises Busy, OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._name = path, path.with_name(f"{path.name}.new")
        self._file = _open_new(self._name)
        self._places: dict[str, _Place] = {}
        self._end = -(-_MOST_HEADER // _PAGE) * _PAGE

    def make_room(self, parts: Mapping[str, Part]) -> None:
        """Write zeros where about such parts will be, so that `write` need not wait for memory and space. They may be changing."""
        zeros = memoryview(bytes(_CHUNK))
        for place in _plan_places(parts, self._end)[0].values():
            size = place.shape[0] * _measure_row(place)
            self._file.seek(place.offset)
            for begin in range(0, size, _CHUNK):
                _write_all(self._file, zeros[: min(_CHUNK, size - begin)])

    def write(self, parts: Mapping[str, Part]) -> None:
        """Copy arrays into the file, behind those that are in it."""
        places, self._end = _plan_places(parts, self._end)
        for name, place in places.items():
            self._file.seek(place.offset)
            _write_all(self._file, np.ascontiguousarray(parts[name].array).reshape(-1).view(np.uint8).data)
        self._places |= places

    def finish(self, code: str, facts: bytes) -> None:
        """Give the file its header and its name."""
        self._file.truncate(self._end)
        for name, place in self._places.items():
            self._places[name] = msgspec.structs.replace(place, crc=self._compute_crc(place))
        header = msgspec.msgpack.encode(_Header(code, sys.byteorder, msgspec.Raw(facts), self._places, self._end))
        assert len(header) < _MOST_HEADER - 100
        lengths = len(header).to_bytes(8, "little") + crc32(header).to_bytes(4, "little")
        self._file.seek(0)
        _write_all(self._file, _BEGINNING + lengths + header)
        os.fsync(self._file.fileno())
        self._name.replace(self._path)
        self._file.close()
        with contextlib.suppress(OSError):  # some systems cannot do this with a folder
            sync_folder(self._path.parent)

    def close(self) -> None:
        """Remove the file unless it is finished."""
        if not self._file.closed:
            with contextlib.suppress(OSError):
                self._name.unlink()
            self._file.close()

    def _compute_crc(self, place: _Place) -> int:
        """The checksum of what is in the file: it was copied once, so this is what any reader finds."""
        left, crc = place.shape[0] * _measure_row(place), 0
        self._file.seek(place.offset)
        while left:
            part = self._file.read(min(left, _CHUNK))
            if not part:
                raise OSError(0, "the file ends too early")
            crc, left = crc32(part, crc), left - len(part)
        return crc


def _plan_places(parts: Mapping[str, Part], begin: int) -> tuple[dict[str, _Place], int]:
    """(where each part is in the file, where the next one can begin)."""
    places: dict[str, _Place] = {}
    for name, part in parts.items():
        room = max(part.room, len(part.array))
        place = places[name] = _Place(part.array.dtype.str, part.array.shape, room, begin, 0)
        begin += (room * _measure_row(place) // _PAGE + 1) * _PAGE
    return places, begin


def _measure_row(place: _Place) -> int:
    """The bytes of one row."""
    return math.prod(place.shape[1:]) * np.dtype(place.dtype).itemsize


def _write_all(file: Any, content: bytes | memoryview) -> None:
    """Write all, whatever a single call writes."""
    view = memoryview(content)
    for begin in range(0, len(view), _CHUNK):
        part = view[begin : begin + _CHUNK]
        while len(part):
            part = part[file.write(part) :]


def _read_header(file: BinaryIO, code: str, size: int) -> _Header:
    start = file.read(len(_BEGINNING) + _LENGTHS)
    if len(start) < len(_BEGINNING) + _LENGTHS or not start.startswith(_BEGINNING):
        raise Unusable("it is no snapshot of this version")
    lengths = start[len(_BEGINNING) :]
    length = int.from_bytes(lengths[:8], "little")
    encoded = file.read(length) if length < _MOST_HEADER else b""
    if len(encoded) != length or crc32(encoded) != int.from_bytes(lengths[8:], "little"):
        raise Unusable("it is damaged")
    try:
        header = msgspec.msgpack.decode(encoded, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unusable("it is damaged") from None
    if header.code != code or header.order != sys.byteorder:
        raise Unusable("another version of meshline wrote it")
    if header.size != size or not all(_fits(place, size) for place in header.parts.values()):
        raise Unusable("it is damaged: its length is wrong")
    return header


def _fits(place: _Place, size: int) -> bool:
    """Whether a part is within the file."""
    if not place.shape or min(place.shape) < 0 or not place.shape[0] <= place.room or place.offset < 0:
        return False
    try:
        width = np.dtype(place.dtype)
    except TypeError:
        return False
    return not width.hasobject and place.offset + place.room * math.prod(place.shape[1:]) * width.itemsize <= size


def _open_new(path: Path) -> FileIO:
    """Open and lock an empty file for writing. Raises Busy, OSError."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    file = FileIO(os.open(path, flags, 0o600), "r+")
    try:
        if fcntl is not None:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened, there = os.fstat(file.fileno()), path.lstat()
        if (opened.st_dev, opened.st_ino) != (there.st_dev, there.st_ino):  # it has got its name since
            raise BlockingIOError  # noqa: TRY301 - as above
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), 0o600)
        file.truncate(0)
    except (BlockingIOError, FileNotFoundError):
        file.close()
        raise Busy from None
    except BaseException:
        file.close()
        raise
    return file

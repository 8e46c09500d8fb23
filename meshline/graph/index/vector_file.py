"""The vectors of names in a file, so that a process need not make them again. Whatever is wrong with the file, they are made again.

Names are in it as digests of their words. Only its owner may read it, since digests of names can be guessed, also of hidden ones.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from meshline.graph.index.text_model import I8, SCALE
from meshline.graph.own_files import Unusable, open_own_file

U64 = npt.NDArray[np.uint64]

log = logging.getLogger("meshline.vectors")

_BEGINNING = b"meshline vectors 1\n"
_MOST_HEADER = 100_000  # bytes
_ABANDONED_SECONDS = 3600.0  # after which a file that a process has not finished is removed
_SAME = 0.98  # the least cosine of two vectors of one text by one model
_DIGEST = 32  # bytes at the end of the file


class Owner(NamedTuple):
    """What the vectors of a file are of. `sample`: the vector of one text, which the model must still make alike."""

    model: str
    digest: str
    sample: I8


class Vectors(NamedTuple):
    """`keys`: shape (vectors, 2), as of `compute_keys`, ordered by the first number. `rows`: shape (vectors, dimension)."""

    keys: U64
    rows: I8


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    digest: str
    scale: int
    sample: list[int]
    count: int


def compute_keys(texts: Sequence[str]) -> U64:
    """The digests of texts, shape (texts, 2)."""
    content = b"".join(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts)
    return np.frombuffer(content, np.dtype("<u8")).reshape(-1, 2).astype(np.uint64)


def find_keys(known: U64, wanted: U64) -> npt.NDArray[np.int64]:
    """The place of each wanted key among the known ones, which are ordered; -1 where it is not."""
    if not len(known):
        return np.full(len(wanted), -1, np.int64)
    places = np.minimum(np.searchsorted(known[:, 0], wanted[:, 0]), len(known) - 1)
    return np.where((known[places] == wanted).all(axis=1), places, -1)


def read_vectors(path: Path, owner: Owner, most: int) -> Vectors | None:
    """The vectors of a file, if they are the owner's and at most this many. None if the file is absent, or cannot be used."""
    try:
        with open_own_file(path) as file:
            return _read_content(file, owner, most)
    except FileNotFoundError:
        return None
    except (Unusable, OSError, ValueError, MemoryError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        log.warning("the vectors in %s are not used, and are made again: %s", path, reason or type(error).__name__)
        return None


def write_vectors(path: Path, owner: Owner, vectors: Vectors, most: int) -> None:
    """Write vectors, with those of the same owner that the file has, but at most this many. A reader sees the old or the new file.

    Of processes that write at once, the last one wins: what it does not know is made again. Raises OSError.
    """
    others = read_vectors(path, owner, most)
    if others is not None and len(vectors.keys) < most:
        new = np.flatnonzero(find_keys(vectors.keys, others.keys) < 0)[: most - len(vectors.keys)]
        vectors = order_vectors(np.concatenate([vectors.keys, others.keys[new]]), np.concatenate([vectors.rows, others.rows[new]]))
    _remove_abandoned(path)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".new")  # its mode is 0600
    try:
        with os.fdopen(number, "wb") as file:
            _write_content(file, owner, Vectors(vectors.keys[:most], vectors.rows[:most]))
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def order_vectors(keys: U64, rows: I8) -> Vectors:
    """Vectors in the order of their keys, each key once."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return Vectors(ordered[first], rows[order[first]])


def _read_content(file: BinaryIO, owner: Owner, most: int) -> Vectors:
    digest = hashlib.blake2b(digest_size=_DIGEST)
    if file.read(len(_BEGINNING)) != _BEGINNING:
        raise Unusable("it is no file of vectors of this version")
    line = file.readline(_MOST_HEADER)
    try:
        header = msgspec.json.decode(line, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unusable("it is damaged") from None
    _check_header(header, owner, most)
    dimension = len(owner.sample)
    size = len(_BEGINNING) + len(line) + header.count * (16 + dimension) + _DIGEST
    if os.fstat(file.fileno()).st_size != size:
        raise Unusable("it is damaged: its length is wrong")
    keys, rows = np.empty((header.count, 2), np.dtype("<u8")), np.empty((header.count, dimension), np.int8)
    digest.update(_BEGINNING + line)
    for part in (keys.reshape(-1).view(np.uint8), rows.reshape(-1).view(np.uint8)):
        if file.readinto(part.data) != len(part):  # type: ignore[attr-defined]  # a buffered reader has it
            raise Unusable("it is damaged: it ends too early")
        digest.update(part.data)
    if file.read() != digest.digest():
        raise Unusable("it is damaged")
    return Vectors(np.asfortranarray(keys, np.uint64), rows)  # so that `find_keys` has all first numbers together


def _check_header(header: _Header, owner: Owner, most: int) -> None:
    """Raises Unusable."""
    if (header.model, header.digest, header.scale, len(header.sample)) != (owner.model, owner.digest, SCALE, len(owner.sample)):
        raise Unusable("they are of another model")
    one, other = np.array(header.sample, np.float64), owner.sample.astype(np.float64)
    if not one @ other >= _SAME * np.linalg.norm(one) * np.linalg.norm(other):
        raise Unusable("its model makes other vectors now")
    if not 0 <= header.count <= most:
        raise Unusable(f"it has {header.count:,} of them, and search_vectors_most is {most:,}")


def _write_content(file: BinaryIO, owner: Owner, vectors: Vectors) -> None:
    header = _Header(owner.model, owner.digest, SCALE, owner.sample.tolist(), len(vectors.keys))
    digest = hashlib.blake2b(digest_size=_DIGEST)
    rows = np.ascontiguousarray(vectors.rows, np.int8)
    keys = np.ascontiguousarray(vectors.keys, np.dtype("<u8"))
    for part in (_BEGINNING, msgspec.json.encode(header) + b"\n", keys.tobytes(), rows.tobytes()):
        digest.update(part)
        file.write(part)
    file.write(digest.digest())
    file.flush()
    os.fsync(file.fileno())


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed have left."""
    for file in path.parent.glob(f"{glob.escape(path.name)}.*.new"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > _ABANDONED_SECONDS:
                file.unlink()

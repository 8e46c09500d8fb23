"""The vectors of names, by which search finds names that share no word with a question. One collection for all indexes of a graph.

Vectors are of distinct texts, not of assets. A file keeps them for the next process (`vector_file`).
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from meshline.graph.index.embedding_server import BATCH_SECONDS, QUESTION_SECONDS, EmbeddingServer, ModelUnavailable, OtherModel
from meshline.graph.index.results import Ints
from meshline.graph.index.text_model import ADDRESSES, I8, SCALE, read_model
from meshline.graph.index.vector_file import U64, Owner, compute_keys, find_keys, order_vectors, read_vectors, write_vectors
from meshline.graph.word_forms import split_name

log = logging.getLogger("meshline.vectors")

NOT_YET, NO_ROOM = -1, -2  # in place of a row
MOST_NAMES = 1_000_000  # that have vectors, unless it is set
_BLOCK = 16_384  # vectors that are compared at once
_EXACT = 1_024  # numbers of two stored vectors whose sum of products is exact in single precision
_BATCH = 1_000  # texts that are embedded at once
_QUESTIONS = 2_000  # whose vectors are remembered
_MOST_WAITING = 100  # questions whose vectors are made later
_WAIT_SECONDS = 2.0  # for vectors that are just made, before the file is written: else the next time
_LEAST_NEW = 1_000  # vectors that are not in the file, from which on it is written again


class VectorModel(Protocol):
    """Makes vectors of texts. `dimension`, `sample` and `least_cosine`: after `connect`. `problem`: why it makes none now."""

    name: str
    digest: str

    @property
    def is_remote(self) -> bool: ...
    @property
    def problem(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def sample(self) -> I8: ...
    @property
    def least_cosine(self) -> float: ...
    def connect(self, seconds: float = ...) -> None: ...
    def compute_vectors(self, texts: Sequence[str], seconds: float = ...) -> I8: ...
    def close(self) -> None: ...


class ModelChoice(NamedTuple):
    """The model of vectors, as settings have it. `file`: where vectors are kept; `most`: how many names have one. `name`, `token`: of the
    model at a server, and for it.
    """

    setting: str
    file: Path | None = None
    most: int = MOST_NAMES
    name: str = ""
    token: str | None = None


class NameVectors:
    """Vectors by name. Thread-safe."""

    def __init__(self, model: VectorModel, file: Path | None = None, most: int = MOST_NAMES) -> None:
        self.model, self.most = model, most
        self._file = file
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._adding = threading.Lock()  # of one batch after the other, so that no vector is asked for twice
        self._rows: dict[str, int] = {}
        self._vectors: I8 = np.empty((0, 0), np.int8)
        self._keys: U64 = np.empty((0, 2), np.uint64)  # of the vectors' texts
        self._size = 0  # vectors, of names and of the file
        self._read: U64 | None = None  # keys of the file, in the order of the first rows; None: not read yet
        self._free: Iterator[int] = iter(())  # rows of the file that may be overwritten, when there is no room for more
        self._used: set[int] = set()  # rows of the file that a name has
        self._unsaved = 0  # vectors that are not in the file
        self._requested: dict[str, None] = {}
        self._waiting: dict[str, None] = {}  # questions
        self._questions: OrderedDict[str, I8] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_remote(self) -> bool:
        """Whether a vector may take long, so that none is made while the graph is locked."""
        return self.model.is_remote

    @property
    def is_full(self) -> bool:
        """Whether no more names can have vectors."""
        return len(self._rows) >= self.most

    @property
    def least_cosine(self) -> float:
        """From which on a name without a word of the question is found."""
        return self.model.least_cosine

    def find_rows(self, names: Sequence[str]) -> Ints:
        """The place of each name's vector, NOT_YET or NO_ROOM where there is none."""
        absent = NO_ROOM if self.is_full else NOT_YET
        return np.array([self._rows.get(name, absent) for name in names], np.int32)

    def add(self, names: Iterable[str]) -> None:
        """Make the vectors of names that have none, as far as there is room. Raises ModelUnavailable, OtherModel."""
        with self._adding:
            self.model.connect(BATCH_SECONDS)
            self._open()
            new = [name for name in dict.fromkeys(names) if name not in self._rows]
            room = max(0, self.most - len(self._rows))
            for begin in range(0, min(room, len(new)), _BATCH):
                self._add_batch(new[begin : min(begin + _BATCH, room)])
            if len(new) > room:
                log.warning("%s names have no vectors: search_vectors_most is %s", f"{len(new) - room:,} more", f"{self.most:,}")

    def request(self, names: Iterable[str]) -> None:
        """Let the next `add_requested` make the vectors of these names."""
        with self._lock:
            if not self.is_full:
                self._requested.update(dict.fromkeys(names))

    def add_requested(self) -> None:
        """Raises ModelUnavailable, OtherModel; what was not made must be requested again."""
        with self._lock:
            requested, self._requested = self._requested, {}
            questions, self._waiting = self._waiting, {}
        if questions:
            self.prepare_questions([*questions])
        if requested:
            self.add(requested)

    def prepare_questions(self, texts: Sequence[str], seconds: float = QUESTION_SECONDS) -> None:
        """Make the vectors of questions, so that `compare` need not: not while the graph is locked, for it may take this long.

        A failure is the state of the model, which `problem` states.
        """
        asked = {text: " ".join(split_name(text)) for text in texts[:_QUESTIONS] if not self.has_question(text)}
        if asked:
            try:
                vectors = self.model.compute_vectors([*asked.values()], seconds)
            except (ModelUnavailable, OtherModel) as error:
                log.debug("a question has no vector: %s", error)
                return
            with self._lock:
                self._questions.update(zip(asked, vectors, strict=True))
                while len(self._questions) > _QUESTIONS:
                    self._questions.popitem(last=False)

    def has_question(self, text: str) -> bool:
        """Whether `compare` waits for nothing."""
        return not self.is_remote or text in self._questions

    def request_question(self, text: str) -> None:
        """Let the next `add_requested` make the vector of a question."""
        with self._lock:
            if len(self._waiting) < _MOST_WAITING:
                self._waiting[text] = None

    def compare(self, text: str, rows: Ints) -> npt.NDArray[np.int64]:
        """The products of a text's vector with those at these places, in parts of `SCALE` squared: exact, in whatever order."""
        asked = self._questions.get(text) if self.is_remote else self.model.compute_vectors([" ".join(split_name(text))])[0]
        vectors, found = self._vectors, np.zeros(len(rows), np.int64)
        if asked is None:  # forgotten since: so many others were asked
            return found
        for begin in range(0, len(rows), _BLOCK):
            some = vectors[rows[begin : begin + _BLOCK]].astype(np.float32)
            for place in range(0, len(asked), _EXACT):
                part = slice(place, place + _EXACT)
                found[begin : begin + _BLOCK] += (some[:, part] @ asked[part].astype(np.float32)).astype(np.int64)
        return found

    def save(self, *, now: bool = False) -> None:
        """Write the file if many vectors are not in it; with `now`, if any is not. A failure is logged: vectors can be made again."""
        with self._saving:
            enough = 1 if now or self._read is None or not len(self._read) else max(_LEAST_NEW, self._size // 20)
            if self._file is None or self._unsaved < enough or not self._adding.acquire(timeout=_WAIT_SECONDS):
                return
            try:  # names that come need not wait for the disk
                vectors, self._unsaved = order_vectors(self._keys[: self._size], self._vectors[: self._size]), 0
            finally:
                self._adding.release()
            try:
                write_vectors(self._file, self._build_owner(), vectors, self.most)
            except OSError as error:
                log.warning("the vectors of names cannot be kept in %s: %s", self._file, error.strerror or error)
                self._file = None

    def close(self) -> None:
        """Write what the file lacks, and end connections."""
        self.save(now=True)
        self.model.close()

    def _build_owner(self) -> Owner:
        return Owner(self.model.name, self.model.digest, self.model.sample)

    def _open(self) -> None:
        """Read the file, once: only a connected model can show whether it is its own."""
        if self._read is not None:
            return
        found = None if self._file is None else read_vectors(self._file, self._build_owner(), self.most)
        if found is None:
            self._vectors, self._read = np.empty((0, self.model.dimension), np.int8), np.empty((0, 2), np.uint64)
        else:
            self._vectors, self._keys, self._read, self._size = found.rows, found.keys.copy(), found.keys, len(found.keys)
            self._free = (row for row in range(len(found.keys)) if row not in self._used)

    def _add_batch(self, names: Sequence[str]) -> None:
        assert self._read is not None, "opened"
        texts = [" ".join(split_name(name)) for name in names]
        keys = compute_keys(texts)
        places = find_keys(self._read, keys)
        known = (places >= 0) & (self._keys[np.maximum(places, 0)] == keys).all(axis=1) if len(self._keys) else places >= 0
        rows: dict[str, int] = dict(zip((names[at] for at in np.flatnonzero(known).tolist()), places[known].tolist(), strict=True))
        new = np.flatnonzero(~known).tolist()
        vectors = self.model.compute_vectors([texts[at] for at in new], BATCH_SECONDS) if len(new) else None
        with self._lock:
            self._used.update(rows.values())
            if vectors is not None:
                rows.update(zip((names[at] for at in new), self._store(keys[new], vectors), strict=True))
                self._unsaved += len(new)
            self._rows.update(rows)

    def _store(self, keys: U64, vectors: I8) -> list[int]:
        """The rows of new vectors: behind the others, else in place of those of the file that no name has."""
        free = [row for _, row in zip(range(self._size + len(keys) - self.most), self._free, strict=False)]
        added = len(keys) - len(free)
        if self._size + added > len(self._vectors):
            more = max(len(self._vectors), added)
            self._vectors = np.concatenate([self._vectors[: self._size], np.empty((more, self.model.dimension), np.int8)])
            self._keys = np.concatenate([self._keys[: self._size], np.empty((more, 2), np.uint64)])
        rows = [*free, *range(self._size, self._size + added)]
        self._vectors[rows], self._keys[rows] = vectors, keys
        self._size += added
        return rows


def open_vectors(choice: ModelChoice) -> NameVectors | None:
    """The collection for a model; None if it is `off`. A server is not asked yet. Raises InvalidInput, MissingExtra."""
    if choice.setting.startswith(ADDRESSES):
        return NameVectors(EmbeddingServer(choice.setting, choice.name, choice.token), choice.file, choice.most)
    model = read_model(choice.setting)
    return None if model is None else NameVectors(model, choice.file, choice.most)


def convert_product(product: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Products of vectors of length 1 as cosines."""
    return product / SCALE**2

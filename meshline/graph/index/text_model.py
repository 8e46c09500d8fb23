"""Models that make a vector of a text from a table of the vectors of its tokens: read from files, without a network or code of theirs."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.errors import InvalidInput, MissingExtra, require_extra

if TYPE_CHECKING:
    from tokenizers import Tokenizer

I8 = npt.NDArray[np.int8]

OFF, WORDLLAMA, FOLDER, ADDRESSES = "off", "wordllama", "folder:", ("https://", "http://")
ACCEPTED = f"{OFF}, {WORDLLAMA}, {FOLDER}PATH or the address of a server of vectors"
LEAST_COSINE = 0.35  # from which on a name without a word of the question is found
SCALE = 400  # what 1.0 is in a component of a stored vector: those of vectors of length 1 are small
MOST_DIMENSIONS = 1024  # up to there sums of products of two stored vectors are exact in single precision
MOST_TOKENS = 1_000_000
MOST_BYTES = 2**31  # of a file
LONGEST_TEXT = 1_000  # letters of a text that count
_NEEDED_FOR = "search by vectors"


class _Files(NamedTuple):
    table: Path  # safetensors, with one table: a row of numbers for each token
    tokenizer: Path  # JSON of the library `tokenizers`


class TextModel:
    """A static model: the vector of a text is the mean of those of its tokens, of length 1. `digest`: SHA-256 of both files, in hex."""

    is_remote = False
    least_cosine = LEAST_COSINE
    problem = ""  # it is always there

    def __init__(self, name: str, digest: str, table: npt.NDArray[np.float32], tokenizer: Tokenizer) -> None:
        self.name, self.digest, self.dimension = name, digest, table.shape[1]
        self._table, self._tokenizer = table, tokenizer

    @property
    def sample(self) -> I8:
        """The vector of one text."""
        found: I8 = self.compute_vectors(["salary"])[0]
        return found

    def connect(self, seconds: float = 0.0) -> None:
        """Nothing is to be asked."""

    def close(self) -> None:
        """Nothing is open."""

    def compute_vectors(self, texts: Sequence[str], seconds: float = 0.0) -> I8:
        """The vectors of texts, shape (texts, dimension), in parts of `SCALE`. All 0 for a text without a token."""
        del seconds  # for models of others
        found = np.zeros((len(texts), self.dimension), np.float32)
        encoded = self._tokenizer.encode_batch([text[:LONGEST_TEXT] for text in texts], add_special_tokens=False)
        for place, one in enumerate(encoded):
            if one.ids:
                found[place] = self._table[one.ids].mean(axis=0)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        found /= np.maximum(lengths, np.float32(1e-9))
        return pack_vectors(found)


def pack_vectors(vectors: npt.NDArray[np.floating[Any]]) -> I8:
    """Vectors of length 1 in parts of `SCALE`."""
    packed: I8 = np.clip(np.rint(vectors * SCALE), -127, 127).astype(np.int8)
    return packed


def read_model(setting: str) -> TextModel | None:
    """The model in files that a setting names: `off` (None), `wordllama`, or `folder:` and the path of a folder with `model.safetensors`
    and `tokenizer.json`.

    Raises InvalidInput, MissingExtra.
    """
    if setting == OFF:
        return None
    if setting == WORDLLAMA:
        return _read_files(WORDLLAMA, _find_wordllama())
    if setting.startswith(FOLDER) and setting != FOLDER:
        folder = Path(setting.removeprefix(FOLDER))
        return _read_files(setting, _Files(folder / "model.safetensors", folder / "tokenizer.json"))
    raise InvalidInput(f"{setting!r} is no model of vectors; accepted is {ACCEPTED}", "search_vectors")


def _find_wordllama() -> _Files:
    """The files in the package: it is not imported, since what it imports asks the network for them."""
    found = importlib.util.find_spec("wordllama")
    if found is None or found.origin is None:
        raise MissingExtra("semantic", _NEEDED_FOR)
    folder = Path(found.origin).parent
    return _Files(folder / "weights" / "l2_supercat_256.safetensors", folder / "tokenizers" / "l2_supercat_tokenizer_config.json")


def _read_files(name: str, files: _Files) -> TextModel:
    with require_extra("semantic", _NEEDED_FOR):
        from safetensors import SafetensorError  # noqa: PLC0415 - an extra
        from safetensors.numpy import load  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415
    content = [_read_file(file) for file in files]
    try:
        tables = load(content[0])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"is no safetensors file of numbers that numpy has ({error})", str(files.table)) from error
    fits = [one for one in tables.values() if one.ndim == 2 and np.issubdtype(one.dtype, np.floating)]
    if len(tables) != 1 or len(fits) != 1 or not (0 < fits[0].shape[0] <= MOST_TOKENS and 0 < fits[0].shape[1] <= MOST_DIMENSIONS):
        raise InvalidInput(
            f"needs one table of floating-point numbers, of at most {MOST_TOKENS:,} tokens with at most {MOST_DIMENSIONS:,} numbers each",
            str(files.table),
        )
    table = fits[0].astype(np.float32)
    if not np.isfinite(table).all():
        raise InvalidInput("has numbers that are not finite", str(files.table))
    try:
        tokenizer = Tokenizer.from_str(content[1].decode("utf-8"))
    except Exception as error:  # of the library, which has no class of its own for it
        raise InvalidInput(f"is no tokenizer of the library `tokenizers` ({error})", str(files.tokenizer)) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if highest >= len(table):
        raise InvalidInput(f"has a token {highest}, of which {files.table} has no row", str(files.tokenizer))
    return TextModel(name, hashlib.sha256(content[0] + content[1]).hexdigest(), table, tokenizer)


def _read_file(file: Path) -> bytes:
    try:
        if (size := file.stat().st_size) > MOST_BYTES:
            raise InvalidInput(f"has {size:,} bytes; accepted are {MOST_BYTES:,}", str(file))
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read ({error.strerror or error}): it belongs to the model of search_vectors", str(file)) from error

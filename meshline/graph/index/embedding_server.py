"""Models on a server of the user's own that answers like OpenAI's `POST /v1/embeddings` (llama.cpp, vLLM, Ollama, TEI, ...).

The names of the graph are sent there, and the questions of callers. Whatever the server does, a search is answered: by words alone.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import numpy as np
import numpy.typing as npt

from meshline.errors import InvalidInput, MeshlineError
from meshline.graph.index.text_model import I8, LONGEST_TEXT, pack_vectors

if TYPE_CHECKING:
    import httpx

F64 = npt.NDArray[np.float64]

MOST_DIMENSIONS = 4_096
BATCH_SECONDS = 60.0  # for the vectors of many names
QUESTION_SECONDS = 3.0  # for that of a question: who searches waits for it
_CONNECT_SECONDS = 5.0
_BATCH = 128  # texts of a request; less where the server accepts no more
_MOST_BYTES = 64 * 2**20  # of an answer
_LONGEST_MESSAGE = 200  # letters of the server's that are shown
_PAUSE_SECONDS, _LONGEST_PAUSE = 5.0, 300.0  # after a failure, doubled with each further one
_TOO_MANY = frozenset({400, 413, 422})  # what servers answer to a request with more texts than they accept
_SAME = 0.98  # the least cosine of two vectors of one text by one model
# Words of which none is like another. The first is sent with each request: its vector shows whether the model is still the same.
SAMPLE = (
    *("salary", "engine", "river", "invoice", "color", "hospital", "window", "tax", "music", "passenger", "bread", "language"),
    *("voltage", "latitude", "contract", "birthday", "password", "forest", "warehouse", "disease", "camera", "currency", "pension"),
)
_DEVIATIONS = 5.7  # above the mean cosine of unlike words, from which on texts are alike: what LEAST_COSINE is for wordllama


class ModelUnavailable(MeshlineError):
    """The server of the model does not answer, or not as it has to; asking later may work."""

    code = "MODEL_UNAVAILABLE"


class OtherModel(MeshlineError):
    """Vectors of two models cannot be compared: none are used until the process starts again."""

    code = "OTHER_MODEL"


class _Refused(Exception):
    """The server refused a request that may have had too many texts."""


class _Embedding(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Embedding]
    model: str | None = None


class _Known(NamedTuple):
    """What the first answer has shown. `first`: the vector of the first word of the sample; `model`: the name in the answers.
    `common`: what all vectors have in common, which is subtracted: by many models all texts are alike.
    """

    first: F64
    model: str | None
    common: F64
    least_cosine: float

    def subtract_common(self, vectors: F64) -> F64:
        return _normalise(vectors - self.common)


class EmbeddingServer:
    """A model that a server computes. Thread-safe. `digest`: of the address and the model's name, since its weights are not seen."""

    is_remote = True

    def __init__(self, address: str, model: str = "", token: str | None = None) -> None:
        """Nothing is sent yet. `model`: its name at the server; empty: the server has only one. Raises InvalidInput."""
        self.address = _check_address(address, with_token=token is not None)
        self.name = f"{model} of {address}" if model else address
        self.digest = hashlib.sha256(f"{address}\n{model}".encode()).hexdigest()
        self._model, self._token = model, token
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._known: _Known | None = None
        self._batch = _BATCH
        self._paused_until, self._pause, self._failure = 0.0, 0.0, ""
        self._mismatch = ""

    @property
    def problem(self) -> str:
        """Why it computes no vectors now; empty if it does."""
        return self._mismatch or self._failure

    @property
    def dimension(self) -> int:
        """After `connect`."""
        return len(self._get_known().common)

    @property
    def least_cosine(self) -> float:
        """From which on two texts are alike. After `connect`."""
        return self._get_known().least_cosine

    @property
    def sample(self) -> I8:
        """The vector of the first word of `SAMPLE`. After `connect`."""
        known = self._get_known()
        found: I8 = pack_vectors(known.subtract_common(known.first[None]))[0]
        return found

    def connect(self, seconds: float = BATCH_SECONDS) -> None:
        """Ask for the vectors of the sample, if that was not done. Raises ModelUnavailable, OtherModel."""
        if self._known is None:
            found, model = self._ask(SAMPLE, time.monotonic() + seconds)
            common = found.mean(axis=0)
            known = _Known(found[0], model, common, _measure_least_cosine(_normalise(found - common)))
            with self._lock:
                self._known = self._known or known

    def compute_vectors(self, texts: Sequence[str], seconds: float = BATCH_SECONDS) -> I8:
        """The vectors of texts, as `TextModel` has them. `seconds`: for each request. Raises ModelUnavailable, OtherModel."""
        self.connect(seconds)
        vectors = np.zeros((len(texts), self.dimension), np.float64)
        places = [place for place, text in enumerate(texts) if text.strip()]  # servers refuse empty texts
        while places:
            some, places = places[: self._batch], places[self._batch :]
            try:
                vectors[some] = self._compare_sample([texts[place] for place in some], seconds)
            except _Refused:
                places = some + places
        return pack_vectors(vectors)

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _get_known(self) -> _Known:
        assert self._known is not None, "not connected"
        return self._known

    def _compare_sample(self, texts: list[str], seconds: float) -> F64:
        """The vectors of texts, by the model whose sample is known. Raises _Refused after the batch was made smaller."""
        known = self._get_known()
        found, model = self._ask((SAMPLE[0], *texts), time.monotonic() + seconds)
        if found.shape[1] != len(known.first):
            self._refuse_model(f"answers vectors of {found.shape[1]:,} numbers, where they had {len(known.first):,} before")
        if model != known.model:
            self._refuse_model(f"answers with the model {_shorten(str(model))!r}, where it was {_shorten(str(known.model))!r} before")
        if _compute_cosine(found[0], known.first) < _SAME:
            self._refuse_model("answers another vector for the same text than before: its model is another one")
        return known.subtract_common(found[1:])

    def _refuse_model(self, problem: str) -> None:
        self._mismatch = f"vectors are not used until the next start: {self.address} {problem}"
        raise OtherModel(self._mismatch)

    def _ask(self, texts: Sequence[str], end: float) -> tuple[F64, str | None]:
        """The vectors of texts, of length 1 or 0, and the name of the model that the answer has."""
        if self._mismatch:
            raise OtherModel(self._mismatch)
        if time.monotonic() < self._paused_until:
            raise ModelUnavailable(self._failure)
        import httpx  # noqa: PLC0415 - slow to import, and only for this kind of model

        try:
            status, body = self._post(texts, end)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            raise self._fail(f"does not answer ({type(error).__name__})") from None
        if status in _TOO_MANY and len(texts) > 2 and texts is not SAMPLE:
            self._batch = max(1, (len(texts) - 1) // 2)
            raise _Refused
        if status != 200:
            raise self._fail(f"answers HTTP status {status}{self._read_message(body)}")
        found, model = self._read_answer(body, len(texts))
        with self._lock:
            self._pause, self._failure = 0.0, ""
        return found, model

    def _fail(self, problem: str) -> ModelUnavailable:
        """The error of a failed request, after which none is sent for some time."""
        with self._lock:
            self._pause = min(max(_PAUSE_SECONDS, 2 * self._pause), _LONGEST_PAUSE)
            self._failure = f"the model of search_vectors at {self.address} {problem}"
            self._paused_until = time.monotonic() + self._pause
        return ModelUnavailable(self._failure)

    def _post(self, texts: Sequence[str], end: float) -> tuple[int, bytes]:
        body = {"input": [text[:LONGEST_TEXT] for text in texts], "encoding_format": "float"}
        content = msgspec.json.encode(body | ({"model": self._model} if self._model else {}))
        left = max(0.001, end - time.monotonic())
        data = bytearray()
        with self._open_client().stream("POST", self.address, content=content, timeout=left) as response:
            for part in response.iter_bytes():
                data += part
                if len(data) > _MOST_BYTES:
                    raise self._fail(f"answers more than {_MOST_BYTES:,} bytes")
                if time.monotonic() > end:
                    raise self._fail("does not answer in time")
            return response.status_code, bytes(data)

    def _open_client(self) -> httpx.Client:
        import httpx  # noqa: PLC0415

        with self._lock:
            if self._client is None:
                headers = {"Content-Type": "application/json", "Accept": "application/json"}
                if self._token is not None:
                    headers["Authorization"] = f"Bearer {self._token}"
                self._client = httpx.Client(headers=headers, timeout=_CONNECT_SECONDS, follow_redirects=False)
            return self._client

    def _read_answer(self, body: bytes, size: int) -> tuple[F64, str | None]:
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._fail(f"does not answer like /v1/embeddings: {_shorten(str(error))}") from None
        places = [place if one.index is None else one.index for place, one in enumerate(answer.data)]
        if sorted(places) != list(range(size)):
            raise self._fail(f"answers {len(answer.data):,} vectors for {size:,} texts, or not one for each")
        dimensions = {len(one.embedding) for one in answer.data}
        if len(dimensions) != 1 or not 0 < (dimension := dimensions.pop()) <= MOST_DIMENSIONS:
            raise self._fail(f"answers vectors of different lengths, or of more than {MOST_DIMENSIONS:,} numbers")
        found = np.empty((size, dimension), np.float64)
        found[places] = [one.embedding for one in answer.data]
        if not (np.isfinite(found).all() and (np.abs(found) < 1e100).all()):
            raise self._fail("answers numbers that are not finite")
        if not found[0].any():
            raise self._fail("answers a vector of zeros")
        return _normalise(found), answer.model

    def _read_message(self, body: bytes) -> str:
        """What the server states about a refusal, if it can be shown; its own words may repeat the token."""
        try:
            content: Any = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return ""
        for key in ("error", "message"):
            if isinstance(content, dict):
                content = content.get(key, content)
        if not isinstance(content, str):
            return ""
        return f": {_shorten(content.replace(self._token, '***') if self._token else content)}"


def _check_address(address: str, *, with_token: bool) -> str:
    """Raises InvalidInput, never with a password."""
    where = "search_vectors"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidInput("the address may have no user, password, `?` or `#`: a token belongs in search_vectors_token", where)
    if parts.scheme not in ("http", "https") or not host or port == 0 or not address.isprintable() or " " in address:
        raise InvalidInput("that is no address of a server of vectors, as https://models.company.com/v1/embeddings", where)
    if with_token and parts.scheme == "http" and not _is_loopback(host):
        raise InvalidInput("a token is sent by https only, or to this machine", where)
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _normalise(vectors: F64) -> F64:
    """Vectors of length 1; those of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: F64 = vectors / np.maximum(lengths, 1e-12)
    return found


def _measure_least_cosine(vectors: F64) -> float:
    """From which cosine on texts are alike by a model, by the cosines of texts that are not: some models have high ones for all."""
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return min(0.97, max(0.2, float(cosines.mean() + _DEVIATIONS * cosines.std())))


def _compute_cosine(one: F64, other: F64) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths and math.isfinite(lengths) else 0.0


def _shorten(text: str) -> str:
    """A text of the server in one line that can be shown."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST_MESSAGE])

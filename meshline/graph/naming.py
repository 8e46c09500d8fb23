"""Names of datasets: one key for all spellings of one name, and the words by which names are found.

Normalising is lossless (semantics, Identity): aliases of a scheme, default ports, doubled and
trailing slashes. What would lose something (partition suffixes) is the work of configured trimmers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, dataset

SCHEME_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "postgresql": "postgres", "abfs": "abfss", "wasb": "wasbs"}

# OpenLineage naming (spec Naming.md): the port that a namespace may leave out.
DEFAULT_PORTS = {
    "postgres": 5432,
    "mysql": 3306,
    "mssql": 1433,
    "oracle": 1521,
    "redshift": 5439,
    "trino": 8080,
    "hive": 10000,
    "cassandra": 9042,
    "kafka": 9092,
    "http": 80,
    "https": 443,
}

# Object stores: a key has no leading slash of its own.
OBJECT_STORES = frozenset({"s3", "gs", "abfss", "wasbs"})

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$", re.DOTALL)
_PORT = re.compile(r"^(.*[^:]):([0-9]{1,5})$")
_SLASHES = re.compile(r"/{2,}")
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Trimmer(NamedTuple):
    """A configured rule that rewrites the end of a dataset's name, e.g. `/dt=2024-01-01`."""

    pattern: re.Pattern[str]
    replacement: str = ""


DATE_PARTITION = r"(/[A-Za-z_][\w-]*=[^/]*)+$"


class Naming:
    """How the names of datasets become keys. Equal rules have equal `digest`."""

    def __init__(self, trimmers: Sequence[tuple[str, str]] = ()) -> None:
        """`trimmers`: (regular expression, replacement) applied to names in order."""
        self.trimmers = tuple(_trimmer(pattern, replacement) for pattern, replacement in trimmers)
        self.digest = hashlib.blake2b(msgspec.json.encode(list(trimmers)), digest_size=16).hexdigest()
        self._known: dict[tuple[str, str], AssetKey] = {}

    def dataset(self, namespace: str, name: str) -> AssetKey:
        """The key of a dataset, whatever the spelling."""
        known = self._known.get((namespace, name))
        if known is None:
            if len(self._known) >= 200_000:
                self._known.clear()
            known = self._known[namespace, name] = self._normalise(namespace, name)
        return known

    def is_trimmed(self, namespace: str, name: str) -> bool:
        """Whether the key of a dataset lacks an end that this spelling has: it may name a part of the dataset."""
        if not self.trimmers:
            return False
        name = self._plain(normalise_namespace(namespace)[0], name)
        return self._trimmed(name) != name

    def _normalise(self, namespace: str, name: str) -> AssetKey:
        scheme, namespace = normalise_namespace(namespace)
        return dataset(namespace, self._trimmed(self._plain(scheme, name)))

    @staticmethod
    def _plain(scheme: str, name: str) -> str:
        """A name without the slashes that have no meaning."""
        name = _SLASHES.sub("/", name)
        if len(name) > 1:
            name = name.rstrip("/") or "/"
        return name.lstrip("/") if scheme in OBJECT_STORES and len(name) > 1 else name

    def _trimmed(self, name: str) -> str:
        for trimmer in self.trimmers:
            name = trimmer.pattern.sub(trimmer.replacement, name) or name
        return name


def normalise_namespace(namespace: str) -> tuple[str, str]:
    """(scheme or '', normalised namespace)."""
    match = _SCHEME.match(namespace)
    if match is None:
        return "", namespace.rstrip("/") or namespace
    scheme = match[1].lower()
    scheme = SCHEME_ALIASES.get(scheme, scheme)
    authority, slash, path = match[2].partition("/")
    port = _PORT.match(authority)
    if port is not None and int(port[2]) == DEFAULT_PORTS.get(scheme):
        authority = port[1]
    path = _SLASHES.sub("/", slash + path).rstrip("/")
    if not authority and path.startswith("/"):  # file:///x, duckdb:///x: the path is absolute
        return scheme, f"{scheme}://{path}"
    return scheme, f"{scheme}://{authority}{path}"


def _trimmer(pattern: str, replacement: str) -> Trimmer:
    try:
        return Trimmer(re.compile(pattern), replacement)
    except re.error as error:
        raise InvalidInput(f"{pattern!r} is no regular expression ({error})", "naming.trimmers") from error


def words(text: str) -> Iterator[str]:
    """Lower-case words of a name or a text: runs of letters and digits, camelCase taken apart as well."""
    for run in _WORD.findall(text):
        yield run.casefold()
        parts = _CAMEL.split(run)
        if len(parts) > 1:
            for part in parts:
                yield part.casefold()


def terms(text: str) -> list[str]:
    """What a person typed, as search terms: the words, camelCase kept together."""
    return list(dict.fromkeys(run.casefold() for run in _WORD.findall(text)))

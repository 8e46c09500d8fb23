"""Names: one key for all spellings of a dataset's name, the forms of an owner's name, and patterns of names.

Normalising is lossless (semantics, Identity): aliases of a scheme, default ports, doubled and
trailing slashes. What would lose something (partition suffixes) is the work of configured trimmers.

Of owners, OpenLineage recommends `team:NAME` and `user:NAME` (specification, OwnershipDatasetFacet); Airflow, Debezium and
contracts give e-mail addresses. Which forms are one owner is worked out by `meshline.graph.index.identity`.

Rules by which names belong to a product or domain are `fnmatch` patterns, of which the longest that matches decides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from functools import cached_property
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, build_dataset_key

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
        return build_dataset_key(namespace, self._trimmed(self._plain(scheme, name)))

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


TEAM, PERSON = "team", "person"

_KINDS = {"team": TEAM, "group": TEAM, "user": PERSON, "person": PERSON, "mailto": ""}
_EMAIL = re.compile(r"[^\s@:/]+@[^\s@:/]+")


class OwnerForm(NamedTuple):
    """A written owner, taken apart. `name`: without its prefix; an e-mail address in lower case. `kind`: TEAM, PERSON or ''."""

    name: str
    kind: str

    @property
    def is_email(self) -> bool:
        return is_email(self.name)


def owner_form(written: str) -> OwnerForm:
    text = written.strip()
    prefix, _, rest = text.partition(":")
    kind = _KINDS.get(prefix.strip().casefold())
    if kind is None or not rest.strip():
        kind, rest = "", text
    name = rest.strip()
    return OwnerForm(name.casefold() if is_email(name) else name, kind)


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text.strip()) is not None


def address(written: str) -> str:
    """The e-mail address that an owner is written as; empty if it is not."""
    form = owner_form(written)
    return form.name if form.is_email else ""


_WILD = re.compile(r"[*?\[]")


class Rule(NamedTuple):
    """A pattern, who holds what it matches, and the holder's name."""

    text: str
    holder: int
    label: tuple[str, ...]


class Patterns:
    """Many rules, tried few at a time: only those that begin, up to their first wildcard, as the name does."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Of rules that match, the longest decides; of those the first by the holder's name, then by the pattern."""
        self._by_beginning: dict[str, list[_Ranked]] = {}
        for rank, rule in enumerate(sorted(rules, key=lambda rule: (-len(rule.text), rule.label, rule.text))):
            wild = _WILD.search(rule.text)
            beginning = rule.text[: wild.start()] if wild else rule.text
            self._by_beginning.setdefault(beginning, []).append(_Ranked(rank, rule.text, len(beginning), rule.holder))
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def holder(self, names: Iterable[str]) -> int | None:
        """Who holds an asset that has these names."""
        best: _Ranked | None = None
        for name in names:
            for length in self._lengths:
                if length > len(name):
                    break
                for rule in self._by_beginning.get(name[:length], ()):
                    if best is not None and rule.rank >= best.rank:
                        break
                    if rule.matches(name):
                        best = rule
                        break
        return None if best is None else best.holder


class _Ranked:
    """A rule in its place among all."""

    def __init__(self, rank: int, text: str, beginning: int, holder: int) -> None:
        self.rank = rank
        self.text = text
        self.beginning = beginning  # what is before the first wildcard; the name begins so
        self.holder = holder

    def matches(self, name: str) -> bool:
        rest = self._rest
        if rest == "*":
            return True
        if "*" not in rest and "[" not in rest:
            same = zip(rest, name[self.beginning :], strict=False)
            return len(name) == len(self.text) and all(wanted in ("?", given) for wanted, given in same)
        return self._compiled.match(name) is not None

    @property
    def _rest(self) -> str:
        return self.text[self.beginning :]

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(translate(self.text))

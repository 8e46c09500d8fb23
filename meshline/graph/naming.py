"""Names: one key for all spellings of a dataset's name, the forms of an owner's name, and patterns of names.

Normalising loses no information (semantics, Identity): aliases of a scheme, default ports, doubled and
trailing slashes. Rewrites that lose information (partition suffixes) need a configured trimmer.

OpenLineage recommends `team:NAME` and `user:NAME` for owners (specification, OwnershipDatasetFacet); Airflow, Debezium and
contracts give e-mail addresses. `meshline.graph.index.identity` decides which forms are the same owner.

Rules that assign names to a product or domain are `fnmatch` patterns; the longest pattern that matches wins.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, build_dataset_key

SCHEME_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "postgresql": "postgres", "abfs": "abfss", "wasb": "wasbs"}

# OpenLineage naming (spec Naming.md): the port that a namespace may omit, by scheme.
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
    """The rules that turn names of datasets into keys. Equal rules have an equal `digest` (32 hexadecimal digits)."""

    def __init__(self, trimmers: Sequence[tuple[str, str]] = ()) -> None:
        """`trimmers`: (regular expression, replacement), applied to names in this order. Raises InvalidInput for a bad expression."""
        self.trimmers = tuple(_compile_trimmer(pattern, replacement) for pattern, replacement in trimmers)
        self.digest = hashlib.blake2b(msgspec.json.encode(list(trimmers)), digest_size=16).hexdigest()
        # The key of a dataset by namespace and name: the same for all spellings of its name. A cache without a method around it: hot
        # paths call it.
        self.normalise_dataset: Callable[[str, str], AssetKey] = lru_cache(200_000)(self._normalise)

    def __reduce__(self) -> tuple[type[Naming], tuple[list[tuple[str, str]]]]:
        """Pickled without its cache: a separate process parses the texts of a check."""
        return Naming, ([(trimmer.pattern.pattern, trimmer.replacement) for trimmer in self.trimmers],)

    def is_trimmed(self, namespace: str, name: str) -> bool:
        """True if a trimmer removes the end of this spelling: the name may be that of a part of the dataset."""
        if not self.trimmers:
            return False
        name = self._strip_slashes(normalise_namespace(namespace)[0], name)
        return self._apply_trimmers(name) != name

    def _normalise(self, namespace: str, name: str) -> AssetKey:
        scheme, namespace = normalise_namespace(namespace)
        return build_dataset_key(namespace, self._apply_trimmers(self._strip_slashes(scheme, name)))

    @staticmethod
    def _strip_slashes(scheme: str, name: str) -> str:
        """The name without slashes that have no meaning: doubled, trailing, and leading ones in object stores."""
        name = _SLASHES.sub("/", name)
        if len(name) > 1:
            name = name.rstrip("/") or "/"
        return name.lstrip("/") if scheme in OBJECT_STORES and len(name) > 1 else name

    def _apply_trimmers(self, name: str) -> str:
        for trimmer in self.trimmers:
            name = trimmer.pattern.sub(trimmer.replacement, name) or name
        return name


def normalise_namespace(namespace: str) -> tuple[str, str]:
    """The scheme of a namespace ('' if it has none), and the normalised namespace."""
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


def _compile_trimmer(pattern: str, replacement: str) -> Trimmer:
    try:
        return Trimmer(re.compile(pattern), replacement)
    except re.error as error:
        raise InvalidInput(f"{pattern!r} is no regular expression ({error})", "naming.trimmers") from error


def split_words(text: str) -> Iterator[str]:
    """The words of a name or text in lower case: runs of letters and digits, and also the parts of camelCase."""
    for run in _WORD.findall(text):
        yield run.casefold()
        parts = _CAMEL.split(run)
        if len(parts) > 1:
            for part in parts:
                yield part.casefold()


def parse_search_terms(text: str) -> list[str]:
    """The search terms in a text that a user typed: its words without repetitions; camelCase is not split."""
    return list(dict.fromkeys(run.casefold() for run in _WORD.findall(text)))


TEAM, PERSON = "team", "person"

_KINDS = {"team": TEAM, "group": TEAM, "user": PERSON, "person": PERSON, "mailto": ""}
_EMAIL = re.compile(r"[^\s@:/]+@[^\s@:/]+")


class OwnerForm(NamedTuple):
    """The parts of an owner's name. `name`: without its prefix; an e-mail address in lower case. `kind`: TEAM, PERSON or ''."""

    name: str
    kind: str

    @property
    def is_email(self) -> bool:
        return is_email(self.name)


def parse_owner(written: str) -> OwnerForm:
    """Split an owner's name into its kind and name: `team:finance`, `user:ann@example.com`, `mailto:...`, or a plain name."""
    text = written.strip()
    prefix, _, rest = text.partition(":")
    kind = _KINDS.get(prefix.strip().casefold())
    if kind is None or not rest.strip():
        kind, rest = "", text
    name = rest.strip()
    return OwnerForm(name.casefold() if is_email(name) else name, kind)


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text.strip()) is not None


def find_email(written: str) -> str:
    """The e-mail address in an owner's name; empty if the name is not an address."""
    form = parse_owner(written)
    return form.name if form.is_email else ""


_WILD = re.compile(r"[*?\[]")


class Rule(NamedTuple):
    """A pattern (`text`), and the container of the assets that it matches: a product's or domain's node and key parts."""

    text: str
    container: int
    label: tuple[str, ...]


class Patterns:
    """Many rules. A look-up tries only those whose text before the first wildcard is a prefix of the name."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Of several rules that match, the longest wins; of equally long ones the first by the container's key, then by the pattern."""
        self._by_beginning: dict[str, list[_Ranked]] = {}
        for rank, rule in enumerate(sorted(rules, key=lambda rule: (-len(rule.text), rule.label, rule.text))):
            wild = _WILD.search(rule.text)
            beginning = rule.text[: wild.start()] if wild else rule.text
            self._by_beginning.setdefault(beginning, []).append(_Ranked(rank, rule.text, len(beginning), rule.container))
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def find_container(self, names: Iterable[str]) -> int | None:
        """The container of an asset that has these names; None if no rule matches."""
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
        return None if best is None else best.container


class _Ranked:
    """A rule with its rank among all rules; the smallest rank wins."""

    def __init__(self, rank: int, text: str, beginning: int, container: int) -> None:
        self.rank = rank
        self.text = text
        self.beginning = beginning  # length of the text before the first wildcard, which is a prefix of the name
        self.container = container

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

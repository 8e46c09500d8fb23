"""The parts of Confluent's REST API that are read: subjects, their versions, and compatibility modes."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.http_reader import AccessRefused, HttpReader, Program, RefusedAnswer
from meshline.ingest.sources.secrets import Redaction
from meshline.words import shorten_text

PROGRAM = Program(
    "a schema registry",
    "http://schema-registry:8081, or http://apicurio:8080/apis/ccompat/v7",
    "set the keys user and password, or token (--user, --password, --token '${REGISTRY_TOKEN}')",
    30.0,
)
PAGE = 1_000  # subjects of a page
MAX_SUBJECTS = 100_000
MAX_SCHEMA = 4 * 2**20  # characters
MAX_KEPT = 1_000  # schemas that others refer to
APICURIO = "/apis/ccompat/"  # in the address of an Apicurio Registry
APICURIO_TIMES = (  # where the own API of Apicurio 2 and 3 states when a version was created, which the other one does not
    "/apis/registry/v2/groups/default/artifacts/{subject}/versions/{version}/meta",
    "/apis/registry/v3/groups/default/artifacts/{subject}/versions/{version}",
)


class Reference(msgspec.Struct, frozen=True):
    """A schema that another one uses, under the name that it has there."""

    name: str
    subject: str
    version: int


class Metadata(msgspec.Struct, frozen=True):
    """`tags`: by patterns of fields."""

    tags: dict[str, list[str]] | None = None
    properties: dict[str, str] | None = None


class Registered(msgspec.Struct, frozen=True, rename={"type": "schemaType", "registered_at": "ts"}):
    """A version of a subject. `registered_at`: in milliseconds since the epoch; newer registries state it."""

    id: int
    version: int
    schema: str
    subject: str = ""
    type: str | None = None
    references: list[Reference] | None = None
    metadata: Metadata | None = None
    registered_at: int | None = None


class _Config(msgspec.Struct, rename={"level": "compatibilityLevel"}):
    level: str | None = None
    compatibility: str | None = None


class _Created(msgspec.Struct, rename={"created": "createdOn"}):
    created: str


class Account(NamedTuple):
    """What a registry asks for. Empty: nothing."""

    user: str = ""
    password: str = ""
    token: str = ""


class Registry(Protocol):
    """What is asked of a registry. The methods are those of `RegistryClient`."""

    @property
    def url(self) -> str: ...

    def list_subjects(self) -> list[str]: ...

    def list_versions(self, subject: str) -> list[int]: ...

    def read_version(self, subject: str, version: int) -> Registered: ...

    def read_referred(self, subject: str, version: int) -> Registered: ...

    def read_compatibility(self, subject: str) -> str: ...


class RegistryClient:
    """A client of one registry, for several threads. It raises only MeshlineError."""

    def __init__(self, reader: HttpReader, prefix: str) -> None:
        """`prefix`: what follows the reader's address in all addresses of Confluent's API."""
        self._reader = reader
        self._prefix = prefix
        self._apicurio = [*APICURIO_TIMES] if APICURIO in f"{prefix}/" else []  # the addresses of times that may be right
        self._global: str | None = None
        self._lock = threading.Lock()
        self._referred: dict[tuple[str, int], Registered] = {}  # versions are immutable, and several schemas refer to one
        self.url = reader.redact(f"{reader.url}{prefix}")

    @classmethod
    @contextmanager
    def connect(cls, url: str, account: Account, redact: Redaction, threads: int = 1) -> Iterator[RegistryClient]:
        """A client for the registry at an address. Nothing is sent yet. Raises InvalidInput."""
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise InvalidInput("the address has a user or a password in it; set the keys user and password instead", "url")
        root, apicurio, version = url.strip().rstrip("/").partition(APICURIO)
        if not version.isalnum():
            root, apicurio, version = url, "", ""
        with HttpReader.connect(PROGRAM, root, redact, headers=_build_headers(account), connections=threads) as reader:
            yield cls(reader, f"{apicurio}{version}")

    def list_subjects(self) -> list[str]:
        """The subjects of all contexts, without deleted ones. Some registries ignore that a page is asked for, and answer all."""
        found: dict[str, None] = {}
        while True:
            page = self._reader.read(list[str], f"{self._prefix}/subjects?offset={len(found)}&limit={PAGE}")
            before = len(found)
            found.update(dict.fromkeys(page))
            if len(found) > MAX_SUBJECTS:
                raise InvalidInput(f"the registry has more than {MAX_SUBJECTS:,} subjects", self.url)
            if len(page) != PAGE or len(found) == before:
                return list(found)

    def list_versions(self, subject: str) -> list[int]:
        """The versions of a subject, without deleted ones. Raises RefusedAnswer with status 404 if there is no such subject."""
        return sorted(self._reader.read(list[int], f"{self._prefix}/subjects/{quote(subject, safe='')}/versions"))

    def read_version(self, subject: str, version: int | str) -> Registered:
        """A version of a subject, by its number or `latest`. Raises RefusedAnswer with status 404 if there is none."""
        found = self._reader.read(Registered, f"{self._prefix}/subjects/{quote(subject, safe='')}/versions/{version}")
        if len(found.schema) > MAX_SCHEMA:
            raise InvalidInput(f"the schema has {len(found.schema):,} characters; at most {MAX_SCHEMA:,} are read", f"{subject} {version}")
        if found.registered_at is None and self._apicurio:
            return msgspec.structs.replace(found, registered_at=self._read_time(subject, found.version))
        return found

    def _read_time(self, subject: str, version: int) -> int | None:
        """When Apicurio created a version, in milliseconds, by its own API; None if it does not state it."""
        for address in tuple(self._apicurio):
            try:
                text = self._reader.read(_Created, address.format(subject=quote(subject, safe=""), version=version)).created
                return int(datetime.fromisoformat(text).timestamp() * 1000)
            except (InvalidInput, AccessRefused, ValueError, OverflowError):
                if len(self._apicurio) > 1 and address in self._apicurio:
                    self._apicurio.remove(address)  # it is another version of Apicurio
        return None

    def read_referred(self, subject: str, version: int) -> Registered:
        """A version that a schema refers to, which is kept: deleted ones, too, as long as the registry has them."""
        key = subject, version
        if (found := self._referred.get(key)) is not None:
            return found
        address = f"{self._prefix}/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true"
        try:
            found = self._reader.read(Registered, address)
        except RefusedAnswer as error:
            if error.status != 404:
                raise
            raise InvalidInput(f"it refers to {shorten_text(subject, 200)} version {version}, which the registry does not have") from error
        if len(found.schema) > MAX_SCHEMA:
            raise InvalidInput(f"the schema has {len(found.schema):,} characters; at most {MAX_SCHEMA:,} are read", f"{subject} {version}")
        if len(self._referred) < MAX_KEPT:
            self._referred[key] = found
        return found

    def read_compatibility(self, subject: str) -> str:
        """The compatibility mode of a subject: its own, else that of all; empty if the account may not read it."""
        try:
            config = self._reader.read(_Config, f"{self._prefix}/config/{quote(subject, safe='')}")
        except AccessRefused:
            return ""
        except RefusedAnswer as error:
            if error.status != 404:
                raise
            return self.read_global_compatibility()
        mode = config.level or config.compatibility or ""
        # Apicurio answers NONE for a subject without a mode of its own; setting NONE removes the mode.
        return self.read_global_compatibility() if mode in ("", "NONE" if APICURIO in f"{self._prefix}/" else "") else mode

    def read_global_compatibility(self) -> str:
        """The compatibility mode of subjects without one of their own; empty if the account may not read it, or there is none."""
        with self._lock:
            if self._global is None:
                try:
                    config = self._reader.read(_Config, f"{self._prefix}/config")
                    self._global = config.level or config.compatibility or ""
                except (AccessRefused, RefusedAnswer):
                    self._global = ""
            return self._global


def _build_headers(account: Account) -> Mapping[str, str]:
    accept = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
    if account.token and account.user:
        raise InvalidInput("found a token and a user; accepted is one of them", "token")
    if account.token:
        return {**accept, "Authorization": f"Bearer {account.token}"}
    if account.user:
        pair = base64.b64encode(f"{account.user}:{account.password}".encode()).decode()
        return {**accept, "Authorization": f"Basic {pair}"}
    return accept

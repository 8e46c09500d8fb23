"""Schema registries with Confluent's API: the topics of their subjects, with columns, keys and history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, model_validator

from meshline.errors import InvalidInput
from meshline.graph.model import get_current_micros
from meshline.ingest.sources.base import Context, Item, Reading, Source
from meshline.ingest.sources.schema_registry.registry_client import Account, RegistryClient
from meshline.ingest.sources.schema_registry.registry_files import RegistryFiles
from meshline.ingest.sources.schema_registry.subjects import DEFAULT_CONTEXT
from meshline.ingest.sources.schema_registry.topic_crawl import Layout, TopicCrawl
from meshline.ingest.sources.secrets import Redaction, Variables, expand_variables

_ACCOUNT = ("user", "password", "token")


class SchemaRegistry(Source):
    """A running registry, or files of its answers. What its subjects state is of the topics that they are named after."""

    kind: ClassVar[str] = "registry"
    url: str = Field(
        default="",
        max_length=2048,
        description="The address of the registry's Confluent API, e.g. http://schema-registry:8081; ${NAME} is a variable.",
    )
    files: tuple[Annotated[str, StringConstraints(min_length=1, max_length=4096)], ...] = Field(
        default=(), description="Instead of a running registry: files of its answers to GET /schemas or /subjects/SUBJECT/versions/VERSION."
    )
    namespace: str = Field(
        min_length=1, max_length=1024, description="The namespace of the topics, kafka://host:port of a bootstrap server, or its alias."
    )
    user: str = Field(default="", max_length=1024, description="The user of basic authentication, or the key; ${NAME} is a variable.")
    password: str = Field(default="", max_length=16_384, description="The user's password, or the secret; ${NAME} is a variable.")
    token: str = Field(default="", max_length=16_384, description="A bearer token instead; ${NAME} is a variable.")
    subjects: tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...] = Field(
        default=(), max_length=1_000, description="Only these subjects: patterns such as shop.*; by default all."
    )
    topics: dict[str, tuple[Annotated[str, StringConstraints(min_length=1, max_length=249)], ...]] = Field(
        default={}, max_length=10_000, description="The topics of subjects that are not named after one (RecordNameStrategy)."
    )
    contexts: dict[str, Annotated[str, StringConstraints(min_length=1, max_length=1024)]] = Field(
        default={}, max_length=1_000, description="The namespaces of other contexts than the default one, by context: .lab."
    )
    versions: int = Field(default=100, ge=0, le=10_000, description="The number of versions of a subject that are read for its history.")
    parallel: int = Field(default=8, ge=1, le=64, description="The number of requests at the same time.")

    @model_validator(mode="after")
    def _require_place(self) -> SchemaRegistry:
        if bool(self.url) == bool(self.files):
            raise ValueError("give either the url of a registry, or files of its answers")
        if self.files and (self.user or self.password or self.token):
            raise ValueError("files are read without an account: leave out user, password and token")
        return self

    def read(self, context: Context) -> Reading:
        if self.files:
            return self._read_files(context)
        url, account = expand_account(self.url, Account(self.user, self.password, self.token), context.variables)
        redact = build_redaction(self.url, url, account)
        layout = Layout(self._map_namespaces(context), self.topics, self.subjects, self.versions)
        warnings: list[str] = []
        crawls: list[TopicCrawl] = []  # the one of this reading, once it has begun
        now = get_current_micros()

        def read_items() -> Iterator[Item]:
            with RegistryClient.connect(url, account, redact, self.parallel) as client:
                crawl = TopicCrawl(client, layout, context, self.parallel, now)
                crawls.append(crawl)
                yield from crawl.read_items()
                warnings.extend(crawl.warnings)

        def remember() -> Mapping[str, str]:
            return crawls[0].remember()

        return Reading(self.source, read_items(), complete=True, atomic=False, warnings=warnings, remember=remember)

    def _read_files(self, context: Context) -> Reading:
        found = RegistryFiles(self.files, context.folder)
        layout = Layout(self._map_namespaces(context), self.topics, self.subjects, self.versions, found.digest)
        crawl = TopicCrawl(found, layout, context, 1, get_current_micros())
        items = [*found.refusals, *crawl.read_items()]
        return Reading(self.source, items, complete=True, warnings=crawl.warnings, remember=crawl.remember)

    def _map_namespaces(self, context: Context) -> dict[str, str]:
        given = {DEFAULT_CONTEXT: self.namespace, **self.contexts}
        wrong = next((name for name in self.contexts if not name.startswith(".") or ":" in name), None)
        if wrong is not None:
            raise InvalidInput(f"found {wrong!r}; accepted is the name of a context, which begins with a dot", "contexts")
        found = {name: context.resolve_namespace(text) for name, text in given.items()}
        return {name: text if "://" in text else f"kafka://{text}" for name, text in found.items()}


def expand_account(url: str, account: Account, variables: Variables) -> tuple[str, Account]:
    """The address and the account with every `${NAME}` replaced. Raises InvalidInput that names the variable."""
    values = [expand_variables(text, key, variables) for key, text in zip(("url", *_ACCOUNT), (url, *account), strict=True)]
    return values[0], Account(*values[1:])


def build_redaction(written: str, url: str, account: Account) -> Redaction:
    """Keeps an account out of messages. `written`: the address before `${NAME}` was replaced."""
    given = dict(zip(_ACCOUNT, account, strict=True))
    return Redaction({"url": written, **dict.fromkeys(_ACCOUNT, "")}, {"url": url, **given})

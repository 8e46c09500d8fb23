"""DataHub: datasets, jobs, lineage of columns, owners, domains, products and dashboards, from a server or exported metadata."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import ClassVar, Self

from pydantic import Field, model_validator

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.datahub.aspects import PlatformInstance, Properties
from meshline.ingest.sources.datahub.data_jobs import JobFacts
from meshline.ingest.sources.datahub.facts import SCOPE, CatalogFacts
from meshline.ingest.sources.datahub.parse import MAX_BYTES, Entities
from meshline.ingest.sources.datahub.report_uses import CHART, DASHBOARD, ReportUses
from meshline.ingest.sources.datahub.server_reader import PROGRAM, ServerReader
from meshline.ingest.sources.datahub.urns import DATASET, Names, Platforms, find_stated_name, parse_instance_urn
from meshline.ingest.sources.files import expand_paths, format_path, read_bytes
from meshline.ingest.sources.http_reader import HttpReader
from meshline.ingest.sources.secrets import Redaction, expand_variables
from meshline.words import format_count


class DataHub(Source):
    """A running DataHub, or exported metadata: the files that its file sink writes, as an array or one record on each line."""

    kind: ClassVar[str] = "datahub"
    files: tuple[str, ...] = Field(default=(), description="Files with exported metadata, and patterns such as datahub/*.json.")
    url: str = Field(default="", max_length=2048, description="Instead of files, the address of its metadata service (GMS).")
    token: str = Field(default="", max_length=16_384, repr=False, description="An access token; ${NAME} is a variable.")
    platforms: Platforms = Field(
        default={}, description="By PLATFORM, PLATFORM/INSTANCE, PLATFORM@ENV or PLATFORM/INSTANCE@ENV: the namespace of its datasets."
    )
    complete: bool = Field(default=True, description="Whether these are all files, so that what they state no more is retracted.")

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if bool(self.url) == bool(self.files):
            raise ValueError("give either files or url")
        return self

    def read(self, context: Context) -> Reading:
        """Raises InvalidInput, StoreUnavailable."""
        warnings: list[str] = []
        entities = Entities()
        if self.files:
            items = self._read_files(entities, context, warnings)
            return Reading(self.source, items, complete=self.complete, atomic=False, warnings=warnings)
        written = {"url": self.url, "token": self.token}
        values = {key: expand_variables(text, key, context.variables) for key, text in written.items()}
        headers = {"Authorization": f"Bearer {values['token']}"} if values["token"] else {}
        with HttpReader.connect(PROGRAM, values["url"], Redaction(written, values), headers=headers) as reader:
            server = ServerReader(reader, entities)
            refusals = list(server.read())
        warnings += server.warnings
        items = chain(refusals, self._build_items(entities, context, warnings))
        return Reading(self.source, items, complete=True, atomic=False, warnings=warnings)

    def _read_files(self, entities: Entities, context: Context, warnings: list[str]) -> Iterator[Item]:
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                for error, urn in entities.add_file(read_bytes(path, MAX_BYTES), format_path(path, context.folder)):
                    yield Refusal(error, _find_scope(urn))
            except InvalidInput as error:
                yield Refusal(error)
        yield from self._build_items(entities, context, warnings)

    def _build_items(self, entities: Entities, context: Context, warnings: list[str]) -> Iterator[Item]:
        names = _build_names(entities, self.platforms, context)
        facts = CatalogFacts(entities, names, context)
        yield from facts.build_items()
        yield from JobFacts(entities, names, facts).build_entries()
        yield from ReportUses(entities, facts, context).build_entries()
        yield from facts.build_owner_entries()
        warnings += [*names.list_warnings(), *facts.list_warnings()]
        if entities.patches:
            records = format_count(entities.patches, "record")
            warnings.append(f"{records} of changeType PATCH not read: they need what a server has; export the aspects as a whole")


def _find_scope(urn: str) -> tuple[str, ...]:
    """The common beginning of the scopes that an entity may be in: it may own others, and a chart does not state its dashboards."""
    if not urn:
        return ()
    return ("report",) if urn.startswith((CHART, DASHBOARD)) else (SCOPE,)


def _build_names(entities: Entities, platforms: Platforms, context: Context) -> Names:
    instances: dict[str, set[str]] = {}
    own: dict[str, str] = {}
    for urn in entities.list_urns(DATASET):
        stated = entities.find(urn, "dataPlatformInstance", PlatformInstance)
        if stated is not None:
            found = parse_instance_urn(stated.instance or "")
            own[urn] = "" if found is None else found[1]
            if found is not None:
                instances.setdefault(found[0], set()).add(found[1])
    return Names(platforms, instances, own, context, _list_stated_names(entities))


def _list_stated_names(entities: Entities) -> dict[str, tuple[str, str]]:
    """By the URN of a dataset, the namespace and the name that `meshline export datahub` gave it."""
    found: dict[str, tuple[str, str]] = {}
    for urn in entities.list_urns(DATASET):
        stated = entities.find(urn, "datasetProperties", Properties)
        own = find_stated_name(stated.custom_properties if stated is not None else None)
        if own is not None:
            found[urn] = own
    return found

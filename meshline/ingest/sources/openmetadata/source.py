"""OpenMetadata: tables, topics, containers, lineage of columns, owners, tags, domains, products, dashboards, by its API or from files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

from pydantic import Field, model_validator

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName
from meshline.ingest.sources.files import expand_paths, format_path, read_bytes
from meshline.ingest.sources.http_reader import HttpReader
from meshline.ingest.sources.openmetadata.catalog_reader import MAX_BYTES, PROGRAM, ApiReader, Catalog, FileReader
from meshline.ingest.sources.openmetadata.facts import CatalogFacts
from meshline.ingest.sources.openmetadata.service_names import ServiceNames
from meshline.ingest.sources.secrets import Redaction, expand_variables


class OpenMetadata(Source):
    """A running OpenMetadata, or files with the answers of its API."""

    kind: ClassVar[str] = "openmetadata"
    url: str = Field(default="", max_length=2048, description="The address of OpenMetadata, e.g. http://openmetadata:8585.")
    token: str = Field(default="", max_length=16_384, repr=False, description="The JWT token of a bot or a person; ${NAME} is a variable.")
    files: tuple[str, ...] = Field(default=(), description="Instead of a server, files with answers of its API, and patterns.")
    services: dict[str, str | DatabaseName] = Field(
        default={}, description="By the name of a service: the namespace of its datasets or jobs, if its connection does not state it."
    )
    parallel: int = Field(default=4, ge=1, le=32, description="How many requests are sent at a time.")
    complete: bool = Field(default=True, description="Whether these are all files, so that what they state no more is retracted.")

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if bool(self.url) == bool(self.files):
            raise ValueError("give either url or files")
        return self

    def read(self, context: Context) -> Reading:
        """Raises InvalidInput, StoreUnavailable."""
        warnings: list[str] = []
        if self.files:
            return Reading(self.source, self._read_files(context, warnings), complete=self.complete, atomic=False, warnings=warnings)
        written = {"url": self.url, "token": self.token}
        values = {key: expand_variables(text, key, context.variables) for key, text in written.items()}
        headers = {"Authorization": f"Bearer {values['token']}"} if values["token"] else {}
        catalog = Catalog()
        with HttpReader.connect(
            PROGRAM, values["url"], Redaction(written, values), suffix="/api", headers=headers, connections=self.parallel
        ) as reader:
            api = ApiReader(reader, catalog)
            refusals: list[Item] = list(api.read(self.parallel))
        warnings += api.list_warnings()
        items = self._build_items(catalog, context, warnings, refusals)
        return Reading(self.source, items, complete=True, atomic=False, warnings=warnings)

    def _read_files(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        catalog = Catalog()
        found = FileReader(catalog)
        refusals: list[Item] = []
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                refusals += found.add_file(read_bytes(path, MAX_BYTES), format_path(path, context.folder))
            except InvalidInput as error:
                refusals.append(Refusal(error))
        found.add_lineage()
        yield from self._build_items(catalog, context, warnings, refusals)

    def _build_items(self, catalog: Catalog, context: Context, warnings: list[str], refusals: list[Item]) -> Iterator[Item]:
        yield from refusals
        names = ServiceNames(self.services, catalog, context)
        facts = CatalogFacts(catalog, names, context)
        yield from facts.build_items()
        warnings += [*names.list_warnings(), *facts.list_warnings()]

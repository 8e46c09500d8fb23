"""The source `iceberg`: a catalog, or files."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from meshline.errors import InvalidInput, required_extra
from meshline.ingest.sources.iceberg.names import catalog_namespace
from meshline.ingest.sources.iceberg.properties import Redaction, expanded
from meshline.ingest.sources.iceberg.recorded import RecordedTables
from meshline.ingest.sources.iceberg.remembered import Memory, rules
from meshline.ingest.sources.shape import Context, Reading, Source
from meshline.ingest.times import now


class Iceberg(Source):
    """`uri` and `properties`: as pyiceberg's `load_catalog` takes them, with `${NAME}` for what the environment holds.
    `catalog`: the name under which pyiceberg's own configuration, or the SQL catalog, knows it. `files`: instead of a
    catalog. `namespace`: of the datasets, instead of the catalog's uri. `tables`: patterns of `schema.table`.
    """

    kind: ClassVar[str] = "iceberg"

    uri: str = ""
    catalog: str = ""
    properties: dict[str, Any] = Field(default={})
    files: tuple[str, ...] = ()
    namespace: str = ""
    tables: tuple[str, ...] = ()
    parallel: Annotated[int, Field(ge=1, le=64)] = 8

    @model_validator(mode="after")
    def _one_place(self) -> Iceberg:
        is_catalog = bool(self.uri or self.catalog or self.properties)
        if is_catalog == bool(self.files):
            raise ValueError("give either files, or a catalog by uri, properties or its name in catalog")
        if self.files and not self.namespace:
            raise ValueError("files do not say which catalog they are from: give namespace, e.g. http://iceberg-rest:8181")
        return self

    def reading(self, context: Context) -> Reading:
        return self._of_files(context) if self.files else self._of_catalog(context)

    def _of_files(self, context: Context) -> Reading:
        namespace = context.namespace(self.namespace)
        memory = Memory(context.memory, rules(context, namespace))
        tables = RecordedTables(self.files, namespace, context, memory, now())
        return Reading(self.source, tables.found(), complete=True, whole=False, warnings=tables.warnings, remember=tables.remember)

    def _of_catalog(self, context: Context) -> Reading:
        with required_extra("glue" if self.properties.get("type") == "glue" else "iceberg", "reading an Iceberg catalog"):
            from meshline.ingest.sources.iceberg.connection import kind_of, opened  # noqa: PLC0415 - pyiceberg is slow to import
            from meshline.ingest.sources.iceberg.walking import Walk  # noqa: PLC0415

        written = {**self.properties, **({"uri": self.uri} if self.uri else {})}
        properties = expanded(written)
        name = self.catalog or self.name
        kind, merged = kind_of(name, properties)
        redacted = Redaction(written, merged)
        namespace = context.namespace(self.namespace) if self.namespace else catalog_namespace(kind, merged)
        try:
            catalog = opened(name, kind, properties, merged, redacted)
        except NotImplementedError as error:
            raise InvalidInput(redacted(str(error)), "properties") from None
        walk = Walk(catalog, kind, namespace, self.tables, self.parallel, context, Memory(context.memory, rules(context, namespace)), now())
        return Reading(self.source, walk.found(), complete=not self.tables, whole=False, warnings=walk.warnings, remember=walk.remember)

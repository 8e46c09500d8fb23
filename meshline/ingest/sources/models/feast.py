"""Feast: feature views as datasets whose columns come from those of tables, and feature services as their consumers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName
from meshline.ingest.sources.files import Paths, expand_paths, format_path, read_bytes
from meshline.ingest.sources.models.feast_registry import Registry, decode_registry

MAX_BYTES = 256 * 2**20  # of one file


class Feast(Source):
    """What `feast registry-dump` prints of one or more projects."""

    kind: ClassVar[str] = "feast"
    files: Paths
    databases: dict[str, DatabaseName] = Field(
        default={},
        description="By the name of a data source, or by a system (postgres, snowflake, redshift, ...): where its tables are.",
    )

    def read(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._read_items(context, warnings), complete=True, warnings=warnings)

    def _read_items(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        with require_extra("sql", "reading Feast"):
            from meshline.ingest.sources.models.feast_reader import FeastReader  # noqa: PLC0415

        registries: dict[str, Registry] = {}
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                where = format_path(path, context.folder)
                found = decode_registry(read_bytes(path, MAX_BYTES), where)
                if registries.setdefault(found.project, found) is not found:
                    yield Refusal(InvalidInput(f"project {found.project!r} was read already from another file", where))
            except InvalidInput as error:
                yield Refusal(error)
        reader = FeastReader(self.databases, context)
        for _, registry in sorted(registries.items()):
            yield from reader.build_views(registry)
        yield from reader.build_services(registries.values())
        warnings += reader.warnings.list_first()

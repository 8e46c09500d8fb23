"""Evidence: the pages of a project as consumers of the columns that their SQL reads, and the queries of its sources as models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from meshline.errors import require_extra
from meshline.ingest.sources.base import Context, Item, Reading, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName


class Evidence(Source):
    """The folder of a project of Evidence: its pages, and its sources."""

    kind: ClassVar[str] = "evidence"
    path: str = Field(min_length=1, max_length=4096, description="The folder of the project, with its folders pages and sources.")
    project: str = Field(default="", max_length=200, description="The name of the project; that of its folder if absent.")
    url: str = Field(default="", max_length=2048, description="Where its pages are published, for links.")
    owner: str = Field(default="", max_length=500, description="The owner of pages that name none.")
    databases: dict[str, DatabaseName] = Field(
        default={}, description="By the name of a source of the project: where its tables are, if its connection does not state it."
    )

    def read(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._read_items(context, warnings), complete=True, warnings=warnings)

    def _read_items(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        with require_extra("sql", "reading Evidence"):
            from meshline.ingest.sources.dashboards.evidence_reader import EvidenceReader  # noqa: PLC0415

        folder = context.folder.absolute() / self.path
        reader = EvidenceReader(folder, self.project or folder.resolve().name, self.databases, context)
        yield from reader.read_items(self.url.rstrip("/"), self.owner)
        warnings += reader.list_warnings()

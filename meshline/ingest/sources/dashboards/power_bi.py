"""Power BI: reports and dashboards as consumers of semantic models, whose columns come from those of tables, by exported scans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.dashboards.database_names import DatabaseName
from meshline.ingest.sources.dashboards.power_bi_scan import Scan, parse_answer
from meshline.ingest.sources.files import Paths, expand_paths, format_path, read_bytes

MAX_BYTES = 512 * 2**20  # of one file


class PowerBi(Source):
    """Exported answers of Power BI's Scanner API (admin/workspaces/scanResult), and of its activity events."""

    kind: ClassVar[str] = "powerbi"
    files: Paths
    databases: dict[str, DatabaseName] = Field(
        default={},
        description="By the server and database that queries connect to, server/database or server: where its tables are, if not there.",
    )

    def read(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._read_items(context, warnings), complete=True, warnings=warnings)

    def _read_items(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        with require_extra("sql", "reading Power BI"):
            from meshline.ingest.sources.dashboards.power_bi_reader import PowerBiReader  # noqa: PLC0415

        whole = Scan()
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                whole.add(parse_answer(read_bytes(path, MAX_BYTES), format_path(path, context.folder)))
            except InvalidInput as error:
                yield Refusal(error)
        reader = PowerBiReader(whole, self.databases, context)
        yield from reader.read_items()
        warnings += reader.list_warnings()

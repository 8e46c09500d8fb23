"""Delta Lake tables: by path or URL, with their history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from meshline.errors import require_extra
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.secrets import expand_options


class Delta(Source):
    """Delta tables. `storage_options`: deltalake's options, with `${NAME}` for a variable of the environment.
    `versions`: how many commits of a table are read for its earlier states. `complete`: whether `tables` are all tables of the
    source, so that a removed one is retracted. `folder`: if the tables that are read are a copy, the folder of the original
    tables, which names the datasets.
    """

    kind: ClassVar[str] = "delta"
    tables: tuple[str, ...] = Field(min_length=1)
    storage_options: Mapping[str, str] = Field(default={}, repr=False)
    versions: int = Field(default=100, ge=1, le=10_000)
    complete: bool = True
    folder: str = Field(default="", max_length=4096, pattern="^(/.*)?$")

    def read(self, context: Context) -> Reading:
        with require_extra("delta", "reading Delta tables"):
            from meshline.ingest.sources.delta.facts import DeltaReader  # noqa: PLC0415 - an extra

        options = expand_options(self.storage_options, context.variables, "storage_options")
        reader = DeltaReader(self.tables, self.folder, options, context, versions=self.versions, complete=self.complete)
        return Reading(
            self.source, reader.read_items(), complete=self.complete, atomic=False, warnings=reader.warnings, remember=lambda: reader.memory
        )

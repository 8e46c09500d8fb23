"""The parts of catalog.json v1, run_results.json v4 to v6 and sources.json v3 that are used, typed."""

from __future__ import annotations

from msgspec import Raw, Struct

from meshline.ingest.sources.dbt.artifacts import Metadata


class CatalogColumn(Struct, frozen=True, gc=False):
    """A column as the warehouse has it."""

    name: str
    type: str | None = None
    index: int | None = None
    comment: str | None = None


class CatalogMetadata(Struct, frozen=True, gc=False):
    type: str | None = None


class CatalogTable(Struct, frozen=True, gc=False):
    """A table or view as the warehouse has it."""

    columns: dict[str, CatalogColumn]
    metadata: CatalogMetadata = CatalogMetadata()


class Catalog(Struct, frozen=True, gc=False):
    """catalog.json."""

    metadata: Metadata = Metadata()
    nodes: dict[str, Raw] = {}
    sources: dict[str, Raw] = {}


class Arguments(Struct, frozen=True, gc=False):
    """The command that made the results."""

    which: str | None = None


class Timing(Struct, frozen=True, gc=False):
    name: str = ""
    completed_at: str | None = None


class Result(Struct, frozen=True, gc=False):
    """What became of one node in a run; of a test: pass, fail, warn, error, skipped."""

    unique_id: str
    status: str
    message: str | None = None
    failures: int | None = None
    timing: list[Timing] = []
    compiled_code: str | None = None


class RunResults(Struct, frozen=True, gc=False):
    """run_results.json."""

    metadata: Metadata = Metadata()
    results: list[Raw] = []
    args: Arguments = Arguments()


class Freshness(Struct, frozen=True, gc=False):
    """How old a source's newest row was: pass, warn, error, runtime error."""

    unique_id: str
    status: str | None = None
    error: str | int | None = None
    max_loaded_at: str | None = None
    snapshotted_at: str | None = None
    max_loaded_at_time_ago_in_s: float | None = None


class SourcesFreshness(Struct, frozen=True, gc=False):
    """sources.json."""

    metadata: Metadata = Metadata()
    results: list[Raw] = []

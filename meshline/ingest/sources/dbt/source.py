"""dbt projects, from the artifacts of their target folder: each node after those that it refers to; only changed ones are read again."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.file_times import now
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.dbt.checks import micros
from meshline.ingest.sources.dbt.names import namespace_of
from meshline.ingest.sources.dbt.parse import project_name, read


class Dbt(Source):
    """A dbt project's target folder."""

    kind: ClassVar[str] = "dbt"

    path: Path = Field(description="the folder into which dbt writes manifest.json, or that file")
    namespace: str | None = Field(default=None, min_length=1, description="of the project's datasets, as its OpenLineage events have it")
    profiles: Path | None = Field(default=None, description="dbt's profiles.yml or its folder, from which the namespace is known")
    profile: str | None = Field(default=None, description="which of its profiles")
    target: str | None = Field(default=None, description="which of the profile's targets")
    dialect: str | None = Field(default=None, description="of the SQL; the adapter's by default")

    def reading(self, context: Context) -> Reading:
        with require_extra("dbt", "reading a dbt project"):
            from meshline.ingest.sources.dbt.flows import dialect_of  # noqa: PLC0415 - an extra
            from meshline.ingest.sources.dbt.project import Project, Settings, other_project  # noqa: PLC0415

        artifacts = read(context.folder / self.path)
        metadata = artifacts.metadata
        name = project_name(artifacts)
        if (other := other_project(context.memory, name)) is not None:
            raise InvalidInput(f"{self.source} holds the project {other!r}; give the project {name!r} a name of its own (--name)", "name")
        adapter = (metadata.adapter_type or "").lower()
        dialect = dialect_of(self.dialect or adapter)
        if dialect is None and self.dialect is not None:
            raise InvalidInput(f"found {self.dialect!r}; accepted: a dialect of sqlglot, such as trino", "dialect")
        project = Project(artifacts, Settings(name, self._namespace(context, adapter), dialect, _time(metadata.generated_at)), context)
        if dialect is None:
            project.warnings.append(
                f"SQL of {adapter!r} is not read, so lineage is one of whole tables; perhaps a --dialect is near enough"
            )
        return Reading(self.source, project.found(), complete=True, whole=False, warnings=project.warnings, remember=project.memory)

    def _namespace(self, context: Context, adapter: str) -> str:
        if self.namespace is not None:
            return context.namespace(self.namespace)
        return namespace_of(adapter, context.folder / self.profiles if self.profiles is not None else None, self.profile, self.target)


def _time(generated_at: str) -> int:
    """When the manifest was written; never later than now."""
    time = micros(generated_at)
    return now() if time is None else min(time, now())

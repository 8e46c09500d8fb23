"""DataHub: datasets, lineage of columns, owners, domains, products and dashboards, from exported metadata (MCE and MCP files)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.datahub.aspects import PlatformInstance
from meshline.ingest.sources.datahub.facts import SCOPE, CatalogFacts
from meshline.ingest.sources.datahub.parse import MAX_BYTES, Entities
from meshline.ingest.sources.datahub.report_uses import CHART, DASHBOARD, ReportUses
from meshline.ingest.sources.datahub.urns import DATASET, Names, Platforms, parse_instance_urn
from meshline.ingest.sources.files import Paths, expand_paths, format_path, read_bytes
from meshline.words import format_count


class DataHub(Source):
    """Exported metadata of a DataHub: the files that its file sink writes, as an array or one record on each line."""

    kind: ClassVar[str] = "datahub"
    files: Paths
    platforms: Platforms = Field(
        default={}, description="By PLATFORM, PLATFORM/INSTANCE, PLATFORM@ENV or PLATFORM/INSTANCE@ENV: the namespace of its datasets."
    )
    complete: bool = Field(default=True, description="Whether these are all files, so that what they state no more is retracted.")

    def read(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._read_items(context, warnings), complete=self.complete, atomic=False, warnings=warnings)

    def _read_items(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        entities = Entities()
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                for error, urn in entities.add_file(read_bytes(path, MAX_BYTES), format_path(path, context.folder)):
                    yield Refusal(error, _find_scope(urn))
            except InvalidInput as error:
                yield Refusal(error)
        names = _build_names(entities, self.platforms, context)
        facts = CatalogFacts(entities, names, context)
        yield from facts.build_items()
        yield from ReportUses(entities, facts, context).build_entries()
        yield from facts.build_owner_entries()
        warnings += [*names.list_warnings(), *facts.list_warnings()]
        if entities.patches:
            records = format_count(entities.patches, "record")
            warnings.append(f"{records} of changeType PATCH not read: they need what a server has; export the aspects as a whole")
        if jobs := entities.unread["dataJobInputOutput"]:
            warnings.append(f"lineage of {format_count(jobs, 'data job')} is not read: their OpenLineage events have it")


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
    return Names(platforms, instances, own, context)

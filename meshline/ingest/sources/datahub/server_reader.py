"""A running DataHub: entities with their aspects, page by page, by its OpenAPI (v3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Refusal
from meshline.ingest.sources.datahub.aspects import ASPECTS
from meshline.ingest.sources.datahub.parse import Entities
from meshline.ingest.sources.http_reader import AccessRefused, HttpReader, Program, RefusedAnswer

PROGRAM = Program("DataHub", "http://datahub-gms:8080", "set the key token to an access token of an account that may read", 120.0)
PREFIX = "/openapi/v3/entity"
PAGE = 500  # entities of one request
MAX_ENTITIES = 500_000  # of a type
# The types that are read, each with its aspects. Servers before 0.14 may lack some: these are optional.
TYPES: Mapping[str, tuple[str, ...]] = {
    "dataset": (
        "datasetProperties", "editableDatasetProperties", "viewProperties", "subTypes", "schemaMetadata", "editableSchemaMetadata",
        "ownership", "globalTags", "glossaryTerms", "domains", "upstreamLineage", "siblings", "status", "dataPlatformInstance",
    ),
    "dataflow": ("dataFlowInfo", "editableDataFlowProperties", "ownership", "globalTags", "glossaryTerms", "status"),
    "datajob": (
        "dataJobInfo", "editableDataJobProperties", "dataJobInputOutput", "dataTransformLogic", "ownership", "globalTags", "glossaryTerms",
        "status",
    ),
    "dashboard": (
        "dashboardInfo", "editableDashboardProperties", "inputFields", "ownership", "globalTags", "glossaryTerms", "status",
    ),
    "chart": ("chartInfo", "editableChartProperties", "inputFields", "ownership", "globalTags", "glossaryTerms", "status"),
    "domain": ("domainProperties", "ownership"),
    "dataproduct": ("dataProductProperties", "domains", "ownership", "globalTags", "glossaryTerms", "status"),
    "tag": ("tagProperties",),
    "glossaryterm": ("glossaryTermInfo",),
    "corpuser": ("corpUserInfo", "corpUserEditableInfo"),
    "corpgroup": ("corpGroupInfo",),
}  # fmt: skip
REQUIRED = ("dataset",)
assert {name for names in TYPES.values() for name in names} == set(ASPECTS)


class _Page(msgspec.Struct, rename="camel"):
    entities: list[dict[str, msgspec.Raw]] = []
    scroll_id: str | None = None


class ServerReader:
    """Reads a server into entities."""

    def __init__(self, reader: HttpReader, entities: Entities) -> None:
        self._reader = reader
        self._entities = entities
        self.warnings: list[str] = []

    def read(self) -> Iterator[Refusal]:
        """Raises InvalidInput, StoreUnavailable."""
        for type_, names in TYPES.items():
            try:
                yield from self._read_type(type_, names)
            except (RefusedAnswer, AccessRefused) as error:
                if type_ in REQUIRED:
                    raise
                if isinstance(error, AccessRefused):  # what they stated before must not be retracted
                    yield Refusal(InvalidInput(str(error), type_))
                else:  # an older server does not know the type
                    self.warnings.append(f"entities of the type {type_} are not read: {error}")

    def _read_type(self, type_: str, names: tuple[str, ...]) -> Iterator[Refusal]:
        scroll: str | None = None
        count = 0
        while True:
            query = [("count", str(PAGE)), ("query", "*"), ("systemMetadata", "false"), *(("aspects", name) for name in names)]
            page = self._reader.read(_Page, f"{PREFIX}/{type_}?{urlencode([*query, *([('scrollId', scroll)] if scroll else [])])}")
            for entity in page.entities:
                yield from self._add_entity(entity)
            count += len(page.entities)
            if count > MAX_ENTITIES:
                raise InvalidInput(f"more than {MAX_ENTITIES} entities", type_)
            if not page.scroll_id or page.scroll_id == scroll or not page.entities:
                return
            scroll = page.scroll_id

    def _add_entity(self, entity: dict[str, msgspec.Raw]) -> Iterator[Refusal]:
        try:
            urn = msgspec.json.decode(entity.pop("urn", msgspec.Raw(b'""')), type=str)
            self._entities.add_entity(urn, entity)
        except (msgspec.MsgspecError, InvalidInput) as error:
            yield Refusal(error if isinstance(error, InvalidInput) else InvalidInput(str(error), "urn"))

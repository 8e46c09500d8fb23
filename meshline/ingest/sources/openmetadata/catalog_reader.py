"""What an OpenMetadata knows: entities by type, and the edges of their lineage; by its REST API, or from files with its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from meshline.errors import InvalidInput
from meshline.ingest.documents import build_json_error
from meshline.ingest.sources.base import Refusal
from meshline.ingest.sources.http_reader import AccessRefused, HttpReader, Program, RefusedAnswer
from meshline.ingest.sources.openmetadata.entities import ColumnLineage, Edge, Entity, EntityLineage, Reference
from meshline.ingest.sources.thread_pool import run_in_parallel

PROGRAM = Program("OpenMetadata", "http://openmetadata:8585", "set the key token to the JWT token of a bot or a person that may read", 60.0)
PREFIX = "/api/v1"
PAGE = 200  # entities of one request
MAX_ENTITIES = 500_000  # of a type
MAX_BYTES = 500 * 2**20  # of a file


class EntityType(NamedTuple):
    """A type of entities. `path`: of its list. `fields`: what is asked for, `older`: of servers before version 1.6. `lineage`: whether it
    has lineage. `optional`: servers may lack the list, or refuse it to the account.
    """

    path: str
    fields: str = ""
    older: str = ""
    lineage: bool = False
    optional: bool = False


_DATA, _OLDER = "owners,tags,domains,dataProducts", "owner,tags,domain,dataProducts"
TYPES: Mapping[str, EntityType] = {
    "databaseService": EntityType("services/databaseServices", optional=True),
    "messagingService": EntityType("services/messagingServices", optional=True),
    "user": EntityType("users", optional=True),
    "team": EntityType("teams", optional=True),
    "domain": EntityType("domains", "owners,tags,parent", "owner,parent", optional=True),
    "dataProduct": EntityType("dataProducts", "owners,tags,domains", "owner,domain", optional=True),
    "table": EntityType("tables", f"columns,tableConstraints,schemaDefinition,{_DATA}", f"columns,tableConstraints,{_OLDER}", lineage=True),
    "topic": EntityType("topics", _DATA, _OLDER, lineage=True),
    "container": EntityType("containers", f"dataModel,{_DATA}", f"dataModel,{_OLDER}", lineage=True, optional=True),
    "dashboardDataModel": EntityType("dashboard/datamodels", _DATA, _OLDER, lineage=True, optional=True),
    "dashboard": EntityType("dashboards", f"charts,dataModels,{_DATA}", f"charts,{_OLDER}", lineage=True),
    "chart": EntityType("charts", _DATA, _OLDER, lineage=True, optional=True),
    "pipeline": EntityType("pipelines", _DATA, _OLDER, lineage=True),
    "mlmodel": EntityType("mlmodels", _DATA, _OLDER, lineage=True),
}
_BY_PATH = {of.path: name for name, of in TYPES.items()}
_SERVICES = {  # the type of an entity without an address, by that of its service
    "databaseService": "table",
    "messagingService": "topic",
    "storageService": "container",
    "dashboardService": "dashboard",
    "pipelineService": "pipeline",
    "mlmodelService": "mlmodel",
}


class _Paging(Struct, frozen=True):
    after: str | None = None


class _Page(Struct):
    data: list[msgspec.Raw] = []
    paging: _Paging = _Paging()


class LineageEdge(NamedTuple):
    """What flows between two entities, and by which pipeline."""

    start: Reference
    end: Reference
    columns: tuple[ColumnLineage, ...]
    pipeline: Reference | None


class Catalog:
    """Entities by type and fully qualified name, and edges."""

    def __init__(self) -> None:
        self._entities: dict[str, dict[str, Entity]] = {name: {} for name in TYPES}
        self._ids: dict[str, tuple[str, Entity]] = {}
        self._edges: dict[tuple[str, str, str], LineageEdge] = {}

    def add(self, type_: str, entity: Entity) -> None:
        """Add an entity, unless it is deleted."""
        if not entity.deleted:
            self._entities[type_][entity.fqn] = entity
            self._ids[entity.id] = (type_, entity)

    def add_lineage(self, found: EntityLineage) -> None:
        """Add the edges of an answer. An end that neither the answer nor the catalog knows is left out."""
        nodes = {} if not isinstance(found.nodes, list) else {one.id: one for one in found.nodes}
        if found.entity is not None:
            nodes[found.entity.id] = found.entity
        for edges in (found.upstream_edges, found.downstream_edges):
            for edge in edges.values() if isinstance(edges, dict) else edges or ():
                start, end = self._find_end(edge.from_entity, nodes), self._find_end(edge.to_entity, nodes)
                if start is not None and end is not None:
                    self._add_edge(edge, start, end)

    def list_entities(self, type_: str) -> list[Entity]:
        """The entities of a type, by name."""
        return [self._entities[type_][fqn] for fqn in sorted(self._entities[type_])]

    def find(self, type_: str, fqn: str) -> Entity | None:
        return self._entities[type_].get(fqn)

    def list_edges(self) -> list[LineageEdge]:
        """The edges, each once, in the order of the names of their ends."""
        return sorted(self._edges.values(), key=lambda one: (one.start.fully_qualified_name or "", one.end.fully_qualified_name or ""))

    def find_reference(self, of: Reference) -> Reference:
        """The reference with the type and the name that the catalog knows."""
        known = self._ids.get(of.id)
        return of if known is None else Reference(of.id, known[0], known[1].name, known[1].fqn)

    def _find_end(self, of: str | Reference, nodes: Mapping[str, Reference]) -> Reference | None:
        given = of if isinstance(of, Reference) else nodes.get(of, Reference(of))
        found = self.find_reference(given)
        return found if found.type and found.fully_qualified_name else None

    def _add_edge(self, edge: Edge, start: Reference, end: Reference) -> None:
        details = edge.lineage_details
        columns = edge.columns or (details.columns_lineage if details is not None else None) or ()
        pipeline = edge.pipeline or (details.pipeline if details is not None else None)
        pipeline = None if pipeline is None or not pipeline.id else self.find_reference(pipeline)
        key = (start.id, end.id, "" if pipeline is None else pipeline.id)
        known = self._edges.get(key)
        both = tuple(columns) if known is None or columns else known.columns
        self._edges[key] = LineageEdge(start, end, both, pipeline)


class FileReader:
    """Reads files with answers: pages of lists (`data`), single entities, and lineage."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lineage: list[EntityLineage] = []  # added when all entities are known

    def add_lineage(self) -> None:
        """Add the lineage of all files."""
        for found in self._lineage:
            self._catalog.add_lineage(found)

    def add_file(self, data: bytes, file: str) -> Iterator[Refusal]:
        """Raises InvalidInput if the file is not JSON. What is no answer is refused alone, with its place."""
        try:
            value = msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise build_json_error(error, data, file) from error
        for place, answer in _split_answers(value, file):
            try:
                self._add_answer(answer)
            except (msgspec.MsgspecError, InvalidInput, RecursionError) as error:
                yield Refusal(InvalidInput(f"this answer cannot be read: {str(error)[:300]}", place))

    def _add_answer(self, answer: object) -> None:
        if isinstance(answer, dict) and ("upstreamEdges" in answer or "downstreamEdges" in answer):
            self._lineage.append(msgspec.convert(answer, EntityLineage))
            return
        entity = msgspec.convert(answer, Entity)
        type_ = _find_type(entity)
        if type_:
            self._catalog.add(type_, entity)


def _split_answers(value: object, file: str) -> Iterator[tuple[str, object]]:
    """The answers in a file: an entity or lineage, an array of them, or pages with `data`."""
    for number, one in enumerate(value if isinstance(value, list) else [value], start=1):
        place = f"{file}: answer {number}" if isinstance(value, list) else file
        if isinstance(one, dict) and isinstance(one.get("data"), list):
            yield from ((f"{place}: data[{position}]", entity) for position, entity in enumerate(one["data"]))
        else:
            yield place, one


def _find_type(entity: Entity) -> str:
    """By the entity's address, else by its service; '' if it is of a type that is not read. Raises InvalidInput if that is unknown."""
    path = (entity.href or "").partition("/api/v1/")[2].rpartition("/")[0]
    if path:
        return _BY_PATH.get(path, "")
    if entity.service is not None and entity.service.type in _SERVICES:
        return _SERVICES[entity.service.type]
    raise InvalidInput("it has neither href nor service, so it is unknown what it is", entity.name)


class ApiReader:
    """Reads a running server. `url`: its address, with or without /api."""

    def __init__(self, reader: HttpReader, catalog: Catalog) -> None:
        self._reader = reader
        self._catalog = catalog
        self._warnings: list[str] = []

    def read(self, threads: int) -> Iterator[Refusal]:
        """All entities, then the lineage of each. Raises InvalidInput, StoreUnavailable."""
        for type_, of in TYPES.items():
            try:
                yield from self._read_list(type_, of)
            except (RefusedAnswer, AccessRefused) as error:
                if not of.optional:
                    raise
                self._warnings.append(f"{of.path} are not read: {error}")
        asked = [(type_, one) for type_, of in TYPES.items() if of.lineage for one in self._catalog.list_entities(type_)]
        for found in run_in_parallel(asked, lambda pair: self._read_lineage(*pair), threads):
            if isinstance(found, Refusal):
                yield found
            elif found is not None:
                self._catalog.add_lineage(found)

    def list_warnings(self) -> list[str]:
        return self._warnings

    def _read_list(self, type_: str, of: EntityType) -> Iterator[Refusal]:
        """The pages of a list. An older server refuses the names of newer fields."""
        fields = of.fields
        after: str | None = None
        count = 0
        while True:
            query = {
                "limit": str(PAGE),
                "include": "non-deleted",
                **({"fields": fields} if fields else {}),
                **({"after": after} if after else {}),
            }
            try:
                page = self._reader.read(_Page, f"{PREFIX}/{of.path}?{urlencode(query)}")
            except RefusedAnswer as error:
                if error.status != 400 or after is not None or fields == of.older:
                    raise
                fields = of.older
                continue
            for raw in page.data:
                try:
                    self._catalog.add(type_, msgspec.json.decode(raw, type=Entity))
                except (msgspec.MsgspecError, RecursionError) as error:
                    yield Refusal(InvalidInput(f"an entity cannot be read: {str(error)[:300]}", of.path))
            count += len(page.data)
            if count > MAX_ENTITIES:
                raise InvalidInput(f"more than {MAX_ENTITIES} entities", of.path)
            if not page.paging.after or page.paging.after == after or not page.data:
                return
            after = page.paging.after

    def _read_lineage(self, type_: str, entity: Entity) -> EntityLineage | Refusal | None:
        """What flows into an entity. A refusal is of this entity alone; one that is gone meanwhile has none."""
        try:
            return self._reader.read(
                EntityLineage, f"{PREFIX}/lineage/{type_}/{quote(entity.id, safe='')}?upstreamDepth=1&downstreamDepth=0"
            )
        except InvalidInput as error:
            if isinstance(error, RefusedAnswer) and error.status == 404:
                return None
            return Refusal(InvalidInput(str(error), f"lineage of {entity.fqn}"))

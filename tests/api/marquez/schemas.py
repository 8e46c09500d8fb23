"""The shapes of Marquez's answers as JSON schemas, written from a reading of Marquez and not from our own types.

Every member is required, also where it may be null, and there are no others.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jsonschema

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
UUID: Schema = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
FACETS: Schema = {"type": "object"}


def describe_object(**members: Schema) -> Schema:
    return {"type": "object", "required": list(members), "additionalProperties": False, "properties": members}


def describe_list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def allow_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


NAME = describe_object(namespace=TEXT, name=TEXT)
VERSIONED = describe_object(namespace=TEXT, name=TEXT, version=UUID)
ERROR = describe_object(code={"type": "integer"}, message={"type": "string", "minLength": 1})
NAMESPACE = describe_object(name=TEXT, createdAt=TIME, updatedAt=TIME, ownerName=TEXT, description=allow_null(TEXT), isHidden=FLAG)
SOURCE = describe_object(type=TEXT, name=TEXT, createdAt=TIME, updatedAt=TIME, connectionUrl=TEXT, description=allow_null(TEXT))
FIELD = describe_object(name=TEXT, type=allow_null(TEXT), tags=describe_list(TEXT), description=allow_null(TEXT))
TRANSFORMATION = {"transformationDescription": allow_null(TEXT), "transformationType": allow_null(TEXT)}
DATASET_DATA = {
    "id": NAME,
    "type": {"const": "DB_TABLE"},
    "name": TEXT,
    "physicalName": TEXT,
    "createdAt": TIME,
    "updatedAt": TIME,
    "namespace": TEXT,
    "sourceName": TEXT,
    "fields": describe_list(FIELD),
    "tags": describe_list(TEXT),
    "lastModifiedAt": allow_null(TIME),
    "lastLifecycleState": allow_null(TEXT),
    "description": allow_null(TEXT),
}
INPUT = describe_object(namespace=TEXT, dataset=TEXT, field=TEXT, **TRANSFORMATION)
DATASET = describe_object(
    **DATASET_DATA,
    currentVersion=allow_null(UUID),
    columnLineage=allow_null(describe_list(describe_object(name=TEXT, inputFields=describe_list(INPUT), **TRANSFORMATION))),
    facets=FACETS,
    deleted=FLAG,
)
RUN_DATASETS = describe_list(describe_object(datasetVersionId=VERSIONED, facets=FACETS))
RUN = describe_object(
    id=TEXT,
    createdAt=TIME,
    updatedAt=TIME,
    nominalStartTime=allow_null(TIME),
    nominalEndTime=allow_null(TIME),
    state={"enum": ["NEW", "RUNNING", "COMPLETED", "ABORTED", "FAILED"]},
    startedAt=allow_null(TIME),
    endedAt=allow_null(TIME),
    durationMs=allow_null(WHOLE),
    args={"type": "object", "additionalProperties": TEXT},
    jobVersion=allow_null(VERSIONED),
    inputDatasetVersions=RUN_DATASETS,
    outputDatasetVersions=RUN_DATASETS,
    facets=FACETS,
)
JOB_DATA = {
    "id": NAME,
    "type": {"const": "BATCH"},
    "name": TEXT,
    "simpleName": TEXT,
    "parentJobName": allow_null(TEXT),
    "parentJobUuid": allow_null(UUID),
    "createdAt": TIME,
    "updatedAt": TIME,
    "namespace": TEXT,
    "inputs": describe_list(NAME),
    "outputs": describe_list(NAME),
    "location": allow_null(TEXT),
    "description": allow_null(TEXT),
    "latestRun": allow_null(RUN),
}
JOB = describe_object(
    **JOB_DATA,
    latestRuns=allow_null({**describe_list(RUN), "minItems": 1, "maxItems": 10}),
    facets=FACETS,
    currentVersion=allow_null(UUID),
    labels=describe_list(TEXT),
    tags=describe_list(TEXT),
)
EDGES = describe_list(describe_object(origin=TEXT, destination=TEXT))


def describe_node(type_: str, **data: Schema) -> Schema:
    return describe_object(id=TEXT, type={"const": type_}, inEdges=EDGES, outEdges=EDGES, data=describe_object(**data))


GRAPH_INPUT = describe_object(namespace=TEXT, dataset=TEXT, datasetVersion=allow_null(UUID), field=TEXT, **TRANSFORMATION)
COLUMN_NODE = describe_node(
    "DATASET_FIELD",
    namespace=TEXT,
    dataset=TEXT,
    datasetVersion=allow_null(UUID),
    field=TEXT,
    fieldType=TEXT,
    inputFields=describe_list(GRAPH_INPUT),
    **TRANSFORMATION,
)
HIT = describe_object(type={"enum": ["DATASET", "JOB"]}, name=TEXT, updatedAt=TIME, namespace=TEXT, nodeId=TEXT)

NAMESPACES = describe_object(namespaces=describe_list(NAMESPACE))
SOURCES = describe_object(sources=describe_list(SOURCE))
DATASETS = describe_object(datasets=describe_list(DATASET), totalCount=WHOLE)
JOBS = describe_object(jobs=describe_list(JOB), totalCount=WHOLE)
NODES = [describe_node("JOB", **JOB_DATA, currentRunUuid=allow_null(TEXT)), describe_node("DATASET", **DATASET_DATA)]
GRAPH = describe_object(graph=describe_list({"anyOf": NODES}))
COLUMN_GRAPH = describe_object(graph=describe_list(COLUMN_NODE))
TAG = describe_object(name=TEXT, description=allow_null(TEXT))
TAGS = describe_object(tags=describe_list(TAG))
HITS = describe_object(totalCount=WHOLE, results=describe_list(HIT))

RUNS = describe_object(runs=describe_list(RUN), totalCount=WHOLE)
RUN_FACETS = describe_object(runId=TEXT, facets=FACETS)
EVENTS = describe_object(events=describe_list({"type": "object", "required": ["run", "job", "eventTime"]}), totalCount=WHOLE)
INTERVAL = {"startInterval": TIME, "endInterval": TIME}
EVENT_STATISTICS = describe_list(describe_object(**INTERVAL, fail=WHOLE, start=WHOLE, complete=WHOLE, abort=WHOLE))
ASSET_STATISTICS = describe_list(describe_object(**INTERVAL, count=WHOLE))

DATASET_VERSION = describe_object(
    id=VERSIONED,
    type={"const": "DB_TABLE"},
    name=TEXT,
    physicalName=TEXT,
    createdAt=TIME,
    version=UUID,
    namespace=TEXT,
    sourceName=TEXT,
    fields=describe_list(FIELD),
    tags=describe_list(TEXT),
    lifecycleState=allow_null(TEXT),
    description=allow_null(TEXT),
    currentSchemaVersion=allow_null(UUID),
    createdByRun=allow_null(RUN),
    facets=FACETS,
)
DATASET_VERSIONS = describe_object(versions=describe_list(DATASET_VERSION), totalCount=WHOLE)
JOB_VERSION = describe_object(
    id=VERSIONED,
    name=TEXT,
    createdAt=TIME,
    version=UUID,
    namespace=TEXT,
    location=allow_null(TEXT),
    inputs=describe_list(NAME),
    outputs=describe_list(NAME),
    latestRun=allow_null(RUN),
)
JOB_VERSIONS = describe_object(versions=describe_list(JOB_VERSION))
UPSTREAM_RUNS = describe_object(
    runs=describe_list(
        describe_object(
            job=describe_object(namespace=TEXT, name=TEXT, version=allow_null(UUID)),
            run=describe_object(id=TEXT, start=allow_null(TIME), end=allow_null(TIME), status=TEXT),
            inputs=describe_list(describe_object(namespace=TEXT, name=TEXT, version=UUID, producedByRunId=allow_null(TEXT))),
        )
    )
)
HIGHLIGHTS = describe_list({"type": "object", "additionalProperties": describe_list(TEXT)})
MATCH = {"run_id": TEXT, "name": TEXT, "namespace": TEXT, "eventType": TEXT, "facets": FACETS}
DATASET_MATCHES = describe_object(hits=describe_list(describe_object(**MATCH)), highlights=HIGHLIGHTS)
JOB_MATCHES = describe_object(
    hits=describe_list(describe_object(**MATCH, type={"const": "BATCH"}, runFacets=FACETS)), highlights=HIGHLIGHTS
)


def check_shape(answer: object, schema: Schema) -> None:
    """Raises ValidationError if an answer has another shape. A schema is checked when it is first used, which takes longer than answers."""
    if id(schema) not in _validators:
        jsonschema.Draft202012Validator.check_schema(schema)
        _validators[id(schema)] = jsonschema.Draft202012Validator(schema)
    _validators[id(schema)].validate(answer)


_validators: dict[int, jsonschema.Draft202012Validator] = {}  # by the identity of the schema, which each keeps alive

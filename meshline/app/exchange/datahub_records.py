"""The current state of the mesh as metadata of DataHub: an array of proposals (MCP), one aspect each, one on each line.

What DataHub itself describes (`datahub_urn`) is only added to, by patches: its own connectors and people own its aspects. Everything else
is written whole. A flow through a job is stated by the data job, any other by the dataset into which it leads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from meshline.app.exchange.datahub_urns import Place, Urns, build_owner_urn, encode_part
from meshline.app.exchange.mesh_state import (
    Asset,
    Attributes,
    Column,
    Dataset,
    Inflow,
    MeshState,
    Owned,
    get_dataset,
    get_text,
    list_texts,
)
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Flow, FlowType, Json, build_column_key
from meshline.ingest.sources.datahub.urns import OWN_NAME, OWN_NAMESPACE

Aspect: TypeAlias = dict[str, Json]

STAMP: Aspect = {"time": 0, "actor": "urn:li:corpuser:unknown"}  # DataHub's words for no known time: the same graph gives the same records
# By which keys the entries of lists are known in patches, as DataHub's own library writes them.
PATCH_KEYS: Mapping[str, Json] = {
    "ownership": {"owners": ["owner", "type", "typeUrn", "attribution\u241fsource"]},
    "globalTags": {"tags": ["attribution\u241fsource", "tag"]},
}
JSON_PATCH = "application/json-patch+json"  # stated beside the value: of a value under `json`, DataHub's library forgets that it is a patch
_OWNER_TYPES = {"technical": "TECHNICAL_OWNER", "business": "BUSINESS_OWNER", "steward": "DATA_STEWARD"}
_TYPES = (  # the class of a column's type, by what the native type contains
    ("Array", ("array", "list", "repeated")),
    ("Map", ("map",)),
    ("Record", ("struct", "record", "row(", "json", "variant", "object")),
    ("Boolean", ("bool",)),
    ("Time", ("timestamp", "datetime", "time")),
    ("Date", ("date",)),
    ("Bytes", ("binary", "bytea", "blob", "bytes")),
    ("Number", ("int", "num", "dec", "double", "float", "real", "long", "short", "serial", "money")),
    ("String", ("char", "text", "string", "uuid", "enum", "clob")),
)


def iterate_records(state: MeshState, places: Mapping[str, Place], *, patch: bool = False, previous: bytes = b"") -> Iterator[bytes]:
    """The records as a JSON array, one on each line. `places`: by namespace. `patch`: add to everything, replace nothing.

    `previous`: an earlier export. Records that are equal in it are left out, and what it has and the mesh has no more is marked as
    removed. Raises InvalidInput.
    """
    before = _read_previous(previous)
    separator = b"[\n"
    for line in _iterate_lines(state, places, before, patch=patch):
        yield separator + line
        separator = b",\n"
    yield (b"[" if separator == b"[\n" else b"\n") + b"]\n"


def _iterate_lines(
    state: MeshState, places: Mapping[str, Place], before: Mapping[tuple[str, str], bytes], *, patch: bool
) -> Iterator[bytes]:
    found: dict[str, set[str]] = defaultdict(set)
    for record in _Records(state, places, patch=patch).iterate_records():
        line = msgspec.json.encode(record)
        urn, name = str(record["entityUrn"]), str(record["aspectName"])
        if name in found[urn]:
            continue  # a job in several parts, or a tag of several assets
        found[urn].add(name)
        if before.get((urn, name)) != line:
            yield line
    yield from _remove_missing(before, found)


def _read_previous(data: bytes) -> dict[tuple[str, str], bytes]:
    """The records of an earlier export, by entity and aspect."""
    found: dict[tuple[str, str], bytes] = {}
    try:
        for record in msgspec.json.decode(data or b"[]", type=list[msgspec.Raw]):
            named = msgspec.json.decode(record, type=_Named)
            found[named.entityUrn, named.aspectName] = bytes(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"this is no earlier export of meshline export datahub: {error}", "--previous") from error
    return found


class _Named(msgspec.Struct):
    """The keys of a record."""

    entityUrn: str  # noqa: N815 - as DataHub spells them
    aspectName: str  # noqa: N815


def _remove_missing(before: Mapping[tuple[str, str], bytes], found: Mapping[str, set[str]]) -> Iterator[bytes]:
    """The entities that are gone are marked as removed; of others the aspects that are gone are deleted."""
    gone: dict[str, None] = {}
    for (urn, name), line in before.items():
        was = msgspec.json.decode(line)
        if was.get("changeType") != "UPSERT" or (name == "status" and urn not in found and was["aspect"]["json"].get("removed")):
            continue  # a patch is of an entity of DataHub itself
        if urn not in found:
            gone[urn] = None
        elif name not in found[urn]:
            yield (msgspec.json.encode({"entityType": was["entityType"], "entityUrn": urn, "changeType": "DELETE", "aspectName": name}))
    for urn in gone:
        if urn.startswith(("urn:li:tag:", "urn:li:glossaryTerm:", "urn:li:ownershipType:")):
            continue  # other entities may use it
        yield msgspec.json.encode(_build_record(urn, "status", {"removed": True}))


def _build_record(urn: str, name: str, aspect: Aspect) -> Aspect:
    return {
        "entityType": urn.split(":", 3)[2],
        "entityUrn": urn,
        "changeType": "UPSERT",
        "aspectName": name,
        "aspect": {"json": aspect},
    }


def _build_patch(urn: str, name: str, operations: Sequence[tuple[str, Json]]) -> Aspect:
    """A record that adds to lists: JSON Patch, in whose paths the entries of lists are named by their keys."""
    patch: list[Json] = [{"op": "add", "path": path, "value": value} for path, value in operations]
    value: Json = {"arrayPrimaryKeys": PATCH_KEYS[name], "patch": patch} if name in PATCH_KEYS else patch
    return {
        **_build_record(urn, name, {}),
        "changeType": "PATCH",
        "aspect": {"value": msgspec.json.encode(value).decode(), "contentType": JSON_PATCH},
    }


class _Records:
    def __init__(self, state: MeshState, places: Mapping[str, Place], *, patch: bool) -> None:
        self._state = state
        self._patch = patch
        self._datasets = list(state.iterate_datasets())
        known = {one.key: urn for one in self._datasets if (urn := get_text(one.attributes, "datahub_urn")).startswith("urn:li:dataset:(")}
        self._urns = Urns(places, known)
        for one in self._datasets:  # refused before anything is written
            self._urns.build_dataset_urn(one.key)
        self._columns = {one.key: tuple(column.name for column in one.columns) for one in self._datasets}
        self._kinds = {one.key: get_text(one.attributes, "owner_type") for one in state.list_assets(AssetKind.OWNER)}
        self._of_job: dict[AssetKey, list[Inflow]] = defaultdict(list)
        self._without_job: dict[AssetKey, Inflow] = {}
        for inflow in state.list_inflows():
            if inflow.job is None:
                self._without_job[inflow.output] = inflow
            else:
                self._of_job[inflow.job].append(inflow)

    def iterate_records(self) -> Iterator[Aspect]:
        domains = {one.key: one for one in self._state.list_assets(AssetKind.DOMAIN)}
        self._domain_urns = {
            key: get_text(one.attributes, "datahub_urn") or f"urn:li:domain:{encode_part(key.name)}" for key, one in domains.items()
        }
        for domain in domains.values():
            yield from self._build_domain(domain)
        for dataset in self._datasets:
            yield from self._build_dataset(dataset)
        described = {one.key for one in self._datasets}
        for output in sorted(self._without_job.keys() - described):
            yield from self._build_upstreams(output, self._urns.build_dataset_urn(output))
        for job in self._state.list_assets(AssetKind.JOB):
            yield from self._build_job(job)
        for product in self._state.list_assets(AssetKind.DATA_PRODUCT):
            yield from self._build_product(product)
        for consumer in self._state.list_assets(AssetKind.CONSUMER):
            if get_text(consumer.attributes, "consumer_type").lower() == "dashboard":
                yield from self._build_dashboard(consumer)
        named = described.union(*(one.names for one in self._datasets))
        for key, urn in self._urns.list_used():
            if key not in named:  # only lineage names it
                yield from _build_name(key, urn)

    def _build_dataset(self, dataset: Dataset) -> Iterator[Aspect]:
        urn = self._urns.build_dataset_urn(dataset.key)
        is_known = self._urns.is_known(dataset.key)
        if not (is_known or self._patch):
            yield from self._describe_dataset(dataset, urn)
        yield from self._build_named(urn, dataset.owners, dataset.tags, dataset.attributes, is_known=is_known)
        if dataset.domain in self._domain_urns and not (is_known or self._patch):
            yield _build_record(urn, "domains", {"domains": [self._domain_urns[dataset.domain]]})
        yield from self._build_upstreams(dataset.key, urn)

    def _describe_dataset(self, dataset: Dataset, urn: str) -> Iterator[Aspect]:
        attributes = dataset.attributes
        properties: Aspect = {"customProperties": _list_properties(dataset.key, attributes), "name": dataset.key.name, "tags": []}
        if title := get_text(attributes, "title"):
            properties["name"] = title
        properties |= _build_optional(description=get_text(attributes, "description"), qualifiedName=dataset.key.qualified_name)
        yield _build_record(urn, "status", {"removed": False})
        yield _build_record(urn, "datasetProperties", properties)
        if type_ := get_text(attributes, "dataset_type"):
            yield _build_record(urn, "subTypes", {"typeNames": [type_.replace("_", " ").title()]})
        if sql := get_text(attributes, "sql"):
            is_materialized = "MATERIAL" in get_text(attributes, "dataset_type").upper()
            yield _build_record(urn, "viewProperties", {"materialized": is_materialized, "viewLogic": sql, "viewLanguage": "SQL"})
        columns = [column for column in dataset.columns if not column.is_inferred]
        if columns:
            platform = self._urns.find_place(dataset.key.parts[0]).platform
            yield from self._build_words(tag for column in columns for tag in column.tags)
            yield _build_record(
                urn,
                "schemaMetadata",
                {
                    "schemaName": dataset.key.name,
                    "platform": f"urn:li:dataPlatform:{platform}",
                    "version": 0,
                    "hash": "",
                    "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
                    "fields": [self._describe_column(column) for column in columns],
                },
            )
        if dataset.names:
            yield from self._build_siblings(dataset, urn)

    def _build_siblings(self, dataset: Dataset, urn: str) -> Iterator[Aspect]:
        """The other names as siblings, without anything of their own."""
        others = [(name, self._urns.build_dataset_urn(name)) for name in dataset.names]
        yield _build_record(urn, "siblings", {"siblings": [other for _, other in others], "primary": True})
        for name, other in others:
            yield from _build_name(name, other)
            yield _build_record(other, "siblings", {"siblings": [urn], "primary": False})

    def _describe_column(self, column: Column) -> Aspect:
        native = get_text(column.attributes, "type")
        nullable = column.attributes.get("nullable")
        found: Aspect = {
            "fieldPath": column.name,
            "nullable": nullable is not False,
            "type": {"type": {f"com.linkedin.schema.{_classify_type(native)}Type": {}}},
            "nativeDataType": native,
            "recursive": False,
            "isPartOfKey": column.attributes.get("identifies") is True,
        }
        found |= _build_optional(description=get_text(column.attributes, "description"))
        if column.tags:
            found["globalTags"] = _list_tags(column.tags)
        if terms := list_texts(column.attributes, "glossary_terms"):
            found["glossaryTerms"] = self._list_terms(terms)
        return found

    def _build_named(
        self, urn: str, owners: Sequence[Owned], tags: Sequence[str], attributes: Attributes, *, is_known: bool
    ) -> Iterator[Aspect]:
        """The owners, tags and glossary terms of an entity."""
        adds = is_known or self._patch
        if owners:
            found = [self._describe_owner(one) for one in owners]
            yield from self._build_owner_types(owners)
            if adds:
                yield _build_patch(urn, "ownership", [(_format_owner_path(one), one) for one in found])
            else:
                yield _build_record(urn, "ownership", {"owners": list[Json](found), "lastModified": STAMP})
        if tags:
            yield from self._build_words(tags)
            if adds:
                yield _build_patch(urn, "globalTags", [(f"/tags//{_escape(_name_tag(tag))}", {"tag": _name_tag(tag)}) for tag in tags])
            else:
                yield _build_record(urn, "globalTags", _list_tags(tags))
        if (terms := list_texts(attributes, "glossary_terms")) and not adds:
            yield _build_record(urn, "glossaryTerms", self._list_terms(terms))

    def _build_words(self, tags: Iterable[str]) -> Iterator[Aspect]:
        for tag in sorted(set(tags)):
            yield _build_record(_name_tag(tag), "tagKey", {"name": encode_part(tag)})

    def _build_owner_types(self, owners: Iterable[Owned]) -> Iterator[Aspect]:
        for type_ in sorted({one.type for one in owners if one.type not in _OWNER_TYPES}):
            yield _build_record(
                f"urn:li:ownershipType:{encode_part(type_)}",
                "ownershipTypeInfo",
                {"name": type_, "created": STAMP, "lastModified": STAMP},
            )

    def _describe_owner(self, one: Owned) -> Aspect:
        urn = build_owner_urn(one.owner.name, self._kinds.get(one.owner, ""))
        if one.type in _OWNER_TYPES:
            return {"owner": urn, "type": _OWNER_TYPES[one.type]}
        return {"owner": urn, "type": "CUSTOM", "typeUrn": f"urn:li:ownershipType:{encode_part(one.type)}"}

    def _list_terms(self, terms: Iterable[str]) -> Aspect:
        return {"terms": [{"urn": f"urn:li:glossaryTerm:{encode_part(term)}"} for term in sorted(set(terms))], "auditStamp": STAMP}

    def _build_upstreams(self, output: AssetKey, urn: str) -> Iterator[Aspect]:
        """The flows into a dataset of which no job is known."""
        inflow = self._without_job.get(output)
        if inflow is None:
            return
        upstreams = [self._urns.build_dataset_urn(one) for one in inflow.list_inputs()]
        fine = self._list_fine(inflow)
        found: list[Aspect] = [{"dataset": one, "type": "TRANSFORMED", "auditStamp": STAMP} for one in upstreams]
        if not (self._urns.is_known(output) or self._patch):
            yield _build_record(
                urn, "upstreamLineage", {"upstreams": list[Json](found), **_build_optional_list("fineGrainedLineages", fine)}
            )
            return
        operations: list[tuple[str, Json]] = [(f"/upstreams/{_escape(str(one['dataset']))}", one) for one in found]
        for one in fine:
            starts, ends = one["upstreams"], one["downstreams"]
            assert isinstance(starts, list)
            assert isinstance(ends, list)
            for start in starts:
                operations += [
                    (
                        f"/fineGrainedLineages/{_escape(str(one['transformOperation']))}/{_escape(str(end))}/NONE/{_escape(str(start))}",
                        {"confidenceScore": 1.0},
                    )
                    for end in ends
                ]
        yield _build_patch(urn, "upstreamLineage", operations)

    def _list_fine(self, inflow: Inflow) -> list[Aspect]:
        """Fine-grained lineage: for each column and kind of flow its sources. A dataset of which other columns flow too is one of them."""
        fields: dict[tuple[str, str], list[str]] = {}  # by the URN of the column and the operation
        whole: dict[str, list[str]] = {}  # by the operation
        pairs = {flow.start for flow in inflow.flows if flow.start.kind is AssetKind.DATASET}
        for flow in inflow.flows:
            if flow.start.kind is AssetKind.DATASET:
                continue
            start = self._urns.build_field_urn(flow.start)
            if flow.end.kind is AssetKind.DATASET:
                whole.setdefault(_format_operation(flow), []).append(start)
            else:
                fields.setdefault((self._urns.build_field_urn(flow.end), _format_operation(flow)), []).append(start)
        found = [_build_fine(starts, [end], operation) for (end, operation), starts in sorted(fields.items())]
        columns = [self._urns.build_field_urn(build_column_key(inflow.output, name)) for name in self._columns.get(inflow.output, ())]
        found += [_build_fine(starts, columns, operation) for operation, starts in sorted(whole.items())]
        unclear = sorted(pairs & {get_dataset(flow.start) for flow in inflow.flows if flow.start.kind is AssetKind.COLUMN})
        if unclear:
            ends = columns or sorted({end for end, _ in fields})
            one = _build_fine([self._urns.build_dataset_urn(start) for start in unclear], ends, "")
            found.append({**one, "upstreamType": "DATASET"})
        return found

    def _build_job(self, job: Asset) -> Iterator[Aspect]:
        """A data job, in a data flow for its namespace; of a job whose outputs have different inputs, one for each set of inputs."""
        if get_text(job.attributes, "datahub_urn"):
            return  # DataHub itself describes it
        orchestrator = encode_part(get_text(job.attributes, "integration").lower().replace("_", "-") or "meshline")
        flow_urn = f"urn:li:dataFlow:({orchestrator},{encode_part(job.key.parts[0] or 'default')},PROD)"
        yield _build_record(flow_urn, "dataFlowInfo", {"name": job.key.parts[0] or "default", "customProperties": {}})
        parts = self._split_job(job)
        for place, (inputs, outputs, inflows) in enumerate(parts):
            name = job.key.name if not place else f"{job.key.name} [{outputs[0].qualified_name if outputs else 'other inputs'}]"
            urn = f"urn:li:dataJob:({flow_urn},{encode_part(name)})"
            attributes = job.attributes
            info: Aspect = {
                "name": name,
                "type": {"string": get_text(attributes, "job_type") or "COMMAND"},
                "flowUrn": flow_urn,
                "customProperties": _list_properties(job.key, attributes),
                **_build_optional(description=get_text(attributes, "description"), externalUrl=_get_url(attributes)),
            }
            yield _build_record(urn, "status", {"removed": False})
            yield _build_record(urn, "dataJobInfo", info)
            yield _build_record(urn, "dataJobInputOutput", self._describe_lineage(inputs, outputs, inflows))
            if sql := get_text(attributes, "sql"):
                transform: Aspect = {"queryStatement": {"value": sql, "language": "SQL"}}
                yield _build_record(urn, "dataTransformLogic", {"transforms": [transform]})
            yield from self._build_named(urn, job.owners, job.tags, attributes, is_known=False)

    def _split_job(self, job: Asset) -> list[tuple[tuple[AssetKey, ...], tuple[AssetKey, ...], list[Inflow]]]:
        """(inputs, outputs, flows) of the parts of a job: in each, every input flows into every output."""
        inflows = {one.output: one for one in self._of_job.get(job.key, ())}
        written = {link.end for link in self._state.list_links(job.key, EdgeType.WRITES)}
        read = {link.end for link in self._state.list_links(job.key, EdgeType.READS)}
        parts: dict[tuple[tuple[AssetKey, ...], AssetKey | None], list[AssetKey]] = {}
        for output in sorted(written | inflows.keys()):
            inputs = tuple(inflows[output].list_inputs()) if output in inflows else ()
            # what decides its rows names no column of it: then the part has no other output
            is_apart = output in inflows and not self._columns.get(output)
            parts.setdefault((inputs, output if is_apart else None), []).append(output)
        found = [(inputs, tuple(outputs), [inflows[one] for one in outputs if one in inflows]) for (inputs, _), outputs in parts.items()]
        rest = tuple(sorted(read.difference(*(inputs for inputs, _ in parts))))
        last: list[tuple[tuple[AssetKey, ...], tuple[AssetKey, ...], list[Inflow]]] = [(rest, (), [])]
        return [*sorted(found, key=lambda part: part[1]), *(last if rest or not found else [])]

    def _describe_lineage(self, inputs: Sequence[AssetKey], outputs: Sequence[AssetKey], inflows: Iterable[Inflow]) -> Aspect:
        fine = [one for inflow in inflows for one in self._list_fine(inflow)]
        starts, ends = ([self._urns.build_dataset_urn(one) for one in side] for side in (inputs, outputs))
        return {
            "inputDatasets": [],
            "outputDatasets": [],
            "inputDatasetEdges": [{"destinationUrn": one} for one in starts],
            "outputDatasetEdges": [{"destinationUrn": one} for one in ends],
            **_build_optional_list("fineGrainedLineages", fine),
        }

    def _build_domain(self, domain: Asset) -> Iterator[Aspect]:
        urn = self._domain_urns[domain.key]
        is_known = bool(get_text(domain.attributes, "datahub_urn"))
        if not (is_known or self._patch):
            parent = self._domain_urns.get(domain.parent) if domain.parent is not None else None
            about = _build_optional(description=get_text(domain.attributes, "description"), parentDomain=parent or "")
            yield _build_record(urn, "domainProperties", {"name": domain.key.name, **about})
        yield from self._build_named(urn, domain.owners, (), {}, is_known=is_known)

    def _build_product(self, product: Asset) -> Iterator[Aspect]:
        if get_text(product.attributes, "datahub_urn"):
            return
        urn = f"urn:li:dataProduct:{encode_part(product.key.name)}"
        ports = {
            link.end
            for link in self._state.list_links(product.key, EdgeType.PORT)
            if str(link.attributes.get("direction", "output")).lower() == "output"
        }
        members = {one.key for one in self._datasets if one.product == product.key} - ports
        assets: list[Json] = [
            {"destinationUrn": self._urns.build_dataset_urn(key), "outputPort": key in ports} for key in sorted(ports | members)
        ]
        about = _build_optional(description=get_text(product.attributes, "description"))
        yield _build_record(urn, "dataProductProperties", {"name": product.key.name, "assets": assets, "customProperties": {}, **about})
        if product.parent is not None and product.parent in self._domain_urns:
            yield _build_record(urn, "domains", {"domains": [self._domain_urns[product.parent]]})
        yield from self._build_named(urn, product.owners, product.tags, product.attributes, is_known=False)

    def _build_dashboard(self, consumer: Asset) -> Iterator[Aspect]:
        if get_text(consumer.attributes, "datahub_urn"):
            return
        tool = encode_part(get_text(consumer.attributes, "tool").lower() or "meshline")
        urn = f"urn:li:dashboard:({tool},{encode_part(consumer.key.name)})"
        ends = [link.end for link in self._state.list_links(consumer.key, EdgeType.CONSUMES)]
        columns = [end for end in ends if end.kind is AssetKind.COLUMN]
        datasets = sorted({get_dataset(end) for end in ends if end.kind in (AssetKind.COLUMN, AssetKind.DATASET)})
        stamps: Aspect = {"created": STAMP, "lastModified": STAMP}
        info: Aspect = {
            "title": consumer.key.name,
            "description": get_text(consumer.attributes, "description"),
            "charts": [],
            "datasets": [self._urns.build_dataset_urn(one) for one in datasets],
            "lastModified": stamps,
            "customProperties": {},
            **_build_optional(dashboardUrl=_get_url(consumer.attributes)),
        }
        yield _build_record(urn, "status", {"removed": False})
        yield _build_record(urn, "dashboardInfo", info)
        if columns:
            fields: list[Json] = [
                {
                    "schemaFieldUrn": self._urns.build_field_urn(one),
                    "schemaField": self._describe_column(Column(one.name, {}, (), is_inferred=False)),
                }
                for one in columns
            ]
            yield _build_record(urn, "inputFields", {"fields": fields})
        yield from self._build_named(urn, consumer.owners, consumer.tags, consumer.attributes, is_known=False)


def _build_name(dataset: AssetKey, urn: str) -> Iterator[Aspect]:
    """A dataset of which nothing is known but its name."""
    yield _build_record(urn, "status", {"removed": False})
    yield _build_record(urn, "datasetProperties", {"customProperties": _list_properties(dataset, {}), "name": dataset.name, "tags": []})


def _build_fine(upstreams: Sequence[str], downstreams: Sequence[str], operation: str) -> Aspect:
    return {
        "upstreamType": "FIELD_SET",
        "upstreams": list[Json](upstreams),
        "downstreamType": "FIELD" if len(downstreams) == 1 else "FIELD_SET",
        "downstreams": list[Json](downstreams),
        "confidenceScore": 1.0,
        **_build_optional(transformOperation=operation),
    }


def _format_operation(flow: Flow) -> str:
    """`DIRECT:IDENTITY`, `INDIRECT:FILTER:DATASET`, `DIRECT:TRANSFORMATION:MASKED`: what `kind: datahub` reads."""
    is_whole = flow.end.kind is AssetKind.DATASET
    type_ = FlowType.INDIRECT if is_whole else flow.type
    marks = [*(["DATASET"] if is_whole else []), *(["MASKED"] if flow.masking else [])]
    return ":".join([type_, flow.subtype.replace(":", "_"), *marks]).rstrip(":") if flow.subtype or marks else str(type_)


def _build_optional(**texts: str) -> Aspect:
    return {name: text for name, text in texts.items() if text}


def _build_optional_list(name: str, values: Sequence[Aspect]) -> Aspect:
    return {name: list[Json](values)} if values else {}


def _list_properties(key: AssetKey, attributes: Attributes) -> Aspect:
    """Custom properties, with the exact name, by which another meshline finds the asset."""
    stated = attributes.get("properties")
    own = {str(name): str(value) for name, value in stated.items()} if isinstance(stated, dict) else {}
    return {**own, OWN_NAMESPACE: key.parts[0], OWN_NAME: key.parts[1]}


def _list_tags(tags: Iterable[str]) -> Aspect:
    return {"tags": [{"tag": _name_tag(tag)} for tag in sorted(set(tags))]}


def _name_tag(tag: str) -> str:
    return f"urn:li:tag:{encode_part(tag)}"


def _classify_type(native: str) -> str:
    text = native.lower()
    return next((name for name, words in _TYPES if any(word in text for word in words)), "String" if text else "Null")


def _get_url(attributes: Attributes) -> str:
    url = get_text(attributes, "url") or get_text(attributes, "source_code_location")
    return url if url.startswith(("https://", "http://")) else ""


def _format_owner_path(owner: Aspect) -> str:
    return f"/owners/{_escape(str(owner['owner']))}/{owner['type']}/{_escape(str(owner.get('typeUrn', '')))}/"


def _escape(text: str) -> str:
    """A part of a path of JSON Pointer."""
    return text.replace("~", "~0").replace("/", "~1")

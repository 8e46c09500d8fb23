"""What a file is, by its name and its beginning: a contract, a product, events, a connector, results of checks, a configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.discovery.folder import MAX_READ, FoundFile
from meshline.ingest.documents import parse_yaml
from meshline.ingest.sources.usage.parse import KEYS, WINDOW
from meshline.ingest.sources.usage.parse import READERS as USAGE_READERS

COMPOSE = re.compile(r"(docker-)?compose([.-][\w.-]+)?\.ya?ml")
EVIDENCE = "evidence.config.yaml"  # at the root of a project of Evidence
# What a YAML file has to contain to be parsed: most files of a repository are none of these, and parsing is slow.
_MARKS = re.compile(
    rb"DataContract|dataContractSpecification|datacontract\.com|DataProduct|output_ports|input_ports|^checks for |KafkaConnector"
    rb"|^version: *1\s*$",
    re.MULTILINE,
)
_CONFIGURATIONS = frozenset({"dbt_project.yml", "dbt_project.yaml", ".pyiceberg.yaml", "openlineage.yml", "openlineage.yaml", EVIDENCE})
EVENT_KEYS = frozenset({"run", "job", "dataset"})


class Recognised(NamedTuple):
    """What a file is. `value`: the document, for what is read further. `problem`: why it could not be looked into."""

    kind: str
    value: Json = None
    problem: str = ""


NOTHING = Recognised("")


def recognise_file(file: FoundFile, data: bytes) -> Recognised:
    """What a file is; an empty kind: nothing that meshline reads. `data`: its beginning (MAX_READ bytes)."""
    name = file.name.lower()
    suffix = name.rpartition(".")[2]
    if suffix == "json":
        return _recognise_json(data)
    if suffix in ("yml", "yaml"):
        return _recognise_yaml(file, data)
    kind = next((kind for kind, endings, fits in _BY_BEGINNING if suffix in endings and fits(data)), "")
    return Recognised(kind) if kind else NOTHING


def _recognise_json(data: bytes) -> Recognised:
    if len(data) < MAX_READ:
        try:
            return _recognise_value(msgspec.json.decode(data))
        except (msgspec.MsgspecError, RecursionError):
            return Recognised("openlineage") if _is_event(data.partition(b"\n")[0]) else NOTHING
    # of a larger file only the beginning was read: by the keys in it
    if b'"great_expectations_version"' in data:
        return Recognised("gx")
    if b'"table-uuid"' in data and b'"format-version"' in data:
        return Recognised("iceberg")
    return Recognised("openlineage") if _is_event(data.partition(b"\n")[0]) else NOTHING


def _recognise_value(value: Json) -> Recognised:
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return NOTHING
    config, metadata = value.get("config"), value.get("metadata")
    table = metadata if isinstance(metadata, dict) else value
    for kind, fits in (
        ("openlineage", "eventTime" in value and bool(value.keys() & EVENT_KEYS)),
        ("debezium", "connector.class" in value or (isinstance(config, dict) and "connector.class" in config)),
        ("iceberg", "format-version" in table and bool({"table-uuid", "view-uuid"} & table.keys())),
        ("gx", isinstance(value.get("expectations"), list) or {"success", "results", "meta"} <= value.keys()),
        ("soda", isinstance(value.get("checks"), list) and bool({"scanStartTimestamp", "dataTimestamp"} & value.keys())),
        ("datahub", "proposedSnapshot" in value or {"entityUrn", "aspectName"} <= value.keys()),
        ("feast", isinstance(value.get("project"), str) and bool({"featureViews", "featureServices"} & value.keys())),
        ("powerbi", isinstance(value.get("workspaces"), list) and "datasourceInstances" in value),
        ("looker", all(isinstance(value.get(key), list) for key in ("dashboards", "looks", "explores"))),
        ("schema", "json-schema.org" in str(value.get("$schema", "")) and "properties" in value),
    ):
        if fits:
            return Recognised(kind, value)
    return NOTHING


def _recognise_yaml(file: FoundFile, data: bytes) -> Recognised:
    name = file.name.lower()
    known = name in _CONFIGURATIONS or COMPOSE.fullmatch(name) is not None
    if len(data) >= MAX_READ:
        return Recognised("", problem=f"larger than {MAX_READ:,} bytes") if known else NOTHING
    if not known and (b"{{" in data or b"{%" in data or not _MARKS.search(data)):
        return NOTHING  # a template, or nothing that is looked for
    try:
        value = parse_yaml(data, file.path).value
    except InvalidInput as error:
        return Recognised("", problem=str(error).removeprefix(f"{file.path}:"))
    if not isinstance(value, dict):
        return NOTHING
    for kind, fits in (
        ("dbt", name in ("dbt_project.yml", "dbt_project.yaml")),
        ("pyiceberg", name == ".pyiceberg.yaml"),
        ("openlineage-client", name in ("openlineage.yml", "openlineage.yaml")),
        ("evidence", name == EVIDENCE),
        ("compose", COMPOSE.fullmatch(name) is not None and isinstance(value.get("services"), dict)),
        ("contract", _is_contract(value)),
        ("product", _is_product(value)),
        ("soda", any(str(key).startswith("checks for ") for key in value)),
        ("connector", value.get("kind") == "KafkaConnector"),
        ("mesh", value.get("version") == 1 and bool({"domains", "teams", "sources", "consumers"} & value.keys())),
    ):
        if fits:
            return Recognised("debezium" if kind == "connector" else kind, value)
    return NOTHING


def _is_contract(value: Mapping[str, Json]) -> bool:
    version = str(value.get("apiVersion", "")).lower()
    return (
        "dataContractSpecification" in value
        or version.startswith("datacontract.com/")
        or (value.get("kind") == "DataContract" and bool(version))
    )


def _is_product(value: Mapping[str, Json]) -> bool:
    if value.get("kind") == "DataProduct":
        return "apiVersion" in value
    return "name" in value and "kind" not in value and bool({"output_ports", "input_ports"} & value.keys())


def _is_event(line: bytes) -> bool:
    """Whether a line is an event of OpenLineage. A line that is cut off is one by its keys."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return line.lstrip().startswith(b"{") and len(line) >= MAX_READ and b'"eventTime"' in line and b'"producer"' in line
    return isinstance(value, dict) and "eventTime" in value and bool(value.keys() & EVENT_KEYS)


def _is_usage(line: bytes) -> bool:
    """Whether a line is a record or a window of usage."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return isinstance(value, dict) and ((set(value) == {"window"} and isinstance(value["window"], dict)) or _is_record(value))


def _has_usage_head(line: bytes) -> bool:
    return _is_record([one.strip().lower() for one in line.decode("utf-8-sig", "replace").split(",")])


def _is_record(keys: Collection[str]) -> bool:
    """Whether these are keys of a record of usage."""
    return (
        set(keys) <= {*KEYS, WINDOW}
        and "dataset" in keys
        and not set(USAGE_READERS).isdisjoint(keys)
        and not {"day", "last"}.isdisjoint(keys)
    )


def _find_first_line(data: bytes) -> bytes:
    return data.partition(b"\n")[0]


# kind, endings, whether the beginning of a file shows that it is of the kind
_BY_BEGINNING: tuple[tuple[str, tuple[str, ...], Callable[[bytes], bool]], ...] = (
    ("openlineage", ("ndjson", "jsonl"), lambda data: _is_event(_find_first_line(data))),
    ("usage", ("ndjson", "jsonl"), lambda data: _is_usage(_find_first_line(data))),
    ("usage", ("csv",), lambda data: _has_usage_head(_find_first_line(data))),
    ("duckdb", ("duckdb", "ddb"), lambda data: data[8:12] == b"DUCK"),
    ("sql", ("sql",), lambda data: re.search(rb"(?i)\bcreate\b[^;]*\b(view|table)\b", data) is not None),
    ("schema", ("avsc", "proto"), lambda _: True),
)

"""A facet -> the facts that it states of a dataset or a job: attributes, columns, owners, tags, symlinks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from meshline.graph import model
from meshline.graph.content import Draft
from meshline.graph.model import DBT_ID, AssetFact, AssetKey, AssetKind, EdgeFact, EdgeType, Facts, Json
from meshline.graph.naming import Naming
from meshline.ingest.openlineage import facet_types
from meshline.ingest.openlineage.column_lineage import SELDOM_COLUMNS, is_column

_BUILT_IN = "default_catalog.default_database."  # Flink: table.builtin-catalog-name, table.builtin-database-name


def is_session_name(key: AssetKey, type_: object) -> bool:
    """Whether a symlink exists only in a session of Flink. `key`: the symlink. `type_`: its type in the facet."""
    namespace, name = key.parts
    return name.startswith(_BUILT_IN) or (namespace.startswith("kafka://") and type_ == "TABLE")


VERBATIM = "facet:"  # + the facet's name: the attribute that keeps it verbatim
MAX_DEPTH = 64  # of a facet that is kept as JSON; a deeper one is kept as text

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


def draft_facet(key: AssetKey, name: str, raw: bytes, value: facet_types.AnyFacet | None, naming: Naming) -> Draft:
    """What a facet states of the asset `key`. `value`: the parsed facet; None if it cannot be parsed."""
    result = Draft()
    result.add_asset(key, None, {VERBATIM + name: to_verbatim_json(raw)})
    if isinstance(value, facet_types.Schema):
        _draw_schema(result, key, value)
    elif value is not None:
        result.add_facts(_build_facts(key, value, naming))
    return result


def draft_partial_schema(key: AssetKey, raw: bytes, facet: facet_types.Schema) -> Draft:
    """What a schema states that may lack columns: these columns exist, without their order."""
    result = Draft()
    result.add_asset(key, None, {VERBATIM + "schema": to_verbatim_json(raw)})
    for path, _, field in _walk_columns(facet):
        column = model.build_column_key(key, path)
        result.add_facts(Facts((AssetFact(column, _build_column_attributes(field)),), (EdgeFact(EdgeType.HAS_COLUMN, key, column),)))
    return result


def _build_facts(key: AssetKey, value: facet_types.AnyFacet, naming: Naming) -> Facts:
    match value:
        case facet_types.Symlinks():
            return _build_symlinks(key, value, naming)
        case facet_types.Ownership():
            return Facts(edges=tuple(_build_owners(key, value)))
        case facet_types.Tags():
            return _build_tags(key, value)
        case _:
            attributes = {
                attribute: content for attribute, content in _build_attributes(value).items() if content not in (None, "", {}, [])
            }
            return Facts(assets=(AssetFact(key, attributes),)) if attributes else Facts()


def to_verbatim_json(raw: bytes) -> Json:
    """A facet as JSON; as text where that cannot be kept as JSON (too deep, numbers out of range)."""
    if not _is_too_deep(raw):
        try:
            value: Json = msgspec.json.decode(raw)
            msgspec.msgpack.encode(value)
        except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError):
            pass
        else:
            return value
    return raw.decode(errors="replace")


def _is_too_deep(raw: bytes) -> bool:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return bool(brackets)


def _walk_columns(facet: facet_types.Schema) -> Iterator[tuple[str, int, facet_types.SchemaField]]:
    """(dotted path, position of its top-level column, field), parents before what is nested in them."""
    for position, field in enumerate(_order_fields(facet.fields or ()), start=1):
        if field.fields:
            yield from ((path, position, nested) for path, nested in _walk_nested("", field) if is_column(path, SELDOM_COLUMNS))
        elif is_column(field.name, SELDOM_COLUMNS):
            yield field.name, position, field


def list_columns(facet: facet_types.Schema) -> tuple[str, ...]:
    """The columns that a schema lists; nested ones as dotted paths."""
    return tuple(path for path, _, _ in _walk_columns(facet))


def find_seldom_columns(facet: facet_types.Schema) -> frozenset[str]:
    """The names (casefolded) in a schema that count as columns only because a schema lists them."""
    return frozenset(folded for field in facet.fields or () if (folded := field.name.casefold()) in SELDOM_COLUMNS)


def _order_fields(fields: Sequence[facet_types.SchemaField]) -> Sequence[facet_types.SchemaField]:
    """By `ordinal_position` if every field has one, else as listed."""
    if fields and isinstance(fields[0].ordinal_position, int) and all(isinstance(field.ordinal_position, int) for field in fields):
        return sorted(fields, key=lambda field: int(field.ordinal_position))
    return fields


def _walk_nested(prefix: str, field: facet_types.SchemaField) -> Iterator[tuple[str, facet_types.SchemaField]]:
    path = prefix + field.name
    yield path, field
    for inner in field.fields or ():
        yield from _walk_nested(path + ".", inner)


def _draw_schema(result: Draft, key: AssetKey, facet: facet_types.Schema) -> None:
    columns = list(_walk_columns(facet))
    attributes = [(path, attributes) for path, _, field in columns if (attributes := _build_column_attributes(field))]
    result.add_columns(key, [column[:2] for column in columns], attributes)


def _build_column_attributes(field: facet_types.SchemaField) -> dict[str, Json]:
    attributes: dict[str, Json] = {}
    kind, description = field.type, field.description
    if kind is not None and kind != "":
        attributes["type"] = kind if isinstance(kind, str) else msgspec.json.encode(kind).decode()
    if description and isinstance(description, str):
        attributes["description"] = description
    return attributes


def _build_symlinks(key: AssetKey, facet: facet_types.Symlinks, naming: Naming) -> Facts:
    edges: list[EdgeFact] = []
    in_sessions: set[AssetKey] = set()
    for identifier in facet.identifiers or ():
        other = naming.normalise_dataset(identifier.namespace, identifier.name)
        if other == key or not identifier.name:
            continue
        if is_session_name(other, identifier.type):
            in_sessions.add(other)
        else:
            kind = identifier.type if isinstance(identifier.type, str) else ""
            edges.append(EdgeFact(EdgeType.SAME_AS, key, other, {"why": "symlink", "type": kind}))
    names: list[Json] = [list[Json](other.parts) for other in sorted(in_sessions)]
    return Facts(assets=(AssetFact(key, {"session_names": names}),) if names else (), edges=tuple(edges))


def _build_owners(key: AssetKey, facet: facet_types.Ownership) -> Iterator[EdgeFact]:
    for owner in facet.owners or ():
        if name := owner.name.strip():
            kind = owner.type.strip() if isinstance(owner.type, str) else ""
            yield EdgeFact(EdgeType.OWNS, model.build_owner_key(name), key, {"type": kind or "technical"})


def _build_tags(key: AssetKey, facet: facet_types.Tags) -> Facts:
    """Tags of the asset, and of the columns that `field` names."""
    tags: dict[AssetKey, set[str]] = {}
    for tag in facet.tags or ():
        on = model.build_column_key(key, tag.field) if tag.field and key.kind is AssetKind.DATASET else key
        tags.setdefault(on, set()).add(_format_tag(tag))
    return Facts(assets=tuple(AssetFact(on, {"tags": list[Json](sorted(names))}) for on, names in tags.items()))


def _format_tag(tag: facet_types.Tag) -> str:
    """`key=value`; a mere label has the value "true" (specification, TagsDatasetFacet), or its key (Airflow)."""
    value = tag.value if isinstance(tag.value, str) or tag.value is None else msgspec.json.encode(tag.value).decode()
    return tag.key if not value or value.lower() == "true" or value == tag.key else f"{tag.key}={value}"


def _build_attributes(value: facet_types.AnyFacet) -> Mapping[str, Json]:  # noqa: C901, PLR0911 - one line for each facet
    match value:
        case facet_types.Documentation():
            return {"description": value.description}
        case facet_types.DatasetType():
            return {"dataset_type": value.dataset_type, "dataset_subtype": value.sub_type}
        case facet_types.Storage():
            return {"storage": _drop_empty({"layer": value.storage_layer, "format": value.file_format})}
        case facet_types.DataSource():
            return {"data_source": value.name, "location": value.uri}
        case facet_types.Catalog():
            return {"catalog": _drop_empty(msgspec.structs.asdict(value))}
        case facet_types.Hierarchy():
            return {"hierarchy": [{"type": level.type, "name": level.name} for level in value.hierarchy or ()]}
        case facet_types.JobType():
            return {"job_type": value.job_type, "processing_type": value.processing_type, "integration": value.integration}
        case facet_types.DbtNode():
            return {DBT_ID: value.unique_id}
        case facet_types.Sql():
            return {"sql": value.query}
        case facet_types.SourceCodeLocation():
            return {"source_code_location": value.url}
        case _:
            return {}


def _drop_empty(attributes: Mapping[str, str | None]) -> dict[str, Json]:
    return {name: value for name, value in attributes.items() if value and name != "deleted"}

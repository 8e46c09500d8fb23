"""What a facet states of a dataset or a job (attributes, columns, owners, tags, symlinks, lineage), as contents cached by digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import msgspec

from meshline.graph import model
from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.content import EMPTY, Draft, encode_facts
from meshline.graph.model import DBT_ID, AssetFact, AssetKey, AssetKind, Content, EdgeFact, EdgeType, Facts, Json
from meshline.graph.naming import Naming
from meshline.ingest.openlineage import column_lineage, facet_types
from meshline.ingest.openlineage.column_lineage import MARKS, SELDOM_COLUMNS, Name, OutputLineage, QueryLineage, analyse_query, is_column
from meshline.ingest.openlineage.facets import FacetReader, Place, Text
from meshline.ingest.openlineage.spark_plan import MessageFlows, read_message_flows

SESSION_CATALOG = "default_catalog.default_database."  # Flink: table.builtin-catalog-name, table.builtin-database-name


def is_session_name(key: AssetKey, type_: object) -> bool:
    """Whether a symlink exists only in a session of Flink. `key`: the symlink. `type_`: its type in the facet."""
    namespace, name = key.parts
    return name.startswith(SESSION_CATALOG) or (namespace.startswith("kafka://") and type_ == "TABLE")


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
    columns = _walk_columns(facet)
    result.add_columns(
        key, [(path, None) for path, _, _ in columns], [(path, _build_column_attributes(field)) for path, _, field in columns]
    )
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


def _walk_columns(facet: facet_types.Schema) -> list[tuple[str, int, facet_types.SchemaField]]:
    """(dotted path, position of its top-level column, field), parents before what is nested in them."""
    found: list[tuple[str, int, facet_types.SchemaField]] = []
    for position, field in enumerate(_order_fields(facet.fields or ()), start=1):
        name = field.name
        if field.fields:
            found += [(path, position, nested) for path, nested in _walk_nested("", field) if is_column(path, SELDOM_COLUMNS)]
        elif name and (name[0] not in MARKS or is_column(name, SELDOM_COLUMNS)):
            found.append((name, position, field))
    return found


def list_columns(facet: facet_types.Schema) -> tuple[str, ...]:
    """The columns that a schema lists; nested ones as dotted paths."""
    return tuple(path for path, _, _ in _walk_columns(facet))


def list_fields(facet: facet_types.Schema) -> list[tuple[str, str | None, str | None]]:
    """(column, type, description) of the columns that a schema lists; nested ones as dotted paths."""
    found = ((path, _build_column_attributes(field)) for path, _, field in _walk_columns(facet))
    return [(path, _get_text(attributes, "type"), _get_text(attributes, "description")) for path, attributes in found]


def _get_text(attributes: Mapping[str, Json], name: str) -> str | None:
    value = attributes.get(name)
    return value if isinstance(value, str) else None


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
    columns = _walk_columns(facet)
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


MAX_CONTENTS = 64 * 2**20  # bytes of encoded content
MAX_LINEAGE = 64 * 2**20  # bytes, about, of lineage read
MAX_NAMES = 16 * 2**20  # bytes, about, of pairs and of names of columns
_FLOW = 200  # bytes, about


class ContentCache:
    """Contents and lineage of facets under one set of naming rules, cached by the digests of the facets."""

    def __init__(self, naming: Naming, reader: FacetReader) -> None:
        self.naming = naming
        self.reader = reader
        self._contents: BoundedCache[Hashable, Content] = BoundedCache(MAX_CONTENTS)
        self._lineages: BoundedCache[Hashable, tuple[OutputLineage | None]] = BoundedCache(MAX_LINEAGE)
        self._seldom: BoundedCache[bytes, frozenset[str]] = BoundedCache(MAX_NAMES)
        self._columns: BoundedCache[bytes, tuple[str, ...]] = BoundedCache(MAX_NAMES)
        self._folded: BoundedCache[bytes, frozenset[str]] = BoundedCache(MAX_NAMES)
        self._queries: BoundedCache[Hashable, tuple[QueryLineage | None]] = BoundedCache(MAX_LINEAGE)
        self._messages: BoundedCache[bytes, tuple[MessageFlows | None]] = BoundedCache(MAX_LINEAGE)
        self._pairs: BoundedCache[tuple[AssetKey, AssetKey], bytes] = BoundedCache(MAX_NAMES)

    def get_content(self, key: Hashable, make: Callable[[], Facts]) -> Content:
        """The encoded facts that `make` returns. `key` must determine them."""
        return self._find_or_build(key, lambda: encode_facts(make()))

    def get_draft_content(self, key: Hashable, draft: Callable[[], Draft]) -> Content:
        """The content of the draft that `draft` returns. `key` must determine it."""
        return self._find_or_build(key, lambda: draft().build_content())

    def _find_or_build(self, key: Hashable, make: Callable[[], Content]) -> Content:
        content = self._contents.get(key)
        if content is None:
            content = make()
            self._contents.keep(key, content, len(content.blob) + 500)
        return content

    def get_facet_content(self, key: AssetKey, place: Place, name: str, facet: Text) -> Content:
        """What a facet states of a dataset or job; EMPTY if the facet is marked `_deleted`."""

        def make() -> Content:
            value = self.reader.read(place, name, facet).value
            if value is not None and value.deleted is True:
                return EMPTY
            return draft_facet(key, name, facet.raw, value, self.naming).build_content()

        return self._find_or_build((key, name, facet.digest), make)

    def is_deleted(self, name: str, facet: Text) -> bool:
        """Whether the facet of a dataset is marked `_deleted`."""
        value = self.reader.read(Place.DATASET, name, facet).value
        return value is not None and value.deleted is True

    def get_partial_schema(self, key: AssetKey, schema: Text) -> Content:
        """What a schema facet states that lists some of the columns of a dataset: that these exist."""

        def make() -> Content:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            assert isinstance(value, facet_types.Schema)
            return draft_partial_schema(key, schema.raw, value).build_content()

        return self._find_or_build((key, "part", schema.digest), make)

    def get_column_lineage(self, facet: Text, declared: frozenset[str]) -> OutputLineage | None:
        """The lineage in a columnLineage facet of an output; None if there is none.

        `declared`: the names of SELDOM_COLUMNS that some schema in the run lists.
        """

        def make() -> OutputLineage | None:
            value = self.reader.read(Place.DATASET, "columnLineage", facet).value
            if not isinstance(value, facet_types.ColumnLineage) or value.deleted is True:
                return None
            return column_lineage.from_column_lineage(value, declared)

        return self._get_lineage((facet.digest, declared), make)

    def get_dataset_lineage(self, facet: Text, own_job: Name | None, declared: frozenset[str]) -> OutputLineage | None:
        """The lineage in a `lineage` facet of an output; None if there is none.

        `own_job`: the job of the event. `declared`: the names of SELDOM_COLUMNS that some schema in the run lists.
        """

        def make() -> OutputLineage | None:
            value = self.reader.read(Place.DATASET, "lineage", facet).value
            if not isinstance(value, facet_types.DatasetLineage) or value.deleted is True:
                return None
            return column_lineage.from_dataset_lineage(value, own_job, declared)

        return self._get_lineage((facet.digest, declared, own_job), make)

    def list_job_entries(self, facet: Text) -> Sequence[facet_types.LineageEntry]:
        """The entries of a `lineage` facet of a job; none if it cannot be parsed or is marked `_deleted`."""
        value = self.reader.read(Place.JOB, "lineage", facet).value
        if not isinstance(value, facet_types.JobLineage) or value.deleted is True:
            return ()
        return value.entries or ()

    def get_seldom_columns(self, schema: Text) -> frozenset[str]:
        """The names (casefolded) in a schema facet that count as columns only because a schema lists them."""
        found = self._seldom.get(schema.digest)
        if found is None:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            found = find_seldom_columns(value) if isinstance(value, facet_types.Schema) else frozenset()
            self._seldom.keep(schema.digest, found, 200)
        return found

    def get_columns(self, schema: Text) -> tuple[str, ...]:
        """The columns that a schema facet lists, nested ones as dotted paths."""
        found = self._columns.get(schema.digest)
        if found is None:
            value = self.reader.read(Place.DATASET, "schema", schema).value
            found = list_columns(value) if isinstance(value, facet_types.Schema) else ()
            self._columns.keep(schema.digest, found, 200 + 100 * len(found))
        return found

    def get_folded_columns(self, schema: Text) -> frozenset[str]:
        """The columns that a schema facet lists, casefolded."""
        found = self._folded.get(schema.digest)
        if found is None:
            found = frozenset(name.casefold() for name in self.get_columns(schema))
            self._folded.keep(schema.digest, found, 200 + 100 * len(found))
        return found

    def get_query_lineage(self, sql: Text, dialect: str, target: AssetKey, columns: Mapping[AssetKey, Text | None]) -> QueryLineage | None:
        """The lineage of one output by the `sql` facet of a job; None if the SQL cannot be read (see `analyse_query`).

        `columns`: the datasets that the run names, each with the schema that lists all of its columns, if there is one.
        """
        key = (sql.digest, dialect, target, tuple((of, None if schema is None else schema.digest) for of, schema in columns.items()))
        known = self._queries.get(key)
        if known is None:
            value = self.reader.read(Place.JOB, "sql", sql).value
            text = value.query if isinstance(value, facet_types.Sql) and value.deleted is not True else None
            listed = {of: () if schema is None else self.get_columns(schema) for of, schema in columns.items()}
            lineage = analyse_query(text, dialect, target, listed) if text else None
            size = 0 if lineage is None else sum(map(len, lineage.flows.values()))
            known = self._queries.keep(key, (lineage,), 1_000 + _FLOW * size)
        return known[0]

    def get_message_flows(self, plan: Text) -> MessageFlows | None:
        """What flows out of messages by a plan of Spark; None if it cannot be read (see `read_message_flows`)."""
        known = self._messages.get(plan.digest)
        if known is None:
            found = read_message_flows(plan.raw)
            known = self._messages.keep(plan.digest, (found,), 1_000 + _FLOW * (0 if found is None else len(found.flows)))
        return known[0]

    def get_pair_digest(self, start: AssetKey, end: AssetKey) -> bytes:
        """The digest (16 bytes) that identifies a pair of input and output among sibling runs."""
        found = self._pairs.get((start, end))
        if found is None:
            text = msgspec.json.encode([*start.parts, *end.parts])
            found = self._pairs.keep((start, end), hashlib.blake2b(text, digest_size=16).digest(), len(text) + 300)
        return found

    def _get_lineage(self, key: Hashable, make: Callable[[], OutputLineage | None]) -> OutputLineage | None:
        known = self._lineages.get(key)
        if known is None:
            lineage = make()
            known = self._lineages.keep(key, (lineage,), _FLOW * (1 + (sum(map(len, lineage.flows.values())) if lineage else 0)))
        return known[0]

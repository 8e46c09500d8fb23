"""The schemas of a topic's subjects -> one content: the topic, its columns from the values, and those that its keys identify."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.graph.content import Draft
from meshline.graph.contracts import Definition, Field
from meshline.graph.model import AssetKey, Content, Json, drop_empty_attributes
from meshline.ingest.sources.schema_registry.parse import ParsedSchema
from meshline.ingest.sources.schema_registry.registry_client import Registered
from meshline.ingest.sources.table_properties import build_owner_facts, select_properties

MAX_PATTERNS = 1_000  # of tagged fields in a schema's metadata
MAX_WILDCARDS = 4  # in one of them: more could take a search very long

_ENVELOPE = "after."  # where the row after a change is in Debezium's envelope


class SubjectVersion(NamedTuple):
    """A version of a subject, parsed. `compatibility`: the mode of the subject, empty if it is not known."""

    subject: str
    registered: Registered
    schema: ParsedSchema
    compatibility: str


class _Column(NamedTuple):
    field: Field
    position: int
    tags: tuple[str, ...]
    optional: bool  # it may be absent, whatever its field states


def build_topic_content(topic: AssetKey, keys: Sequence[SubjectVersion], values: Sequence[SubjectVersion]) -> Content:
    """What a registry states about a topic. `keys`, `values`: the subjects of its keys and values, at least one of either."""
    columns = _merge_columns(values)
    identifying = {field.name for one in keys for record in one.schema.records for field in record.model.fields}
    for one in keys:  # fields of the key that the value does not repeat
        for name, column in _list_columns(one):
            if name not in columns and f"{_ENVELOPE}{name}" not in columns:
                columns[name] = column._replace(position=len(columns) + 1)
    marked = {name if name in columns else f"{_ENVELOPE}{name}" for name in identifying}
    draft = Draft()
    draft.add_asset(topic, None, _build_topic_attributes(keys, values))
    draft.add_columns(
        topic,
        [(name, column.position) for name, column in columns.items()],
        [(name, _build_column_attributes(column, identifies=name in marked)) for name, column in columns.items()],
    )
    for one in values:
        properties = _get_properties(one)
        draft.add_facts(build_owner_facts(properties.get("email") or properties.get("owner") or "", topic))
    return draft.build_content()


def _build_topic_attributes(keys: Sequence[SubjectVersion], values: Sequence[SubjectVersion]) -> dict[str, Json]:
    """Of several subjects of the same part, texts are joined, and the attributes of a single schema are those of the first."""
    records = [record.model for one in values for record in one.schema.records]
    properties = {name: text for one in values for name, text in _get_properties(one).items()}
    first = values[0].registered if values else None
    return drop_empty_attributes(
        dataset_type="TOPIC",
        format=_join_texts(one.schema.format for one in values),
        description="\n".join(dict.fromkeys(model.description for model in records if model.description)),
        title=_join_texts(model.title for model in records),
        tags=list(_list_record_tags(values)),
        record_names=list(dict.fromkeys(model.name for model in records if model.name)),
        value_type=_join_texts(one.schema.type for one in values),
        subjects=[one.subject for one in (*values, *keys)],
        schema_id=first.id if first else None,
        schema_version=str(first.version) if first else None,
        compatibility=_join_texts(one.compatibility for one in values),
        key_format=_join_texts(one.schema.format for one in keys),
        key_type=_join_texts(one.schema.type for one in keys),
        key_schema_id=keys[0].registered.id if keys else None,
        key_schema_version=str(keys[0].registered.version) if keys else None,
        key_compatibility=_join_texts(one.compatibility for one in keys),
        properties=select_properties({name: text for name, text in properties.items() if name != "email"}),
    )


def _join_texts(texts: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _get_properties(one: SubjectVersion) -> Mapping[str, str]:
    metadata = one.registered.metadata
    return metadata.properties or {} if metadata is not None else {}


def _merge_columns(values: Sequence[SubjectVersion]) -> dict[str, _Column]:
    """The columns of all records that a message may be, by path. What not every record has may be absent."""
    merged: dict[str, _Column] = {}
    seen: dict[str, int] = {}
    number = sum(len(one.schema.records) for one in values)
    for one in values:
        for name, column in _list_columns(one):
            seen[name] = seen.get(name, 0) + 1
            merged[name] = _merge_column(merged[name], column) if name in merged else column._replace(position=0)
    tops: dict[str, int] = {}
    for name in merged:
        tops.setdefault(name.partition(".")[0], len(tops) + 1)
    return {
        name: column._replace(position=tops[name.partition(".")[0]], optional=column.optional or seen[name] < number)
        for name, column in merged.items()
    }


def _merge_column(first: _Column, second: _Column) -> _Column:
    one, other = first.field, second.field
    types = sorted({one.type, other.type} - {""})
    return first._replace(
        field=Field(
            name=one.name,
            type=types[0] if len(types) == 1 else f"union<{', '.join(types)}>" if types else "",
            description=one.description or other.description,
            title=one.title or other.title,
            required=one.required is True and other.required is True,
            deprecated=True if one.deprecated and other.deprecated else None,
        ),
        tags=tuple(dict.fromkeys((*first.tags, *second.tags))),
    )


def _list_columns(one: SubjectVersion) -> Iterator[tuple[str, _Column]]:
    for record in one.schema.records:
        tags = _RecordTags(one, record)
        for field in record.model.fields:
            yield field.name, _Column(field, 0, tuple(dict.fromkeys((*field.tags, *tags.list_tags(field.name)))), optional=False)


class _RecordTags:
    """The tags that a schema's metadata gives to fields, by patterns of their full names: `com.shop.Order.email`, `**.email`."""

    def __init__(self, one: SubjectVersion, record: Definition) -> None:
        metadata = one.registered.metadata
        given = list((metadata.tags or {}).items())[:MAX_PATTERNS] if metadata is not None else []
        self._patterns = [(_compile_pattern(pattern), tags) for pattern, tags in given if pattern.count("*") <= MAX_WILDCARDS]
        self._root = record.model.name
        self._types = {field.name: field.type_names[0] for field in record.model.fields if field.type_names}

    def list_tags(self, path: str) -> Iterator[str]:
        around, _, name = path.rpartition(".")
        names = {path, f"{self._root}.{path}", f"{self._types.get(around, self._root)}.{name}"}
        for pattern, tags in self._patterns:
            if any(pattern.fullmatch(one) for one in names):
                yield from tags


def _list_record_tags(values: Sequence[SubjectVersion]) -> Iterator[str]:
    """The tags of the records themselves."""
    found = dict[str, None]()
    for one in values:
        metadata = one.registered.metadata
        for name, tags in (metadata.tags or {}).items() if metadata is not None else ():
            if any(name == record.model.name for record in one.schema.records):
                found.update(dict.fromkeys(tags))
        for record in one.schema.records:
            found.update(dict.fromkeys(record.model.tags))
    yield from found


def _compile_pattern(text: str) -> re.Pattern[str]:
    """`*` is any part of a dotted name, `**` any number of parts, `?` a character."""
    pieces = re.split(r"(\*\*|\*|\?)", text)
    return re.compile("".join({"**": r".*", "*": r"[^.]*", "?": r"[^.]"}.get(piece, re.escape(piece)) for piece in pieces))


def _build_column_attributes(column: _Column, *, identifies: bool) -> dict[str, Json]:
    field = column.field
    nullable = None if field.required is None and not column.optional else column.optional or not field.required
    return drop_empty_attributes(
        type=field.type,
        nullable=nullable,
        title=field.title,
        description=field.description,
        tags=list(column.tags),
        identifies=True if identifies else None,
        deprecated=field.deprecated,
    )

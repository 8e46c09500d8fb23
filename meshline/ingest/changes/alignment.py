"""Alignment of two definitions of one table from different sources: what one source cannot state is no difference.

Partitioning is compared in one spelling: `created_at`, `days(created_at)`, `bucket(16, id)`, `truncate(4, name)`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from meshline.graph.contracts import Definition, Field
from meshline.graph.model import Json

_NUMBERED = frozenset({"iceberg", "delta"})  # formats that give columns ids
_KINDS = frozenset({"table", "view", "materialized view"})  # as DDL and catalogs call them; others have words of their own
_UNPARTITIONED = frozenset({"avro", "json", "protobuf"})  # formats that cannot state how a table is partitioned


def align_with_graph(known: Definition, file: Definition) -> tuple[Definition, Definition]:
    """The definition of the graph and that of a file, made comparable.

    Types, nullability and keys that the graph does not know are those of the file, and so are bounds and allowed values,
    which the graph never knows. Ids are compared within one format only, and only if the file has ids.
    """
    same = known.format == file.format and any(one.id for one in file.model.fields)
    news = {one.id: one for one in file.model.fields if one.id} if same else {}
    names = _index_by_name(file.model.fields)
    before = [
        _complete_field(one, news.get(one.id) or names.get(one.name) or names.get(one.name.casefold()), ids=same)
        for one in known.model.fields
    ]
    after = [one if same else msgspec.structs.replace(one, id="") for one in _drop_unknown_nested(known.model.fields, file.model.fields)]
    return (
        msgspec.structs.replace(
            known,
            model=msgspec.structs.replace(known.model, fields=tuple(_order_fields(before, after))),
            kind=known.kind or file.kind,
            partitioning=file.partitioning if _has_no_partitioning(known, file) else known.partitioning,
            sql=known.sql if file.sql else "",
            dialect=known.dialect if file.sql else "",
        ),
        msgspec.structs.replace(
            file,
            model=msgspec.structs.replace(file.model, fields=tuple(after)),
            kind=file.kind if file.kind and known.kind in _KINDS else known.kind or file.kind,
        ),
    )


def align_files(before: Definition, after: Definition, aliases: Mapping[str, Sequence[str]]) -> tuple[Definition, Definition]:
    """Two versions of a file. A new field that has a removed field as an alias is that field renamed: both get the same id."""
    if before.format != after.format or bool(before.kind) is not bool(after.kind):
        before, after = (_replace_ids(one, {}, keep=before.format == after.format) for one in (before, after))
        if not (before.format in _NUMBERED and after.format in _NUMBERED and before.kind and after.kind):
            before = msgspec.structs.replace(before, partitioning=after.partitioning)
    names = {one.name for one in after.model.fields}
    olds = {one.name for one in before.model.fields}
    renamed = {old: new for new, others in aliases.items() if new not in olds for old in others if old in olds and old not in names}
    if not renamed:
        return before, after
    news = {new: old for old, new in renamed.items()}
    return (
        _replace_ids(before, {old: f"was {old}" for old in renamed}),
        _replace_ids(after, {new: f"was {old}" for new, old in news.items()}),
    )


def _replace_ids(definition: Definition, ids: Mapping[str, str], *, keep: bool = True) -> Definition:
    fields = tuple(msgspec.structs.replace(one, id=ids.get(one.name, one.id if keep else "")) for one in definition.model.fields)
    return msgspec.structs.replace(definition, model=msgspec.structs.replace(definition.model, fields=fields))


def _complete_field(one: Field, stated: Field | None, *, ids: bool) -> Field:
    """A column of the graph, completed by what only the file states about it."""
    identity = one.id if ids else ""
    if stated is None:
        return msgspec.structs.replace(one, id=identity)
    return msgspec.structs.replace(
        stated,
        name=one.name,
        id=identity,
        type=one.type or stated.type,
        required=stated.required if one.required is None else one.required,
        primary_key=one.primary_key if ids else stated.primary_key,
    )


def _drop_unknown_nested(known: Sequence[Field], stated: Sequence[Field]) -> list[Field]:
    """Drop nested fields of columns whose nested fields the graph does not know."""
    containers = {one.name.casefold().rpartition(".")[0] for one in known}
    plain = {one.name.casefold() for one in known if not set("<({") & set(one.type)} - containers
    return [one for one in stated if not any(around in plain for around in _list_prefixes(one.name.casefold()))]


def _list_prefixes(name: str) -> list[str]:
    return [name[:i] for i, character in enumerate(name) if character == "."]


def _order_fields(known: Sequence[Field], stated: Sequence[Field]) -> list[Field]:
    """Sort nested columns as in the file: the graph keeps no order of the fields within a column."""
    at = {one.name.casefold(): i for i, one in enumerate(stated)}
    top = {one.name: i for i, one in enumerate(known) if "." not in one.name}

    def place(item: tuple[int, Field]) -> tuple[int, int, int]:
        i, one = item
        if "." not in one.name:
            return (i, 0, 0)
        outer = next((around for around in _list_prefixes(one.name) if around in top), None)
        return (i, 0, 0) if outer is None else (top[outer], 1 + at.get(one.name.casefold(), len(stated)), i)

    return [one for _, one in sorted(enumerate(known), key=place)]


def _has_no_partitioning(known: Definition, file: Definition) -> bool:
    """Whether one of the two definitions cannot state how the table is partitioned."""
    bare = file.format in ("iceberg", "delta") and not file.kind  # a schema alone
    return bare or file.format in _UNPARTITIONED or known.format not in _NUMBERED


def _index_by_name(fields: Sequence[Field]) -> dict[str, Field]:
    return {**{one.name.casefold(): one for one in fields}, **{one.name: one for one in fields}}


# Transforms as Spark, Trino and Iceberg's specification name them -> one name.
_PERIODS = {"year": "years", "month": "months", "day": "days", "hour": "hours", "date": "days", "date_hour": "hours"}
_NUMBERED_TRANSFORM = re.compile(r"(\w+)\[(\d+)\]")
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


def format_transform(transform: str, columns: Sequence[str]) -> str:
    """Format a transform of Iceberg's metadata (`day`, `bucket[16]`, `identity`) and its columns; empty for `void` (no partitioning)."""
    transform = transform.strip().lower()
    if transform == "void":
        return ""
    if transform == "identity":
        return ", ".join(columns)
    counted = _NUMBERED_TRANSFORM.fullmatch(transform)
    arguments = [counted[2], *columns] if counted else columns
    name = counted[1] if counted else transform
    return f"{_PERIODS.get(name, name)}({', '.join(arguments)})"


def format_partition_field(field: Mapping[str, Json]) -> str:
    """Format a field of a partition spec as the graph stores it: a mapping with `columns` and `transform`."""
    columns = field.get("columns")
    return format_transform(str(field.get("transform") or "identity"), [str(one) for one in columns] if isinstance(columns, list) else [])


def parse_partition(text: str) -> str:
    """Normalise a partition field written in SQL: `days(ts)`, `day(ts)`, `bucket(16, id)`, `bucket(id, 16)`, a column."""
    call = _CALL.fullmatch(text.strip())
    if call is None:
        return _strip_quotes(text)
    arguments = [_strip_quotes(one) for one in call[2].split(",")]
    arguments.sort(key=lambda one: not one.isdecimal())
    name = call[1].lower()
    return f"{_PERIODS.get(name, name)}({', '.join(arguments)})"


def _strip_quotes(text: str) -> str:
    return text.strip().strip('`"')

"""A table of a dbt project -> what is compared of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from meshline.graph.definitions import Definition
from meshline.graph.model import AssetKind, Json
from meshline.graph.promises import Field, Model, Rule
from meshline.ingest.proposed.dbt_state import State
from meshline.ingest.quality import Check
from meshline.ingest.sources.dbt.artifacts import Column, Config, Constraint, Node
from meshline.ingest.sources.dbt.facts import Table, enforced, tags

_VALUES = "accepted_values"
_DETAILS = frozenset({"severity"})  # of a test, which is no argument
_ENFORCING = frozenset({"table", "incremental"})  # materializations: ModelNode.materialization_enforces_constraints of dbt-core


def declared(state: State, id_: str) -> Definition:
    """A table as its YAML and its catalog say it, without looking into its SQL."""
    table = state.tables[id_]
    node, config = table.node, table.node.config or Config()
    is_source = node.source_name is not None
    checks = state.checks.get(table.key, ())
    return Definition(
        model=Model(table.key.name, fields=tuple(_fields(state, table, [one.name for one in (node.columns or {}).values()], checks))),
        format=state.settings.dialect or "dbt",
        kind="" if is_source else config.materialized or "",
        partitioning=tuple(_partitioning(config.partition_by)),
        sql="" if is_source else node.compiled_code or "",
        dialect=state.settings.dialect or "",
        rules=(*_promised(node), *(_rule(one) for one in checks if not _lists_values(one))),
        owner=state.owners(id_),
        access="" if is_source else node.access or config.access or "",
        deprecated=node.deprecation_date is not None,
        contracted=enforced(node),
        constraints=_enforced_constraints(node),
        version="" if node.version is None else str(node.version),
        latest_version="" if node.latest_version is None else str(node.latest_version),
    )


def whole(state: State, id_: str, found: Definition, columns: Sequence[str]) -> Definition:
    """The same with these columns, and with those of what it reads."""
    table = state.tables[id_]
    model = msgspec.structs.replace(found.model, fields=tuple(_fields(state, table, columns, state.checks.get(table.key, ()))))
    return msgspec.structs.replace(found, model=model, reads=state.reads(id_))


def _fields(state: State, table: Table, columns: Iterable[str], checks: Sequence[Check]) -> Iterable[Field]:
    """Promises of the database, and types that YAML declares, hold only where dbt enforces them."""
    node = table.node
    by_name = {one.name.casefold(): one for one in (node.columns or {}).values()}
    types = {one.name.casefold(): one.type or "" for one in table.listing} if state.settings.typed else {}
    values = {one.of.name.casefold(): one for one in checks if _lists_values(one)}
    holds = enforced(node)
    keys = _keys(node) if holds else {}
    for name in columns:
        key = name.casefold()
        yield _field(name, by_name.get(key), types.get(key, ""), values.get(key), holds=holds, keys=keys.get(key, frozenset()))


def _field(name: str, column: Column | None, of_catalog: str, values: Check | None, *, holds: bool, keys: frozenset[str]) -> Field:
    promised = {one.type for one in (column.constraints if column is not None else None) or ()} | keys if holds else keys
    declared_type = (column.data_type if column is not None else None) or ""
    meta = _meta(column)
    return Field(
        name=name,
        type=(declared_type or of_catalog) if holds else (of_catalog or declared_type),
        required=bool(promised & {"not_null", "primary_key"}),
        unique=True if "unique" in promised else None,
        primary_key=True if "primary_key" in promised else None,
        enum=tuple(_arguments(values).get("values") or ()) if values is not None else (),
        classification=_text(meta.get("classification")),
        pii=meta.get("pii") if isinstance(meta.get("pii"), bool) else None,
        tags=_tags(column),
    )


def _tags(column: Column | None) -> tuple[str, ...]:
    if column is None:
        return ()
    return tuple(map(str, tags(column.tags, column.config.tags if column.config is not None else None)))


def _keys(node: Node) -> dict[str, frozenset[str]]:
    """What constraints of the whole model say of single columns."""
    single: list[Constraint] = [one for one in node.constraints or () if one.columns and len(one.columns) == 1]
    found: dict[str, frozenset[str]] = {}
    for one in single:
        for name in one.columns or ():
            found[name.casefold()] = found.get(name.casefold(), frozenset()) | {one.type}
    return found


def _enforced_constraints(node: Node) -> tuple[str, ...]:
    """The kinds of constraints that dbt gives the database to enforce: under a contract, and of tables only."""
    materialized = (node.config.materialized if node.config is not None else None) or ""
    if not enforced(node) or materialized not in _ENFORCING:
        return ()
    of_columns = (one for column in (node.columns or {}).values() for one in column.constraints or ())
    return tuple(sorted({one.type for one in (*of_columns, *(node.constraints or ()))}))


def _promised(node: Node) -> Iterable[Rule]:
    """Keys of several columns, and checks."""
    if not enforced(node):
        return
    of_columns = [(column.name, one) for column in (node.columns or {}).values() for one in column.constraints or ()]
    for name, one in [*of_columns, *(("", one) for one in node.constraints or ())]:
        if one.type in ("check", "foreign_key", "custom") or (not name and len(one.columns or ()) > 1):
            arguments: dict[str, Any] = {"columns": one.columns, "to": one.to, "to_columns": one.to_columns}
            said = {key: value for key, value in arguments.items() if value}
            yield Rule(type="constraint", field=name, metric=one.type, query=one.expression or "", arguments=said)


def _rule(check: Check) -> Rule:
    arguments = _arguments(check)
    kept = {name: value for name, value in arguments.items() if name not in _DETAILS}
    named = check.name if check.kind == "singular" else ""
    of = check.of.name if check.of.kind is AssetKind.COLUMN else ""
    return Rule(type="test", field=of, name=named, metric=check.kind, severity=_text(arguments.get("severity")), arguments=kept)


def _lists_values(check: Check) -> bool:
    """Whether it says which values a column may have, in all rows."""
    arguments = _arguments(check)
    is_list = check.kind.rpartition(".")[2] == _VALUES and isinstance(arguments.get("values"), list)
    return is_list and not arguments.get("where") and check.of.kind is AssetKind.COLUMN


def _arguments(check: Check) -> Mapping[str, Any]:
    return check.expected if isinstance(check.expected, dict) else {}


def _meta(column: Column | None) -> Mapping[str, Any]:
    if column is None:
        return {}
    return {**((column.config.meta if column.config is not None else None) or {}), **(column.meta or {})}


def _partitioning(said: Json) -> Iterable[str]:
    """`day(created_at)` of BigQuery, names of columns elsewhere."""
    for one in said if isinstance(said, list) else [said]:
        if isinstance(one, dict):
            field, granularity = _text(one.get("field")), _text(one.get("granularity")) or ("" if one.get("range") is None else "range")
            yield f"{granularity}({field})" if granularity else field
        elif one:
            yield str(one)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

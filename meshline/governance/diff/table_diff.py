"""Changes of a table, view, topic or file as a tool defines it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from meshline.errors import require_extra
from meshline.governance.changes import Change, ChangeBuilder, SubjectKind
from meshline.governance.diff.contract_attributes import compare_owners, compare_rules, decide_access_rule
from meshline.governance.diff.encoding_diff import compare_reserved
from meshline.governance.diff.field_diff import compare_fields, compare_order
from meshline.governance.diff.schema_match import TableScope, choose_fold
from meshline.graph import model
from meshline.graph.contracts import Definition, Pair, Party, Version

_UNORDERED = frozenset({"avro", "json", "protobuf"})  # columns are found by name or number
_HIDDEN = frozenset({"iceberg"})  # no query names the partitions


def compare_tables(pair: Pair[Definition]) -> list[Change]:
    """The changes between two versions of a table's definition, or that it was added or removed."""
    before, after = pair
    version = before or after
    assert version is not None
    datasets = version.datasets.get("", ())
    name = datasets[0].qualified_name if datasets else version.value.model.name
    draft = ChangeBuilder(SubjectKind.TABLE, name, before, after, datasets)
    if before is None or after is None:
        return [draft.build_change("table-removed" if after is None else "table-added", table=version.value.model.name)]
    return list(_list_changes(draft, before, after))


def _list_changes(draft: ChangeBuilder, before: Version[Definition], after: Version[Definition]) -> Iterator[Change]:
    old, new = before.value, after.value
    table = old.model.name
    fold = choose_fold((old.format, new.format), tables=True)
    if fold(table) != fold(new.model.name):
        yield draft.build_change("table-renamed", (), table, new.model.name, table=table)
    form = (old.format, new.format)
    scope = TableScope(draft, (), (), draft.assets, "", form, (form,), (form,), choose_fold(form), promised=False)
    yield from compare_fields(scope, old.model, new.model)
    if new.format not in _UNORDERED:
        yield from compare_order(old.model.fields, new.model.fields, scope)
    yield from _compare_closed(draft, old, new)
    yield from compare_reserved(draft, old, new)
    yield from _compare_partitioning(draft, old, new)
    if old.kind and new.kind and old.kind.casefold() != new.kind.casefold():
        lost = bool(old.constraints and new.contracted and not new.constraints)
        changed = "constraints-not-enforced" if lost else "materialization-changed"
        constraints = ", ".join(old.constraints) if lost else None
        yield draft.build_change(changed, ("kind",), old.kind.lower(), new.kind.lower(), table=table, constraints=constraints)
    yield from _compare_contract(draft, old, new)
    yield from compare_owners(draft, _build_parties(old.owner), _build_parties(new.owner))
    if rule := decide_access_rule(old.access, new.access) if old.access and new.access else None:
        yield draft.build_change(rule, ("access",), old.access, new.access, role="other models")
    if (new.deprecated and not old.deprecated) or (new.model.deprecated and not old.model.deprecated):
        yield draft.build_change("table-deprecated", table=table)
    columns = {
        ("", field.name): tuple(model.build_column_key(dataset, field.name) for dataset in draft.assets) for field in old.model.fields
    }
    yield from compare_rules(draft, old.rules, new.rules, columns)
    if old.sql or new.sql:
        yield from _compare_sql(draft, old, new)


def _compare_contract(draft: ChangeBuilder, old: Definition, new: Definition) -> Iterator[Change]:
    """What dbt promises of a model: that it enforces the contract, and which version a reference without one means."""
    table = old.model.name
    if old.contracted != new.contracted:
        rule = "contract-enforced" if new.contracted else "contract-not-enforced"
        yield draft.build_change(rule, ("contract",), table=table)
    was_latest = old.version and old.version == old.latest_version
    if was_latest and new.latest_version and new.latest_version != old.latest_version:
        yield draft.build_change("latest-version-moved", ("latest_version",), old.latest_version, new.latest_version, table=table)


def _compare_sql(draft: ChangeBuilder, old: Definition, new: Definition) -> Iterator[Change]:
    """Raises MissingExtra."""
    with require_extra("sql", "comparing queries"):
        sql = import_module("meshline.governance.diff.sql")
    yield from sql.compare_queries(draft, old, new)


def _compare_closed(draft: ChangeBuilder, old: Definition, new: Definition) -> Iterator[Change]:
    """Objects that allow other properties in one version only. An object that is added or removed is reported by its columns."""
    if old.format != new.format or (not old.closed and not new.closed):
        return
    both = {"", *(one.name for one in old.model.fields)} & {"", *(one.name for one in new.model.fields)}
    for path in sorted(both & (set(old.closed) ^ set(new.closed))):
        assets = [model.build_column_key(dataset, path) for dataset in draft.assets] if path else None
        part = ("field", path, "additional properties") if path else ("additional properties",)
        rule = "properties-closed" if path in new.closed else "properties-opened"
        yield draft.build_change(rule, part, assets=assets, object=path or old.model.name)


def _compare_partitioning(draft: ChangeBuilder, old: Definition, new: Definition) -> Iterator[Change]:
    was, now = (tuple("".join(part.lower().split()) for part in one.partitioning) for one in (old, new))
    if was == now or (old.format != new.format and not was):  # of the one before it may not be known
        return
    rule = "hidden-partitioning-changed" if new.format in _HIDDEN else "partitioning-changed"
    yield draft.build_change(rule, ("partitioning",), ", ".join(was) or None, ", ".join(now) or None, table=old.model.name)


def _build_parties(name: str) -> list[Party]:
    return [Party(name)] if name else []

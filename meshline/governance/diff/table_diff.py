"""Changes of a table, view, topic or file as a tool defines it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from meshline.errors import require_extra
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.diff.change_builder import Draft, Scope
from meshline.governance.diff.contract_attributes import access_rule, owner_changes
from meshline.governance.diff.field_diff import field_changes, moved
from meshline.governance.diff.quality_rules import rule_changes
from meshline.governance.diff.schema_match import folding
from meshline.graph import model
from meshline.graph.contracts import Definition, Pair, Party, Version

_UNORDERED = frozenset({"avro", "json"})  # columns are found by name
_HIDDEN = frozenset({"iceberg"})  # no query names the partitions


def table_changes(pair: Pair[Definition]) -> list[Change]:
    before, after = pair
    version = before or after
    assert version is not None
    datasets = version.datasets.get("", ())
    name = datasets[0].qualified_name if datasets else version.value.model.name
    draft = Draft(SubjectKind.TABLE, name, before, after, datasets)
    if before is None or after is None:
        return [draft.change("table-removed" if after is None else "table-added", table=version.value.model.name)]
    return list(_changes(draft, before, after))


def _changes(draft: Draft, before: Version[Definition], after: Version[Definition]) -> Iterator[Change]:
    old, new = before.value, after.value
    table = old.model.name
    fold = folding((old.format, new.format), tables=True)
    if fold(table) != fold(new.model.name):
        yield draft.change("table-renamed", (), table, new.model.name, table=table)
    form = (old.format, new.format)
    scope = Scope(draft, (), (), draft.assets, "", form, (form,), (form,), folding(form), promised=False)
    yield from field_changes(scope, old.model, new.model)
    if new.format not in _UNORDERED:
        yield from moved(old.model.fields, new.model.fields, scope)
    yield from _closed(draft, old, new)
    yield from _partitioning(draft, old, new)
    if old.kind and new.kind and old.kind.casefold() != new.kind.casefold():
        lost = bool(old.constraints and new.contracted and not new.constraints)
        changed = "constraints-not-enforced" if lost else "materialization-changed"
        constraints = ", ".join(old.constraints) if lost else None
        yield draft.change(changed, ("kind",), old.kind.lower(), new.kind.lower(), table=table, constraints=constraints)
    yield from _contracted(draft, old, new)
    yield from owner_changes(draft, _party(old.owner), _party(new.owner))
    if rule := access_rule(old.access, new.access) if old.access and new.access else None:
        yield draft.change(rule, ("access",), old.access, new.access, role="other models")
    if (new.deprecated and not old.deprecated) or (new.model.deprecated and not old.model.deprecated):
        yield draft.change("table-deprecated", table=table)
    columns = {
        ("", field.name): tuple(model.build_column_key(dataset, field.name) for dataset in draft.assets) for field in old.model.fields
    }
    yield from rule_changes(draft, old.rules, new.rules, columns)
    if old.sql or new.sql:
        yield from _computed(draft, old, new)


def _contracted(draft: Draft, old: Definition, new: Definition) -> Iterator[Change]:
    """What dbt promises of a model: that it enforces the contract, and which version a reference without one means."""
    table = old.model.name
    if old.contracted != new.contracted:
        rule = "contract-enforced" if new.contracted else "contract-not-enforced"
        yield draft.change(rule, ("contract",), table=table)
    was_latest = old.version and old.version == old.latest_version
    if was_latest and new.latest_version and new.latest_version != old.latest_version:
        yield draft.change("latest-version-moved", ("latest_version",), old.latest_version, new.latest_version, table=table)


def _computed(draft: Draft, old: Definition, new: Definition) -> Iterator[Change]:
    """Raises MissingExtra."""
    with require_extra("sql", "comparing queries"):
        sql = import_module("meshline.governance.diff.sql")
    yield from sql.sql_changes(draft, old, new)


def _closed(draft: Draft, old: Definition, new: Definition) -> Iterator[Change]:
    """Objects that allow other properties in one version only. Of an object that is new or gone its columns say it."""
    if old.format != new.format or (not old.closed and not new.closed):
        return
    both = {"", *(one.name for one in old.model.fields)} & {"", *(one.name for one in new.model.fields)}
    for path in sorted(both & (set(old.closed) ^ set(new.closed))):
        assets = [model.build_column_key(dataset, path) for dataset in draft.assets] if path else None
        part = ("field", path, "additional properties") if path else ("additional properties",)
        rule = "properties-closed" if path in new.closed else "properties-opened"
        yield draft.change(rule, part, assets=assets, object=path or old.model.name)


def _partitioning(draft: Draft, old: Definition, new: Definition) -> Iterator[Change]:
    was, now = (tuple("".join(part.lower().split()) for part in one.partitioning) for one in (old, new))
    if was == now or (old.format != new.format and not was):  # of the one before it may not be known
        return
    rule = "hidden-partitioning-changed" if new.format in _HIDDEN else "partitioning-changed"
    yield draft.change(rule, ("partitioning",), ", ".join(was) or None, ", ".join(now) or None, table=old.model.name)


def _party(name: str) -> list[Party]:
    return [Party(name)] if name else []

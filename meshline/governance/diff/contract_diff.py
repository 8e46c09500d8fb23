"""Changes of a data contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from meshline.governance.changes import Change, SubjectKind
from meshline.governance.diff.change_builder import Draft, Scope, folded
from meshline.governance.diff.contract_attributes import owner_changes, renamed_servers, role_changes, server_changes, term_changes
from meshline.governance.diff.field_diff import field_changes
from meshline.governance.diff.quality_rules import rule_changes
from meshline.governance.diff.schema_match import Words, columns, matched_models, same_names, words
from meshline.governance.diff.service_levels import level_changes
from meshline.graph import model
from meshline.graph.contracts import Contract, Level, Model, Pair, Role, Rule, Version
from meshline.graph.model import AssetKey

_DEPRECATED = frozenset({"deprecated", "sunset"})


def contract_changes(pair: Pair[Contract]) -> list[Change]:
    before, after = pair
    if before is None or after is None:
        return [_whole(pair)]
    return list(_changes(_draft(pair, before.value), before, after))


def _draft(pair: Pair[Contract], contract: Contract) -> Draft:
    consumers = tuple(model.build_consumer_key(name) for name in contract.consumers)
    return Draft(SubjectKind.CONTRACT, contract.id, *pair, (model.build_contract_key(contract.id),), consumers)


def _whole(pair: Pair[Contract]) -> Change:
    """A contract is new, or gone."""
    version = pair.before or pair.after
    assert version is not None
    return _draft(pair, version.value).change("contract-removed" if pair.after is None else "contract-added")


def _changes(draft: Draft, before: Version[Contract], after: Version[Contract]) -> Iterator[Change]:
    old, new = before.value, after.value
    said = words(old, new)
    yield from _status(draft, old, new)
    yield from _models(draft, before, after, said)
    names = same_names(old.models, new.models, said)
    assets = _assets(before, said)
    yield from rule_changes(draft, old.quality_rules, _rules(new, names), assets)
    yield from _levels(draft, before, after, names, assets)
    yield from term_changes(draft, old.terms, new.terms)
    yield from role_changes(draft, old.roles, _roles(old, new))
    yield from server_changes(draft, before, after)
    yield from owner_changes(draft, old.owners, new.owners)
    yield from _consumers(draft, old, new)


def _status(draft: Draft, old: Contract, new: Contract) -> Iterator[Change]:
    was, now = (folded(one.status.replace("_", " ")).lower() or None for one in (old, new))
    if old.in_force and not new.in_force:
        yield draft.change("contract-ended", ("status",), was or "active", now)
    elif now in _DEPRECATED and was not in _DEPRECATED and old.in_force:
        yield draft.change("deprecated", ("status",), was, now)


def _models(draft: Draft, before: Version[Contract], after: Version[Contract], said: Words) -> Iterator[Change]:
    several = len(before.value.models) > 1
    pairs, gone, added = matched_models(before.value.models, after.value.models, said.fold_table)
    for one in gone:
        yield draft.change("table-removed", ("model", one.name), assets=before.datasets.get(one.name, ()), table=one.name)
    for one in added:
        yield draft.change("table-added", ("model", one.name), assets=after.datasets.get(one.name, ()), table=one.name)
    for was, now in pairs:
        part, datasets = ("model", was.name), before.datasets.get(was.name, ())
        first, second = (one.physical_name or one.name for one in (was, now))
        if said.fold_table(first) != said.fold_table(second):
            yield draft.change("table-renamed", part, first, second, at=("model", now.name), assets=datasets, table=was.name)
        if now.deprecated and not was.deprecated:
            yield draft.change("table-deprecated", part, at=("model", now.name), assets=datasets, table=was.name)
        scope = Scope(
            draft,
            part,
            ("model", now.name),
            datasets,
            was.name if several else "",
            (said.read, said.read),
            said.types,
            said.physical,
            said.fold,
        )
        yield from field_changes(scope, was, now)


def _assets(version: Version[Contract], said: Words) -> dict[tuple[str, str], tuple[AssetKey, ...]]:
    """What models and fields are in the graph; a rule about neither is about all datasets."""
    found = {("", ""): tuple(key for keys in version.datasets.values() for key in keys)}
    for one in version.value.models:
        datasets = found[one.name, ""] = version.datasets.get(one.name, ())
        for column in columns(one.fields, said.read):
            found[one.name, column.path] = tuple(model.build_column_key(dataset, column.name) for dataset in datasets)
    return found


def _levels(
    draft: Draft,
    before: Version[Contract],
    after: Version[Contract],
    names: Mapping[str, str],
    of: Mapping[tuple[str, str], tuple[AssetKey, ...]],
) -> Iterator[Change]:
    """A level is of the datasets of the contract, or of the model or field that it names."""
    known = {".".join(filter(None, name)): assets for name, assets in of.items()}
    named: Mapping[str, tuple[AssetKey, ...]] = known | _fields_alone(before.value.models, known)
    for change in level_changes(draft, before.value.sla, _renamed(after.value.sla, names), assets=known[""]):
        element = change.details.get("element")
        yield change._replace(assets=named[element]) if isinstance(element, str) and element in named else change


def _renamed(levels: Iterable[Level], names: Mapping[str, str]) -> Iterator[Level]:
    """Levels with the names of before for what they are about."""
    for one in levels:
        about = (part.strip() for part in one.element.split(","))
        yield replace(one, element=", ".join(names.get(name, name) for name in about))


def _rules(contract: Contract, names: Mapping[str, str]) -> list[Rule]:
    """Quality rules with the names of before for their models and fields."""
    found = []
    for one in contract.quality_rules:
        field = names.get(f"{one.model}.{one.field}", "")
        model_name = names.get(one.model, one.model)
        found.append(replace(one, model=model_name, field=field.removeprefix(f"{model_name}.") if field else one.field))
    return found


def _roles(old: Contract, new: Contract) -> list[Role]:
    """Roles with the names of before for their servers."""
    names = renamed_servers(old, new)
    return [replace(one, server=names.get(one.server, one.server)) for one in new.roles]


def _fields_alone(models: tuple[Model, ...], known: Mapping[str, tuple[AssetKey, ...]]) -> dict[str, tuple[AssetKey, ...]]:
    """Of a contract with one model, a field is named without it."""
    return {field.name: known[f"{one.name}.{field.name}"] for one in models for field in one.fields} if len(models) == 1 else {}


def _consumers(draft: Draft, old: Contract, new: Contract) -> Iterator[Change]:
    was, now = ({folded(name).casefold(): name for name in one.consumers} for one in (old, new))
    for key in sorted(was.keys() - now.keys()):
        yield draft.change("consumer-removed", ("consumer", was[key]), was[key], None, consumers=[model.build_consumer_key(was[key])])
    for key in sorted(now.keys() - was.keys()):
        yield draft.change("consumer-added", ("consumer", now[key]), None, now[key], consumers=[model.build_consumer_key(now[key])])

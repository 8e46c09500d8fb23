"""Changes of a data contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from meshline.governance.changes import Change, ChangeBuilder, SubjectKind, fold_text
from meshline.governance.diff.contract_attributes import (
    compare_owners,
    compare_roles,
    compare_rules,
    compare_servers,
    compare_terms,
    find_renamed_servers,
)
from meshline.governance.diff.field_diff import compare_fields
from meshline.governance.diff.schema_match import TableScope, Words, choose_words, list_columns, map_names, match_models
from meshline.governance.diff.service_levels import compare_levels
from meshline.graph import model
from meshline.graph.contracts import Contract, Level, Model, Pair, Role, Rule, Version
from meshline.graph.model import AssetKey

_DEPRECATED = frozenset({"deprecated", "sunset"})


def compare_contracts(pair: Pair[Contract]) -> list[Change]:
    """The changes between two versions of a data contract, or that it was added or removed."""
    before, after = pair
    if before is None or after is None:
        return [_build_whole_change(pair)]
    return list(_list_changes(_build_draft(pair, before.value), before, after))


def _build_draft(pair: Pair[Contract], contract: Contract) -> ChangeBuilder:
    consumers = tuple(model.build_consumer_key(name) for name in contract.consumers)
    return ChangeBuilder(SubjectKind.CONTRACT, contract.id, *pair, (model.build_contract_key(contract.id),), consumers)


def _build_whole_change(pair: Pair[Contract]) -> Change:
    """A contract is new, or gone."""
    version = pair.before or pair.after
    assert version is not None
    return _build_draft(pair, version.value).build_change("contract-removed" if pair.after is None else "contract-added")


def _list_changes(draft: ChangeBuilder, before: Version[Contract], after: Version[Contract]) -> Iterator[Change]:
    old, new = before.value, after.value
    words = choose_words(old, new)
    yield from _compare_status(draft, old, new)
    yield from _compare_models(draft, before, after, words)
    names = map_names(old.models, new.models, words)
    assets = _collect_assets(before, words)
    yield from compare_rules(draft, old.quality_rules, _rename_rules(new, names), assets)
    yield from _compare_levels(draft, before, after, names, assets)
    yield from compare_terms(draft, old.terms, new.terms)
    yield from compare_roles(draft, old.roles, _rename_roles(old, new))
    yield from compare_servers(draft, before, after)
    yield from compare_owners(draft, old.owners, new.owners)
    yield from _compare_consumers(draft, old, new)


def _compare_status(draft: ChangeBuilder, old: Contract, new: Contract) -> Iterator[Change]:
    was, now = (fold_text(one.status.replace("_", " ")).lower() or None for one in (old, new))
    if old.is_in_force and not new.is_in_force:
        yield draft.build_change("contract-ended", ("status",), was or "active", now)
    elif now in _DEPRECATED and was not in _DEPRECATED and old.is_in_force:
        yield draft.build_change("deprecated", ("status",), was, now)


def _compare_models(draft: ChangeBuilder, before: Version[Contract], after: Version[Contract], words: Words) -> Iterator[Change]:
    several = len(before.value.models) > 1
    pairs, gone, added = match_models(before.value.models, after.value.models, words.fold_table)
    for one in gone:
        yield draft.build_change("table-removed", ("model", one.name), assets=before.datasets.get(one.name, ()), table=one.name)
    for one in added:
        yield draft.build_change("table-added", ("model", one.name), assets=after.datasets.get(one.name, ()), table=one.name)
    for was, now in pairs:
        part, datasets = ("model", was.name), before.datasets.get(was.name, ())
        first, second = (one.physical_name or one.name for one in (was, now))
        if words.fold_table(first) != words.fold_table(second):
            yield draft.build_change("table-renamed", part, first, second, at=("model", now.name), assets=datasets, table=was.name)
        if now.deprecated and not was.deprecated:
            yield draft.build_change("table-deprecated", part, at=("model", now.name), assets=datasets, table=was.name)
        scope = TableScope(
            draft,
            part,
            ("model", now.name),
            datasets,
            was.name if several else "",
            (words.read, words.read),
            words.types,
            words.physical,
            words.fold,
        )
        yield from compare_fields(scope, was, now)


def _collect_assets(version: Version[Contract], words: Words) -> dict[tuple[str, str], tuple[AssetKey, ...]]:
    """What models and fields are in the graph; a rule about neither is about all datasets."""
    found = {("", ""): tuple(key for keys in version.datasets.values() for key in keys)}
    for one in version.value.models:
        datasets = found[one.name, ""] = version.datasets.get(one.name, ())
        for column in list_columns(one.fields, words.read):
            found[one.name, column.path] = tuple(model.build_column_key(dataset, column.name) for dataset in datasets)
    return found


def _compare_levels(
    draft: ChangeBuilder,
    before: Version[Contract],
    after: Version[Contract],
    names: Mapping[str, str],
    of: Mapping[tuple[str, str], tuple[AssetKey, ...]],
) -> Iterator[Change]:
    """A level is of the datasets of the contract, or of the model or field that it names."""
    known = {".".join(filter(None, name)): assets for name, assets in of.items()}
    named: Mapping[str, tuple[AssetKey, ...]] = known | _index_fields_alone(before.value.models, known)
    for change in compare_levels(draft, before.value.sla, _rename_elements(after.value.sla, names), assets=known[""]):
        element = change.details.get("element")
        yield change._replace(assets=named[element]) if isinstance(element, str) and element in named else change


def _rename_elements(levels: Iterable[Level], names: Mapping[str, str]) -> Iterator[Level]:
    """Levels with the names of before for what they are about."""
    for one in levels:
        about = (part.strip() for part in one.element.split(","))
        yield replace(one, element=", ".join(names.get(name, name) for name in about))


def _rename_rules(contract: Contract, names: Mapping[str, str]) -> list[Rule]:
    """Quality rules with the names of before for their models and fields."""
    found = []
    for one in contract.quality_rules:
        field = names.get(f"{one.model}.{one.field}", "")
        model_name = names.get(one.model, one.model)
        found.append(replace(one, model=model_name, field=field.removeprefix(f"{model_name}.") if field else one.field))
    return found


def _rename_roles(old: Contract, new: Contract) -> list[Role]:
    """Roles with the names of before for their servers."""
    names = find_renamed_servers(old, new)
    return [replace(one, server=names.get(one.server, one.server)) for one in new.roles]


def _index_fields_alone(models: tuple[Model, ...], known: Mapping[str, tuple[AssetKey, ...]]) -> dict[str, tuple[AssetKey, ...]]:
    """Of a contract with one model, a field is named without it."""
    return {field.name: known[f"{one.name}.{field.name}"] for one in models for field in one.fields} if len(models) == 1 else {}


def _compare_consumers(draft: ChangeBuilder, old: Contract, new: Contract) -> Iterator[Change]:
    was, now = ({fold_text(name).casefold(): name for name in one.consumers} for one in (old, new))
    for key in sorted(was.keys() - now.keys()):
        yield draft.build_change("consumer-removed", ("consumer", was[key]), was[key], None, consumers=[model.build_consumer_key(was[key])])
    for key in sorted(now.keys() - was.keys()):
        yield draft.build_change("consumer-added", ("consumer", now[key]), None, now[key], consumers=[model.build_consumer_key(now[key])])

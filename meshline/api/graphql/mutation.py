"""Mutations: statements that a person makes by hand. Each is one statement of the source `person/<name>`, with its own scope."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from meshline.api.graphql.access_mutation import AccessMutation
from meshline.api.graphql.asset import Asset, build_statement_id
from meshline.api.graphql.authors import By, check_name, decide_author
from meshline.api.graphql.context import RequestContext
from meshline.api.graphql.deny_list import DenialMutation
from meshline.api.graphql.field_types import describe_field
from meshline.api.graphql.naming_rules import NamingMutation
from meshline.app.manual_statements import PERSON, ManualStatement, commit_statements
from meshline.errors import InvalidInput, NotFound
from meshline.graph import model
from meshline.graph.content import EMPTY, decode_facts, encode_facts
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Json,
    Scope,
    Statement,
    from_micros,
    get_current_micros,
    parse_source_kind,
    to_micros,
)
from meshline.graph.store.base import Head
from meshline.graph.what_if import SupposedStatement
from meshline.ingest.partings import UNTIL, format_end

LONGEST_TEXT = 20_000

_STATEMENT = re.compile(r"st_([1-9][0-9]{0,17})")

Context = Info[RequestContext, None]


@strawberry.type(description="The result of a mutation.")
class Stated:
    asset: Asset = strawberry.field(description="The asset that changed.")
    statement: strawberry.ID | None = strawberry.field(description="The id that `retract` accepts. Null after a retraction.")


@strawberry.type
class Mutation(AccessMutation, DenialMutation, NamingMutation):
    @describe_field("State that an owner owns an asset.")
    def add_owner(self, info: Context, asset: strawberry.ID, owner: str, by: By = None, type: str = "technical") -> Stated:
        key = _get_key(info.context, asset)
        name, role = check_name(owner, "owner"), check_name(type, "type")
        stated = _check_tie(info.context, model.build_owner_key(name))
        facts = Facts(edges=(EdgeFact(EdgeType.OWNS, stated, key, {"type": role}),))
        return _state_facts(info.context, by, ("owner", key.id, name, role), facts, key)

    @describe_field("State that an asset has a tag, `key` or `key=value`.")
    def add_tag(self, info: Context, asset: strawberry.ID, tag: str, by: By = None) -> Stated:
        key, text = _get_key(info.context, asset), check_name(tag, "tag")
        return _state_facts(info.context, by, ("tag", key.id, text), _build_attribute(key, "tags", [text]), key)

    @describe_field("Describe an asset. Replaces the description that the same person gave before.")
    def set_description(self, info: Context, asset: strawberry.ID, description: str, by: By = None) -> Stated:
        key = _get_key(info.context, asset)
        text = description.strip()
        if not text or len(text) > LONGEST_TEXT:
            raise InvalidInput(f"a description has 1 to {LONGEST_TEXT} characters", "description")
        return _state_facts(info.context, by, ("description", key.id), _build_attribute(key, "description", text), key)

    @describe_field("State that a consumer, which is created if it is new, uses a column, a dataset or a data product.")
    def add_consumer(self, info: Context, asset: strawberry.ID, consumer: str, by: By = None, purpose: str | None = None) -> Stated:
        key, name = _get_key(info.context, asset), check_name(consumer, "consumer")
        if key.kind not in (AssetKind.COLUMN, AssetKind.DATASET, AssetKind.DATA_PRODUCT):
            raise InvalidInput(f"a consumer uses a column, a dataset or a data product, not a {key.kind}", "asset")
        attributes: dict[str, Json] = {} if purpose is None else {"purpose": check_name(purpose, "purpose")}
        stated = _check_tie(info.context, model.build_consumer_key(name))
        facts = Facts(edges=(EdgeFact(EdgeType.CONSUMES, stated, key, attributes),))
        return _state_facts(info.context, by, ("consumer", key.id, name), facts, key)

    @describe_field(
        "State that two names are different datasets. This takes precedence over every statement or rule that joins them, until it"
        " is retracted, or until its end. Needs the ids of exactly these names (`Dataset.identity`)."
    )
    def not_same_as(
        self,
        info: Context,
        dataset: strawberry.ID,
        other: strawberry.ID,
        why: str,
        by: By = None,
        until: Annotated[datetime | None, strawberry.argument(description="When it ends; if not given, it is without end.")] = None,
    ) -> Stated:
        first, second = sorted((_get_exact_key(info.context, dataset, "dataset"), _get_exact_key(info.context, other, "other")))
        if first == second:
            raise InvalidInput("both ids are of the same name: give the ids of two names, as `Dataset.identity` lists them", "other")
        attributes: dict[str, Json] = {"why": check_name(why, "why")}
        if until is not None:
            if to_micros(until) <= get_current_micros():
                raise InvalidInput("the end is in the past", "until")
            attributes[UNTIL] = format_end(from_micros(to_micros(until)))
        facts = Facts(edges=(EdgeFact(EdgeType.DIFFERENT_FROM, first, second, attributes),))
        return _state_facts(info.context, by, ("not-same-as", first.id, second.id), facts, first, second)

    @describe_field("State that two datasets are the same. `retract` separates them again.")
    def same_as(self, info: Context, dataset: strawberry.ID, other: strawberry.ID, by: By = None, why: str = "a person says so") -> Stated:
        keys = {"dataset": _get_key(info.context, dataset), "other": _get_key(info.context, other)}
        for where, key in keys.items():
            if key.kind is not AssetKind.DATASET:
                raise InvalidInput(f"only datasets can be the same, and {key.qualified_name!r} is a {key.kind}", where)
        first, second = sorted(keys.values())
        if first == second:
            raise InvalidInput("both are the same dataset already", "other")
        facts = Facts(edges=(EdgeFact(EdgeType.SAME_AS, first, second, {"why": check_name(why, "why")}),))
        return _state_facts(info.context, by, ("same-as", first.id, second.id), facts, first, second)

    @describe_field("Retract a statement of a person. It stays in the history.")
    def retract(self, info: Context, statement: strawberry.ID) -> Stated:
        request = info.context
        scope_id = _parse_scope_id(statement)
        heads = request.live.store.read_heads([scope_id]) if scope_id is not None else ()
        if not heads or heads[0].content is None or not _may_see(request, heads[0]):
            raise NotFound(f"there is no active statement {statement[:40]!r}")
        head = heads[0]
        if parse_source_kind(head.source) != PERSON:
            raise InvalidInput(f"{head.source} made this statement, not a person: correct it there", "statement")
        about = [_get_key(request, asset_id) for asset_id in _list_subjects(head)]
        _commit(request, request.actor, "retract", Statement(head.source, head.scope, head.observed_at + 1, EMPTY), *about)
        return Stated(asset=request.now.get_asset(request.now.get_node(about[0].id), Asset), statement=None)


def _list_subjects(head: Head) -> Sequence[str]:
    """The ids of the assets that a statement of a person is about."""
    return head.scope[2:4] if head.scope[1] in ("same-as", "not-same-as") else head.scope[2:3]


def _may_see(request: RequestContext, head: Head) -> bool:
    """Whether the caller may see that a statement exists: of those of sources he learns nothing if he may not see every asset, nor of
    those of others that tie an owner or a consumer to an asset which he does not see.
    """
    if not request.now.index.is_restricted:
        return True
    if parse_source_kind(head.source) != PERSON or head.content is None:
        return False
    assets = request.now.index.assets
    nodes = [assets.find(id_) for id_ in _list_subjects(head)]
    if head.source != f"{PERSON}/{request.actor}":
        edges = decode_facts(head.content.blob).edges
        nodes += [assets.find_by_key(edge.start) for edge in edges if edge.start.kind in (AssetKind.OWNER, AssetKind.CONSUMER)]
    return all(node is not None and assets.is_visible(node) for node in nodes)


def _check_tie(request: RequestContext, key: AssetKey) -> AssetKey:
    """The key of an owner or consumer that the caller may tie to an asset. Raises NotFound, of a hidden one as of none."""
    if not request.access.may_tie(request.caller, request.now.index, key):
        kind = key.kind.lower()
        raise NotFound(f"you see no {kind} {key.name!r}: name one that you see, yourself or a group of yours (access rules)")
    return key


def _get_key(request: RequestContext, asset_id: str) -> AssetKey:
    view = request.now
    return view.index.assets.get_key(view.get_node(asset_id))


def _get_exact_key(request: RequestContext, asset_id: str, where: str) -> AssetKey:
    """The name of a dataset with exactly this id, even if another name of the dataset is shown."""
    view = request.now
    node = view.get_node(asset_id)
    key = next((key for key in view.index.assets.list_names(node, former=True) if key.id == asset_id), view.index.assets.get_key(node))
    if key.kind is not AssetKind.DATASET:
        raise InvalidInput(f"only datasets have several names, and {key.qualified_name!r} is a {key.kind}", where)
    return key


def _build_attribute(key: AssetKey, attribute: str, value: Json) -> Facts:
    return Facts(assets=(AssetFact(key, {attribute: value}),))


def _state_facts(
    request: RequestContext, by: str | None, scope: tuple[str, ...], facts: Facts, about: AssetKey, *others: AssetKey
) -> Stated:
    """Commit one statement of a person. Returns the asset `about` as it is afterwards. `others`: what it is about, too."""
    author = decide_author(request, by)
    statement = Statement(f"{PERSON}/{author}", (PERSON, *scope), 0, encode_facts(facts))
    _commit(request, author, scope[0], statement, about, *others)
    view = request.now
    node = view.index.assets.find_by_key(about)
    assert node is not None, "an asset with a statement about it is visible"
    return Stated(asset=view.get_asset(node, Asset), statement=_find_statement(request, node, statement.source, statement.scope))


def _find_statement(request: RequestContext, node: int, source: str, scope: Scope) -> strawberry.ID | None:
    index = request.now.index
    infos = (index.changes.get_scope(scope_id) for scope_id in index.changes.list_scopes(node))
    return next((build_statement_id(found.scope_id) for found in infos if (found.source, found.scope) == (source, scope)), None)


def _commit(request: RequestContext, actor: str, what: str, statement: Statement, *about: AssetKey) -> None:
    """Commit a statement with its entry in the audit log, which names the first of the assets that it is about.

    `statement.observed_at`: the earliest time to use. Raises NotPermitted.
    """
    request.release_lock()
    access = request.access
    access.check_statement(request.caller, SupposedStatement(statement.source, statement.scope, statement.content), about)
    request.committed = True
    request.revision = commit_statements(access.live, actor, [ManualStatement(what, about[0], statement)])


def _parse_scope_id(statement: str) -> int | None:
    match = _STATEMENT.fullmatch(statement)
    return int(match[1]) if match else None

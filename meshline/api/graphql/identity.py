"""Why several names are one dataset, and identities that look wrong."""

from __future__ import annotations

from datetime import datetime

import strawberry

from meshline.api.graphql.asset import Asset, Connection, build_statement_id, parse_cursor
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import ConflictKind, EdgeType, NameRank, describe_field, refer_to_type
from meshline.graph.model import AssetKey, AssetKind, from_micros
from meshline.graph.queries import identity, identity_conflicts


@strawberry.type(description="One name of a dataset.")
class DatasetName:
    id: strawberry.ID = strawberry.field(description="The id of exactly this name, which `notSameAs` accepts.")
    namespace: str
    name: str

    @classmethod
    def from_key(cls, key: AssetKey) -> DatasetName:
        return cls(id=strawberry.ID(key.id), namespace=key.parts[0], name=key.parts[1])


@strawberry.type(description="A name of a dataset, and its rank among the names that could be shown.")
class IdentityMember:
    name: DatasetName
    rank: NameRank
    source: str | None = strawberry.field(description="The source that gives it its rank.")
    shown: bool
    past: bool = strawberry.field(description="Whether the dataset had this name until it was renamed.")


@strawberry.type(description="A statement that joins two names to one dataset, or separates two datasets.")
class IdentityReason:
    start: DatasetName
    end: DatasetName
    type: EdgeType = strawberry.field(description="SAME_AS, RENAMED_TO from the statement's time on, or DIFFERENT_FROM.")
    why: str
    rule: str | None = strawberry.field(description="The text of the naming rule, if one joined them.")
    source: str
    since: datetime
    statement: strawberry.ID = strawberry.field(description="The id that `retract` accepts, if a person stated it.")
    overruled: bool = strawberry.field(description="Whether a DIFFERENT_FROM prevents it from joining the two.")
    until: str | None = strawberry.field(description="When a DIFFERENT_FROM ends, as a time of RFC 3339. Null: it is without end.")

    @classmethod
    def from_reason(cls, reason: identity.Reason) -> IdentityReason:
        return cls(
            start=DatasetName.from_key(reason.start),
            end=DatasetName.from_key(reason.end),
            type=reason.type,
            why=reason.why,
            rule=reason.rule,
            source=reason.source,
            since=from_micros(reason.since),
            statement=build_statement_id(reason.scope_id),
            overruled=reason.overruled,
            until=reason.until,
        )


@strawberry.type(description="One spelling of a column, with the names of the dataset that use it.")
class Spelling:
    name: str
    datasets: list[DatasetName]


@strawberry.type(description="A column that has several spellings under the dataset's names.")
class MergedColumn:
    view: strawberry.Private[GraphView]
    node: strawberry.Private[int]
    spellings: list[Spelling]

    @describe_field(None, type_=refer_to_type("Column"))
    def column(self) -> Asset:
        return self.view.get_asset(self.node, Asset)


@strawberry.type(description="All names of a dataset, and why they are the same dataset.")
class Identity:
    shown: DatasetName
    members: list[IdentityMember] = strawberry.field(description="The current names, in the order of preference for being shown.")
    reasons: list[IdentityReason] = strawberry.field(description="The statements that join the names.")
    partings: list[IdentityReason] = strawberry.field(description="The statements that other names are not this dataset.")
    merged_columns: list[MergedColumn]

    @classmethod
    def from_dataset(cls, view: GraphView, dataset: int) -> Identity:
        found = identity.read_identity(view.request.live, view.index, dataset)
        view.request.spend(len(found.members) + len(found.reasons) + len(found.partings) + len(found.columns))
        return cls(
            shown=DatasetName.from_key(found.shown),
            members=[
                IdentityMember(
                    name=DatasetName.from_key(one.key), rank=one.rank, source=one.source, shown=one.key == found.shown, past=one.past
                )
                for one in found.members
            ],
            reasons=[IdentityReason.from_reason(reason) for reason in found.reasons],
            partings=[IdentityReason.from_reason(reason) for reason in found.partings],
            merged_columns=[
                MergedColumn(view=view, node=column, spellings=[_build_spelling(one) for one in spellings])
                for column, spellings in found.columns
            ],
        )


def _build_spelling(one: identity.Spelling) -> Spelling:
    return Spelling(name=one.name, datasets=[DatasetName.from_key(key) for key in one.datasets])


@strawberry.type(description="An identity that looks wrong.")
class IdentityConflict:
    view: strawberry.Private[GraphView]
    kind: ConflictKind
    names: list[DatasetName] = strawberry.field(
        description="For a merge, the names that seem to be different datasets; for a near miss, the datasets that seem to be the same."
    )
    similarity: float = strawberry.field(description="The share of their columns that they have in common, 0 to 1.")
    sources: list[str] = strawberry.field(description="For TWO_TABLES, the catalogs of the tables.")
    session_name: DatasetName | None = strawberry.field(
        description="For SESSION_NAME, the name that all of them had in sessions of a producer."
    )

    @describe_field("The merged dataset, or the two that are not merged.", type_=refer_to_type("Dataset", list))
    def datasets(self) -> list[Asset]:
        keys = [AssetKey(AssetKind.DATASET, (name.namespace, name.name)) for name in self.names]
        nodes = dict.fromkeys(node for key in keys if (node := self.view.index.assets.find_by_key(key)) is not None)
        return self.view.list_assets(list(nodes), Asset)


def list_conflicts(view: GraphView, first: int | None, after: str | None) -> Connection[IdentityConflict]:
    """A page of identities that look wrong."""
    size, start = view.request.check_page_size(first), parse_cursor(after, 3)
    found = identity_conflicts.list_conflicts(view.index)
    rest = [conflict for conflict in found if start is None or conflict.key > start]
    page = rest[:size]
    view.request.spend(len(page))
    return Connection(
        nodes=[
            IdentityConflict(
                view=view,
                kind=one.kind,
                names=[DatasetName.from_key(key) for key in one.names],
                similarity=round(one.similarity, 3),
                sources=list(one.sources),
                session_name=None if one.session_name is None else DatasetName.from_key(one.session_name),
            )
            for one in page
        ],
        keys=[(one.key, one.names[0].id) for one in page],
        has_next=len(rest) > size,
        has_previous=after is not None,
        count=lambda: len(found),
    )

"""The types of fields: the enumerations of the schema, fields that a method computes, and references to types by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from meshline.app.access_requests import AccessKind, Decision, RequestState, StepKind
from meshline.app.denials import DenialKind
from meshline.app.tokens import Role
from meshline.governance.audit import Action as AuditAction
from meshline.governance.freshness_feasibility import Standing as Feasible
from meshline.governance.gate import Mode as CheckMode
from meshline.governance.policies.policy import Severity
from meshline.governance.rules import Profile as CheckProfile
from meshline.governance.rules import Verdict
from meshline.graph.index import Direction, Reach, Truncated
from meshline.graph.model import AssetKind, EdgeType, FlowType
from meshline.graph.quality import Outcome as CheckOutcome
from meshline.graph.queries.asset_lists import ListOrder
from meshline.graph.queries.assets import AccessLevel
from meshline.graph.queries.gap_items import Gap
from meshline.graph.queries.identity import NameRank
from meshline.graph.queries.identity_conflicts import ConflictKind
from meshline.graph.queries.impact import ImpactOrder
from meshline.graph.queries.impact_recipients import NoticeReason
from meshline.graph.queries.lineage import Granularity
from meshline.graph.queries.lineage_users import LineageInclude
from meshline.graph.queries.product_health import Evidence, Standing

__all__ = [
    "AccessKind",
    "AccessLevel",
    "AssetKind",
    "AuditAction",
    "CheckMode",
    "CheckOutcome",
    "CheckProfile",
    "ConflictKind",
    "Decision",
    "DenialKind",
    "Direction",
    "EdgeType",
    "Evidence",
    "Feasible",
    "FlowType",
    "Gap",
    "Granularity",
    "ImpactOrder",
    "LineageInclude",
    "ListOrder",
    "NameRank",
    "NoticeReason",
    "Reach",
    "RequestState",
    "Severity",
    "Standing",
    "StepKind",
    "Truncated",
    "Verdict",
]

_TYPES = "meshline.api.graphql.asset_types"  # the module of the types that others refer to by name


def refer_to_type(name: str, many: Any = None) -> Any:
    """A type of the schema by its name; with `many` (`list`, `Connection`), that container of it.

    Types of assets refer to each other in a circle, but modules must not: the name is resolved when the schema is built.
    """
    type_: Any = LazyType(name, _TYPES)
    return type_ if many is None else many[type_]


def describe_field(
    description: str | None, *, name: str | None = None, type_: Any = None
) -> Callable[[Callable[..., object]], StrawberryField]:
    """Like `strawberry.field(description=...)`, which is not typed as a decorator. `type_`: the type of the field, where that of the
    resolver is less exact because the exact one cannot be imported (see `refer_to_type`).
    """

    def decorate(resolver: Callable[..., object]) -> StrawberryField:
        return strawberry.field(resolver, description=description, name=name, graphql_type=type_)

    return decorate


strawberry.enum(
    AccessLevel,
    description=(
        "How much of an asset the caller sees (access rules). BROWSE: its names, title, description, tags and owners, what it belongs"
        " to, and its place in the lineage of datasets; the rest is left out: there, null or an empty list does not mean none. READ: all"
        " but SQL."
    ),
)
strawberry.enum(AccessKind, description="METADATA: to see assets here. DATA: the data, which the executor grants.")
strawberry.enum(
    RequestState,
    name="AccessState",
    description=(
        "The state of a request for access. APPROVED: neither has the executor confirmed the grant yet, nor a sync seen it. LAPSED: it was"
        " not decided in time."
    ),
)
strawberry.enum(Decision, name="AccessDecision", description="REVOKE: end what was granted.")
strawberry.enum(
    StepKind,
    name="AccessStepKind",
    description=(
        "A step of a request for access. CONFIRM: the executor has granted it, or ended it. No caller made these: REMIND, by time, of those"
        " who may decide, before it lapses; END, by time, of a grant of data, so that the executor ends it; OBSERVE and MISS, of a request"
        " for data: a sync has seen that the principal may read it, or may not any more."
    ),
)
strawberry.enum(
    DenialKind,
    description=(
        "The claim that an entry of the deny list compares. SUB: a person or service. SID: a session at the provider. JTI: a token."
    ),
)
strawberry.enum(AssetKind, description="The kind of an asset.")
strawberry.enum(Role, name="TokenRole", description="The permissions of a token. Each includes the ones before; mutations need ADMIN.")
strawberry.enum(AuditAction, name="AuditAction", description="What an entry of the audit log records. WAIVER: a waiver let a finding pass.")
strawberry.enum(
    CheckMode,
    name="CheckMode",
    description="STRICT: lineage can only make verdicts worse. USAGE: known lineage can also make them better; unknown lineage never does.",
)
strawberry.enum(
    CheckProfile,
    name="CheckProfile",
    description="The set of verdicts. MESH: meshline's own. CONSUMER: as in datacontract-cli. FULL: the stricter of both.",
)
strawberry.enum(
    CheckOutcome,
    name="CheckOutcome",
    description=(
        "WARNED: it failed, but only as a warning. ERROR: it could not be evaluated. SKIPPED: a run left it out. "
        "NOT_RUN: it is defined, but no result is known."
    ),
)
strawberry.enum(
    ConflictKind,
    description=(
        "Why an identity looks wrong: one dataset for which catalogs have two tables; one dataset whose names have different columns; "
        "or two datasets with the same table name and mostly the same columns."
    ),
)
strawberry.enum(Direction, description="DOWNSTREAM: with the flow of data. UPSTREAM: against it.")
strawberry.enum(EdgeType, description="Typed, directed relations between assets.")
strawberry.enum(
    Evidence,
    description=(
        "The evidence for the time at which data was written: a run of a job, the newest snapshot of the table, "
        "the metrics of a producer, or a freshness check."
    ),
)
strawberry.enum(
    Feasible,
    name="Feasible",
    description="Whether a promise can be kept, given the promises of its inputs. If an input promises nothing, it is UNKNOWN at best.",
)
strawberry.enum(FlowType, description="DIRECT: values come from the start. INDIRECT: rows, groups or branches depend on it.")
strawberry.enum(
    Gap,
    description=(
        "The numbers of `completeness`. POSSIBLE_ONLY: pairs of datasets. UNDESCRIBED: datasets. STALE (`staleEdges`), PROVISIONAL: flows. "
        "UNBOUND: requested assets. SILENT_ON_FILTERS: jobs."
    ),
)
strawberry.enum(Granularity, description="What one node of a lineage graph represents.")
strawberry.enum(ImpactOrder, description="The first sort key of affected assets; the other keys follow, then kind and name.")
strawberry.enum(
    ListOrder,
    description=(
        "The order of a list; assets that are equal in it are in the order of their names. LAST_OBSERVED: the most recently stated first. "
        "DEPENDANTS: the most depended on first, by the number of datasets into which data flows directly: from a dataset; from the "
        "datasets of a product or domain to others; from a job to those it writes. Other kinds have no such order. "
        "HEALTH: of products, BROKEN first, then UNKNOWN, then KEPT."
    ),
)
strawberry.enum(
    LineageInclude, description="What a lineage graph can contain as nodes of their own, beside the nodes through which data flows."
)
strawberry.enum(NoticeReason, description="Why a recipient is notified of a change.")
strawberry.enum(
    Reach,
    description=(
        "How certain a lineage answer is: there is a path of DIRECT edges; else one of DIRECT and INDIRECT edges; "
        "else only one with edges whose columns no source recorded (POSSIBLE)."
    ),
)
strawberry.enum(
    Standing,
    description="The state of a promise: KEPT, BROKEN, or UNKNOWN if not enough is known for KEPT.",
)
strawberry.enum(
    NameRank,
    description=(
        "The reason to show a name, strongest first: an output port has it, a catalog describes it, "
        "it is a symlink of type TABLE, or none. Of equal names the first in alphabetical order is shown."
    ),
)
strawberry.enum(Verdict, description="The verdict on a change. CONDITIONAL: a person must review it.")
strawberry.enum(Severity, description="The severity of a violation of a policy: in a check, ERROR is breaking and WARNING conditional.")
strawberry.enum(Truncated, description="The limit that cut an answer short, if any.")

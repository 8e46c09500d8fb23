"""The types of fields: the enumerations of the schema, fields that a method computes, and references to types by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from meshline.governance.audit import Action as AuditAction
from meshline.governance.freshness_feasibility import Standing as Feasible
from meshline.governance.gate import Mode as CheckMode
from meshline.governance.policies.policy import Severity
from meshline.governance.rules import Profile as CheckProfile
from meshline.governance.rules import Verdict
from meshline.graph.index import Direction, Reach, Truncated
from meshline.graph.model import AssetKind, EdgeType, FlowType
from meshline.graph.quality import Outcome as CheckOutcome
from meshline.graph.queries.identity import NameRank
from meshline.graph.queries.identity_conflicts import ConflictKind
from meshline.graph.queries.impact import ImpactOrder
from meshline.graph.queries.impact_recipients import NoticeReason
from meshline.graph.queries.lineage import Granularity
from meshline.graph.queries.product_health import Evidence, Standing

__all__ = [
    "AssetKind",
    "AuditAction",
    "CheckMode",
    "CheckOutcome",
    "CheckProfile",
    "ConflictKind",
    "Direction",
    "EdgeType",
    "Evidence",
    "Feasible",
    "FlowType",
    "Granularity",
    "ImpactOrder",
    "NameRank",
    "NoticeReason",
    "Reach",
    "Severity",
    "Standing",
    "Truncated",
    "Verdict",
]

_TYPES = "meshline.api.graphql.asset_types"  # where the types are that others refer to by name


def refer_to_type(name: str, many: Any = None) -> Any:
    """A type of the schema by its name; with `many` (`list`, `Connection`), that of it.

    Types of assets refer to each other in a circle, and modules must not: the name is looked up when the schema is made.
    """
    type_: Any = LazyType(name, _TYPES)
    return type_ if many is None else many[type_]


def describe_field(
    description: str | None, *, name: str | None = None, type_: Any = None
) -> Callable[[Callable[..., object]], StrawberryField]:
    """Like `strawberry.field(description=...)`, which is not typed as a decorator. `type_`: the field's, where that of the resolver is
    less exact because it cannot be imported (see `reference`).
    """

    def decorate(resolver: Callable[..., object]) -> StrawberryField:
        return strawberry.field(resolver, description=description, name=name, graphql_type=type_)

    return decorate


strawberry.enum(AssetKind, description="What a person asks about.")
strawberry.enum(AuditAction, name="AuditAction", description="What an entry of the audit log records. WAIVER: it let a finding pass.")
strawberry.enum(
    CheckMode,
    name="CheckMode",
    description="STRICT: the rules, and what makes it worse. USAGE: known lineage may make it better, too; unknown lineage never does.",
)
strawberry.enum(
    CheckProfile,
    name="CheckProfile",
    description="Whose thinking decides. CONSUMER: datacontract-cli's direction. FULL: the stricter of both.",
)
strawberry.enum(
    CheckOutcome,
    name="CheckOutcome",
    description=(
        "WARNED: it failed, but that is only a warning. ERROR: it could not be evaluated. SKIPPED: it was left out of a run. "
        "NOT_RUN: it is written down, and no result of it is known."
    ),
)
strawberry.enum(
    ConflictKind,
    description=(
        "What looks wrong about an identity: one dataset of which catalogs hold two tables; one whose names have unlike columns; "
        "or two with the same table name and mostly the same columns."
    ),
)
strawberry.enum(Direction, description="With the flow of data, or against it.")
strawberry.enum(EdgeType, description="Typed, directed relations between assets.")
strawberry.enum(
    Evidence,
    description=(
        "How it is known when data was written: by a job's run, by the table's newest snapshot, "
        "by a producer's metrics, or by a freshness check that saw it."
    ),
)
strawberry.enum(
    Feasible,
    name="Feasible",
    description="Of a promise, by what it rests on. What nobody promises is never counted in its favour: then it is UNKNOWN at best.",
)
strawberry.enum(FlowType, description="Whether values come from there (DIRECT), or which rows, groups or branch depends on it (INDIRECT).")
strawberry.enum(Granularity, description="What one node of a lineage graph stands for.")
strawberry.enum(ImpactOrder, description="What affected assets are sorted by first; the others follow, then kind and name.")
strawberry.enum(NoticeReason, description="Why somebody should hear of a change.")
strawberry.enum(
    Reach,
    description=(
        "How sure a lineage answer is: a path of DIRECT edges; else of DIRECT and INDIRECT ones; "
        "else only one where nobody recorded the columns (POSSIBLE)."
    ),
)
strawberry.enum(
    Standing,
    description="Of a promise: KEPT, BROKEN, or UNKNOWN where not enough is known to say KEPT.",
)
strawberry.enum(
    NameRank,
    description=(
        "What speaks for a name to be shown, strongest first: an output port hands it out, a catalog describes it, "
        "it is a symlink of type TABLE, or nothing. Of equals the first by name is shown."
    ),
)
strawberry.enum(Verdict, description="What a change means. CONDITIONAL: it needs a look.")
strawberry.enum(Severity, description="How bad it is that a policy does not hold: in a check, ERROR is breaking, WARNING conditional.")
strawberry.enum(Truncated, description="The limit that cut an answer short.")

"""Flows as steps of a path."""

from __future__ import annotations

from meshline.graph.index.answers import FlowStep, Reach
from meshline.graph.index.core import Core
from meshline.graph.index.tables import CLASS, NONE
from meshline.graph.model import FlowType

_MASKING = 2  # FlowKinds.flags


def flow_step(core: Core, flow: int) -> FlowStep:
    """A row of Flows as a step between representatives."""
    kind = int(core.flows.kind[flow])
    reach = Reach(int(core.flows.flags[flow]) & CLASS)
    job = int(core.kinds.job[kind])
    return FlowStep(
        int(core.nodes.rep[core.flows.start[flow]]),
        int(core.nodes.rep[core.flows.end[flow]]),
        reach,
        None if reach is Reach.POSSIBLE else FlowType.INDIRECT if reach is Reach.INDIRECT else FlowType.DIRECT,
        core.text(int(core.kinds.subtype[kind])),
        masking(core, flow),
        None if job == NONE else job,
        int(core.heads.scope_id[core.heads_of([flow], 0)[0]]),
    )


def masking(core: Core, flow: int) -> bool:
    return bool(int(core.kinds.flags[core.flows.kind[flow]]) & _MASKING) and int(core.flows.flags[flow]) & CLASS != Reach.POSSIBLE


def order(core: Core, step: FlowStep) -> tuple[object, ...]:
    """Steps in an order that depends on what is said only, not on when it came."""
    return (
        core.label(step.start),
        core.label(step.end),
        step.reach,
        step.subtype,
        step.masking,
        () if step.job is None else core.label(step.job),
        core.heads.scope_of(core.heads.current(step.scope_id)),
    )

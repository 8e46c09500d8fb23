"""How a column flows, and how that adds up along a path, by the rules of OpenLineage's Spark listener.

A kind is a small number; the kinds of all paths between two columns are one set of bits (`1 << kind`).
"""

from __future__ import annotations

from functools import lru_cache

from meshline.graph.model import FlowType

# In the order of precedence among DIRECT ones: a sum of a copied column is an AGGREGATION.
AGGREGATION, TRANSFORMATION, IDENTITY, JOIN, FILTER, GROUP_BY, SORT, WINDOW, CONDITIONAL = range(9)
MASKED = 9  # added to a kind
_INDIRECT = JOIN  # this one and all after it
_SUBTYPES = ("AGGREGATION", "TRANSFORMATION", "IDENTITY", "JOIN", "FILTER", "GROUP_BY", "SORT", "WINDOW", "CONDITIONAL")

COPY = 1 << IDENTITY  # the bits of a plain copy


def combine_kinds(outer: int, inner: int) -> int:
    """The kind of a path whose later part is `outer`: the later INDIRECT wins, then the earlier one, then the stronger
    DIRECT one. What was masked once is.
    """
    base, other = outer % MASKED, inner % MASKED
    kind = base if base >= _INDIRECT else other if other >= _INDIRECT else min(base, other)
    return kind + (MASKED if outer >= MASKED or inner >= MASKED else 0)


@lru_cache(maxsize=10_000)
def apply_kind(outer: int, bits: int) -> int:
    """All kinds of `bits`, each followed by `outer`."""
    result = 0
    for kind in _list_members(bits):
        result |= 1 << combine_kinds(outer, kind)
    return result


@lru_cache(maxsize=10_000)
def list_flow_types(bits: int) -> tuple[tuple[FlowType, str, bool], ...]:
    """(type, subtype, masking) of each kind."""
    return tuple(
        (FlowType.INDIRECT if kind % MASKED >= _INDIRECT else FlowType.DIRECT, _SUBTYPES[kind % MASKED], kind >= MASKED)
        for kind in _list_members(bits)
    )


def _list_members(bits: int) -> list[int]:
    return [kind for kind in range(2 * MASKED) if bits >> kind & 1]

"""The protocol of policy kinds: a subject lists candidates, and their fields are what a policy evaluates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from meshline.governance.policies.evaluation_context import EvaluationContext, Scope
    from meshline.graph.queries.impact_paths import PathStep

NO_NODE = -1

# Fields that candidates of every kind have.
COMMON: Mapping[str, str] = {
    "name": "the qualified name of what the candidate is about",
    "parameters": "the parameters of the policy",
}


class Fields(dict[str, Any]):
    """Fields by name. Expensive ones are computed on demand, each by its own function or all by one."""

    __slots__ = ("_costly",)

    def __init__(self, known: Mapping[str, Any], costly: Mapping[str, Callable[[], Any]] | Callable[[str], Any] | None = None) -> None:
        super().__init__(known)
        self._costly = costly

    def __missing__(self, name: str) -> Any:
        costly = self._costly
        if costly is None:
            raise KeyError(name)
        value = self[name] = costly(name) if callable(costly) else costly[name]()
        return value


class Candidate(NamedTuple):
    """A candidate for a violation. `asset`: the node that would violate the policy; `end`: the node at its other end, or NO_NODE.
    `uncertainties`: why a violation would be uncertain, in words.
    """

    fields: Fields
    asset: int
    end: int = NO_NODE
    uncertainties: tuple[str, ...] = ()


Parameters: TypeAlias = Mapping[str, Any]
Candidates: TypeAlias = "Callable[[EvaluationContext, Parameters, Scope | None], Iterator[Candidate]]"
Covers: TypeAlias = "Callable[[EvaluationContext, Scope, int, int], bool]"
DescribeFunction: TypeAlias = "Callable[[EvaluationContext, Parameters, int, int, tuple[str, ...]], Fields]"
TraceFunction: TypeAlias = "Callable[[EvaluationContext, Parameters, int, int], tuple[list[PathStep], Mapping[str, str]]]"


_NO_PARAMETERS: Parameters = {}
_NO_FIELDS: Mapping[str, str] = {}


class Subject(NamedTuple):
    """A kind. `fields`: name -> description. `candidates`: lists all, or at least those that a scope covers. `covers`: whether a change
    of that scope may remove (asset, end) from the candidates, or change its fields. `parameters`: those that the candidates depend on,
    with their defaults. `late`: fields of messages that `trace` computes, with the path, only when a violation is shown. `describe`:
    computes the fields of (asset, end, uncertainties) again, for kinds with so many candidates that texts are built only for the
    violations that are shown.
    """

    kind: str
    about: str
    fields: Mapping[str, str]
    candidates: Candidates
    covers: Covers
    parameters: Parameters = _NO_PARAMETERS
    late: Mapping[str, str] = _NO_FIELDS
    trace: TraceFunction | None = None
    describe: DescribeFunction | None = None

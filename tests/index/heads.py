"""Statements by hand, and the heads that a store would make of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.index import LineageIndex
from meshline.graph.model import (
    JOB_OUTPUT,
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Json,
    Observation,
    Scope,
    Statement,
    build_column_key,
    build_dataset_key,
    build_intervals,
    build_job_key,
)
from meshline.graph.store.base import Changes, Head

NS = "db"


def to_dataset(name: str) -> AssetKey:
    return build_dataset_key(NS, name)


def to_column(name: str) -> AssetKey:
    """`a.x`: column x of dataset a."""
    of, _, own = name.partition(".")
    return build_column_key(to_dataset(of), own)


def to_key(name: str) -> AssetKey:
    return to_column(name) if "." in name else to_dataset(name)


def build_flow(
    start: str, end: str, type_: str = "DIRECT", *, subtype: str = "", masking: bool = False, covered: bool = False, by: str = "j"
) -> Flow:
    """`flow("a.x", "b.y")`, `flow("a.x", "b", "INDIRECT")`, `flow("a", "b")`."""
    return Flow(to_key(start), to_key(end), FlowType(type_), subtype, masking, covered, build_job_key(NS, by) if by else None)


def build_same_as(a: str, b: str, **why: Json) -> EdgeFact:
    return EdgeFact(EdgeType.SAME_AS, to_dataset(a), to_dataset(b), {"why": "person", **why})


def build_different_from(a: str, b: str, **why: Json) -> EdgeFact:
    return EdgeFact(EdgeType.DIFFERENT_FROM, to_dataset(a), to_dataset(b), {"why": "person", **why})


def build_schema(of: str, *names: str) -> Facts:
    """A schema: the columns of a dataset, in order."""
    edges = [
        EdgeFact(EdgeType.HAS_COLUMN, to_dataset(of), build_column_key(to_dataset(of), name), {"position": i + 1})
        for i, name in enumerate(names)
    ]
    return Facts(assets=tuple(AssetFact(edge.end, {"type": "int"}) for edge in edges), edges=tuple(edges))


def build_statement(
    facts: Facts | None,
    scope: Scope,
    at: int = 0,
    *,
    source: str = "openlineage/test",
    version: str = "",
    provisional: bool = False,
    until: int | None = None,
) -> Statement:
    return Statement(source, scope, at, EMPTY if facts is None else encode_facts(facts), version, provisional, until)


def state_lineage(*flows: Flow, scope: str = "one", at: int = 0, **more: object) -> Statement:
    return build_statement(Facts(flows=flows), ("test", scope), at, **more)  # type: ignore[arg-type]


def state_merge(a: str, b: str, at: int = 0, **why: str) -> Statement:
    return build_statement(Facts(edges=(build_same_as(a, b, **why),)), ("person", a, b), at, source="person/p")


def state_rename(old: str, new: str, at: int) -> Statement:
    return build_statement(
        Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, to_dataset(old), to_dataset(new)),)), ("dataset-renamed", new, old, str(at)), at
    )


def state_drop(name: str, at: int) -> Statement:
    return build_statement(Facts(assets=(AssetFact(to_dataset(name), {"dropped": True}),)), ("dataset-dropped", NS, name), at)


def state_column_rename(of: str, old: str, new: str, at: int, source: str = "iceberg/cat") -> Statement:
    edge = EdgeFact(EdgeType.RENAMED_TO, build_column_key(to_dataset(of), old), build_column_key(to_dataset(of), new))
    return build_statement(Facts(edges=(edge,)), ("column-renamed", NS, of, old, new, str(at)), at, source=source)


def state_column_drop(of: str, name: str, at: int, source: str = "iceberg/cat") -> Statement:
    fact = AssetFact(build_column_key(to_dataset(of), name), {"dropped": True})
    return build_statement(Facts(assets=(fact,)), ("column-dropped", NS, of, name, str(at)), at, source=source)


def state_schema(of: str, *names: str, at: int = 0, source: str = "openlineage/test") -> Statement:
    return build_statement(build_schema(of, *names), ("dataset", NS, of, "schema"), at, source=source)


def build_output_scope(job_name: str, output: str) -> Scope:
    return (JOB_OUTPUT, NS, job_name, NS, output)


class Fold:
    """Folds statements as a store does: heads by scope, changes by revision."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.revision = 0
        self._ids: dict[tuple[str, Scope], int] = {}

    def add(self, *statements: Statement) -> Changes:
        changed = {(s.source, s.scope) for s in statements}
        self.statements += statements
        return self._record_changes(changed)

    def withdraw(self, *statements: Statement) -> Changes:
        changed = {(s.source, s.scope) for s in statements}
        for statement in statements:
            self.statements.remove(statement)
        return self._record_changes(changed)

    def list_heads(self, as_of: int | None = None, size: int = 7) -> Iterable[Sequence[Head]]:
        found = [self._build_head(name, as_of) for name in self._ids]
        kept = [head for head in found if head.content is not None]
        return [kept[i : i + size] for i in range(0, len(kept), size)]

    def build_index(self, as_of: int | None = None) -> LineageIndex:
        return LineageIndex.load(self.list_heads(as_of), self.revision, as_of)

    def _record_changes(self, changed: set[tuple[str, Scope]]) -> Changes:
        for name in sorted(changed):
            self._ids.setdefault(name, len(self._ids) + 1)
        self.revision += 1
        return Changes(self.revision, [self._build_head(name, None) for name in sorted(changed)])

    def _build_head(self, name: tuple[str, Scope], as_of: int | None) -> Head:
        contents = {s.content.digest: s.content for s in self.statements}
        observations = [
            Observation(s.observed_at, s.content.digest, s.version, s.provisional, s.until)
            for s in self.statements
            if (s.source, s.scope) == name and (as_of is None or s.observed_at <= as_of)
        ]
        intervals = [i for i in build_intervals(observations) if as_of is None or i.valid_from <= as_of]
        last = intervals[-1] if intervals else None
        scope_id = self._ids[name]
        if last is None or last.valid_to is not None or last.observation.digest == EMPTY.digest:
            return Head(scope_id, *name, 0, 0, 0, "", provisional=False, content=None)
        o = last.observation
        return Head(scope_id, *name, o.observed_at, last.valid_from, last.last_observed, o.version, o.provisional, contents[o.digest])


def build_index(*statements: Statement) -> LineageIndex:
    fold = Fold()
    fold.add(*statements)
    return fold.build_index()
